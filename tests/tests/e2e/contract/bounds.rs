//! What the contract says a value may be is what the server takes, to the letter: every query parameter and every
//! member of every body, at its bounds and beyond them.

use serde_json::{Value, json};
use tests::{Answer, Backend, Server, both_databases};

use super::{document::Contract, stage};

both_databases!(
    takes_the_bodies_it_describes,
    takes_the_queries_it_describes,
    takes_the_keys_it_describes,
    refuses_what_no_database_could_keep,
);

/// Reasons for which a value of the right form is refused all the same.
const OF_CONTENT: &[&str] = &[
    "unknown-reference",
    "unknown-cursor",
    "before-from",
    "too-far",
    "not-given",
    // What fits a schema may not fit the rest of what is administered.
    "taken",
    "incomplete",
    "not-a-multiple",
    "not-for-this-kind",
    "not-after",
    // What a day may be depends on today.
    "in-the-future",
    "in-the-past",
    "too-many",
    // Signatures are asked for where there are keys to check them with.
    "unavailable",
    // Signs and short words say nothing that could be looked for.
    "no-words",
    "not-with-q",
    // What fits a schema need not be a template.
    "template",
];

/// Members with a rule that no schema can say, and the rule.
const CHECKED_FURTHER: &[(&str, &str)] = &[
    ("/applicant/tax_code", "its last character confirms the others"),
    ("/tax_code", "its last character confirms the others"),
    ("/payer/tax_code", "its last character confirms the others"),
    ("/organisation_tax_code", "its last digit confirms the others"),
    ("/iban", "its digits confirm each other"),
    ("/person/tax_code", "its last character confirms the others"),
];

/// Whether the answer is as it should be for a value that the contract calls good or bad.
fn agrees(answer: &Answer, slug: &str, pointer: &str, good: bool) -> bool {
    let errors = answer.body.get("errors").and_then(Value::as_array);
    let blamed = errors.into_iter().flatten().filter(|error| {
        let place = error["pointer"].as_str().unwrap_or_default();
        place == pointer || place.starts_with(&format!("{pointer}/"))
    });
    let codes: Vec<_> = blamed.map(|error| error["code"].as_str().unwrap_or_default()).collect();
    if answer.body["type"] != format!("/problems/{slug}") {
        good
    } else if good {
        codes.iter().all(|code| OF_CONTENT.contains(code))
    } else {
        !codes.is_empty()
    }
}

fn word(good: bool) -> &'static str {
    if good { "good" } else { "bad" }
}

/// A long value need not be told in full.
fn short(text: &str) -> String {
    text.chars().take(300).collect()
}

/// What the contract forbids is refused before any database is asked, so that it is tried on one of them is enough.
fn refuses_here(server: &Server) -> bool {
    server.backend() == Backend::Sqlite
}

