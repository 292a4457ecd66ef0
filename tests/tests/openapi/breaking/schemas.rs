//! Whether every value that one schema allows is allowed by another.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Direction;

/// Two places of two documents that are compared, and what was found so far.
pub(super) struct Comparison<'d> {
    /// The document whose values must be allowed.
    pub(super) inner: &'d Value,
    /// The document that must allow them.
    pub(super) outer: &'d Value,
    pub(super) direction: Direction,
    pub(super) findings: Vec<String>,
    /// Pairs of components being compared: a schema may contain itself.
    open: Vec<(String, String)>,
}

/// Bounds from below and from above: the inner one must be as tight as the outer.
const LEAST: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const MOST: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// Keywords that say the same only when they are the same.
const ALIKE: [&str; 4] = ["pattern", "multipleOf", "uniqueItems", "not"];

impl<'d> Comparison<'d> {
    pub(super) fn new(old: &'d Value, new: &'d Value, direction: Direction) -> Self {
        let (inner, outer) = match direction {
            Direction::Request => (old, new),
            Direction::Response => (new, old),
        };
        Self { inner, outer, direction, findings: Vec::new(), open: Vec::new() }
    }

    /// Compares what the old document says with what the new one says.
    pub(super) fn compare(&mut self, place: &str, old: &Value, new: &Value) {
        match self.direction {
            Direction::Request => self.within(place, old, new),
            Direction::Response => self.within(place, new, old),
        }
    }

    fn found(&mut self, place: &str, what: &str) {
        self.findings.push(format!("{place} {what}"));
    }

    fn worded(&mut self, place: &str, request: &str, response: &str) {
        let words = match self.direction {
            Direction::Request => request,
            Direction::Response => response,
        };
        self.found(place, words);
    }

    /// Finds what `inner` allows and `outer` does not.
    fn within(&mut self, place: &str, inner: &Value, outer: &Value) {
        let names = (reference(inner), reference(outer));
        let (inner, outer) = (resolved(self.inner, inner), resolved(self.outer, outer));
        let pair = match names {
            (None, None) => None,
            (inner, outer) => Some((inner.unwrap_or_default(), outer.unwrap_or_default())),
        };
        if let Some(pair) = pair.clone() {
            if self.open.contains(&pair) {
                return;
            }
            self.open.push(pair);
        }
        self.keywords(place, inner, outer);
        if pair.is_some() {
            self.open.pop();
        }
    }

    fn keywords(&mut self, place: &str, inner: &Value, outer: &Value) {
        if inner == outer && reference_free(inner) {
            return;
        }
        let (Some(inner), Some(outer)) = (inner.as_object(), outer.as_object()) else {
            if inner != outer {
                self.found(place, "is described in another way");
            }
            return;
        };
        self.types(place, inner, outer);
        self.values(place, inner, outer);
        self.bounds(place, inner, outer);
        self.members(place, inner, outer);
        self.choices(place, inner, outer);
        if let Some(held) = outer.get("items") {
            match inner.get("items") {
                Some(own) => self.within(&format!("{place}[]"), own, held),
                None if types(inner).is_none_or(|types| types.contains("array")) => {
                    self.worded(place, "restricts its items", "no longer says what its items are");
                }
                None => {}
            }
        }
    }

    fn types(&mut self, place: &str, inner: &Map<String, Value>, outer: &Map<String, Value>) {
        let Some(allowed) = types(outer) else { return };
        let Some(own) = types(inner) else {
            if !["oneOf", "anyOf", "allOf", "enum", "const"].iter().any(|key| inner.contains_key(*key)) {
                self.worded(place, "is restricted to a type", "may be of any type");
            }
            return;
        };
        let refused =
            own.iter().filter(|kind| !(allowed.contains(*kind) || **kind == "integer" && allowed.contains("number")));
        for kind in refused {
            self.worded(place, &format!("may no longer be {kind}"), &format!("may now be {kind}"));
        }
        let format = |schema: &Map<String, Value>| schema.get("format").and_then(Value::as_str).map(str::to_owned);
        if let Some(expected) = format(outer) {
            let own = format(inner);
            let fits =
                own.as_deref() == Some(&expected) || (own.as_deref(), expected.as_str()) == (Some("int32"), "int64");
            if !fits {
                self.worded(
                    place,
                    &format!("must now be of the format {expected}"),
                    &format!("is no longer of the format {expected}"),
                );
            }
        }
    }

    fn values(&mut self, place: &str, inner: &Map<String, Value>, outer: &Map<String, Value>) {
        let Some(allowed) = listed(outer) else { return };
        let Some(own) = listed(inner) else {
            self.worded(place, "is restricted to some values", "may have other values than those listed");
            return;
        };
        for value in own.iter().filter(|value| !allowed.contains(value)) {
            self.worded(place, &format!("may no longer be {value}"), &format!("may now be {value}"));
        }
    }

    fn bounds(&mut self, place: &str, inner: &Map<String, Value>, outer: &Map<String, Value>) {
        let bound = |schema: &Map<String, Value>, key: &str| schema.get(key).and_then(Value::as_f64);
        let keys = LEAST.map(|key| (key, true)).into_iter().chain(MOST.map(|key| (key, false)));
        for (key, least) in keys {
            let Some(limit) = bound(outer, key) else { continue };
            let own = bound(inner, key);
            let fits = own.is_some_and(|own| if least { own >= limit } else { own <= limit });
            // A list without items has none fewer than 0.
            let trivial = least && limit <= 0.0 && key != "minimum" && key != "exclusiveMinimum";
            if !fits && !trivial && listed(inner).is_none() {
                let own = own.map_or("none".to_owned(), |own| own.to_string());
                self.worded(
                    place,
                    &format!("is bounded tighter: {key} was {own} and is {limit}"),
                    &format!("is bounded less: {key} was {limit} and is {own}"),
                );
            }
        }
        for key in ALIKE {
            if let Some(rule) = outer.get(key).filter(|rule| inner.get(key) != Some(rule) && **rule != false) {
                self.worded(place, &format!("must now keep {key} {rule}"), &format!("no longer keeps {key} {rule}"));
            }
        }
    }

