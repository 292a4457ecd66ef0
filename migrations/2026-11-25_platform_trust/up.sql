-- Who changed what, provably; and what a Comune sets for itself.

-- The end of each chain of audit entries. A Comune has several, so that its writers do not all wait for
-- one row; a transaction adds to one of them.
CREATE TABLE audit_lanes (
    tenant_id {ID}  NOT NULL,
    lane      {INT} NOT NULL,
    last_seq  {INT} NOT NULL,
    -- The hash of the last entry, hexadecimal; empty while the first one is being written.
    last_hash TEXT  NOT NULL,
    PRIMARY KEY (tenant_id, lane),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

CREATE TABLE audit_entries (
    tenant_id    {ID}      NOT NULL,
    lane         {INT}     NOT NULL,
    -- 1, 2, 3 … in each lane, without gaps.
    seq          {INT}     NOT NULL,
    id           {ID}      NOT NULL,
    occurred_at  {INSTANT} NOT NULL,
    -- Kind and pseudonymous id of who did it.
    actor        TEXT      NOT NULL,
    -- Dotted, past tense: appointment.cancelled
    action       TEXT      NOT NULL,
    subject_kind TEXT      NOT NULL,
    subject_id   {ID}      NOT NULL,
    -- Keyed digests of the subject's state, hexadecimal; absent where there is none.
    before       TEXT,
    after        TEXT,
    -- The hash of the entry before it in its lane; empty for the first.
    previous     TEXT      NOT NULL,
    -- Keyed digest over all of the above, hexadecimal.
    hash         TEXT      NOT NULL,
    PRIMARY KEY (tenant_id, lane, seq),
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
CREATE INDEX audit_entries_subject ON audit_entries (tenant_id, subject_id, id);

CREATE TABLE tenant_settings (
    tenant_id  {ID}      NOT NULL,
    settings   {JSON}    NOT NULL,
    version    {INT}     NOT NULL,
    updated_at {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
