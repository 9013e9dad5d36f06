-- Who listens: each API process says here that it is there, and up to which barrier it has heard every notification.
-- After a crash of the database there is nobody until they say so again, and nobody believes what he remembers.
CREATE UNLOGGED TABLE listener (
    id text COLLATE "C" PRIMARY KEY,
    heard_at timestamptz NOT NULL,
    passed bigint NOT NULL
);
CREATE SEQUENCE barrier;

-- What is told of a finished generation may be remembered. Whatever changes it says so, once for each statement; the ids
-- of 250 fit in the 8,000 bytes that a notification may have.
CREATE FUNCTION tell_finished(ids text[]) RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify('finished', string_agg(id, ' '))
    FROM (SELECT id, (row_number() OVER () - 1) / 250 AS part FROM unnest(ids) AS id) numbered
    GROUP BY part
$$;
CREATE FUNCTION tell_finished_generations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_finished(array_agg(id)) FROM before WHERE finished_at IS NOT NULL HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION tell_finished_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_finished(array_agg(generation_id)) FROM before HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION tell_finished_holds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_finished(array_agg(generation_id)) FROM before WHERE state <> 'held' HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER generation_changed AFTER UPDATE ON generation REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION tell_finished_generations();
CREATE TRIGGER content_changed AFTER UPDATE ON content REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION tell_finished_parts();
CREATE TRIGGER prompt_deleted AFTER DELETE ON generation_input REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION tell_finished_parts();
CREATE TRIGGER hold_changed AFTER UPDATE ON hold REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION tell_finished_holds();
