//! What happens at the counter.

use reqwest::Method;
use serde_json::json;
use tests::{Answer, Client, Server, both_databases};

use super::{book, free, path, rels, start_in};
use crate::world::{Plan, World};

both_databases!(a_visit_from_check_in_to_completion, who_did_not_come_and_who_did_after_all, who_may_note_it);

async fn note(caller: &Client, booked: &Answer, what: &str) -> Answer {
    let read = caller.get(&path(booked, "")).await.expect(200);
    caller.call(Method::POST, &path(booked, &format!("/{what}"))).if_match(read.etag()).await
}

async fn a_visit_from_check_in_to_completion(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (admin, citizen) = (server.client("admin"), server.client("citizen_a"));
    let booked = book(&citizen, &desk, 9).await;
    // On another day nobody is checked in.
    let early = note(&admin, &booked, "check-in").await.problem(409, "invalid-transition");
    assert_eq!(early.at("/allowed"), &json!(["rescheduling", "cancellation"]));
    start_in(&world, &booked, 0).await;
    let read = admin.get(&path(&booked, "")).await.expect(200);
    assert_eq!(rels(&read), ["check-in", "no-show", "update"]);
    assert!(rels(&citizen.get(&path(&booked, "")).await).is_empty());

    let arrived = note(&admin, &booked, "check-in").await.expect(200);
    assert_eq!((arrived.text_at("/state"), arrived.at("/version")), ("checked_in", &json!(2)));
    let again = note(&admin, &booked, "check-in").await.expect(200);
    assert_eq!(again.at("/version"), 2, "{again}");
    assert_eq!(rels(&again), ["service-start", "completion", "no-show", "reinstatement", "update"]);
    let back = note(&admin, &booked, "reinstatement").await.expect(200);
    assert_eq!(back.text_at("/state"), "confirmed");
    for (what, state) in [("check-in", "checked_in"), ("service-start", "serving"), ("completion", "completed")] {
        let noted = note(&admin, &booked, what).await.expect(200);
        assert_eq!(noted.text_at("/state"), state);
    }
    // Done: nothing more can happen, and what was left of the time is free.
    let done = note(&admin, &booked, "no-show").await.problem(409, "invalid-transition");
    assert_eq!((done.text_at("/current_state"), done.at("/allowed")), ("completed", &json!([])));
    assert_eq!(free(&server.anonymous(), &desk, 9).await, 1);
}

async fn who_did_not_come_and_who_did_after_all(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let booked = book(&admin, &desk, 9).await;
    note(&admin, &booked, "no-show").await.problem(409, "invalid-transition");
    start_in(&world, &booked, 0).await;
    assert_eq!(free(&visitor, &desk, 9).await, 0);
    let missed = note(&admin, &booked, "no-show").await.expect(200);
    assert_eq!((missed.text_at("/state"), rels(&missed)), ("no_show", vec![json!("reinstatement"), json!("update")]));
    assert_eq!(free(&visitor, &desk, 9).await, 1);
    // Their time is taken again with them.
    let back = note(&admin, &booked, "reinstatement").await.expect(200);
    assert_eq!(back.text_at("/state"), "confirmed");
    assert_eq!(free(&visitor, &desk, 9).await, 0);
    // Unless it is somebody else's by now.
    note(&admin, &booked, "no-show").await.expect(200);
    book(&visitor, &desk, 9).await;
    note(&admin, &booked, "reinstatement").await.problem(409, "slot-taken");
    assert_eq!(admin.get(&path(&booked, "")).await.text_at("/state"), "no_show");
}

async fn who_may_note_it(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (admin, citizen) = (server.client("admin"), server.client("citizen_a"));
    let booked = book(&citizen, &desk, 9).await;
    start_in(&world, &booked, 1).await;
    for what in ["check-in", "service-start", "completion", "no-show", "reinstatement"] {
        let path = path(&booked, &format!("/{what}"));
        let post = |caller: Client| caller.call(Method::POST, &path);
        post(server.anonymous()).await.problem(401, "unauthenticated");
        post(citizen.clone()).await.problem(403, "forbidden");
        for role in ["citizen_b", "operator", "kiosk", "platform"] {
            post(server.client(role)).await.problem(404, "not-found");
        }
        post(admin.clone()).await.problem(428, "precondition-required");
        post(server.client("integration")).if_match("\"9.it\"").await.problem(412, "version-mismatch");
    }
    // A device of the office checks in, twice if it likes, without having read a version; nothing else.
    let stage = server.anonymous().get("/appointment-services").query("limit", 100).await.expect(200);
    let service = stage.items().iter().find(|service| service["slug"] == "certificati").expect("certificati");
    let offices = format!("/appointment-services/{}/offices", service["id"].as_str().unwrap());
    let offices = server.anonymous().get(&offices).await.expect(200);
    let office = offices.items().iter().find(|office| office["name"].as_str().unwrap().contains("anagrafe")).unwrap();
    let calendar = office["calendars"][0]["id"].as_str().unwrap();
    let days = server.anonymous().get(&format!("/calendars/{calendar}/availabilities"));
    let days = days.query("service_id", service["id"].as_str().unwrap()).await.expect(200);
    let day = days.items().iter().rfind(|day| day["free"].as_i64() > Some(0)).unwrap();
    let slots = server.anonymous().get(&format!("/calendars/{calendar}/slots"));
    let slots = slots.query("service_id", service["id"].as_str().unwrap()).query("date", day["date"].as_str().unwrap());
    let slots = slots.await.expect(200);
    let slot = slots.items().iter().find(|slot| slot["free"].as_i64() > Some(0)).unwrap();
    let order = json!({
        "service_id": service["id"], "calendar_id": calendar, "starts_at": slot["starts_at"],
        "applicant": { "given_name": "Anna", "family_name": "Prova", "email": "anna.prova@example.org" },
    });
    let booked = citizen.post("/appointments", order).fresh_key().await.expect(201);
    start_in(&world, &booked, 1).await;
    let kiosk = server.client("kiosk");
    let seen = kiosk.get(&path(&booked, "")).await.expect(200);
    assert_eq!(rels(&seen), ["check-in"]);
    for _ in 0..2 {
        let arrived = kiosk.call(Method::POST, &path(&booked, "/check-in")).await.expect(200);
        assert_eq!((arrived.text_at("/state"), arrived.at("/applicant")), ("checked_in", &json!(null)));
    }
    kiosk.call(Method::POST, &path(&booked, "/completion")).await.problem(403, "forbidden");
}
