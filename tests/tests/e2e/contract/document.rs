//! The committed contract, and whether an answer keeps to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};
use tests::Answer;

/// A JSON file of the workspace.
pub(super) fn read(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The committed OpenAPI 3.1 document.
pub(super) struct Contract {
    document: Value,
    places: BTreeMap<String, (String, String)>,
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

/// What the contract says of one operation.
pub(super) struct Operation<'c> {
    pub(super) id: &'c str,
    pub(super) method: Method,
    pub(super) path: &'c str,
    pub(super) tag: &'c str,
    /// It answers callers without a token.
    pub(super) anonymous: bool,
    /// It tells callers by their token.
    pub(super) takes_a_token: bool,
    /// Its parameters, references followed.
    pub(super) parameters: Vec<&'c Value>,
    /// The schema of its JSON body.
    pub(super) body: Option<&'c Value>,
    /// The media type of its body.
    pub(super) media: &'c str,
    /// The statuses it has when it does what it is for.
    pub(super) successes: Vec<u16>,
    responses: &'c Value,
}

impl Contract {
    pub(super) fn committed() -> Self {
        let document = read("openapi/openapi.json");
        let mut places = BTreeMap::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("a path") {
                if let Some(id) = operation.get("operationId").and_then(Value::as_str) {
                    places.insert(id.to_owned(), (path.clone(), method.clone()));
                }
            }
        }
        Self { document, places, validators: Mutex::default() }
    }

    /// Every path, with the methods it answers.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&str, BTreeSet<String>)> {
        let mut paths = BTreeMap::<&str, BTreeSet<String>>::new();
        for (path, method) in self.places.values() {
            paths.entry(path).or_default().insert(method.to_uppercase());
        }
        paths.into_iter()
    }

    pub(super) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.places.keys().map(|id| self.operation(id))
    }

    #[track_caller]
    pub(super) fn operation(&self, id: &str) -> Operation<'_> {
        let (id, (path, method)) = self.places.get_key_value(id).unwrap_or_else(|| panic!("no operation {id}"));
        let operation = &self.document["paths"][path][method];
        let security = operation["security"].as_array().expect("security");
        let is_free = |alternative: &Value| alternative.as_object().is_some_and(serde_json::Map::is_empty);
        let parameters = operation.get("parameters").and_then(Value::as_array);
        let content = operation.get("requestBody").and_then(|body| self.resolved(body)["content"].as_object());
        let content = content.and_then(|content| content.iter().next());
        let statuses = operation["responses"].as_object().expect("responses").keys();
        Operation {
            id,
            path,
            tag: operation["tags"][0].as_str().expect("a tag"),
            method: method.to_uppercase().parse().expect("a method"),
            anonymous: security.iter().any(is_free),
            takes_a_token: !security.iter().all(is_free),
            parameters: parameters.into_iter().flatten().map(|parameter| self.resolved(parameter)).collect(),
            body: content.map(|(_, media)| &media["schema"]),
            media: content.map_or("application/json", |(media, _)| media),
            successes: statuses.filter_map(|status| status.parse().ok()).filter(|status| *status < 300).collect(),
            responses: &operation["responses"],
        }
    }

    /// What a value is or, if it is a reference, refers to.
    pub(super) fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.document.pointer(reference.trim_start_matches('#')).expect(reference),
            None => value,
        }
    }

    /// Whether a value is what a schema of the document describes.
    pub(super) fn accepts(&self, schema: &Value, value: &Value) -> bool {
        self.validator(schema).is_valid(value)
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut known = self.validators.lock().expect("no panic while locked");
        let make = || {
            // References lead into the document, so the schema takes the components with it.
            let mut whole = schema.clone();
            whole["components"] = self.document["components"].clone();
            let validator = jsonschema::options().should_validate_formats(true).build(&whole);
            Arc::new(validator.unwrap_or_else(|e| panic!("no schema: {e}: {schema}")))
        };
        Arc::clone(known.entry(schema.to_string()).or_insert_with(make))
    }

    /// Demands that an answer is one that the operation declares: status, media type, body and, for a refusal,
    /// its kind.
    #[track_caller]
    pub(super) fn check(&self, operation: &str, answer: &Answer) {
        let declared = self.operation(operation);
        let Some(response) = declared.responses.get(answer.status.to_string()) else {
            panic!("{operation} does not declare {}: {answer}", answer.status)
        };
        let response = self.resolved(response);
        let told = response["description"].as_str().expect("a description");
        assert!(answer.header("request-id").is_some(), "{operation}: no Request-Id: {answer}");
        for (name, header) in response.get("headers").and_then(Value::as_object).into_iter().flatten() {
            let header = self.resolved(header);
            let Some(sent) = answer.header(name) else {
                assert!(header["required"] != true, "{operation}: no {name}: {answer}");
                continue;
            };
            let sent = if header["schema"]["type"] == "integer" { sent.parse().expect(name) } else { json!(sent) };
            assert!(self.accepts(&header["schema"], &sent), "{operation}: {name} is {sent}: {answer}");
        }
        let Some(content) = response.get("content") else {
            assert!(answer.text.is_empty(), "{operation}: a body that is not declared: {answer}");
            return;
        };
        let media_type = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        let Some(media) = content.get(media_type) else {
            panic!("{operation} does not declare {media_type} with {}: {answer}", answer.status)
        };
        let validator = self.validator(&media["schema"]);
        let bodies: Vec<Value> = match media_type {
            "application/x-ndjson" => answer.text.lines().map(|line| serde_json::from_str(line).expect(line)).collect(),
            json if json.ends_with("json") => vec![answer.body.clone()],
            _ => vec![answer.text.clone().into()],
        };
        let faults = bodies.iter().flat_map(|body| validator.iter_errors(body));
        let faults: Vec<_> = faults.map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(faults.is_empty(), "{operation}: the body is not as declared: {faults:#?}\n{answer}");
        if media_type == "application/problem+json" {
            let slug = answer.text_at("/type").trim_start_matches("/problems/").to_owned();
            assert!(
                told.contains(&format!("`{slug}`")),
                "{operation} does not say that {} can be {slug}: {answer}",
                answer.status
            );
        }
    }
}

