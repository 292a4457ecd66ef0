//! Which names are believed, and what a reader is shown. What each kind of caller is told by each operation is the
//! matter of `contract::matrix`.

use diesel::prelude::*;
use jiff::SignedDuration;
use platform::{
    access::{
        keys::{self, KeyKind, KeyScope, NewKey},
        staff::{self, StaffRole},
    },
    schema::staff_members,
};
use serde_json::json;
use storage::types::{At, Key};
use tests::{Answer, Client, Server, both_databases};

use crate::{
    mint, rows,
    world::{Desk, Plan, World},
};

both_databases!(
    a_name_is_believed_while_it_is_good,
    a_view_shows_what_its_reader_may_know_and_do,
    a_move_to_another_office_takes_a_right_there_too,
);

/// What a name is told: by what everybody may read, and by what an operator of the office, or a system that may,
/// does with an appointment. A name that is not believed is 401, for what is public too.
const TABLE: &[(&str, [u16; 3])] = &[
    // name                        list  read  book
    ("operator of nothing", /*  */ [200, 404, 403]),
    ("rotated key", /*          */ [200, 200, 201]),
    ("key in grace", /*         */ [200, 200, 201]),
    ("key out of grace", /*     */ [401, 401, 401]),
    ("revoked key", /*          */ [401, 401, 401]),
    ("expired key", /*          */ [401, 401, 401]),
    ("made-up secret", /*       */ [401, 401, 401]),
    ("expired token", /*        */ [401, 401, 401]),
    ("future token", /*         */ [401, 401, 401]),
    ("issuer unknown", /*       */ [401, 401, 401]),
    ("no tax code", /*          */ [401, 401, 401]),
    ("cut token", /*            */ [401, 401, 401]),
    ("garbage", /*              */ [401, 401, 401]),
    // Known to the identity provider and not, or no longer, to the Comune.
    ("staff of the past", /*    */ [403, 403, 403]),
];

async fn a_name_is_believed_while_it_is_good(server: Server) {
    let world = World::of(&server).await;
    let here = world.desk(Plan { capacity: 100, ..Plan::default() }).await;
    let nine = here.at(3, 9, 0);
    let booked = server.client("citizen_a").post("/appointments", here.order(nine)).fresh_key().await.expect(201);
    let path = format!("/appointments/{}", booked.text_at("/id"));
    let names = names(&server, &here).await;
    assert_eq!(names.len(), TABLE.len());
    let mut wrong = Vec::new();
    for ((name, caller), (expected_name, expected)) in names.iter().zip(TABLE) {
        assert_eq!(name, expected_name);
        let answers = [
            caller.get("/offices").await,
            caller.get(&path).await,
            caller.post("/appointments", here.order(nine)).fresh_key().await,
        ];
        let told = answers.each_ref().map(|answer| answer.status);
        if told == *expected {
            answers.iter().for_each(check_refusal);
        } else {
            wrong.push(format!("{name}: {told:?}, not {expected:?}"));
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
async fn a_view_shows_what_its_reader_may_know_and_do(server: Server) {
    let world = World::of(&server).await;
    let here = world.desk(Plan::default()).await;
    let anna = server.client("citizen_a");
    let booked = anna.post("/appointments", here.order(here.at(3, 9, 0))).fresh_key().await.expect(201);
    let path = format!("/appointments/{}", booked.text_at("/id"));
    let key = async |kind, office, scopes: &[KeyScope]| {
        server.anonymous().with_token(rows::key(&world, kind, office, scopes).await)
    };
    let readers = [
        (anna.clone(), true, true),
        (server.client("urp_operator"), true, true),
        (key(KeyKind::Integration, None, KeyScope::ALL).await, true, true),
        (key(KeyKind::Integration, None, &[KeyScope::AppointmentsRead]).await, true, false),
        (key(KeyKind::Device, Some(here.office.id), &[]).await, false, false),
    ];
    for (reader, knows_the_person, changes) in readers {
        let answer = reader.get(&path).await.expect(200);
        assert_eq!(!answer.at("/applicant").is_null(), knows_the_person, "{answer}");
        let rels: Vec<_> = answer.at("/links").as_array().unwrap().iter().map(|link| link["rel"].clone()).collect();
        for rel in ["rescheduling", "cancellation", "update"] {
            assert_eq!(rels.contains(&json!(rel)), changes, "{answer}");
        }
        for secret in ["manage_token", "manage_token_hash", "person_key", "owner"] {
            assert!(answer.body.get(secret).is_none(), "{answer}");
        }
    }
}

/// The names of the table, in its order.
async fn names(server: &Server, here: &Desk) -> Vec<(&'static str, Client)> {
    let (world, slug) = (&here.world, server.credentials().tenant.as_str());
    enrol(world, "nowhere", StaffRole::Operator, &[]).await;
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
        ("operator of nothing", mint::staff(server, slug, "nowhere")),
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
        ("expired token", citizen_since(rows::now() - two)),
        ("future token", citizen_since(rows::now() + hour)),
        ("issuer unknown", nobody("https://demo.sportello.invalid/others")),
        ("no tax code", nobody(mint::CITIZENS)),
        ("cut token", cut(&whole, 2)),
        ("garbage", "eyJhbGciOiJub25lIn0.e30.".to_owned()),
        ("staff of the past", mint::staff(server, slug, "gone")),
    ];
    tokens.map(|(name, token)| (name, server.anonymous().with_token(token))).into()
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
