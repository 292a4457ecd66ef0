//! What the contract may not do to those who rely on it: the code's contract beside the released one.
//!
//! `openapi/released.json` is what the last release promised, reduced to what binds: no texts, no
//! examples. It is compared in the working copy, so a clone without history can be checked too. A change
//! that would break a client must stand in CHANGELOG.md, in the part `### Breaking changes` of
//! `## [Unreleased]`, which names every operation it touches.
//!
//! A tool from a registry would be better than these few hundred lines, but those that read OpenAPI 3.1 and are
//! maintained are programs in Go that no registry at hand carries.

mod cases;
mod schemas;

use std::fs;

use gateway::openapi;
use serde_json::{Map, Value, json};

use self::schemas::{Comparison, resolved};
use crate::{METHODS, file, none, written};

/// Who sends what is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// The client: what was accepted must still be.
    Request,
    /// The server: only what was promised may come.
    Response,
}

/// One change that would break a client.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    /// `METHOD /path`.
    operation: String,
    what: String,
}

/// Everything in `new` that a client written for `old` may stumble over.
fn breaches(old: &Value, new: &Value) -> Vec<Breach> {
    let mut found = Vec::new();
    for (path, item) in members(&old["paths"]) {
        let counterpart = members(&new["paths"]).find(|(other, _)| template(other) == template(path));
        for (method, operation) in members(item).filter(|(method, _)| METHODS.contains(method)) {
            let name = format!("{} {path}", method.to_uppercase());
            let mut tell = |what: String| found.push(Breach { operation: name.clone(), what });
            match counterpart.and_then(|(_, item)| item.get(method)) {
                Some(other) => Pair { old, new, own: operation, other }.compare(&mut tell),
                None => tell("is gone".to_owned()),
            }
        }
    }
    found
}

/// A path with its parameters unnamed: only their places count.
fn template(path: &str) -> String {
    let unnamed = |part: &str| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() };
    path.split('/').map(unnamed).collect::<Vec<_>>().join("/")
}

/// One operation in both documents.
struct Pair<'d> {
    old: &'d Value,
    new: &'d Value,
    own: &'d Value,
    other: &'d Value,
}

impl Pair<'_> {
    fn compare(&self, tell: &mut dyn FnMut(String)) {
        let (old, new) = (&self.own["operationId"], &self.other["operationId"]);
        if old != new {
            tell(format!("is called {new} in generated clients, and was {old}"));
        }
        self.security(tell);
        self.parameters(tell);
        self.body(tell);
        self.responses(tell);
    }

    /// Who could call must still be able to.
    fn security(&self, tell: &mut dyn FnMut(String)) {
        let ways = |operation: &Value| operation["security"].as_array().cloned().unwrap_or_default();
        let now = ways(self.other);
        for way in ways(self.own) {
            let kept = now.iter().any(|other| members(other).all(|(scheme, _)| way.get(scheme).is_some()));
            if !kept {
                tell(format!("can no longer be called with {way}"));
            }
        }
    }

    fn parameters(&self, tell: &mut dyn FnMut(String)) {
        let (own, other) = (parameters(self.old, self.own), parameters(self.new, self.other));
        let same = |a: &Value, b: &Value| a["in"] == b["in"] && a["name"] == b["name"];
        let mut at = 0;
        for parameter in &own {
            let place = format!("the {} parameter {}", text(&parameter["in"]), text(&parameter["name"]));
            let in_path = parameter["in"] == "path";
            // Parameters of the path are known by their place.
            let nth = other.iter().filter(|other| other["in"] == "path").nth(at);
            let kept = if in_path { nth } else { other.iter().find(|other| same(parameter, other)) };
            at += usize::from(in_path);
            let Some(kept) = kept else {
                tell(format!("{place} is no longer accepted"));
                continue;
            };
            if kept["required"] == true && parameter["required"] != true {
                tell(format!("{place} is now required"));
            }
            self.schemas(Direction::Request, &place, &parameter["schema"], &kept["schema"], tell);
        }
        for parameter in other.iter().filter(|parameter| parameter["required"] == true && parameter["in"] != "path") {
            if !own.iter().any(|known| same(known, parameter)) {
                let (place, name) = (text(&parameter["in"]), text(&parameter["name"]));
                tell(format!("the {place} parameter {name} is new and required"));
            }
        }
    }

    fn body(&self, tell: &mut dyn FnMut(String)) {
        let own = resolved(self.old, &self.own["requestBody"]);
        let other = resolved(self.new, &self.other["requestBody"]);
        if other["required"] == true && own["required"] != true {
            tell("the body is now required".to_owned());
        }
        for (media_type, media) in members(&own["content"]) {
            match other["content"].get(media_type) {
                Some(now) => self.schemas(Direction::Request, "the body", &media["schema"], &now["schema"], tell),
                None => tell(format!("the body may no longer be {media_type}")),
            }
        }
    }

    fn responses(&self, tell: &mut dyn FnMut(String)) {
        let (own, other) = (&self.own["responses"], &self.other["responses"]);
        for (status, response) in members(own) {
            let Some(now) = other.get(status) else {
                // A refusal that no longer happens harms nobody.
                if status.starts_with(['2', '3']) {
                    tell(format!("no longer answers {status}"));
                }
                continue;
            };
            let (response, now) = (resolved(self.old, response), resolved(self.new, now));
            for (media_type, media) in members(&response["content"]) {
                let place = format!("the answer {status}");
                match now["content"].get(media_type) {
                    Some(now) => self.schemas(Direction::Response, &place, &media["schema"], &now["schema"], tell),
                    None => tell(format!("{place} is no longer {media_type}")),
                }
            }
            for (name, _) in members(&response["headers"]) {
                if now["headers"].get(name).is_none() {
                    tell(format!("the answer {status} no longer has the header {name}"));
                }
            }
        }
        // 304 is told only to those who ask for it (`If-None-Match`).
        let told = |status: &str| status.starts_with(['2', '3']) && status != "304";
        for (status, _) in members(other).filter(|(status, _)| told(status)) {
            if own.get(status).is_none() {
                tell(format!("may now answer {status}"));
            }
        }
    }

    fn schemas(&self, direction: Direction, place: &str, own: &Value, other: &Value, tell: &mut dyn FnMut(String)) {
        let mut comparison = Comparison::new(self.old, self.new, direction);
        comparison.compare(place, own, other);
        comparison.findings.into_iter().for_each(tell);
    }
}

