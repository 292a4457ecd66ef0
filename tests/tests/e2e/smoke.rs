//! What every caller meets first: the server is there, describes itself, and refuses well.

use reqwest::Method;
use serde_json::json;
use tests::{Answer, Backend, Client, Server, both_databases};

both_databases!(
    says_that_it_is_there,
    describes_itself,
    documents_itself,
    what_is_not_there_is_not_found,
    another_method_is_told_which_ones_there_are,
    only_json_is_read,
    a_body_has_its_limit,
    what_is_not_json_is_malformed,
    a_body_at_fault_is_told_where,
    a_query_at_fault_is_told_where,
    creating_takes_an_idempotency_key,
    strangers_and_forgers_are_unauthenticated,
    refusals_speak_the_readers_language,
    a_panic_free_start_and_a_clean_end,
    data_outlive_a_restart,
);
both_databases!(that_logs_requests => every_answer_has_its_own_request_id);

/// An id that nothing has.
const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

async fn says_that_it_is_there(server: Server) {
    server.root().get("/health/live").await.expect(200);
    server.root().get("/health/ready").await.expect(200);
    let status = server.anonymous().get("/status").await.expect(200);
    assert!(media_type(&status).ends_with("json"), "{status}");
    assert!(status.body.is_object(), "{status}");
}

async fn describes_itself(server: Server) {
    for (path, version) in [("/openapi.json", "3.1."), ("/openapi-3.0.json", "3.0.")] {
        let document = server.root().get(path).await.expect(200);
        assert_eq!(media_type(&document), "application/json");
        assert!(document.text_at("/openapi").starts_with(version), "{path}");
        // Paths carry no prefix: that is in `servers`.
        for known in ["/status", "/holds", "/appointments", "/calendars/{calendar_id}/slots"] {
            assert!(document.at("/paths")[known].is_object(), "{path} does not know {known}");
        }
    }
}

async fn documents_itself(server: Server) {
    let mut docs = server.root().get("/docs").await;
    if docs.status / 100 == 3 {
        let place = docs.header("location").expect("a place to go to").to_owned();
        let path = place.strip_prefix(&server.base_url()).unwrap_or(&place);
        docs = server.root().get(path).await;
    }
    let docs = docs.expect(200);
    assert_eq!(media_type(&docs), "text/html");
    // It must work without the Internet and without telling others who reads it.
    for source in docs.text.split("src=\"").skip(1).chain(docs.text.split("href=\"").skip(1)) {
        assert!(!source.starts_with("http") && !source.starts_with("//"), "the page loads {source:.60}");
    }
}

async fn what_is_not_there_is_not_found(server: Server) {
    let citizen = server.client("citizen_a");
    server.root().get("/nothing-of-the-kind").await.problem(404, "not-found");
    server.tenant("no-such-comune").get("/offices").await.problem(404, "not-found");
    citizen.get("/nothing-of-the-kind").await.problem(404, "not-found");
    for collection in ["offices", "places", "calendars", "appointment-services", "appointments", "holds"] {
        citizen.get(&format!("/{collection}/{NOBODY}")).await.problem(404, "not-found");
    }
}

async fn another_method_is_told_which_ones_there_are(server: Server) {
    let citizen = server.client("citizen_a");
    for (method, path, allowed) in [
        (Method::DELETE, "/status", "GET"),
        (Method::PUT, "/offices", "GET"),
        (Method::PATCH, "/holds", "POST"),
        (Method::PUT, "/appointments", "POST"),
    ] {
        let answer = citizen.call(method, path).await.problem(405, "method-not-allowed");
        let allow = answer.header("allow").unwrap_or_default();
        assert!(allow.split(',').any(|method| method.trim() == allowed), "Allow is {allow:?}: {answer}");
    }
}

async fn only_json_is_read(server: Server) {
    let citizen = server.client("citizen_a");
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml"] {
        let call = citizen.call(Method::POST, "/holds").header("Content-Type", media_type).body("{}").fresh_key();
        call.await.problem(415, "unsupported-media-type");
    }
    let call = citizen.call(Method::POST, "/holds").body("{}").fresh_key();
    call.await.problem(415, "unsupported-media-type");
}

async fn a_body_has_its_limit(server: Server) {
    let citizen = server.client("citizen_a");
    let call = citizen.post("/holds", json!({ "service_id": "x".repeat(1_048_576) })).fresh_key();
    call.await.problem(413, "payload-too-large");
}

async fn what_is_not_json_is_malformed(server: Server) {
    let citizen = server.client("citizen_a");
    for body in ["", "{", "{\"service_id\": }", "nonsense"] {
        let call =
            citizen.call(Method::POST, "/holds").header("Content-Type", "application/json").body(body).fresh_key();
        call.await.problem(400, "malformed-body");
    }
}

