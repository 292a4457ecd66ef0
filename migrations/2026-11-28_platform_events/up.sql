-- Events get their place in the one order of a Comune, and leave: to who reads them, and to webhooks.

-- Absent until the event is published; then the place at which everybody reads it.
ALTER TABLE outbox_events ADD COLUMN position {INT};
-- The office it is about, by which it is decided who of the staff may read it; absent: the whole Comune's.
ALTER TABLE outbox_events ADD COLUMN office_id {ID};

-- The last place given. Locked by whoever publishes, so that places are given in the order of commits.
CREATE TABLE event_streams (
    tenant_id     {ID}  NOT NULL,
    last_position {INT} NOT NULL CHECK (last_position >= 0),
    PRIMARY KEY (tenant_id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
) {KEYED};

-- What happened before there was anybody to tell counts as told.
UPDATE outbox_events SET position = numbered.place
FROM (SELECT tenant_id AS t, id AS i, row_number() OVER (PARTITION BY tenant_id ORDER BY id) AS place
      FROM outbox_events) AS numbered
WHERE tenant_id = numbered.t AND id = numbered.i;
INSERT INTO event_streams (tenant_id, last_position)
SELECT tenant_id, max(position) FROM outbox_events GROUP BY tenant_id;

CREATE UNIQUE INDEX outbox_events_position ON outbox_events (tenant_id, position);
CREATE INDEX outbox_events_unpublished ON outbox_events (tenant_id, id) WHERE position IS NULL;
CREATE INDEX outbox_events_age ON outbox_events (tenant_id, occurred_at);

-- What a domain should have done upon an event, and failed to: it waits for somebody to look.
CREATE TABLE parked_reactions (
    tenant_id {ID}      NOT NULL,
    id        {ID}      NOT NULL,
    event_id  {ID}      NOT NULL,
    -- The name of what failed: booking.messages
    reaction  TEXT      NOT NULL,
    error     TEXT      NOT NULL,
    attempts  {INT}     NOT NULL,
    failed_at {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, event_id, reaction),
    FOREIGN KEY (tenant_id, event_id) REFERENCES outbox_events (tenant_id, id)
) {KEYED};

-- Where events are sent to.
CREATE TABLE webhooks (
    tenant_id           {ID}      NOT NULL,
    id                  {ID}      NOT NULL,
    url                 TEXT      NOT NULL,
    description         TEXT,
    -- A list of kinds of events; `appointment.*` is every kind that begins so, `*` is every kind.
    kinds               {JSON}    NOT NULL,
    state               TEXT      NOT NULL CHECK (state IN ('enabled', 'disabled')),
    -- Why it is disabled: by_hand, or gone (the receiver answered 410).
    disabled_because    TEXT      CHECK (disabled_because IN ('by_hand', 'gone')),
    -- What deliveries are signed with, concealed with the deployment's secret.
    signing_key         TEXT      NOT NULL,
    -- After a rotation the old one signs too, until this instant.
    previous_key        TEXT,
    previous_expires_at {INSTANT},
    version             {INT}     NOT NULL,
    created_at          {INSTANT} NOT NULL,
    updated_at          {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id),
    CHECK ((state = 'disabled') = (disabled_because IS NOT NULL)),
    CHECK ((previous_key IS NULL) = (previous_expires_at IS NULL))
) {KEYED};

-- An event on its way to a webhook.
CREATE TABLE webhook_deliveries (
    tenant_id       {ID}      NOT NULL,
    id              {ID}      NOT NULL,
    webhook_id      {ID}      NOT NULL,
    event_id        {ID}      NOT NULL,
    -- Of the event: a delivery waits while an earlier one about the same object is under way.
    subject_id      {ID}      NOT NULL,
    position        {INT}     NOT NULL,
    state           TEXT      NOT NULL CHECK (state IN ('pending', 'delivered', 'parked')),
    -- Since it was queued, or replayed last.
    attempts        {INT}     NOT NULL CHECK (attempts >= 0),
    next_attempt_at {INSTANT} NOT NULL,
    -- Who attempts it until when: past this instant anybody may.
    leased_by       {ID},
    leased_until    {INSTANT},
    created_at      {INSTANT} NOT NULL,
    settled_at      {INSTANT},
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, webhook_id, event_id),
    FOREIGN KEY (tenant_id, webhook_id) REFERENCES webhooks (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES outbox_events (tenant_id, id),
    CHECK ((leased_by IS NULL) = (leased_until IS NULL))
) {KEYED};
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (tenant_id, webhook_id, position) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_subject ON webhook_deliveries (tenant_id, webhook_id, subject_id, position) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (tenant_id, event_id);

-- Each time it was tried, whatever came of it.
CREATE TABLE webhook_attempts (
    tenant_id   {ID}      NOT NULL,
    delivery_id {ID}      NOT NULL,
    id          {ID}      NOT NULL,
    started_at  {INSTANT} NOT NULL,
    millis      {INT}     NOT NULL CHECK (millis >= 0),
    -- The HTTP status that was answered; absent when there was no answer.
    status      {INT},
    -- delivered, refused (an answer that is no 2xx), gone, unreachable, timed_out, forbidden_address
    outcome     TEXT      NOT NULL,
    PRIMARY KEY (tenant_id, delivery_id, id),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES webhook_deliveries (tenant_id, id)
) {KEYED};
