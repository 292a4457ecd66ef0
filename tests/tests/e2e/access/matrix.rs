//! Callers by operations on an appointment, as a table.

use std::collections::BTreeMap;

use diesel::prelude::*;
use jiff::SignedDuration;
use platform::{
    access::{
        keys::{self, KeyKind, KeyScope, NewKey},
        staff::{self, StaffRole},
    },
    schema::staff_members,
};
use serde_json::{Value, json};
use storage::types::{At, Key};
use tests::{Answer, Client, Server, both_databases};

use crate::{
    mint,
    refusals::{NOBODY, without_instance},
    rows,
    world::{Desk, Plan, World},
};

both_databases!(who_may_do_what, a_move_to_another_office_takes_a_right_there_too);

/// What each caller is answered, for an appointment that citizen A has booked at the office.
///
/// What one may not know of is 404; what one may know of and not do is 403; a name that is not believed is 401,
/// for what is public too.
const TABLE: &[(&str, [u16; 6])] = &[
    // caller                      read  move  off   code  mine  book
    ("nobody in particular", /* */ [401, 401, 401, 200, 401, 201]),
    ("citizen A", /*            */ [200, 200, 200, 200, 200, 201]),
    ("citizen B", /*            */ [404, 404, 404, 200, 200, 201]),
    ("operator here", /*        */ [200, 200, 200, 200, 403, 201]),
    ("operator elsewhere", /*   */ [404, 404, 404, 200, 403, 403]),
    ("operator nowhere", /*     */ [404, 404, 404, 200, 403, 403]),
    ("manager here", /*         */ [200, 200, 200, 200, 403, 201]),
    ("manager elsewhere", /*    */ [404, 404, 404, 200, 403, 403]),
    ("URP", /*                  */ [200, 200, 200, 200, 403, 201]),
    ("admin", /*                */ [200, 200, 200, 200, 403, 201]),
    ("kiosk here", /*           */ [200, 403, 403, 200, 403, 403]),
    ("kiosk elsewhere", /*      */ [404, 404, 404, 200, 403, 403]),
    ("integration", /*          */ [200, 200, 200, 200, 403, 201]),
    ("reading integration", /*  */ [200, 403, 403, 200, 403, 403]),
    ("scopeless integration", /**/ [404, 404, 404, 200, 403, 403]),
    ("platform", /*             */ [404, 404, 404, 200, 403, 403]),
    ("rotated key", /*          */ [200, 200, 200, 200, 403, 201]),
    ("key in grace", /*         */ [200, 200, 200, 200, 403, 201]),
    ("key out of grace", /*     */ [401, 401, 401, 401, 401, 401]),
    ("revoked key", /*          */ [401, 401, 401, 401, 401, 401]),
    ("expired key", /*          */ [401, 401, 401, 401, 401, 401]),
    ("made-up secret", /*       */ [401, 401, 401, 401, 401, 401]),
    ("made-up key", /*          */ [401, 401, 401, 401, 401, 401]),
    ("expired token", /*        */ [401, 401, 401, 401, 401, 401]),
    ("future token", /*         */ [401, 401, 401, 401, 401, 401]),
    ("token for elsewhere", /*  */ [401, 401, 401, 401, 401, 401]),
    ("issuer unknown", /*       */ [401, 401, 401, 401, 401, 401]),
    ("no tax code", /*          */ [401, 401, 401, 401, 401, 401]),
    ("cut token", /*            */ [401, 401, 401, 401, 401, 401]),
    ("garbage", /*              */ [401, 401, 401, 401, 401, 401]),
    // Known to the identity provider and not, or no longer, to the Comune.
    ("staff never enrolled", /* */ [403, 403, 403, 403, 403, 403]),
    ("staff of the past", /*    */ [403, 403, 403, 403, 403, 403]),
];

