//! The last touch on the contract: from what utoipa collects out of the routes to the document
//! that is served, such that the checker of AgID has nothing to say about it.
//!
//! What a handler says in its `utoipa::path`, and what is said here for all of them:
//!
//! - **Security.** Nothing said: a bearer token is required. `security(())`: anonymous.
//!   `security((), ("bearer" = []))`: anonymous, and more with a token.
//! - **Refusals.** `(status = 409, description = "The seat is taken: `slot-taken`.")` is enough: the
//!   problem body is added. A refusal that comes from around the handlers (see [`answers`]) need
//!   not be declared; where its status is declared for another reason, its slug is added to the text.
//! - **Headers of answers** that all have (`RateLimit-…`, `Cache-Control`, `Retry-After`) are declared
//!   here. "`ETag` is set", "`Location` is set" in a description declares those too; other headers are
//!   declared by the handler.
//! - **Texts.** The first paragraph of the doc comment is the summary, the rest the description;
//!   without a rest the summary serves for both.
//! - **Tags.** One for each operation, described in [`TAGS`]. `platform` puts a path under
//!   `/platform/v1` instead of `/{comune}/v1`; the two never share a path.

use serde_json::{Map, Value, json};

use super::{answers, deprecations, schemas};

/// The operations' members of a path item.
pub(super) const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/// The tag of what belongs to the deployment and not to one Comune.
pub(super) const PLATFORM: &str = "platform";

const DEMO_URL: &str = "http://127.0.0.1:8080";
const DEMO: &str = "This machine, as `sportello demo` serves it.";
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
const SUMMARY: &str = "Services of an Italian Comune at the counter and from afar, starting with appointments.";
const DESCRIPTION: &str = "\
Every Comune has its own address, `/{comune}/v1`, and sees only what is its own.

- Lists are `{\"items\": […], \"next\": \"…\"}`: pass `next` as `after` to read on.
- A refusal is a problem (RFC 9457) whose `type` is `/problems/<slug>`; the slug is stable, the texts are not.
- Instants are RFC 3339 with an offset, days are `YYYY-MM-DD`.
- What changes carries a `version` and answers an `ETag`; pass it in `If-Match`.
- `Idempotency-Key` makes a call safe to repeat: the same key and body get the stored answer.
- Every answer carries a `Request-Id`; quote it when you ask for help.
- Every answer tells in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` how many more you may ask for.
- `Accept-Language` chooses the language of titles: `it`, `en` or `de`.";

/// The groups of operations, in reading order.
const TAGS: [(&str, &str); 18] = [
    ("status", "Whether the service of a Comune answers."),
    ("me", "Who the caller is, and what they may do."),
    ("sessions", "Staff who sign in with a password, where the installation has them."),
    ("settings", "What the Comune shows of itself, and what its admins set."),
    ("staff", "Who works for the Comune, and as what; the record of who changed what."),
    ("systems", "Other systems that the Comune lets in through PDND."),
    ("events", "What happens: read in order, streamed, or sent to webhooks."),
    ("privacy", "What is held about people: told, put right, for how long it is kept, and who looked at it."),
    ("directory", "The Comune's offices and places."),
    ("documents", "Files that people send in: kept, looked through, given back."),
    ("booking", "Appointments: what can be booked, when, and what was booked."),
    ("calendars", "When an office receives: opening rules, exceptions, free days and slots."),
    ("holds", "A slot kept for a few minutes, while its booking is written."),
    ("appointments", "Booked visits and their life."),
    ("protocol", "The protocol register: what came in and goes out, numbered without a gap, and handed on."),
    (
        "payments",
        "What people owe the Comune, and how it is paid: debts, notices, the pay page, refunds, the connection to pagoPA.",
    ),
    ("messages", "What people are told by e-mail and over App IO: the record, their wishes, the words."),
    (PLATFORM, "What whoever runs the deployment does: Comuni, providers and keys."),
];

/// Makes the document that is served out of the one that utoipa collected from the routes.
///
/// Keeps what the handlers said and fills in the rest: see the module's conventions. The outcome is
/// ordered by key, so that the same routes always give the same text.
pub fn finish(document: Value) -> Value {
    let mut document = document;
    schemas::tidy(&mut document);
    let Value::Object(mut root) = document else { return document };

    let mut paths = taken(&mut root, "paths");
    let mut used_tags = Vec::new();
    for (path, item) in &mut paths {
        if let Value::Object(item) = item {
            finish_path(path, item, &mut used_tags);
        }
    }
    deprecations::mark(&mut paths, deprecations::DEPRECATIONS);
    root.insert("paths".into(), Value::Object(paths));

    let info = info(root.get("info"));
    root.insert("info".into(), info);
    root.insert("servers".into(), servers(DEMO_URL, DEMO));
    let tags = tags(root.get("tags"), &used_tags);
    root.insert("tags".into(), tags);
    let mut components = taken(&mut root, "components");
    answers::add_shared(&mut components);
    root.insert("components".into(), Value::Object(components));

    let mut document = Value::Object(root);
    show_pages(&mut document);
    schemas::bound(&mut document);
    schemas::prune(&mut document);
    sorted(document)
}

/// The finished document as the deployment at `base` serves it: `https://…` without a path, or nothing
/// for addresses relative to the document, which work wherever it is read from.
///
/// The written document is not relative, because Spectral takes a relative address with a variable for
/// a broken one.
pub fn at(document: Value, base: &str) -> Value {
    const HERE: &str = "The server that gave you this document.";
    let base = base.trim_end_matches('/');
    let mut document = document;
    if let Some(own) = document.get_mut("servers") {
        *own = servers(base, HERE);
    }
    for item in document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if let Some(own) = item.get_mut("servers") {
            *own = platform_servers(base, HERE);
        }
    }
    sorted(document)
}

