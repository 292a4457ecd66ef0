//! The crates' own documents, before they are one. utoipa lets the later of two things with one name win and
//! says nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use gateway::openapi;
use serde_json::Value;

use crate::{file, none, operations};

/// Faults of documents that are to become one.
fn clashes(parts: &[(&str, Value)]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut schemas = BTreeMap::<&str, (&str, &Value)>::new();
    let mut ids = BTreeMap::<&str, String>::new();
    let mut places = BTreeMap::<String, &str>::new();
    for (part, document) in parts {
        let own = document.pointer("/components/schemas").and_then(Value::as_object);
        for (name, schema) in own.into_iter().flatten() {
            match schemas.get(name.as_str()) {
                Some((other, body)) if *body != schema => {
                    findings.push(format!("the schema {name} is one thing in {other} and another in {part}"));
                }
                Some(_) => {}
                None => drop(schemas.insert(name, (part, schema))),
            }
        }
        for (place, operation) in operations(document) {
            let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
            if let Some(other) = ids.insert(id, place.clone()) {
                findings.push(format!("the operationId {id} is that of {other} and of {place}"));
            }
            if let Some(other) = places.insert(place.clone(), part) {
                findings.push(format!("{place} is served by {other} and by {part}"));
            }
        }
    }
    findings
}

#[test]
fn one_name_is_one_thing() {
    let parts = openapi::parts();
    let advice = "Give one of the two a name of its own: `#[schema(as = booking::Name)]`, or another handler's name.";
    none(&clashes(&parts), advice);
}

#[test]
fn the_parts_are_the_whole() {
    let parts = openapi::parts();
    let of_parts: BTreeSet<String> =
        parts.iter().flat_map(|(_, document)| operations(document)).map(|(name, _)| name).collect();
    let whole = openapi::document();
    let of_whole: BTreeSet<String> = operations(&whole).into_iter().map(|(name, _)| name).collect();
    assert_eq!(of_parts, of_whole, "gateway::openapi::parts() and routes() list different crates");
}

/// Within one crate the documents are merged before anybody can look, so here the names are read in the source.
#[test]
fn one_schema_name_has_one_type() {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    let mut files = Vec::new();
    collect(&file("crates"), &mut files);
    for (path, text) in &files {
        for (name, owner) in schema_names(text) {
            found.entry(name).or_default().push(format!("{owner} in {path}"));
        }
    }
    assert!(found.len() >= 20, "only {} schemas: are they declared in another way now?", found.len());
    let twice = found.iter().filter(|(_, owners)| owners.len() > 1);
    let findings: Vec<_> = twice.map(|(name, owners)| format!("{name}: {}", owners.join(", "))).collect();
    none(&findings, "Give one of them a name of its own: `#[schema(as = Name)]`.");
}

/// The types of a file that describe themselves, by the names they have in the document.
fn schema_names(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.contains("derive(") && line.contains("ToSchema")) {
        let block: Vec<&str> = lines[at..].iter().take_while(|line| !is_type(line)).copied().collect();
        let Some(declared) = lines.get(at + block.len()) else { continue };
        let rest = declared.split_once("struct ").or_else(|| declared.split_once("enum ")).map_or("", |(_, rest)| rest);
        let own: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let block = block.join("\n");
        let renamed = block.split("schema(as = ").nth(1).map(|rest| {
            rest.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect::<String>().replace("::", ".")
        });
        found.push((renamed.unwrap_or_else(|| own.clone()), own));
    }
    found
}

fn is_type(line: &str) -> bool {
    let line = line.trim_start();
    let bare = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    bare.starts_with("struct ") || bare.starts_with("enum ")
}

pub(crate) fn collect(folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let name = path.strip_prefix(file("")).expect("a path in the workspace").display().to_string();
            files.push((name, fs::read_to_string(&path).expect("a source file")));
        }
    }
}

#[test]
fn clashes_are_found() {
    let part = |id: &str, path: &str, schema: &str| {
        serde_json::json!({
            "paths": { path: { "get": { "operationId": id } } },
            "components": { "schemas": { "Slot": { "type": schema } } },
        })
    };
    let alike = [("a", part("x", "/x", "string")), ("b", part("y", "/y", "string"))];
    assert_eq!(clashes(&alike), Vec::<String>::new());
    let clashing = [("a", part("x", "/x", "string")), ("b", part("x", "/x", "object"))];
    assert_eq!(clashes(&clashing).len(), 3, "{:?}", clashes(&clashing));
    let text = "#[derive(Debug, ToSchema)]\n#[schema(as = booking::Slot, example = json!({\n}))]\npub struct SlotView {\n\
                #[derive(ToSchema)]\nstruct Other;";
    let names: Vec<_> = schema_names(text).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["booking.Slot", "Other"]);
}
