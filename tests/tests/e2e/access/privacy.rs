//! What is logged: enough to find a request, and nothing about who made it.

use reqwest::Method;
use serde_json::json;
use tests::{Backend, Server, both_databases};

use crate::{
    rows::Lock,
    world::{Plan, World},
};

both_databases!(that_says_all_it_can => the_log_tells_nothing_about_people);

fn that_says_all_it_can(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("log.level", "debug").set("log.format", "json").set("database.busy_timeout_ms", 250);
    })
}

async fn the_log_tells_nothing_about_people(mut server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let nine = desk.at(3, 9, 0);
    let (visitor, anna) = (server.anonymous(), server.client("citizen_a"));
    let mut order = desk.order(nine);
    order["applicant"] = json!({
        "given_name": "Zenobia", "family_name": "Quintavalle", "tax_code": "QNTZNB80A41Z998V",
        "email": "zq@posta.example", "phone": "+39 050 7654321",
    });
    order["notes"] = "porta il barboncino".into();
    let mut secrets: Vec<String> = [
        "Zenobia",
        "Quintavalle",
        "QNTZNB",
        "zq@posta",
        "7654321",
        "barboncino",
        "PRVNNA80A41Z998F",
        "vermiglione",
        "parola-chiave",
        "Browser-di-Zenobia",
        "indisposta",
        "198.51.100.7",
    ]
    .map(str::to_owned)
    .into();
    secrets.extend(server.credentials().tokens.values().cloned());

    // Told apart, booked, looked up, moved, called off.
    let booked = visitor.post("/appointments", order.clone()).key("parola-chiave-numero-1").await.expect(201);
    let (code, token) = (booked.text_at("/code"), booked.text_at("/manage_token"));
    secrets.extend([code.to_owned(), code.replace('-', ""), token.to_owned()]);
    let lookup = json!({ "code": code, "manage_token": token });
    visitor.post("/appointment-lookups", lookup).await.expect(200);
    let path = format!("/appointments/{}", booked.text_at("/id"));
    let body = json!({ "starts_at": desk.order(desk.at(3, 10, 0))["starts_at"], "manage_token": token });
    visitor.post(&format!("{path}/rescheduling"), body).await.expect(200);
    let mine = anna.post("/appointments", order.clone()).key("parola-chiave-numero-2").await.expect(201);
    for role in ["citizen_a", "admin", "integration", "platform", "kiosk"] {
        let caller = server.client(role);
        caller.get(&format!("/appointments/{}", mine.text_at("/id"))).header("User-Agent", "Browser-di-Zenobia").await;
    }
    let off = json!({ "manage_token": token, "reason": "indisposta" });
    visitor.post(&format!("{path}/cancellation"), off).await.expect(200);

    // Refused, in every way that might be worth a line.
    visitor.post("/appointments", order.clone()).key("parola-chiave-numero-1").await.expect(201);
    order["applicant"]["tax_code"] = "QNTZNB80A41Z998X".into();
    visitor.post("/appointments", order.clone()).key("parola-chiave-numero-3").await.problem(422, "invalid-body");
    let raw = visitor.call(Method::POST, "/appointments").header("Content-Type", "application/json").fresh_key();
    raw.body("{\"applicant\": \"Zenobia Quintavalle").await.problem(400, "malformed-body");
    visitor.get("/offices?colour=vermiglione").await.problem(422, "invalid-query");
    visitor.get("/zq@posta.example/Quintavalle").await.problem(404, "not-found");
    server.tenant("zq@posta.example").get("/offices").await.problem(404, "not-found");
    for token in ["Quintavalle.Zenobia.x", "spk_Quintavalle_Zenobia", token] {
        visitor.with_token(token).get("/offices").await.problem(401, "unauthenticated");
    }
    visitor.get("/offices").header("X-Forwarded-For", "198.51.100.7").header("Cookie", "a=Quintavalle").await;
    let lock = Lock::on(&desk, nine).await;
    order["applicant"]["tax_code"] = "QNTZNB80A41Z998V".into();
    visitor.post("/appointments", order).key("parola-chiave-numero-4").await.problem(503, "storage-busy");
    lock.release().await;

    let request = visitor.get("/status").await.header("request-id").unwrap().to_owned();
    let refused = visitor.with_token("nonsense").get("/offices").await.header("request-id").unwrap().to_owned();
    server.sigterm();
    let log = server.log();
    for secret in &secrets {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert!(line.is_none(), "the log knows {secret}: {}", line.unwrap_or_default());
    }
    // It is not that nothing was logged: a line for each answer, by the pattern of its path.
    let lines: Vec<serde_json::Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let about = |id: &str| lines.iter().filter(|line| line["span"]["request_id"] == id).cloned().collect::<Vec<_>>();
    let answered = about(&request);
    assert!(
        answered.iter().any(|line| line["span"]["route"] == "/{comune}/v1/status" && line["span"]["status"] == 200)
    );
    let answered = about(&refused);
    let last = answered.last().expect("a line about the refusal");
    assert_eq!((&last["span"]["route"], &last["span"]["status"]), (&json!("/{comune}/v1/offices"), &json!(401)));
    let id = booked.header("request-id").unwrap();
    let answered = about(id);
    assert!(answered.iter().any(|line| line["span"]["route"] == "/{comune}/v1/appointments"), "{answered:?}");
    assert!(lines.iter().any(|line| line["fields"]["message"] == "the database is busy"), "no line about the lock");
    assert!(lines.iter().any(|line| line["fields"]["message"] == "a token was refused"), "no line about a token");
}
