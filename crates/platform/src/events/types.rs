//! What kinds of events there are, and what each tells.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    directory::{NewOffice, NewPlace},
    privacy::retention::model::NewRetentionRule,
    webhooks::rules::lets_one_through,
};

/// A kind of event.
#[derive(Debug, Clone, Copy)]
pub struct EventType {
    /// Dotted, past tense.
    pub kind: &'static str,
    /// What kind of object it happens to.
    pub subject: &'static str,
    /// What has happened.
    pub about: &'static str,
    /// The JSON Schema of its data.
    pub data: fn() -> Value,
}

/// Every kind there is. Put together by the gateway from what each crate has.
#[derive(Debug, Clone)]
pub struct EventTypes(pub Vec<EventType>);

impl EventTypes {
    /// The kinds that a filter lets through. One that lets none is misspelt.
    pub fn through(&self, filter: &str) -> impl Iterator<Item = &'static str> {
        let kinds = self.0.iter().map(|known| known.kind);
        kinds.filter(move |kind| lets_one_through(filter, kind))
    }

    /// Whether a filter lets any of them through.
    pub fn knows(&self, filter: &str) -> bool {
        self.through(filter).next().is_some()
    }
}

/// A kind of event, described.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventType, example = json!({
    "type": "office.created", "subject": "office", "description": "An office was added.",
    "data_schema": { "type": "object" }
}))]
pub struct EventTypeView {
    /// Dotted, past tense.
    #[schema(max_length = 100)]
    pub r#type: String,
    /// What kind of object it happens to.
    #[schema(max_length = 100)]
    pub subject: String,
    /// What has happened.
    #[schema(max_length = 500)]
    pub description: String,
    /// JSON Schema (2020-12) of `data`. Members may be added to it.
    #[schema(value_type = Object)]
    pub data_schema: Value,
}

impl From<EventType> for EventTypeView {
    fn from(of: EventType) -> Self {
        Self {
            r#type: of.kind.to_owned(),
            subject: of.subject.to_owned(),
            description: of.about.to_owned(),
            data_schema: (of.data)(),
        }
    }
}

/// The schema of a `T`, with what it refers to written out in its place.
pub fn data_of<T: ToSchema>() -> Value {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    inline(written(&T::schema()), &parts)
}

/// The schema of something administered: the body that makes it, with its `id` and `version`.
pub fn administered<T: ToSchema>() -> Value {
    let mut schema = data_of::<T>();
    if let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        members.insert("id".to_owned(), json!({ "type": "string", "format": "uuid" }));
        members.insert("version".to_owned(), json!({ "type": "integer", "format": "int64", "minimum": 1 }));
    }
    schema
}

fn written(schema: &RefOr<Schema>) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

/// No type of ours contains itself, so this ends.
fn inline(schema: Value, parts: &[(String, RefOr<Schema>)]) -> Value {
    match schema {
        Value::Object(members) => {
            let named = members.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
            if let Some((_, part)) = named.and_then(|name| parts.iter().find(|(known, _)| known == name)) {
                return inline(written(part), parts);
            }
            let inlined = |(name, value): (String, Value)| match name.as_str() {
                // What is sent may have members more than what a request may have.
                "additionalProperties" | "example" | "examples" => None,
                _ => Some((name, inline(value, parts))),
            };
            Value::Object(members.into_iter().filter_map(inlined).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| inline(item, parts)).collect()),
        other => other,
    }
}

/// Of a webhook, to those who administer them.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what is told of a webhook")]
struct WebhookData {
    /// Identifier.
    id: crate::webhooks::model::WebhookId,
    /// Its version after the event.
    version: Option<i64>,
    /// The host of its address.
    host: Option<String>,
    /// Which kinds of events.
    kinds: Option<Vec<String>>,
    /// Whether it is sent to.
    state: Option<crate::webhooks::model::WebhookState>,
    /// Why it is not.
    disabled_because: Option<crate::webhooks::model::DisabledBecause>,
}

/// Of what is kept although a rule would not keep it. About whom, and why, is not told.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what is told of a legal hold")]
struct LegalHoldData {
    /// Identifier.
    id: crate::privacy::holds::model::LegalHoldId,
    /// What kind of record is held; absent where it is a person.
    record_kind: Option<crate::privacy::RecordKind>,
    /// Which one.
    record_id: Option<crate::privacy::RecordId>,
}

/// A table of kinds of events: kind, what it happens to, what has happened, and the schema of its data.
#[macro_export]
macro_rules! event_types {
    ($($kind:literal, $subject:literal, $about:literal, $data:expr;)+) => {
        &[ $( $crate::events::EventType { kind: $kind, subject: $subject, about: $about, data: $data } ),+ ]
    };
}

/// What happens to what the platform itself keeps.
pub const PLATFORM: &[EventType] = crate::event_types![
    "place.created", "place", "A place was added.", administered::<NewPlace>;
    "place.updated", "place", "A place was changed.", administered::<NewPlace>;
    "place.deleted", "place", "A place was taken away; told as it was.", administered::<NewPlace>;
    "office.created", "office", "An office was added.", administered::<NewOffice>;
    "office.updated", "office", "An office was changed.", administered::<NewOffice>;
    "office.deleted", "office", "An office was taken away; told as it was.", administered::<NewOffice>;
    "retention_rule.created", "retention_rule", "A rule of retention was made.", administered::<NewRetentionRule>;
    "retention_rule.updated", "retention_rule", "A rule of retention was changed.", administered::<NewRetentionRule>;
    "retention_rule.deleted", "retention_rule", "A rule of retention was taken out; told as it was.", administered::<NewRetentionRule>;
    "legal_hold.laid", "legal_hold", "Something is kept until the hold is lifted.", data_of::<LegalHoldData>;
    "legal_hold.lifted", "legal_hold", "A hold was lifted.", data_of::<LegalHoldData>;
    "webhook.created", "webhook", "A webhook was made.", data_of::<WebhookData>;
    "webhook.updated", "webhook", "A webhook was changed.", data_of::<WebhookData>;
    "webhook.deleted", "webhook", "A webhook was taken away; told as it was.", data_of::<WebhookData>;
    "webhook.disabled", "webhook", "A webhook's receiver answered 410 and is sent nothing more.", data_of::<WebhookData>;
    "webhook.key_rotated", "webhook", "A webhook has a new signing key.", data_of::<WebhookData>;
    "webhook.tested", "webhook", "A test, sent to this webhook alone.", data_of::<WebhookData>;
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_schema_refers_to_stands_in_its_place() {
        let schema = administered::<NewOffice>();
        assert!(!schema.to_string().contains("$ref"), "{schema}");
        assert_eq!(schema["properties"]["version"]["minimum"], 1);
        assert_eq!(schema["properties"]["name"]["properties"]["it"]["type"], "string", "{schema}");
    }

    #[test]
    fn a_filter_that_lets_nothing_through_is_misspelt() {
        let types = EventTypes(PLATFORM.to_vec());
        assert!(types.knows("*") && types.knows("office.*") && types.knows("office.created"));
        assert!(!types.knows("ofice.*") && !types.knows("office.made"));
    }
}
