//! The refusals: one table for the code, the contract and the page that explains them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use gateway::openapi;
use kernel::ProblemKind;

use crate::{committed, none, operations, resolved};

/// Refusals that belong to no operation, and why.
const GENERAL: &[(&str, &str)] =
    &[("method-not-allowed", "what answers it is not an operation, but the lack of one at that path")];

/// Words that descriptions of refusals set in code and that are no slugs.
const MEMBERS: &[&str] = &["alternatives", "errors", "allowed", "current_state", "limit", "earliest", "last_date"];

#[test]
fn every_slug_is_one_refusal() {
    let mut seen = BTreeMap::<&str, u16>::new();
    let mut findings = Vec::new();
    for kind in openapi::problems() {
        if let Some(other) = seen.insert(kind.slug, kind.status) {
            findings.push(format!("{}: twice, with status {other} and {}", kind.slug, kind.status));
        }
        let well_formed =
            kind.slug.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()));
        if !well_formed {
            findings.push(format!("{}: not kebab-case", kind.slug));
        }
        if !(400..600).contains(&kind.status) {
            findings.push(format!("{}: {} is no refusal", kind.slug, kind.status));
        }
        let texts = [kind.it, kind.en, kind.de, kind.about];
        if texts.iter().any(|text| text.trim().is_empty()) {
            findings.push(format!("{}: a text is missing", kind.slug));
        }
    }
    none(&findings, "Slugs are part of the contract for good: see the problems.rs of the crates.");
}

#[test]
fn the_contract_and_the_tables_know_the_same_refusals() {
    let document = openapi::document();
    let kinds = openapi::problems();
    let mut findings = Vec::new();
    let mut mentioned = BTreeSet::new();
    for (name, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            if !status.starts_with(['4', '5']) {
                continue;
            }
            let text = resolved(&document, response)["description"].as_str().expect("a description");
            let slugs: Vec<_> = slugs_in(text).filter(|word| !MEMBERS.contains(word)).collect();
            if slugs.is_empty() {
                findings.push(format!("{name}: {status} names no refusal: {text}"));
            }
            for slug in slugs {
                match kinds.iter().find(|kind| kind.slug == slug) {
                    Some(kind) if kind.status.to_string() == *status => drop(mentioned.insert(kind.slug)),
                    Some(kind) => findings.push(format!("{name}: {slug} is a {} and no {status}", kind.status)),
                    None => findings.push(format!("{name}: {status}: no table has `{slug}`")),
                }
            }
        }
    }
    let general = |slug: &str| GENERAL.iter().any(|(name, _)| *name == slug);
    let silent = kinds.iter().filter(|kind| !mentioned.contains(kind.slug) && !general(kind.slug));
    findings.extend(silent.map(|kind| format!("{}: no operation says that it can answer this", kind.slug)));
    let stale = GENERAL.iter().filter(|(slug, _)| mentioned.contains(slug) || kinds.iter().all(|k| k.slug != *slug));
    findings.extend(stale.map(|(slug, _)| format!("{slug}: is not general any more, or is gone: strike it off")));
    none(
        &findings,
        "A refusal stands in the problems.rs of a crate, and in the description of its status at every operation that \
         can answer it: `(status = 409, description = \"`slot-taken`\")`.",
    );
}

/// What a text sets in code and might be a slug: lower-case words with hyphens between.
fn slugs_in(text: &str) -> impl Iterator<Item = &str> {
    let set_in_code = text.split('`').skip(1).step_by(2);
    set_in_code.filter(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_'))
}

#[test]
fn the_page_of_the_refusals_is_the_one_of_the_code() {
    committed("docs/problems.md", &page(&openapi::problems()));
}

const HEAD: &str = "\
# Refusals

Every refusal is a problem (RFC 9457): `type` is `/problems/<slug>`, and at that address the server explains it.
Slugs are stable; texts are not. Which operation can answer which is in the descriptions of
[the contract](../openapi/openapi.json); what holds for all of them is in [api-design.md](api-design.md#refusals).

This page is written by `BLESS=1 cargo test -p tests --test openapi`, from the tables in the crates' `problems.rs`.
";

fn page(kinds: &[&ProblemKind]) -> String {
    let mut kinds = kinds.to_vec();
    kinds.sort_by_key(|kind| (kind.status, kind.slug));
    let mut text = HEAD.to_owned();
    let mut status = 0;
    for kind in kinds {
        if kind.status != status {
            status = kind.status;
            write!(text, "\n## {status}\n").expect("a String");
        }
        let ProblemKind { slug, it, en, de, about, .. } = kind;
        write!(text, "\n### `{slug}`\n\n{about}\n\n- it: {it}\n- en: {en}\n- de: {de}\n").expect("a String");
    }
    text
}

#[test]
fn words_in_code_are_found() {
    let text = "A `slot-taken` (with `alternatives`), `ETag`, `forbidden`: `Retry-After`.";
    assert_eq!(slugs_in(text).collect::<Vec<_>>(), ["slot-taken", "alternatives", "forbidden"]);
    assert_eq!(slugs_in("nothing").count(), 0);
}
