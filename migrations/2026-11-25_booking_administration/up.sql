-- Hours are edited one by one: each counts its changes.
ALTER TABLE opening_rules ADD COLUMN version {INT} NOT NULL DEFAULT 1;
ALTER TABLE opening_exceptions ADD COLUMN version {INT} NOT NULL DEFAULT 1;
-- A service that a calendar no longer gives; the appointments it was given for still point here.
ALTER TABLE service_calendars ADD COLUMN given {BOOL} NOT NULL DEFAULT TRUE;
