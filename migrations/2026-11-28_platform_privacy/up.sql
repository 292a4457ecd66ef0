-- How long what is known of people is kept, what is kept nevertheless, and who looked at it.

-- What becomes of records of a kind, and when. A Comune without a rule for a kind has the default.
CREATE TABLE retention_rules (
    tenant_id   {ID}      NOT NULL,
    id          {ID}      NOT NULL,
    -- appointment, data_access_entry
    record_kind TEXT      NOT NULL,
    -- The service whose records it is about; the nil id: all that have no rule of their own. A key compares it.
    service_id  {ID}      NOT NULL,
    action      TEXT      NOT NULL CHECK (action IN ('anonymise', 'delete', 'hold')),
    -- Whole days after the day the record is about.
    after_days  {INT}     NOT NULL CHECK (after_days BETWEEN 30 AND 36500),
    version     {INT}     NOT NULL,
    created_at  {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, record_kind, service_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- What is kept whatever the rules say: all there is about a person, or one record.
CREATE TABLE legal_holds (
    tenant_id   {ID}      NOT NULL,
    id          {ID}      NOT NULL,
    -- Pseudonym of the person.
    person_key  TEXT,
    record_kind TEXT,
    record_id   {ID},
    reason      TEXT      NOT NULL,
    created_by  TEXT      NOT NULL,
    created_at  {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id),
    CHECK ((record_id IS NULL) = (record_kind IS NULL)),
    CHECK ((person_key IS NULL) <> (record_id IS NULL))
) {KEYED};
CREATE INDEX legal_holds_person ON legal_holds (tenant_id, person_key);
CREATE INDEX legal_holds_record ON legal_holds (tenant_id, record_id);

-- What each run of the rules did, or would have done: one row for each rule that met a record.
CREATE TABLE retention_runs (
    tenant_id   {ID}      NOT NULL,
    id          {ID}      NOT NULL,
    -- The rule; absent for the default. It may be gone by now, and so it is no key.
    rule_id     {ID},
    record_kind TEXT      NOT NULL,
    service_id  {ID},
    action      TEXT      NOT NULL CHECK (action IN ('anonymise', 'delete', 'hold')),
    -- Records about days before this instant were due.
    due_before  {INSTANT} NOT NULL,
    -- What the first and the last of those that were met are about.
    oldest_at   {INSTANT} NOT NULL,
    newest_at   {INSTANT} NOT NULL,
    counted     {INT}     NOT NULL CHECK (counted >= 0),
    disposed    {INT}     NOT NULL CHECK (disposed >= 0),
    held        {INT}     NOT NULL CHECK (held >= 0),
    dry_run     {BOOL}    NOT NULL,
    actor       TEXT      NOT NULL,
    started_at  {INSTANT} NOT NULL,
    ended_at    {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- The last day on which a gateway took the daily run upon itself: of several, one does.
CREATE TABLE retention_turns (
    tenant_id {ID}   NOT NULL,
    day       {DATE} NOT NULL,
    PRIMARY KEY (tenant_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- Who looked at all there is about a person, looked for people, or took them away. Added and read, never changed;
-- each has its entry in the audit, which proves it.
CREATE TABLE data_access_entries (
    tenant_id   {ID}      NOT NULL,
    id          {ID}      NOT NULL,
    occurred_at {INSTANT} NOT NULL,
    -- Kind and pseudonymous id of who looked.
    actor       TEXT      NOT NULL,
    action      TEXT      NOT NULL,
    -- Pseudonym of whose data it was, where it was one person's.
    person_key  TEXT,
    record_kind TEXT,
    record_id   {ID},
    -- Why: the request or the file it was for.
    reference   TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
CREATE INDEX data_access_entries_person ON data_access_entries (tenant_id, person_key, id);
CREATE INDEX data_access_entries_time ON data_access_entries (tenant_id, occurred_at, id);

-- What a person did, for whoever asks what is known of them.
CREATE INDEX audit_entries_actor ON audit_entries (tenant_id, actor, id);
