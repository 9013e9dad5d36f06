-- Money: price books, wallets, holds, the ledger of transfers, grants, spending limits, usage, notices; and idempotency
-- for every route.
-- depends: 0003_generations

ALTER TABLE account ADD COLUMN currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$');

CREATE TABLE price_book (
    version integer PRIMARY KEY CHECK (version > 0),
    text text NOT NULL,
    author text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now()
);

-- Amounts are whole millionths of the currency, everywhere.
CREATE TABLE wallet (
    account_id text COLLATE "C" PRIMARY KEY REFERENCES account (id),
    currency text NOT NULL,
    available bigint NOT NULL DEFAULT 0 CHECK (available >= 0),
    held bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    granted bigint NOT NULL DEFAULT 0 CHECK (granted >= 0),
    grant_expires_at timestamptz,
    CONSTRAINT grants_are_part_of_the_money CHECK (granted <= available + held)
) WITH (fillfactor = 50);

CREATE TABLE hold (
    generation_id text COLLATE "C" PRIMARY KEY REFERENCES generation (id),
    -- account and key are the generation's, and price books stay: to ask for them again costs every create
    account_id text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    currency text NOT NULL,
    price_version integer NOT NULL,
    rate bigint NOT NULL CHECK (rate >= 0),
    quoted_tokens bigint NOT NULL CHECK (quoted_tokens >= 0),
    quoted bigint NOT NULL CHECK (quoted >= 0),
    amount bigint NOT NULL CHECK (amount >= 0),
    counted_on date NOT NULL,
    state text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'settled', 'released')),
    tokens bigint,
    resolution text,
    charged bigint,
    waived bigint NOT NULL DEFAULT 0 CHECK (waived >= 0),
    refunded bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    CONSTRAINT charged_at_most_what_was_held CHECK (charged BETWEEN 0 AND amount),
    CONSTRAINT refunded_at_most_what_was_charged CHECK (refunded <= coalesce(charged, 0)),
    CONSTRAINT settled_holds_have_their_charge CHECK ((state = 'settled') = (charged IS NOT NULL)),
    CONSTRAINT resolved_holds_have_their_time CHECK ((state = 'held') = (resolved_at IS NULL)),
    CONSTRAINT waivers_have_their_reason CHECK (waived = 0 OR reason IS NOT NULL)
) WITH (fillfactor = 80);

CREATE INDEX hold_counted ON hold (account_id, counted_on);

CREATE TABLE credit_grant (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES account (id),
    amount bigint NOT NULL CHECK (amount > 0),
    remaining bigint NOT NULL CHECK (remaining BETWEEN 0 AND amount),
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX credit_grant_open ON credit_grant (account_id, expires_at, id) WHERE remaining > 0;
CREATE INDEX credit_grant_expiry ON credit_grant (expires_at) WHERE remaining > 0;

-- The ledger. A transfer takes from one account of the ledger what it gives to another, so the sum is always zero.
-- `available` and `held` are those of the customer that the row names; the others are the operator's.
CREATE TABLE transfer (
    id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    currency text NOT NULL,
    source text NOT NULL,
    target text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    generation_id text COLLATE "C" REFERENCES generation (id),
    grant_id text COLLATE "C" REFERENCES credit_grant (id),
    reference text,
    reason text,
    author text NOT NULL,
    -- the moment under the wallet's lock, so that a statement is in the order in which the money moved
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, created_at, id),
    CONSTRAINT transfer_kind_check CHECK ((kind, source, target) IN (
        ('credit', 'payments', 'available'),
        ('grant', 'grants', 'available'),
        ('expiry', 'available', 'grants'),
        ('adjustment', 'available', 'adjustments'),
        ('hold', 'available', 'held'),
        ('release', 'held', 'available'),
        ('charge', 'held', 'revenue'),
        ('refund', 'revenue', 'available'),
        ('waiver', 'write_off', 'revenue'),
        ('upstream', 'upstream_cost', 'upstream')
    )),
    CONSTRAINT people_say_why CHECK (kind NOT IN ('credit', 'grant', 'adjustment', 'refund') OR reason IS NOT NULL),
    CONSTRAINT transfers_of_a_generation CHECK (
        (kind IN ('hold', 'release', 'charge', 'refund', 'waiver', 'upstream')) = (generation_id IS NOT NULL)
    )
);

