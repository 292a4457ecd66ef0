//! OpenAPI 3.1 told as 3.0.3, for the gateways, validators and generators that read nothing newer.
//!
//! Strict on purpose: every member of the document is looked up in the tables below, and one that
//! 3.0 does not know and that has no translation here is an error, never a silent loss.

use serde_json::{Map, Value, json};

use super::{finish::sorted, nullable::copy_nullable_references, schemas::below};

/// A member of the document that OpenAPI 3.0 cannot say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("OpenAPI 3.0 cannot express {pointer}")]
pub struct Untranslatable {
    /// JSON pointer (RFC 6901) to the offending member.
    pub pointer: String,
}

/// What to do with a member.
enum Part {
    /// The same in both versions.
    Keep,
    /// Of 3.1 only, and nothing is lost without it.
    Drop,
    /// A schema.
    Schema,
    /// A map of schemas by name.
    Schemas,
    /// An object of this shape.
    One(&'static Shape),
    /// A list or a map of objects of this shape.
    Each(&'static Shape),
}
use Part::{Drop, Each, Keep, One, Schema, Schemas};

/// The members an object may have. `x-` members are always kept.
struct Shape(&'static [(&'static str, Part)]);

static DOCUMENT: Shape = Shape(&[
    ("openapi", Keep),
    ("info", One(&INFO)),
    ("jsonSchemaDialect", Drop),
    ("servers", Keep),
    ("paths", Each(&PATH_ITEM)),
    ("webhooks", Drop),
    ("components", One(&COMPONENTS)),
    ("security", Keep),
    ("tags", Keep),
    ("externalDocs", Keep),
]);
static INFO: Shape = Shape(&[
    ("title", Keep),
    ("summary", Drop),
    ("description", Keep),
    ("termsOfService", Keep),
    ("contact", Keep),
    ("license", One(&LICENSE)),
    ("version", Keep),
]);
static LICENSE: Shape = Shape(&[("name", Keep), ("identifier", Drop), ("url", Keep)]);
static COMPONENTS: Shape = Shape(&[
    ("schemas", Schemas),
    ("responses", Each(&RESPONSE)),
    ("parameters", Each(&PARAMETER)),
    ("examples", Keep),
    ("requestBodies", Each(&REQUEST_BODY)),
    ("headers", Each(&PARAMETER)),
    ("securitySchemes", Each(&SECURITY_SCHEME)),
    ("links", Keep),
    ("callbacks", Each(&CALLBACK)),
]);
static SECURITY_SCHEME: Shape = Shape(&[
    ("type", Keep),
    ("description", Keep),
    ("name", Keep),
    ("in", Keep),
    ("scheme", Keep),
    ("bearerFormat", Keep),
    ("flows", Keep),
    ("openIdConnectUrl", Keep),
]);
static PATH_ITEM: Shape = Shape(&[
    ("summary", Keep),
    ("description", Keep),
    ("get", One(&OPERATION)),
    ("put", One(&OPERATION)),
    ("post", One(&OPERATION)),
    ("delete", One(&OPERATION)),
    ("options", One(&OPERATION)),
    ("head", One(&OPERATION)),
    ("patch", One(&OPERATION)),
    ("trace", One(&OPERATION)),
    ("servers", Keep),
    ("parameters", Each(&PARAMETER)),
]);
static OPERATION: Shape = Shape(&[
    ("tags", Keep),
    ("summary", Keep),
    ("description", Keep),
    ("externalDocs", Keep),
    ("operationId", Keep),
    ("parameters", Each(&PARAMETER)),
    ("requestBody", One(&REQUEST_BODY)),
    ("responses", Each(&RESPONSE)),
    ("callbacks", Each(&CALLBACK)),
    ("deprecated", Keep),
    ("security", Keep),
    ("servers", Keep),
]);
/// Parameters, and headers, which are parameters without `name` and `in`.
static PARAMETER: Shape = Shape(&[
    ("name", Keep),
    ("in", Keep),
    ("description", Keep),
    ("required", Keep),
    ("deprecated", Keep),
    ("allowEmptyValue", Keep),
    ("style", Keep),
    ("explode", Keep),
    ("allowReserved", Keep),
    ("schema", Schema),
    ("example", Keep),
    ("examples", Keep),
    ("content", Each(&MEDIA_TYPE)),
]);
static REQUEST_BODY: Shape = Shape(&[("description", Keep), ("content", Each(&MEDIA_TYPE)), ("required", Keep)]);
static RESPONSE: Shape =
    Shape(&[("description", Keep), ("headers", Each(&PARAMETER)), ("content", Each(&MEDIA_TYPE)), ("links", Keep)]);
