-- Delivery with an end: what was served, grace, receipts of deletions. Events and the endpoints that are told of them.
-- depends: 0006_upstreams

-- How long an account's videos stay, before and after delivery; NULL takes the installation's. `low_balance` is the
-- amount below which the account wants to hear of it.
ALTER TABLE account ADD COLUMN keep_seconds integer CHECK (keep_seconds BETWEEN 3600 AND 604800);
ALTER TABLE account ADD COLUMN grace_seconds integer CHECK (grace_seconds BETWEEN 0 AND 86400);
ALTER TABLE account ADD COLUMN low_balance bigint CHECK (low_balance >= 0);

ALTER TABLE generation ADD COLUMN grace_seconds integer NOT NULL DEFAULT 3600
    CHECK (grace_seconds BETWEEN 0 AND 86400);
-- efforts to store that brought a wrong file; the others count in `tries` alone
ALTER TABLE generation ADD COLUMN wrong_tries smallint NOT NULL DEFAULT 0;
ALTER TABLE content ADD COLUMN grace_seconds integer NOT NULL DEFAULT 3600 CHECK (grace_seconds BETWEEN 0 AND 86400);
ALTER TABLE content ADD COLUMN delivered_at timestamptz;
ALTER TABLE content ADD COLUMN delivered_by text CHECK (delivered_by IN ('served', 'confirmed'));
-- when its owner is told that it will go; NULL once he was, or when he has it
ALTER TABLE content ADD COLUMN warn_at timestamptz;
ALTER TABLE content ADD CONSTRAINT content_goes_within_a_week CHECK (purge_at <= stored_at + interval '168 hours');
ALTER TABLE content ADD CONSTRAINT delivered_content_says_how CHECK (
    (delivered_at IS NULL) = (delivered_by IS NULL)
    AND (state <> 'stored' OR delivered_at IS NULL)
    AND (state <> 'delivered' OR delivered_at IS NOT NULL)
);
CREATE INDEX content_warning ON content (warn_at) WHERE warn_at IS NOT NULL AND state = 'stored';
-- when the objects and the rows of withdrawn content were gone
ALTER TABLE content ADD COLUMN cleared_at timestamptz;
UPDATE content c SET cleared_at = purged_at
WHERE state = 'purged' AND NOT EXISTS (SELECT 1 FROM asset a WHERE a.generation_id = c.generation_id);
-- what cannot be deleted now waits behind all others
ALTER TABLE content ADD COLUMN clear_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX content_withdrawn ON content (clear_at) WHERE state = 'purged' AND cleared_at IS NULL;

ALTER TABLE asset ADD COLUMN served int8multirange NOT NULL DEFAULT '{}';
CREATE INDEX asset_digest ON asset (sha256);

-- What was deleted of a generation, when, from where: its receipt. `digest` is the SHA-256 of what was there, where
-- that tells nobody anything.
CREATE TABLE deletion (
    generation_id text COLLATE "C" NOT NULL REFERENCES generation (id),
    what text COLLATE "C" NOT NULL
        CHECK (what IN ('video', 'last_frame', 'thumbnail', 'prompt', 'metadata', 'input', 'upstream_copy')),
    place text COLLATE "C" NOT NULL,
    -- the file's id of an input, the attempt's of an upstream's copy; else empty
    name text COLLATE "C" NOT NULL DEFAULT '',
    reason text NOT NULL CHECK (reason IN ('delivered', 'expired', 'requested', 'retention')),
    digest text,
    bytes bigint,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (generation_id, what, name)
);

CREATE INDEX deletion_digest ON deletion (digest) WHERE what = 'video';

-- Where a customer's events go. A `hidden` one stands for the `webhook_url` of requests.
CREATE TABLE webhook_endpoint (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES account (id),
    livemode boolean NOT NULL,
    hidden boolean NOT NULL DEFAULT false,
    name text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    url text NOT NULL,
    -- of a hidden one: a new one is as slow as the youngest of its account and host
    host text COLLATE "C" NOT NULL DEFAULT '',
    event_types text[] NOT NULL,
    signs text[] NOT NULL DEFAULT '{v1}',
    -- how many deliveries failed in a row, since when, and until when nothing is sent
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    warned boolean NOT NULL DEFAULT false,
    -- its last answer took long, or did not come: it waits in a lane of its own, where it delays no other
    slow boolean NOT NULL DEFAULT false,
    closed_until timestamptz,
    -- when it answered again: what was tried before that and waits is due, as claims come to it
    reopened_at timestamptz,
    disabled_at timestamptz,
    disabled_by text CHECK (disabled_by IN ('gone', 'failing', 'owner')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT disabled_endpoints_say_why CHECK ((disabled_at IS NULL) = (disabled_by IS NULL))
) WITH (fillfactor = 70);

CREATE INDEX webhook_endpoint_account ON webhook_endpoint (account_id, livemode, id) WHERE NOT hidden;
CREATE UNIQUE INDEX webhook_endpoint_hidden ON webhook_endpoint (account_id, livemode, url) WHERE hidden;
CREATE INDEX webhook_endpoint_old ON webhook_endpoint (created_at, id) WHERE hidden;
CREATE INDEX webhook_endpoint_host ON webhook_endpoint (account_id, host, id) WHERE hidden;

-- Secrets are derived from the installation's pepper: a row says which of them is the subject's now, and until when the
-- one before it signs as well. The subject is an endpoint, or an account with its mode for the `webhook_url` of requests.
CREATE TABLE webhook_secret (
    subject text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL DEFAULT 1 CHECK (version > 0),
    previous_until timestamptz,
    -- the same of those before it, the newest first
    older_until timestamptz[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE generation ADD COLUMN webhook_endpoint_id text COLLATE "C";
CREATE INDEX generation_hooked ON generation (webhook_endpoint_id)
    WHERE webhook_endpoint_id IS NOT NULL AND finished_at IS NULL;

-- Ids of events sort by the database's time, so that a day is a range of ids. Crockford's base32 of a UUIDv7.
CREATE FUNCTION event_id(moment timestamptz) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
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

-- Both are partitioned by the day of the event; `foundation/partitions.py` makes the days and drops them.
CREATE TABLE event (
    id text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    type text NOT NULL CHECK (type IN (
        'video.queued', 'video.in_progress', 'video.completed', 'video.failed', 'video.canceled', 'video.expiring',
        'video.purged', 'balance.low', 'key.limit_reached'
    )),
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, livemode, id)
) PARTITION BY RANGE (id);
CREATE TABLE event_rest PARTITION OF event DEFAULT;

CREATE TABLE delivery (
    endpoint_id text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed', 'dropped')),
    tries smallint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    -- of each try: when, how it went, status, milliseconds; the newest last, and not all of them
    attempts jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (endpoint_id, event_id),
    CONSTRAINT ended_deliveries_have_their_time CHECK ((state = 'pending') = (ended_at IS NULL))
) PARTITION BY RANGE (event_id);
CREATE TABLE delivery_rest PARTITION OF delivery DEFAULT;

CREATE INDEX delivery_due ON delivery (endpoint_id, due_at) WHERE state = 'pending';
-- few, however many are pending: what is under way is counted before each claim
CREATE INDEX delivery_claimed ON delivery (endpoint_id, claimed_until)
    WHERE state = 'pending' AND claimed_until IS NOT NULL;

-- the ways in which the notice was told already
ALTER TABLE notice ADD COLUMN told text[] NOT NULL DEFAULT '{}';
ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice ADD CONSTRAINT notice_kind_check
    CHECK (kind IN ('limit_near', 'limit_reached', 'endpoint_failing', 'endpoint_disabled'));
