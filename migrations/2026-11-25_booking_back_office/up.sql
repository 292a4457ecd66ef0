-- What the people at the counter need: finding appointments by who comes, what happened to each, notes of
-- their own, and time kept free of visitors.

-- How a person is found: names folded to lower case without accents, in both orders, and the e-mail address in
-- lower case. Compared byte by byte, so that the beginning of a name is a range of the index.
ALTER TABLE appointment_applicants ADD COLUMN family_key {BYTES} NOT NULL DEFAULT '';
ALTER TABLE appointment_applicants ADD COLUMN given_key {BYTES} NOT NULL DEFAULT '';
ALTER TABLE appointment_applicants ADD COLUMN email_key {BYTES} NOT NULL DEFAULT '';

-- The letters of western Europe; whoever is written otherwise is found again once their appointment changes.
UPDATE appointment_applicants SET
  email_key = lower(email),
  family_key = replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(
    lower(trim(family_name) || ' ' || trim(given_name))
    , 'à', 'a'), 'À', 'a'), 'á', 'a'), 'Á', 'a'), 'â', 'a'), 'Â', 'a'), 'ã', 'a'), 'Ã', 'a'), 'ä', 'a'), 'Ä', 'a')
    , 'å', 'a'), 'Å', 'a'), 'è', 'e'), 'È', 'e'), 'é', 'e'), 'É', 'e'), 'ê', 'e'), 'Ê', 'e'), 'ë', 'e'), 'Ë', 'e')
    , 'ì', 'i'), 'Ì', 'i'), 'í', 'i'), 'Í', 'i'), 'î', 'i'), 'Î', 'i'), 'ï', 'i'), 'Ï', 'i'), 'ò', 'o'), 'Ò', 'o')
    , 'ó', 'o'), 'Ó', 'o'), 'ô', 'o'), 'Ô', 'o'), 'õ', 'o'), 'Õ', 'o'), 'ö', 'o'), 'Ö', 'o'), 'ø', 'o'), 'Ø', 'o')
    , 'ù', 'u'), 'Ù', 'u'), 'ú', 'u'), 'Ú', 'u'), 'û', 'u'), 'Û', 'u'), 'ü', 'u'), 'Ü', 'u'), 'ç', 'c'), 'Ç', 'c')
    , 'ñ', 'n'), 'Ñ', 'n'), 'ý', 'y'), 'Ý', 'y'), 'š', 's'), 'Š', 's'), 'ž', 'z'), 'Ž', 'z'), 'ß', 'ss')
    , 'æ', 'ae'), 'Æ', 'ae'), '''', ''), '’', ''), '-', ' '),
  given_key = replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
    replace(replace(replace(replace(
    lower(trim(given_name) || ' ' || trim(family_name))
    , 'à', 'a'), 'À', 'a'), 'á', 'a'), 'Á', 'a'), 'â', 'a'), 'Â', 'a'), 'ã', 'a'), 'Ã', 'a'), 'ä', 'a'), 'Ä', 'a')
    , 'å', 'a'), 'Å', 'a'), 'è', 'e'), 'È', 'e'), 'é', 'e'), 'É', 'e'), 'ê', 'e'), 'Ê', 'e'), 'ë', 'e'), 'Ë', 'e')
    , 'ì', 'i'), 'Ì', 'i'), 'í', 'i'), 'Í', 'i'), 'î', 'i'), 'Î', 'i'), 'ï', 'i'), 'Ï', 'i'), 'ò', 'o'), 'Ò', 'o')
    , 'ó', 'o'), 'Ó', 'o'), 'ô', 'o'), 'Ô', 'o'), 'õ', 'o'), 'Õ', 'o'), 'ö', 'o'), 'Ö', 'o'), 'ø', 'o'), 'Ø', 'o')
    , 'ù', 'u'), 'Ù', 'u'), 'ú', 'u'), 'Ú', 'u'), 'û', 'u'), 'Û', 'u'), 'ü', 'u'), 'Ü', 'u'), 'ç', 'c'), 'Ç', 'c')
    , 'ñ', 'n'), 'Ñ', 'n'), 'ý', 'y'), 'Ý', 'y'), 'š', 's'), 'Š', 's'), 'ž', 'z'), 'Ž', 'z'), 'ß', 'ss')
    , 'æ', 'ae'), 'Æ', 'ae'), '''', ''), '’', ''), '-', ' ');

