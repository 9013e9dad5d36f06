-- What databases lack that a development version made: until version 0.1.0 the migrations 0003 to 0008 were changed in
-- place, so that one of them may be recorded as applied and still lack what was added to it later. On a database that
-- lacks nothing this does nothing: indexes and constraints are made anew only where they differ. Each of them holds the
-- writers of its table for about a second a million rows.

ALTER TABLE spending_limit ADD COLUMN IF NOT EXISTS refused boolean NOT NULL DEFAULT false;

ALTER TABLE hold DROP CONSTRAINT IF EXISTS hold_account_id_fkey;
ALTER TABLE hold DROP CONSTRAINT IF EXISTS hold_key_id_fkey;
ALTER TABLE hold DROP CONSTRAINT IF EXISTS hold_price_version_fkey;
ALTER TABLE transfer DROP CONSTRAINT IF EXISTS transfer_account_id_fkey;
ALTER TABLE transfer ALTER COLUMN created_at SET DEFAULT clock_timestamp();
DROP INDEX IF EXISTS transfer_account;
DROP INDEX IF EXISTS hold_open;

ALTER TABLE attempt ALTER COLUMN provider SET DEFAULT 'sandbox';

ALTER TABLE generation ADD COLUMN IF NOT EXISTS grace_seconds integer NOT NULL DEFAULT 3600
    CHECK (grace_seconds BETWEEN 0 AND 86400);
ALTER TABLE generation ADD COLUMN IF NOT EXISTS wrong_tries smallint NOT NULL DEFAULT 0;

-- that the objects of purged content are gone was not noted at first: it has no rows of objects any more
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = 'content'::regclass AND attname = 'cleared_at' AND NOT attisdropped
    ) THEN
        ALTER TABLE content ADD COLUMN cleared_at timestamptz;
        UPDATE content c SET cleared_at = purged_at
        WHERE state = 'purged' AND NOT EXISTS (SELECT 1 FROM asset a WHERE a.generation_id = c.generation_id);
    END IF;
END $$;
ALTER TABLE content ADD COLUMN IF NOT EXISTS clear_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE webhook_endpoint ADD COLUMN IF NOT EXISTS description text NOT NULL DEFAULT '';
ALTER TABLE webhook_endpoint ADD COLUMN IF NOT EXISTS host text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE webhook_endpoint ADD COLUMN IF NOT EXISTS slow boolean NOT NULL DEFAULT false;
ALTER TABLE webhook_endpoint ADD COLUMN IF NOT EXISTS reopened_at timestamptz;
UPDATE webhook_endpoint SET host = lower(coalesce(substring(url FROM '^https?://([^/:?#]+)'), ''))
WHERE hidden AND host = '' AND url !~ '^https?://\[';
ALTER TABLE webhook_secret ADD COLUMN IF NOT EXISTS older_until timestamptz[] NOT NULL DEFAULT '{}';
ALTER TABLE notice ADD COLUMN IF NOT EXISTS told text[] NOT NULL DEFAULT '{}';

DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN SELECT * FROM (VALUES
        ('transfer', 'transfer_pkey', 'PRIMARY KEY (account_id, created_at, id)'),
        ('deletion', 'deletion_what_check', 'CHECK ((what = ANY (ARRAY[''video''::text, ''last_frame''::text, '
            '''thumbnail''::text, ''prompt''::text, ''metadata''::text, ''input''::text, ''upstream_copy''::text])))'),
        ('notice', 'notice_kind_check', 'CHECK ((kind = ANY (ARRAY[''limit_near''::text, ''limit_reached''::text, '
            '''endpoint_failing''::text, ''endpoint_disabled''::text])))')
    ) AS wanted (relation, name, definition) LOOP
        CONTINUE WHEN wanted.definition = (
            SELECT pg_get_constraintdef(oid) FROM pg_constraint
            WHERE conrelid = wanted.relation::regclass AND conname = wanted.name
        );
        EXECUTE format('ALTER TABLE %I DROP CONSTRAINT IF EXISTS %I', wanted.relation, wanted.name);
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', wanted.relation, wanted.name, wanted.definition);
    END LOOP;
    FOR wanted IN SELECT * FROM (VALUES
        ('file_object', 'CREATE INDEX file_object ON file USING btree (object_key)'),
        ('file_content',
            'CREATE INDEX file_content ON file USING btree (account_id, livemode, kind, sha256, id)'),
        ('asset_object', 'CREATE INDEX asset_object ON asset USING btree (object_key)'),
        ('transfer_once', 'CREATE UNIQUE INDEX transfer_once ON transfer USING btree (generation_id, kind) '
            'WHERE (kind = ANY (ARRAY[''release''::text, ''charge''::text, ''waiver''::text]))'),
        ('content_withdrawn', 'CREATE INDEX content_withdrawn ON content USING btree (clear_at) '
            'WHERE ((state = ''purged''::text) AND (cleared_at IS NULL))'),
        ('webhook_endpoint_account', 'CREATE INDEX webhook_endpoint_account ON webhook_endpoint '
            'USING btree (account_id, livemode, id) WHERE (NOT hidden)'),
        ('webhook_endpoint_old', 'CREATE INDEX webhook_endpoint_old ON webhook_endpoint '
            'USING btree (created_at, id) WHERE hidden'),
        ('webhook_endpoint_host', 'CREATE INDEX webhook_endpoint_host ON webhook_endpoint '
            'USING btree (account_id, host, id) WHERE hidden'),
        ('generation_hooked', 'CREATE INDEX generation_hooked ON generation USING btree (webhook_endpoint_id) '
            'WHERE ((webhook_endpoint_id IS NOT NULL) AND (finished_at IS NULL))')
    ) AS wanted (name, definition) LOOP
        CONTINUE WHEN wanted.definition
            = replace(pg_get_indexdef(to_regclass(wanted.name)), quote_ident(current_schema()) || '.', '');
        EXECUTE format('DROP INDEX IF EXISTS %I', wanted.name);
        EXECUTE wanted.definition;
    END LOOP;
END $$;

-- partitioned: made on the parent, for the days that are there and those to come
CREATE INDEX IF NOT EXISTS delivery_claimed ON delivery (endpoint_id, claimed_until)
    WHERE state = 'pending' AND claimed_until IS NOT NULL;
