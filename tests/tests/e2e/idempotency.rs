//! One effect per key, however often somebody has to ask.

use std::collections::BTreeMap;

use diesel::{prelude::*, sql_query};
use futures_util::future::{join_all, select};
use jiff::SignedDuration;
use platform::schema::idempotency_records;
use reqwest::header::HeaderMap;
use serde_json::json;
use storage::types::{At, Key};
use tests::{Answer, Backend, Server, both_databases};

use crate::{
    mint,
    rows::{self, Lock, written},
    world::{Plan, World},
};

both_databases!(
    the_same_again_is_answered_the_same,
    a_key_is_its_callers_and_its_paths,
    at_once_is_once,
    a_refusal_is_not_kept,
    answers_outlive_the_process,
    a_day_later_it_is_a_new_request,
    what_is_kept_tells_nothing,
    a_broken_off_request_can_be_asked_again,
);

/// What a client may go by, without what is each answer's own.
fn essence(answer: &Answer) -> (u16, &str, BTreeMap<String, String>) {
    // What each answer has of its own: also where its caller stands with the limits.
    let own =
        ["date", "request-id", "idempotency-replayed", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
    let kept = |headers: &HeaderMap| {
        let text = |name: &reqwest::header::HeaderName| (name.to_string(), headers[name].to_str().unwrap().to_owned());
        headers.keys().filter(|name| !own.contains(&name.as_str())).map(text).collect()
    };
    (answer.status, &answer.text, kept(&answer.headers))
}

#[track_caller]
fn assert_replayed(again: &Answer, first: &Answer) {
    assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
    assert_eq!(first.header("idempotency-replayed"), None, "{first}");
    assert_eq!(essence(again), essence(first));
}

async fn the_same_again_is_answered_the_same(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (visitor, anna) = (server.anonymous(), server.client("citizen_a"));
    for (caller, hour) in
        [(&visitor, 9), (&anna, 10), (&server.client("admin"), 11), (&server.client("integration"), 12)]
    {
        for (path, body) in
            [("/holds", desk.wish(desk.at(3, hour, 0))), ("/appointments", desk.order(desk.at(3, hour, 30)))]
        {
            let first = caller.post(path, body.clone()).key("the-same-once-more").await.expect(201);
            let before = written(&world).await;
            for _ in 0..3 {
                assert_replayed(&caller.post(path, body.clone()).key("the-same-once-more").await, &first);
            }
            // Also in another language: what was said is said again.
            let call = caller.post(path, body.clone()).key("the-same-once-more").header("Accept-Language", "de");
            assert_eq!(call.await.text, first.text);
            let mut other = body.clone();
            other["persons"] = json!(1);
            caller.post(path, other).key("the-same-once-more").await.problem(422, "idempotency-key-reused");
            assert_eq!(written(&world).await, before);
            // The manage token is handed out again to whoever lost the first answer.
            let shown = first.body.get("manage_token").is_some();
            assert_eq!(shown, path == "/appointments" && hour == 9, "{first}");
        }
    }
    // A hold that was answered again is still one hold, and can be used once.
    let held = anna.post("/holds", desk.wish(desk.at(4, 9, 0))).key("kept-for-a-while").await.expect(201);
    assert_replayed(&anna.post("/holds", desk.wish(desk.at(4, 9, 0))).key("kept-for-a-while").await, &held);
    let mut order = desk.order(desk.at(4, 9, 0));
    order["hold_id"] = held.at("/id").clone();
    let used = anna.post("/appointments", order.clone()).key("used-for-a-booking").await.expect(201);
    assert_replayed(&anna.post("/appointments", order).key("used-for-a-booking").await, &used);

    // Changes take a key where the client has one.
    let path = |change: &str| format!("/appointments/{}/{change}", used.text_at("/id"));
    let to = json!({ "starts_at": desk.order(desk.at(4, 10, 0))["starts_at"] });
    let moved = anna.post(&path("rescheduling"), to.clone()).key("moved-to-another-time").await.expect(200);
    assert_replayed(&anna.post(&path("rescheduling"), to.clone()).key("moved-to-another-time").await, &moved);
    let off = anna.post(&path("cancellation"), json!({})).key("called-off-for-good").await.expect(200);
    assert_replayed(&anna.post(&path("cancellation"), json!({})).key("called-off-for-good").await, &off);
    // It was called off since, and the answer of then is the answer of then.
    assert_replayed(&anna.post(&path("rescheduling"), to).key("moved-to-another-time").await, &moved);
    let again = json!({ "reason": "another" });
    anna.post(&path("cancellation"), again).key("called-off-for-good").await.problem(422, "idempotency-key-reused");
}

async fn a_key_is_its_callers_and_its_paths(server: Server) {
    let world = World::of(&server).await;
    let other = World::another(&server, "altrove").await;
    let desk = world.desk(Plan { capacity: 20, ..Plan::default() }).await;
    let there = other.desk(Plan::default()).await;
    let order = desk.order(desk.at(3, 9, 0));
    let mut ids = Vec::new();
    for role in ["citizen_a", "citizen_b", "urp_operator", "admin", "integration"] {
        let booked =
            server.client(role).post("/appointments", order.clone()).key("shared-by-everybody").await.expect(201);
        assert_eq!(booked.header("idempotency-replayed"), None, "{role}: {booked}");
        ids.push(booked.text_at("/id").to_owned());
    }
    let booked = server.anonymous().post("/appointments", order.clone()).key("shared-by-everybody").await.expect(201);
    ids.push(booked.text_at("/id").to_owned());
    // One person with two tokens is one caller.
    let same = server.anonymous().with_token(mint::citizen(&server, &server.credentials().tenant, mint::TAX_CODE_A));
    let again = same.post("/appointments", order.clone()).key("shared-by-everybody").await.expect(201);
    assert_eq!(again.text_at("/id"), ids[0]);
    // Another path, another Comune: another request.
    let anna = server.client("citizen_a");
    ids.push(
        anna.post("/holds", desk.wish(desk.at(3, 9, 0)))
            .key("shared-by-everybody")
            .await
            .expect(201)
            .text_at("/id")
            .to_owned(),
    );
    for id in &ids[..2] {
        let caller = if *id == ids[0] { "citizen_a" } else { "citizen_b" };
        let off = server
            .client(caller)
            .post(&format!("/appointments/{id}/cancellation"), json!({}))
            .key("shared-by-everybody");
        assert_eq!(off.await.expect(200).header("idempotency-replayed"), None);
    }
    let away =
        server.tenant("altrove").post("/appointments", there.order(there.at(3, 9, 0))).key("shared-by-everybody");
    ids.push(away.await.expect(201).text_at("/id").to_owned());
    // Keys are told apart to the letter.
    let booked = anna.post("/appointments", order).key("Shared-by-everybody").await.expect(201);
    ids.push(booked.text_at("/id").to_owned());
    let made = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), made);
}

