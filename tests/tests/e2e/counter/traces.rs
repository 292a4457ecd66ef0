//! Notes of the office, and the history of an appointment.

use serde_json::{Value, json};
use tests::{Answer, Server, both_databases};

use super::{book, path};
use crate::{
    rows,
    world::{Plan, World},
};

both_databases!(notes_are_for_staff, history_tells_what_happened_and_staff_by_whom);

async fn notes_are_for_staff(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let citizen = server.client("citizen_a");
    let booked = book(&citizen, &desk, 9).await;
    let notes = path(&booked, "/notes");
    let write = |role: &str, body: &str| server.client(role).post(&notes, json!({ "body": body }));
    let first = write("admin", "Porta il modulo.\nSa già").key("note").await.expect(201);
    let repeated = write("admin", "Porta il modulo.\nSa già").key("note").await.expect(201);
    assert_eq!(first.body, repeated.body);
    write("urp_operator", " Ha telefonato ").await.expect(201);
    let list = server.client("urp_operator").get(&notes).query("limit", 1).await.expect(200);
    let next = list.text_at("/next");
    let rest = server.client("urp_operator").get(&notes).query("after", next).await.expect(200);
    assert_eq!(list.items(), std::slice::from_ref(&first.body));
    assert_eq!(rest.items()[0]["body"], "Ha telefonato");
    assert_eq!(rest.items()[0]["author"]["kind"], "staff");
    assert!(rest.items()[0]["author"]["name"].as_str().is_some_and(|name| !name.is_empty()), "{rest}");

    // The appointment is as it was, and says nothing of them.
    let read = citizen.get(&path(&booked, "")).await.expect(200);
    assert_eq!(read.at("/version"), 1);
    assert!(!read.text.contains("modulo"), "{read}");
    let events = rows::count(&world, "outbox_events").await;
    for role in ["citizen_a", "integration"] {
        server.client(role).get(&notes).await.problem(403, "forbidden");
        write(role, "x").await.problem(403, "forbidden");
    }
    for role in ["citizen_b", "operator", "kiosk", "platform"] {
        server.client(role).get(&notes).await.problem(404, "not-found");
        write(role, "x").await.problem(404, "not-found");
    }
    server.anonymous().get(&notes).await.problem(401, "unauthenticated");
    for body in ["", "  ", "a\u{0}b"] {
        write("admin", body).await.problem(422, "invalid-body").field("/body");
    }
    assert_eq!(rows::count(&world, "outbox_events").await, events);
}

fn told(history: &Answer) -> Vec<(&str, &Value, &str)> {
    history
        .items()
        .iter()
        .map(|item| (item["action"].as_str().unwrap(), &item["state_before"], item["state_after"].as_str().unwrap()))
        .collect()
}

async fn history_tells_what_happened_and_staff_by_whom(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (admin, citizen) = (server.client("admin"), server.client("citizen_a"));
    let booked = book(&citizen, &desk, 9).await;
    let to = desk.order(desk.at(3, 10, 0))["starts_at"].clone();
    citizen.post(&path(&booked, "/rescheduling"), json!({ "starts_at": to })).await.expect(200);
    let reason = json!({ "reason": "Sportello chiuso" });
    let cancelled = admin.post(&path(&booked, "/cancellation"), reason).if_match("\"2.it\"").await.expect(200);
    assert_eq!(cancelled.at("/cancellation_reason"), "Sportello chiuso");
    assert_eq!(cancelled.at("/cancelled_by/kind"), "staff");
    let name = cancelled.text_at("/cancelled_by/name").to_owned();

    let history = admin.get(&path(&booked, "/history")).await.expect(200);
    let expected = [
        ("appointment.confirmed", &Value::Null, "confirmed"),
        ("appointment.rescheduled", &json!("confirmed"), "confirmed"),
        ("appointment.cancelled", &json!("confirmed"), "cancelled"),
    ];
    assert_eq!(told(&history), expected);
    assert_eq!(history.items()[0]["starts_at"], booked.body["starts_at"]);
    assert_eq!(history.items()[1]["starts_at"], to);
    assert_eq!(history.items()[0]["actor"], json!({ "kind": "citizen", "name": null }));
    assert_eq!(history.items()[2]["actor"], json!({ "kind": "staff", "name": name }));

    // Whose it is learns that it was the office, not who there.
    let theirs = citizen.get(&path(&booked, "/history")).query("limit", 2).await.expect(200);
    let rest = citizen.get(&path(&booked, "/history")).query("after", theirs.text_at("/next")).await.expect(200);
    assert_eq!((theirs.items().len(), rest.items().len()), (2, 1));
    assert_eq!(rest.items()[0]["actor"], json!({ "kind": "staff", "name": null }));
    let read = citizen.get(&path(&booked, "")).await.expect(200);
    assert_eq!(read.at("/cancelled_by"), &json!({ "kind": "staff", "name": null }));
    server.client("citizen_b").get(&path(&booked, "/history")).await.problem(404, "not-found");
    server.anonymous().get(&path(&booked, "/history")).await.problem(401, "unauthenticated");
}