-- that of a hold is written in one statement with its hold, which is there once
CREATE UNIQUE INDEX transfer_once ON transfer (generation_id, kind) WHERE kind IN ('release', 'charge', 'waiver');
CREATE UNIQUE INDEX transfer_reference ON transfer (account_id, kind, reference) WHERE reference IS NOT NULL;

-- Every transfer from both sides: its entries, which sum to zero.
CREATE VIEW ledger AS
    SELECT account_id, currency, source AS name, -amount AS amount, created_at FROM transfer
    UNION ALL
    SELECT account_id, currency, target AS name, amount, created_at FROM transfer;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER transfer_immutable BEFORE UPDATE OR DELETE ON transfer
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfer_kept BEFORE TRUNCATE ON transfer FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER price_book_immutable BEFORE UPDATE OR DELETE ON price_book
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- `subject` is the account's id or a key's. `since` is the first day of the window that `spent` counts.
CREATE TABLE spending_limit (
    subject text COLLATE "C" NOT NULL,
    period text NOT NULL CHECK (period IN ('day', 'month', 'total')),
    account_id text COLLATE "C" NOT NULL REFERENCES account (id),
    most bigint NOT NULL CHECK (most >= 0),
    since date NOT NULL,
    spent bigint NOT NULL CHECK (spent >= 0),
    warned smallint NOT NULL DEFAULT 0 CHECK (warned IN (0, 80, 100)),
    refused boolean NOT NULL DEFAULT false,
    PRIMARY KEY (subject, period)
) WITH (fillfactor = 50);

CREATE INDEX spending_limit_account ON spending_limit (account_id);

CREATE TABLE usage (
    account_id text COLLATE "C" NOT NULL REFERENCES account (id),
    livemode boolean NOT NULL,
    day date NOT NULL,
    model text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL REFERENCES api_key (id),
    videos bigint NOT NULL DEFAULT 0,
    milliseconds bigint NOT NULL DEFAULT 0,
    tokens bigint NOT NULL DEFAULT 0,
    charged bigint NOT NULL DEFAULT 0,
    refunded bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, livemode, day, model, key_id)
) WITH (fillfactor = 50);

-- What the operator or the customer should hear of, written in the transaction that brought it about.
CREATE TABLE notice (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES account (id),
    kind text NOT NULL CHECK (kind IN ('limit_near', 'limit_reached')),
    detail jsonb NOT NULL,
    tries smallint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz
);

CREATE INDEX notice_open ON notice (due_at) WHERE closed_at IS NULL;

-- Every POST: what was done for a key is `subject`, an id, or `answer` where nothing was made. While the work goes on
-- there is neither, and `claimant` says whose it is.
ALTER TABLE idempotency DROP CONSTRAINT idempotency_generation_id_fkey;
ALTER TABLE idempotency RENAME COLUMN generation_id TO subject;
ALTER TABLE idempotency ALTER COLUMN subject DROP NOT NULL;
ALTER TABLE idempotency ADD COLUMN answer jsonb;
ALTER TABLE idempotency ADD COLUMN claimant text;
ALTER TABLE idempotency ADD COLUMN kind text NOT NULL DEFAULT 'key' CHECK (kind IN ('key', 'content', 'retry'));
ALTER TABLE idempotency ADD COLUMN expires_at timestamptz;
UPDATE idempotency SET expires_at = created_at + interval '72 hours', route = 'test ' || route;
ALTER TABLE idempotency ALTER COLUMN expires_at SET NOT NULL;
ALTER TABLE idempotency ADD CONSTRAINT a_key_has_one_outcome
    CHECK (num_nonnulls(subject, answer, claimant) = 1);
DROP INDEX idempotency_age;
CREATE INDEX idempotency_expiry ON idempotency (expires_at);