async fn at_once_is_once(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan { capacity: 40, ..Plan::default() }).await;
    let visitor = server.anonymous();
    for (path, table, body) in [
        ("/appointments", "appointments", desk.order(desk.at(3, 9, 0))),
        ("/holds", "holds", desk.wish(desk.at(3, 9, 0))),
    ] {
        for round in 0..5 {
            let before = rows::count(&world, table).await;
            let calls =
                (0..20).map(|_| visitor.post(path, body.clone()).key(format!("twenty-at-once-{round}")).into_future());
            let answers = join_all(calls).await;
            assert_eq!(rows::count(&world, table).await, before + 1, "{path}");
            let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
            let first: Vec<_> = made.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).collect();
            assert_eq!(first.len(), 1, "{path}: {made:?}");
            for answer in &answers {
                if answer.status == 201 {
                    assert_eq!(answer.text, first[0].text);
                } else {
                    let told = answer.clone().problem(409, "idempotency-in-progress");
                    assert_eq!(told.header("retry-after"), Some("1"), "{told}");
                }
            }
            assert_replayed(&visitor.post(path, body.clone()).key(format!("twenty-at-once-{round}")).await, first[0]);
        }
    }
}

async fn a_refusal_is_not_kept(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let (anna, luca) = (server.client("citizen_a"), server.client("citizen_b"));
    let nine = desk.at(3, 9, 0);
    let theirs = luca.post("/appointments", desk.order(nine)).fresh_key().await.expect(201);
    let (order, wish) = (desk.order(nine), desk.wish(nine));
    let records = rows::count(&world, "idempotency_records").await;
    for _ in 0..2 {
        anna.post("/appointments", order.clone()).key("asked-with-patience").await.problem(409, "slot-taken");
        anna.post("/holds", wish.clone()).key("asked-with-patience").await.problem(409, "slot-taken");
    }
    // A refused key is not even bound to its body.
    anna.post("/appointments", desk.order(nine)).key("asked-with-patience").await.problem(409, "slot-taken");
    assert_eq!(rows::count(&world, "idempotency_records").await, records);
    let path = format!("/appointments/{}/cancellation", theirs.text_at("/id"));
    luca.post(&path, json!({})).await.expect(200);
    let held = anna.post("/holds", wish).key("asked-with-patience").await.expect(201);
    anna.delete(&format!("/holds/{}", held.text_at("/id"))).await.expect(204);
    let booked = anna.post("/appointments", order.clone()).key("asked-with-patience").await.expect(201);
    assert_replayed(&anna.post("/appointments", order).key("asked-with-patience").await, &booked);
}

