-- A key that ends is announced by the database itself, however it ends: by the verb, with its account, or by an operator's hand.
CREATE FUNCTION tell_key_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('key_revoked', OLD.id);
    RETURN NULL;
END
$$;

CREATE TRIGGER api_key_revoked AFTER UPDATE OF revoked_at, digest OR DELETE ON api_key
    FOR EACH ROW EXECUTE FUNCTION tell_key_revoked();

-- The secret of an account is shown when it is rotated and never else; this says when that was.
ALTER TABLE webhook_secret ADD COLUMN rotated_at timestamptz;
-- a row is made by the first rotation
UPDATE webhook_secret SET rotated_at = created_at;