static MEDIA_TYPE: Shape =
    Shape(&[("schema", Schema), ("example", Keep), ("examples", Keep), ("encoding", Each(&ENCODING))]);
static ENCODING: Shape = Shape(&[
    ("contentType", Keep),
    ("headers", Each(&PARAMETER)),
    ("style", Keep),
    ("explode", Keep),
    ("allowReserved", Keep),
]);
/// A callback maps expressions to path items; none is served yet, so none is translated.
static CALLBACK: Shape = Shape(&[]);

/// Schema keywords that mean the same in both versions.
const SAME: [&str; 24] = [
    "title",
    "description",
    "default",
    "enum",
    "format",
    "pattern",
    "required",
    "discriminator",
    "externalDocs",
    "xml",
    "deprecated",
    "readOnly",
    "writeOnly",
    "example",
    "multipleOf",
    "maximum",
    "minimum",
    "maxLength",
    "minLength",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
];
/// Keywords told through others: read last, so that they meet what the schema says itself.
const LATE: [&str; 7] =
    ["oneOf", "anyOf", "examples", "exclusiveMinimum", "exclusiveMaximum", "contentEncoding", "contentMediaType"];

type Translated<T> = Result<T, Untranslatable>;

fn refuse<T>(pointer: &str) -> Translated<T> {
    Err(Untranslatable { pointer: pointer.to_owned() })
}

/// Translates a finished OpenAPI 3.1 document into 3.0.3.
///
/// # Errors
/// With the place of the first member that has no translation.
pub fn to_3_0(document: &Value) -> Result<Value, Untranslatable> {
    let mut document = document.clone();
    copy_nullable_references(&mut document);
    let mut translated = object("", &document, &DOCUMENT)?;
    if let Some(root) = translated.as_object_mut() {
        root.insert("openapi".into(), "3.0.3".into());
    }
    let identifier = document.pointer("/info/license/identifier").and_then(Value::as_str);
    if let (Some(identifier), Some(Value::Object(license))) = (identifier, translated.pointer_mut("/info/license")) {
        license.entry("url").or_insert_with(|| format!("https://spdx.org/licenses/{identifier}.html").into());
    }
    Ok(sorted(translated))
}

fn object(pointer: &str, value: &Value, shape: &'static Shape) -> Translated<Value> {
    let Some(members) = value.as_object() else { return refuse(pointer) };
    // Beside a reference, 3.1 allows a summary and a description; 3.0 reads the reference alone.
    if let Some(reference) = members.get("$ref") {
        return Ok(json!({ "$ref": reference }));
    }
    let mut out = Map::new();
    for (key, member) in members {
        let pointer = below(pointer, key);
        let translated = match shape.0.iter().find(|(name, _)| name == key).map(|(_, part)| part) {
            Some(Drop) => continue,
            Some(Keep) => member.clone(),
            Some(Schema) => schema(&pointer, member)?,
            Some(Schemas) => schemas(&pointer, member)?,
            Some(One(shape)) => object(&pointer, member, shape)?,
            Some(Each(shape)) => each(&pointer, member, shape)?,
            None if key.starts_with("x-") => member.clone(),
            None => return refuse(&pointer),
        };
        out.insert(key.clone(), translated);
    }
    if out.get("type").is_some_and(|kind| kind == "mutualTLS") {
        return refuse(&below(pointer, "type"));
    }
    Ok(Value::Object(out))
}

