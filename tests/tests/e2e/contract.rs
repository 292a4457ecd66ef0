//! The server does what the committed contract says: every path, every method, every answer.

mod audited;
mod bounds;
mod document;
mod matrix;
mod registers;
mod samples;
mod stage;

use std::collections::BTreeSet;

use document::Contract;
use reqwest::Method;
use samples::{Samples, Told};
use serde_json::Value;
use stage::Request;
use tests::{Answer, Server, both_databases};

both_databases!(
    serves_the_committed_contract,
    answers_undeclared_methods_with_the_declared_ones,
    does_what_every_sample_asks,
    asks_staff_which_version_they_change,
    explains_every_refusal,
);

/// Operations that make something which has no address of its own, and why.
const WITHOUT_LOCATION: &[(&str, &str)] = &[
    ("create_calendar_feed", "its address is a secret, told once in `href`"),
    ("create_session", "tokens, which are shown once"),
    ("create_session_refresh", "tokens, which are shown once"),
    ("create_totp_enrolment", "a seed, which is shown once"),
    ("create_totp_confirmation", "codes, which are shown once"),
    ("create_password_enrolment", "a code, which is shown once"),
    ("rotate_webhook_key", "a key, which is shown once"),
    ("create_payment_notification_key", "a key, which is shown once"),
    ("create_refund", "a line of the payment's list, without an address of its own"),
];

/// An id that nothing has.
const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

async fn serves_the_committed_contract(server: Server) {
    for (path, file) in [("/openapi.json", "openapi/openapi.json"), ("/openapi-3.0.json", "openapi/openapi-3.0.json")] {
        let mut served = server.root().get(path).await.expect(200).body;
        let mut committed = document::read(file);
        for document in [&mut served, &mut committed] {
            without_servers(document);
        }
        assert!(served == committed, "{path} is not {file}: was the binary under test built from these sources?");
    }
}

/// Where it is served is each deployment's own.
fn without_servers(document: &mut Value) {
    let root = document.as_object_mut().expect("a document");
    assert!(root.remove("servers").is_some(), "the document names no server");
    for item in root["paths"].as_object_mut().expect("paths").values_mut() {
        item.as_object_mut().expect("a path").remove("servers");
    }
}

async fn answers_undeclared_methods_with_the_declared_ones(server: Server) {
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
    ];
    let beside =
        ["/health/live", "/health/ready", "/openapi.json", "/openapi-3.0.json", "/problems/not-found", "/metrics"];
    let contract = Contract::committed();
    let of_the_api = contract.paths().map(|(path, declared)| (server.client("admin"), filled(path), declared));
    let of_the_pages = beside.map(|path| (server.root(), path.to_owned(), BTreeSet::from(["GET".to_owned()])));
    let mut paths = 0;
    for (caller, path, mut declared) in of_the_api.chain(of_the_pages) {
        paths += 1;
        if declared.contains("GET") {
            // HTTP means HEAD to be what GET is, without the body: nothing to declare.
            declared.insert("HEAD".to_owned());
            let (whole, head) = (caller.get(&path).await, caller.call(Method::HEAD, &path).await);
            assert_eq!(
                (head.status, head.header("content-type")),
                (whole.status, whole.header("content-type")),
                "{head}"
            );
            assert!(head.text.is_empty(), "{head}");
        }
        for method in methods.iter().filter(|method| !declared.contains(method.as_str())) {
            let answer = caller.call(method.clone(), &path).await;
            let answer =
                if method == Method::HEAD { answer.expect(405) } else { answer.problem(405, "method-not-allowed") };
            let allow: BTreeSet<String> =
                answer.header("allow").unwrap_or_default().split(',').map(|name| name.trim().to_owned()).collect();
            assert_eq!(allow, declared, "{answer}");
        }
    }
    assert!(paths > 20, "only {paths} paths");
}

fn filled(path: &str) -> String {
    let segment = |segment: &str| if segment.starts_with('{') { NOBODY.to_owned() } else { segment.to_owned() };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Every sample succeeds for whom it is meant, and what it makes is where the answer says. Whom it is not meant for
/// is the matter of [`matrix`].
async fn does_what_every_sample_asks(server: Server) {
    let contract = Contract::committed();
    for request in Box::pin(stage::requests(&server, &contract)).await {
        let answer = request.send(&contract, &request.caller).await;
        assert!((200..300).contains(&answer.status), "{}: {answer}", request.operation);
        contract.check(&request.operation, &answer);
        follow(&server, &request, &answer).await;
    }
}

/// Something made is where the answer says that it is.
async fn follow(server: &Server, request: &Request, answer: &Answer) {
    if answer.status != 201 || WITHOUT_LOCATION.iter().any(|(operation, _)| *operation == request.operation) {
        return;
    }
    let location = answer.header("location").unwrap_or_else(|| panic!("no Location: {answer}"));
    let found = request.caller.at(server.base_url()).get(location).await;
    // Who booked without signing in looks the appointment up by its code instead.
    let is_closed = request.is_anonymous && request.operation == "create_appointment";
    let found = if is_closed { found.problem(401, "unauthenticated") } else { found.expect(200) };
    assert!(is_closed || found.body.get("id") == answer.body.get("id"), "{found}");
}

/// Whoever works for the Comune says which version they change, and is told when it is not the one there is.
async fn asks_staff_which_version_they_change(server: Server) {
    let (contract, samples) = (Contract::committed(), Samples::read());
    let [stage, ..] = Box::pin(stage::Stage::set(&server, "altrove", stage::FEW)).await;
    let mut tried = 0;
    for operation in contract.operations() {
        let takes = operation.parameters.iter().any(|parameter| parameter["name"] == "If-Match");
        if !takes || samples.told(operation.id, "admin") != Told::Ok {
            continue;
        }
        let request = stage.prepare(&samples, &contract, operation.id, &samples.request(operation.id)).await;
        for (version, status, slug) in [(None, 428, "precondition-required"), (Some("\"0\""), 412, "version-mismatch")]
        {
            let answer = request.send_for(&contract, stage.caller("admin", None), version).await;
            contract.check(operation.id, &answer.problem(status, slug));
            tried += 1;
        }
    }
    assert!(tried > 0, "no operation takes a version");
}

async fn explains_every_refusal(server: Server) {
    for kind in gateway::openapi::problems() {
        let page = server.root().get(&format!("/problems/{}", kind.slug)).await.expect(200);
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page}");
        assert!(page.text.contains(kind.slug) && page.text.contains(kind.en), "{page}");
    }
    server.root().get("/problems/nothing-of-the-kind").await.problem(404, "not-found");
}
