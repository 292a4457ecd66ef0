-- Staff who sign in with a password of their own: what proves it is them, and the sessions they have opened.

CREATE TABLE password_accounts (
    tenant_id            {ID}      NOT NULL,
    staff_id             {ID}      NOT NULL,
    -- Argon2id, as a PHC string; absent until the first password is set.
    password_hash        TEXT,
    password_changed_at  {INSTANT},
    -- SHA-256 of the code with which a first password, or another one, is set; it answers once.
    enrolment_digest     TEXT,
    enrolment_expires_at {INSTANT},
    -- The seed of the one-time codes (TOTP), concealed; and one that is not confirmed yet.
    totp_seed            TEXT,
    totp_pending         TEXT,
    -- The last step whose code was used: none is accepted twice.
    totp_step            {INT}     NOT NULL,
    -- Failed attempts since the instant beside them, until when the account is locked, and how often it has been.
    failures             {INT}     NOT NULL,
    failing_since        {INSTANT},
    locked_until         {INSTANT},
    locks                {INT}     NOT NULL,
    version              {INT}     NOT NULL,
    PRIMARY KEY (tenant_id, staff_id),
    FOREIGN KEY (tenant_id, staff_id) REFERENCES staff_members (tenant_id, id)
) {KEYED};

-- Codes for whoever has lost the device with the one-time codes. A row that was used is gone.
CREATE TABLE recovery_codes (
    tenant_id {ID} NOT NULL,
    staff_id  {ID} NOT NULL,
    -- Keyed digest of the code, hexadecimal.
    digest    TEXT NOT NULL,
    PRIMARY KEY (tenant_id, staff_id, digest),
    FOREIGN KEY (tenant_id, staff_id) REFERENCES password_accounts (tenant_id, staff_id)
) {KEYED};

CREATE TABLE staff_sessions (
    tenant_id          {ID}      NOT NULL,
    id                 {ID}      NOT NULL,
    staff_id           {ID}      NOT NULL,
    -- The public half of its tokens, by which it is found.
    handle             TEXT      NOT NULL,
    -- SHA-256 of the secret halves, hexadecimal. They have 256 random bits: they need no slow hash.
    access_digest      TEXT      NOT NULL,
    access_expires_at  {INSTANT} NOT NULL,
    refresh_digest     TEXT      NOT NULL,
    refresh_expires_at {INSTANT} NOT NULL,
    -- It ends then, however often it is refreshed.
    ends_at            {INSTANT} NOT NULL,
    created_at         {INSTANT} NOT NULL,
    ended_at           {INSTANT},
    version            {INT}     NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, handle),
    FOREIGN KEY (tenant_id, staff_id) REFERENCES staff_members (tenant_id, id)
) {KEYED};
CREATE INDEX staff_sessions_staff ON staff_sessions (tenant_id, staff_id);

-- Refresh tokens that were used. One that comes again was copied by somebody: the session ends.
CREATE TABLE spent_refreshes (
    tenant_id  {ID} NOT NULL,
    session_id {ID} NOT NULL,
    digest     TEXT NOT NULL,
    PRIMARY KEY (tenant_id, session_id, digest),
    FOREIGN KEY (tenant_id, session_id) REFERENCES staff_sessions (tenant_id, id)
) {KEYED};
