-- What a key may be used for, and from where. NULL: for everything, from everywhere.
ALTER TABLE api_key ADD COLUMN scopes text[] CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY[
    'videos:read', 'videos:write', 'files', 'webhooks', 'billing:read', 'billing:write', 'keys'
]);
ALTER TABLE api_key ADD COLUMN networks text[] CHECK (cardinality(networks) > 0);