#[test]
fn what_is_not_declared_is_found() {
    let contract = Contract::committed();
    let answer = |status: u16, media_type: &str, body: Value| {
        let headers = [
            ("content-type", media_type),
            ("request-id", "x"),
            ("cache-control", "no-store"),
            ("ratelimit-limit", "60"),
            ("ratelimit-remaining", "59"),
            ("ratelimit-reset", "1"),
        ];
        let headers =
            headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Answer { line: "GET /status".to_owned(), status, headers, text: body.to_string(), body }
    };
    let breaks = |answer: Answer| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| contract.check("show_status", &answer))).is_err()
    };
    let up = json!({ "status": "ok", "comune": "x", "version": "1", "now": "2026-11-24T10:00:00+01:00" });
    let refusal = |slug: &str| json!({ "type": format!("/problems/{slug}"), "title": "x", "status": 404 });
    assert!(!breaks(answer(200, "application/json", up.clone())));
    assert!(!breaks(answer(404, "application/problem+json", refusal("not-found"))));
    assert!(breaks(answer(404, "application/problem+json", refusal("forbidden"))), "another kind of refusal");
    assert!(breaks(answer(409, "application/problem+json", refusal("not-found"))), "another status");
    assert!(breaks(answer(200, "text/plain", up.clone())), "another media type");
    for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "cache-control"] {
        let mut silent = answer(200, "application/json", up.clone());
        silent.headers.remove(name);
        assert!(breaks(silent), "{name} is declared and not sent");
    }
    let mut soon = answer(200, "application/json", up.clone());
    soon.headers.insert("ratelimit-reset", "soon".parse().unwrap());
    assert!(breaks(soon), "another form of a header");
    let mut more = up.clone();
    more["more"] = json!(1);
    assert!(breaks(answer(200, "application/json", more)), "another member");
    let mut then = up;
    then["now"] = json!("soon");
    assert!(breaks(answer(200, "application/json", then)), "another format");
}
