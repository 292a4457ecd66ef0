-- What every domain stands on: the Comuni, who works there, which programs may call,
-- answers kept for repeated requests, and the events that leave.

-- Where a slug becomes a tenant; the only table read before there is one.
CREATE TABLE tenants (
    tenant_id    {ID}      NOT NULL,
    slug         TEXT      NOT NULL,
    name         TEXT      NOT NULL,
    -- Patron saint: the local holiday (month and day), and its name.
    patron_month {INT},
    patron_day   {INT},
    patron_name  TEXT,
    state        TEXT      NOT NULL CHECK (state IN ('active', 'suspended')),
    created_at   {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id),
    UNIQUE (slug),
    CHECK ((patron_month IS NULL) = (patron_day IS NULL))
) {KEYED};

-- Buildings and other places the public can go to.
CREATE TABLE places (
    tenant_id      {ID}   NOT NULL,
    id             {ID}   NOT NULL,
    name           {JSON} NOT NULL,
    address        TEXT   NOT NULL,
    postal_code    TEXT   NOT NULL,
    locality       TEXT   NOT NULL,
    -- WGS 84, in millionths of a degree: whole numbers are equal on both databases.
    latitude_e6    {INT},
    longitude_e6   {INT},
    accessibility  {JSON},
    version        {INT}  NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id),
    CHECK ((latitude_e6 IS NULL) = (longitude_e6 IS NULL)),
    CHECK (latitude_e6 BETWEEN -90000000 AND 90000000),
    CHECK (longitude_e6 BETWEEN -180000000 AND 180000000)
) {KEYED};

CREATE TABLE offices (
    tenant_id   {ID}   NOT NULL,
    id          {ID}   NOT NULL,
    slug        TEXT   NOT NULL,
    name        {JSON} NOT NULL,
    description {JSON},
    place_id    {ID}   NOT NULL,
    email       TEXT,
    phone       TEXT,
    -- The URP, which sees what every office sees.
    central     {BOOL} NOT NULL,
    version     {INT}  NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, slug),
    FOREIGN KEY (tenant_id, place_id) REFERENCES places (tenant_id, id)
) {KEYED};

-- People who work for the Comune, known by the subject of their identity provider.
CREATE TABLE staff_members (
    tenant_id    {ID}      NOT NULL,
    id           {ID}      NOT NULL,
    provider     TEXT      NOT NULL,
    subject      TEXT      NOT NULL,
    display_name TEXT      NOT NULL,
    role         TEXT      NOT NULL CHECK (role IN ('operator', 'manager', 'admin')),
    disabled_at  {INSTANT},
    created_at   {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, provider, subject),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

CREATE TABLE staff_offices (
    tenant_id {ID} NOT NULL,
    staff_id  {ID} NOT NULL,
    office_id {ID} NOT NULL,
    PRIMARY KEY (tenant_id, staff_id, office_id),
    FOREIGN KEY (tenant_id, staff_id) REFERENCES staff_members (tenant_id, id),
    FOREIGN KEY (tenant_id, office_id) REFERENCES offices (tenant_id, id)
) {KEYED};

-- Keys of devices (kiosks), of other systems, and of whoever runs the deployment (tenant: the nil id).
CREATE TABLE api_keys (
    tenant_id           {ID}      NOT NULL,
    id                  {ID}      NOT NULL,
    -- The public half of the key, by which it is found.
    handle              TEXT      NOT NULL,
    -- SHA-256 of the secret half, hexadecimal. The secret has 256 random bits: it needs no slow hash.
    secret_hash         TEXT      NOT NULL,
    -- After a rotation the old secret answers until this instant.
    previous_hash       TEXT,
    previous_expires_at {INSTANT},
    kind                TEXT      NOT NULL CHECK (kind IN ('device', 'integration', 'platform')),
    label               TEXT      NOT NULL,
    office_id           {ID},
    scopes              {JSON}    NOT NULL,
    expires_at          {INSTANT},
    revoked_at          {INSTANT},
    created_at          {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, handle),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id),
    FOREIGN KEY (tenant_id, office_id) REFERENCES offices (tenant_id, id),
    CHECK ((kind = 'device') = (office_id IS NOT NULL))
) {KEYED};

-- Answers to requests that carried an Idempotency-Key. The key itself is not here, and the answer is
-- sealed with it and with the deployment's secret: who reads this table learns nothing.
CREATE TABLE idempotency_records (
    tenant_id    {ID}      NOT NULL,
    -- Keyed digest over caller, method, path and key, hexadecimal.
    fingerprint  TEXT      NOT NULL,
    -- SHA-256 over the key and the request body, hexadecimal.
    request_hash TEXT      NOT NULL,
    sealed       TEXT      NOT NULL,
    created_at   {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, fingerprint),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
CREATE INDEX idempotency_records_age ON idempotency_records (tenant_id, created_at);

-- What happened, written in the transaction that made it happen.
CREATE TABLE outbox_events (
    tenant_id    {ID}      NOT NULL,
    id           {ID}      NOT NULL,
    kind         TEXT      NOT NULL,
    subject_kind TEXT      NOT NULL,
    subject_id   {ID}      NOT NULL,
    -- The subject's version after the event: order per object.
    subject_version {INT}  NOT NULL,
    actor        TEXT      NOT NULL,
    payload      {JSON}    NOT NULL,
    occurred_at  {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
CREATE INDEX outbox_events_subject ON outbox_events (tenant_id, subject_id, subject_version);
