-- What this installation is known by. Its object store carries the same id, so that neither is used with a stranger's.
ALTER TABLE installation ADD COLUMN id text COLLATE "C" NOT NULL
    DEFAULT 'ins_' || replace(gen_random_uuid()::text, '-', '');
-- since when a store does: from then on one without the id is not ours
ALTER TABLE installation ADD COLUMN store_marked_at timestamptz;

-- What is set alike on every machine, as the one that was started last had it. Secrets stand here as an HMAC.
CREATE TABLE installation_setting (
    name text COLLATE "C" PRIMARY KEY,
    value text NOT NULL,
    -- what it was before, the newest first
    previous text[] NOT NULL DEFAULT '{}',
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Objects that no row names, and since when `collect` sees them so, run after run. Those under `trash/` are in the trash.
CREATE TABLE unowned_object (
    key text COLLATE "C" PRIMARY KEY,
    first_seen_at timestamptz NOT NULL,
    -- the moment of the last run that saw it
    seen_at timestamptz NOT NULL
);

-- A notice may be about the installation and no account.
ALTER TABLE notice ALTER COLUMN account_id DROP NOT NULL;
ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice ADD CONSTRAINT notice_kind_check CHECK (
    kind IN ('limit_near', 'limit_reached', 'endpoint_failing', 'endpoint_disabled', 'collect_stopped')
);
ALTER TABLE notice ADD CONSTRAINT whom_a_notice_is_about CHECK ((account_id IS NULL) = (kind = 'collect_stopped'));
