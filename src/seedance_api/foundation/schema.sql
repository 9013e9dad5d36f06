-- The sum of the migrations. Rewrite it with: PYTHONPATH=tests python tests/foundation/test_schema.py

CREATE TYPE public.pgqueuer_status AS ENUM (
    'queued',
    'picked',
    'successful',
    'exception',
    'canceled',
    'deleted',
    'failed'
);
CREATE FUNCTION public.check_addresses(day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I VALIDATE CONSTRAINT addresses_are_truncated',
        'request_log' || to_char(day, '_YYYYMMDD'));
END $$;
CREATE FUNCTION public.count_ended() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE pending SET number = number - 1 WHERE account_id = OLD.account_id AND livemode = OLD.livemode;
    RETURN NULL;
END
$$;
CREATE FUNCTION public.count_made() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO pending AS p (account_id, livemode, number)
    SELECT account_id, livemode, count(*) FROM made WHERE finished_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (account_id, livemode) DO UPDATE SET number = p.number + excluded.number;
    RETURN NULL;
END
$$;
CREATE FUNCTION public.drop_day(parent text, day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    -- the least that the settings allow: SEEDANCE_EVENT_RETENTION_DAYS, SEEDANCE_REQUEST_LOG_DAYS
    kept constant integer := CASE parent WHEN 'event' THEN 5 WHEN 'delivery' THEN 5 WHEN 'request_log' THEN 29 END;
BEGIN
    IF kept IS NULL OR day >= (clock_timestamp() AT TIME ZONE 'UTC')::date - kept THEN
        RAISE EXCEPTION 'the day % of % is kept', day, parent USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', parent || to_char(day, '_YYYYMMDD'));
END $$;
CREATE FUNCTION public.event_id(moment timestamp with time zone) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    alphabet constant text := '0123456789abcdefghjkmnpqrstvwxyz';
    microseconds constant bigint := (extract(epoch FROM moment) * 1000000)::bigint;
    random constant bytea := uuid_send(gen_random_uuid());
    bits bit(130);
    answer text := 'evt_';
BEGIN
    bits := B'00' || (microseconds / 1000)::bit(48) || B'0111' || ((microseconds % 1000) * 4096 / 1000)::integer::bit(12)
        || B'10' || substring(('x' || encode(random, 'hex'))::bit(128) FROM 67 FOR 62);
    FOR place IN 0..25 LOOP
        answer := answer || substr(alphabet, substring(bits FROM place * 5 + 1 FOR 5)::integer + 1, 1);
    END LOOP;
    RETURN answer;
END $$;
CREATE FUNCTION public.event_moment() RETURNS timestamp with time zone
    LANGUAGE plpgsql
    AS $$
DECLARE
    next constant bigint := nextval('event_clock');
    clock constant bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
BEGIN
    IF clock > next THEN
        PERFORM setval('event_clock', clock);
    END IF;
    RETURN timestamptz 'epoch' + greatest(clock, next) * interval '1 microsecond';
END $$;
CREATE FUNCTION public.fn_pgqueuer_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    to_emit BOOLEAN := false;  -- Flag to decide whether to emit a notification
BEGIN
    -- Check operation type and set the emit flag accordingly
    IF TG_OP = 'UPDATE' AND OLD IS DISTINCT FROM NEW THEN
        to_emit := true;
    ELSIF TG_OP = 'DELETE' THEN
        to_emit := true;
    ELSIF TG_OP = 'INSERT' THEN
        to_emit := true;
    ELSIF TG_OP = 'TRUNCATE' THEN
        to_emit := true;
    END IF;
    -- Perform notification if the emit flag is set
    IF to_emit THEN
        PERFORM pg_notify(
            'ch_pgqueuer',
            json_build_object(
                'channel', 'ch_pgqueuer',
                'operation', lower(TG_OP),
                'sent_at', NOW(),
                'table', TG_TABLE_NAME,
                'type', 'table_changed_event'
            )::text
        );
    END IF;
    -- Return appropriate value based on the operation
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        RETURN NEW;
    ELSIF TG_OP = 'DELETE' THEN
        RETURN OLD;
    ELSE
        RETURN NULL; -- For TRUNCATE and other non-row-specific contexts
    END IF;
END;
$$;
CREATE FUNCTION public.make_day(parent text, day date, first_id text, end_id text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
DECLARE
    name constant text := parent || to_char(day, '_YYYYMMDD');
BEGIN
    IF parent NOT IN ('event', 'delivery', 'request_log') THEN
        RAISE EXCEPTION '% has no days', parent USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name, parent);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, first_id, end_id);