fn each(pointer: &str, value: &Value, shape: &'static Shape) -> Translated<Value> {
    match value {
        Value::Array(parts) => {
            let parts = parts.iter().enumerate();
            parts.map(|(at, part)| object(&below(pointer, &at.to_string()), part, shape)).collect()
        }
        Value::Object(members) => {
            let translate = |(key, member): (&String, &Value)| {
                let translated = object(&below(pointer, key), member, shape)?;
                Ok((key.clone(), translated))
            };
            Ok(Value::Object(members.iter().map(translate).collect::<Translated<_>>()?))
        }
        _ => refuse(pointer),
    }
}

fn schemas(pointer: &str, value: &Value) -> Translated<Value> {
    let Some(members) = value.as_object() else { return refuse(pointer) };
    let translate = |(name, member): (&String, &Value)| Ok((name.clone(), schema(&below(pointer, name), member)?));
    Ok(Value::Object(members.iter().map(translate).collect::<Translated<_>>()?))
}

fn schema(pointer: &str, value: &Value) -> Translated<Value> {
    let members = match value {
        Value::Object(members) => members,
        Value::Bool(true) => return Ok(json!({})),
        _ => return refuse(pointer),
    };
    let mut out = Map::new();
    let (late, early): (Vec<_>, Vec<_>) = members.iter().partition(|(key, _)| LATE.contains(&key.as_str()));
    for (key, member) in early.into_iter().chain(late) {
        keyword(&below(pointer, key), key, member, &mut out)?;
    }
    let Some(reference) = members.get("$ref") else { return Ok(Value::Object(out)) };
    let reference = json!({ "$ref": reference });
    if out.is_empty() {
        return Ok(reference);
    }
    match out.entry("allOf").or_insert_with(|| json!([])) {
        Value::Array(parts) => parts.insert(0, reference),
        _ => return refuse(&below(pointer, "allOf")),
    }
    Ok(Value::Object(out))
}

/// Adds the translation of one keyword.
fn keyword(pointer: &str, key: &str, member: &Value, out: &mut Map<String, Value>) -> Translated<()> {
    let (key, translated) = match (key, member) {
        // `schema` sees to the first; the second is for readers of the schema itself.
        ("$ref" | "$comment", _) => return Ok(()),
        ("type", Value::String(kind)) if kind != "null" => (key, member.clone()),
        ("type", Value::Array(kinds)) => {
            let real: Vec<_> = kinds.iter().filter(|kind| *kind != "null").collect();
            let [one] = real.as_slice() else { return refuse(pointer) };
            if kinds.len() > 1 {
                out.insert("nullable".into(), true.into());
            }
            (key, (*one).clone())
        }
        ("oneOf" | "anyOf", Value::Array(choices)) => return alternatives(pointer, key, choices, out),
        ("allOf", Value::Array(parts)) => {
            let parts = parts.iter().enumerate();
            (key, parts.map(|(at, part)| schema(&below(pointer, &at.to_string()), part)).collect::<Translated<_>>()?)
        }
        ("properties", _) => (key, schemas(pointer, member)?),
        ("additionalProperties", Value::Bool(_)) => (key, member.clone()),
        ("items" | "not" | "additionalProperties", _) => (key, schema(pointer, member)?),
        ("const", constant) if !constant.is_null() && !out.contains_key("enum") => ("enum", json!([constant])),
        ("examples", Value::Array(examples)) => match examples.first() {
            Some(first) if !out.contains_key("example") => ("example", first.clone()),
            _ => return Ok(()),
        },
        ("exclusiveMinimum", bound) => return exclusive("minimum", bound, |own, bound| own > bound, pointer, key, out),
        ("exclusiveMaximum", bound) => return exclusive("maximum", bound, |own, bound| own < bound, pointer, key, out),
        ("contentEncoding", encoding) if encoding == "base64" && !out.contains_key("format") => {
            ("format", json!("byte"))
        }
        ("contentMediaType", Value::String(_)) if out.get("format").is_some_and(|format| format == "byte") => {
            return Ok(());
        }
        ("contentMediaType", Value::String(_)) if !out.contains_key("format") => ("format", json!("binary")),
        _ if key.starts_with("x-") || SAME.contains(&key) => (key, member.clone()),
        _ => return refuse(pointer),
    };
    out.insert(key.to_owned(), translated);
    Ok(())
}

