//! Who comes, how many, and what the office should know, said anew.

use jiff::Timestamp;
use serde_json::{Value, json};
use tests::{Answer, Client, Server, both_databases};

use super::{book, free, ids, order_for, path, start_in};
use crate::{
    rows,
    world::{Offer, Plan, World},
};

both_databases!(
    the_office_amends_who_comes,
    another_number_takes_another_time_or_none,
    a_person_amends_how_they_are_reached,
    with_a_manage_token_as_with_a_name,
    who_counts_follows_who_comes,
);

/// The codice fiscale of the demo's citizen of that name, who is nobody.
const CITIZEN_A: &str = "PRVNNA80A41Z998F";

/// A service of 15 minutes, and 15 more for each further person, of four at most.
fn families() -> Plan {
    let service = Offer { extra_person_minutes: 15, max_persons: 4, ..Offer::default() };
    Plan { services: vec![service], ..Plan::default() }
}

async fn amend(caller: &Client, booked: &Answer, patch: Value) -> Answer {
    let read = caller.get(&path(booked, "")).await.expect(200);
    caller.patch(&path(booked, ""), patch).if_match(read.etag()).await
}

async fn searched(caller: &Client, search: Value) -> Vec<Value> {
    ids(&caller.post("/appointment-searches", search).await.expect(200))
}

async fn the_office_amends_who_comes(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (admin, citizen) = (server.client("admin"), server.client("citizen_a"));
    let order = order_for(&desk, 9, "Anna", "Xerqui", "xerqui@example.org");
    let booked = citizen.post("/appointments", order).fresh_key().await.expect(201);
    let id = booked.at("/id").clone();
    let patch = json!({
        "applicant": { "given_name": " Anna Maria ", "family_name": "Yberti", "email": "Yberti@example.org",
            "tax_code": CITIZEN_A, "phone": "+39 050 0000002" },
        "notes": " Con la figlia ",
    });
    admin.patch(&path(&booked, ""), patch.clone()).await.problem(428, "precondition-required");
    admin.patch(&path(&booked, ""), patch.clone()).if_match("\"9.it\"").await.problem(412, "version-mismatch");
    for role in ["operator", "citizen_b", "platform"] {
        server.client(role).patch(&path(&booked, ""), patch.clone()).await.problem(404, "not-found");
    }
    server.anonymous().patch(&path(&booked, ""), patch.clone()).await.problem(401, "unauthenticated");

    let amended = amend(&admin, &booked, patch).await.expect(200);
    let person = amended.at("/applicant");
    assert_eq!((&person["given_name"], &person["family_name"]), (&json!("Anna Maria"), &json!("Yberti")));
    assert_eq!((&person["tax_code"], &person["notes"]), (&json!(CITIZEN_A), &json!("Con la figlia")));
    assert_eq!((amended.at("/version"), amended.at("/starts_at")), (&json!(2), booked.at("/starts_at")));
    assert_ne!(amended.etag(), booked.etag());
    assert_eq!(citizen.get(&path(&booked, "")).await.expect(200).at("/applicant"), person);
    // They are found by what they are called now, and no longer by what they were.
    for (search, found) in [
        (json!({ "name": "yberti" }), true),
        (json!({ "name": "anna maria yb" }), true),
        (json!({ "email": "yberti@EXAMPLE.org" }), true),
        (json!({ "name": "xerqui" }), false),
        (json!({ "email": "xerqui@example.org" }), false),
    ] {
        assert_eq!(searched(&admin, search.clone()).await.contains(&id), found, "{search}");
    }
    // What is taken away, and what cannot be.
    let without = amend(&admin, &booked, json!({ "applicant": { "phone": null, "tax_code": null }, "notes": null }));
    let without = without.await.expect(200);
    for member in ["phone", "tax_code", "notes"] {
        assert_eq!(without.at("/applicant")[member], Value::Null, "{without}");
    }
    for (patch, pointer) in [
        (json!({ "applicant": { "email": null } }), "/applicant/email"),
        (json!({ "applicant": { "given_name": " " } }), "/applicant/given_name"),
        (json!({ "applicant": { "tax_code": "PRVNNA80A41Z998X" } }), "/applicant/tax_code"),
        (json!({ "applicant": [] }), "/applicant"),
        (json!({ "persons": 0 }), "/persons"),
        (json!({ "starts_at": "2026-12-02T09:00:00+01:00" }), "/starts_at"),
    ] {
        amend(&admin, &booked, patch).await.problem(422, "invalid-body").field(pointer);
    }
    // What is the same already changes nothing.
    let before = rows::written(&world).await;
    let same = amend(&admin, &booked, json!({ "applicant": { "family_name": "Yberti" }, "persons": 1 })).await;
    assert_eq!(same.expect(200).body, without.body);
    assert_eq!(rows::written(&world).await, before);
    // A name is put right also when the visit is over.
    rows::set_state(&world, booked.text_at("/id"), "completed").await;
    let later = amend(&admin, &booked, json!({ "applicant": { "given_name": "Anna" } })).await.expect(200);
    assert_eq!((later.text_at("/state"), later.text_at("/applicant/given_name")), ("completed", "Anna"));

    let history = admin.get(&path(&booked, "/history")).await.expect(200);
    let told: Vec<_> = history.items().iter().map(|item| item["action"].as_str().unwrap()).collect();
    let updated = "appointment.updated";
    assert_eq!(told, ["appointment.confirmed", updated, updated, updated]);
    assert_eq!(history.items()[1]["actor"]["kind"], "staff");
    let entries = admin.get("/audit-entries").query("subject_id", booked.text_at("/id")).await.expect(200);
    assert_eq!(entries.items().iter().filter(|entry| entry["action"] == updated).count(), 3, "{entries}");
    assert!(!entries.text.contains("Yberti"), "{entries}");
}