async fn who_may_do_what(server: Server) {
    let world = World::of(&server).await;
    let here = world.desk(Plan { capacity: 100, ..Plan::default() }).await;
    let elsewhere = world.desk(Plan::default()).await;
    let anna = server.client("citizen_a");
    let (nine, ten) = (here.at(3, 9, 0), here.at(3, 10, 0));
    let to = json!({ "starts_at": here.order(ten)["starts_at"] });
    let booked = server.anonymous().post("/appointments", here.order(nine)).fresh_key().await.expect(201);
    let lookup = json!({ "code": booked.at("/code"), "manage_token": booked.at("/manage_token") });

    let callers = callers(&server, &here, &elsewhere).await;
    assert_eq!(
        callers.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        TABLE.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    );
    let mut wrong = Vec::new();
    for ((name, caller), (_, expected)) in callers.iter().zip(TABLE) {
        let theirs = anna.post("/appointments", here.order(nine)).fresh_key().await.expect(201);
        let path = format!("/appointments/{}", theirs.text_at("/id"));
        // `*` is whichever version there is: nobody is refused for the one they do not know.
        let change = |path: String, body: &Value| caller.post(&path, body.clone()).if_match("*");
        let answers = [
            caller.get(&path).await,
            change(format!("{path}/rescheduling"), &to).await,
            change(format!("{path}/cancellation"), &json!({})).await,
            caller.post("/appointment-lookups", lookup.clone()).await,
            caller.get("/me/appointments").await,
            caller.post("/appointments", here.order(nine)).fresh_key().await,
        ];
        let told = answers.each_ref().map(|answer| answer.status);
        if told != *expected {
            wrong.push(format!("{name}: {told:?}, not {expected:?}"));
            continue;
        }
        answers.iter().for_each(check_refusal);
        check_view(name, &answers[0]);
        check_list(name, &answers[4], &theirs);
        if expected[1] != 200 {
            let still = anna.get(&path).await.expect(200);
            assert_eq!(still.body, theirs.body, "{name} has changed it");
        }
        if expected[0] == 404 {
            looks_unknown(caller, &answers[..3], &to).await;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn check_refusal(answer: &Answer) {
    let slug = match answer.status {
        401 => "unauthenticated",
        403 => "forbidden",
        404 => "not-found",
        _ => return,
    };
    let answer = answer.clone().problem(answer.status, slug);
    assert_eq!(answer.header("www-authenticate").is_some(), answer.status == 401, "{answer}");
}

/// A device does without the person; who may do nothing is offered nothing.
fn check_view(name: &str, answer: &Answer) {
    if answer.status != 200 {
        return;
    }
    let (kiosk, changes) = (name.starts_with("kiosk"), !name.starts_with("kiosk") && !name.starts_with("reading"));
    assert_eq!(answer.at("/applicant").is_null(), kiosk, "{name}: {answer}");
    let rels: Vec<_> = answer.at("/links").as_array().unwrap().iter().map(|link| link["rel"].clone()).collect();
    assert_eq!(rels, if changes { vec!["rescheduling", "cancellation"] } else { vec![] }, "{name}: {answer}");
    for secret in ["manage_token", "manage_token_hash", "person_key", "owner"] {
        assert!(answer.body.get(secret).is_none(), "{name}: {answer}");
    }
}

fn check_list(name: &str, answer: &Answer, theirs: &Answer) {
    if answer.status == 200 {
        let listed = answer.items().iter().any(|item| item["id"] == *theirs.at("/id"));
        assert_eq!(listed, name == "citizen A", "{name}: {answer}");
    }
}

/// What is not theirs to know of is told in the very words of what is not there.
async fn looks_unknown(caller: &Client, told: &[Answer], to: &Value) {
    let path = format!("/appointments/{NOBODY}");
    let unknown = [
        caller.get(&path).await,
        caller.post(&format!("{path}/rescheduling"), to.clone()).if_match("*").await,
        caller.post(&format!("{path}/cancellation"), json!({})).if_match("*").await,
    ];
    for (told, unknown) in told.iter().zip(&unknown) {
        assert_eq!(told.status, unknown.status, "{told} / {unknown}");
        assert_eq!(without_instance(told), without_instance(unknown));
        let headers = |answer: &Answer| {
            let names = answer.headers.keys().filter(|name| *name != "date" && *name != "request-id");
            names.map(|name| (name.to_string(), answer.headers[name].clone())).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(headers(told), headers(unknown));
    }
}

/// The callers of the table, in its order.
async fn callers(server: &Server, here: &Desk, elsewhere: &Desk) -> Vec<(&'static str, Client)> {
    let (world, slug) = (&here.world, server.credentials().tenant.as_str());
    enrol(world, "here", StaffRole::Operator, &[here]).await;
    enrol(world, "elsewhere", StaffRole::Operator, &[elsewhere]).await;
    enrol(world, "nowhere", StaffRole::Operator, &[]).await;
    enrol(world, "boss-here", StaffRole::Manager, &[here]).await;
    enrol(world, "boss-elsewhere", StaffRole::Manager, &[elsewhere]).await;
    enrol(world, "gone", StaffRole::Admin, &[here]).await;
    dismiss(world, "gone").await;

    let all = KeyScope::ALL;
    let rotated = rows::key(world, KeyKind::Integration, None, all).await;
    let in_grace = rows::key(world, KeyKind::Integration, None, all).await;
    let out_of_grace = rows::key(world, KeyKind::Integration, None, all).await;
    let revoked = rows::key(world, KeyKind::Integration, None, all).await;
    let handle = handle_of(&revoked);
    assert!(world.write(move |tx| keys::revoke(tx, &handle)).await);
    let made_up = rows::key(world, KeyKind::Integration, None, all).await;
    let made_up_secret = if made_up.ends_with('A') { cut(&made_up, 1) + "B" } else { cut(&made_up, 1) + "A" };

    let (hour, two) = (SignedDuration::from_hours(1), SignedDuration::from_hours(2));
    let citizen_since = |since| mint::citizen_since(server, slug, mint::TAX_CODE_A, since);
    let whole = mint::citizen(server, slug, mint::TAX_CODE_A);
    let nobody = |issuer| mint::token(server, issuer, slug, "anna", serde_json::Map::new(), rows::now());
    let tokens = [
        ("operator here", mint::staff(server, slug, "here")),
        ("operator elsewhere", mint::staff(server, slug, "elsewhere")),
        ("operator nowhere", mint::staff(server, slug, "nowhere")),
        ("manager here", mint::staff(server, slug, "boss-here")),
        ("manager elsewhere", mint::staff(server, slug, "boss-elsewhere")),
        ("URP", server.credentials().tokens["urp_operator"].clone()),
        ("admin", server.credentials().tokens["admin"].clone()),
        ("kiosk here", rows::key(world, KeyKind::Device, Some(here.office.id), &[]).await),
        ("kiosk elsewhere", rows::key(world, KeyKind::Device, Some(elsewhere.office.id), &[]).await),
        ("integration", rows::key(world, KeyKind::Integration, None, all).await),
        ("reading integration", rows::key(world, KeyKind::Integration, None, &[KeyScope::AppointmentsRead]).await),
        ("scopeless integration", rows::key(world, KeyKind::Integration, None, &[]).await),
        ("platform", server.credentials().tokens["platform"].clone()),
        ("rotated key", rotate(world, &rotated, SignedDuration::ZERO).await),
        ("key in grace", {
            rotate(world, &in_grace, hour).await;
            in_grace
        }),
        ("key out of grace", {
            rotate(world, &out_of_grace, SignedDuration::ZERO).await;
            out_of_grace
        }),
        ("revoked key", revoked),
        ("expired key", expired_key(world).await),
        ("made-up secret", made_up_secret),
        ("made-up key", format!("spk_000000000000_{}", "A".repeat(43))),
        ("expired token", citizen_since(rows::now() - two)),
        ("future token", citizen_since(rows::now() + hour)),
        ("token for elsewhere", mint::citizen(server, "altrove", mint::TAX_CODE_A)),
        ("issuer unknown", nobody("https://demo.sportello.invalid/others")),
        ("no tax code", nobody(mint::CITIZENS)),
        ("cut token", cut(&whole, 2)),
        ("garbage", "eyJhbGciOiJub25lIn0.e30.".to_owned()),
        ("staff never enrolled", mint::staff(server, slug, "never")),
        ("staff of the past", mint::staff(server, slug, "gone")),
    ];
    let anonymous = server.anonymous();
    let mut callers = vec![
        ("nobody in particular", anonymous.clone()),
        ("citizen A", server.client("citizen_a")),
        ("citizen B", server.client("citizen_b")),
    ];
    callers.extend(tokens.map(|(name, token)| (name, anonymous.with_token(token))));
    callers
}

async fn enrol(world: &World, subject: &'static str, role: StaffRole, desks: &[&Desk]) {
    let offices: Vec<_> = desks.iter().map(|desk| desk.office.id).collect();
    world.write(move |tx| staff::insert(tx, mint::STAFF_PROVIDER, subject, "Di prova", role, &offices)).await;
}

async fn dismiss(world: &World, subject: &'static str) {
    world
        .write(move |tx| {
            use staff_members as s;
            let (tenant, now) = (Key(tx.tenant()), At(tx.now()));
            diesel::update(s::table.filter(s::tenant_id.eq(tenant)).filter(s::subject.eq(subject)))
                .set(s::disabled_at.eq(Some(now)))
                .execute(tx.conn())?;
            Ok(())
        })
        .await;
}

/// Without its last characters.
fn cut(text: &str, last: usize) -> String {
    text.chars().take(text.chars().count() - last).collect()
}

fn handle_of(key: &str) -> String {
    keys::split(key).expect("a key").0.to_owned()
}

/// Rotates a key: the new one.
async fn rotate(world: &World, key: &str, grace: SignedDuration) -> String {
    let handle = handle_of(key);
    world.write(move |tx| keys::rotate(tx, &handle, grace)).await.expect("the key is there")
}

async fn expired_key(world: &World) -> String {
    let expires_at = Some(rows::now() - SignedDuration::from_secs(1));
    let new = NewKey {
        kind: KeyKind::Integration,
        label: "a test's".to_owned(),
        office_id: None,
        scopes: KeyScope::ALL.to_vec(),
        expires_at,
    };
    world.write(move |tx| keys::issue(tx, &new)).await
}

async fn a_move_to_another_office_takes_a_right_there_too(server: Server) {
    let world = World::of(&server).await;
    let (here, there) = (world.desk(Plan::default()).await, world.desk(Plan::default()).await);
    let (service, calendar) = (here.services[0].id, there.calendar.id);
    world.write(move |tx| booking::services::store::link(tx, service, calendar)).await;
    enrol(&world, "here", StaffRole::Operator, &[&here]).await;
    enrol(&world, "there", StaffRole::Operator, &[&there]).await;
    enrol(&world, "both", StaffRole::Operator, &[&here, &there]).await;
    let slug = server.credentials().tenant.clone();
    let staff = |subject: &str| server.anonymous().with_token(mint::staff(&server, &slug, subject));
    let (anna, visitor) = (server.client("citizen_a"), server.anonymous());
    let to = |hour: i8| json!({ "starts_at": here.order(here.at(3, hour, 0))["starts_at"], "calendar_id": calendar });
    let path = |booked: &Answer| format!("/appointments/{}", booked.text_at("/id"));
    let moving = |booked: &Answer| format!("{}/rescheduling", path(booked));

    // An operator books at their own office only, and so moves nobody to another one.
    let booked = anna.post("/appointments", here.order(here.at(3, 9, 0))).fresh_key().await.expect(201);
    staff("here").post(&moving(&booked), to(9)).if_match("*").await.problem(403, "forbidden");
    let moved = staff("both").post(&moving(&booked), to(9)).if_match("*").await.expect(200);
    assert_eq!(moved.at("/office/id"), &json!(there.office.id));
    // It is the other office's now.
    staff("here").get(&path(&booked)).await.problem(404, "not-found");
    staff("there").get(&path(&booked)).await.expect(200);
    // Those whose it is choose for themselves, and so do the URP and other systems.
    let booked = anna.post("/appointments", here.order(here.at(3, 10, 0))).fresh_key().await.expect(201);
    anna.post(&moving(&booked), to(10)).await.expect(200);
    let booked = visitor.post("/appointments", here.order(here.at(3, 11, 0))).fresh_key().await.expect(201);
    let mut body = to(11);
    body["manage_token"] = booked.at("/manage_token").clone();
    visitor.post(&moving(&booked), body).await.expect(200);
    for (hour, role) in [(12, "urp_operator"), (13, "admin"), (14, "integration")] {
        let booked = anna.post("/appointments", here.order(here.at(3, hour, 0))).fresh_key().await.expect(201);
        server.client(role).post(&moving(&booked), to(hour)).if_match("*").await.expect(200);
    }
}
