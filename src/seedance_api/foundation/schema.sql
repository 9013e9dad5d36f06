-- The sum of the migrations. Rewrite it with: python tests/foundation/test_schema.py

CREATE TYPE public.pgqueuer_status AS ENUM (
    'queued',
    'picked',
    'successful',
    'exception',
    'canceled',
    'deleted',
    'failed'
);
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
CREATE TABLE public.account (
    id text NOT NULL COLLATE pg_catalog."C",
    email text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
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
    CONSTRAINT api_key_mode_check CHECK ((mode = ANY (ARRAY['test'::text, 'live'::text])))
);
CREATE TABLE public.asset (
    generation_id text NOT NULL COLLATE pg_catalog."C",
    variant text NOT NULL,
    object_key text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    sha256 text NOT NULL,
    CONSTRAINT asset_bytes_check CHECK ((bytes > 0)),
    CONSTRAINT asset_variant_check CHECK ((variant = ANY (ARRAY['video'::text, 'last_frame'::text, 'thumbnail'::text])))
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
    CONSTRAINT acknowledged_attempts_have_their_operation CHECK (((state <> ALL (ARRAY['acknowledged'::text, 'succeeded'::text])) OR (operation IS NOT NULL))),
    CONSTRAINT attempt_state_check CHECK ((state = ANY (ARRAY['planned'::text, 'sent'::text, 'acknowledged'::text, 'rejected'::text, 'unknown'::text, 'succeeded'::text, 'failed'::text, 'lost'::text]))),
    CONSTRAINT final_attempts_have_their_time CHECK (((state = ANY (ARRAY['rejected'::text, 'succeeded'::text, 'failed'::text, 'lost'::text])) = (resolved_at IS NOT NULL)))
);
CREATE TABLE public.content (
    generation_id text NOT NULL COLLATE pg_catalog."C",
    state text DEFAULT 'stored'::text NOT NULL,
    stored_at timestamp with time zone DEFAULT now() NOT NULL,
    purge_at timestamp with time zone NOT NULL,
    purged_at timestamp with time zone,
    CONSTRAINT content_state_check CHECK ((state = ANY (ARRAY['stored'::text, 'delivered'::text, 'purged'::text]))),
    CONSTRAINT purged_content_has_its_time CHECK (((state = 'purged'::text) = (purged_at IS NOT NULL)))
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
    CONSTRAINT file_kind_check CHECK ((kind = ANY (ARRAY['image'::text, 'video'::text, 'audio'::text])))
);
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
    CONSTRAINT failures_have_their_code CHECK (((state = 'failed'::text) = (error_code IS NOT NULL))),
    CONSTRAINT final_states_have_their_time CHECK (((state = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text])) = (finished_at IS NOT NULL))),
    CONSTRAINT generation_keep_seconds_check CHECK (((keep_seconds >= 3600) AND (keep_seconds <= 604800))),
    CONSTRAINT generation_progress_check CHECK (((progress >= 0) AND (progress <= 100))),
    CONSTRAINT generation_quoted_tokens_check CHECK ((quoted_tokens >= 0)),
    CONSTRAINT generation_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'submitting'::text, 'running'::text, 'storing'::text, 'completed'::text, 'failed'::text, 'canceled'::text]))),
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
    file_id text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT generation_media_role_check CHECK ((role = ANY (ARRAY['first_frame'::text, 'last_frame'::text, 'reference'::text])))
);
CREATE TABLE public.idempotency (
    account_id text NOT NULL COLLATE pg_catalog."C",
    route text NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    fingerprint bytea NOT NULL,
    generation_id text NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.installation (
    one boolean DEFAULT true NOT NULL,
    pepper_mark bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT installation_one_check CHECK (one)
);
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
ALTER TABLE ONLY public.pgqueuer ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_id_seq'::regclass);
ALTER TABLE ONLY public.pgqueuer_schedules ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_schedules_id_seq'::regclass);
ALTER TABLE ONLY public.pgqueuer_statistics ALTER COLUMN id SET DEFAULT nextval('public.pgqueuer_statistics_id_seq'::regclass);
ALTER TABLE ONLY public.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (id);
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
ALTER TABLE ONLY public.file
    ADD CONSTRAINT file_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.generation_input
    ADD CONSTRAINT generation_input_pkey PRIMARY KEY (generation_id);
ALTER TABLE ONLY public.generation_media
    ADD CONSTRAINT generation_media_pkey PRIMARY KEY (generation_id, "position");
ALTER TABLE ONLY public.generation
    ADD CONSTRAINT generation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (account_id, route, key);
ALTER TABLE ONLY public.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (one);
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
CREATE UNIQUE INDEX account_email ON public.account USING btree (lower(email));
CREATE INDEX api_key_account ON public.api_key USING btree (account_id, id);
CREATE INDEX asset_object ON public.asset USING btree (object_key);
CREATE INDEX attempt_generation ON public.attempt USING btree (generation_id, id);
CREATE UNIQUE INDEX attempt_open ON public.attempt USING btree (generation_id) WHERE (state = ANY (ARRAY['planned'::text, 'sent'::text, 'acknowledged'::text, 'unknown'::text]));
CREATE INDEX content_purge ON public.content USING btree (purge_at) WHERE (state <> 'purged'::text);
CREATE INDEX file_expiry ON public.file USING btree (expires_at);
CREATE INDEX file_object ON public.file USING btree (object_key);
CREATE INDEX generation_busy ON public.generation USING btree (provider, id) WHERE (state = ANY (ARRAY['submitting'::text, 'running'::text]));
CREATE INDEX generation_deadline ON public.generation USING btree (deadline_at) WHERE (finished_at IS NULL);
CREATE INDEX generation_due ON public.generation USING btree (due_at) WHERE ((finished_at IS NULL) AND (state <> 'queued'::text));
CREATE INDEX generation_media_file ON public.generation_media USING btree (file_id);
CREATE INDEX generation_page ON public.generation USING btree (account_id, livemode, id DESC) WHERE (deleted_at IS NULL);
CREATE INDEX generation_queue ON public.generation USING btree (provider, account_id, id) WHERE (state = 'queued'::text);
CREATE INDEX idempotency_age ON public.idempotency USING btree (created_at);
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
CREATE TRIGGER tg_pgqueuer_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.pgqueuer FOR EACH STATEMENT EXECUTE FUNCTION public.fn_pgqueuer_changed();
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.asset
    ADD CONSTRAINT asset_generation_id_fkey FOREIGN KEY (generation_id) REFERENCES public.content(generation_id);
ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_generation_id_fkey FOREIGN KEY (generation_id) REFERENCES public.generation(id);
ALTER TABLE ONLY public.content
    ADD CONSTRAINT content_generation_id_fkey FOREIGN KEY (generation_id) REFERENCES public.generation(id);
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
ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.account(id);
ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_generation_id_fkey FOREIGN KEY (generation_id) REFERENCES public.generation(id) DEFERRABLE INITIALLY DEFERRED;
