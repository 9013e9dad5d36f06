-- Upstreams: attempts at several providers, their health and pace, what was observed of them, and what does not add up.
-- depends: 0005_lighter_creates

ALTER TABLE generation ADD COLUMN draft_id text COLLATE "C";

-- Where an account's prompts and pictures may be sent; NULL allows every region.
ALTER TABLE account ADD COLUMN regions text[];

DROP INDEX generation_queue;
CREATE INDEX generation_queue ON generation (provider, account_id, model, id) WHERE state = 'queued';

ALTER TABLE attempt ADD COLUMN provider text;
UPDATE attempt a SET provider = g.provider FROM generation g WHERE g.id = a.generation_id;
ALTER TABLE attempt ALTER COLUMN provider SET NOT NULL;
-- what a worker of the version before writes, while both run: it knows the sandbox only
ALTER TABLE attempt ALTER COLUMN provider SET DEFAULT 'sandbox';
UPDATE attempt SET operation = jsonb_build_object('id', operation ->> 'attempt_id') WHERE operation ? 'attempt_id';
-- what the commission said was left until the deadline: the provider derives from it what it can be found by
ALTER TABLE attempt ADD COLUMN seconds_left double precision;
-- the operation's id according to a callback, before we know it ourselves
ALTER TABLE attempt ADD COLUMN told text;
-- when to ask the provider about it next
ALTER TABLE attempt ADD COLUMN check_at timestamptz NOT NULL DEFAULT now();
-- when the provider began to work, as opposed to letting it wait
ALTER TABLE attempt ADD COLUMN begun_at timestamptz;
-- what the provider said when it refused or failed: may repeat the customer's words, and goes when the prompt goes
ALTER TABLE attempt ADD COLUMN original jsonb;

CREATE UNIQUE INDEX attempt_operation ON attempt (provider, (operation ->> 'id')) WHERE operation IS NOT NULL;
CREATE INDEX attempt_check ON attempt (provider, check_at) WHERE state = 'acknowledged';

-- A provider's health, by model, and under '' that of all its models. Nothing is started before `closed_until`.
CREATE TABLE gate (
    provider text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    closed_until timestamptz,
    reason text,
    share real NOT NULL DEFAULT 1 CHECK (share BETWEEN 0.05 AND 1),
    next_start_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (provider, model)
) WITH (fillfactor = 50);

-- Whose turn it is, where the whole installation may do something only so often.
CREATE TABLE turn (
    name text COLLATE "C" PRIMARY KEY,
    next_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- How long operations take, by what was ordered: running estimates of percentiles, in seconds.
CREATE TABLE duration (
    provider text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    resolution text COLLATE "C" NOT NULL,
    seconds integer NOT NULL,
    samples integer NOT NULL CHECK (samples > 0),
    p10 real NOT NULL,
    p50 real NOT NULL,
    p90 real NOT NULL,
    PRIMARY KEY (provider, model, resolution, seconds)
) WITH (fillfactor = 50);

-- What an upstream knows and we do not, or otherwise than we do. Each has an age, an owner and an end.
CREATE TABLE discrepancy (
    id text COLLATE "C" PRIMARY KEY,
    provider text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('orphan', 'late', 'missing', 'tokens', 'state')),
    operation_id text COLLATE "C" NOT NULL,
    attempt_id text COLLATE "C" REFERENCES attempt (id),
    detail jsonb NOT NULL,
    owner text NOT NULL DEFAULT 'operator',
    found_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    resolution text,
    CONSTRAINT resolved_ones_say_how CHECK ((resolved_at IS NULL) = (resolution IS NULL)),
    UNIQUE (provider, operation_id, kind)
);

CREATE INDEX discrepancy_open ON discrepancy (found_at) WHERE resolved_at IS NULL;

-- An input is a file of ours, or one that the provider keeps for its own customers.
ALTER TABLE generation_media ALTER COLUMN file_id DROP NOT NULL;
ALTER TABLE generation_media ADD COLUMN asset text;
ALTER TABLE generation_media ADD COLUMN kind text CHECK (kind IN ('image', 'video', 'audio'));
ALTER TABLE generation_media ADD CONSTRAINT an_input_is_a_file_or_an_asset
    CHECK (num_nonnulls(file_id, asset) = 1 AND (asset IS NULL) = (kind IS NULL));
