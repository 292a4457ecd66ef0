-- The register of documents (registro, DPR 445/2000 articles 53 to 57 and 63), and what hands them on to the Comune's
-- own protocol system.

-- Where each register stands. Whoever takes the next number holds this row until the transaction ends.
CREATE TABLE protocol_registers (
    tenant_id          {ID}      NOT NULL,
    -- The homogeneous organisational area (area organizzativa omogenea).
    aoo_code           TEXT      NOT NULL,
    register_code      TEXT      NOT NULL,
    year               {INT}     NOT NULL,
    last_number        {INT}     NOT NULL CHECK (last_number >= 0),
    -- Counts entries over all years: their place in the chain.
    last_seq           {INT}     NOT NULL CHECK (last_seq >= 0),
    last_hash          TEXT      NOT NULL,
    -- Nothing is registered before this instant any more.
    last_registered_at {INSTANT} NOT NULL,
    created_at         {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, aoo_code, register_code),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- Registers for the time of an interruption (registro di emergenza, article 63).
CREATE TABLE protocol_emergencies (
    tenant_id     {ID}      NOT NULL,
    id            {ID}      NOT NULL,
    aoo_code      TEXT      NOT NULL,
    register_code TEXT      NOT NULL,
    reason        TEXT      NOT NULL,
    opened_by     TEXT      NOT NULL,
    opened_at     {INSTANT} NOT NULL,
    closed_by     TEXT,
    closed_at     {INSTANT},
    -- How many entries got a number in the ordinary register when it was closed.
    recovered     {INT}     NOT NULL,
    version       {INT}     NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, aoo_code, register_code),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id),
    CHECK ((closed_at IS NULL) = (closed_by IS NULL))
) {KEYED};

-- What was registered. Rows are added, never changed but for the annulment, and never deleted.
CREATE TABLE protocol_entries (
    tenant_id        {ID}      NOT NULL,
    id               {ID}      NOT NULL,
    ipa_code         TEXT      NOT NULL,
    aoo_code         TEXT      NOT NULL,
    register_code    TEXT      NOT NULL,
    year             {INT}     NOT NULL,
    number           {INT}     NOT NULL CHECK (number >= 1),
    seq              {INT}     NOT NULL CHECK (seq >= 1),
    registered_at    {INSTANT} NOT NULL,
    registered_by    TEXT      NOT NULL,
    direction        TEXT      NOT NULL CHECK (direction IN ('inbound', 'outbound', 'internal')),
    subject          TEXT      NOT NULL,
    -- The subject folded for searching.
    subject_words    TEXT      NOT NULL,
    classification   TEXT,
    office_id        {ID}      NOT NULL,
    channel          TEXT      NOT NULL,
    -- The protocol of whoever sent it.
    sender_reference TEXT,
    received_on      {DATE},
    confidential     {BOOL}    NOT NULL,
    -- Name, media type, SHA-256 and size of each; the first is the principal one.
    documents        {JSON}    NOT NULL,
    -- What it was registered for, where something must not be registered twice.
    source_key       TEXT,
    -- The entry of an emergency register that has its ordinary number here.
    recovers_id      {ID},
    previous_hash    TEXT      NOT NULL,
    hash             TEXT      NOT NULL,
    annulled_at      {INSTANT},
    annulled_by      TEXT,
    annulment_reason TEXT,
    annulment_act    TEXT,
    -- SHA-256 of the entry's hash and of its annulment.
    annulment_hash   TEXT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, aoo_code, register_code, year, number),
    UNIQUE (tenant_id, aoo_code, register_code, seq),
    UNIQUE (tenant_id, source_key),
    UNIQUE (tenant_id, recovers_id),
    FOREIGN KEY (tenant_id, office_id) REFERENCES offices (tenant_id, id),
    FOREIGN KEY (tenant_id, recovers_id) REFERENCES protocol_entries (tenant_id, id),
    CHECK ((annulled_at IS NULL) = (annulled_by IS NULL)),
    CHECK ((annulled_at IS NULL) = (annulment_reason IS NULL)),
    CHECK ((annulled_at IS NULL) = (annulment_act IS NULL)),
    CHECK ((annulled_at IS NULL) = (annulment_hash IS NULL))
) {KEYED};
CREATE INDEX protocol_entries_office ON protocol_entries (tenant_id, office_id, id);
CREATE INDEX protocol_entries_time ON protocol_entries (tenant_id, aoo_code, register_code, registered_at);
CREATE INDEX protocol_entries_annulled ON protocol_entries (tenant_id, annulled_at);

