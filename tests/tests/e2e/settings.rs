//! What a Comune sets for itself, and which sites may call it from a browser.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Backend, Client, Server, both_databases};

use crate::{
    rows,
    world::{Plan, World},
};

both_databases!(
    everybody_sees_the_public_ones_and_admins_all,
    admins_change_them,
    a_hold_lasts_as_long_as_the_comune_says,
    pages_of_named_sites_may_call,
    what_is_everybodys_may_be_read_from_everywhere,
);

async fn everybody_sees_the_public_ones_and_admins_all(server: Server) {
    let public = server.anonymous().get("/settings").await.expect(200);
    assert_eq!(public.text_at("/name"), "Comune di Bugliano");
    assert_eq!(public.at("/languages"), &json!(["it", "en", "de"]));
    assert_eq!(public.at("/links"), &json!([]));
    for role in ["citizen_a", "operator", "manager", "kiosk", "integration", "platform"] {
        assert_eq!(server.client(role).get("/settings").await.expect(200).body, public.body, "{role}");
    }
    let whole = server.client("admin").get("/settings").await.expect(200);
    assert_eq!(whole.at("/cors_origins"), &json!(["http://localhost:3000", "http://localhost:5173"]));
    assert_eq!(whole.at("/hold_minutes"), &Value::Null);
    assert_ne!(whole.etag(), public.etag());
    assert!(public.body.get("cors_origins").is_none() && public.body.get("hold_minutes").is_none(), "{public}");
    // A Comune that has set nothing has settings all the same.
    World::another(&server, "altrove").await;
    let bare = server.tenant("altrove").get("/settings").await.expect(200);
    assert_eq!((bare.at("/version"), bare.at("/email")), (&json!(0), &Value::Null));
}

async fn admins_change_them(server: Server) {
    let admin = server.client("admin");
    let before = admin.get("/settings").await.expect(200);
    admin.patch("/settings", json!({ "phone": "1234" })).await.problem(428, "precondition-required");
    admin.patch("/settings", json!({ "phone": "1234" })).if_match("\"9.whole\"").await.problem(412, "version-mismatch");
    for (change, field) in [
        (json!({ "cors_origins": ["https://*.example"] }), "/cors_origins"),
        (json!({ "patron_day": "02-30" }), "/patron_day"),
        (json!({ "name": null }), "/name"),
        (json!({ "hold_minutes": 61 }), "/hold_minutes"),
        (json!({ "website": "http://x.example" }), "/website"),
        (json!({ "colour": "red" }), "/colour"),
    ] {
        admin.patch("/settings", change).if_match("*").await.problem(422, "invalid-body").field(field);
    }
    let change = json!({
        "name": "Città di Bugliano", "phone": "+39 050 0000000", "email": null, "patron_day": "11-30", "patron_name": "Sant'Andrea",
    });
    let changed = admin.patch("/settings", change).if_match(before.etag()).await.expect(200);
    assert_eq!(changed.at("/version"), &json!(before.at("/version").as_i64().unwrap() + 1));
    assert_eq!((changed.at("/email"), changed.at("/phone")), (&Value::Null, &json!("+39 050 0000000")));
    // What was not named stays.
    assert_eq!(changed.at("/cors_origins"), before.at("/cors_origins"));
    assert_eq!(admin.get("/settings").await.expect(200).body, changed.body);
    admin.patch("/settings", json!({ "phone": "1234" })).if_match(before.etag()).await.problem(412, "version-mismatch");
    // The gateway that changed it heeds it at once.
    assert_eq!(server.anonymous().get("/status").await.expect(200).text_at("/comune"), "Città di Bugliano");
    let holidays = server.anonymous().get("/holidays").query("year", 2027).await.expect(200);
    assert!(holidays.items().contains(&json!({ "date": "2027-11-30", "name": "Sant'Andrea" })), "{holidays}");
}

async fn a_hold_lasts_as_long_as_the_comune_says(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan { capacity: 2, ..Plan::default() }).await;
    let minutes = async |hour| {
        let held = server.anonymous().post("/holds", desk.wish(desk.at(3, hour, 0))).fresh_key().await.expect(201);
        let until: Timestamp = held.text_at("/expires_at").parse().unwrap();
        until.duration_since(rows::now()).as_secs() / 60
    };
    assert!((3..=5).contains(&minutes(9).await));
    let admin = server.client("admin");
    admin.patch("/settings", json!({ "hold_minutes": 40 })).if_match("*").await.expect(200);
    assert!((38..=40).contains(&minutes(10).await));
    admin.patch("/settings", json!({ "hold_minutes": null })).if_match("*").await.expect(200);
    assert!((3..=5).contains(&minutes(11).await));
}

/// Headers of CORS that an answer carries.
fn cors_headers(answer: &Answer) -> Vec<String> {
    answer.headers.keys().map(ToString::to_string).filter(|name| name.starts_with("access-control-")).collect()
}

fn preflight(caller: &Client, path: &str, origin: &str) -> tests::client::Call {
    let call = caller.call(Method::OPTIONS, path).header("Origin", origin);
    call.header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization, idempotency-key")
}

