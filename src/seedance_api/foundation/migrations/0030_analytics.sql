-- What is known of the use of the service without saying whose: counts of which each has at least five accounts behind
-- it, in which no account and no address stands. `traffic/analytics.py` makes them of a day that is over, once.
CREATE TABLE analytics (
    grain text NOT NULL CHECK (grain IN ('hour', 'day')),
    starts_at timestamptz NOT NULL,
    measure text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    -- of requests
    status_class smallint CHECK (status_class BETWEEN 1 AND 5),
    -- of generations
    livemode boolean,
    count bigint NOT NULL CHECK (count > 0),
    accounts bigint NOT NULL CONSTRAINT cells_have_five_accounts CHECK (accounts >= 5),
    CONSTRAINT analytics_cell UNIQUE NULLS NOT DISTINCT (starts_at, grain, measure, value, status_class, livemode)
);

-- The days that have been counted. None is counted twice.
CREATE TABLE analytics_day (
    day date PRIMARY KEY,
    counted_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE account
    -- since when its requests and videos enter no analytics
    ADD COLUMN analytics_objected_at timestamptz,
    -- the times of objections that it has withdrawn: what was made meanwhile stays out
    ADD COLUMN analytics_excluded tstzmultirange NOT NULL DEFAULT '{}';

ALTER TABLE generation
    -- of its inputs together; unknown where one is an upstream's own asset, and of those before this migration
    ADD COLUMN input_bytes bigint CHECK (input_bytes >= 0);
-- failures are few, and are counted by the day on which they ended
CREATE INDEX generation_failed ON generation (finished_at) WHERE error_code IS NOT NULL;
