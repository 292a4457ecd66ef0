//! A row cannot point into another Comune: every key starts with the tenant.

use std::fs;

use crate::{files, none, root};

/// Tables whose keys may start otherwise, and why.
const WITHOUT_TENANT: &[(&str, &str)] = &[];

/// Crates that own tables, as migrations spell them.
const OWNERS: &[&str] =
    &["platform", "documents", "protocol", "payments", "booking", "tickets", "records_access", "catalogue_services"];

const ADVICE: &str = "\
    Every table has a PRIMARY KEY (tenant_id, …), every reference is a FOREIGN KEY (tenant_id, …) REFERENCES … \
    (tenant_id, …): then a row cannot point into another Comune, and the schema can be spread over machines by key. A \
    table that belongs to no Comune is named with its reason in tests/tests/tidy/migrations.rs.";

#[test]
fn keys_start_with_the_tenant() {
    let mut findings = Vec::new();
    let mut excused = Vec::new();
    for file in files("migrations", ".sql") {
        for statement in statements(&file.text) {
            let Some((table, faults)) = faults(&statement) else { continue };
            if WITHOUT_TENANT.iter().any(|(name, _)| *name == table) && !faults.is_empty() {
                excused.push(table);
            } else {
                findings.extend(faults.iter().map(|fault| format!("{}: {table}: {fault}", file.path)));
            }
        }
    }
    let stale = WITHOUT_TENANT.iter().filter(|(name, _)| !excused.iter().any(|table| table == name));
    findings.extend(stale.map(|(name, _)| format!("{name}: needs no exception any more: strike it off")));
    none(&findings, ADVICE);
}

#[test]
fn migrations_are_named_and_embedded() {
    let embedded = fs::read_to_string(root().join("crates/storage/src/migrate.rs")).expect("the list of migrations");
    let mut findings = Vec::new();
    let entries = fs::read_dir(root().join("migrations")).expect("migrations/");
    for entry in entries.map(|entry| entry.expect("an entry of migrations/")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !well_named(&name) {
            findings.push(format!("{name}: not named <YYYY-MM-DD>_<crate>_<what>"));
        }
        if !entry.path().join("up.sql").is_file() {
            findings.push(format!("{name}: has no up.sql"));
        }
        if !embedded.contains(&format!("\"{name}\"")) {
            findings.push(format!("{name}: not in the list of crates/storage/src/migrate.rs"));
        }
    }
    none(&findings, "A migration is a folder with an up.sql for both databases, named as said and listed in order.");
}

fn well_named(name: &str) -> bool {
    let Some((date, rest)) = name.split_once('_') else { return false };
    let dated = date.len() == 10 && date.parse::<jiff::civil::Date>().is_ok();
    let what = OWNERS.iter().find_map(|owner| rest.strip_prefix(owner)?.strip_prefix('_'));
    dated && what.is_some_and(|what| !what.is_empty() && what.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_')))
}

/// The table that a `CREATE TABLE` or `ALTER TABLE` is about, and the keys in it that do not start with the tenant.
fn faults(statement: &str) -> Option<(String, Vec<String>)> {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let created = statement.starts_with("create table ");
    if !created && !statement.starts_with("alter table ") {
        return None;
    }
    let after = words.iter().position(|word| *word == "exists").map_or(2, |place| place + 1);
    let table = words.get(after)?.split('(').next()?.trim_matches('"').to_owned();
    let mut faults = Vec::new();
    let mut has_key = false;
    // Inside the outermost parentheses of a CREATE; the whole of an ALTER.
    let inside = match (created, statement.find('('), statement.rfind(')')) {
        (true, Some(open), Some(close)) => &statement[open + 1..close],
        _ => statement,
    };
    for part in parts(inside) {
        let part = part.trim();
        let column = part.split_whitespace().next().unwrap_or_default();
        for (key, what) in [("primary key", "its primary key"), ("foreign key", "a foreign key")] {
            let Some(place) = part.find(key) else { continue };
            has_key |= key == "primary key";
            let rest = part[place + key.len()..].trim_start();
            let first = match rest.strip_prefix('(') {
                Some(columns) => columns.split([',', ')']).next().unwrap_or_default().trim(),
                None => column,
            };
            if first != "tenant_id" {
                faults.push(format!("{what} starts with {first}"));
            }
        }
        if part.contains(" references ") && !part.contains("foreign key") && column != "tenant_id" {
            faults.push(format!("{column} refers to another table by itself"));
        }
        for target in part.split(" references ").skip(1) {
            let columns = target.split_once('(').map_or("", |(_, columns)| columns);
            if columns.split([',', ')']).next().unwrap_or_default().trim() != "tenant_id" {
                faults.push(format!("a reference that does not say tenant_id: references {target}"));
            }
        }
    }
    if created && !has_key {
        faults.push("has no primary key".to_owned());
    }
    Some((table, faults))
}

/// The statements of a text, in lower case, without comments and literals, their white space made one.
fn statements(sql: &str) -> Vec<String> {
    let uncommented: Vec<&str> = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    // Every other piece between quotes is a literal, or the body of a function between $$.
    let outside = |text: String, quote: &str| text.split(quote).step_by(2).collect::<Vec<_>>().join("x");
    let bare = outside(outside(uncommented.join("\n"), "$$"), "'").to_lowercase();
    bare.split(';')
        .map(|one| one.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|one| !one.is_empty())
        .collect()
}

/// What stands between commas that are not inside parentheses.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (place, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[test]
fn faulty_keys_are_found() {
    let found =
        |sql: &str| statements(sql).iter().filter_map(|one| faults(one)).map(|(_, faults)| faults.len()).sum::<usize>();
    let good = "CREATE TABLE a (tenant_id {ID} NOT NULL, id {ID}, -- ), id\n n {INT} CHECK (n IN (1, 2)), b_id {ID},
        PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, b_id) REFERENCES b (tenant_id, id)) {KEYED};
        CREATE INDEX i ON a (id); ALTER TABLE a ADD COLUMN c TEXT DEFAULT ';';";
    assert_eq!(found(good), 0);
    assert_eq!(found("CREATE TABLE a (tenant_id {ID}, id {ID})"), 1, "no key");
    assert_eq!(found("CREATE TABLE a (tenant_id {ID}, id {ID} PRIMARY KEY)"), 1, "key of a column");
    assert_eq!(found("CREATE TABLE IF NOT EXISTS a(tenant_id {ID}, id {ID}, PRIMARY KEY(id, tenant_id))"), 1);
    let referring = |key: &str| format!("CREATE TABLE a (tenant_id {{ID}}, PRIMARY KEY (tenant_id), b {{ID}} {key})");
    assert_eq!(found(&referring("REFERENCES b (tenant_id)")), 1);
    assert_eq!(found(&referring(", FOREIGN KEY (b) REFERENCES b (tenant_id)")), 1);
    assert_eq!(found(&referring(", FOREIGN KEY (tenant_id, b) REFERENCES b (id, tenant_id)")), 1);
    assert_eq!(found("ALTER TABLE a ADD COLUMN b {ID} REFERENCES b (id)"), 2);
    assert!(well_named("2026-11-24_records_access_register") && !well_named("2026-13-24_booking_x"));
    assert!(!well_named("2026-11-24_booking") && !well_named("2026-11-24_shop_x"));
}
