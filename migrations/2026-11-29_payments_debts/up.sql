-- What people owe the Comune, who they are, and what has become of it.

-- The Comune as a creditor of pagoPA.
CREATE TABLE payment_connections (
    tenant_id             {ID}      NOT NULL,
    -- Codice fiscale of the creditor (ente creditore): eleven digits.
    organisation_tax_code TEXT      NOT NULL,
    segregation_code      TEXT      NOT NULL,
    iban                  TEXT      NOT NULL,
    company_name          TEXT      NOT NULL,
    -- The subscription key, readable with the deployment's secret alone.
    concealed_key         TEXT      NOT NULL,
    -- Origins of pages that people may be sent back to: a list.
    return_origins        {JSON}    NOT NULL,
    enabled               {BOOL}    NOT NULL,
    version               {INT}     NOT NULL,
    updated_at            {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- Keys that notifications are signed with.
CREATE TABLE payment_notification_keys (
    tenant_id  {ID}      NOT NULL,
    id         {ID}      NOT NULL,
    concealed  TEXT      NOT NULL,
    created_at {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- The last serial number of each creditor and segregation code.
CREATE TABLE payment_counters (
    tenant_id        {ID}  NOT NULL,
    creditor         TEXT  NOT NULL,
    segregation_code TEXT  NOT NULL,
    last_number      {INT} NOT NULL,
    PRIMARY KEY (tenant_id, creditor, segregation_code),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

CREATE TABLE payment_debts (
    tenant_id          {ID}      NOT NULL,
    id                 {ID}      NOT NULL,
    -- What it is for.
    subject_kind       TEXT      NOT NULL,
    subject_id         {ID}      NOT NULL,
    -- The office that answers for it.
    office_id          {ID}      NOT NULL,
    -- Whose it is, as an actor, and their pseudonym.
    owner              TEXT      NOT NULL,
    person_key         TEXT      NOT NULL,
    description        TEXT      NOT NULL,
    total_cents        {INT}     NOT NULL CHECK (total_cents > 0),
    -- The end of the last day on which it can be paid.
    due_at             {INSTANT} NOT NULL,
    due_when           TEXT      NOT NULL CHECK (due_when IN ('before', 'after_approval')),
    creditor           TEXT      NOT NULL,
    notice_number      TEXT      NOT NULL,
    iuv                TEXT      NOT NULL,
    state              TEXT      NOT NULL CHECK (state IN
        ('draft', 'awaiting_publication', 'payable', 'started', 'paid', 'expired', 'cancelled')),
    -- What somebody should look at.
    paid_late          {BOOL}    NOT NULL,
    amount_mismatch    {BOOL}    NOT NULL,
    publication_failed {BOOL}    NOT NULL,
    -- When the provider was first told of it: from then on it may be there, whatever was answered.
    tried_at           {INSTANT},
    published_at       {INSTANT},
    paid_at            {INSTANT},
    paid_cents         {INT},
    -- What the provider calls the receipt.
    receipt_reference  TEXT,
    -- Digest of the token that opens it to who has not signed in.
    access_hash        TEXT,
    version            {INT}     NOT NULL,
    created_at         {INSTANT} NOT NULL,
    updated_at         {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, notice_number, creditor),
    FOREIGN KEY (tenant_id, office_id) REFERENCES offices (tenant_id, id)
) {KEYED};
CREATE INDEX payment_debts_owner ON payment_debts (tenant_id, owner, id);
CREATE INDEX payment_debts_person ON payment_debts (tenant_id, person_key, id);
CREATE INDEX payment_debts_office ON payment_debts (tenant_id, office_id, id);
CREATE INDEX payment_debts_subject ON payment_debts (tenant_id, subject_id, id);
CREATE INDEX payment_debts_created ON payment_debts (tenant_id, created_at, id);

-- What a debt consists of.
CREATE TABLE payment_lines (
    tenant_id       {ID}  NOT NULL,
    debt_id         {ID}  NOT NULL,
    place           {INT} NOT NULL,
    description     TEXT  NOT NULL,
    taxonomy_code   TEXT  NOT NULL,
    amount_cents    {INT} NOT NULL CHECK (amount_cents > 0),
    -- To the Comune's account, or as a revenue stamp.
    iban            TEXT,
    document_digest TEXT,
    province        TEXT,
    PRIMARY KEY (tenant_id, debt_id, place),
    FOREIGN KEY (tenant_id, debt_id) REFERENCES payment_debts (tenant_id, id),
    CHECK ((iban IS NULL) = (document_digest IS NOT NULL)),
    CHECK ((document_digest IS NULL) = (province IS NULL))
) {KEYED};

-- Who pays: personal, and so in a table of its own.
CREATE TABLE payment_debtors (
    tenant_id       {ID} NOT NULL,
    debt_id         {ID} NOT NULL,
    given_name      TEXT,
    family_name     TEXT,
    legal_name      TEXT,
    tax_code        TEXT NOT NULL,
    email           TEXT,
    -- Where they live, which printed notices tell: whole or not at all.
    street          TEXT,
    building_number TEXT,
    postal_code     TEXT,
    locality        TEXT,
    province        TEXT,
    CHECK ((street IS NULL) = (building_number IS NULL)),
    CHECK ((street IS NULL) = (postal_code IS NULL)),
    CHECK ((street IS NULL) = (locality IS NULL)),
    CHECK ((street IS NULL) = (province IS NULL)),
    PRIMARY KEY (tenant_id, debt_id),
    FOREIGN KEY (tenant_id, debt_id) REFERENCES payment_debts (tenant_id, id)
) {KEYED};

-- What is still to be done with the provider about a debt.
CREATE TABLE payment_tasks (
    tenant_id    {ID}      NOT NULL,
    debt_id      {ID}      NOT NULL,
    task         TEXT      NOT NULL CHECK (task IN ('publish', 'check', 'withdraw')),
    due_at       {INSTANT} NOT NULL,
    -- How often it was begun since it became this task, without what failed.
    attempts     {INT}     NOT NULL,
    -- How often it has failed since it was done last.
    failures     {INT}     NOT NULL,
    leased_by    {ID},
    leased_until {INSTANT},
    -- Why it failed last, as a word.
    outcome      TEXT,
    PRIMARY KEY (tenant_id, debt_id),
    FOREIGN KEY (tenant_id, debt_id) REFERENCES payment_debts (tenant_id, id)
) {KEYED};
CREATE INDEX payment_tasks_due ON payment_tasks (tenant_id, due_at, debt_id);

-- What was given back.
CREATE TABLE payment_refunds (
    tenant_id    {ID}      NOT NULL,
    id           {ID}      NOT NULL,
    debt_id      {ID}      NOT NULL,
    amount_cents {INT}     NOT NULL CHECK (amount_cents > 0),
    reason       TEXT      NOT NULL,
    reference    TEXT      NOT NULL,
    -- Who recorded it.
    recorded_by  TEXT      NOT NULL,
    created_at   {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, debt_id) REFERENCES payment_debts (tenant_id, id)
) {KEYED};
CREATE INDEX payment_refunds_debt ON payment_refunds (tenant_id, debt_id, id);

-- What a provider has told by itself.
CREATE TABLE payment_notifications (
    tenant_id     {ID}      NOT NULL,
    id            {ID}      NOT NULL,
    -- The sender's id of it: the same whenever it is sent again.
    message_id    TEXT      NOT NULL,
    -- SHA-256 of the body.
    digest        TEXT      NOT NULL,
    notice_number TEXT      NOT NULL,
    debt_id       {ID},
    amount_cents  {INT},
    outcome       TEXT      NOT NULL CHECK (outcome IN ('noted', 'unknown_notice', 'amount_mismatch')),
    received_at   {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, message_id),
    FOREIGN KEY (tenant_id, debt_id) REFERENCES payment_debts (tenant_id, id)
) {KEYED};
CREATE INDEX payment_notifications_debt ON payment_notifications (tenant_id, debt_id, id);

-- The other side of the provider that takes no money: positions as it knows them.
CREATE TABLE payment_simulations (
    tenant_id     {ID}      NOT NULL,
    -- What the debt is called there.
    position      TEXT      NOT NULL,
    notice_number TEXT      NOT NULL,
    amount_cents  {INT}     NOT NULL,
    state         TEXT      NOT NULL CHECK (state IN ('valid', 'invalid', 'paid')),
    paid_cents    {INT},
    paid_at       {INSTANT},
    receipt       TEXT,
    PRIMARY KEY (tenant_id, position),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
