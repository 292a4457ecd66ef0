//! The schemas of the contract: walked, tidied, bounded, and dropped when nothing needs them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

const SCHEMAS: &str = "#/components/schemas/";
/// The largest integer that every JSON reader keeps exact (2^53 − 1).
const SAFE: i64 = 9_007_199_254_740_991;
/// The longest text, in characters, where a field does not say.
const MAX_LENGTH: i64 = 10_000;
/// The most items of a list and members of a map, where they do not say.
const MAX_ITEMS: i64 = 1000;
/// Formats that bound a text by themselves.
pub(super) const BOUNDED_FORMATS: [&str; 4] = ["date", "date-time", "time", "uuid"];

/// Calls `visit` on every schema with its JSON pointer, the outer before the inner.
///
/// A walk of its own, because a schema's `properties` may be called `type` or `required` like the
/// keywords: only the place tells them apart.
pub(super) fn each_schema(document: &mut Value, visit: &mut dyn FnMut(&str, &mut Map<String, Value>)) {
    if let Some(paths) = document.get_mut("paths") {
        holders("/paths", paths, visit);
    }
    let components = document.get_mut("components").and_then(Value::as_object_mut);
    for (section, parts) in components.into_iter().flatten() {
        let pointer = format!("/components/{section}");
        if section != "schemas" {
            holders(&pointer, parts, visit);
        } else if let Value::Object(parts) = parts {
            parts.iter_mut().for_each(|(name, schema)| walk(&below(&pointer, name), schema, visit));
        }
    }
}

/// Looks for the `schema` of parameters, headers and media types.
fn holders(pointer: &str, part: &mut Value, visit: &mut dyn FnMut(&str, &mut Map<String, Value>)) {
    match part {
        Value::Object(members) => {
            for (key, member) in members {
                match key.as_str() {
                    "schema" => walk(&below(pointer, key), member, visit),
                    "example" | "examples" => {}
                    extension if extension.starts_with("x-") => {}
                    _ => holders(&below(pointer, key), member, visit),
                }
            }
        }
        Value::Array(parts) => {
            parts.iter_mut().enumerate().for_each(|(at, part)| holders(&below(pointer, &at.to_string()), part, visit));
        }
        _ => {}
    }
}

fn walk(pointer: &str, schema: &mut Value, visit: &mut dyn FnMut(&str, &mut Map<String, Value>)) {
    let Value::Object(schema) = schema else { return };
    visit(pointer, schema);
    for (key, part) in schema {
        let pointer = below(pointer, key);
        match (key.as_str(), part) {
            ("properties" | "patternProperties" | "$defs", Value::Object(parts)) => {
                parts.iter_mut().for_each(|(name, part)| walk(&below(&pointer, name), part, visit));
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(parts)) => {
                parts
                    .iter_mut()
                    .enumerate()
                    .for_each(|(at, part)| walk(&below(&pointer, &at.to_string()), part, visit));
            }
            ("items" | "additionalProperties" | "not" | "propertyNames", part) => walk(&pointer, part, visit),
            _ => {}
        }
    }
}

/// The pointer to a member (RFC 6901).
pub(super) fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The types a schema allows.
pub(super) fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The name of the component that a schema is a reference to.
fn target(schema: &Map<String, Value>) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(SCHEMAS)
}

