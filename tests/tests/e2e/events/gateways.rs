//! Two gateways on one PostgreSQL share the work.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use platform::access::keys::{KeyKind, KeyScope};
use serde_json::{Value, json};
use tests::{Backend, Server};

use super::{book, eventually, read_on, receiver::Receiver};
use crate::{
    rows,
    world::{Plan, World},
};

const COMUNE: &str = "coppia";

/// How many book at once, by halves at each gateway.
const BOOKINGS: usize = 120;

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_sent_first_by_one_of_them_alone() {
    let Some(receiver) = Receiver::start() else { return };
    if !Backend::Postgres.available() {
        return;
    }
    let first = Server::start(Backend::Postgres, |setup| {
        setup.set("events.webhook_concurrency", 16).set("database.busy_timeout_ms", 60_000);
    });
    let second = first.beside();
    let world = World::another(&first, COMUNE).await;
    let key = rows::key(&world, KeyKind::Integration, None, KeyScope::ALL).await;
    let admin = first.tenant(COMUNE).with_token(&key);
    rows::allow_private_hosts(&world, &["127.0.0.1"]).await;
    let new = json!({ "url": receiver.hook("pair"), "kinds": ["appointment.*"] });
    let made = eventually("the setting is heeded", async || {
        let answer = admin.post("/webhooks", new.clone()).fresh_key().attempt().await.unwrap();
        (answer.status == 201).then_some(answer)
    })
    .await;
    receiver.check("pair", &[made.text_at("/signing_key")]).await;
    let desk = world.desk(Plan { capacity: 200, ..Plan::default() }).await;
    let gateways = [first.tenant(COMUNE), second.tenant(COMUNE)];
    join_all((0..BOOKINGS).map(|n| book(&gateways[n % 2], &desk, desk.at(2, 10, 0)))).await;
    let seen = eventually("every event", async || {
        let seen = receiver.seen("pair").await;
        (seen.len() >= BOOKINGS).then_some(seen)
    })
    .await;
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for seen in &seen {
        assert_eq!(seen.good(), [true]);
        *times.entry(seen.id()).or_default() += 1;
    }
    assert_eq!(times.len(), BOOKINGS);
    assert!(times.values().all(|times| *times == 1), "sent more than once: {times:?}");
    // Both read the same, in the same order.
    let both = [first.tenant(COMUNE).with_token(&key), second.tenant(COMUNE).with_token(&key)];
    let (here, _) = read_on(&both[0], None, "*").await;
    let (there, _) = read_on(&both[1], None, "*").await;
    assert_eq!(here, there);
    let places: Vec<&Value> = here.iter().map(|event| &event["sequence"]).collect();
    let distinct: std::collections::BTreeSet<&str> = places.iter().map(|place| place.as_str().unwrap()).collect();
    assert_eq!(distinct.len(), here.len(), "two events at one place");
}
