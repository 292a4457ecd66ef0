//! Places that somebody else has, holds that have run out, and how many times one person may have.

use booking::problems::{
    CODE_TOKEN_MISMATCH, HOLD_EXPIRED, HOLD_MISMATCH, OUTSIDE_OPENING_HOURS, PERSON_LIMIT_REACHED, SLOT_TAKEN,
};
use jiff::Timestamp;
use kernel::ProblemKind;
use serde_json::{Value, json};
use storage::problems::STORAGE_BUSY;
use tests::{Answer, Backend, Client, Server, both_databases};

use super::{NOBODY, Refusals, without_instance};
use crate::{
    mint,
    rows::{self, Lock},
    world::{Desk, Offer, Plan, World},
};

pub(super) static KINDS: &[&ProblemKind] =
    &[&SLOT_TAKEN, &HOLD_EXPIRED, &HOLD_MISMATCH, &PERSON_LIMIT_REACHED, &CODE_TOKEN_MISMATCH];
pub(super) static BUSY: &[&ProblemKind] = &[&STORAGE_BUSY];

both_databases!(places_that_are_not_to_be_had, a_hold_that_has_run_out_is_anybodys);
both_databases!(that_does_not_wait_long => a_day_that_somebody_else_has_locked_is_busy);

async fn places_that_are_not_to_be_had(server: Server) {
    let world = World::of(&server).await;
    let mut refused = Refusals::of(&world);
    taken(&server, &world, &mut refused).await;
    holds(&server, &world, &mut refused).await;
    limits(&server, &world, &mut refused).await;
    codes(&server, &world, &mut refused).await;
    refused.were(KINDS);
}

