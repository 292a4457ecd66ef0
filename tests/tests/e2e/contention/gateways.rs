//! Two gateways on one PostgreSQL: neither knows of the other, and the database decides.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::{Answer, Backend, Client, Server};

use super::{Booked, COMUNE, CROWD, ROUNDS, start};
use crate::{
    crowd::{Crowd, winners},
    world::{Plan, World},
};

/// The gateways, and a crowd of which every other one goes to the second.
async fn two(size: usize) -> Option<(Server, Server, World, Crowd)> {
    if !Backend::Postgres.available() {
        return None;
    }
    let first = start(Backend::Postgres);
    let second = first.beside();
    let world = World::another(&first, COMUNE).await;
    let base = |server: &Server| format!("{}/{COMUNE}/v1", server.base_url());
    let bases = [base(&first), base(&second)];
    let crowd = Crowd::connect((0..size).map(|number| Client::new(&bases[number % 2])).collect()).await;
    // The second one has no data of its own and is dropped before the first.
    Some((second, first, world, crowd))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_booked_once_per_counter() {
    let Some((_second, _first, world, crowd)) = two(CROWD).await else { return };
    for capacity in [100, 1] {
        let desk = world.desk(Plan { capacity, ..Plan::default() }).await;
        let expected = usize::try_from(capacity).unwrap();
        for round in 1..=ROUNDS {
            let (at, held) = (desk.at(round, 10, 0), desk.at(round, 11, 0));
            let answers = crowd.at_once(|_, client| client.post("/appointments", desk.order(at)).fresh_key()).await;
            let ledger = world.ledger().await;
            ledger.balances();
            let won = winners(&answers, 201, expected, &desk, at, &ledger);
            if capacity > 1 {
                assert!(won.iter().any(|n| n % 2 == 0) && won.iter().any(|n| n % 2 == 1), "one gateway served nobody");
            }
            assert_eq!(ledger.open_at(&desk, at).len(), expected);

            let answers = crowd.at_once(|_, client| client.post("/holds", desk.wish(held)).fresh_key()).await;
            let ledger = world.ledger().await;
            ledger.balances();
            winners(&answers, 201, expected, &desk, held, &ledger);
            assert_eq!(ledger.taken(&desk, held), capacity);
        }
    }
}

/// The same request at both gateways at the same moment, as a client does that lost patience with the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_one_appointment() {
    let Some((_second, _first, world, crowd)) = two(120).await else { return };
    let desk = world.desk(Plan { capacity: 100, ..Plan::default() }).await;
    for round in 1..=ROUNDS {
        let at = desk.at(round, 10, 0);
        // Callers 2n and 2n + 1 are the same person at different gateways.
        let orders: Vec<Value> = (0..crowd.len() / 2).map(|_| desk.order(at)).collect();
        let answers = crowd
            .at_once(|number, client| {
                client
                    .post("/appointments", orders[number / 2].clone())
                    .key(format!("twice-the-same-{round}-{}", number / 2))
            })
            .await;
        let ids = |answers: &[Answer]| -> BTreeSet<_> { answers.iter().map(|a| Booked::of(a).id).collect() };
        for pair in answers.chunks(2) {
            assert_eq!(ids(pair).len(), 1, "two appointments for one key");
        }
        let ledger = world.ledger().await;
        ledger.balances();
        assert_eq!(ids(&answers).len(), orders.len());
        assert_eq!(ledger.open_at(&desk, at).len(), orders.len());
    }
}
