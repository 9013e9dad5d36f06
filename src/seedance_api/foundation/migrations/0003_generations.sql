-- Reference files, generations with their inputs, attempts and content, idempotency.
-- depends: 0002_accounts

CREATE TABLE file (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES account (id),
    livemode boolean NOT NULL,
    inline boolean NOT NULL,
    kind text NOT NULL CHECK (kind IN ('image', 'video', 'audio')),
    object_key text NOT NULL,
    sha256 text NOT NULL,
    facts jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX file_expiry ON file (expires_at);
CREATE INDEX file_object ON file (object_key);

CREATE TABLE generation (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES account (id),
    key_id text COLLATE "C" NOT NULL REFERENCES api_key (id),
    livemode boolean NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    params jsonb NOT NULL,
    metadata jsonb NOT NULL,
    keep_seconds integer NOT NULL CHECK (keep_seconds BETWEEN 3600 AND 604800),
    quoted_tokens bigint NOT NULL CHECK (quoted_tokens >= 0),
    state text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'submitting', 'running', 'storing', 'completed', 'failed', 'canceled')),
    version integer NOT NULL DEFAULT 0,
    tries smallint NOT NULL DEFAULT 0,
    progress smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    output jsonb,
    error_code text,
    error_message text,
    cancel_requested_at timestamptz,
    due_at timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    deadline_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    deleted_at timestamptz,
    CONSTRAINT final_states_have_their_time
        CHECK ((state IN ('completed', 'failed', 'canceled')) = (finished_at IS NOT NULL)),
    CONSTRAINT failures_have_their_code CHECK ((state = 'failed') = (error_code IS NOT NULL)),
    CONSTRAINT only_finished_is_deleted CHECK (deleted_at IS NULL OR finished_at IS NOT NULL)
);

CREATE INDEX generation_page ON generation (account_id, livemode, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX generation_queue ON generation (provider, account_id, id) WHERE state = 'queued';
CREATE INDEX generation_busy ON generation (provider, id) WHERE state IN ('submitting', 'running');
CREATE INDEX generation_due ON generation (due_at) WHERE finished_at IS NULL AND state <> 'queued';
CREATE INDEX generation_deadline ON generation (deadline_at) WHERE finished_at IS NULL;

CREATE TABLE generation_input (
    generation_id text COLLATE "C" PRIMARY KEY REFERENCES generation (id),
    prompt text NOT NULL
);

CREATE TABLE generation_media (
    generation_id text COLLATE "C" NOT NULL REFERENCES generation (id),
    position smallint NOT NULL,
    role text NOT NULL CHECK (role IN ('first_frame', 'last_frame', 'reference')),
    file_id text COLLATE "C" NOT NULL REFERENCES file (id),
    PRIMARY KEY (generation_id, position)
);

CREATE INDEX generation_media_file ON generation_media (file_id);

CREATE TABLE attempt (
    id text COLLATE "C" PRIMARY KEY,
    generation_id text COLLATE "C" NOT NULL REFERENCES generation (id),
    state text NOT NULL DEFAULT 'planned'
        CHECK (state IN ('planned', 'sent', 'acknowledged', 'rejected', 'unknown', 'succeeded', 'failed', 'lost')),
    operation jsonb,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    resolved_at timestamptz,
    CONSTRAINT acknowledged_attempts_have_their_operation
        CHECK (state NOT IN ('acknowledged', 'succeeded') OR operation IS NOT NULL),
    CONSTRAINT final_attempts_have_their_time
        CHECK ((state IN ('rejected', 'succeeded', 'failed', 'lost')) = (resolved_at IS NOT NULL))
);

CREATE UNIQUE INDEX attempt_open ON attempt (generation_id)
    WHERE state IN ('planned', 'sent', 'acknowledged', 'unknown');
CREATE INDEX attempt_generation ON attempt (generation_id, id);

CREATE TABLE content (
    generation_id text COLLATE "C" PRIMARY KEY REFERENCES generation (id),
    state text NOT NULL DEFAULT 'stored' CHECK (state IN ('stored', 'delivered', 'purged')),
    stored_at timestamptz NOT NULL DEFAULT now(),
    purge_at timestamptz NOT NULL,
    purged_at timestamptz,
    CONSTRAINT purged_content_has_its_time CHECK ((state = 'purged') = (purged_at IS NOT NULL))
);

CREATE INDEX content_purge ON content (purge_at) WHERE state <> 'purged';

CREATE TABLE asset (
    generation_id text COLLATE "C" NOT NULL REFERENCES content (generation_id),
    variant text NOT NULL CHECK (variant IN ('video', 'last_frame', 'thumbnail')),
    object_key text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL CHECK (bytes > 0),
    sha256 text NOT NULL,
    PRIMARY KEY (generation_id, variant)
);

CREATE INDEX asset_object ON asset (object_key);

CREATE TABLE idempotency (
    account_id text COLLATE "C" NOT NULL REFERENCES account (id),
    route text NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    -- the key is taken before the generation is written, in the same transaction
    generation_id text COLLATE "C" NOT NULL REFERENCES generation (id) DEFERRABLE INITIALLY DEFERRED,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, route, key)
);

CREATE INDEX idempotency_age ON idempotency (created_at);