async fn pages_of_named_sites_may_call(server: Server) {
    const SITE: &str = "https://servizi.bugliano.example";
    World::another(&server, "altrove").await;
    let admin = server.client("admin");
    admin.patch("/settings", json!({ "cors_origins": [SITE] })).if_match("*").await.expect(200);
    let visitor = server.anonymous();

    let asked = preflight(&visitor, "/appointments", SITE).await.expect(204);
    assert_eq!(asked.header("access-control-allow-origin"), Some(SITE), "{asked:?}");
    let allowed = asked.header("access-control-allow-headers").unwrap().to_lowercase();
    for name in ["authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "accept-language"] {
        assert!(allowed.contains(name), "{name}: {allowed}");
    }
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        assert!(asked.header("access-control-allow-methods").unwrap().contains(method), "{asked:?}");
    }
    // Tokens travel in a header; nothing is ever sent along by the browser itself.
    assert!(asked.header("access-control-allow-credentials").is_none());
    assert!(asked.header("vary").is_some_and(|vary| vary.contains("Origin")), "{asked:?}");

    // Answers, refusals by a handler, and refusals before one.
    let found = visitor.get("/offices").header("Origin", SITE).await.expect(200);
    let missing = visitor.get("/offices/x").header("Origin", SITE).await.problem(404, "not-found");
    let stranger = visitor.with_token("nonsense").get("/offices").header("Origin", SITE).await;
    let stranger = stranger.problem(401, "unauthenticated");
    let unread =
        visitor.post("/holds", json!({})).header("Origin", SITE).fresh_key().await.problem(422, "invalid-body");
    for answer in [&found, &missing, &stranger, &unread] {
        assert_eq!(answer.header("access-control-allow-origin"), Some(SITE), "{answer}");
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in ["ETag", "Location", "Link", "Retry-After", "RateLimit-Remaining", "Request-Id"] {
            assert!(exposed.contains(name), "{name}: {answer}");
        }
    }

    // Others are told nothing, in whatever way they resemble the one.
    for origin in [
        "https://other.example",
        "https://servizi.bugliano.example.evil.example",
        "null",
        "*",
        "http://servizi.bugliano.example",
        "https://servizi.bugliano.example:8443",
        "https://SERVIZI.bugliano.example",
    ] {
        let asked = preflight(&visitor, "/appointments", origin).await;
        let found = visitor.get("/offices").header("Origin", origin).await.expect(200);
        for answer in [&asked, &found] {
            assert_eq!(cors_headers(answer), Vec::<String>::new(), "{origin}: {answer}");
            let varies = answer.headers.get_all("vary").iter().any(|value| value == "Origin");
            assert!(varies, "{answer}: {:?}", answer.headers);
        }
    }
    // Nor is the site told anything by another Comune, or by one that is not there.
    for slug in ["altrove", "nessuno"] {
        let answer = preflight(&server.tenant(slug), "/appointments", SITE).await;
        assert_eq!(cors_headers(&answer), Vec::<String>::new(), "{answer}");
    }
    // A request that is no preflight is what it always was.
    visitor.call(Method::OPTIONS, "/offices").header("Origin", SITE).await.problem(405, "method-not-allowed");
    assert_eq!(cors_headers(&visitor.get("/offices").await.expect(200)), Vec::<String>::new());
}

async fn what_is_everybodys_may_be_read_from_everywhere(server: Server) {
    let root = server.root();
    for path in ["/openapi.json", "/openapi-3.0.json", "/docs/", "/problems/not-found"] {
        let read = root.get(path).header("Origin", "https://anywhere.example").await.expect(200);
        assert_eq!(read.header("access-control-allow-origin"), Some("*"), "{}", read.line);
        let asked = preflight(&root, path, "https://anywhere.example").await.expect(204);
        assert_eq!(asked.header("access-control-allow-methods"), Some("GET, HEAD"), "{}", asked.line);
    }
    let health = root.get("/health/ready").header("Origin", "https://anywhere.example").await.expect(200);
    assert_eq!(cors_headers(&health), Vec::<String>::new());
}

/// Two gateways: the one that did not make the change heeds it within the time that Comuni are remembered.
#[tokio::test(flavor = "multi_thread")]
async fn another_gateway_heeds_a_change_soon() {
    if !Backend::Postgres.available() {
        return;
    }
    let first = Server::start(Backend::Postgres, |_| ());
    let world = World::another(&first, "bugliano").await;
    let second = first.beside();
    assert_eq!(second.tenant("bugliano").get("/status").await.expect(200).text_at("/comune"), world.tenant.name);
    world
        .write(|tx| {
            let mut tenant = platform::tenants::own(tx)?;
            "Nuovo nome".clone_into(&mut tenant.name);
            platform::tenants::update(tx, &tenant)
        })
        .await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while second.tenant("bugliano").get("/status").await.expect(200).text_at("/comune") != "Nuovo nome" {
        assert!(std::time::Instant::now() < deadline, "the change is not heeded");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}