async fn takes_the_bodies_it_describes(server: Server) {
    let contract = Contract::committed();
    let requests = Box::pin(stage::requests(&server, &contract)).await;
    let (mut tried, mut findings) = (0, Vec::new());
    for request in requests.iter().filter(|request| request.body.is_some()) {
        // A file has no members.
        if !contract.operation(&request.operation).media.ends_with("json") {
            continue;
        }
        let schema = contract.operation(&request.operation).body.expect("a body in the contract too");
        let mut cases = Vec::new();
        members(&contract, schema, "", &mut cases);
        for case in &cases {
            if !case.good && !refuses_here(&server) {
                continue;
            }
            let mut body = request.body.clone().expect("a body");
            case.put(&mut body);
            let answer = request.finish(&contract, request.call(&contract, &request.caller), Some(&body)).await;
            contract.check(&request.operation, &answer);
            let further = case.good && CHECKED_FURTHER.iter().any(|(pointer, _)| *pointer == case.pointer);
            if !further && !agrees(&answer, "invalid-body", &case.pointer, case.good) {
                let set = short(&format!("{}: {} = {:?}", request.operation, case.pointer, case.value));
                findings.push(format!("{set} is {}, but {}", word(case.good), short(&answer.to_string())));
            }
            tried += 1;
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    assert!(tried > 150, "only {tried} bodies");
}

/// One member of a body, set to something or left out.
struct Case {
    pointer: String,
    value: Option<Value>,
    good: bool,
}

impl Case {
    fn put(&self, body: &mut Value) {
        let (parent, name) = self.pointer.rsplit_once('/').expect("a member");
        let parent = body.pointer_mut(parent).unwrap_or_else(|| panic!("the sample has nothing at {parent}"));
        let parent = parent.as_object_mut().expect("an object");
        match &self.value {
            Some(value) => drop(parent.insert(name.to_owned(), value.clone())),
            None => drop(parent.remove(name)),
        }
    }
}

fn members(contract: &Contract, schema: &Value, parent: &str, cases: &mut Vec<Case>) {
    let object = contract.resolved(schema);
    let required = object["required"].as_array().cloned().unwrap_or_default();
    let mut add = |name: &str, value, good| cases.push(Case { pointer: format!("{parent}/{name}"), value, good });
    add("nickname", Some(json!("x")), false);
    for (name, member) in object["properties"].as_object().expect("members") {
        add(name, None, !required.iter().any(|one| one == name));
        for value in candidates(contract, member) {
            let good = contract.accepts(member, &value);
            // An object is looked into below; a whole one of the right form is what the request has already.
            if !(good && value.is_object()) {
                add(name, Some(value), good);
            }
        }
    }
    for (name, member) in object["properties"].as_object().expect("members") {
        if contract.resolved(member).get("properties").is_some() {
            members(contract, member, &format!("{parent}/{name}"), cases);
        }
    }
}

/// Values at the bounds of a schema and beyond them, and some of every wrong kind.
fn candidates(contract: &Contract, schema: &Value) -> Vec<Value> {
    let chosen = schema.get("oneOf").and_then(Value::as_array);
    let chosen = chosen.and_then(|choices| choices.iter().find(|choice| choice["type"] != "null")).unwrap_or(schema);
    let schema = contract.resolved(chosen);
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    let mut values = vec![json!(null), json!(7), json!(true), json!([]), json!({}), json!(""), json!(" "), json!("x")];
    values.extend([json!("\u{0}"), json!("a\u{1}b"), json!("a\nb"), json!("è €"), json!(1.5), json!("7")]);
    for name in ["minLength", "maxLength"] {
        if let Some(length) = bound(name).and_then(|length| usize::try_from(length).ok()) {
            for length in [length.saturating_sub(1), length, length + 1] {
                values.extend(["a", "1", "é"].map(|letter| json!(letter.repeat(length))));
            }
        }
    }
    for name in ["minimum", "maximum"] {
        values.extend(bound(name).into_iter().flat_map(|n| [n - 1, n, n + 1]).map(Value::from));
    }
    values
}

async fn takes_the_queries_it_describes(server: Server) {
    let contract = Contract::committed();
    let requests = Box::pin(stage::requests(&server, &contract)).await;
    let (mut tried, mut findings) = (0, Vec::new());
    for request in &requests {
        let operation = contract.operation(&request.operation);
        let parameters: Vec<_> = operation.parameters.iter().filter(|parameter| parameter["in"] == "query").collect();
        if parameters.is_empty() {
            continue;
        }
        let mut cases = vec![("colour".to_owned(), Some("red".to_owned()), false)];
        for parameter in parameters {
            let name = parameter["name"].as_str().expect("a name").to_owned();
            cases.push((name.clone(), None, parameter["required"] != true));
            for value in candidates(&contract, &parameter["schema"]) {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                // A query holds text: what it is, its schema says.
                let is_integer = contract.resolved(&parameter["schema"])["type"] == "integer";
                let read = if is_integer { text.parse().map_or(json!(text), |n: i64| json!(n)) } else { json!(text) };
                cases.push((name.clone(), Some(text), contract.accepts(&parameter["schema"], &read)));
            }
        }
        for (name, value, good) in cases {
            if !good && !refuses_here(&server) {
                continue;
            }
            let mut call = request.call(&contract, &request.caller);
            let others = request.query.iter().filter(|(other, _)| *other != name).cloned();
            for (name, value) in others.chain(value.clone().map(|value| (name.clone(), value))) {
                call = call.query(&name, value);
            }
            let answer = call.await;
            contract.check(&request.operation, &answer);
            if !agrees(&answer, "invalid-query", &format!("?{name}"), good) {
                let set = short(&format!("{}: {name} = {value:?}", request.operation));
                findings.push(format!("{set} is {}, but {}", word(good), short(&answer.to_string())));
            }
            tried += 1;
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    assert!(tried > 150, "only {tried} queries");
}

/// A key is what a stranger's repetition is known by, so theirs must be hard to guess; said in words in the contract.
const SHORTEST_OF_STRANGERS: usize = 16;

async fn takes_the_keys_it_describes(server: Server) {
    let contract = Contract::committed();
    let requests = Box::pin(stage::requests(&server, &contract)).await;
    let mut tried = 0;
    for request in &requests {
        let operation = contract.operation(&request.operation);
        let Some(key) = operation.parameters.iter().find(|p| p["name"] == "Idempotency-Key") else { continue };
        let call = || {
            let call = request.call(&contract, &request.caller);
            if let Some(body) = &request.body { call.json(body) } else { call }
        };
        let send = async |key: Option<&str>| {
            let call = call();
            let answer = if let Some(key) = key { call.key(key).await } else { call.await };
            contract.check(&request.operation, &answer);
            answer
        };
        if operation.anonymous {
            assert!(key["description"].as_str().unwrap().contains(&SHORTEST_OF_STRANGERS.to_string()), "{key}");
        }
        let strangers = ["k".repeat(SHORTEST_OF_STRANGERS - 1), "k".repeat(SHORTEST_OF_STRANGERS)];
        let bounds = ["", "a b", "ü", "k"].map(str::to_owned).into_iter().chain(["k".repeat(256), "k".repeat(255)]);
        for value in bounds.chain(strangers) {
            let answer = send(Some(&value)).await;
            let refused = answer.body["type"] == "/problems/invalid-header";
            let too_short = request.is_anonymous && value.len() < SHORTEST_OF_STRANGERS;
            let good = contract.accepts(&key["schema"], &json!(value)) && !too_short;
            assert_eq!(refused, !good, "{}: key {value:?}: {answer}", request.operation);
            tried += 1;
        }
        if let Some(condition) = operation.parameters.iter().find(|p| p["name"] == "If-Match") {
            for value in ["x".repeat(100), "x".repeat(101)] {
                let answer = call().if_match(&value).await;
                contract.check(&request.operation, &answer);
                let refused = answer.body["type"] == "/problems/invalid-header";
                assert_eq!(refused, !contract.accepts(&condition["schema"], &json!(value)), "{value}: {answer}");
            }
        }
        let without = send(None).await;
        let refused = without.body["type"] == "/problems/idempotency-key-required";
        assert_eq!(refused, key["required"] == true, "{without}");
    }
    assert!(tried > 0, "no operation takes a key");
}

/// Of the right form, and yet beyond what one database or the other can be asked for.
async fn refuses_what_no_database_could_keep(server: Server) {
    let contract = Contract::committed();
    let requests = Box::pin(stage::requests(&server, &contract)).await;
    let refused = async |operation: &str, name: &str, value: &str, slug: &str| {
        let request = requests.iter().find(|request| request.operation == operation).expect("a request");
        let mut call = request.call(&contract, &request.caller);
        let answer = if name.starts_with('/') {
            let mut body = request.body.clone().expect("a body");
            *body.pointer_mut(name).expect("a member") = json!(value);
            request.finish(&contract, call, Some(&body)).await
        } else {
            for (name, value) in request.query.iter().filter(|(other, _)| other != name) {
                call = call.query(name, value);
            }
            call.query(name, value).await
        };
        contract.check(operation, &answer);
        let pointer = if name.starts_with('/') { name.to_owned() } else { format!("?{name}") };
        answer.problem(422, slug).field(&pointer);
    };
    for date in ["-009999-01-01", "-000001-12-31", "0000-01-01", "1899-12-31", "2201-01-01", "9999-12-31"] {
        refused("list_opening_exceptions", "from", date, "invalid-query").await;
        refused("list_availabilities", "from", date, "invalid-query").await;
        refused("list_slots", "date", date, "invalid-query").await;
    }
    for start in
        ["0000-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z", "1899-12-31T12:00:00Z", "9999-12-31T23:59:59-23:59"]
    {
        refused("create_hold", "/starts_at", start, "invalid-body").await;
        refused("create_appointment", "/starts_at", start, "invalid-body").await;
        refused("reschedule_appointment", "/starts_at", start, "invalid-body").await;
    }
    // Cursors are nobody's to make up, but somebody will.
    for instant in ["-009999-01-02T01:59:59Z", "9999-12-30T22:00:00Z"] {
        let cursor = kernel::Cursor::encode(&(instant, super::NOBODY));
        refused("list_my_appointments", "after", &cursor, "invalid-query").await;
    }
    for slug in ["%00", "bugliano%00", "Bugliano", "platform", "..%2f", "%F0%9F%8F%9B"] {
        server.root().get(&format!("/{slug}/v1/offices")).await.problem(404, "not-found");
    }
}

#[test]
fn candidates_are_on_both_sides_of_a_bound() {
    let contract = Contract::committed();
    let schema = json!({ "type": ["string", "null"], "minLength": 2, "maxLength": 3 });
    let (good, bad): (Vec<_>, Vec<_>) =
        candidates(&contract, &schema).into_iter().partition(|value| contract.accepts(&schema, value));
    assert!(good.contains(&json!("aaa")) && good.contains(&Value::Null) && good.contains(&json!("éé")));
    assert!(bad.contains(&json!("aaaa")) && bad.contains(&json!("a")) && bad.contains(&json!(7)));
}
