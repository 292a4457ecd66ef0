//! The server does what the committed contract says: every path, every method, every answer.

mod bounds;
mod document;
mod matrix;
mod requests;
mod samples;
mod stage;

use std::collections::BTreeSet;

use document::Contract;
use requests::{Request, Stage};
use reqwest::Method;
use samples::Samples;
use serde_json::Value;
use tests::{Answer, Server, both_databases};

both_databases!(
    serves_the_committed_contract,
    answers_undeclared_methods_with_the_declared_ones,
    does_what_every_operation_says,
    does_what_every_sample_asks,
    explains_every_refusal,
);

/// Roles whose call of an operation is refused are named by its request ([`Request::refused`]); these
/// operations take a token and refuse no role.
const FOR_EVERY_ROLE: &[(&str, &str)] = &[];

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
    let beside = ["/health/live", "/health/ready", "/openapi.json", "/openapi-3.0.json", "/problems/not-found"];
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

/// Calls every operation with a right caller, and with wrong ones. A new operation fails here until
/// [`requests`] knows a request for it.
async fn does_what_every_operation_says(server: Server) {
    let contract = Contract::committed();
    let stage = Stage::set(&server).await;
    let requests = stage.requests().await;

    let mut refusing = BTreeSet::new();
    for request in &requests {
        let operation = contract.operation(request.operation);
        for stranger in [server.anonymous().with_token("nonsense"), server.anonymous().with_token("spk_x_y")] {
            let answer = request.send(&contract, &stranger).await;
            contract.check(request.operation, &answer.problem(401, "unauthenticated"));
        }
        if !operation.anonymous {
            let answer = request.send(&contract, &server.anonymous()).await;
            contract.check(request.operation, &answer.problem(401, "unauthenticated"));
        }
        for (role, status, slug) in &request.refused {
            let answer = request.send(&contract, &server.client(role)).await;
            contract.check(request.operation, &answer.problem(*status, slug));
            refusing.insert(request.operation);
        }
    }
    let mut sampled = BTreeSet::new();
    for request in &requests {
        let caller = request.caller(&server);
        let answer = request.send(&contract, &caller).await;
        assert!((200..300).contains(&answer.status), "{}: {answer}", request.operation);
        contract.check(request.operation, &answer);
        follow(&server, request, &answer).await;
        sampled.insert(request.operation);
    }

    let all: BTreeSet<&str> = contract.operations().map(|operation| operation.id).collect();
    let unsampled: Vec<_> = all.difference(&sampled).collect();
    assert!(unsampled.is_empty(), "no request for {unsampled:?}: give one in tests/tests/e2e/contract/requests.rs");
    for operation in contract.operations().filter(|operation| operation.takes_a_token) {
        let excused = FOR_EVERY_ROLE.iter().any(|(id, _)| *id == operation.id);
        assert_ne!(
            refusing.contains(operation.id),
            excused,
            "{}: name a role that is refused in its request, or why there is none in FOR_EVERY_ROLE (and not both)",
            operation.id
        );
    }
}

/// Every sample succeeds for whom it is meant, and what it makes is where the answer says.
async fn does_what_every_sample_asks(server: Server) {
    let (contract, samples) = (Contract::committed(), Samples::read());
    let [stage, ..] = stage::Stage::set(&server, "altrove").await;
    for operation in samples.operations() {
        let scope = samples.of(operation).scope.as_deref();
        for variant in samples.requests(operation) {
            let request = stage.prepare(&samples, &contract, operation, &variant).await;
            let caller = stage.caller(&request.by, scope);
            let answer = request.send(&contract, caller).await;
            assert!((200..300).contains(&answer.status), "{operation} by {}: {answer}", request.by);
            contract.check(operation, &answer);
            // Who booked without signing in looks the appointment up by its code instead.
            if answer.status == 201 && !(request.by == "anonymous" && operation == "create_appointment") {
                let location = answer.header("location").unwrap_or_else(|| panic!("no Location: {answer}"));
                let found = caller.at(server.base_url()).get(location).await.expect(200);
                assert_eq!(found.body.get("id"), answer.body.get("id"), "{found}");
            }
        }
    }
}

/// Something made is where the answer says that it is.
async fn follow(server: &Server, request: &Request, answer: &Answer) {
    if answer.status != 201 {
        return;
    }
    let location = answer.header("location").unwrap_or_else(|| panic!("no Location: {answer}"));
    let caller = request.caller(server).at(server.base_url());
    let found = caller.get(location).await;
    // Who booked without signing in looks the appointment up by its code instead.
    let is_closed = request.role.is_none() && request.operation == "create_appointment";
    let found = if is_closed { found.problem(401, "unauthenticated") } else { found.expect(200) };
    assert!(is_closed || found.at("/id") == answer.at("/id"), "{found}");
}

async fn explains_every_refusal(server: Server) {
    for kind in gateway::openapi::problems() {
        let page = server.root().get(&format!("/problems/{}", kind.slug)).await.expect(200);
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page}");
        assert!(page.text.contains(kind.slug) && page.text.contains(kind.en), "{page}");
    }
    server.root().get("/problems/nothing-of-the-kind").await.problem(404, "not-found");
}