-- Who sent what was registered and whom it is for. A part of the entry, and kept like it.
CREATE TABLE protocol_parties (
    tenant_id    {ID}  NOT NULL,
    entry_id     {ID}  NOT NULL,
    place        {INT} NOT NULL,
    role         TEXT  NOT NULL CHECK (role IN ('sender', 'recipient')),
    kind         TEXT  NOT NULL CHECK (kind IN ('person', 'organisation', 'administration')),
    given_name   TEXT,
    family_name  TEXT,
    denomination TEXT,
    tax_code     TEXT,
    vat_number   TEXT,
    ipa_code     TEXT,
    email        TEXT,
    -- Pseudonym of a person with a codice fiscale.
    person_key   TEXT,
    PRIMARY KEY (tenant_id, entry_id, place),
    FOREIGN KEY (tenant_id, entry_id) REFERENCES protocol_entries (tenant_id, id)
) {KEYED};
CREATE INDEX protocol_parties_person ON protocol_parties (tenant_id, person_key, entry_id);

-- What was given to whoever filed what came in (ricevuta, L. 241/1990, article 18-bis): what could be otherwise tomorrow.
CREATE TABLE protocol_receipts (
    tenant_id        {ID}      NOT NULL,
    entry_id         {ID}      NOT NULL,
    code             TEXT      NOT NULL,
    comune           TEXT      NOT NULL,
    office           {JSON}    NOT NULL,
    office_email     TEXT,
    office_phone     TEXT,
    due_on           {DATE},
    silence          TEXT      CHECK (silence IN ('assent', 'refusal')),
    responsible      TEXT,
    remedy           TEXT,
    verification_url TEXT,
    issued_at        {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, entry_id),
    UNIQUE (tenant_id, code),
    FOREIGN KEY (tenant_id, entry_id) REFERENCES protocol_entries (tenant_id, id),
    CHECK (silence IS NULL OR due_on IS NOT NULL)
) {KEYED};

-- Handing an entry on to the Comune's own protocol system, until it has its number there.
CREATE TABLE protocol_registrations (
    tenant_id              {ID}      NOT NULL,
    id                     {ID}      NOT NULL,
    entry_id               {ID}      NOT NULL,
    office_id              {ID}      NOT NULL,
    connector              TEXT      NOT NULL CHECK (connector IN ('internal', 'http_json', 'docarea_soap')),
    state                  TEXT      NOT NULL CHECK (state IN ('pending', 'registered', 'needs_review', 'failed')),
    -- Whether an attempt was begun of which nobody knows what came of it.
    in_doubt               {BOOL}    NOT NULL,
    attempts               {INT}     NOT NULL,
    next_attempt_at        {INSTANT} NOT NULL,
    leased_by              {ID},
    leased_until           {INSTANT},
    -- Why the last attempt came to nothing; no text of the other system.
    problem                TEXT,
    external_register      TEXT,
    external_number        TEXT,
    external_year          {INT},
    external_registered_at {INSTANT},
    external_reference     TEXT,
    version                {INT}     NOT NULL,
    created_at             {INSTANT} NOT NULL,
    settled_at             {INSTANT},
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, entry_id),
    FOREIGN KEY (tenant_id, entry_id) REFERENCES protocol_entries (tenant_id, id),
    FOREIGN KEY (tenant_id, office_id) REFERENCES offices (tenant_id, id),
    CHECK ((external_number IS NULL) = (external_year IS NULL))
) {KEYED};
CREATE INDEX protocol_registrations_due ON protocol_registrations (tenant_id, state, next_attempt_at);

-- What was registered on a day (registro giornaliero), as it is given to preservation.
CREATE TABLE protocol_daily_registers (
    tenant_id     {ID}      NOT NULL,
    id            {ID}      NOT NULL,
    aoo_code      TEXT      NOT NULL,
    register_code TEXT      NOT NULL,
    day           {DATE}    NOT NULL,
    entries       {INT}     NOT NULL,
    annulments    {INT}     NOT NULL,
    first_number  {INT},
    last_number   {INT},
    csv           TEXT      NOT NULL,
    csv_sha256    TEXT      NOT NULL,
    xml           TEXT      NOT NULL,
    xml_sha256    TEXT      NOT NULL,
    created_at    {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, aoo_code, register_code, day),
    FOREIGN KEY (tenant_id, aoo_code, register_code) REFERENCES protocol_registers (tenant_id, aoo_code, register_code)
) {KEYED};
CREATE INDEX protocol_daily_registers_day ON protocol_daily_registers (tenant_id, day, id);