async fn another_number_takes_another_time_or_none(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(families()).await;
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let minutes = |answer: &Answer| {
        let at = |member: &str| answer.text_at(member).parse::<Timestamp>().unwrap();
        at("/ends_at").duration_since(at("/starts_at")).as_mins()
    };
    let booked = book(&admin, &desk, 9).await;
    let three = amend(&admin, &booked, json!({ "persons": 3 })).await.expect(200);
    assert_eq!((three.at("/persons"), minutes(&three)), (&json!(3), 45));
    // The time it takes now is nobody else's.
    visitor.post("/appointments", desk.order(desk.at(3, 9, 30))).fresh_key().await.problem(409, "slot-taken");
    let two = amend(&admin, &booked, json!({ "persons": 2 })).await.expect(200);
    assert_eq!(minutes(&two), 30);
    let next = visitor.post("/appointments", desk.order(desk.at(3, 9, 30))).fresh_key().await.expect(201);
    // There is no longer room for three: all stays as it was, names too.
    let before = rows::written(&world).await;
    let patch = json!({ "persons": 3, "applicant": { "family_name": "Troppi" } });
    let refused = amend(&admin, &booked, patch).await.problem(409, "slot-taken");
    assert!(!refused.at("/alternatives").as_array().unwrap().is_empty(), "{refused}");
    assert_eq!(rows::written(&world).await, before);
    assert_eq!(admin.get(&path(&booked, "")).await.expect(200).body, two.body);
    amend(&admin, &booked, json!({ "persons": 5 })).await.problem(422, "duration-not-allowed").field("/persons");
    amend(&server.client("integration"), &booked, json!({ "persons": 1 })).await.expect(200);
    // Begun: who comes may be put right, how many came is what it was.
    start_in(&world, &next, -5).await;
    let late = amend(&admin, &next, json!({ "persons": 2 })).await.problem(409, "invalid-transition");
    assert_eq!(late.text_at("/current_state"), "confirmed");
    amend(&admin, &next, json!({ "notes": "In ritardo" })).await.expect(200);
}

