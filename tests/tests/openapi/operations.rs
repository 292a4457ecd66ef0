//! What is said of each operation.

use std::collections::BTreeMap;

use gateway::openapi;
use serde_json::{Map, Value, json};

use crate::{none, operations, resolved};

#[test]
fn every_operation_is_described() {
    let document = openapi::document();
    let mut findings = Vec::new();
    let all = operations(&document);
    assert!(all.len() >= 20, "only {} operations: is the document put together at all?", all.len());
    for (name, operation) in &all {
        for member in ["summary", "description"] {
            let told = operation.get(member).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
            if !told {
                findings.push(format!("{name}: no {member}"));
            }
        }
        if operation.get("tags").and_then(Value::as_array).is_none_or(|tags| tags.len() != 1) {
            findings.push(format!("{name}: not exactly one tag"));
        }
        for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let parameter = resolved(&document, parameter);
            if parameter["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
                findings.push(format!("{name}: parameter {} has no description", parameter["name"]));
            }
        }
    }
    none(&findings, "The first paragraph of a handler's doc comment is the summary, the rest the description.");
}

#[test]
fn every_json_body_has_an_example() {
    let document = openapi::document();
    let mut findings = Vec::new();
    for (name, operation) in operations(&document) {
        for (place, content) in bodies(&document, operation) {
            for (media_type, media) in content {
                let schema = resolved(&document, &media["schema"]);
                let shown = [media, schema].iter().any(|holder| example(holder).is_some());
                if media_type.contains("json") && !shown {
                    findings.push(format!("{name}: {place} ({media_type}) has no example"));
                }
            }
        }
    }
    none(&findings, "Give the body's type `#[schema(example = json!({…}))]`; a page takes the example of its items.");
}

/// The bodies of a request and of its successes.
fn bodies<'v>(document: &'v Value, operation: &'v Map<String, Value>) -> Vec<(String, &'v Map<String, Value>)> {
    let mut found = Vec::new();
    if let Some(body) = operation.get("requestBody") {
        found.push(("the request".to_owned(), resolved(document, body)["content"].as_object().expect("content")));
    }
    for (status, response) in operation["responses"].as_object().expect("responses") {
        if let (true, Some(content)) = (status.starts_with('2'), resolved(document, response)["content"].as_object()) {
            found.push((format!("the answer {status}"), content));
        }
    }
    found
}

/// The example of a media type or of a schema.
fn example(holder: &Value) -> Option<&Value> {
    let examples = holder.get("examples").and_then(Value::as_array).and_then(|examples| examples.first());
    holder.get("example").or(examples)
}

#[test]
fn every_example_is_one() {
    let document = openapi::document();
    let mut findings = Vec::new();
    let mut seen = 0;
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        let Some(example) = example(schema) else { continue };
        seen += 1;
        let within = json!({ "$ref": format!("#/components/schemas/{name}"), "components": document["components"] });
        let validator = jsonschema::options().should_validate_formats(true).build(&within);
        let validator = validator.unwrap_or_else(|e| panic!("{name} is no schema: {e}"));
        findings.extend(validator.iter_errors(example).map(|e| format!("{name}{}: {e}", e.instance_path())));
    }
    assert!(seen >= 20, "only {seen} examples");
    none(&findings, "An example is what people copy: make it valid.");
}

#[test]
fn operation_ids_are_unique() {
    let document = openapi::document();
    let mut by_id = BTreeMap::<&str, Vec<String>>::new();
    for (name, operation) in operations(&document) {
        by_id.entry(operation["operationId"].as_str().expect("an operationId")).or_default().push(name);
    }
    let twice = by_id.iter().filter(|(_, names)| names.len() > 1);
    none(&twice.map(|(id, names)| format!("{id}: {names:?}")).collect::<Vec<_>>(), "Rename a handler.");
}