async fn answers_outlive_the_process(mut server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let bodies = [("/appointments", desk.order(desk.at(3, 9, 0))), ("/holds", desk.wish(desk.at(3, 10, 0)))];
    let mut first = Vec::new();
    for (path, body) in &bodies {
        first.push(server.anonymous().post(path, body.clone()).key("a-long-lived-request").await.expect(201));
    }
    // However it ended.
    for killed in [false, true] {
        if killed {
            server.kill_9();
        }
        server.restart();
        let before = written(&world).await;
        for ((path, body), first) in bodies.iter().zip(&first) {
            assert_replayed(&server.anonymous().post(path, body.clone()).key("a-long-lived-request").await, first);
        }
        assert_eq!(written(&world).await, before);
    }
}

async fn a_day_later_it_is_a_new_request(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan { capacity: 2, ..Plan::default() }).await;
    let anna = server.client("citizen_a");
    let order = desk.order(desk.at(3, 9, 0));
    let first = anna.post("/appointments", order.clone()).key("asked-every-day-once").await.expect(201);
    let age = |hours: i64| {
        world.write(move |tx| {
            let then = tx.now() - SignedDuration::from_hours(hours);
            let mine = idempotency_records::table.filter(idempotency_records::tenant_id.eq(Key(tx.tenant())));
            diesel::update(mine).set(idempotency_records::created_at.eq(At(then))).execute(tx.conn())?;
            Ok(())
        })
    };
    age(23).await;
    assert_replayed(&anna.post("/appointments", order.clone()).key("asked-every-day-once").await, &first);
    age(25).await;
    let second = anna.post("/appointments", order.clone()).key("asked-every-day-once").await.expect(201);
    assert_ne!(second.text_at("/id"), first.text_at("/id"));
    assert_replayed(&anna.post("/appointments", order).key("asked-every-day-once").await, &second);
}

/// Two gateways share a database on PostgreSQL: the second one finds the first one's work in progress there.
#[tokio::test(flavor = "multi_thread")]
async fn at_two_gateways_is_once() {
    if !Backend::Postgres.available() {
        return;
    }
    let server = Server::start(Backend::Postgres, |_| ());
    let other = server.beside();
    let world = World::another(&server, "bugliano").await;
    let desk = world.desk(Plan { capacity: 40, ..Plan::default() }).await;
    let gateways = [server.tenant("bugliano"), other.tenant("bugliano")];
    for round in 0..10 {
        let order = desk.order(desk.at(3, 9, 0));
        let key = format!("at-two-gateways-{round}");
        let ask = |n: usize| gateways[n % 2].post("/appointments", order.clone()).key(&key).into_future();
        let answers = join_all((0..8).map(ask)).await;
        assert_eq!(rows::count(&world, "appointments").await, round + 1);
        let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert_eq!(made.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count(), 1, "{made:?}");
        assert!(made.iter().all(|answer| answer.text == made[0].text), "{made:?}");
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            let told = answer.clone().problem(409, "idempotency-in-progress");
            assert_eq!(told.header("retry-after"), Some("1"), "{told}");
        }
        // Whichever is asked afterwards knows the answer.
        for n in 0..2 {
            assert_eq!(ask(n).await.expect(201).text, made[0].text);
        }
    }
}