/// The free times that a refusal offers instead: each is one, and each can be had.
async fn alternatives(desk: &Desk, answer: &Answer, taken: Timestamp) -> Vec<Timestamp> {
    let offered = answer.at("/alternatives").as_array().unwrap();
    let starts: Vec<Timestamp> =
        offered.iter().map(|slot| slot["starts_at"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(starts.len(), 5, "{answer}");
    assert!(starts.is_sorted() && !starts.contains(&taken), "{answer}");
    for slot in offered {
        assert_eq!(slot["calendar_id"], json!(desk.calendar.id), "{answer}");
        assert_eq!(slot["free"], 1, "{answer}");
        assert!(slot["ends_at"].is_string(), "{answer}");
        assert_eq!(slot.as_object().unwrap().len(), 4, "{answer}");
    }
    starts
}

async fn taken(server: &Server, world: &World, refused: &mut Refusals) {
    let desk = world.desk(Plan::default()).await;
    let (citizen, visitor) = (server.client("citizen_a"), server.anonymous());
    let nine = desk.at(3, 9, 0);
    visitor.post("/appointments", desk.order(nine)).fresh_key().await.expect(201);
    let later = citizen.post("/appointments", desk.order(desk.at(3, 12, 0))).fresh_key().await.expect(201);
    let path = format!("/appointments/{}", later.text_at("/id"));
    let to = json!({ "starts_at": desk.order(nine)["starts_at"] });
    let mut free = Vec::new();
    for call in [
        visitor.post("/appointments", desk.order(nine)).fresh_key(),
        visitor.post("/holds", desk.wish(nine)).fresh_key(),
        citizen.post(&format!("{path}/rescheduling"), to.clone()),
        server.client("admin").post(&format!("{path}/rescheduling"), to.clone()).if_match("*"),
    ] {
        let answer = refused.told(&SLOT_TAKEN, call).await;
        free = alternatives(&desk, &answer, nine).await;
        // The nearest ones.
        assert_eq!(free, [(8, 15), (8, 30), (8, 45), (9, 15), (9, 30)].map(|(h, m)| desk.at(3, h, m)), "{answer}");
    }
    // Who was not moved is where they were.
    let still = citizen.get(&path).await.expect(200);
    assert_eq!((&still.body, still.etag()), (&later.body, later.etag()));
    for at in free {
        visitor.post("/appointments", desk.order(at)).fresh_key().await.expect(201);
    }

    // The last slot of a day has its neighbours on the next one, when the day is full.
    let short = world.desk(Plan { closes: jiff::civil::time(8, 30, 0, 0), ..Plan::default() }).await;
    for minute in [0, 15] {
        visitor.post("/appointments", short.order(short.at(3, 8, minute))).fresh_key().await.expect(201);
    }
    let call = visitor.post("/appointments", short.order(short.at(3, 8, 15))).fresh_key();
    let answer = refused.told(&SLOT_TAKEN, call).await;
    let free = alternatives(&short, &answer, short.at(3, 8, 15)).await;
    assert_eq!(free[..2], [short.at(4, 8, 0), short.at(4, 8, 15)], "{answer}");
}

async fn holds(server: &Server, world: &World, refused: &mut Refusals) {
    let desk = world.desk(Plan { capacity: 2, ..Plan::default() }).await;
    let citizen = server.client("citizen_a");
    let nine = desk.at(3, 9, 0);
    let hold = |caller: Client| {
        let call = caller.post("/holds", desk.wish(nine)).fresh_key();
        async move { call.await.expect(201).text_at("/id").to_owned() }
    };
    let with = |hold: &str| {
        let mut order = desk.order(nine);
        order["hold_id"] = hold.into();
        order
    };
    let released = hold(citizen.clone()).await;
    citizen.delete(&format!("/holds/{released}")).await.expect(204);
    let run_out = hold(citizen.clone()).await;
    rows::expire_hold(world, &run_out).await;
    let anothers = hold(server.client("citizen_b")).await;
    let used = hold(citizen.clone()).await;
    citizen.post("/appointments", with(&used)).fresh_key().await.expect(201);
    for gone in [&released, &run_out, &anothers, &used, NOBODY] {
        refused.told(&HOLD_EXPIRED, citizen.post("/appointments", with(gone)).fresh_key()).await;
        refused.told(&platform::problems::NOT_FOUND, citizen.get(&format!("/holds/{gone}"))).await;
        refused.told(&platform::problems::NOT_FOUND, citizen.delete(&format!("/holds/{gone}"))).await;
    }
    // Whose it is may use it still.
    server.client("citizen_b").post("/appointments", with(&anothers)).fresh_key().await.expect(201);

    let two = Offer { max_persons: 2, ..Offer::default() };
    let desk = world.desk(Plan { services: vec![Offer::default(), two], ..Plan::default() }).await;
    let kept = citizen.post("/holds", desk.wish(nine)).fresh_key().await.expect(201);
    let mut order = desk.order(nine);
    order["hold_id"] = kept.at("/id").clone();
    for (member, value) in [
        ("starts_at", desk.order(desk.at(3, 9, 15))["starts_at"].clone()),
        ("persons", json!(2)),
        ("service_id", json!(desk.services[1].id)),
    ] {
        let mut other = order.clone();
        other[member] = value;
        let call = citizen.post("/appointments", other).fresh_key();
        refused.told(&HOLD_MISMATCH, call).await.field("/hold_id");
    }
    // The same instant under another offset is the same time.
    order["starts_at"] = nine.to_string().into();
    citizen.post("/appointments", order).fresh_key().await.expect(201);
}

async fn limits(server: &Server, world: &World, refused: &mut Refusals) {
    let twice = Offer { max_per_person: Some(2), ..Offer::default() };
    let desk = world.desk(Plan { capacity: 20, services: vec![twice], ..Plan::default() }).await;
    let (citizen, admin, visitor) = (server.client("citizen_a"), server.client("admin"), server.anonymous());
    let nine = desk.at(3, 9, 0);
    let of = |given_name: &str, tax_code: Option<&str>, email: &str| {
        let mut order = desk.order(nine);
        order["applicant"] =
            json!({ "given_name": given_name, "family_name": "Prova", "tax_code": tax_code, "email": email });
        order
    };
    let book = |caller: &Client, order: Value| caller.post("/appointments", order).fresh_key();
    let anna = Some(mint::TAX_CODE_A);
    // Who a tax code belongs to is one person, whoever books for them and with whatever address. Who books for
    // themselves need not repeat it.
    let first = book(&citizen, of("Anna", None, "anna@example.org")).await.expect(201);
    book(&admin, of("Anna", anna, "altra@example.org")).await.expect(201);
    for (caller, order) in [
        (&citizen, of(" anna ", None, "terza@example.org")),
        (&citizen, of("Qualcuno", anna, "terza@example.org")),
        (&admin, of("Anna", anna, "terza@example.org")),
    ] {
        let answer = refused.told(&PERSON_LIMIT_REACHED, book(caller, order)).await;
        assert_eq!(answer.at("/limit"), 2, "{answer}");
    }
    // Somebody else is somebody else, and what nobody in particular says of her is nothing that she has done.
    book(&citizen, of("Nonna", None, "nonna@example.org")).await.expect(201);
    book(&visitor, of("Anna", anna, "anna@example.org")).await.expect(201);
    // What was called off does not count.
    let path = format!("/appointments/{}/cancellation", first.text_at("/id"));
    citizen.post(&path, json!({})).await.expect(200);
    book(&citizen, of("Anna", None, "anna@example.org")).await.expect(201);
    // Without a tax code the address is the person, in whichever case.
    for email in ["due.volte@example.org", "Due.Volte@example.org"] {
        book(&visitor, of("Dora", None, email)).await.expect(201);
        book(&admin, of("Dora", None, email)).await.expect(201);
    }
    for caller in [&visitor, &admin] {
        let call = book(caller, of("Dora", None, "DUE.VOLTE@EXAMPLE.ORG"));
        assert_eq!(refused.told(&PERSON_LIMIT_REACHED, call).await.at("/limit"), 2);
    }
    // Who may not have the time is told so, and not whether the person has had enough.
    let mut late = of("Anna", anna, "anna@example.org");
    late["starts_at"] = desk.order(desk.at(3, 9, 5))["starts_at"].clone();
    refused.told(&OUTSIDE_OPENING_HOURS, book(&citizen, late)).await;

    let citizen = server.client("citizen_b");
    let mut kept = Vec::new();
    for hour in [9, 10, 11] {
        kept.push(citizen.post("/holds", desk.wish(desk.at(4, hour, 0))).fresh_key().await.expect(201));
    }
    let fourth = || citizen.post("/holds", desk.wish(desk.at(4, 12, 0))).fresh_key();
    assert_eq!(refused.told(&PERSON_LIMIT_REACHED, fourth()).await.at("/limit"), 3);
    citizen.delete(&format!("/holds/{}", kept[0].text_at("/id"))).await.expect(204);
    fourth().await.expect(201);
}

async fn codes(server: &Server, world: &World, refused: &mut Refusals) {
    let desk = world.desk(Plan::default()).await;
    let visitor = server.anonymous();
    let booked = visitor.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    let other = visitor.post("/appointments", desk.order(desk.at(3, 10, 0))).fresh_key().await.expect(201);
    let known = server.client("citizen_a").post("/appointments", desk.order(desk.at(3, 11, 0))).fresh_key().await;
    let known = known.expect(201);
    assert!(known.body.get("manage_token").is_none(), "who has signed in needs none: {known}");
    let (code, token) = (booked.text_at("/code"), booked.text_at("/manage_token"));
    let foreign = other.text_at("/manage_token");
    let mut told = Vec::new();
    for (code, token) in [
        (code, foreign),
        (code, " "),
        (code, "x"),
        (other.text_at("/code"), token),
        (known.text_at("/code"), token),
        ("0000-0000", token),
        ("KK", token),
        ("no code at all", token),
        ("UUUU-UUUU", token),
    ] {
        let call = visitor.post("/appointment-lookups", json!({ "code": code, "manage_token": token }));
        told.push(without_instance(&refused.told(&CODE_TOKEN_MISMATCH, call).await));
    }
    let to = desk.order(desk.at(3, 12, 0))["starts_at"].clone();
    for id in [booked.text_at("/id"), known.text_at("/id"), NOBODY] {
        for (change, mut body) in [("cancellation", json!({})), ("rescheduling", json!({ "starts_at": to }))] {
            for token in [foreign, ""] {
                body["manage_token"] = token.into();
                let call = visitor.post(&format!("/appointments/{id}/{change}"), body.clone());
                told.push(without_instance(&refused.told(&CODE_TOKEN_MISMATCH, call).await));
            }
        }
    }
    // Neither what exists nor what was wrong can be told from the answer.
    assert!(told.iter().all(|body| body == &told[0]), "{told:#?}");
}

async fn a_hold_that_has_run_out_is_anybodys(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let nine = desk.at(3, 9, 0);
    let (anna, luca) = (server.client("citizen_a"), server.client("citizen_b"));
    let slots =
        format!("/calendars/{}/slots?date={}&service_id={}", desk.calendar.id, desk.day(3), desk.services[0].id);
    let free = async || {
        let slots = luca.get(&slots).await.expect(200);
        let nine = slots.items().iter().find(|slot| slot["starts_at"] == desk.wish(nine)["starts_at"]).cloned();
        nine.unwrap()["free"].clone()
    };

    let hold = anna.post("/holds", desk.wish(nine)).fresh_key().await.expect(201);
    let hold = hold.text_at("/id");
    assert_eq!(free().await, 0);
    luca.post("/appointments", desk.order(nine)).fresh_key().await.problem(409, "slot-taken");
    rows::expire_hold(&world, hold).await;
    // Nobody has tidied: its row is there and counts for nothing.
    assert_eq!(rows::count(&world, "holds").await, 1);
    assert_eq!(free().await, 1);
    anna.get(&format!("/holds/{hold}")).await.problem(404, "not-found");
    // Late, but nobody else has come: the hold is over all the same.
    let mut order = desk.order(nine);
    order["hold_id"] = hold.into();
    anna.post("/appointments", order.clone()).fresh_key().await.problem(409, "hold-expired");
    luca.post("/holds", desk.wish(nine)).fresh_key().await.expect(201);
    assert_eq!(free().await, 0);
    anna.post("/appointments", order.clone()).fresh_key().await.problem(409, "hold-expired");
    anna.post("/appointments", desk.order(nine)).fresh_key().await.problem(409, "slot-taken");
    // A hold run out releases nothing that is now somebody else's.
    anna.delete(&format!("/holds/{hold}")).await.problem(404, "not-found");
    assert_eq!(free().await, 0);
}

fn that_does_not_wait_long(backend: Backend) -> Server {
    Server::demo_with(backend, |setup| {
        setup.set("database.busy_timeout_ms", 250);
    })
}

async fn a_day_that_somebody_else_has_locked_is_busy(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let citizen = server.client("citizen_a");
    let (nine, ten) = (desk.at(3, 9, 0), desk.at(3, 10, 0));
    let order = desk.order(nine);
    let booked = citizen.post("/appointments", desk.order(ten)).fresh_key().await.expect(201);
    let path = format!("/appointments/{}", booked.text_at("/id"));
    let to = json!({ "starts_at": order["starts_at"] });
    let mut refused = Refusals::of(&world);

    let lock = Lock::on(&desk, nine).await;
    for call in [
        citizen.post("/appointments", order.clone()).key("busy"),
        citizen.post("/holds", desk.wish(nine)).fresh_key(),
        citizen.post(&format!("{path}/rescheduling"), to),
    ] {
        let answer = refused.told(&STORAGE_BUSY, call).await;
        assert_eq!(answer.header("retry-after"), Some("1"), "{answer}");
    }
    // Who only reads is not kept waiting.
    citizen.get(&path).await.expect(200);
    server.root().get("/health/ready").await.expect(200);
    lock.release().await;
    // The same key, once more, as the answer said: it was not used up.
    citizen.post("/appointments", order).key("busy").await.expect(201);
    refused.were(BUSY);
}
