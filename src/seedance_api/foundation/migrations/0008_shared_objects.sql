-- Files of one account and mode that have the same content share an object.
-- depends: 0007_delivery

CREATE INDEX file_content ON file (account_id, livemode, kind, sha256, id);
