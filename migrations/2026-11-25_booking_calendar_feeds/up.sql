-- Addresses at which other programs read a calendar (iCalendar), each with a code of its own that can be ended.
CREATE TABLE calendar_feeds (
    tenant_id   {ID}      NOT NULL,
    id          {ID}      NOT NULL,
    calendar_id {ID}      NOT NULL,
    label       TEXT      NOT NULL,
    -- SHA-256 of the code in the address, hexadecimal. The code has 256 random bits: it needs no slow hash.
    code_hash   TEXT      NOT NULL,
    created_at  {INSTANT} NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, code_hash),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, id)
) {KEYED};
CREATE INDEX calendar_feeds_calendar ON calendar_feeds (tenant_id, calendar_id);