fn finish_path(path: &str, item: &mut Map<String, Value>, used_tags: &mut Vec<String>) {
    let shared_parameters = item.get("parameters").cloned();
    let mut platform = false;
    for (method, operation) in item.iter_mut() {
        let Value::Object(operation) = operation else { continue };
        if !METHODS.contains(&method.as_str()) {
            continue;
        }
        let tags = operation.get("tags").and_then(Value::as_array).into_iter().flatten();
        for tag in tags.filter_map(Value::as_str) {
            platform |= tag == PLATFORM;
            used_tags.push(tag.to_owned());
        }
        if operation.get("description").and_then(Value::as_str).is_none_or(str::is_empty)
            && let Some(summary) = operation.get("summary").cloned()
        {
            operation.insert("description".into(), summary);
        }
        operation.entry("security").or_insert_with(|| json!([{ "bearer": [] }]));
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(schema) = parameter.get_mut("schema") {
                schemas::without_null(schema);
            }
        }
        answers::complete(path, method, operation, shared_parameters.as_ref(), platform);
    }
    if platform {
        item.insert("servers".into(), platform_servers(DEMO_URL, DEMO));
    }
}

/// Shows a list by the example of what it holds.
fn show_pages(document: &mut Value) {
    let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") else { return };
    let known = schemas.clone();
    for page in schemas.values_mut().filter_map(Value::as_object_mut) {
        let held = page.get("properties").and_then(|members| members.pointer("/items/items/$ref"));
        let held = held.and_then(Value::as_str).and_then(|held| held.strip_prefix("#/components/schemas/"));
        let shown = held.and_then(|name| known.get(name)?.get("example"));
        if let (Some(example), true) = (shown, has_cursor(page)) {
            let example = json!({ "items": [example], "next": null });
            page.entry("example").or_insert(example);
        }
    }
}

fn has_cursor(schema: &Map<String, Value>) -> bool {
    schema.get("properties").and_then(|members| members.get("next")).is_some()
}

fn info(given: Option<&Value>) -> Value {
    let version = given.and_then(|info| info.get("version")).and_then(Value::as_str);
    json!({
        "title": "Sportello",
        "version": version.unwrap_or(env!("CARGO_PKG_VERSION")),
        "summary": SUMMARY,
        // The same text twice: the checker asks for the extension, OpenAPI 3.1 has the member.
        "x-summary": SUMMARY,
        "description": DESCRIPTION,
        "x-api-id": "sportello",
        "termsOfService": format!("{REPOSITORY}/blob/main/LICENSE"),
        "contact": { "name": "Sportello", "url": REPOSITORY },
        "license": { "name": "EUPL-1.2", "identifier": "EUPL-1.2" },
    })
}

fn servers(base: &str, about: &str) -> Value {
    let comune = json!({ "comune": {
        "default": "bugliano",
        "description": "The Comune's slug: its IPA code in lower case, such as `c_h501`.",
    } });
    let mut nearest = server(format!("{base}/{{comune}}/v1"), about);
    nearest.insert("variables".into(), comune.clone());
    let mut production =
        server("https://sportello.example/{comune}/v1".to_owned(), "What a production address looks like.");
    production.insert("variables".into(), comune);
    json!([nearest, production])
}

fn platform_servers(base: &str, about: &str) -> Value {
    json!([server(format!("{base}/platform/v1"), about)])
}

fn server(url: String, about: &str) -> Map<String, Value> {
    let mut server = Map::new();
    // What the checker calls a sandbox is what need not be https.
    if !url.starts_with("https://") {
        server.insert("x-sandbox".into(), true.into());
    }
    server.insert("url".into(), url.into());
    server.insert("description".into(), about.into());
    server
}

