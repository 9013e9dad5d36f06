-- What is stored is compared with its digest: on a schedule, and when something looks wrong.

-- when an object was last found as it was put, and since when it is known that it is not, or not there
ALTER TABLE asset ADD COLUMN verified_at timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE asset ADD COLUMN damaged_at timestamptz;
CREATE INDEX asset_verified ON asset (verified_at) WHERE damaged_at IS NULL;
ALTER TABLE file ADD COLUMN verified_at timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE file ADD COLUMN damaged_at timestamptz;
CREATE INDEX file_verified ON file (verified_at) WHERE damaged_at IS NULL;

-- of content that is damaged: when it is tried to be fetched again, and since when nobody has it any more
ALTER TABLE content ADD COLUMN mend_at timestamptz;
ALTER TABLE content ADD COLUMN lost_at timestamptz;
CREATE INDEX content_mending ON content (mend_at) WHERE mend_at IS NOT NULL;

ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice ADD CONSTRAINT notice_kind_check CHECK (kind IN (
    'limit_near', 'limit_reached', 'endpoint_failing', 'endpoint_disabled', 'collect_stopped', 'content_lost'
));