fn component_schemas(document: &Value) -> Map<String, Value> {
    document.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Undoes what utoipa leaves awkward: copies inside generics, flattened structs in parts, names with
/// underscores and dots, member names "limited" to strings.
pub(super) fn tidy(document: &mut Value) {
    let known = component_schemas(document);
    each_schema(document, &mut |pointer, schema| {
        refer_instead_of_copying(pointer, schema, &known);
        if let Some(merged) = merge(schema, &known) {
            *schema = merged;
        }
        if schema.get("propertyNames") == Some(&json!({ "type": "string" })) {
            schema.remove("propertyNames");
        }
    });
    rename(document, &known);
}

/// `Page_Appointment` repeats all of `Appointment`: put the reference back.
fn refer_instead_of_copying(pointer: &str, schema: &mut Map<String, Value>, known: &Map<String, Value>) {
    let mut steps = pointer.strip_prefix("/components/schemas/").into_iter().flat_map(|rest| rest.split('/'));
    let Some(owner) = steps.next() else { return };
    if steps.next().is_none() || !owner.contains('_') {
        return;
    }
    let owner = format!("{owner}_");
    let is_argument = |name: &str| owner.contains(&format!("_{name}_"));
    let original = known.iter().find(|(name, other)| is_argument(name) && other.as_object() == Some(&*schema));
    if let Some((name, _)) = original {
        *schema = Map::from_iter([("$ref".to_owned(), format!("{SCHEMAS}{name}").into())]);
    }
}

/// The one object that an `allOf` of plain objects amounts to, as a flattened struct is in JSON.
///
/// Only so can it be closed: a closed part would refuse the members of the other parts.
fn merge(schema: &Map<String, Value>, known: &Map<String, Value>) -> Option<Map<String, Value>> {
    let parts = schema.get("allOf")?.as_array().filter(|parts| parts.len() > 1)?;
    let mut own = schema.clone();
    own.remove("allOf");
    let mut whole = json!({ "type": "object" }).as_object().cloned()?;
    for part in parts {
        add(&mut whole, &plain(part.as_object()?, known, 0)?)?;
    }
    if own.contains_key("properties") {
        add(&mut whole, &plain(&own, known, 0)?)?;
    }
    for key in ["title", "description", "example", "examples", "deprecated"] {
        whole.extend(own.remove_entry(key));
    }
    let told = ["type", "properties", "required", "additionalProperties"];
    own.keys().all(|key| told.contains(&key.as_str())).then_some(whole)
}

/// A schema as a plain object, with its references followed; `None` if it is anything else.
fn plain(schema: &Map<String, Value>, known: &Map<String, Value>, depth: u8) -> Option<Map<String, Value>> {
    if depth > 8 {
        return None;
    }
    if let Some(name) = target(schema) {
        return plain(known.get(name)?.as_object()?, known, depth.saturating_add(1));
    }
    if schema.contains_key("allOf") {
        return merge(schema, known);
    }
    let expected = ["type", "properties", "required", "additionalProperties", "title", "description"];
    let closable = schema.get("additionalProperties").is_none_or(|more| *more == json!(false));
    let is_plain = types(schema) == ["object"] && schema.keys().all(|key| expected.contains(&key.as_str()));
    (is_plain && closable).then(|| schema.clone())
}

/// Adds the members of one part; `None` if two parts disagree about a member.
fn add(whole: &mut Map<String, Value>, part: &Map<String, Value>) -> Option<()> {
    if let Some(Value::Object(members)) = part.get("properties") {
        let all = whole.entry("properties").or_insert_with(|| json!({})).as_object_mut()?;
        for (name, member) in members {
            if all.get(name).is_some_and(|other| other != member) {
                return None;
            }
            all.insert(name.clone(), member.clone());
        }
    }
    if let Some(Value::Array(names)) = part.get("required") {
        let all = whole.entry("required").or_insert_with(|| json!([])).as_array_mut()?;
        for name in names {
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
    }
    whole.extend(part.get("additionalProperties").map(|more| ("additionalProperties".to_owned(), more.clone())));
    Some(())
}

/// Gives components the names clients expect: `Page_Appointment` is an `AppointmentPage`,
/// `Id_Office` an `OfficeId`, `booking.Slot` a `BookingSlot`. A name already taken stays as it was.
fn rename(document: &mut Value, known: &Map<String, Value>) {
    let mut taken: BTreeSet<String> = known.keys().cloned().collect();
    let mut names = BTreeMap::new();
    for name in known.keys() {
        let new: String = name.split('_').rev().map(pascal).collect();
        if taken.insert(new.clone()) {
            names.insert(format!("{SCHEMAS}{name}"), format!("{SCHEMAS}{new}"));
        }
    }
    replace_texts(document, &names);
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        let renamed = std::mem::take(schemas).into_iter().map(|(name, schema)| {
            let new = names.get(&format!("{SCHEMAS}{name}")).and_then(|new| new.strip_prefix(SCHEMAS));
            (new.map_or(name, str::to_owned), schema)
        });
        schemas.extend(renamed.collect::<Vec<_>>());
    }
}

fn pascal(name: &str) -> String {
    let upper_first = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split(|letter: char| !letter.is_ascii_alphanumeric()).map(upper_first).collect()
}

/// References stand under `$ref` and in a discriminator's mapping: as whole texts in either case.
fn replace_texts(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(new) = names.get(text) {
                new.clone_into(text);
            }
        }
        Value::Array(parts) => parts.iter_mut().for_each(|part| replace_texts(part, names)),
        Value::Object(members) => members.values_mut().for_each(|member| replace_texts(member, names)),
        _ => {}
    }
}

