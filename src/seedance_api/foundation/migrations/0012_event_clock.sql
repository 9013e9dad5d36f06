-- The order of events outlives a clock that is set back, as by a failover: each has a moment behind all that were given.
-- depends: 0008_shared_objects

-- In microseconds since 1970. It takes nothing back when a transaction is rolled back, and nobody waits for it.
CREATE SEQUENCE event_clock;

CREATE FUNCTION event_moment() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    next constant bigint := nextval('event_clock');
    clock constant bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
BEGIN
    IF clock > next THEN
        PERFORM setval('event_clock', clock);
    END IF;
    RETURN timestamptz 'epoch' + greatest(clock, next) * interval '1 microsecond';
END $$;
