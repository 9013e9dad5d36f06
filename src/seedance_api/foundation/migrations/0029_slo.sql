-- Service levels: how many events of an hour there were, and how many of them were good. `traffic/slo.py` says what is
-- good, and forgets hours after 90 days.
CREATE TABLE slo (
    hour timestamptz NOT NULL,
    name text COLLATE "C" NOT NULL,
    good bigint NOT NULL CHECK (good >= 0),
    total bigint NOT NULL CHECK (total >= good),
    PRIMARY KEY (hour, name)
);
-- when content was deleted, so that an hour of it is found
CREATE INDEX content_cleared ON content (cleared_at) WHERE cleared_at IS NOT NULL;