async fn a_body_at_fault_is_told_where(server: Server) {
    let citizen = server.client("citizen_a");
    let whole = json!({ "service_id": NOBODY, "calendar_id": NOBODY, "starts_at": "2027-01-11T09:00:00+01:00" });
    for (member, value) in [
        ("service_id", json!("not an id")),
        ("calendar_id", json!(7)),
        ("starts_at", json!("tomorrow")),
        ("persons", json!("two")),
        ("nickname", json!("unknown members are refused")),
    ] {
        let mut body = whole.clone();
        body[member] = value;
        let answer = citizen.post("/holds", body).fresh_key().await;
        answer.problem(422, "invalid-body").field(&format!("/{member}"));
    }
    let mut body = whole.clone();
    body.as_object_mut().unwrap().remove("starts_at");
    citizen.post("/holds", body).fresh_key().await.problem(422, "invalid-body").field("/starts_at");
}

async fn a_query_at_fault_is_told_where(server: Server) {
    let visitor = server.anonymous();
    let calendars = visitor.get("/calendars").await.expect(200);
    let calendar = calendars.items()[0]["id"].as_str().unwrap();
    for (path, name, value) in [
        ("/holidays".to_owned(), "year", "soon"),
        ("/offices".to_owned(), "limit", "0"),
        ("/offices".to_owned(), "limit", "101"),
        ("/offices".to_owned(), "limit", "many"),
        (format!("/calendars/{calendar}/slots?service_id={NOBODY}"), "date", "2027-02-30"),
        (format!("/calendars/{calendar}/availabilities?service_id={NOBODY}&to=2027-01-11"), "from", "then"),
    ] {
        let answer = visitor.get(&path).query(name, value).await;
        answer.problem(422, "invalid-query").field(&format!("?{name}"));
    }
}

async fn creating_takes_an_idempotency_key(server: Server) {
    let citizen = server.client("citizen_a");
    for path in ["/holds", "/appointments"] {
        citizen.post(path, json!({})).await.problem(400, "idempotency-key-required");
    }
}

async fn strangers_and_forgers_are_unauthenticated(server: Server) {
    let forger = |token: &str| server.anonymous().with_token(token);
    let real = server.credentials().tokens["citizen_a"].clone();
    let (kept, _) = real.rsplit_once('.').expect("a JWT");
    for caller in [
        server.anonymous(),
        forger("nonsense"),
        forger(kept),
        forger(&format!("{kept}.AAAA")),
        forger("spk_000000000000_0000000000000000000000000000000000000000000"),
    ] {
        let answer = caller.get("/me/appointments").await.problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").is_some_and(|how| how.starts_with("Bearer")), "{answer}");
    }
}

async fn refusals_speak_the_readers_language(server: Server) {
    async fn title(caller: &Client, language: &str) -> String {
        let answer = caller.get("/nothing-of-the-kind").header("Accept-Language", language).await;
        answer.problem(404, "not-found").text_at("/title").to_owned()
    }
    let visitor = server.anonymous();
    let (it, en, de) = (title(&visitor, "it").await, title(&visitor, "en").await, title(&visitor, "de").await);
    assert!(it != en && en != de && de != it, "{it} / {en} / {de}");
    assert_eq!(title(&visitor, "en-GB,en;q=0.9,it;q=0.8").await, en);
}

/// A demo is quiet by itself: its terminal belongs to whoever tries it.
fn that_logs_requests(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("log.level", "info");
    })
}

async fn every_answer_has_its_own_request_id(server: Server) {
    let visitor = server.anonymous();
    let id = |answer: &Answer| answer.header("request-id").expect("a Request-Id").to_owned();
    let first = id(&visitor.get("/offices").await.expect(200));
    let second = id(&visitor.get("/offices").await.expect(200));
    assert_ne!(first, second);
    assert!(server.log().contains(&first), "the log does not know the request {first}");
}

async fn a_panic_free_start_and_a_clean_end(mut server: Server) {
    server.anonymous().get("/offices").await.expect(200);
    let status = server.sigterm();
    assert!(status.success(), "{status}\n{}", server.log());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

async fn data_outlive_a_restart(mut server: Server) {
    let before = server.anonymous().get("/calendars").await.expect(200);
    assert!(!before.items().is_empty(), "the demo has no calendars");
    server.restart();
    let after = server.anonymous().get("/calendars").await.expect(200);
    assert_eq!(before.body, after.body);
    server.client("citizen_a").get("/me/appointments").await.expect(200);
}

/// The media type without its parameters.
fn media_type(answer: &Answer) -> &str {
    answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim()
}
