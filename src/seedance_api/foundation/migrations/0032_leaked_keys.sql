-- Why a key was revoked: `operator`, or `reported_leaked` by whoever found it. The reasons stand in the code.
ALTER TABLE api_key ADD COLUMN revoked_reason text;

-- What only the letter to the account's owner says; forgotten once it has left.
ALTER TABLE notice ADD COLUMN letter jsonb DEFAULT '{}' NOT NULL;
