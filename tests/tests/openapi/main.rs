//! The contract: the committed files are what the code says, and what the code says is whole.
//!
//! `BLESS=1 cargo test -p tests --test openapi` rewrites the contract and `docs/problems.md`; `RELEASE=1` also
//! what it is compared with, `openapi/released.json`, which is done with a release and never else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a surprise here should stop the test, with its place"
)]

mod breaking;
mod operations;
mod parts;
mod problems;
mod sources;

use std::{fs, path::Path};

use gateway::openapi;
use serde_json::{Map, Value};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A file of the workspace.
fn file(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").join(path)
}

/// Demands that a committed file is what the code gives; `BLESS=1` makes it so.
#[track_caller]
fn committed(path: &str, given: &str) {
    let file = file(path);
    if tests::blessing() {
        fs::write(&file, given).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }
    let text = fs::read_to_string(&file).unwrap_or_default();
    let differs = text.lines().zip(given.lines()).position(|(old, new)| old != new);
    let line = differs.unwrap_or_else(|| text.lines().count().min(given.lines().count())) + 1;
    assert!(
        text == given,
        "{path} is not what the code gives, first in line {line}:\n- {}\n+ {}\n\
         Read the difference as a client would; `BLESS=1 cargo test -p tests --test openapi` rewrites the file.",
        text.lines().nth(line - 1).unwrap_or("(nothing)"),
        given.lines().nth(line - 1).unwrap_or("(nothing)"),
    );
}

/// Fails with every finding at once.
#[track_caller]
fn none(findings: &[String], advice: &str) {
    assert!(findings.is_empty(), "\n\n  {}\n\n{advice}\n", findings.join("\n  "));
}

/// As the files are written, and as `sportello openapi` prints it.
fn written(document: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(document).expect("JSON"))
}

/// What a value is or, if it is a reference, refers to.
fn resolved<'v>(document: &'v Value, value: &'v Value) -> &'v Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect(reference),
        None => value,
    }
}

/// Every operation: `METHOD /path` and what is said of it.
fn operations(document: &Value) -> Vec<(String, &Map<String, Value>)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if METHODS.contains(&method.as_str()) {
                found.push((format!("{} {path}", method.to_uppercase()), operation.as_object().expect("an operation")));
            }
        }
    }
    found
}

#[test]
fn the_committed_contract_is_the_one_of_the_code() {
    let document = openapi::document();
    committed("openapi/openapi.json", &written(&document));
    let older = openapi::to_3_0(&document).unwrap_or_else(|e| panic!("{e}"));
    committed("openapi/openapi-3.0.json", &written(&older));
    // The same routes give the same text, whichever order maps are walked in.
    assert_eq!(written(&openapi::document()), written(&document));
}

#[test]
fn every_demand_is_met() {
    let document = openapi::document();
    none(
        &openapi::demands::unmet(&document),
        "Mend the annotations of the routes named (`#[utoipa::path]`, `#[schema]`).",
    );
}
