//! The comparison, tried on a small contract: each change and what is to be said of it.

use serde_json::{Value, json};

use super::{announced, binding, breaches};

fn contract() -> Value {
    let thing = json!({ "$ref": "#/components/schemas/Thing" });
    json!({
        "openapi": "3.1.0",
        "info": { "version": "0.1.0" },
        "paths": {
            "/things/{thing_id}": {
                "put": {
                    "operationId": "change_thing",
                    "security": [{}, { "bearer": [] }],
                    "parameters": [
                        { "in": "path", "name": "thing_id", "required": true, "schema": { "type": "string" } },
                        { "in": "query", "name": "limit", "schema":
                            { "type": "integer", "format": "int32", "minimum": 1, "maximum": 100 } },
                        { "in": "header", "name": "If-Match", "schema": { "type": "string" } },
                    ],
                    "requestBody": { "content": {
                        "application/json": { "schema": thing },
                        "text/csv": { "schema": { "type": "string" } },
                    } },
                    "responses": {
                        "200": { "headers": { "ETag": {} }, "content": { "application/json": { "schema": {
                            "type": "object",
                            "required": ["items", "next"],
                            "properties": {
                                "items": { "type": "array", "maxItems": 100, "items": thing },
                                "next": { "type": ["string", "null"], "maxLength": 200 },
                                "note": { "type": "string", "format": "date" },
                            },
                            "additionalProperties": false,
                        } } } },
                        "404": { "content": { "application/problem+json": { "schema": { "type": "object" } } } },
                    },
                },
            },
        },
        "components": { "schemas": { "Thing": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "minLength": 1, "maxLength": 50, "pattern": "^a" },
                "state": { "type": "string", "enum": ["new", "old"] },
                "part": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Thing" }] },
                "size": { "type": "number" },
            },
            "additionalProperties": false,
        } } },
    })
}

const OPERATION: &str = "/paths/~1things~1{thing_id}/put";
const ANSWER: &str = "/paths/~1things~1{thing_id}/put/responses/200/content/application~1json/schema";
const THING: &str = "/components/schemas/Thing";

/// Puts a value at a pointer, or takes away what is there when there is none.
fn changed(pointer: &str, value: Option<Value>) -> Value {
    let mut document = contract();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    match (document.pointer_mut(parent).unwrap(), value) {
        (Value::Object(members), Some(value)) => drop(members.insert(key, value)),
        (Value::Object(members), None) => drop(members.remove(&key).expect(pointer)),
        (Value::Array(parts), Some(value)) if key == "-" => parts.push(value),
        (Value::Array(parts), Some(value)) => parts[key.parse::<usize>().unwrap()] = value,
        (Value::Array(parts), None) => drop(parts.remove(key.parse().unwrap())),
        _ => panic!("{pointer} has no members"),
    }
    document
}

fn told(new: &Value) -> Vec<String> {
    breaches(&contract(), new).into_iter().map(|breach| breach.what).collect()
}

#[test]
fn every_breach_is_told() {
    let operation = |rest: &str| format!("{OPERATION}/{rest}");
    let answer = |rest: &str| format!("{ANSWER}/{rest}");
    let thing = |rest: &str| format!("{THING}/{rest}");
    let cases = [
        // Paths and operations.
        ("/paths/~1things~1{thing_id}".to_owned(), None, "is gone"),
        (OPERATION.to_owned(), None, "is gone"),
        (operation("operationId"), Some(json!("edit_thing")), "is called \"edit_thing\""),
        (operation("security"), Some(json!([{ "bearer": [] }])), "can no longer be called with {}"),
        // Parameters.
        (operation("parameters/1"), None, "the query parameter limit is no longer accepted"),
        (operation("parameters/2/required"), Some(json!(true)), "the header parameter If-Match is now required"),
        (
            operation("parameters/-"),
            Some(json!({ "in": "query", "name": "from", "required": true, "schema": {} })),
            "the query parameter from is new and required",
        ),
        (operation("parameters/1/schema/maximum"), Some(json!(50)), "maximum was 100 and is 50"),
        (operation("parameters/1/schema/minimum"), Some(json!(2)), "minimum was 1 and is 2"),
        (operation("parameters/1/schema/type"), Some(json!("boolean")), "may no longer be integer"),
        (operation("parameters/0/schema/format"), Some(json!("uuid")), "must now be of the format uuid"),
        (operation("parameters/0/schema/enum"), Some(json!(["a"])), "is restricted to some values"),
        (operation("parameters/0/schema/minLength"), Some(json!(1)), "minLength was none and is 1"),
        // Bodies.
        (operation("requestBody/required"), Some(json!(true)), "the body is now required"),
        (operation("requestBody/content/text~1csv"), None, "the body may no longer be text/csv"),
        (thing("properties/name/pattern"), Some(json!("^b")), "the body/name must now keep pattern"),
        (thing("properties/name/maxLength"), Some(json!(20)), "the body/name is bounded tighter"),
        (thing("properties/name/maxLength"), Some(json!(80)), "the answer 200/items[]/name is bounded less"),
        (thing("properties/state/enum"), Some(json!(["new"])), "the body/state may no longer be \"old\""),
        (
            thing("properties/state/enum"),
            Some(json!(["new", "old", "lost"])),
            "the answer 200/items[]/state may now be \"lost\"",
        ),
        (thing("properties/size"), None, "the body/size is no longer accepted"),
        (thing("properties/size"), None, "the answer 200/items[]/size is gone"),
        (thing("properties/size/type"), Some(json!("integer")), "the body/size may no longer be number"),
        (thing("required"), Some(json!(["name", "size"])), "the body/size is now required"),
        (thing("required"), Some(json!([])), "the answer 200/items[]/name may now be absent"),
        (thing("properties/part/oneOf/0"), None, "the body/part may no longer be {\"type\":\"null\"}"),
        (
            thing("properties/part/oneOf/-"),
            Some(json!({ "type": "boolean" })),
            "the answer 200/items[]/part may now be {\"type\":\"boolean\"}",
        ),
        // Answers.
        (operation("responses/200"), None, "no longer answers 200"),
        (operation("responses/202"), Some(json!({})), "may now answer 202"),
        (operation("responses/200/content/application~1json"), None, "is no longer application/json"),
        (operation("responses/200/headers/ETag"), None, "no longer has the header ETag"),
        (answer("properties/next"), None, "the answer 200/next is gone"),
        (answer("properties/note"), None, "the answer 200/note is gone"),
        (answer("properties/note/format"), None, "is no longer of the format date"),
        (answer("properties/items/maxItems"), Some(json!(200)), "maxItems was 100 and is 200"),
        (answer("properties/items/items"), None, "no longer says what its items are"),
        (answer("properties/items/type"), Some(json!(["array", "null"])), "may now be null"),
        (answer("required"), Some(json!(["items"])), "the answer 200/next may now be absent"),
    ];
    for (pointer, value, expected) in cases {
        let found = told(&changed(&pointer, value));
        assert!(found.iter().any(|what| what.contains(expected)), "{pointer}, {expected}: {found:#?}");
    }
}

