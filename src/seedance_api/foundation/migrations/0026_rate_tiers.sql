-- How many times the installation's rate limits an account has: what the operator gave it, else what its spending earned.
ALTER TABLE account ADD COLUMN rate_multiplier integer CHECK (rate_multiplier BETWEEN 1 AND 1000);
ALTER TABLE account ADD COLUMN tier_multiplier integer DEFAULT 1 NOT NULL CHECK (tier_multiplier BETWEEN 1 AND 1000);
