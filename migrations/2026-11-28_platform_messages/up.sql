-- Messages to people: what is to be sent and what became of it, what was written, what people wish, and the words
-- a Comune uses instead of the product's.

CREATE TABLE messages (
    tenant_id       {ID}      NOT NULL,
    id              {ID}      NOT NULL,
    -- What it tells: appointment.reminder. A domain adds its own.
    kind            TEXT      NOT NULL,
    -- What it is about.
    subject_kind    TEXT      NOT NULL,
    subject_id      {ID}      NOT NULL,
    -- Pseudonym of the person it goes to.
    person          TEXT      NOT NULL,
    -- The event that it tells of: the same event asks for the same message once.
    event_id        {ID}      NOT NULL,
    send_at         {INSTANT} NOT NULL,
    state           TEXT      NOT NULL
        CHECK (state IN ('planned', 'sending', 'sent', 'withdrawn', 'failed', 'parked')),
    -- How often sending began.
    attempts        {INT}     NOT NULL,
    -- When it is tried; while it is being sent, when whoever sends it has lost it.
    next_attempt_at {INSTANT} NOT NULL,
    -- The gateway that is sending it.
    leased_by       TEXT,
    channel         TEXT      CHECK (channel IN ('email', 'app_io')),
    -- Why it is in its state, as a word.
    outcome         TEXT,
    language        TEXT      CHECK (language IN ('it', 'en', 'de')),
    sent_at         {INSTANT},
    version         {INT}     NOT NULL,
    created_at      {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, event_id, kind),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
CREATE INDEX messages_due ON messages (tenant_id, state, next_attempt_at, id);
CREATE INDEX messages_subject ON messages (tenant_id, subject_id, id);
CREATE INDEX messages_person ON messages (tenant_id, person, id);

-- What was written to a person, and where to: personal, and so in a table of its own.
CREATE TABLE message_contents (
    tenant_id  {ID} NOT NULL,
    message_id {ID} NOT NULL,
    -- The e-mail address, or the codice fiscale for App IO.
    recipient  TEXT NOT NULL,
    subject    TEXT NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (tenant_id, message_id),
    FOREIGN KEY (tenant_id, message_id) REFERENCES messages (tenant_id, id)
) {KEYED};

-- How a person wants to be told.
CREATE TABLE message_preferences (
    tenant_id  {ID}      NOT NULL,
    -- The person's pseudonym.
    person     TEXT      NOT NULL,
    reminders  TEXT      NOT NULL CHECK (reminders IN ('app_io', 'email', 'none')),
    language   TEXT      CHECK (language IN ('it', 'en', 'de')),
    version    {INT}     NOT NULL,
    updated_at {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, person),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- The words of a Comune for a kind of message, instead of the product's.
CREATE TABLE message_templates (
    tenant_id  {ID}      NOT NULL,
    id         {ID}      NOT NULL,
    kind       TEXT      NOT NULL,
    language   TEXT      NOT NULL CHECK (language IN ('it', 'en', 'de')),
    subject    TEXT      NOT NULL,
    body       TEXT      NOT NULL,
    html       TEXT      NOT NULL,
    version    {INT}     NOT NULL,
    updated_at {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, kind, language),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- The Comune's key for App IO, readable with the deployment's secret alone.
CREATE TABLE app_io_connections (
    tenant_id  {ID}      NOT NULL,
    concealed  TEXT      NOT NULL,
    version    {INT}     NOT NULL,
    updated_at {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