/// A bound that excludes itself: a number of its own in 3.1, a remark on the inclusive bound in 3.0.
fn exclusive(
    inclusive: &str,
    bound: &Value,
    is_tighter: fn(f64, f64) -> bool,
    pointer: &str,
    key: &str,
    out: &mut Map<String, Value>,
) -> Translated<()> {
    let Some(limit) = bound.as_f64() else { return refuse(pointer) };
    let own = out.get(inclusive).and_then(Value::as_f64);
    if !own.is_some_and(|own| is_tighter(own, limit)) {
        out.insert(inclusive.to_owned(), bound.clone());
        out.insert(key.to_owned(), true.into());
    }
    Ok(())
}

/// `oneOf` and `anyOf`: the choice `null` becomes `nullable`, and one choice left is no choice.
///
/// A nullable reference that could not be copied is told as `nullable` beside an `allOf` of one.
fn alternatives(pointer: &str, key: &str, choices: &[Value], out: &mut Map<String, Value>) -> Translated<()> {
    let mut real = Vec::new();
    for (at, choice) in choices.iter().enumerate() {
        if choice.get("type").is_none_or(|kind| kind != "null") {
            real.push(schema(&below(pointer, &at.to_string()), choice)?);
        }
    }
    if real.len() < choices.len() {
        out.insert("nullable".into(), true.into());
        if let [Value::Object(one)] = real.as_slice() {
            let one =
                if one.contains_key("$ref") { &Map::from_iter([("allOf".to_owned(), json!([one]))]) } else { one };
            for (key, member) in one {
                let about = ["title", "description", "example", "default"].contains(&key.as_str());
                if !about && out.get(key).is_some_and(|own| own != member) {
                    return refuse(&below(pointer, key));
                }
                // What the schema says of itself counts before what the choice says of itself.
                out.entry(key).or_insert_with(|| member.clone());
            }
            return Ok(());
        }
        if real.is_empty() {
            return refuse(pointer);
        }
    }
    out.insert(key.to_owned(), Value::Array(real));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::finish::{finish, tests::sample};

    fn holding(schema: &Value) -> Value {
        json!({ "openapi": "3.1.0", "components": { "schemas": { "X": schema } } })
    }

    #[test]
    fn each_new_way_of_saying_has_an_old_one() {
        let reference = json!({ "$ref": "#/components/schemas/Y" });
        for (new, old) in [
            (
                json!({ "type": ["string", "null"], "maxLength": 5 }),
                json!({ "type": "string", "nullable": true, "maxLength": 5 }),
            ),
            (json!({ "oneOf": [reference, { "type": "null" }] }), json!({ "allOf": [reference], "nullable": true })),
            (
                json!({ "anyOf": [{ "type": "null" }, { "type": "string", "description": "a" }], "description": "b" }),
                json!({ "type": "string", "nullable": true, "description": "b" }),
            ),
            (
                json!({ "oneOf": [reference, { "type": "boolean" }, { "type": "null" }] }),
                json!({ "oneOf": [reference, { "type": "boolean" }], "nullable": true }),
            ),
            (
                json!({ "$ref": "#/components/schemas/Y", "description": "a" }),
                json!({ "allOf": [reference], "description": "a" }),
            ),
            (reference.clone(), reference.clone()),
            (json!({ "const": 1 }), json!({ "enum": [1] })),
            (json!({ "examples": ["a", "b"] }), json!({ "example": "a" })),
            (json!({ "examples": ["a"], "example": "b" }), json!({ "example": "b" })),
            (json!({ "exclusiveMinimum": 0 }), json!({ "minimum": 0, "exclusiveMinimum": true })),
            (json!({ "exclusiveMaximum": 9, "maximum": 9.5 }), json!({ "maximum": 9, "exclusiveMaximum": true })),
            (json!({ "exclusiveMaximum": 9, "maximum": 8 }), json!({ "maximum": 8 })),
            (json!({ "contentEncoding": "base64" }), json!({ "format": "byte" })),
            (json!({ "contentMediaType": "image/png" }), json!({ "format": "binary" })),
            (json!({ "contentEncoding": "base64", "contentMediaType": "image/png" }), json!({ "format": "byte" })),
            (
                json!({ "items": true, "$comment": "a", "x-a": { "const": 1 } }),
                json!({ "items": {}, "x-a": { "const": 1 } }),
            ),
            // Members called like keywords are members.
            (
                json!({ "properties": { "const": { "const": 1 }, "examples": {} } }),
                json!({ "properties": { "const": { "enum": [1] }, "examples": {} } }),
            ),
        ] {
            let translated = to_3_0(&holding(&new)).unwrap();
            assert_eq!(translated["components"]["schemas"]["X"], old, "{new}");
        }
    }

    #[test]
    fn what_has_no_old_way_is_named() {
        for (schema, place) in [
            (json!({ "prefixItems": [] }), "prefixItems"),
            (json!({ "propertyNames": { "maxLength": 1 } }), "propertyNames"),
            (json!({ "unevaluatedProperties": false }), "unevaluatedProperties"),
            (json!({ "type": ["string", "integer"] }), "type"),
            (json!({ "type": "null" }), "type"),
            (json!({ "oneOf": [{ "type": "null" }] }), "oneOf"),
            (json!({ "maxItems": 1, "oneOf": [{ "maxItems": 2 }, { "type": "null" }] }), "oneOf/maxItems"),
            (json!({ "const": null }), "const"),
            (json!({ "items": false }), "items"),
            (json!({ "nullable": true }), "nullable"),
            (json!({ "contentEncoding": "gzip" }), "contentEncoding"),
            (json!({ "properties": { "a/b": { "if": {} } } }), "properties/a~1b/if"),
        ] {
            let refused = to_3_0(&holding(&schema)).unwrap_err();
            assert_eq!(refused.pointer, format!("/components/schemas/X/{place}"));
        }
        for (document, pointer) in [
            (json!({ "components": { "pathItems": {} } }), "/components/pathItems"),
            (
                json!({ "components": { "securitySchemes": { "a": { "type": "mutualTLS" } } } }),
                "/components/securitySchemes/a/type",
            ),
            (json!({ "paths": { "/a": { "query": {} } } }), "/paths/~1a/query"),
            (json!({ "$self": "a" }), "/$self"),
        ] {
            assert_eq!(to_3_0(&document), refuse(pointer));
        }
    }

    #[test]
    fn the_finished_document_has_an_old_form() {
        let mut finished = finish(sample());
        finished["webhooks"] = json!({});
        finished["jsonSchemaDialect"] = json!("https://example.org");
        let translated = to_3_0(&finished).unwrap();
        assert_eq!(translated["openapi"], "3.0.3");
        assert_eq!((translated.get("webhooks"), translated.get("jsonSchemaDialect")), (None, None));
        assert_eq!(translated["info"].get("summary"), None);
        assert_eq!(translated["info"]["x-summary"], finished["info"]["summary"]);
        let license = json!({ "name": "EUPL-1.2", "url": "https://spdx.org/licenses/EUPL-1.2.html" });
        assert_eq!(translated["info"]["license"], license);
        assert_eq!(translated["paths"]["/tenants"], finished["paths"]["/tenants"]);
        let moved_from = &translated["components"]["schemas"]["Appointment"]["properties"]["moved_from"];
        let mut expected = translated["components"]["schemas"]["Office"].clone();
        expected["description"] = json!("Where it was before.");
        expected["nullable"] = json!(true);
        assert_eq!(*moved_from, expected);
    }
}
