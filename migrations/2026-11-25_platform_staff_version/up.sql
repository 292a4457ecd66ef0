-- Entries of the staff count their changes, so that two admins do not undo each other's.
ALTER TABLE staff_members ADD COLUMN version {INT} NOT NULL DEFAULT 1;
