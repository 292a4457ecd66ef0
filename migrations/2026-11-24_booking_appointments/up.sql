-- Calendars of counters, what people come for, and their appointments.

CREATE TABLE calendars (
    tenant_id          {ID}   NOT NULL,
    id                 {ID}   NOT NULL,
    office_id          {ID}   NOT NULL,
    name               {JSON} NOT NULL,
    -- The grain of occupancy; slot lengths and opening hours are multiples of it.
    tick_minutes       {INT}  NOT NULL CHECK (tick_minutes IN (5, 10, 15, 30, 60)),
    slot_minutes       {INT}  NOT NULL CHECK (slot_minutes > 0 AND slot_minutes % tick_minutes = 0),
    -- Counters that work in parallel where an opening rule does not say.
    capacity           {INT}  NOT NULL CHECK (capacity >= 0),
    closed_on_holidays {BOOL} NOT NULL,
    lead_minutes       {INT}  NOT NULL CHECK (lead_minutes >= 0),
    horizon_days       {INT}  NOT NULL CHECK (horizon_days >= 0),
    version            {INT}  NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, office_id) REFERENCES offices (tenant_id, id)
) {KEYED};
CREATE INDEX calendars_office ON calendars (tenant_id, office_id);

CREATE TABLE opening_rules (
    tenant_id     {ID}   NOT NULL,
    id            {ID}   NOT NULL,
    calendar_id   {ID}   NOT NULL,
    weekday       {INT}  NOT NULL CHECK (weekday BETWEEN 1 AND 7),
    starts_at     {TIME} NOT NULL,
    ends_at       {TIME} NOT NULL,
    valid_from    {DATE} NOT NULL,
    valid_until   {DATE},
    every_n_weeks {INT}  NOT NULL CHECK (every_n_weeks BETWEEN 1 AND 52),
    capacity      {INT}  NOT NULL CHECK (capacity >= 0),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, id),
    CHECK (starts_at < ends_at),
    CHECK (valid_until IS NULL OR valid_from <= valid_until)
) {KEYED};
CREATE INDEX opening_rules_calendar ON opening_rules (tenant_id, calendar_id);

CREATE TABLE opening_exceptions (
    tenant_id   {ID}   NOT NULL,
    id          {ID}   NOT NULL,
    calendar_id {ID}   NOT NULL,
    date        {DATE} NOT NULL,
    kind        TEXT   NOT NULL CHECK (kind IN ('closed', 'open', 'capacity')),
    -- Both absent: the whole day.
    starts_at   {TIME},
    ends_at     {TIME},
    capacity    {INT}  CHECK (capacity >= 0),
    reason      {JSON},
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, id),
    CHECK ((starts_at IS NULL) = (ends_at IS NULL)),
    CHECK (starts_at < ends_at),
    CHECK (kind <> 'open' OR starts_at IS NOT NULL),
    CHECK (kind <> 'closed' OR capacity IS NULL)
) {KEYED};
CREATE INDEX opening_exceptions_calendar ON opening_exceptions (tenant_id, calendar_id, date);

-- What one can come to a counter for.
CREATE TABLE appointment_services (
    tenant_id             {ID}   NOT NULL,
    id                    {ID}   NOT NULL,
    slug                  TEXT   NOT NULL,
    name                  {JSON} NOT NULL,
    description           {JSON},
    -- What to bring: a list of localized texts.
    required_documents    {JSON} NOT NULL,
    duration_minutes      {INT}  NOT NULL CHECK (duration_minutes > 0),
    extra_person_minutes  {INT}  NOT NULL CHECK (extra_person_minutes >= 0),
    max_persons           {INT}  NOT NULL CHECK (max_persons >= 1),
    buffer_before_minutes {INT}  NOT NULL CHECK (buffer_before_minutes >= 0),
    buffer_after_minutes  {INT}  NOT NULL CHECK (buffer_after_minutes >= 0),
    -- Open appointments one person may have for this service; absent: no limit.
    max_per_person        {INT}  CHECK (max_per_person >= 1),
    anonymous_allowed     {BOOL} NOT NULL,
    version               {INT}  NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, slug),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- Which calendars a service is given at: the way from a need to a counter.
CREATE TABLE service_calendars (
    tenant_id   {ID} NOT NULL,
    service_id  {ID} NOT NULL,
    calendar_id {ID} NOT NULL,
    PRIMARY KEY (tenant_id, service_id, calendar_id),
    FOREIGN KEY (tenant_id, service_id) REFERENCES appointment_services (tenant_id, id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, id)
) {KEYED};

-- Locked, in order, by every write that takes time of a calendar's day, before it looks what is free.
-- The version counts the times it was locked.
CREATE TABLE calendar_days (
    tenant_id   {ID}   NOT NULL,
    calendar_id {ID}   NOT NULL,
    day         {DATE} NOT NULL,
    version     {INT}  NOT NULL,
    PRIMARY KEY (tenant_id, calendar_id, day),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, id)
) {KEYED};

