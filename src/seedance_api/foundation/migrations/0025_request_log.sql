-- The request log: of every request the policy's fields (endpoint, time, address, status, latency), whose it was, and
-- nothing else. Partitioned by the day of the id, which sorts by the database's time; `foundation/partitions.py` makes
-- the days and drops them.
CREATE TABLE request_log (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    at timestamptz(3) NOT NULL,
    -- method and route template, such as `GET /v1/videos/{video_id}`; never a path or a query
    endpoint text COLLATE "C" NOT NULL,
    account_id text COLLATE "C",
    key_id text COLLATE "C",
    -- truncated to its network (/24, /48) when the full address is no longer kept
    address inet,
    status smallint NOT NULL CHECK (status BETWEEN 100 AND 599),
    latency_us integer NOT NULL,
    -- the part of it that was ours: without waiting for the client's body
    own_us integer NOT NULL
) PARTITION BY RANGE (id);
CREATE TABLE request_log_rest PARTITION OF request_log DEFAULT;
CREATE INDEX request_log_account ON request_log (account_id, id) WHERE account_id IS NOT NULL;
CREATE INDEX request_log_endpoint ON request_log (account_id, endpoint, id) WHERE account_id IS NOT NULL;
CREATE INDEX request_log_key ON request_log (key_id, id) WHERE key_id IS NOT NULL;
-- failures are what is looked for, and are few
CREATE INDEX request_log_failed ON request_log (account_id, (status / 100), id) WHERE status >= 400;

-- Counted by hour when the log is written, so that no page counts requests.
CREATE TABLE request_hour (
    hour timestamptz NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    endpoint text COLLATE "C" NOT NULL,
    status_class smallint NOT NULL CHECK (status_class BETWEEN 1 AND 5),
    requests bigint NOT NULL,
    latency_us bigint NOT NULL,
    own_us bigint NOT NULL,
    -- how many took up to 1, 2, 5, 10, … ms of our own, and how many longer
    own_histogram bigint[] NOT NULL,
    PRIMARY KEY (hour, account_id, key_id, endpoint, status_class)
);
CREATE INDEX request_hour_account ON request_hour (account_id, hour) WHERE account_id <> '';
