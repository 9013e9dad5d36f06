-- The networks that each key was used from (/16, of IPv6 /32), so that its owner hears of a new one. Forgotten 30 days
-- after the last request from there.
CREATE TABLE key_network (
    key_id text COLLATE "C" NOT NULL,
    network cidr NOT NULL CHECK (masklen(network) = CASE family(network) WHEN 4 THEN 16 ELSE 32 END),
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    PRIMARY KEY (key_id, network)
);
CREATE INDEX key_network_seen ON key_network (last_seen);
