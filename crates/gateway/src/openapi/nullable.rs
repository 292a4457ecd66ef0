//! References that may be null, for a version of OpenAPI that has no such thing.

use serde_json::{Map, Value, json};

use super::schemas::{each_schema, prune};

/// Puts a copy of what it refers to in the place of every nullable reference.
///
/// `nullable` counts only beside a `type`, and beside a reference readers overlook one or the other.
pub(super) fn copy_nullable_references(document: &mut Value) {
    let known = document.pointer("/components/schemas").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut copied = false;
    each_schema(document, &mut |pointer, schema| {
        // A schema that holds itself is copied into itself a few times, and referred to below that.
        if pointer.matches("/properties/").count() < DEEPEST
            && let Some(copy) = nullable_copy(schema, &known)
        {
            *schema = copy;
            copied = true;
        }
    });
    if copied {
        // What was referred to as nullable only is not referred to any more.
        prune(document);
    }
}

/// How deep in members copies are made.
const DEEPEST: usize = 4;

fn nullable_copy(schema: &Map<String, Value>, known: &Map<String, Value>) -> Option<Map<String, Value>> {
    let (key, choices) = ["oneOf", "anyOf"].iter().find_map(|key| Some((*key, schema.get(*key)?.as_array()?)))?;
    let (null, real): (Vec<_>, Vec<_>) = choices.iter().partition(|choice| choice.get("type") == Some(&json!("null")));
    let ([_], [choice]) = (null.as_slice(), real.as_slice()) else { return None };
    let target = choice.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")?;
    let Value::Object(mut copy) = known.get(target)?.clone() else { return None };
    let kind = copy.get("type")?.as_str()?.to_owned();
    copy.insert("type".into(), json!([kind, "null"]));
    if let Some(Value::Array(words)) = copy.get_mut("enum") {
        words.push(Value::Null);
    }
    // What a schema says of itself counts before what its choice says, and that before what it refers to.
    copy.extend(choice.as_object()?.iter().filter(|(key, _)| *key != "$ref").map(|(k, v)| (k.clone(), v.clone())));
    copy.extend(schema.iter().filter(|(own, _)| *own != key).map(|(k, v)| (k.clone(), v.clone())));
    Some(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::to_3_0;

    fn nullable(name: &str) -> Value {
        json!({ "oneOf": [{ "type": "null" }, { "$ref": format!("#/components/schemas/{name}") }] })
    }

    /// The schemas of an answer that is an `A` with these members.
    fn translated(members: &Value) -> Value {
        let schema = json!({ "$ref": "#/components/schemas/A" });
        let document = json!({
            "paths": { "/x": { "get": { "responses": { "200": { "content": { "application/json": { "schema": schema } } } } } } },
            "components": { "schemas": {
                "A": { "type": "object", "properties": members },
                "Word": { "type": "string", "enum": ["a"], "example": "a" },
            } },
        });
        to_3_0(&document).unwrap()["components"]["schemas"].clone()
    }

    #[test]
    fn a_nullable_reference_is_a_nullable_copy() {
        let schemas = translated(&json!({ "word": nullable("Word") }));
        let word = json!({ "type": "string", "enum": ["a", null], "example": "a", "nullable": true });
        assert_eq!(schemas["A"]["properties"]["word"], word);
        assert_eq!(schemas.get("Word"), None);
    }

    #[test]
    fn what_holds_itself_ends() {
        let schemas = translated(&json!({ "again": nullable("A"), "word": nullable("Word") }));
        let again = &schemas["A"]["properties"]["again"];
        assert_eq!(again["nullable"], true);
        assert_eq!(again["properties"]["word"], schemas["A"]["properties"]["word"]);
        assert!(schemas.to_string().contains("#/components/schemas/A"));
    }
}
