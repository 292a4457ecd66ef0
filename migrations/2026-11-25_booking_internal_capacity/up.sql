-- Counters that only the office itself may fill: for people who telephone or stand at the counter.
ALTER TABLE opening_rules ADD COLUMN internal_capacity {INT} NOT NULL DEFAULT 0 CHECK (internal_capacity >= 0);