async fn a_person_amends_how_they_are_reached(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(families()).await;
    let citizen = server.client("citizen_a");
    let booked = book(&citizen, &desk, 9).await;
    let patch = json!({ "applicant": { "email": "nuova@example.org", "phone": "050 0000003" }, "notes": "Suonare" });
    // No version is asked of them.
    let amended = citizen.patch(&path(&booked, ""), patch).await.expect(200);
    assert_eq!(amended.text_at("/applicant/email"), "nuova@example.org");
    assert_eq!((amended.text_at("/applicant/phone"), amended.text_at("/applicant/notes")), ("050 0000003", "Suonare"));
    assert_eq!(amended.at("/applicant/family_name"), booked.at("/applicant/family_name"));
    for (patch, pointer) in [
        (json!({ "persons": 2 }), "/persons"),
        (json!({ "applicant": { "given_name": "Altra", "phone": null } }), "/applicant/given_name"),
        (json!({ "applicant": { "family_name": "Altra" } }), "/applicant/family_name"),
        (json!({ "applicant": { "tax_code": CITIZEN_A } }), "/applicant/tax_code"),
    ] {
        citizen.patch(&path(&booked, ""), patch).await.problem(403, "forbidden").field(pointer);
    }
    assert_eq!(citizen.get(&path(&booked, "")).await.expect(200).body, amended.body);
    assert_eq!(free(&server.anonymous(), &desk, 9).await, 0);
    start_in(&world, &booked, -5).await;
    let late = citizen.patch(&path(&booked, ""), json!({ "notes": "Tardi" })).await.problem(409, "invalid-transition");
    assert_eq!(late.at("/allowed"), &json!([]));
}

async fn with_a_manage_token_as_with_a_name(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(families()).await;
    let visitor = server.anonymous();
    let (booked, other) = (book(&visitor, &desk, 9).await, book(&visitor, &desk, 10).await);
    let with = |patch: Value, token: &str| {
        let mut patch = patch;
        patch["manage_token"] = json!(token);
        visitor.patch(&path(&booked, ""), patch)
    };
    let (token, another) = (booked.text_at("/manage_token"), other.text_at("/manage_token"));
    with(json!({ "notes": "x" }), another).await.problem(403, "code-token-mismatch");
    let amended = with(json!({ "applicant": { "email": "nuova@example.org" } }), token).await.expect(200);
    assert_eq!(amended.text_at("/applicant/email"), "nuova@example.org");
    let links = amended.at("/links").as_array().unwrap();
    assert!(links.iter().any(|link| link["rel"] == "update" && link["method"] == "PATCH"), "{amended}");
    with(json!({ "persons": 2 }), token).await.problem(403, "forbidden").field("/persons");
}

async fn who_counts_follows_who_comes(server: Server) {
    let world = World::of(&server).await;
    let service = Offer { max_per_person: Some(1), ..Offer::default() };
    let desk = world.desk(Plan { services: vec![service], ..Plan::default() }).await;
    let admin = server.client("admin");
    let order = |hour: i8, email: &str| order_for(&desk, hour, "Anna", "Prova", email);
    let book = async |hour: i8, email: &str| admin.post("/appointments", order(hour, email)).fresh_key().await;
    let first = book(9, "uno@example.org").await.expect(201);
    let second = book(10, "due@example.org").await.expect(201);
    let patch = json!({ "applicant": { "email": "uno@example.org" } });
    amend(&admin, &second, patch).await.problem(409, "person-limit-reached");
    // Whose it was has one left, and whose it is now has none.
    amend(&admin, &first, json!({ "applicant": { "email": "tre@example.org" } })).await.expect(200);
    book(11, "tre@example.org").await.problem(409, "person-limit-reached");
    book(11, "uno@example.org").await.expect(201);
    // What the office books for a person is theirs: it goes along with their tax code.
    let mine = server.client("citizen_a");
    let theirs = ids(&mine.get("/me/appointments").query("limit", 100).await.expect(200));
    assert!(!theirs.contains(second.at("/id")));
    amend(&admin, &second, json!({ "applicant": { "tax_code": CITIZEN_A } })).await.expect(200);
    let theirs = ids(&mine.get("/me/appointments").query("limit", 100).await.expect(200));
    assert!(theirs.contains(second.at("/id")), "{theirs:?}");
}
