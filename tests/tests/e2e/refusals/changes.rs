//! Changes that come too late, to the wrong version, or under a key that is taken.

use futures_util::future::select;
use kernel::ProblemKind;
use platform::problems::{
    IDEMPOTENCY_IN_PROGRESS, IDEMPOTENCY_KEY_REUSED, INVALID_TRANSITION, PRECONDITION_REQUIRED, VERSION_MISMATCH,
};
use serde_json::{Value, json};
use tests::{Answer, Client, Server, both_databases};

use super::Refusals;
use crate::{
    rows::{self, Lock},
    world::{Desk, Plan, World},
};

pub(super) static KINDS: &[&ProblemKind] = &[
    &PRECONDITION_REQUIRED,
    &VERSION_MISMATCH,
    &INVALID_TRANSITION,
    &IDEMPOTENCY_KEY_REUSED,
    &IDEMPOTENCY_IN_PROGRESS,
];

both_databases!(what_must_not_be_changed);

async fn what_must_not_be_changed(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let mut refused = Refusals::of(&world);
    versions(&server, &desk, &mut refused).await;
    states(&server, &desk, &mut refused).await;
    keys(&server, &desk, &mut refused).await;
    refused.were(KINDS);
}

async fn book(caller: &Client, desk: &Desk, hour: i8) -> Answer {
    caller.post("/appointments", desk.order(desk.at(3, hour, 0))).fresh_key().await.expect(201)
}

fn path(booked: &Answer, change: &str) -> String {
    format!("/appointments/{}/{change}", booked.text_at("/id"))
}

fn to(desk: &Desk, hour: i8) -> Value {
    json!({ "starts_at": desk.order(desk.at(3, hour, 0))["starts_at"] })
}

async fn versions(server: &Server, desk: &Desk, refused: &mut Refusals) {
    let citizen = server.client("citizen_a");
    let booked = book(&citizen, desk, 9).await;
    let moves = [(path(&booked, "rescheduling"), to(desk, 10)), (path(&booked, "cancellation"), json!({}))];
    for role in ["urp_operator", "admin", "integration"] {
        for (path, body) in &moves {
            refused.told(&PRECONDITION_REQUIRED, server.client(role).post(path, body.clone())).await;
        }
    }
    // Who need not name a version is held to the one they name.
    for role in ["admin", "integration", "citizen_a"] {
        for tag in ["\"2.it\"", "\"0.it\"", "\"nonsense\"", "W/\"1.it\"", "1", "\"1", "\"99999999999999999999\""] {
            for (path, body) in &moves {
                let call = server.client(role).post(path, body.clone()).if_match(tag);
                let answer = refused.told(&VERSION_MISMATCH, call).await;
                assert_eq!(answer.at("/current_version"), 1, "{answer}");
            }
        }
    }
    // The current one, in whichever language it was read, is accepted, and then is no longer the current one.
    let admin = server.client("admin");
    let (path, body) = &moves[0];
    let moved = admin.post(path, body.clone()).if_match("\"1.de\"").await.expect(200);
    assert_eq!(moved.at("/version"), 2);
    let call = admin.post(path, to(desk, 11)).if_match(booked.etag());
    assert_eq!(refused.told(&VERSION_MISMATCH, call).await.at("/current_version"), 2);
    admin.post(path, to(desk, 11)).if_match(moved.etag()).await.expect(200);
}

async fn states(server: &Server, desk: &Desk, refused: &mut Refusals) {
    let citizen = server.client("citizen_a");
    // Called off: it stays so, and being called off again is nothing new.
    let booked = book(&citizen, desk, 12).await;
    let cancelled = citizen.post(&path(&booked, "cancellation"), json!({})).await.expect(200);
    let call = citizen.post(&path(&booked, "rescheduling"), to(desk, 13));
    let answer = refused.told(&INVALID_TRANSITION, call).await;
    assert_eq!((answer.at("/current_state"), answer.at("/allowed")), (&json!("cancelled"), &json!([])), "{answer}");
    let before = rows::written(&desk.world).await;
    let again = citizen.post(&path(&booked, "cancellation"), json!({ "reason": "another" })).await.expect(200);
    assert_eq!(again.body, cancelled.body);
    assert_eq!(rows::written(&desk.world).await, before);

    // Begun or over: what happened at the counter is not undone from here.
    for state in ["confirmed", "checked_in", "serving", "completed", "no_show"] {
        let booked = book(&citizen, desk, 14).await;
        if state == "confirmed" {
            rows::begin(&desk.world, booked.text_at("/id")).await;
        } else {
            rows::set_state(&desk.world, booked.text_at("/id"), state).await;
        }
        let read = citizen.get(&format!("/appointments/{}", booked.text_at("/id"))).await.expect(200);
        assert_eq!(read.at("/links"), &json!([]), "{read}");
        for (change, body) in [("rescheduling", to(desk, 15)), ("cancellation", json!({}))] {
            let answer = refused.told(&INVALID_TRANSITION, citizen.post(&path(&booked, change), body)).await;
            assert_eq!((answer.at("/current_state"), answer.at("/allowed")), (&json!(state), &json!([])), "{answer}");
        }
        // Makes room for the next one.
        rows::set_state(&desk.world, booked.text_at("/id"), "confirmed").await;
        rows::forget(&desk.world, booked.text_at("/id")).await;
    }
}

async fn keys(server: &Server, desk: &Desk, refused: &mut Refusals) {
    let citizen = server.client("citizen_a");
    let (order, other) = (desk.order(desk.at(4, 9, 0)), desk.order(desk.at(4, 10, 0)));
    for (path, body, other) in [("/appointments", order, other), ("/holds", desk.wish(desk.at(4, 11, 0)), json!({}))] {
        citizen.post(path, body.clone()).key("reused").await.expect(201);
        // Spaces make another body too: what is compared is what was sent.
        let spaced = citizen.call(reqwest::Method::POST, path).header("Content-Type", "application/json");
        refused.told(&IDEMPOTENCY_KEY_REUSED, spaced.body(format!(" {body}")).key("reused")).await;
        if other != json!({}) {
            refused.told(&IDEMPOTENCY_KEY_REUSED, citizen.post(path, other).key("reused")).await;
        }
    }

    let order = desk.order(desk.at(4, 12, 0));
    let lock = Lock::on(desk, desk.at(4, 12, 0)).await;
    let first = tokio::spawn(citizen.post("/appointments", order.clone()).key("running").into_future());
    // Whichever of the two comes first waits for the day; the other one is told.
    let second = tokio::spawn(citizen.post("/appointments", order.clone()).key("running").into_future());
    let (told, waiting) = select(first, second).await.factor_first();
    assert_eq!(told.unwrap().problem(409, "idempotency-in-progress").header("retry-after"), Some("1"));
    let answer = refused.told(&IDEMPOTENCY_IN_PROGRESS, citizen.post("/appointments", order).key("running")).await;
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer}");
    // Another body does not get past it either.
    let other = desk.order(desk.at(5, 9, 0));
    refused.told(&IDEMPOTENCY_IN_PROGRESS, citizen.post("/appointments", other).key("running")).await;
    lock.release().await;
    waiting.await.unwrap().expect(201);
}