/// The tags in use, with the document's own description before that of [`TAGS`].
fn tags(given: Option<&Value>, used: &[String]) -> Value {
    let given = given.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let named = |name: &str| given.iter().find(|tag| tag.get("name").and_then(Value::as_str) == Some(name));
    let mut tags: Vec<Value> = TAGS
        .iter()
        .filter(|(name, _)| used.iter().any(|tag| tag == name))
        .map(|(name, text)| named(name).cloned().unwrap_or_else(|| json!({ "name": name, "description": text })))
        .collect();
    let is_used = |tag: &&Value| used.iter().any(|name| tag.get("name").and_then(Value::as_str) == Some(name));
    let is_listed = |tag: &&Value| TAGS.iter().any(|(name, _)| tag.get("name").and_then(Value::as_str) == Some(name));
    tags.extend(given.iter().filter(is_used).filter(|tag| !is_listed(tag)).cloned());
    Value::Array(tags)
}

/// Takes an object out of its parent; an empty one if there is none.
pub(super) fn taken(parent: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    match parent.remove(key) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// The same value with every object's members in order, however `serde_json` was built.
pub(super) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(parts) => parts.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::openapi::demands::unmet;

    /// A small API as utoipa 6 collects it from actix routes.
    pub(in crate::openapi) fn sample() -> Value {
        serde_json::from_str(include_str!("sample.json")).unwrap()
    }

    #[test]
    fn a_finished_document_meets_every_demand() {
        assert_eq!(unmet(&finish(sample())), Vec::<String>::new());
    }

    #[test]
    fn finishing_twice_changes_nothing() {
        let once = finish(sample());
        assert_eq!(finish(once.clone()), once);
    }

    #[test]
    fn security_is_a_token_unless_the_handler_says_otherwise() {
        let document = finish(sample());
        for (operation, expected) in [
            ("/paths/~1tenants/get", json!([{ "bearer": [] }])),
            ("/paths/~1offices/get", json!([{}])),
            ("/paths/~1appointments/post", json!([{}, { "bearer": [] }])),
        ] {
            assert_eq!(document.pointer(&format!("{operation}/security")), Some(&expected), "{operation}");
        }
    }

    #[test]
    fn a_summary_serves_as_description_where_there_is_none() {
        let document = finish(sample());
        assert_eq!(document["paths"]["/offices"]["get"]["description"], "In order of label.");
        assert_eq!(document["paths"]["/tenants"]["get"]["description"], "The Comuni.");
    }

    #[test]
    fn a_list_is_shown_by_what_it_holds() {
        let mut raw = sample();
        raw["components"]["schemas"]["Office"]["example"] = json!({ "label": "Anagrafe" });
        raw["components"]["schemas"]["Page_Office"]["properties"]["items"]["items"]["example"] =
            json!({ "label": "Anagrafe" });
        let schemas = &finish(raw)["components"]["schemas"];
        assert_eq!(schemas["OfficePage"]["example"], json!({ "items": [{ "label": "Anagrafe" }], "next": null }));
        assert_eq!(schemas["AppointmentPage"].get("example"), None);
    }

    #[test]
    fn tags_in_use_are_described_and_the_document_may_describe_its_own() {
        let mut raw = sample();
        raw["tags"] = json!([
            { "name": "booking", "description": "Given." },
            { "name": "tickets", "description": "Of nobody." },
        ]);
        let document = finish(raw);
        let names: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone()).collect();
        assert_eq!(names, ["status", "directory", "booking", PLATFORM]);
        assert_eq!(document["tags"][2]["description"], "Given.");
    }

    #[test]
    fn addresses_follow_the_deployment() {
        let document = finish(sample());
        assert_eq!(document["servers"][0]["url"], "http://127.0.0.1:8080/{comune}/v1");
        for (base, url, sandbox) in [
            ("", "", json!(true)),
            ("http://localhost:9000/", "http://localhost:9000", json!(true)),
            ("https://sportello.comune.bugliano.example", "https://sportello.comune.bugliano.example", Value::Null),
        ] {
            let served = at(document.clone(), base);
            let platform = &served["paths"]["/tenants"]["servers"][0];
            assert_eq!(served["servers"][0]["url"], format!("{url}/{{comune}}/v1"));
            assert_eq!(platform["url"], format!("{url}/platform/v1"));
            assert_eq!(served["servers"][0]["x-sandbox"], sandbox);
            assert_eq!(served["paths"]["/offices"].get("servers"), None);
        }
    }

    #[test]
    fn a_document_without_routes_is_finished_too() {
        let document = finish(json!({}));
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(document["paths"], json!({}));
        assert_eq!(finish(Value::Null), Value::Null);
    }
}