-- How the Comune's register is called, and where its own protocol system is.
CREATE TABLE protocol_connections (
    tenant_id     {ID}      NOT NULL,
    connector     TEXT      NOT NULL CHECK (connector IN ('internal', 'http_json', 'docarea_soap')),
    ipa_code      TEXT      NOT NULL,
    aoo_code      TEXT      NOT NULL,
    register_code TEXT      NOT NULL,
    -- Where receipts are verified, an address with a place for the code.
    receipt_page  TEXT,
    base_url      TEXT,
    username      TEXT,
    entity_code   TEXT,
    concealed     TEXT,
    version       {INT}     NOT NULL,
    updated_at    {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- What was registered stays as it is (DPR 445/2000 article 53: in a form that cannot be modified).
{SQLITE}
CREATE TRIGGER protocol_entries_kept BEFORE DELETE ON protocol_entries BEGIN
    SELECT RAISE(ABORT, 'what was registered is kept');
END;
CREATE TRIGGER protocol_entries_fixed BEFORE UPDATE OF tenant_id, id, ipa_code, aoo_code, register_code, year, number,
    seq, registered_at, registered_by, direction, subject, subject_words, classification, office_id, channel,
    sender_reference, received_on, confidential, documents, source_key, recovers_id, previous_hash, hash
    ON protocol_entries BEGIN
    SELECT RAISE(ABORT, 'what was registered is fixed');
END;
CREATE TRIGGER protocol_entries_annulled_once BEFORE UPDATE ON protocol_entries
    WHEN OLD.annulled_at IS NOT NULL OR NEW.annulled_at IS NULL BEGIN
    SELECT RAISE(ABORT, 'an entry is annulled once');
END;
CREATE TRIGGER protocol_parties_kept BEFORE DELETE ON protocol_parties BEGIN
    SELECT RAISE(ABORT, 'what was registered is kept');
END;
CREATE TRIGGER protocol_parties_fixed BEFORE UPDATE ON protocol_parties BEGIN
    SELECT RAISE(ABORT, 'what was registered is fixed');
END;
CREATE TRIGGER protocol_receipts_kept BEFORE DELETE ON protocol_receipts BEGIN
    SELECT RAISE(ABORT, 'what was registered is kept');
END;
CREATE TRIGGER protocol_receipts_fixed BEFORE UPDATE ON protocol_receipts BEGIN
    SELECT RAISE(ABORT, 'what was registered is fixed');
END;
CREATE TRIGGER protocol_daily_registers_kept BEFORE DELETE ON protocol_daily_registers BEGIN
    SELECT RAISE(ABORT, 'what was registered is kept');
END;
CREATE TRIGGER protocol_daily_registers_fixed BEFORE UPDATE ON protocol_daily_registers BEGIN
    SELECT RAISE(ABORT, 'what was registered is fixed');
END;
{/SQLITE}
{POSTGRES}
CREATE FUNCTION protocol_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was registered is kept as it is';
END $$;
CREATE TRIGGER protocol_entries_kept BEFORE DELETE ON protocol_entries
    FOR EACH ROW EXECUTE FUNCTION protocol_is_kept();
CREATE TRIGGER protocol_entries_fixed BEFORE UPDATE OF tenant_id, id, ipa_code, aoo_code, register_code, year, number,
    seq, registered_at, registered_by, direction, subject, subject_words, classification, office_id, channel,
    sender_reference, received_on, confidential, documents, source_key, recovers_id, previous_hash, hash
    ON protocol_entries FOR EACH ROW EXECUTE FUNCTION protocol_is_kept();
CREATE TRIGGER protocol_entries_annulled_once BEFORE UPDATE ON protocol_entries
    FOR EACH ROW WHEN (OLD.annulled_at IS NOT NULL OR NEW.annulled_at IS NULL)
    EXECUTE FUNCTION protocol_is_kept();
CREATE TRIGGER protocol_entries_emptied BEFORE TRUNCATE ON protocol_entries
    FOR EACH STATEMENT EXECUTE FUNCTION protocol_is_kept();
CREATE TRIGGER protocol_parties_fixed BEFORE UPDATE OR DELETE ON protocol_parties
    FOR EACH ROW EXECUTE FUNCTION protocol_is_kept();
CREATE TRIGGER protocol_parties_emptied BEFORE TRUNCATE ON protocol_parties
    FOR EACH STATEMENT EXECUTE FUNCTION protocol_is_kept();
CREATE TRIGGER protocol_receipts_fixed BEFORE UPDATE OR DELETE ON protocol_receipts
    FOR EACH ROW EXECUTE FUNCTION protocol_is_kept();
CREATE TRIGGER protocol_receipts_emptied BEFORE TRUNCATE ON protocol_receipts
    FOR EACH STATEMENT EXECUTE FUNCTION protocol_is_kept();
CREATE TRIGGER protocol_daily_registers_fixed BEFORE UPDATE OR DELETE ON protocol_daily_registers
    FOR EACH ROW EXECUTE FUNCTION protocol_is_kept();
CREATE TRIGGER protocol_daily_registers_emptied BEFORE TRUNCATE ON protocol_daily_registers
    FOR EACH STATEMENT EXECUTE FUNCTION protocol_is_kept();
{/POSTGRES}
