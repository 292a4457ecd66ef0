//! The power fails in the middle of five hundred bookings: what was answered is told.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::join_all;
use platform::access::keys::{KeyKind, KeyScope};
use serde_json::{Value, json};
use tests::{Backend, Client, Server, both_databases};

use super::{eventually, read_on, receiver::Receiver, subject};
use crate::{
    rows,
    world::{Plan, World},
};

both_databases!(durable => no_event_of_what_was_answered_is_lost);

const COMUNE: &str = "lampo";
const BOOKINGS: usize = 500;
const CALLERS: usize = 50;
/// With so many answers the server is killed.
const KILLED_AT: [usize; 2] = [150, 300];

fn durable(backend: Backend) -> Server {
    Server::start(backend, |setup| {
        setup.set("database.busy_timeout_ms", 60_000).set("events.webhook_concurrency", 16);
        // What was under way when the server was killed is taken over once its lease has run out.
        setup.set("events.webhook_timeout_seconds", 3).durable();
    })
}

async fn no_event_of_what_was_answered_is_lost(mut server: Server) {
    let Some(receiver) = Receiver::start() else { return };
    let (key, orders) = {
        let world = World::another(&server, COMUNE).await;
        let key = rows::key(&world, KeyKind::Integration, None, KeyScope::ALL).await;
        rows::allow_private_hosts(&world, &["127.0.0.1"]).await;
        let desk = world.desk(Plan { capacity: 25, ..Plan::default() }).await;
        let quarter = |n: usize| i8::try_from(n % 20).unwrap();
        let orders = (0..BOOKINGS).map(|n| desk.order(desk.at(1, 9 + quarter(n) / 4, quarter(n) % 4 * 15)));
        (key, Arc::new(orders.collect::<Vec<Value>>()))
    };
    let admin = server.tenant(COMUNE).with_token(&key);
    let new = json!({ "url": receiver.hook("storm"), "kinds": ["appointment.*"] });
    let made = eventually("the setting is heeded", async || {
        let answer = admin.post("/webhooks", new.clone()).fresh_key().attempt().await.unwrap();
        (answer.status == 201).then_some(answer)
    })
    .await;
    receiver.check("storm", &[made.text_at("/signing_key")]).await;
    let mut answered: BTreeSet<String> = BTreeSet::new();
    let mut begun = 0;
    for kill_at in KILLED_AT {
        let (mut killed, new) = book_from(server, &orders, begun, answered.len(), kill_at).await;
        begun = kill_at + CALLERS;
        answered.extend(new);
        killed.restart();
        server = killed;
    }
    assert!(answered.len() >= KILLED_AT[1], "{} answers", answered.len());
    let all: BTreeSet<String> = answered.iter().map(|id| subject(id)).collect();
    let missing = |told: BTreeSet<String>| all.difference(&told).count();
    eventually("everything was delivered", async || {
        let seen = receiver.seen("storm").await;
        let told = seen.iter().map(|seen| seen.event()["subject"].as_str().unwrap().to_owned()).collect();
        (missing(told) == 0).then_some(())
    })
    .await;
    assert!(receiver.seen("storm").await.iter().all(|seen| seen.good() == [true]));
    let (events, _) = read_on(&server.tenant(COMUNE).with_token(&key), None, "appointment.confirmed").await;
    assert_eq!(missing(events.iter().map(|event| event["subject"].as_str().unwrap().to_owned()).collect()), 0);
}

/// Callers book one after the other from order `begun` on; who gets the answer that makes it `kill_at` kills the
/// server. The ids of what was answered.
async fn book_from(
    server: Server,
    orders: &Arc<Vec<Value>>,
    begun: usize,
    already: usize,
    kill_at: usize,
) -> (Server, Vec<String>) {
    let client = Client::new(format!("{}/{COMUNE}/v1", server.base_url()));
    let server = Arc::new(Mutex::new(server));
    let (count, next) = (Arc::new(AtomicUsize::new(already)), Arc::new(AtomicUsize::new(begun)));
    let calls = (0..CALLERS).map(|_| {
        let (client, orders) = (client.clone(), Arc::clone(orders));
        let (server, count, next) = (Arc::clone(&server), Arc::clone(&count), Arc::clone(&next));
        tokio::spawn(async move {
            let mut answered = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(order) = orders.get(number) else { break };
                let call = client.post("/appointments", order.clone()).key(format!("storm-number-{number:04}"));
                let Ok(answer) = call.attempt().await else { break };
                answered.push(answer.expect(201).text_at("/id").to_owned());
                if count.fetch_add(1, Ordering::Relaxed) + 1 == kill_at {
                    server.lock().unwrap().kill_9();
                }
            }
            answered
        })
    });
    let answered = join_all(calls.collect::<Vec<_>>()).await.into_iter().flat_map(Result::unwrap).collect();
    let server = Arc::into_inner(server).expect("all callers have ended").into_inner().unwrap();
    (server, answered)
}
