-- Files that people sent in. What is in them lies in the store of objects; here is what is known of them.

CREATE TABLE documents (
    tenant_id    {ID}      NOT NULL,
    id           {ID}      NOT NULL,
    -- Kind and pseudonymous id of who sent it in.
    owner        TEXT      NOT NULL,
    -- What it is called, made safe; never part of a path.
    name         TEXT      NOT NULL,
    media_type   TEXT      NOT NULL,
    size_bytes   {INT}     NOT NULL CHECK (size_bytes >= 0),
    -- Of the bytes that are kept, hexadecimal.
    sha256       TEXT      NOT NULL,
    -- Where the bytes lie; absent once they are gone.
    object_key   TEXT,
    state        TEXT      NOT NULL CHECK (state IN ('quarantined', 'clean', 'infected', 'failed')),
    -- How often it was scanned in vain, and when it is to be scanned next.
    scans        {INT}     NOT NULL,
    scan_at      {INSTANT},
    -- What it is attached to; absent until then.
    subject_kind TEXT,
    subject_id   {ID},
    version      {INT}     NOT NULL,
    created_at   {INSTANT} NOT NULL,
    updated_at   {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, object_key),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id),
    CHECK ((subject_kind IS NULL) = (subject_id IS NULL)),
    CHECK ((state = 'infected') = (object_key IS NULL))
) {KEYED};
CREATE INDEX documents_owner ON documents (tenant_id, owner, id);
CREATE INDEX documents_subject ON documents (tenant_id, subject_kind, subject_id);
CREATE INDEX documents_scan ON documents (tenant_id, scan_at);
-- What is attached to nothing is soon attached or gone: it is looked for without the many that stay.
CREATE INDEX documents_orphans ON documents (tenant_id, created_at, id) WHERE subject_id IS NULL;
CREATE INDEX documents_waiting ON documents (tenant_id, owner) WHERE subject_id IS NULL;

-- Objects that are to be deleted from the store. One is here before its bytes are written, too, and is taken out again
-- by the transaction that makes them a document: an upload that dies in between leaves a row, and not bytes that nobody
-- knows of.
CREATE TABLE document_discards (
    tenant_id   {ID}      NOT NULL,
    object_key  TEXT      NOT NULL,
    due_at      {INSTANT} NOT NULL,
    -- Until when a gateway is at it.
    taken_until {INSTANT},
    PRIMARY KEY (tenant_id, object_key),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
CREATE INDEX document_discards_due ON document_discards (tenant_id, due_at);
