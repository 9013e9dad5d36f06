-- What the operator is told of: outages of ours that finished videos wait for.

-- of a finished video that is not stored yet: what of ours it waits for, and since when
ALTER TABLE generation ADD COLUMN waiting_for text;
ALTER TABLE generation ADD COLUMN waiting_since timestamptz;
CREATE INDEX generation_waiting ON generation (waiting_since) WHERE waiting_since IS NOT NULL;

ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice ADD CONSTRAINT notice_kind_check CHECK (kind IN (
    'limit_near', 'limit_reached', 'endpoint_failing', 'endpoint_disabled', 'content_lost',
    'collect_stopped', 'outage', 'outage_over'
));
ALTER TABLE notice DROP CONSTRAINT whom_a_notice_is_about;
ALTER TABLE notice ADD CONSTRAINT whom_a_notice_is_about CHECK (
    (account_id IS NULL) = (kind IN ('collect_stopped', 'outage', 'outage_over'))
);
CREATE INDEX notice_of_installation ON notice (created_at) WHERE account_id IS NULL;
