//! A database that an older version filled arrives at this one's schema with what it held, made to fit.

use booking::appointments::search::words::Keys;
use jiff::Timestamp;
use kernel::Id;
use storage::{Target, migrate};
use tests::Backend;
use uuid::Uuid;

use crate::{backends, catalog::Database, empty};

/// The step that people are found by name with, and that remembers what happened to appointments.
const STEP: &str = "2026-11-25_booking_back_office";

/// People as the version before wrote them down: given name, family name, e-mail address.
const PEOPLE: [(&str, &str, &str); 4] = [
    ("Ada", "Prova", "Ada.Prova@example.org"),
    ("Éloïse", "D'Àlò-Müller", "eloise@example.org"),
    ("Zoë", "De Rossi", "zoe@example.org"),
    ("Çağ", "Groß", "cag@example.org"),
];

/// Applies the steps before `name`, and writes them down as done.
fn migrate_until(target: &Target, name: &str) -> Database {
    let mut database = Database::open(target);
    database.execute("CREATE TABLE schema_migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL)");
    for step in migrate::MIGRATIONS.iter().take_while(|step| step.name != name) {
        database.execute(&migrate::render(step.sql, target));
        database.execute(&format!("INSERT INTO schema_migrations VALUES ('{}', 'once')", step.name));
    }
    database
}

fn id(backend: Backend, number: u128) -> String {
    backend.id(Id::<()>::from_uuid(Uuid::from_u128(number)))
}

fn fill(database: &mut Database, backend: Backend) {
    let id = |number| id(backend, number);
    let at = |instant: &str| backend.instant(instant.parse().unwrap());
    let (comune, place, office, calendar, service) = (id(1), id(2), id(3), id(4), id(5));
    let (name, eight, nine, ten) =
        ("'{\"it\":\"Prova\"}'", at("2026-12-01T08:00Z"), at("2026-12-01T09:00Z"), at("2026-12-01T10:00Z"));
    database.execute(&format!(
        "INSERT INTO tenants (tenant_id, slug, name, state, created_at) \
         VALUES ({comune}, 'antica', 'Antica', 'active', {eight});
         INSERT INTO places (tenant_id, id, name, address, postal_code, locality, version) \
         VALUES ({comune}, {place}, {name}, 'Via Prova 1', '00000', 'Antica', 1);
         INSERT INTO offices (tenant_id, id, slug, name, place_id, central, version) \
         VALUES ({comune}, {office}, 'anagrafe', {name}, {place}, TRUE, 1);
         INSERT INTO calendars (tenant_id, id, office_id, name, tick_minutes, slot_minutes, capacity, \
            closed_on_holidays, lead_minutes, horizon_days, version) \
         VALUES ({comune}, {calendar}, {office}, {name}, 15, 15, 1, TRUE, 60, 90, 1);
         INSERT INTO appointment_services (tenant_id, id, slug, name, required_documents, duration_minutes, \
            extra_person_minutes, max_persons, buffer_before_minutes, buffer_after_minutes, anonymous_allowed, version) \
         VALUES ({comune}, {service}, 'carta', {name}, '[]', 15, 0, 1, 0, 0, TRUE, 1);
         INSERT INTO service_calendars (tenant_id, service_id, calendar_id) VALUES ({comune}, {service}, {calendar});"
    ));
    for (number, (given_name, family_name, email)) in (0..).zip(PEOPLE) {
        let appointment = id(100 + number);
        let (given_name, family_name) = (given_name.replace('\'', "''"), family_name.replace('\'', "''"));
        database.execute(&format!(
            "INSERT INTO appointments (tenant_id, id, code, service_id, calendar_id, office_id, starts_at, ends_at, \
                persons, state, channel, person_key, owner, version, created_at, updated_at) \
             VALUES ({comune}, {appointment}, 'CODE000{number}', {service}, {calendar}, {office}, {nine}, {ten}, \
                1, 'cancelled', 'anonymous', 'p{number}', 'anonymous', 2, {eight}, {eight});
             INSERT INTO appointment_applicants (tenant_id, appointment_id, given_name, family_name, email) \
             VALUES ({comune}, {appointment}, '{given_name}', '{family_name}', '{email}');"
        ));
    }
    for (version, kind, state) in [(1, "appointment.confirmed", "confirmed"), (2, "appointment.cancelled", "cancelled")]
    {
        let (event, appointment) = (id(200 + version), id(100));
        database.execute(&format!(
            "INSERT INTO outbox_events (tenant_id, id, kind, subject_kind, subject_id, subject_version, actor, \
                payload, occurred_at) \
             VALUES ({comune}, {event}, '{kind}', 'appointment', {appointment}, {version}, 'anonymous', \
                '{{\"state\":\"{state}\"}}', {eight});"
        ));
    }
}

#[test]
fn people_of_an_older_version_are_found_and_their_history_is_kept() {
    for backend in backends() {
        let fresh = empty(backend);
        let mut database = migrate_until(&fresh.target, STEP);
        fill(&mut database, backend);
        drop(database);
        assert_eq!(migrate::run(&fresh.target, Timestamp::UNIX_EPOCH).unwrap().first(), Some(&STEP), "{backend:?}");

        // The owner of PostgreSQL's tables, who migrates, is held to one Comune like everybody.
        let mut database = Database::open(&fresh.target);
        if backend == Backend::Postgres {
            database.execute(&format!("SET sportello.tenant = {}", id(backend, 1)));
        }
        let mut expected: Vec<String> = PEOPLE
            .iter()
            .map(|(given, family, email)| Keys::of(given, family, email))
            .map(|keys| format!("{}|{}|{}", keys.family, keys.given, keys.email))
            .collect();
        expected.sort();
        let mut found = database
            .list("SELECT family_key || '|' || given_key || '|' || email_key AS value FROM appointment_applicants");
        found.sort();
        // Of all these letters the step does not know the `ğ`.
        let unknown_letter = |text: &String| text.contains("cag@");
        assert_eq!(
            found.iter().filter(|text| !unknown_letter(text)).collect::<Vec<_>>(),
            expected.iter().filter(|text| !unknown_letter(text)).collect::<Vec<_>>(),
            "{backend:?}"
        );
        assert!(found.iter().any(|text| text.starts_with("gross ") && unknown_letter(text)), "{backend:?}: {found:?}");

        let history = database.list(
            "SELECT action || ' ' || coalesce(state_before, '-') || ' ' || state_after AS value \
             FROM appointment_history ORDER BY version",
        );
        assert_eq!(history, ["appointment.confirmed - confirmed", "appointment.cancelled confirmed cancelled"]);
    }
}