/// Takes `null` off a parameter's schema: a parameter is left out, never null.
pub(super) fn without_null(schema: &mut Value) {
    let null = json!("null");
    let Value::Object(members) = schema else { return };
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|one| *one != null);
        if let [one] = types.as_slice() {
            let one = one.clone();
            members.insert("type".into(), one);
        }
    }
    let alone = members.len() == 1;
    if let Some(Value::Array(choices)) = members.get_mut("oneOf") {
        choices.retain(|choice| choice.get("type") != Some(&null));
        if let ([one], true) = (choices.as_slice(), alone) {
            *schema = one.clone();
        }
    }
}

/// Bounds every schema that does not bound itself, and closes every object that can be closed.
pub(super) fn bound(document: &mut Value) {
    let mut names = Vec::new();
    each_schema(document, &mut |_, schema| {
        let all_of = schema.get_mut("allOf").and_then(Value::as_array_mut).filter(|parts| parts.len() > 1);
        all_of.into_iter().flatten().for_each(|part| open(part, &mut names));
    });
    let mut opened = BTreeSet::new();
    while let Some(name) = names.pop() {
        if let Some(part) = document.pointer_mut(&below("/components/schemas", &name))
            && opened.insert(name)
        {
            open(part, &mut names);
        }
    }
    each_schema(document, &mut |_, schema| bound_one(schema));
}

/// Lets a part of an `allOf` accept the members of the other parts; collects the names of components
/// that must do so too.
fn open(part: &mut Value, names: &mut Vec<String>) {
    let Value::Object(part) = part else { return };
    names.extend(target(part).map(str::to_owned));
    if types(part).contains(&"object") {
        part.entry("additionalProperties").or_insert_with(|| json!({}));
    }
    for choices in ["allOf", "anyOf", "oneOf"] {
        let choices = part.get_mut(choices).and_then(Value::as_array_mut);
        choices.into_iter().flatten().for_each(|choice| open(choice, names));
    }
}

fn bound_one(schema: &mut Map<String, Value>) {
    let types: Vec<String> = types(schema).into_iter().map(str::to_owned).collect();
    let is = |name: &str| types.iter().any(|one| one == name);
    let mut fill = |key: &str, value: Value| {
        schema.entry(key).or_insert(value);
    };
    if is("array") {
        fill("minItems", 0.into());
        fill("maxItems", MAX_ITEMS.into());
    }
    if is("integer") {
        fill("format", "int64".into());
    } else if is("number") {
        fill("format", "double".into());
    }
    if is("integer") || is("number") {
        let small = schema.get("format").is_some_and(|format| format == "int32");
        let (least, most) = if small { (i32::MIN.into(), i32::MAX.into()) } else { (-SAFE, SAFE) };
        for (bound, exclusive, default) in
            [("minimum", "exclusiveMinimum", least), ("maximum", "exclusiveMaximum", most)]
        {
            let value = schema.get(exclusive).cloned().unwrap_or_else(|| default.into());
            schema.entry(bound).or_insert(value);
        }
    }
    if is("string") && !["enum", "const"].iter().any(|key| schema.contains_key(*key)) {
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        if !BOUNDED_FORMATS.contains(&format) {
            schema.entry("maxLength").or_insert_with(|| MAX_LENGTH.into());
        }
    }
    if is("object") {
        let more = if schema.contains_key("properties") { json!(false) } else { json!({}) };
        if schema.get("additionalProperties") == Some(&json!(true)) {
            schema.insert("additionalProperties".into(), json!({}));
        }
        if *schema.entry("additionalProperties").or_insert(more) != json!(false) {
            schema.entry("maxProperties").or_insert_with(|| MAX_ITEMS.into());
        }
    }
}

