//! Calls that must stand in one place or in none. (clippy bans some of them too, but does not see through
//! macros and can be told to look away.)

use crate::{
    Source, none, rust_files,
    text::{code_of, lines_with},
};

/// Words, where they may stand all the same (beginnings of paths), and what to do instead.
const BANS: &[(&[&str], &[&str], &str)] = &[
    (
        &["Timestamp::now", "Zoned::now", "SystemTime::now"],
        &["crates/kernel/src/clock.rs", "tests/src/lib.rs"],
        "time is an argument: take tx.now(), or a kernel::Clock outside of a transaction (tests: tests::today())",
    ),
    (&["Uuid::now_v7", "Uuid::new_v4"], &[], "ids come from tx.new_id(), so that tests can repeat them"),
    (
        &["env::var", "env::var_os", "env::vars", "env::vars_os"],
        &["crates/gateway/src/config", "tests/src/"],
        "a setting is a field of gateway::config, where it has a name, a default and a line in the documentation",
    ),
    (
        &["reqwest::Client::", "reqwest::get", "Client::builder()"],
        &["crates/connectors/src/", "tests/src/client.rs"],
        "the network is behind ports: write an adapter in connectors (tests: tests::Client)",
    ),
    (
        &[".transaction(", "transaction::<", ".immediate_transaction(", ".begin_test_transaction("],
        &["crates/storage/src/"],
        "transactions are opened by storage::Db::{read, write} alone: they carry tenant, actor and clock",
    ),
    (&["todo!", "unimplemented!"], &[], "write it, or take the way to it away"),
    (&["#[ignore"], &[], "a test that nobody runs proves nothing: mend it or remove it"),
];

/// Files that decide, in the crates that know the law; they get everything as an argument.
const PURE_FILES: &[&str] = &["rules.rs", "timetable.rs", "occupancy.rs", "ticks.rs"];
const DOMAINS: &[&str] =
    &["documents", "protocol", "payments", "booking", "tickets", "records-access", "catalogue-services"];
const IMPURE: &[&str] =
    &["diesel", "actix_web", "actix", "storage", "reqwest", "Clock", "SystemClock", "Timestamp::now", "async", "await"];

/// Files that may see tables.
const TABLE_FILES: &[&str] = &["store.rs", "schema.rs", "model.rs"];

/// Others that see tables, and why.
const TABLES_ELSEWHERE: &[(&str, &str)] = &[
    ("crates/platform/src/access/keys.rs", "one table; what a key looks like and how it is kept are one secret"),
    ("crates/platform/src/idempotency.rs", "one table; reserving, replaying and keeping are one line of reasoning"),
    ("crates/platform/src/tenants.rs", "one table and its cache"),
];

#[test]
fn forbidden_calls() {
    let mut findings = Vec::new();
    for file in rust_files() {
        let code = code_of(&file.text);
        for (words, allowed, instead) in BANS {
            if allowed.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            for word in *words {
                let lines = lines_with(&code, word);
                findings.extend(lines.iter().map(|line| format!("{}:{line}: {word}: {instead}", file.path)));
            }
        }
    }
    none(&findings, "Do as each line says. The places where a call may stand are in tests/tests/tidy/sources.rs.");
}

#[test]
fn decisions_are_pure() {
    let pure = |file: &Source| {
        PURE_FILES.contains(&file.name())
            && DOMAINS.iter().any(|domain| file.path.starts_with(&format!("crates/{domain}/")))
    };
    let mut findings = Vec::new();
    for file in rust_files().into_iter().filter(pure) {
        let code = code_of(&file.text);
        for word in IMPURE {
            findings.extend(lines_with(&code, word).iter().map(|line| format!("{}:{line}: {word}", file.path)));
        }
    }
    none(
        &findings,
        "Rules are functions of their arguments: pass `now` and what was read; queries go to store.rs, HTTP to routes.rs.",
    );
}

#[test]
fn only_stores_see_tables() {
    let mut findings = Vec::new();
    let mut excused = Vec::new();
    for file in rust_files() {
        let elsewhere = file.path.starts_with("crates/storage/") || file.path.starts_with("tests/");
        if elsewhere || TABLE_FILES.contains(&file.name()) {
            continue;
        }
        // OpenAPI has schemas too.
        let code = code_of(&file.text).replace("openapi::schema::", "");
        let mut lines: Vec<usize> = ["diesel", "schema::"].iter().flat_map(|word| lines_with(&code, word)).collect();
        lines.sort_unstable();
        if TABLES_ELSEWHERE.iter().any(|(path, _)| *path == file.path) && !lines.is_empty() {
            excused.push(file.path);
        } else {
            findings.extend(lines.iter().map(|line| format!("{}:{line}", file.path)));
        }
    }
    let stale = TABLES_ELSEWHERE.iter().filter(|(path, _)| !excused.iter().any(|excused| excused == path));
    findings.extend(stale.map(|(path, _)| format!("{path}: sees no tables any more, or is gone: strike it off")));
    none(
        &findings,
        "Queries stand in store.rs, first argument `tx: &mut Tx`; stored things in model.rs; `table!` in schema.rs. A \
         module that is all store may be named with its reason in TABLES_ELSEWHERE in tests/tests/tidy/sources.rs.",
    );
}