#[test]
fn what_harms_nobody_is_not_told() {
    let operation = |rest: &str| format!("{OPERATION}/{rest}");
    let answer = |rest: &str| format!("{ANSWER}/{rest}");
    let other = contract()["paths"]["/things/{thing_id}"].clone();
    let cases = [
        (OPERATION.to_owned(), Some(contract().pointer(OPERATION).unwrap().clone())),
        ("/paths/~1others".to_owned(), Some(other)),
        (operation("deprecated"), Some(json!(true))),
        (operation("security/-"), Some(json!({ "key": [] }))),
        (operation("parameters/-"), Some(json!({ "in": "query", "name": "from", "schema": {} }))),
        (operation("parameters/0/name"), Some(json!("id"))),
        (operation("parameters/1/schema/maximum"), Some(json!(200))),
        (operation("parameters/1/schema/format"), Some(json!("int64"))),
        (operation("requestBody/content/text~1plain"), Some(json!({ "schema": {} }))),
        (operation("responses/404"), None),
        (operation("responses/409"), Some(json!({ "description": "taken" }))),
        (operation("responses/304"), Some(json!({ "description": "the client has it" }))),
        (answer("properties/more"), Some(json!({ "type": "string" }))),
        (answer("properties/next/type"), Some(json!("string"))),
        (answer("properties/next/maxLength"), Some(json!(100))),
        (answer("required"), Some(json!(["items", "next", "note"]))),
        (format!("{THING}/properties/more"), Some(json!({ "type": "string" }))),
    ];
    for (pointer, value) in cases {
        assert_eq!(told(&changed(&pointer, value)), Vec::<String>::new(), "{pointer}");
    }
}

#[test]
fn names_of_parameters_in_paths_are_the_servers_own() {
    let text = contract().to_string().replace("/things/{thing_id}", "/things/{id}");
    assert_eq!(told(&serde_json::from_str(&text).unwrap()), Vec::<String>::new());
}

#[test]
fn what_binds_has_no_texts_and_breaks_nothing() {
    let mut document = contract();
    document["components"]["schemas"]["Thing"]["properties"]["title"] = json!({ "type": "string", "title": "x" });
    document["paths"]["/things/{thing_id}"]["put"]["summary"] = json!("Changes a thing.");
    let binding = binding(&document);
    assert_eq!(binding["components"]["schemas"]["Thing"]["properties"]["title"], json!({ "type": "string" }));
    assert_eq!(binding["paths"]["/things/{thing_id}"]["put"].get("summary"), None);
    assert_eq!(breaches(&binding, &document), []);
}

#[test]
fn the_changelog_announces_in_the_part_that_is_not_released() {
    let text = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- `GET /a`\n\n### Breaking changes\n\n- `GET /b`: why.\n\n\
                ## [0.1.0]\n\n### Breaking changes\n\n- `GET /c`\n";
    let announced = announced(text);
    let named: Vec<_> = ["GET /a", "GET /b", "GET /c"].iter().filter(|name| announced.contains(**name)).collect();
    assert_eq!(named, [&"GET /b"]);
}
