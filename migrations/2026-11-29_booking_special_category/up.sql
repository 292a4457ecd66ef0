-- Whether coming for a service tells of special categories of data (GDPR, article 9), such as health: then it is written
-- down who reads whose appointment for it.
ALTER TABLE appointment_services ADD COLUMN special_category {BOOL} NOT NULL DEFAULT FALSE;
