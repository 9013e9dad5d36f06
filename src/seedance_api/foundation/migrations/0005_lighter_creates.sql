-- What a create need not ask the database again: that its account and its generation are there, which the same
-- transaction has read or written. Accounts and generations are never deleted while they have a transfer.
-- depends: 0004_billing

ALTER TABLE idempotency DROP CONSTRAINT idempotency_account_id_fkey;
ALTER TABLE transfer DROP CONSTRAINT transfer_generation_id_fkey;
