-- Systems that call through PDND, the national platform of data, with its vouchers.

CREATE TABLE pdnd_clients (
    tenant_id  {ID}      NOT NULL,
    id         {ID}      NOT NULL,
    -- What PDND calls it: a UUID, in lower case.
    client_id  TEXT      NOT NULL,
    label      TEXT      NOT NULL,
    -- What it may do: a list of scopes, as keys have them.
    scopes     {JSON}    NOT NULL,
    enabled    {BOOL}    NOT NULL,
    version    {INT}     NOT NULL,
    created_at {INSTANT} NOT NULL,
    updated_at {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, client_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- Signatures of requests that were accepted, until they run out: none is accepted twice. A client that is taken away
-- leaves its own behind, so they refer to none.
CREATE TABLE pdnd_signatures_seen (
    tenant_id  {ID}      NOT NULL,
    client_id  TEXT      NOT NULL,
    jti        TEXT      NOT NULL,
    expires_at {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, client_id, jti),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
CREATE INDEX pdnd_signatures_seen_end ON pdnd_signatures_seen (tenant_id, expires_at);
