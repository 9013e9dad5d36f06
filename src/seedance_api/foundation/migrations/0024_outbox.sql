-- The outbox: what was a notice may be any message, mail to somebody who has no account included.

-- to this e-mail address and nowhere else; else to the operator, and to the account's owner what there is a letter for
ALTER TABLE notice ADD COLUMN recipient text;
-- of the mail, where it is not that of its kind
ALTER TABLE notice ADD COLUMN subject text;
-- of one key there is one message
ALTER TABLE notice ADD COLUMN dedupe_key text;
CREATE UNIQUE INDEX notice_dedupe ON notice (dedupe_key);
ALTER TABLE notice ADD COLUMN given_up boolean NOT NULL DEFAULT false;
ALTER TABLE notice ADD COLUMN state text GENERATED ALWAYS AS (
    CASE WHEN closed_at IS NULL THEN 'pending' WHEN given_up THEN 'failed' ELSE 'sent' END
) STORED;

-- the kinds stand in the code alone: a new one needs no migration
ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice DROP CONSTRAINT whom_a_notice_is_about;
