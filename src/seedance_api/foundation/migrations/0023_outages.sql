-- What the operator is told of: outages of ours that finished videos wait for, and a database that has gone back in time.

-- of a finished video that is not stored yet: what of ours it waits for, and since when
ALTER TABLE generation ADD COLUMN waiting_for text;
ALTER TABLE generation ADD COLUMN waiting_since timestamptz;
CREATE INDEX generation_waiting ON generation (waiting_since) WHERE waiting_since IS NOT NULL;

-- counted up every minute, and then written into the object store: one that has more was used with a later database
ALTER TABLE installation ADD COLUMN high_water bigint NOT NULL DEFAULT 0;

ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice ADD CONSTRAINT notice_kind_check CHECK (kind IN (
    'limit_near', 'limit_reached', 'endpoint_failing', 'endpoint_disabled', 'content_lost',
    'collect_stopped', 'outage', 'outage_over', 'database_went_back'
));
ALTER TABLE notice DROP CONSTRAINT whom_a_notice_is_about;
ALTER TABLE notice ADD CONSTRAINT whom_a_notice_is_about CHECK (
    (account_id IS NULL) = (kind IN ('collect_stopped', 'outage', 'outage_over', 'database_went_back'))
);
CREATE INDEX notice_of_installation ON notice (created_at) WHERE account_id IS NULL;