END $$;
CREATE FUNCTION public.refuse_addresses(day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
BEGIN
    EXECUTE format(
        'ALTER TABLE %I DROP CONSTRAINT IF EXISTS addresses_are_truncated, ADD CONSTRAINT addresses_are_truncated '
        'CHECK (NOT (masklen(address) > CASE family(address) WHEN 4 THEN 24 ELSE 48 END)) NOT VALID',
        'request_log' || to_char(day, '_YYYYMMDD'));
END $$;
CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION public.tell_finished(ids text[]) RETURNS void
    LANGUAGE sql
    AS $$
    SELECT pg_notify('finished', string_agg(id, ' '))
    FROM (SELECT id, (row_number() OVER () - 1) / 250 AS part FROM unnest(ids) AS id) numbered
    GROUP BY part
$$;
CREATE FUNCTION public.tell_finished_generations() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM tell_finished(array_agg(id)) FROM before WHERE finished_at IS NOT NULL HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_finished_holds() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM tell_finished(array_agg(generation_id)) FROM before WHERE state <> 'held' HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_finished_parts() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM tell_finished(array_agg(generation_id)) FROM before HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION public.tell_key_revoked() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('key_revoked', OLD.id);
    RETURN NULL;
END
$$;
CREATE TABLE public.account (
    id text NOT NULL COLLATE pg_catalog."C",
    email text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    regions text[],
    keep_seconds integer,
    grace_seconds integer,
    low_balance bigint,
    rate_multiplier integer,
    tier_multiplier integer DEFAULT 1 NOT NULL,
    analytics_objected_at timestamp with time zone,
    analytics_excluded tstzmultirange DEFAULT '{}'::tstzmultirange NOT NULL,
    CONSTRAINT account_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT account_grace_seconds_check CHECK (((grace_seconds >= 0) AND (grace_seconds <= 86400))),
    CONSTRAINT account_keep_seconds_check CHECK (((keep_seconds >= 3600) AND (keep_seconds <= 604800))),
    CONSTRAINT account_low_balance_check CHECK ((low_balance >= 0)),
    CONSTRAINT account_rate_multiplier_check CHECK (((rate_multiplier >= 1) AND (rate_multiplier <= 1000))),
    CONSTRAINT account_tier_multiplier_check CHECK (((tier_multiplier >= 1) AND (tier_multiplier <= 1000)))
);
CREATE TABLE public.analytics (
    grain text NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    measure text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL COLLATE pg_catalog."C",
    status_class smallint,
    livemode boolean,
    count bigint NOT NULL,
    accounts bigint NOT NULL,
    CONSTRAINT analytics_count_check CHECK ((count > 0)),
    CONSTRAINT analytics_grain_check CHECK ((grain = ANY (ARRAY['hour'::text, 'day'::text]))),
    CONSTRAINT analytics_status_class_check CHECK (((status_class >= 1) AND (status_class <= 5))),
    CONSTRAINT cells_have_five_accounts CHECK ((accounts >= 5))
);
CREATE TABLE public.analytics_day (
    day date NOT NULL,
    counted_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.api_key (
    id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    handle text NOT NULL COLLATE pg_catalog."C",
    mode text NOT NULL,
    name text,
    digest bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    scopes text[],
    networks text[],
    revoked_reason text,
    CONSTRAINT api_key_mode_check CHECK ((mode = ANY (ARRAY['test'::text, 'live'::text]))),
    CONSTRAINT api_key_networks_check CHECK ((cardinality(networks) > 0)),
    CONSTRAINT api_key_scopes_check CHECK (((cardinality(scopes) > 0) AND (scopes <@ ARRAY['videos:read'::text, 'videos:write'::text, 'files'::text, 'webhooks'::text, 'billing:read'::text, 'billing:write'::text, 'keys'::text])))
);
CREATE TABLE public.asset (
    generation_id text NOT NULL COLLATE pg_catalog."C",
    variant text NOT NULL,
    object_key text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    sha256 text NOT NULL,
    served int8multirange DEFAULT '{}'::int8multirange NOT NULL,
    verified_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    damaged_at timestamp with time zone,
    CONSTRAINT asset_bytes_check CHECK ((bytes > 0)),
    CONSTRAINT asset_variant_check CHECK ((variant = ANY (ARRAY['video'::text, 'last_frame'::text, 'thumbnail'::text])))
);
CREATE TABLE public.asset_permission (
    account_id text NOT NULL COLLATE pg_catalog."C",
    asset text NOT NULL COLLATE pg_catalog."C",
    allowed_by text NOT NULL,
    allowed_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_by text,
    revoked_at timestamp with time zone,
    CONSTRAINT asset_permission_asset_check CHECK ((asset ~ '^[A-Za-z0-9_-]{1,128}$'::text)),
    CONSTRAINT revocations_have_their_author CHECK (((revoked_at IS NULL) = (revoked_by IS NULL)))
);
CREATE TABLE public.attempt (
    id text NOT NULL COLLATE pg_catalog."C",
    generation_id text NOT NULL COLLATE pg_catalog."C",
    state text DEFAULT 'planned'::text NOT NULL,
    operation jsonb,
    reason text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    sent_at timestamp with time zone,
    resolved_at timestamp with time zone,
    provider text DEFAULT 'sandbox'::text NOT NULL,
    seconds_left double precision,
    told text,
    check_at timestamp with time zone DEFAULT now() NOT NULL,
    begun_at timestamp with time zone,
    original jsonb,
    nonce smallint,
    CONSTRAINT acknowledged_attempts_have_their_operation CHECK (((state <> ALL (ARRAY['acknowledged'::text, 'succeeded'::text])) OR (operation IS NOT NULL))),
    CONSTRAINT attempt_nonce_check CHECK (((nonce >= 0) AND (nonce <= 3599))),
    CONSTRAINT attempt_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'sent'::text, 'acknowledged'::text, 'rejected'::text, 'unknown'::text, 'succeeded'::text, 'failed'::text, 'lost'::text]))),
    CONSTRAINT final_attempts_have_their_time CHECK (((state = ANY (ARRAY['rejected'::text, 'succeeded'::text, 'failed'::text, 'lost'::text])) = (resolved_at IS NOT NULL)))
);
CREATE SEQUENCE public.attempt_nonce_turn
    AS integer
    START WITH 0
    INCREMENT BY 1
    MINVALUE 0
    MAXVALUE 3599
    CACHE 1
    CYCLE;