/// Drops the components that nothing refers to, directly or through others. Security schemes stay.
pub(super) fn prune(document: &mut Value) {
    let mut needed = BTreeSet::new();
    let mut found = references(document.get("paths").unwrap_or(&Value::Null));
    while let Some(reference) = found.pop() {
        if needed.insert(reference.clone()) {
            found.extend(document.pointer(reference.trim_start_matches('#')).map(references).unwrap_or_default());
        }
    }
    let components = document.get_mut("components").and_then(Value::as_object_mut);
    for (section, parts) in components.into_iter().flatten().filter(|(section, _)| *section != "securitySchemes") {
        if let Value::Object(parts) = parts {
            parts.retain(|name, _| needed.contains(&format!("#{}", below(&format!("/components/{section}"), name))));
        }
    }
    if let Some(Value::Object(components)) = document.get_mut("components") {
        components.retain(|_, parts| parts.as_object().is_none_or(|parts| !parts.is_empty()));
    }
}

/// Every component that a value refers to.
pub(super) fn references(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if text.starts_with("#/components/") => vec![text.clone()],
        Value::Array(parts) => parts.iter().flat_map(references).collect(),
        Value::Object(members) => members.values().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::finish::{finish, tests::sample};

    fn document(schemas: &Value) -> Value {
        let all = schemas.as_object().unwrap().keys().map(|name| json!({ "$ref": format!("{SCHEMAS}{name}") }));
        json!({ "paths": { "/x": { "schema": { "anyOf": all.collect::<Value>() } } }, "components": { "schemas": schemas } })
    }

    fn finished(schemas: &Value) -> Value {
        let mut document = document(schemas);
        tidy(&mut document);
        bound(&mut document);
        document["components"]["schemas"].clone()
    }

    #[test]
    fn generics_refer_to_what_they_hold() {
        let schemas = &finish(sample())["components"]["schemas"];
        for (page, item) in
            [("AppointmentPage", "Appointment"), ("OfficePage", "Office"), ("PlatformTenantPage", "PlatformTenant")]
        {
            let expected = json!({ "$ref": format!("{SCHEMAS}{item}") });
            assert_eq!(schemas[page]["properties"]["items"]["items"], expected);
        }
        assert_eq!(schemas["Office"]["properties"]["id"]["$ref"], format!("{SCHEMAS}OfficeId"));
    }

    #[test]
    fn a_flattened_struct_is_one_closed_object() {
        let schemas = &finish(sample())["components"]["schemas"];
        let appointment = &schemas["Appointment"];
        assert_eq!(appointment["additionalProperties"], json!(false));
        assert_eq!(appointment["description"], "A booked visit.");
        assert_eq!(appointment["properties"]["version"]["format"], "int64");
        assert_eq!(appointment["required"].as_array().unwrap().len(), 12);
        assert_eq!(schemas.get("Stamp"), None);
    }

    #[test]
    fn parts_that_cannot_be_one_object_let_each_others_members_pass() {
        let schemas = finished(&json!({
            "Whole": { "allOf": [
                { "$ref": format!("{SCHEMAS}Choice") },
                { "type": "object", "properties": { "a": { "type": "boolean" } } },
            ] },
            "Choice": { "oneOf": [{ "type": "object", "properties": { "b": { "type": "boolean" } } }] },
            "Clash": { "allOf": [
                { "type": "object", "properties": { "a": { "type": "boolean" } } },
                { "type": "object", "properties": { "a": { "type": "null" } } },
            ] },
        }));
        for part in ["/Whole/allOf/1", "/Choice/oneOf/0", "/Clash/allOf/0", "/Clash/allOf/1"] {
            let part = schemas.pointer(part).unwrap();
            assert_eq!((&part["additionalProperties"], &part["maxProperties"]), (&json!({}), &json!(MAX_ITEMS)));
        }
    }

    #[test]
    fn what_does_not_bound_itself_is_bounded() {
        for (given, expected) in [
            (json!({ "type": "string" }), json!({ "type": "string", "maxLength": 10000 })),
            (json!({ "type": "string", "format": "uuid" }), json!({ "type": "string", "format": "uuid" })),
            (json!({ "type": "string", "enum": ["a"] }), json!({ "type": "string", "enum": ["a"] })),
            (
                json!({ "type": ["string", "null"], "format": "uri" }),
                json!({ "type": ["string", "null"], "format": "uri", "maxLength": 10000 }),
            ),
            (
                json!({ "type": "integer", "minimum": 1 }),
                json!({ "type": "integer", "format": "int64", "minimum": 1, "maximum": SAFE }),
            ),
            (
                json!({ "type": ["integer", "null"], "format": "int32" }),
                json!({ "type": ["integer", "null"], "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX }),
            ),
            (
                json!({ "type": "number", "exclusiveMinimum": 0 }),
                json!({ "type": "number", "format": "double", "exclusiveMinimum": 0, "minimum": 0, "maximum": SAFE }),
            ),
            (
                json!({ "type": "array", "items": {} }),
                json!({ "type": "array", "items": {}, "minItems": 0, "maxItems": 1000 }),
            ),
            (
                json!({ "type": "object", "properties": { "type": {} } }),
                json!({ "type": "object", "properties": { "type": {} }, "additionalProperties": false }),
            ),
            (
                json!({ "type": "object", "additionalProperties": true }),
                json!({ "type": "object", "additionalProperties": {}, "maxProperties": 1000 }),
            ),
            (
                json!({ "type": "object" }),
                json!({ "type": "object", "additionalProperties": {}, "maxProperties": 1000 }),
            ),
        ] {
            assert_eq!(finished(&json!({ "X": given }))["X"], expected, "{given}");
        }
    }

    #[test]
    fn a_parameter_is_left_out_and_never_null() {
        for (given, expected) in [
            (json!({ "type": ["string", "null"] }), json!({ "type": "string" })),
            (json!({ "oneOf": [{ "$ref": "#/x" }, { "type": "null" }] }), json!({ "$ref": "#/x" })),
            (json!({ "type": "integer" }), json!({ "type": "integer" })),
        ] {
            let mut schema = given;
            without_null(&mut schema);
            assert_eq!(schema, expected);
        }
    }

    #[test]
    fn names_are_made_pascal_case_unless_that_name_is_taken() {
        let schemas = finished(&json!({ "a.Slot": {}, "Page_a.Slot": {}, "Id_Office": {}, "OfficeId": {} }));
        let mut names: Vec<_> = schemas.as_object().unwrap().keys().collect();
        names.sort_unstable();
        assert_eq!(names, ["ASlot", "ASlotPage", "Id_Office", "OfficeId"]);
    }

    #[test]
    fn what_nothing_refers_to_is_dropped_and_security_is_not() {
        let mut document = json!({
            "paths": { "/x": { "schema": { "$ref": "#/components/schemas/A" } } },
            "components": {
                "schemas": { "A": { "items": { "$ref": "#/components/schemas/B" } }, "B": {}, "C": { "$ref": "#/components/schemas/C" } },
                "responses": { "Gone": {} },
                "securitySchemes": { "bearer": {} },
            },
        });
        prune(&mut document);
        let expected = json!({
            "schemas": { "A": { "items": { "$ref": "#/components/schemas/B" } }, "B": {} },
            "securitySchemes": { "bearer": {} },
        });
        assert_eq!(document["components"], expected);
    }
}
