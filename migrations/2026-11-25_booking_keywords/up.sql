-- Words by which people look for a service and that are not in its name: "CIE", "documento". A list of
-- texts in any language; absent: none.
ALTER TABLE appointment_services ADD COLUMN keywords {JSON};