CREATE SEQUENCE public.barrier
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.content (
    generation_id text NOT NULL COLLATE pg_catalog."C",
    state text DEFAULT 'stored'::text NOT NULL,
    stored_at timestamp with time zone DEFAULT now() NOT NULL,
    purge_at timestamp with time zone NOT NULL,
    purged_at timestamp with time zone,
    grace_seconds integer DEFAULT 3600 NOT NULL,
    delivered_at timestamp with time zone,
    delivered_by text,
    warn_at timestamp with time zone,
    cleared_at timestamp with time zone,
    clear_at timestamp with time zone DEFAULT now() NOT NULL,
    mend_at timestamp with time zone,
    lost_at timestamp with time zone,
    CONSTRAINT content_delivered_by_check CHECK ((delivered_by = ANY (ARRAY['served'::text, 'confirmed'::text]))),
    CONSTRAINT content_goes_within_a_week CHECK ((purge_at <= (stored_at + '168:00:00'::interval))),
    CONSTRAINT content_grace_seconds_check CHECK (((grace_seconds >= 0) AND (grace_seconds <= 86400))),
    CONSTRAINT content_state_check CHECK ((state = ANY (ARRAY['stored'::text, 'delivered'::text, 'purged'::text]))),
    CONSTRAINT delivered_content_says_how CHECK ((((delivered_at IS NULL) = (delivered_by IS NULL)) AND ((state <> 'stored'::text) OR (delivered_at IS NULL)) AND ((state <> 'delivered'::text) OR (delivered_at IS NOT NULL)))),
    CONSTRAINT purged_content_has_its_time CHECK (((state = 'purged'::text) = (purged_at IS NOT NULL)))
);
CREATE TABLE public.credit_grant (
    id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    amount bigint NOT NULL,
    remaining bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT credit_grant_amount_check CHECK ((amount > 0)),
    CONSTRAINT credit_grant_check CHECK (((remaining >= 0) AND (remaining <= amount)))
);
CREATE TABLE public.deletion (
    generation_id text NOT NULL COLLATE pg_catalog."C",
    what text NOT NULL COLLATE pg_catalog."C",
    place text NOT NULL COLLATE pg_catalog."C",
    name text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    digest text,
    bytes bigint,
    deleted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT deletion_reason_check CHECK ((reason = ANY (ARRAY['delivered'::text, 'expired'::text, 'requested'::text, 'retention'::text]))),
    CONSTRAINT deletion_what_check CHECK ((what = ANY (ARRAY['video'::text, 'last_frame'::text, 'thumbnail'::text, 'prompt'::text, 'metadata'::text, 'input'::text, 'upstream_copy'::text])))
);
CREATE TABLE public.delivery (
    endpoint_id text NOT NULL COLLATE pg_catalog."C",
    event_id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    livemode boolean NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    tries smallint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_until timestamp with time zone,
    attempts jsonb DEFAULT '[]'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT delivery_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text, 'dropped'::text]))),
    CONSTRAINT ended_deliveries_have_their_time CHECK (((state = 'pending'::text) = (ended_at IS NULL)))
)
PARTITION BY RANGE (event_id);
CREATE TABLE public.delivery_rest (
    endpoint_id text CONSTRAINT delivery_endpoint_id_not_null NOT NULL COLLATE pg_catalog."C",
    event_id text CONSTRAINT delivery_event_id_not_null NOT NULL COLLATE pg_catalog."C",
    account_id text CONSTRAINT delivery_account_id_not_null NOT NULL COLLATE pg_catalog."C",
    livemode boolean CONSTRAINT delivery_livemode_not_null NOT NULL,
    state text DEFAULT 'pending'::text CONSTRAINT delivery_state_not_null NOT NULL,
    tries smallint DEFAULT 0 CONSTRAINT delivery_tries_not_null NOT NULL,
    due_at timestamp with time zone DEFAULT now() CONSTRAINT delivery_due_at_not_null NOT NULL,
    claimed_until timestamp with time zone,
    attempts jsonb DEFAULT '[]'::jsonb CONSTRAINT delivery_attempts_not_null NOT NULL,
    created_at timestamp with time zone DEFAULT now() CONSTRAINT delivery_created_at_not_null NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT delivery_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text, 'dropped'::text]))),
    CONSTRAINT ended_deliveries_have_their_time CHECK (((state = 'pending'::text) = (ended_at IS NULL)))
);
CREATE TABLE public.discrepancy (
    id text NOT NULL COLLATE pg_catalog."C",
    provider text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    operation_id text NOT NULL COLLATE pg_catalog."C",
    attempt_id text COLLATE pg_catalog."C",
    detail jsonb NOT NULL,
    owner text DEFAULT 'operator'::text NOT NULL,
    found_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    resolved_at timestamp with time zone,
    resolution text,
    CONSTRAINT discrepancy_kind_check CHECK ((kind = ANY (ARRAY['orphan'::text, 'late'::text, 'missing'::text, 'tokens'::text, 'state'::text]))),
    CONSTRAINT resolved_ones_say_how CHECK (((resolved_at IS NULL) = (resolution IS NULL)))
);
CREATE TABLE public.duration (
    provider text NOT NULL COLLATE pg_catalog."C",
    model text NOT NULL COLLATE pg_catalog."C",
    resolution text NOT NULL COLLATE pg_catalog."C",
    seconds integer NOT NULL,
    samples integer NOT NULL,
    p10 real NOT NULL,
    p50 real NOT NULL,
    p90 real NOT NULL,
    CONSTRAINT duration_samples_check CHECK ((samples > 0))
)
WITH (fillfactor='50');
CREATE TABLE public.event (
    id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    livemode boolean NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT event_type_check CHECK ((type = ANY (ARRAY['video.queued'::text, 'video.in_progress'::text, 'video.completed'::text, 'video.failed'::text, 'video.canceled'::text, 'video.expiring'::text, 'video.purged'::text, 'balance.low'::text, 'key.limit_reached'::text])))
)
PARTITION BY RANGE (id);
CREATE SEQUENCE public.event_clock
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.event_rest (
    id text CONSTRAINT event_id_not_null NOT NULL COLLATE pg_catalog."C",
    account_id text CONSTRAINT event_account_id_not_null NOT NULL COLLATE pg_catalog."C",
    livemode boolean CONSTRAINT event_livemode_not_null NOT NULL,
    type text CONSTRAINT event_type_not_null NOT NULL,
    data jsonb CONSTRAINT event_data_not_null NOT NULL,
    created_at timestamp with time zone CONSTRAINT event_created_at_not_null NOT NULL,
    CONSTRAINT event_type_check CHECK ((type = ANY (ARRAY['video.queued'::text, 'video.in_progress'::text, 'video.completed'::text, 'video.failed'::text, 'video.canceled'::text, 'video.expiring'::text, 'video.purged'::text, 'balance.low'::text, 'key.limit_reached'::text])))
);
CREATE TABLE public.file (
    id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    livemode boolean NOT NULL,
    inline boolean NOT NULL,
    kind text NOT NULL,
    object_key text NOT NULL,
    sha256 text NOT NULL,
    facts jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    verified_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    damaged_at timestamp with time zone,
    CONSTRAINT file_kind_check CHECK ((kind = ANY (ARRAY['image'::text, 'video'::text, 'audio'::text])))
);
CREATE TABLE public.gate (
    provider text NOT NULL COLLATE pg_catalog."C",
    model text NOT NULL COLLATE pg_catalog."C",
    failures integer DEFAULT 0 NOT NULL,
    closed_until timestamp with time zone,
    reason text,
    share real DEFAULT 1 NOT NULL,
    next_start_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT gate_failures_check CHECK ((failures >= 0)),
    CONSTRAINT gate_share_check CHECK (((share >= (0.05)::double precision) AND (share <= (1)::double precision)))
)
WITH (fillfactor='50');
CREATE TABLE public.generation (
    id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    key_id text NOT NULL COLLATE pg_catalog."C",
    livemode boolean NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    params jsonb NOT NULL,
    metadata jsonb NOT NULL,
    keep_seconds integer NOT NULL,
    quoted_tokens bigint NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    version integer DEFAULT 0 NOT NULL,
    tries smallint DEFAULT 0 NOT NULL,
    progress smallint DEFAULT 0 NOT NULL,
    output jsonb,
    error_code text,
    error_message text,
    cancel_requested_at timestamp with time zone,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_until timestamp with time zone,
    deadline_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    deleted_at timestamp with time zone,
    draft_id text COLLATE pg_catalog."C",
    grace_seconds integer DEFAULT 3600 NOT NULL,
    wrong_tries smallint DEFAULT 0 NOT NULL,
    webhook_endpoint_id text COLLATE pg_catalog."C",
    draft_until timestamp with time zone,
    draft_ended_at timestamp with time zone,
    waiting_for text,
    waiting_since timestamp with time zone,
    input_bytes bigint,
    CONSTRAINT failures_have_their_code CHECK (((state = 'failed'::text) = (error_code IS NOT NULL))),
    CONSTRAINT final_states_have_their_time CHECK (((state = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text])) = (finished_at IS NOT NULL))),
    CONSTRAINT generation_grace_seconds_check CHECK (((grace_seconds >= 0) AND (grace_seconds <= 86400))),
    CONSTRAINT generation_input_bytes_check CHECK ((input_bytes >= 0)),
    CONSTRAINT generation_keep_seconds_check CHECK (((keep_seconds >= 3600) AND (keep_seconds <= 604800))),
    CONSTRAINT generation_progress_check CHECK (((progress >= 0) AND (progress <= 100))),
    CONSTRAINT generation_quoted_tokens_check CHECK ((quoted_tokens >= 0)),
    CONSTRAINT generation_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'submitting'::text, 'running'::text, 'storing'::text, 'completed'::text, 'failed'::text, 'canceled'::text]))),
    CONSTRAINT only_drafts_end CHECK (((draft_ended_at IS NULL) OR (draft_until IS NOT NULL))),
    CONSTRAINT only_finished_is_deleted CHECK (((deleted_at IS NULL) OR (finished_at IS NOT NULL)))
);
CREATE TABLE public.generation_input (
    generation_id text NOT NULL COLLATE pg_catalog."C",
    prompt text NOT NULL
);
CREATE TABLE public.generation_media (
    generation_id text NOT NULL COLLATE pg_catalog."C",
    "position" smallint NOT NULL,
    role text NOT NULL,
    file_id text COLLATE pg_catalog."C",
    asset text,
    kind text,
    CONSTRAINT an_input_is_a_file_or_an_asset CHECK (((num_nonnulls(file_id, asset) = 1) AND ((asset IS NULL) = (kind IS NULL)))),
    CONSTRAINT generation_media_kind_check CHECK ((kind = ANY (ARRAY['image'::text, 'video'::text, 'audio'::text]))),
    CONSTRAINT generation_media_role_check CHECK ((role = ANY (ARRAY['first_frame'::text, 'last_frame'::text, 'reference'::text])))
);
CREATE TABLE public.hold (
    generation_id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    key_id text NOT NULL COLLATE pg_catalog."C",
    currency text NOT NULL,
    price_version integer NOT NULL,
    rate bigint NOT NULL,
    quoted_tokens bigint NOT NULL,
    quoted bigint NOT NULL,
    amount bigint NOT NULL,
    counted_on date NOT NULL,
    state text DEFAULT 'held'::text NOT NULL,
    tokens bigint,
    resolution text,
    charged bigint,
    waived bigint DEFAULT 0 NOT NULL,
    refunded bigint DEFAULT 0 NOT NULL,
    reason text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    resolved_at timestamp with time zone,
    CONSTRAINT charged_at_most_what_was_held CHECK (((charged >= 0) AND (charged <= amount))),
    CONSTRAINT hold_amount_check CHECK ((amount >= 0)),
    CONSTRAINT hold_quoted_check CHECK ((quoted >= 0)),
    CONSTRAINT hold_quoted_tokens_check CHECK ((quoted_tokens >= 0)),
    CONSTRAINT hold_rate_check CHECK ((rate >= 0)),
    CONSTRAINT hold_refunded_check CHECK ((refunded >= 0)),
    CONSTRAINT hold_state_check CHECK ((state = ANY (ARRAY['held'::text, 'settled'::text, 'released'::text]))),
    CONSTRAINT hold_waived_check CHECK ((waived >= 0)),
    CONSTRAINT refunded_at_most_what_was_charged CHECK ((refunded <= COALESCE(charged, (0)::bigint))),
    CONSTRAINT resolved_holds_have_their_time CHECK (((state = 'held'::text) = (resolved_at IS NULL))),
    CONSTRAINT settled_holds_have_their_charge CHECK (((state = 'settled'::text) = (charged IS NOT NULL))),
    CONSTRAINT waivers_have_their_reason CHECK (((waived = 0) OR (reason IS NOT NULL)))
)
WITH (fillfactor='80');
CREATE TABLE public.idempotency (
    account_id text NOT NULL COLLATE pg_catalog."C",
    route text NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    fingerprint bytea NOT NULL,
    subject text COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    answer jsonb,
    claimant text,
    kind text DEFAULT 'key'::text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT a_key_has_one_outcome CHECK ((num_nonnulls(subject, answer, claimant) = 1)),
    CONSTRAINT idempotency_kind_check CHECK ((kind = ANY (ARRAY['key'::text, 'content'::text, 'retry'::text])))
);
CREATE TABLE public.installation (
    one boolean DEFAULT true NOT NULL,
    pepper_mark bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    id text DEFAULT ('ins_'::text || replace((gen_random_uuid())::text, '-'::text, ''::text)) NOT NULL COLLATE pg_catalog."C",
    store_marked_at timestamp with time zone,
    CONSTRAINT installation_one_check CHECK (one)
);
CREATE TABLE public.installation_setting (
    name text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL,
    previous text[] DEFAULT '{}'::text[] NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.key_network (
    key_id text NOT NULL COLLATE pg_catalog."C",
    network cidr NOT NULL,
    first_seen timestamp with time zone NOT NULL,
    last_seen timestamp with time zone NOT NULL,
    CONSTRAINT key_network_network_check CHECK ((masklen((network)::inet) =
CASE family((network)::inet)
    WHEN 4 THEN 16
    ELSE 32
END))
);
CREATE TABLE public.transfer (
    id text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    account_id text NOT NULL COLLATE pg_catalog."C",
    currency text NOT NULL,
    source text NOT NULL,
    target text NOT NULL,
    amount bigint NOT NULL,
    generation_id text COLLATE pg_catalog."C",
    grant_id text COLLATE pg_catalog."C",
    reference text,
    reason text,
    author text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT people_say_why CHECK (((kind <> ALL (ARRAY['credit'::text, 'grant'::text, 'adjustment'::text, 'refund'::text])) OR (reason IS NOT NULL))),
    CONSTRAINT transfer_amount_check CHECK ((amount > 0)),
    CONSTRAINT transfer_kind_check CHECK ((((((((((((kind = 'credit'::text) AND (source = 'payments'::text) AND (target = 'available'::text)) OR ((kind = 'grant'::text) AND (source = 'grants'::text) AND (target = 'available'::text))) OR ((kind = 'expiry'::text) AND (source = 'available'::text) AND (target = 'grants'::text))) OR ((kind = 'adjustment'::text) AND (source = 'available'::text) AND (target = 'adjustments'::text))) OR ((kind = 'hold'::text) AND (source = 'available'::text) AND (target = 'held'::text))) OR ((kind = 'release'::text) AND (source = 'held'::text) AND (target = 'available'::text))) OR ((kind = 'charge'::text) AND (source = 'held'::text) AND (target = 'revenue'::text))) OR ((kind = 'refund'::text) AND (source = 'revenue'::text) AND (target = 'available'::text))) OR ((kind = 'waiver'::text) AND (source = 'write_off'::text) AND (target = 'revenue'::text))) OR ((kind = 'upstream'::text) AND (source = 'upstream_cost'::text) AND (target = 'upstream'::text)))),
    CONSTRAINT transfers_of_a_generation CHECK (((kind = ANY (ARRAY['hold'::text, 'release'::text, 'charge'::text, 'refund'::text, 'waiver'::text, 'upstream'::text])) = (generation_id IS NOT NULL)))
);
CREATE VIEW public.ledger AS
 SELECT transfer.account_id,
    transfer.currency,
    transfer.source AS name,
    (- transfer.amount) AS amount,
    transfer.created_at
   FROM public.transfer
UNION ALL
 SELECT transfer.account_id,
    transfer.currency,
    transfer.target AS name,
    transfer.amount,
    transfer.created_at
   FROM public.transfer;
CREATE UNLOGGED TABLE public.listener (
    id text NOT NULL COLLATE pg_catalog."C",
    heard_at timestamp with time zone NOT NULL,
    passed bigint NOT NULL
);
CREATE TABLE public.migration (
    name text NOT NULL COLLATE pg_catalog."C",
    digest text,
    release text,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.notice (
    id text NOT NULL COLLATE pg_catalog."C",
    account_id text COLLATE pg_catalog."C",
    kind text NOT NULL,
    detail jsonb NOT NULL,
    tries smallint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    closed_at timestamp with time zone,
    told text[] DEFAULT '{}'::text[] NOT NULL,
    recipient text,
    subject text,
    dedupe_key text,
    given_up boolean DEFAULT false NOT NULL,
    state text GENERATED ALWAYS AS (
CASE
    WHEN (closed_at IS NULL) THEN 'pending'::text
    WHEN given_up THEN 'failed'::text
    ELSE 'sent'::text
END) STORED,
    letter jsonb DEFAULT '{}'::jsonb NOT NULL
);
CREATE TABLE public.pending (
    account_id text NOT NULL COLLATE pg_catalog."C",
    livemode boolean NOT NULL,
    number bigint NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.pgqueuer (
    id bigint NOT NULL,
    priority integer NOT NULL,
    queue_manager_id uuid,
    created timestamp with time zone DEFAULT now() NOT NULL,
    updated timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat timestamp with time zone DEFAULT now() NOT NULL,
    execute_after timestamp with time zone DEFAULT now() NOT NULL,
    status public.pgqueuer_status NOT NULL,
    entrypoint text NOT NULL,
    dedupe_key text,
    payload bytea,
    headers jsonb,
    attempts integer DEFAULT 0 NOT NULL,
    slot bigint
);
CREATE SEQUENCE public.pgqueuer_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.pgqueuer_id_seq OWNED BY public.pgqueuer.id;
CREATE TABLE public.pgqueuer_log (
    id bigint NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    job_id bigint NOT NULL,
    status public.pgqueuer_status NOT NULL,
    priority integer NOT NULL,
    entrypoint text NOT NULL,
    traceback jsonb,
    aggregated boolean DEFAULT false
);
ALTER TABLE public.pgqueuer_log ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.pgqueuer_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.pgqueuer_schedules (
    id bigint NOT NULL,
    expression text NOT NULL,
    entrypoint text NOT NULL,
    heartbeat timestamp with time zone DEFAULT now() NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    updated timestamp with time zone DEFAULT now() NOT NULL,
    next_run timestamp with time zone DEFAULT now() NOT NULL,
    last_run timestamp with time zone,
    status public.pgqueuer_status DEFAULT 'queued'::public.pgqueuer_status
);
CREATE SEQUENCE public.pgqueuer_schedules_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.pgqueuer_schedules_id_seq OWNED BY public.pgqueuer_schedules.id;
CREATE TABLE public.pgqueuer_statistics (
    id bigint NOT NULL,
    created timestamp with time zone DEFAULT date_trunc('sec'::text, now()) NOT NULL,
    count bigint NOT NULL,
    priority integer NOT NULL,
    status public.pgqueuer_status NOT NULL,
    entrypoint text NOT NULL
);
CREATE SEQUENCE public.pgqueuer_statistics_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.pgqueuer_statistics_id_seq OWNED BY public.pgqueuer_statistics.id;
CREATE TABLE public.price_book (
    version integer NOT NULL,
    text text NOT NULL,
    author text NOT NULL,
    loaded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT price_book_version_check CHECK ((version > 0))
);
CREATE TABLE public.request_hour (
    hour timestamp with time zone NOT NULL,
    account_id text NOT NULL COLLATE pg_catalog."C",
    key_id text NOT NULL COLLATE pg_catalog."C",
    endpoint text NOT NULL COLLATE pg_catalog."C",
    status_class smallint NOT NULL,
    requests bigint NOT NULL,
    latency_us bigint NOT NULL,
    own_us bigint NOT NULL,
    own_histogram bigint[] NOT NULL,
    CONSTRAINT request_hour_status_class_check CHECK (((status_class >= 1) AND (status_class <= 5)))
);
CREATE TABLE public.request_log (
    id text NOT NULL COLLATE pg_catalog."C",
    at timestamp(3) with time zone NOT NULL,
    endpoint text NOT NULL COLLATE pg_catalog."C",
    account_id text COLLATE pg_catalog."C",
    key_id text COLLATE pg_catalog."C",
    address inet,
    status smallint NOT NULL,
    latency_us integer NOT NULL,
    own_us integer NOT NULL,
    CONSTRAINT request_log_status_check CHECK (((status >= 100) AND (status <= 599)))
)
PARTITION BY RANGE (id);
CREATE TABLE public.request_log_rest (
    id text CONSTRAINT request_log_id_not_null NOT NULL COLLATE pg_catalog."C",
    at timestamp(3) with time zone CONSTRAINT request_log_at_not_null NOT NULL,
    endpoint text CONSTRAINT request_log_endpoint_not_null NOT NULL COLLATE pg_catalog."C",
    account_id text COLLATE pg_catalog."C",
    key_id text COLLATE pg_catalog."C",
    address inet,
    status smallint CONSTRAINT request_log_status_not_null NOT NULL,
    latency_us integer CONSTRAINT request_log_latency_us_not_null NOT NULL,
    own_us integer CONSTRAINT request_log_own_us_not_null NOT NULL,
    CONSTRAINT request_log_status_check CHECK (((status >= 100) AND (status <= 599)))
);
CREATE TABLE public.slo (
    hour timestamp with time zone NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    good bigint NOT NULL,
    total bigint NOT NULL,
    CONSTRAINT slo_check CHECK ((total >= good)),
    CONSTRAINT slo_good_check CHECK ((good >= 0))
);
CREATE TABLE public.spending_limit (
    subject text NOT NULL COLLATE pg_catalog."C",
    period text NOT NULL,
    account_id text NOT NULL COLLATE pg_catalog."C",
    most bigint NOT NULL,
    since date NOT NULL,
    spent bigint NOT NULL,
    warned smallint DEFAULT 0 NOT NULL,
    refused boolean DEFAULT false NOT NULL,
    CONSTRAINT spending_limit_most_check CHECK ((most >= 0)),
    CONSTRAINT spending_limit_period_check CHECK ((period = ANY (ARRAY['day'::text, 'month'::text, 'total'::text]))),
    CONSTRAINT spending_limit_spent_check CHECK ((spent >= 0)),
    CONSTRAINT spending_limit_warned_check CHECK ((warned = ANY (ARRAY[0, 80, 100])))
)
WITH (fillfactor='50');
CREATE TABLE public.turn (
    name text NOT NULL COLLATE pg_catalog."C",
    next_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.unowned_object (
    key text NOT NULL COLLATE pg_catalog."C",
    first_seen_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE public.usage (
    account_id text NOT NULL COLLATE pg_catalog."C",
    livemode boolean NOT NULL,
    day date NOT NULL,
    model text NOT NULL COLLATE pg_catalog."C",
    key_id text NOT NULL COLLATE pg_catalog."C",
    videos bigint DEFAULT 0 NOT NULL,
    milliseconds bigint DEFAULT 0 NOT NULL,
    tokens bigint DEFAULT 0 NOT NULL,
    charged bigint DEFAULT 0 NOT NULL,
    refunded bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.wallet (
    account_id text NOT NULL COLLATE pg_catalog."C",
    currency text NOT NULL,
    available bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    granted bigint DEFAULT 0 NOT NULL,
    grant_expires_at timestamp with time zone,
    CONSTRAINT grants_are_part_of_the_money CHECK ((granted <= (available + held))),
    CONSTRAINT wallet_available_check CHECK ((available >= 0)),
    CONSTRAINT wallet_granted_check CHECK ((granted >= 0)),
    CONSTRAINT wallet_held_check CHECK ((held >= 0))
)
WITH (fillfactor='50');
CREATE TABLE public.webhook_endpoint (
    id text NOT NULL COLLATE pg_catalog."C",
    account_id text NOT NULL COLLATE pg_catalog."C",
    livemode boolean NOT NULL,
    hidden boolean DEFAULT false NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    url text NOT NULL,
    host text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    event_types text[] NOT NULL,
    signs text[] DEFAULT '{v1}'::text[] NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    failing_since timestamp with time zone,
    warned boolean DEFAULT false NOT NULL,
    slow boolean DEFAULT false NOT NULL,
    closed_until timestamp with time zone,
    reopened_at timestamp with time zone,
    disabled_at timestamp with time zone,
    disabled_by text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT disabled_endpoints_say_why CHECK (((disabled_at IS NULL) = (disabled_by IS NULL))),
    CONSTRAINT webhook_endpoint_disabled_by_check CHECK ((disabled_by = ANY (ARRAY['gone'::text, 'failing'::text, 'owner'::text])))
)
WITH (fillfactor='70');
CREATE TABLE public.webhook_secret (
    subject text NOT NULL COLLATE pg_catalog."C",
    version integer DEFAULT 1 NOT NULL,
    previous_until timestamp with time zone,
    older_until timestamp with time zone[] DEFAULT '{}'::timestamp with time zone[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    rotated_at timestamp with time zone,
    CONSTRAINT webhook_secret_version_check CHECK ((version > 0))
);
ALTER TABLE ONLY public.delivery ATTACH PARTITION public.delivery_rest DEFAULT;
ALTER TABLE ONLY public.event ATTACH PARTITION public.event_rest DEFAULT;
ALTER TABLE ONLY public.request_log ATTACH PARTITION public.request_log_rest DEFAULT;
ALTER TABLE ONLY public.pgqueuer ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_id_seq'::regclass);
ALTER TABLE ONLY public.pgqueuer_schedules ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_schedules_id_seq'::regclass);
ALTER TABLE ONLY public.pgqueuer_statistics ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_statistics_id_seq'::regclass);
ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.analytics
    ADD CONSTRAINT analytics_cell UNIQUE NULLS NOT DISTINCT (starts_at, grain, measure, value, status_class, livemode);
ALTER TABLE ONLY public.analytics_day
    ADD CONSTRAINT analytics_day_pkey PRIMARY KEY (day);
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_handle_key UNIQUE (handle);
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.asset
    ADD CONSTRAINT asset_pkey PRIMARY KEY (generation_id, variant);
ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.content
    ADD CONSTRAINT content_pkey PRIMARY KEY (generation_id);
ALTER TABLE ONLY public.credit_grant
    ADD CONSTRAINT credit_grant_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.deletion
    ADD CONSTRAINT deletion_pkey PRIMARY KEY (generation_id, what, name);
ALTER TABLE ONLY public.delivery
    ADD CONSTRAINT delivery_pkey PRIMARY KEY (endpoint_id, event_id);
ALTER TABLE ONLY public.delivery_rest
    ADD CONSTRAINT delivery_rest_pkey PRIMARY KEY (endpoint_id, event_id);
ALTER TABLE ONLY public.discrepancy
    ADD CONSTRAINT discrepancy_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.discrepancy
    ADD CONSTRAINT discrepancy_provider_operation_id_kind_key UNIQUE (provider, operation_id, kind);
ALTER TABLE ONLY public.duration
    ADD CONSTRAINT duration_pkey PRIMARY KEY (provider, model, resolution, seconds);
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (account_id, livemode, id);
ALTER TABLE ONLY public.event_rest
    ADD CONSTRAINT event_rest_pkey PRIMARY KEY (account_id, livemode, id);
ALTER TABLE ONLY public.file
    ADD CONSTRAINT file_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gate
    ADD CONSTRAINT gate_pkey PRIMARY KEY (provider, model);
ALTER TABLE ONLY public.generation_input
    ADD CONSTRAINT generation_input_pkey PRIMARY KEY (generation_id);
ALTER TABLE ONLY public.generation_media
    ADD CONSTRAINT generation_media_pkey PRIMARY KEY (generation_id, "position");
ALTER TABLE ONLY public.generation
    ADD CONSTRAINT generation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.hold
    ADD CONSTRAINT hold_pkey PRIMARY KEY (generation_id);
ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (account_id, route, key);
ALTER TABLE ONLY public.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.installation_setting
    ADD CONSTRAINT installation_setting_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.key_network
    ADD CONSTRAINT key_network_pkey PRIMARY KEY (key_id, network);
ALTER TABLE ONLY public.listener
    ADD CONSTRAINT listener_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.notice
    ADD CONSTRAINT notice_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.pending
    ADD CONSTRAINT pending_pkey PRIMARY KEY (account_id, livemode);
ALTER TABLE ONLY public.pgqueuer_log
    ADD CONSTRAINT pgqueuer_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.pgqueuer
    ADD CONSTRAINT pgqueuer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.pgqueuer_schedules
    ADD CONSTRAINT pgqueuer_schedules_expression_entrypoint_key UNIQUE (expression, entrypoint);
ALTER TABLE ONLY public.pgqueuer_schedules
    ADD CONSTRAINT pgqueuer_schedules_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.pgqueuer_statistics
    ADD CONSTRAINT pgqueuer_statistics_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.price_book
    ADD CONSTRAINT price_book_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.request_hour
    ADD CONSTRAINT request_hour_pkey PRIMARY KEY (hour, account_id, key_id, endpoint, status_class);
ALTER TABLE ONLY public.request_log
    ADD CONSTRAINT request_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.request_log_rest
    ADD CONSTRAINT request_log_rest_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.slo
    ADD CONSTRAINT slo_pkey PRIMARY KEY (hour, name);
ALTER TABLE ONLY public.spending_limit
    ADD CONSTRAINT spending_limit_pkey PRIMARY KEY (subject, period);
ALTER TABLE ONLY public.transfer
    ADD CONSTRAINT transfer_pkey PRIMARY KEY (account_id, created_at, id);
ALTER TABLE ONLY public.turn
    ADD CONSTRAINT turn_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.unowned_object
    ADD CONSTRAINT unowned_object_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (account_id, livemode, day, model, key_id);
ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_pkey PRIMARY KEY (account_id);
ALTER TABLE ONLY public.webhook_endpoint
    ADD CONSTRAINT webhook_endpoint_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_secret
    ADD CONSTRAINT webhook_secret_pkey PRIMARY KEY (subject);
CREATE UNIQUE INDEX account_email ON public.account USING btree (lower(email));
CREATE INDEX api_key_account ON public.api_key USING btree (account_id, id);
CREATE INDEX asset_digest ON public.asset USING btree (sha256);
CREATE INDEX asset_object ON public.asset USING btree (object_key);
CREATE UNIQUE INDEX asset_permission_now ON public.asset_permission USING btree (account_id, asset) WHERE (revoked_at IS NULL);
CREATE INDEX asset_verified ON public.asset USING btree (verified_at) WHERE (damaged_at IS NULL);
CREATE INDEX attempt_check ON public.attempt USING btree (provider, check_at) WHERE (state = 'acknowledged'::text);
CREATE INDEX attempt_generation ON public.attempt USING btree (generation_id, id);
CREATE INDEX attempt_lost ON public.attempt USING btree (provider, sent_at) WHERE (state = 'lost'::text);
CREATE INDEX attempt_made ON public.attempt USING btree (provider, sent_at) WHERE (operation IS NOT NULL);
CREATE UNIQUE INDEX attempt_nonce ON public.attempt USING btree (provider, nonce) WHERE (state = ANY (ARRAY['sent'::text, 'unknown'::text]));
CREATE UNIQUE INDEX attempt_open ON public.attempt USING btree (generation_id) WHERE (state = ANY (ARRAY['planned'::text, 'sent'::text, 'acknowledged'::text, 'unknown'::text]));
CREATE UNIQUE INDEX attempt_operation ON public.attempt USING btree (provider, ((operation ->> 'id'::text))) WHERE (operation IS NOT NULL);
CREATE INDEX content_cleared ON public.content USING btree (cleared_at) WHERE (cleared_at IS NOT NULL);
CREATE INDEX content_mending ON public.content USING btree (mend_at) WHERE (mend_at IS NOT NULL);
CREATE INDEX content_purge ON public.content USING btree (purge_at) WHERE (state <> 'purged'::text);
CREATE INDEX content_warning ON public.content USING btree (warn_at) WHERE ((warn_at IS NOT NULL) AND (state = 'stored'::text));
CREATE INDEX content_withdrawn ON public.content USING btree (clear_at) WHERE ((state = 'purged'::text) AND (cleared_at IS NULL));
CREATE INDEX credit_grant_expiry ON public.credit_grant USING btree (expires_at) WHERE (remaining > 0);
CREATE INDEX credit_grant_open ON public.credit_grant USING btree (account_id, expires_at, id) WHERE (remaining > 0);
CREATE INDEX deletion_digest ON public.deletion USING btree (digest) WHERE (what = 'video'::text);
CREATE INDEX delivery_claimed ON ONLY public.delivery USING btree (endpoint_id, claimed_until) WHERE ((state = 'pending'::text) AND (claimed_until IS NOT NULL));
CREATE INDEX delivery_due ON ONLY public.delivery USING btree (endpoint_id, due_at) WHERE (state = 'pending'::text);
CREATE INDEX delivery_rest_endpoint_id_claimed_until_idx ON public.delivery_rest USING btree (endpoint_id, claimed_until) WHERE ((state = 'pending'::text) AND (claimed_until IS NOT NULL));
CREATE INDEX delivery_rest_endpoint_id_due_at_idx ON public.delivery_rest USING btree (endpoint_id, due_at) WHERE (state = 'pending'::text);
CREATE INDEX discrepancy_open ON public.discrepancy USING btree (found_at) WHERE (resolved_at IS NULL);
CREATE INDEX file_content ON public.file USING btree (account_id, livemode, kind, sha256, id);
CREATE INDEX file_expiry ON public.file USING btree (expires_at);
CREATE INDEX file_object ON public.file USING btree (object_key);
CREATE INDEX file_verified ON public.file USING btree (verified_at) WHERE (damaged_at IS NULL);
CREATE INDEX generation_busy ON public.generation USING btree (provider, id) WHERE (state = ANY (ARRAY['submitting'::text, 'running'::text]));
CREATE INDEX generation_deadline ON public.generation USING btree (deadline_at) WHERE (finished_at IS NULL);
CREATE INDEX generation_draft_end ON public.generation USING btree (draft_until) WHERE ((draft_until IS NOT NULL) AND (draft_ended_at IS NULL));
CREATE INDEX generation_due ON public.generation USING btree (due_at) WHERE ((finished_at IS NULL) AND (state <> 'queued'::text));
CREATE INDEX generation_failed ON public.generation USING btree (finished_at) WHERE (error_code IS NOT NULL);
CREATE INDEX generation_final ON public.generation USING btree (draft_id) WHERE ((draft_id IS NOT NULL) AND (finished_at IS NULL));
CREATE INDEX generation_hooked ON public.generation USING btree (webhook_endpoint_id) WHERE ((webhook_endpoint_id IS NOT NULL) AND (finished_at IS NULL));
CREATE INDEX generation_media_file ON public.generation_media USING btree (file_id);
CREATE INDEX generation_page ON public.generation USING btree (account_id, livemode, id DESC) WHERE (deleted_at IS NULL);
CREATE INDEX generation_queue ON public.generation USING btree (provider, account_id, model, id) WHERE (state = 'queued'::text);
CREATE INDEX generation_waiting ON public.generation USING btree (waiting_since) WHERE (waiting_since IS NOT NULL);
CREATE INDEX hold_counted ON public.hold USING btree (account_id, counted_on);
CREATE INDEX idempotency_expiry ON public.idempotency USING btree (expires_at);
CREATE INDEX key_network_seen ON public.key_network USING btree (last_seen);
CREATE UNIQUE INDEX notice_dedupe ON public.notice USING btree (dedupe_key);
CREATE INDEX notice_of_installation ON public.notice USING btree (created_at) WHERE (account_id IS NULL);
CREATE INDEX notice_open ON public.notice USING btree (due_at) WHERE (closed_at IS NULL);
CREATE INDEX pgqueuer_ep_ea_idx ON public.pgqueuer USING btree (entrypoint, execute_after) WHERE (status = 'queued'::public.pgqueuer_status);
CREATE INDEX pgqueuer_ep_prio_id_idx ON public.pgqueuer USING btree (entrypoint, priority DESC, id) WHERE (status = 'queued'::public.pgqueuer_status);
CREATE INDEX pgqueuer_log_created ON public.pgqueuer_log USING btree (created);
CREATE INDEX pgqueuer_log_job_id_status ON public.pgqueuer_log USING btree (job_id, created DESC);
CREATE INDEX pgqueuer_log_not_aggregated ON public.pgqueuer_log USING btree ((1)) WHERE (NOT aggregated);
CREATE INDEX pgqueuer_log_status ON public.pgqueuer_log USING btree (status);
CREATE INDEX pgqueuer_picked_heartbeat_idx ON public.pgqueuer USING btree (heartbeat) WHERE (status = 'picked'::public.pgqueuer_status);
CREATE UNIQUE INDEX pgqueuer_picked_slot_idx ON public.pgqueuer USING btree (entrypoint, slot) WHERE ((status = 'picked'::public.pgqueuer_status) AND (slot IS NOT NULL));
CREATE INDEX pgqueuer_priority_id_id1_idx ON public.pgqueuer USING btree (priority, id DESC) INCLUDE (id) WHERE (status = 'queued'::public.pgqueuer_status);
CREATE INDEX pgqueuer_queue_manager_id_idx ON public.pgqueuer USING btree (queue_manager_id) WHERE (queue_manager_id IS NOT NULL);
CREATE UNIQUE INDEX pgqueuer_statistics_unique_count ON public.pgqueuer_statistics USING btree (priority, date_trunc('sec'::text, timezone('UTC'::text, created)), status, entrypoint);
CREATE UNIQUE INDEX pgqueuer_unique_dedupe_key ON public.pgqueuer USING btree (dedupe_key) WHERE ((status = ANY (ARRAY['queued'::public.pgqueuer_status, 'picked'::public.pgqueuer_status])) AND (dedupe_key IS NOT NULL));
CREATE INDEX pgqueuer_updated_id_id1_idx ON public.pgqueuer USING btree (updated, id DESC) INCLUDE (id) WHERE (status = 'picked'::public.pgqueuer_status);
CREATE INDEX request_hour_account ON public.request_hour USING btree (account_id, hour) WHERE (account_id <> ''::text);
CREATE INDEX request_log_account ON ONLY public.request_log USING btree (account_id, id) WHERE (account_id IS NOT NULL);
CREATE INDEX request_log_endpoint ON ONLY public.request_log USING btree (account_id, endpoint, id) WHERE (account_id IS NOT NULL);
CREATE INDEX request_log_failed ON ONLY public.request_log USING btree (account_id, ((status / 100)), id) WHERE (status >= 400);
CREATE INDEX request_log_key ON ONLY public.request_log USING btree (key_id, id) WHERE (key_id IS NOT NULL);
CREATE INDEX request_log_rest_account_id_endpoint_id_idx ON public.request_log_rest USING btree (account_id, endpoint, id) WHERE (account_id IS NOT NULL);
CREATE INDEX request_log_rest_account_id_expr_id_idx ON public.request_log_rest USING btree (account_id, ((status / 100)), id) WHERE (status >= 400);
CREATE INDEX request_log_rest_account_id_id_idx ON public.request_log_rest USING btree (account_id, id) WHERE (account_id IS NOT NULL);
CREATE INDEX request_log_rest_key_id_id_idx ON public.request_log_rest USING btree (key_id, id) WHERE (key_id IS NOT NULL);
CREATE INDEX spending_limit_account ON public.spending_limit USING btree (account_id);
CREATE UNIQUE INDEX transfer_once ON public.transfer USING btree (generation_id, kind) WHERE (kind = ANY (ARRAY['release'::text, 'charge'::text, 'waiver'::text]));
CREATE UNIQUE INDEX transfer_reference ON public.transfer USING btree (account_id, kind, reference) WHERE (reference IS NOT NULL);
CREATE INDEX webhook_endpoint_account ON public.webhook_endpoint USING btree (account_id, livemode, id) WHERE (NOT hidden);
CREATE UNIQUE INDEX webhook_endpoint_hidden ON public.webhook_endpoint USING btree (account_id, livemode, url) WHERE hidden;
CREATE INDEX webhook_endpoint_host ON public.webhook_endpoint USING btree (account_id, host, id) WHERE hidden;
CREATE INDEX webhook_endpoint_old ON public.webhook_endpoint USING btree (created_at, id) WHERE hidden;
ALTER INDEX public.delivery_claimed ATTACH PARTITION public.delivery_rest_endpoint_id_claimed_until_idx;
ALTER INDEX public.delivery_due ATTACH PARTITION public.delivery_rest_endpoint_id_due_at_idx;
ALTER INDEX public.delivery_pkey ATTACH PARTITION public.delivery_rest_pkey;
ALTER INDEX public.event_pkey ATTACH PARTITION public.event_rest_pkey;
ALTER INDEX public.request_log_endpoint ATTACH PARTITION public.request_log_rest_account_id_endpoint_id_idx;
ALTER INDEX public.request_log_failed ATTACH PARTITION public.request_log_rest_account_id_expr_id_idx;
ALTER INDEX public.request_log_account ATTACH PARTITION public.request_log_rest_account_id_id_idx;
ALTER INDEX public.request_log_key ATTACH PARTITION public.request_log_rest_key_id_id_idx;
ALTER INDEX public.request_log_pkey ATTACH PARTITION public.request_log_rest_pkey;
CREATE TRIGGER api_key_revoked AFTER DELETE OR UPDATE OF revoked_at, digest ON public.api_key FOR EACH ROW EXECUTE FUNCTION public.tell_key_revoked();
CREATE TRIGGER content_changed AFTER UPDATE ON public.content REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION public.tell_finished_parts();
CREATE TRIGGER generation_changed AFTER UPDATE ON public.generation REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION public.tell_finished_generations();
CREATE CONSTRAINT TRIGGER generation_ended AFTER UPDATE OF finished_at ON public.generation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((old.finished_at IS NULL) AND (new.finished_at IS NOT NULL))) EXECUTE FUNCTION public.count_ended();
CREATE CONSTRAINT TRIGGER generation_gone AFTER DELETE ON public.generation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((old.finished_at IS NULL)) EXECUTE FUNCTION public.count_ended();
CREATE TRIGGER generation_made AFTER INSERT ON public.generation REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION public.count_made();
CREATE TRIGGER hold_changed AFTER UPDATE ON public.hold REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION public.tell_finished_holds();
CREATE TRIGGER price_book_immutable BEFORE DELETE OR UPDATE ON public.price_book FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER prompt_deleted AFTER DELETE ON public.generation_input REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION public.tell_finished_parts();
CREATE TRIGGER tg_pgqueuer_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.pgqueuer FOR EACH STATEMENT EXECUTE FUNCTION public.fn_pgqueuer_changed();
CREATE TRIGGER transfer_immutable BEFORE DELETE OR UPDATE ON public.transfer FOR EACH ROW EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER transfer_kept BEFORE TRUNCATE ON public.transfer FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.asset
    ADD CONSTRAINT asset_generation_id_fkey FOREIGN KEY (generation_id) REFERENCES public.content(generation_id);
ALTER TABLE ONLY public.asset_permission
    ADD CONSTRAINT asset_permission_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_generation_id_fkey FOREIGN KEY (generation_id) REFERENCES public.generation(id);
ALTER TABLE ONLY public.content
    ADD CONSTRAINT content_generation_id_fkey FOREIGN KEY (generation_id) REFERENCES public.generation(id);
ALTER TABLE ONLY public.credit_grant
    ADD CONSTRAINT credit_grant_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.deletion
    ADD CONSTRAINT deletion_generation_id_fkey FOREIGN KEY (generation_id) REFERENCES public.generation(id);
ALTER TABLE ONLY public.discrepancy
    ADD CONSTRAINT discrepancy_attempt_id_fkey FOREIGN KEY (attempt_id) REFERENCES public.attempt(id);
ALTER TABLE ONLY public.file
    ADD CONSTRAINT file_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.generation
    ADD CONSTRAINT generation_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.generation_input
    ADD CONSTRAINT generation_input_generation_id_fkey FOREIGN KEY (generation_id) REFERENCES public.generation(id);
ALTER TABLE ONLY public.generation
    ADD CONSTRAINT generation_key_id_fkey FOREIGN KEY (key_id) REFERENCES public.api_key(id);
ALTER TABLE ONLY public.generation_media
    ADD CONSTRAINT generation_media_file_id_fkey FOREIGN KEY (file_id) REFERENCES public.file(id);
ALTER TABLE ONLY public.generation_media
    ADD CONSTRAINT generation_media_generation_id_fkey FOREIGN KEY (generation_id) REFERENCES public.generation(id);
ALTER TABLE ONLY public.hold
    ADD CONSTRAINT hold_generation_id_fkey FOREIGN KEY (generation_id) REFERENCES public.generation(id);
ALTER TABLE ONLY public.notice
    ADD CONSTRAINT notice_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.pending
    ADD CONSTRAINT pending_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.spending_limit
    ADD CONSTRAINT spending_limit_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.transfer
    ADD CONSTRAINT transfer_grant_id_fkey FOREIGN KEY (grant_id) REFERENCES public.credit_grant(id);
ALTER TABLE ONLY public.usage
    ADD CONSTRAINT usage_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.usage
    ADD CONSTRAINT usage_key_id_fkey FOREIGN KEY (key_id) REFERENCES public.api_key(id);
ALTER TABLE ONLY public.wallet
    ADD CONSTRAINT wallet_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.webhook_endpoint
    ADD CONSTRAINT webhook_endpoint_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
REVOKE ALL ON FUNCTION public.check_addresses(day date) FROM PUBLIC;
REVOKE ALL ON FUNCTION public.drop_day(parent text, day date) FROM PUBLIC;
REVOKE ALL ON FUNCTION public.make_day(parent text, day date, first_id text, end_id text) FROM PUBLIC;
REVOKE ALL ON FUNCTION public.refuse_addresses(day date) FROM PUBLIC;
