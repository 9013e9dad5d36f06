-- What only the owner of a table may do to it, for a service that is not its owner (`seedance-api roles`): the days of the
-- partitioned tables. Each function does one thing to our own tables alone, and drops no day that must still be kept.
CREATE FUNCTION make_day(parent text, day date, first_id text, end_id text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    name constant text := parent || to_char(day, '_YYYYMMDD');
BEGIN
    IF parent NOT IN ('event', 'delivery', 'request_log') THEN
        RAISE EXCEPTION '% has no days', parent USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name, parent);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, first_id, end_id);
END $$;

CREATE FUNCTION drop_day(parent text, day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    -- the least that the settings allow: SEEDANCE_EVENT_RETENTION_DAYS, SEEDANCE_REQUEST_LOG_DAYS
    kept constant integer := CASE parent WHEN 'event' THEN 5 WHEN 'delivery' THEN 5 WHEN 'request_log' THEN 29 END;
BEGIN
    IF kept IS NULL OR day >= (clock_timestamp() AT TIME ZONE 'UTC')::date - kept THEN
        RAISE EXCEPTION 'the day % of % is kept', day, parent USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', parent || to_char(day, '_YYYYMMDD'));
END $$;

-- From now on a day of the request log takes no full address; once it is checked, there is none.
CREATE FUNCTION refuse_addresses(day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    EXECUTE format(
        'ALTER TABLE %I DROP CONSTRAINT IF EXISTS addresses_are_truncated, ADD CONSTRAINT addresses_are_truncated '
        'CHECK (NOT (masklen(address) > CASE family(address) WHEN 4 THEN 24 ELSE 48 END)) NOT VALID',
        'request_log' || to_char(day, '_YYYYMMDD'));
END $$;

CREATE FUNCTION check_addresses(day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I VALIDATE CONSTRAINT addresses_are_truncated',
        'request_log' || to_char(day, '_YYYYMMDD'));
END $$;

-- They find our tables and no temporary ones of their caller, and are nobody's but the owner's until he grants them.
DO $$
DECLARE
    signature text;
BEGIN
    FOREACH signature IN ARRAY ARRAY[
        'make_day(text, date, text, text)', 'drop_day(text, date)', 'refuse_addresses(date)', 'check_addresses(date)'
    ] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', signature, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
    END LOOP;
END $$;
