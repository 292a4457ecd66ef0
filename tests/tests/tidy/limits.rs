//! Numbers that may only change on purpose.

use crate::{
    none, rust_files,
    text::{code_of, lines_with},
};

/// What one person reads at one sitting.
const LINES: usize = 500;

/// Files that may be longer, and why.
const LONGER: &[(&str, &str)] = &[];

/// How many queries need a text per backend; each is a place where the two databases can drift apart.
const BOTH: usize = 2;

#[test]
fn files_can_be_read_at_one_sitting() {
    let files = rust_files();
    let lines = |path: &str| files.iter().find(|file| file.path == path).map_or(0, |file| file.text.lines().count());
    let mut findings = Vec::new();
    for file in &files {
        let length = lines(&file.path);
        if length > LINES && !LONGER.iter().any(|(path, _)| *path == file.path) {
            findings.push(format!("{}: {length} lines", file.path));
        }
    }
    let stale = LONGER.iter().filter(|(path, _)| lines(path) <= LINES);
    findings.extend(stale.map(|(path, _)| format!("{path}: no longer too long, or gone: strike it off the list")));
    none(
        &findings,
        &format!(
            "A file has at most {LINES} lines. Split it along what people talk about; only where that would tear apart \
             what belongs together, add it with the reason to LONGER in tests/tests/tidy/limits.rs."
        ),
    );
}

#[test]
fn both_is_used_where_it_may_be_and_counted() {
    let mut findings = Vec::new();
    let mut count = 0;
    for file in rust_files() {
        let uses = lines_with(&code_of(&file.text), "both!");
        count += uses.len();
        let allowed = file.path.starts_with("crates/storage/") || file.name() == "store.rs";
        if !allowed {
            findings.extend(uses.iter().map(|line| format!("{}:{line}", file.path)));
        }
    }
    none(&findings, "both! belongs into the storage crate and into files named store.rs.");
    assert!(
        count == BOTH,
        "both! is used {count} times, and {BOTH} are on record. If diesel can now say it through one connection, take \
         the macro away; if it cannot, and the query is worth it, set BOTH in tests/tests/tidy/limits.rs to {count}."
    );
}
