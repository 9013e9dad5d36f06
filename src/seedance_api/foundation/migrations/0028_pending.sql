-- How many unfinished videos an account has in each mode. The database itself counts, so that what a release before this
-- one makes and ends during an upgrade is counted too.
CREATE TABLE pending (
    account_id text NOT NULL COLLATE "C" REFERENCES account (id),
    livemode boolean NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (account_id, livemode)
) WITH (fillfactor = 50);

CREATE FUNCTION count_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pending AS p (account_id, livemode, number)
    SELECT account_id, livemode, count(*) FROM made WHERE finished_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (account_id, livemode) DO UPDATE SET number = p.number + excluded.number;
    RETURN NULL;
END
$$;
CREATE TRIGGER generation_made AFTER INSERT ON generation REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION count_made();

CREATE FUNCTION count_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pending SET number = number - 1 WHERE account_id = OLD.account_id AND livemode = OLD.livemode;
    RETURN NULL;
END
$$;
-- at the end of the transaction: creates lock wallets first and this last, and so do the ends of videos
CREATE CONSTRAINT TRIGGER generation_ended AFTER UPDATE OF finished_at ON generation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL)
    EXECUTE FUNCTION count_ended();
CREATE CONSTRAINT TRIGGER generation_gone AFTER DELETE ON generation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.finished_at IS NULL)
    EXECUTE FUNCTION count_ended();

INSERT INTO pending (account_id, livemode, number)
SELECT account_id, livemode, count(*) FROM generation WHERE finished_at IS NULL GROUP BY 1, 2;