CREATE INDEX appointment_applicants_family ON appointment_applicants (tenant_id, family_key, appointment_id);
CREATE INDEX appointment_applicants_given ON appointment_applicants (tenant_id, given_key, appointment_id);
CREATE INDEX appointment_applicants_email ON appointment_applicants (tenant_id, email_key);
CREATE INDEX appointment_applicants_tax_code ON appointment_applicants (tenant_id, tax_code);

-- The day's list of an office, of a service, of the Comune; that of a calendar is there already.
CREATE INDEX appointments_office ON appointments (tenant_id, office_id, starts_at, id);
CREATE INDEX appointments_service ON appointments (tenant_id, service_id, starts_at, id);
CREATE INDEX appointments_time ON appointments (tenant_id, starts_at, id);

-- What happened to each appointment. Kept as long as the appointment is, which events and audit are not.
CREATE TABLE appointment_history (
    tenant_id      {ID}      NOT NULL,
    appointment_id {ID}      NOT NULL,
    -- The appointment's version after it: one entry for each.
    version        {INT}     NOT NULL,
    -- Dotted, past tense, as the event: appointment.cancelled
    action         TEXT      NOT NULL,
    state_before   TEXT,
    state_after    TEXT      NOT NULL,
    -- When and where it was to be after it.
    starts_at      {INSTANT} NOT NULL,
    calendar_id    {ID}      NOT NULL,
    -- Kind and pseudonymous id of who did it.
    actor          TEXT      NOT NULL,
    occurred_at    {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, appointment_id, version),
    FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointments (tenant_id, id)
) {KEYED};

-- What was told until now: the states are in the events, the time only as it is today.
INSERT INTO appointment_history
    (tenant_id, appointment_id, version, action, state_before, state_after, starts_at, calendar_id, actor, occurred_at)
SELECT e.tenant_id, e.subject_id, e.subject_version, e.kind,
    lag(e.payload ->> 'state') OVER (PARTITION BY e.tenant_id, e.subject_id ORDER BY e.subject_version),
    e.payload ->> 'state', a.starts_at, a.calendar_id, e.actor, e.occurred_at
FROM outbox_events e
JOIN appointments a ON a.tenant_id = e.tenant_id AND a.id = e.subject_id
WHERE e.subject_kind = 'appointment';

-- What the office notes for itself.
CREATE TABLE appointment_notes (
    tenant_id      {ID}      NOT NULL,
    id             {ID}      NOT NULL,
    appointment_id {ID}      NOT NULL,
    author         TEXT      NOT NULL,
    body           TEXT      NOT NULL,
    created_at     {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointments (tenant_id, id)
) {KEYED};
CREATE INDEX appointment_notes_appointment ON appointment_notes (tenant_id, appointment_id, id);

-- Time kept free of visitors: meetings, maintenance. Its seats are rows of occupancy like anybody's.
CREATE TABLE calendar_blocks (
    tenant_id   {ID}      NOT NULL,
    id          {ID}      NOT NULL,
    calendar_id {ID}      NOT NULL,
    starts_at   {INSTANT} NOT NULL,
    ends_at     {INSTANT} NOT NULL,
    -- How many counters; absent: all there are.
    seats       {INT}     CHECK (seats >= 1),
    reason      TEXT      NOT NULL,
    created_by  TEXT      NOT NULL,
    created_at  {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, id),
    CHECK (starts_at < ends_at)
) {KEYED};
CREATE INDEX calendar_blocks_calendar ON calendar_blocks (tenant_id, calendar_id, starts_at, id);