#[derive(QueryableByName)]
struct Record {
    #[diesel(sql_type = diesel::sql_types::Text)]
    whole: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    sealed: String,
}

async fn what_is_kept_tells_nothing(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let visitor = server.anonymous();
    let key = "the-key-of-this-very-request";
    let booked = visitor.post("/appointments", desk.order(desk.at(3, 9, 0))).key(key).await.expect(201);
    let held = visitor.post("/holds", desk.wish(desk.at(3, 10, 0))).key(key).await.expect(201);
    let kept: Vec<Record> = world
        .read(|tx| {
            let ask = "SELECT fingerprint || ' ' || request_hash || ' ' || sealed AS whole, sealed \
                       FROM idempotency_records WHERE tenant_id = $1";
            Ok(sql_query(ask).bind::<storage::types::Uid, _>(Key(tx.tenant())).load(tx.conn())?)
        })
        .await;
    assert_eq!(kept.len(), 2);
    let applicant = booked.at("/applicant");
    let secrets = [
        key,
        booked.text_at("/code"),
        booked.text_at("/manage_token"),
        booked.text_at("/id"),
        held.text_at("/id"),
        applicant["email"].as_str().unwrap(),
        applicant["family_name"].as_str().unwrap(),
        "manage_token",
        "applicant",
        "/appointments",
    ];
    for Record { whole, sealed } in &kept {
        let opened = String::from_utf8_lossy(&unpack(sealed)).into_owned();
        for secret in secrets {
            assert!(!whole.contains(secret) && !opened.contains(secret), "{secret} is in {whole}");
        }
        // Base64 of what could be read would show up as runs of letters.
        let readable = opened.chars().filter(char::is_ascii_graphic).count();
        assert!(readable * 10 < opened.chars().count() * 6, "{opened}");
    }
    // The same answer, kept twice, does not look the same.
    assert_ne!(kept[0].sealed, kept[1].sealed);
}

/// Reads base64 without padding.
fn unpack(text: &str) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes() {
        let value = LETTERS.iter().position(|known| *known == letter).expect("a letter of base64");
        bits = bits << 6 | u32::try_from(value).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.extend((bits >> held).to_be_bytes().last());
            bits &= (1 << held) - 1;
        }
    }
    bytes
}

/// A client that hangs up while it waits has used nothing up, whether or not its request was still served.
async fn a_broken_off_request_can_be_asked_again(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let anna = server.client("citizen_a");
    let nine = desk.at(3, 9, 0);
    let order = desk.order(nine);
    let ask = || anna.post("/appointments", order.clone()).key("hung-up-meanwhile").into_future();
    let before = rows::count(&world, "appointments").await;
    let lock = Lock::on(&desk, nine).await;
    // The one that is told that another is running is not the one that runs.
    let (told, running) = select(tokio::spawn(ask()), tokio::spawn(ask())).await.factor_first();
    told.unwrap().problem(409, "idempotency-in-progress");
    running.into_inner().abort();
    lock.release().await;
    let booked = loop {
        let answer = ask().await;
        if answer.status == 201 {
            break answer;
        }
        answer.problem(409, "idempotency-in-progress");
    };
    assert_eq!(rows::count(&world, "appointments").await, before + 1);
    assert_replayed(&ask().await, &Answer { headers: without_replayed(&booked), ..booked });
}

/// Whether the answer is the first one or a repetition depends on when the server noticed the hanging up.
fn without_replayed(answer: &Answer) -> HeaderMap {
    let mut headers = answer.headers.clone();
    headers.remove("idempotency-replayed");
    headers
}
