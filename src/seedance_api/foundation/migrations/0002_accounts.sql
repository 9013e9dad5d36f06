-- Accounts and API keys.
-- depends: 0001_jobs

CREATE TABLE installation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    pepper_mark bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE account (
    id text COLLATE "C" PRIMARY KEY,
    email text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX account_email ON account (lower(email));

CREATE TABLE api_key (
    id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL REFERENCES account (id),
    handle text COLLATE "C" NOT NULL UNIQUE,
    mode text NOT NULL CHECK (mode IN ('test', 'live')),
    name text,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

CREATE INDEX api_key_account ON api_key (account_id, id);
