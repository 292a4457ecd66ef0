//! The power fails in the middle of five hundred bookings.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::{Answer, Backend, Client, Server, both_databases};

use crate::{
    ledger::Ledger,
    world::{Plan, World},
};

both_databases!(durable => what_was_answered_is_kept_and_nothing_is_half_there);

/// What is booked, by so many callers at once.
const BOOKINGS: usize = 500;
const CALLERS: usize = 100;
/// With so many answers the server is killed. A caller has one more under way, so it is never too late.
const KILLED_AT: [usize; 3] = [100, 220, 340];
const COMUNE: &str = "buio";
/// Exactly enough room for everybody.
const TIMES: usize = 20;
const CAPACITY: usize = BOOKINGS / TIMES;

fn durable(backend: Backend) -> Server {
    Server::start(backend, |setup| {
        setup.set("database.busy_timeout_ms", 60_000).durable();
    })
}

async fn what_was_answered_is_kept_and_nothing_is_half_there(mut server: Server) {
    let orders = Arc::new(orders(&server).await);
    let callers: Vec<_> = (0..CALLERS).map(|_| Client::new("")).collect();
    let mut answered = BTreeMap::new();
    for kill_at in KILLED_AT {
        let (mut killed, new) = book_all(server, &callers, &orders, &answered, Some(kill_at)).await;
        answered.extend(new);
        killed.restart();
        server = killed;
        let ledger = books(&server).await;
        assert!((kill_at..kill_at + CALLERS).contains(&answered.len()), "{} answers", answered.len());
        everyone_finds_theirs(&server, &callers, &answered, &ledger).await;
    }
    // Everybody asks once more, also who was answered.
    let (server, again) = book_all(server, &callers, &orders, &BTreeMap::new(), None).await;
    for (number, before) in &answered {
        assert_eq!(again[number].body, before.body);
        assert_eq!(again[number].header("idempotency-replayed"), Some("true"));
    }
    let ledger = books(&server).await;
    assert_eq!((again.len(), ledger.appointments.len()), (BOOKINGS, BOOKINGS));
    let ids: BTreeSet<_> = again.values().map(|answer| answer.text_at("/id")).collect();
    assert_eq!(ids.len(), BOOKINGS, "two bookings have become the same appointment");
    everyone_finds_theirs(&server, &callers, &again, &ledger).await;
}

/// All callers make their bookings, one after the other, leaving out those in `done`; the one who gets the
/// answer that makes it `kill_at` kills the server. What was answered.
async fn book_all(
    server: Server,
    callers: &[Client],
    orders: &Arc<Vec<Value>>,
    done: &BTreeMap<usize, Answer>,
    kill_at: Option<usize>,
) -> (Server, BTreeMap<usize, Answer>) {
    let base = base(&server);
    let server = Arc::new(Mutex::new(server));
    let count = Arc::new(AtomicUsize::new(done.len()));
    let calls = callers.iter().enumerate().map(|(caller, client)| {
        let (client, orders) = (client.at(&base), Arc::clone(orders));
        let (server, count) = (Arc::clone(&server), Arc::clone(&count));
        let mine: Vec<_> = (caller..BOOKINGS).step_by(CALLERS).filter(|number| !done.contains_key(number)).collect();
        tokio::spawn(async move {
            let mut answered = Vec::new();
            for number in mine {
                let call =
                    client.post("/appointments", orders[number].clone()).key(format!("booking-number-{number:04}"));
                let Ok(answer) = call.attempt().await else { break };
                answered.push((number, answer.expect(201)));
                if Some(count.fetch_add(1, Ordering::Relaxed) + 1) == kill_at {
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

/// What each caller asks for, again and again.
async fn orders(server: &Server) -> Vec<Value> {
    // A connection of the test's own would keep a SQLite file from being recovered as after a crash, so
    // it is closed with everything that holds it.
    let world = World::another(server, COMUNE).await;
    let desk = world.desk(Plan { capacity: CAPACITY.try_into().unwrap(), ..Plan::default() }).await;
    let quarter = |n: usize| i8::try_from(n % TIMES).unwrap();
    (0..BOOKINGS).map(|n| desk.order(desk.at(1, 9 + quarter(n) / 4, quarter(n) % 4 * 15))).collect()
}

async fn books(server: &Server) -> Ledger {
    let ledger = World::named(server, COMUNE).await.ledger().await;
    ledger.balances();
    ledger
}

/// Whoever was answered finds the appointment by code and manage token, as it was answered.
async fn everyone_finds_theirs(
    server: &Server,
    callers: &[Client],
    answered: &BTreeMap<usize, Answer>,
    ledger: &Ledger,
) {
    let lookups = answered.iter().map(|(number, booked)| {
        let client = callers[*number % CALLERS].at(base(server));
        let ticket = json!({ "code": booked.at("/code"), "manage_token": booked.at("/manage_token") });
        async move { (booked, client.post("/appointment-lookups", ticket).await.expect(200)) }
    });
    for (booked, found) in join_all(lookups).await {
        for member in ["/id", "/code", "/state", "/starts_at", "/ends_at", "/applicant", "/version"] {
            assert_eq!(booked.at(member), found.at(member), "{member}");
        }
        ledger.appointment(booked.text_at("/id"));
    }
}

fn base(server: &Server) -> String {
    format!("{}/{COMUNE}/v1", server.base_url())
}
