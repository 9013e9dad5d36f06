-- Until when a final take can be made of a draft; a number that tells one unanswered create from all others; whose asset
-- is whose.

-- The promise of a finished draft, and when it really ended: until then its upstream copy stays. NULL for everything of
-- which no final take can be made.
ALTER TABLE generation ADD COLUMN draft_until timestamptz;
ALTER TABLE generation ADD COLUMN draft_ended_at timestamptz;
ALTER TABLE generation ADD CONSTRAINT only_drafts_end CHECK (draft_ended_at IS NULL OR draft_until IS NOT NULL);
UPDATE generation g SET draft_until = finished_at + interval '24 hours'
WHERE state = 'completed' AND (params ->> 'draft')::bool AND deleted_at IS NULL
  AND finished_at > now() - interval '24 hours'
  AND EXISTS (SELECT FROM generation_input i WHERE i.generation_id = g.id)
  AND (provider = 'sandbox' OR NOT EXISTS (
      SELECT FROM deletion d WHERE d.generation_id = g.id AND d.what = 'upstream_copy'
  ));
CREATE INDEX generation_draft_end ON generation (draft_until) WHERE draft_until IS NOT NULL AND draft_ended_at IS NULL;
CREATE INDEX generation_final ON generation (draft_id) WHERE draft_id IS NOT NULL AND finished_at IS NULL;

-- Told to the provider with the work, and told by it of the work: no two attempts of one provider that wait for an answer
-- have the same.
CREATE SEQUENCE attempt_nonce_turn AS integer MINVALUE 0 MAXVALUE 3599 START 0 CYCLE;
ALTER TABLE attempt ADD COLUMN nonce smallint CHECK (nonce BETWEEN 0 AND 3599);
-- What is under way was sent with a number that followed from its id, and that may be another's as well; then it is known
-- by none.
UPDATE attempt a SET nonce = n.nonce
FROM (
    SELECT id, state, nonce, count(*) OVER (PARTITION BY provider, nonce) AS alike
    FROM (
        SELECT id, provider, state, (
            floor(least(greatest(coalesce(seconds_left, 0), 3600), 258600))::bigint
            + ('x' || encode(substring(sha256(convert_to(id, 'UTF8')) FROM 1 FOR 4), 'hex'))::bit(32)::bigint % 600
        ) % 3600 AS nonce
        FROM attempt WHERE state IN ('sent', 'unknown', 'lost') AND sent_at > now() - interval '7 days'
    ) numbers
) n
WHERE a.id = n.id AND (n.alike = 1 OR n.state = 'lost');
CREATE UNIQUE INDEX attempt_nonce ON attempt (provider, nonce) WHERE state IN ('sent', 'unknown');
CREATE INDEX attempt_lost ON attempt (provider, sent_at) WHERE state = 'lost';
CREATE INDEX attempt_made ON attempt (provider, sent_at) WHERE operation IS NOT NULL;

-- Which of an upstream's assets an account may name, who said so, and who took it back.
CREATE TABLE asset_permission (
    account_id text COLLATE "C" NOT NULL REFERENCES account,
    asset text COLLATE "C" NOT NULL CHECK (asset ~ '^[A-Za-z0-9_-]{1,128}$'),
    allowed_by text NOT NULL,
    allowed_at timestamptz NOT NULL DEFAULT now(),
    revoked_by text,
    revoked_at timestamptz,
    CONSTRAINT revocations_have_their_author CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE UNIQUE INDEX asset_permission_now ON asset_permission (account_id, asset) WHERE revoked_at IS NULL;
