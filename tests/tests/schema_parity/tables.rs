//! What the code believes of the tables (diesel's `table!`) is what they are.

use std::{collections::BTreeMap, fs, path::Path};

use diesel::prelude::*;

use crate::{Fresh, backends, catalog::Database, migrated, none};

/// Selects every column of every `table!` named, on a connection of either kind: what fails is returned.
macro_rules! selected {
    ($conn:expr, $( $krate:ident: $($table:ident)* ),* $(,)?) => {{
        let mut outcomes = Vec::<(&str, QueryResult<usize>)>::new();
        $( $( {
            use $krate::schema::$table as t;
            outcomes.push((stringify!($table), t::table.select(t::all_columns).limit(0).execute($conn)));
        } )* )*
        outcomes
    }};
}

fn select_all(conn: &mut storage::Conn) -> Vec<(&'static str, QueryResult<usize>)> {
    selected!(conn,
        platform: tenants places offices staff_members staff_offices api_keys idempotency_records outbox_events
            audit_lanes audit_entries tenant_settings closures event_streams parked_reactions webhooks
            webhook_deliveries webhook_attempts retention_rules legal_holds retention_runs retention_turns
            data_access_entries messages message_contents message_preferences message_templates app_io_connections
            password_accounts recovery_codes staff_sessions spent_refreshes pdnd_clients pdnd_signatures_seen,
        documents: documents document_discards,
        protocol: protocol_registers protocol_emergencies protocol_entries protocol_parties protocol_receipts
            protocol_registrations protocol_daily_registers protocol_connections,
        payments: payment_connections payment_notification_keys payment_counters payment_debts payment_lines
            payment_debtors payment_tasks payment_refunds payment_notifications payment_simulations,
        booking: calendars opening_rules opening_exceptions appointment_services service_calendars calendar_days
            occupancy holds appointments appointment_applicants person_locks calendar_feeds appointment_history
            appointment_notes calendar_blocks,
    )
}

fn connection(fresh: &Fresh) -> storage::Conn {
    match &fresh.target {
        storage::Target::Sqlite(path) => {
            storage::Conn::Sqlite(SqliteConnection::establish(&path.to_string_lossy()).unwrap())
        }
        storage::Target::Postgres(url) => storage::Conn::Pg(PgConnection::establish(url).unwrap()),
    }
}

#[test]
fn every_table_can_be_read() {
    for backend in backends() {
        let fresh = migrated(backend);
        let mut findings = Vec::new();
        let mut selected = Vec::new();
        for (table, outcome) in select_all(&mut connection(&fresh)) {
            selected.push(table.to_owned());
            findings.extend(outcome.err().map(|error| format!("{table}: {error}")));
        }
        none(&findings, "`table!` in a crate's schema.rs names columns that the migrations do not make.");
        selected.sort_unstable();
        let tables: Vec<String> = Database::open(&fresh.target).tables().into_keys().collect();
        assert_eq!(selected, tables, "{backend:?}: a table, or its `table!`, is missing in select_all() of this test");
    }
}

/// A `table!` as it is written: its primary key, and its columns in order with type and whether they may be NULL.
type Declared = (Vec<String>, Vec<(String, String, bool)>);

/// diesel reads rows by place and by the type it was told, so order and types must be those of the database too.
#[test]
fn every_table_is_what_the_code_believes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut believed = BTreeMap::new();
    let mut folders = vec![root.join("crates")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("schema.rs") {
                believed.extend(declared(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    for backend in backends() {
        let fresh = migrated(backend);
        let tables = Database::open(&fresh.target).tables();
        assert_eq!(tables.keys().collect::<Vec<_>>(), believed.keys().collect::<Vec<_>>(), "{backend:?}");
        let mut findings = Vec::new();
        for (name, table) in &tables {
            let (key, columns) = &believed[name];
            if *key != table.primary_key {
                findings.push(format!("{name}: the key is {:?}, not {key:?}", table.primary_key));
            }
            for (at, (column, kind, nullable)) in columns.iter().enumerate() {
                let there = table.columns.get(at);
                let fits = there.is_some_and(|there| {
                    there.name == *column
                        && there.nullable == *nullable
                        && is_kind(kind, &there.sqlite, &there.postgres)
                });
                if !fits {
                    findings.push(format!("{name}: {column} -> {kind} (NULL: {nullable}) is {there:?}"));
                }
            }
            if columns.len() != table.columns.len() {
                findings.push(format!("{name}: {} columns, not {}", table.columns.len(), columns.len()));
            }
        }
        none(&findings, "Let `table!` in schema.rs say what the migrations make, columns in the same order.");
    }
}

fn is_kind(kind: &str, sqlite: &str, postgres: &str) -> bool {
    let (on_sqlite, on_postgres) = match kind {
        "Uid" => ("BLOB", "uuid"),
        "Instant" => ("INTEGER", "timestamp with time zone"),
        "JsonCol" => ("TEXT", "jsonb"),
        "CivilDate" => ("TEXT", "date"),
        "CivilTime" => ("TEXT", "time without time zone"),
        "BigInt" => ("INTEGER", "bigint"),
        "Bool" => ("INTEGER", "boolean"),
        "Text" => ("TEXT", "text"),
        _ => return false,
    };
    sqlite == on_sqlite && (postgres.is_empty() || postgres == on_postgres)
}

fn declared(text: &str) -> BTreeMap<String, Declared> {
    let mut found = BTreeMap::new();
    for block in text.split("diesel::table! {").skip(1) {
        let mut lines = block.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("use "));
        let head = lines.next().expect("a table");
        let (name, rest) = head.split_once(" (").expect("name (key) {");
        let key = rest.split(')').next().expect("a key").split(',').map(|column| column.trim().to_owned()).collect();
        let columns = lines.map_while(|line| line.trim_end_matches(',').split_once(" -> ")).map(|(column, kind)| {
            let inner = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
            (column.to_owned(), inner.unwrap_or(kind).to_owned(), inner.is_some())
        });
        found.insert(name.to_owned(), (key, columns.collect()));
    }
    found
}

#[test]
fn declarations_are_read() {
    let text = "diesel::table! {\n  use x::*;\n\n  things (tenant_id, id) {\n    tenant_id -> Uid,\n    note -> Nullable<Text>,\n  }\n}";
    let (key, columns) = &declared(text)["things"];
    assert_eq!(*key, ["tenant_id", "id"]);
    let expected = [("tenant_id".to_owned(), "Uid".to_owned(), false), ("note".to_owned(), "Text".to_owned(), true)];
    assert_eq!(*columns, expected);
}