-- One row per counter and tick that is taken. Two claims of the same counter at the same time
-- cannot both be rows, whatever the code does.
CREATE TABLE occupancy (
    tenant_id       {ID}  NOT NULL,
    calendar_id     {ID}  NOT NULL,
    -- Minutes since 1970 (UTC) divided by the calendar's tick_minutes.
    tick            {INT} NOT NULL,
    seat            {INT} NOT NULL CHECK (seat >= 1),
    -- The hold or appointment that took it.
    claim_id        {ID}  NOT NULL,
    -- Set for holds: past this instant the row counts for nothing, whether or not it was swept.
    hold_expires_at {INSTANT},
    PRIMARY KEY (tenant_id, calendar_id, tick, seat),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, id)
) {KEYED};
CREATE INDEX occupancy_claim ON occupancy (tenant_id, claim_id);
CREATE INDEX occupancy_expiry ON occupancy (tenant_id, hold_expires_at);

CREATE TABLE holds (
    tenant_id   {ID}      NOT NULL,
    id          {ID}      NOT NULL,
    service_id  {ID}      NOT NULL,
    calendar_id {ID}      NOT NULL,
    starts_at   {INSTANT} NOT NULL,
    ends_at     {INSTANT} NOT NULL,
    persons     {INT}     NOT NULL CHECK (persons >= 1),
    -- Who may use it: the caller's actor.
    owner       TEXT      NOT NULL,
    expires_at  {INSTANT} NOT NULL,
    created_at  {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, service_id, calendar_id) REFERENCES service_calendars (tenant_id, service_id, calendar_id),
    CHECK (starts_at < ends_at)
) {KEYED};
CREATE INDEX holds_expiry ON holds (tenant_id, expires_at);
CREATE INDEX holds_owner ON holds (tenant_id, owner);

CREATE TABLE appointments (
    tenant_id          {ID}      NOT NULL,
    id                 {ID}      NOT NULL,
    code               TEXT      NOT NULL,
    service_id         {ID}      NOT NULL,
    calendar_id        {ID}      NOT NULL,
    office_id          {ID}      NOT NULL,
    starts_at          {INSTANT} NOT NULL,
    ends_at            {INSTANT} NOT NULL,
    persons            {INT}     NOT NULL CHECK (persons >= 1),
    state              TEXT      NOT NULL CHECK (state IN ('confirmed', 'checked_in', 'serving', 'completed', 'cancelled', 'no_show')),
    channel            TEXT      NOT NULL CHECK (channel IN ('anonymous', 'citizen', 'counter', 'integration')),
    -- Pseudonym of the person it is for, by which the limits per person are counted.
    person_key         TEXT      NOT NULL,
    -- Who may see and change it: the actor of the citizen it belongs to, or `anonymous` (then: the manage token).
    owner              TEXT      NOT NULL,
    -- SHA-256 of the manage token given to anonymous callers, hexadecimal.
    manage_token_hash  TEXT,
    cancelled_by       TEXT,
    version            {INT}     NOT NULL,
    created_at         {INSTANT} NOT NULL,
    updated_at         {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, code),
    FOREIGN KEY (tenant_id, service_id, calendar_id) REFERENCES service_calendars (tenant_id, service_id, calendar_id),
    FOREIGN KEY (tenant_id, office_id) REFERENCES offices (tenant_id, id),
    CHECK (starts_at < ends_at)
) {KEYED};
CREATE INDEX appointments_person ON appointments (tenant_id, person_key, service_id);
CREATE INDEX appointments_owner ON appointments (tenant_id, owner, starts_at, id);
CREATE INDEX appointments_calendar ON appointments (tenant_id, calendar_id, starts_at, id);

-- Who comes. Apart from the appointment, so that lists, statistics and retention do not touch it.
CREATE TABLE appointment_applicants (
    tenant_id      {ID} NOT NULL,
    appointment_id {ID} NOT NULL,
    given_name     TEXT NOT NULL,
    family_name    TEXT NOT NULL,
    tax_code       TEXT,
    email          TEXT NOT NULL,
    phone          TEXT,
    notes          TEXT,
    -- In the person's own words, and so as personal as the rest.
    cancellation_reason TEXT,
    PRIMARY KEY (tenant_id, appointment_id),
    FOREIGN KEY (tenant_id, appointment_id) REFERENCES appointments (tenant_id, id)
) {KEYED};

-- Locked by a booking that counts what a person has open, so that two at once are counted one after the
-- other. Many people share a row: that somebody booked is nobody's to read here.
CREATE TABLE person_locks (
    tenant_id {ID}  NOT NULL,
    bucket    {INT} NOT NULL,
    version   {INT} NOT NULL,
    PRIMARY KEY (tenant_id, bucket),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};
