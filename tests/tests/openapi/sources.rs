//! No way in past the contract: every handler describes itself, is registered where that is collected, and
//! nothing is routed by other means.
//!
//! utoipa's `ServiceConfig::service` takes described handlers only, but actix offers other ways to serve; they
//! are looked for in the source.

use std::collections::{BTreeMap, BTreeSet};

use gateway::openapi;

use crate::{file, none, operations, parts::collect};

/// Files that serve what is no part of the API, and why.
const BESIDE: &[(&str, &str)] = &[
    ("crates/gateway/src/pages.rs", "health, the contract itself, its documentation, the pages of the refusals"),
    (
        "crates/gateway/src/app.rs",
        "hangs the pages, the contract's routes and the answer for what is not there together",
    ),
];

/// Ways to serve something that nobody describes.
const OTHER_WAYS: &[&str] = &[
    "web::resource(",
    "web::scope(",
    "web::route(",
    ".route(",
    "web::get()",
    "web::post()",
    "web::put()",
    "web::patch()",
    "web::delete()",
    "web::head()",
    "web::trace()",
    "web::method(",
    "web::to(",
    "actix_files",
];

struct Handler {
    place: String,
    name: String,
    described: bool,
    registered: bool,
}

#[test]
fn every_handler_is_in_the_contract() {
    let mut files = Vec::new();
    collect(&file("crates"), &mut files);
    let mut findings = Vec::new();
    let mut names = BTreeMap::new();
    for (path, text) in &files {
        let text = without_tests(text);
        let beside = BESIDE.iter().any(|(place, _)| place == path);
        if beside {
            continue;
        }
        for (at, line) in text.lines().enumerate() {
            let ways = OTHER_WAYS.iter().filter(|way| !line.trim_start().starts_with("//") && line.contains(**way));
            findings.extend(ways.map(|way| format!("{path}:{}: {way} serves what the contract does not know", at + 1)));
        }
        for handler in handlers(path, text) {
            if !handler.described {
                findings.push(format!("{}: {} has no #[utoipa::path]", handler.place, handler.name));
            }
            if !handler.registered {
                findings.push(format!("{}: {} is not registered: cfg.service({0})", handler.place, handler.name));
            }
            if let Some(other) = names.insert(handler.name, handler.place.clone()) {
                findings.push(format!("{}: another handler in {other} has the same name", handler.place));
            }
        }
    }
    for (place, _) in BESIDE {
        if !files.iter().any(|(path, _)| path == place) {
            findings.push(format!("{place}: is gone: strike it off"));
        }
    }
    let document = openapi::document();
    let all = operations(&document);
    let documented: BTreeSet<&str> = all.iter().map(|(_, o)| o["operationId"].as_str().expect("an id")).collect();
    let written: BTreeSet<&str> = names.keys().map(String::as_str).collect();
    findings.extend(written.difference(&documented).map(|name| format!("{name}: is not in the contract")));
    findings.extend(documented.difference(&written).map(|name| format!("{name}: has no handler of that name")));
    none(
        &findings,
        "A handler has #[utoipa::path], keeps its name as operationId, and is registered by cfg.service(…) in a \
         `routes(cfg: &mut utoipa_actix_web::service_config::ServiceConfig)` that gateway::openapi::routes reaches.",
    );
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

/// The handlers of a file: functions under `#[get("…")]` and its like.
fn handlers(path: &str, text: &str) -> Vec<Handler> {
    let lines: Vec<&str> = text.lines().collect();
    let is_verb = |line: &str| {
        let verbs = ["get", "post", "put", "patch", "delete", "head", "options", "trace", "connect", "route", "routes"];
        verbs
            .iter()
            .any(|verb| line.starts_with(&format!("#[{verb}(")) || line.starts_with(&format!("#[actix_web::{verb}(")))
    };
    let mut found = Vec::new();
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| is_verb(line.trim_start())) {
        // The attributes of an item stand together, without an empty line between.
        let above = lines[..at].iter().rev().take_while(|line| !line.trim().is_empty());
        let below = lines[at..].iter().take_while(|line| !line.trim().is_empty());
        let described = above.chain(below.clone()).any(|line| line.trim_start().starts_with("#[utoipa::path"));
        let name = below.clone().find_map(|line| line.split("fn ").nth(1)).unwrap_or_default();
        let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let registered = text.contains(&format!(".service({name})"));
        found.push(Handler { place: format!("{path}:{}", at + 1), name, described, registered });
    }
    found
}

#[test]
fn handlers_are_found() {
    let text = "
        /// Documented
        #[utoipa::path(tag = \"x\")]
        #[get(\"/a\")]
        async fn list_things() {}

        #[actix_web::post(\"/b\")]
        #[expect(clippy::too_many_arguments, reason = \"many\")]
        pub async fn create_thing(
            body: Body<New>,
        ) {}

        pub fn routes(cfg: &mut ServiceConfig<'_>) {
            cfg.service(list_things);
        }
        #[cfg(test)]
        mod tests { fn t() { web::get(); } }";
    let found = handlers("x.rs", without_tests(text));
    let told: Vec<_> = found.iter().map(|h| (h.name.as_str(), h.described, h.registered)).collect();
    assert_eq!(told, [("list_things", true, true), ("create_thing", false, false)]);
    assert!(!without_tests(text).contains("web::get"));
}