fn parameters<'d>(document: &'d Value, operation: &'d Value) -> Vec<&'d Value> {
    let own = operation["parameters"].as_array().into_iter().flatten();
    own.map(|parameter| resolved(document, parameter)).collect()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, member)| (key.as_str(), member))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What binds of a document: without texts and examples, which may change at any time.
fn binding(document: &Value) -> Value {
    let kept = ["openapi", "paths", "components"].map(|key| (key.to_owned(), stripped(&document[key], false)));
    let mut kept = Map::from_iter(kept);
    if let Some(Value::Object(components)) = kept.get_mut("components") {
        components.retain(|section, _| section != "securitySchemes");
    }
    kept.insert("info".to_owned(), json!({ "version": document["info"]["version"] }));
    Value::Object(kept)
}

/// `named`: the members are names that somebody chose, not keywords.
fn stripped(value: &Value, named: bool) -> Value {
    const TEXTS: [&str; 8] =
        ["description", "summary", "title", "example", "examples", "tags", "servers", "externalDocs"];
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(key, _)| named || !(TEXTS.contains(&key.as_str()) || key.starts_with("x-")))
            .map(|(key, member)| {
                let names = ["properties", "schemas", "responses", "parameters", "headers", "content", "paths"];
                (key.clone(), stripped(member, !named && names.contains(&key.as_str())))
            })
            .collect(),
        Value::Array(parts) => parts.iter().map(|part| stripped(part, false)).collect(),
        other => other.clone(),
    }
}

/// What the changelog says breaks in the version to come.
fn announced(changelog: &str) -> String {
    let unreleased = changelog.split("\n## ").find(|part| part.starts_with("[Unreleased]")).unwrap_or_default();
    unreleased.split("\n### ").filter(|part| part.starts_with("Breaking changes\n")).collect()
}

#[test]
fn what_breaks_clients_is_announced() {
    const RELEASED: &str = "openapi/released.json";
    let document = openapi::document();
    if tests::releasing() {
        fs::write(file(RELEASED), written(&binding(&document))).unwrap_or_else(|e| panic!("{RELEASED}: {e}"));
    }
    let released = fs::read_to_string(file(RELEASED)).unwrap_or_else(|e| panic!("{RELEASED}: {e}"));
    let released = serde_json::from_str(&released).unwrap_or_else(|e| panic!("{RELEASED}: {e}"));
    let announced = announced(&fs::read_to_string(file("CHANGELOG.md")).expect("CHANGELOG.md"));
    let unannounced = breaches(&released, &document)
        .into_iter()
        .filter(|breach| !announced.contains(&format!("`{}`", breach.operation)))
        .map(|breach| format!("`{}`: {}", breach.operation, breach.what));
    none(
        &unannounced.collect::<Vec<_>>(),
        "A client of the last release would stumble over this. Better: add beside the old, and mark the old deprecated \
         (docs/api-design.md, \"How something ends\"). If it must be, name the operation, as written above, in the part \
         \"### Breaking changes\" of \"## [Unreleased]\" in CHANGELOG.md and say there what clients have to do.",
    );
}
