-- The language in which a person booked, for what is written to them; absent: nobody asked in one.
ALTER TABLE appointment_applicants ADD COLUMN language TEXT CHECK (language IN ('it', 'en', 'de'));