    fn members(&mut self, place: &str, inner: &Map<String, Value>, outer: &Map<String, Value>) {
        let none = Map::new();
        let of = |schema: &Map<String, Value>| schema.get("properties").and_then(Value::as_object).cloned();
        let (own, allowed) = (of(inner).unwrap_or_else(|| none.clone()), of(outer).unwrap_or_else(|| none.clone()));
        let required = |schema: &Map<String, Value>| -> BTreeSet<String> {
            let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let always = required(inner);
        for name in required(outer).difference(&always) {
            // A member that an answer does not have at all is told below.
            if self.direction == Direction::Request || own.contains_key(name) {
                self.worded(&format!("{place}/{name}"), "is now required", "may now be absent");
            }
        }
        for (name, part) in &own {
            let place = format!("{place}/{name}");
            match (allowed.get(name), outer.get("additionalProperties")) {
                (Some(expected), _) => self.within(&place, part, expected),
                // Answers may gain members.
                (None, _) if self.direction == Direction::Response => {}
                (None, Some(Value::Bool(false))) => self.found(&place, "is no longer accepted"),
                (None, Some(more @ Value::Object(_))) => self.within(&place, part, more),
                (None, _) => {}
            }
        }
        if self.direction == Direction::Response {
            for name in allowed.keys().filter(|name| !own.contains_key(*name)) {
                self.found(&format!("{place}/{name}"), "is gone");
            }
        }
        let open = |schema: &Map<String, Value>| schema.get("additionalProperties") != Some(&Value::Bool(false));
        let is_map = |schema: &Map<String, Value>| types(schema).is_some_and(|types| types.contains("object"));
        if self.direction == Direction::Request && is_map(inner) && open(inner) && !open(outer) {
            self.found(place, "no longer accepts members of other names");
        }
        if let (Some(own @ Value::Object(_)), Some(expected @ Value::Object(_))) =
            (inner.get("additionalProperties"), outer.get("additionalProperties"))
        {
            self.within(&format!("{place}/*"), own, expected);
        }
    }

    fn choices(&mut self, place: &str, inner: &Map<String, Value>, outer: &Map<String, Value>) {
        for key in ["oneOf", "anyOf"] {
            let Some(allowed) = outer.get(key).and_then(Value::as_array) else { continue };
            let whole = vec![without(inner, "description")];
            let own = inner.get(key).and_then(Value::as_array).unwrap_or(&whole);
            for choice in own {
                if !allowed.iter().any(|expected| self.fits(choice, expected)) {
                    let name = reference(choice).unwrap_or_else(|| choice.to_string());
                    self.worded(place, &format!("may no longer be {name}, as it was"), &format!("may now be {name}"));
                }
            }
        }
        if let Some(Value::Array(expected)) = outer.get("allOf") {
            let own = inner.get("allOf").and_then(Value::as_array);
            match own.filter(|own| own.len() == expected.len()) {
                Some(own) => own.iter().zip(expected).for_each(|(own, expected)| self.within(place, own, expected)),
                None => self.found(place, "is put together in another way"),
            }
        }
        let split = ["oneOf", "anyOf"].iter().find(|key| inner.contains_key(**key) && !outer.contains_key(**key));
        if let Some(Value::Array(own)) = split.and_then(|key| inner.get(*key)) {
            let whole = without(outer, "description");
            for choice in own {
                self.within(place, choice, &whole);
            }
        }
    }

    /// Whether a choice is allowed by another, without telling what is wrong with it.
    fn fits(&mut self, inner: &Value, outer: &Value) -> bool {
        let before = self.findings.len();
        self.within("", inner, outer);
        let fits = self.findings.len() == before;
        self.findings.truncate(before);
        fits
    }
}

fn without(schema: &Map<String, Value>, key: &str) -> Value {
    Value::Object(schema.iter().filter(|(name, _)| *name != key).map(|(k, v)| (k.clone(), v.clone())).collect())
}

fn reference(value: &Value) -> Option<String> {
    value.get("$ref").and_then(Value::as_str).map(|text| text.rsplit('/').next().unwrap_or(text).to_owned())
}

/// What a value is or, if it is a reference, refers to.
pub(super) fn resolved<'v>(document: &'v Value, value: &'v Value) -> &'v Value {
    let reference = value.get("$ref").and_then(Value::as_str);
    let target = reference.and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    target.unwrap_or(value)
}

fn reference_free(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.contains_key("$ref") && members.values().all(reference_free),
        Value::Array(parts) => parts.iter().all(reference_free),
        _ => true,
    }
}

fn types(schema: &Map<String, Value>) -> Option<BTreeSet<&str>> {
    match schema.get("type")? {
        Value::String(one) => Some(BTreeSet::from([one.as_str()])),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

/// The values a schema lists.
fn listed(schema: &Map<String, Value>) -> Option<Vec<&Value>> {
    match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(values)), _) => Some(values.iter().collect()),
        (_, Some(value)) => Some(vec![value]),
        _ => None,
    }
}
