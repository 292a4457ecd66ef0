//! Many want the same time: as many get it as there are counters, and everybody is told the truth.

mod clicks;
mod expiry;
mod gateways;
mod mix;

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan, civil::time};
use kernel::civil;
use serde_json::json;
use tests::{Answer, Backend, Server, both_databases};

use crate::{
    crowd::{Crowd, winners},
    world::{Offer, Plan, World},
};

both_databases!(start =>
    a_time_is_booked_once_per_counter,
    a_time_is_held_once_per_counter,
    a_time_is_moved_to_once_per_counter,
    visits_that_overlap_share_the_counters,
    a_time_given_back_is_booked_once,
    a_time_is_booked_once_while_it_is_given_back,
);

/// Callers at once.
const CROWD: usize = 300;
/// Callers at once where fewer show as much.
const GROUP: usize = 100;
/// Times fought over, one after the other.
const ROUNDS: i64 = 2;
/// The Comune of these tests.
const COMUNE: &str = "folla";

/// A server whose patience does not depend on how busy the machine is: what is at stake is who wins.
fn start(backend: Backend) -> Server {
    Server::start(backend, |setup| {
        setup.set("database.busy_timeout_ms", 60_000);
    })
}

/// An appointment booked without signing in.
#[derive(Debug, Clone)]
struct Booked {
    id: String,
    token: String,
    at: Timestamp,
}

impl Booked {
    fn of(answer: &Answer) -> Self {
        let answer = answer.clone().expect(201);
        let at = civil::parse_instant(answer.text_at("/starts_at")).unwrap();
        Self { id: answer.text_at("/id").to_owned(), token: answer.text_at("/manage_token").to_owned(), at }
    }

    fn path(&self, action: &str) -> String {
        format!("/appointments/{}/{action}", self.id)
    }

    /// The body of a rescheduling.
    fn to(&self, at: Timestamp) -> serde_json::Value {
        json!({ "starts_at": civil::format_rfc3339(at), "manage_token": self.token })
    }

    /// The body of a cancellation.
    fn off(&self) -> serde_json::Value {
        json!({ "manage_token": self.token })
    }
}

async fn a_time_is_booked_once_per_counter(server: Server) {
    let world = World::another(&server, COMUNE).await;
    let crowd = Crowd::gather(&server, COMUNE, CROWD).await;
    for capacity in [100, 1] {
        let desk = world.desk(Plan { capacity, ..Plan::default() }).await;
        for round in 1..=ROUNDS {
            let at = desk.at(round, 10, 0);
            let answers = crowd.at_once(|_, client| client.post("/appointments", desk.order(at)).fresh_key()).await;
            let ledger = world.ledger().await;
            ledger.balances();
            let expected = usize::try_from(capacity).unwrap();
            let won = winners(&answers, 201, expected, &desk, at, &ledger);
            let ids: BTreeSet<_> = won.iter().map(|number| answers[*number].text_at("/id").to_owned()).collect();
            let stored: BTreeSet<_> = ledger.open_at(&desk, at).iter().map(|a| a.id.to_string()).collect();
            assert_eq!(ids, stored);
            assert_eq!(ledger.taken(&desk, at), capacity);
        }
    }
}

async fn a_time_is_held_once_per_counter(server: Server) {
    let world = World::another(&server, COMUNE).await;
    let crowd = Crowd::gather(&server, COMUNE, CROWD).await;
    for capacity in [100, 1] {
        let desk = world.desk(Plan { capacity, ..Plan::default() }).await;
        for round in 1..=ROUNDS {
            let at = desk.at(round, 10, 0);
            let answers = crowd.at_once(|_, client| client.post("/holds", desk.wish(at)).fresh_key()).await;
            let ledger = world.ledger().await;
            ledger.balances();
            let expected = usize::try_from(capacity).unwrap();
            let won = winners(&answers, 201, expected, &desk, at, &ledger);
            assert_eq!(ledger.taken(&desk, at), capacity);

            // Whoever holds it books it, and nobody else does.
            let order = |number| {
                let mut order = desk.order(at);
                if won.contains(&number) {
                    order["hold_id"] = answers[number].at("/id").clone();
                }
                order
            };
            let answers = crowd.at_once(|number, client| client.post("/appointments", order(number)).fresh_key()).await;
            let ledger = world.ledger().await;
            ledger.balances();
            assert_eq!(winners(&answers, 201, expected, &desk, at, &ledger), won);
            assert_eq!(ledger.open_at(&desk, at).len(), expected);
        }
    }
}

async fn a_time_is_moved_to_once_per_counter(server: Server) {
    let world = World::another(&server, COMUNE).await;
    let crowd = Crowd::gather(&server, COMUNE, CROWD).await;
    for (capacity, per_day) in [(100, 3), (1, 40)] {
        let desk = world.desk(Plan { capacity, ..Plan::default() }).await;
        // As many times as it takes for everybody to have one.
        let own = |number: usize| {
            let turn = i64::try_from(number).unwrap() / capacity;
            desk.at(10 + turn / per_day, 8, 0) + ((turn % per_day) * 15).minutes()
        };
        let answers =
            crowd.at_once(|number, client| client.post("/appointments", desk.order(own(number))).fresh_key()).await;
        let mut booked: Vec<_> = answers.iter().map(Booked::of).collect();
        for round in 1..=ROUNDS {
            let at = desk.at(round, 10, 0);
            let answers = crowd
                .at_once(|number, client| client.post(&booked[number].path("rescheduling"), booked[number].to(at)))
                .await;
            let ledger = world.ledger().await;
            ledger.balances();
            let expected = usize::try_from(capacity).unwrap();
            let won = winners(&answers, 200, expected, &desk, at, &ledger);
            assert_eq!(ledger.open_at(&desk, at).len(), expected);
            for (number, booked) in booked.iter_mut().enumerate() {
                // Losers stay where they were; that their seats did too, the balance says.
                let stored = ledger.appointment(&booked.id);
                assert_eq!(stored.starts_at, if won.contains(&number) { at } else { booked.at }, "{booked:?}");
                let left = std::mem::replace(&mut booked.at, stored.starts_at);
                if won.contains(&number) {
                    assert!(ledger.taken(&desk, left) < capacity, "{left} was left and is not free");
                }
            }
        }
        // What was left can be had again.
        let left = desk.at(1, 10, 0);
        let room = capacity - world.ledger().await.taken(&desk, left);
        let answers = crowd.at_once(|_, client| client.post("/appointments", desk.order(left)).fresh_key()).await;
        let ledger = world.ledger().await;
        ledger.balances();
        winners(&answers, 201, usize::try_from(room).unwrap(), &desk, left, &ledger);
    }
}

async fn visits_that_overlap_share_the_counters(server: Server) {
    let world = World::another(&server, COMUNE).await;
    let crowd = Crowd::gather(&server, COMUNE, CROWD).await;
    let offer = |minutes, before, after| Offer {
        minutes,
        buffer_before_minutes: before,
        buffer_after_minutes: after,
        ..Offer::default()
    };
    let desk = world
        .desk(Plan {
            capacity: 3,
            tick_minutes: 5,
            services: vec![offer(15, 0, 0), offer(30, 5, 0), offer(40, 0, 10), offer(90, 10, 15)],
            ..Plan::default()
        })
        .await;
    for round in 1..=ROUNDS {
        // Every service at every quarter of the morning, in another order each time.
        let wish = |number: usize| {
            let turn = i64::try_from((number * 7 + usize::try_from(round).unwrap()) % CROWD).unwrap();
            (number % desk.services.len(), desk.at(round, 9, 0) + (turn % 12 * 15).minutes())
        };
        let order = |number| {
            let (service, at) = wish(number);
            desk.order_of(service, at)
        };
        let answers = crowd.at_once(|number, client| client.post("/appointments", order(number)).fresh_key()).await;
        let ledger = world.ledger().await;
        ledger.balances();
        let mut booked = 0;
        for (number, answer) in answers.iter().enumerate() {
            let (service, at) = wish(number);
            if answer.status == 201 {
                booked += 1;
                assert_eq!(ledger.appointment(answer.text_at("/id")).starts_at, at);
            } else {
                // Nobody was sent away for nothing: seats are only taken here, so there is still no room.
                answer.clone().problem(409, "slot-taken");
                assert_eq!(ledger.room(&desk, service, at), 0, "{answer}");
            }
        }
        let that_day = |a: &&booking::appointments::Appointment| civil::date_of(a.starts_at) == desk.day(round);
        assert_eq!(ledger.appointments.iter().filter(that_day).count(), booked);
        assert!(booked >= 3, "three counters for three hours, and {booked} visits");
    }
}

async fn a_time_given_back_is_booked_once(server: Server) {
    let world = World::another(&server, COMUNE).await;
    let crowd = Crowd::gather(&server, COMUNE, GROUP).await;
    let desk = world.desk(Plan { capacity: 1, ..Plan::default() }).await;
    let visitor = server.tenant(COMUNE);
    for round in 1..=ROUNDS {
        let at = desk.at(round, 10, 0);
        let mut owner = Booked::of(&visitor.post("/appointments", desk.order(at)).fresh_key().await);
        for _ in 0..2 {
            visitor.post(&owner.path("cancellation"), owner.off()).await.expect(200);
            let answers = crowd.at_once(|_, client| client.post("/appointments", desk.order(at)).fresh_key()).await;
            let ledger = world.ledger().await;
            ledger.balances();
            let won = winners(&answers, 201, 1, &desk, at, &ledger);
            owner = won.into_iter().map(|number| Booked::of(&answers[number])).next().unwrap();
        }
    }
}

/// Giving back and wanting at the same moment: one gets it or, having asked too early, nobody yet.
async fn a_time_is_booked_once_while_it_is_given_back(server: Server) {
    let world = World::another(&server, COMUNE).await;
    let crowd = Crowd::gather(&server, COMUNE, GROUP).await;
    let desk =
        world.desk(Plan { capacity: 1, opens: time(8, 0, 0, 0), closes: time(9, 0, 0, 0), ..Plan::default() }).await;
    let visitor = server.tenant(COMUNE);
    for round in 1..=2 * ROUNDS {
        let at = desk.at(round, 8, 30);
        let owner = Booked::of(&visitor.post("/appointments", desk.order(at)).fresh_key().await);
        let middle = crowd.len() / 2;
        let answers = crowd
            .at_once(|number, client| {
                // Two ways of giving a time back, by turns; the last quarter of the hour is nobody's.
                if number != middle {
                    client.post("/appointments", desk.order(at)).fresh_key()
                } else if round % 2 == 0 {
                    client.post(&owner.path("cancellation"), owner.off())
                } else {
                    client.post(&owner.path("rescheduling"), owner.to(at + 15.minutes()))
                }
            })
            .await;
        let ledger = world.ledger().await;
        ledger.balances();
        answers[middle].clone().expect(200);
        let open = ledger.open_at(&desk, at);
        let others = answers.iter().enumerate().filter(|(number, _)| *number != middle);
        let won: Vec<_> = others.filter(|(_, answer)| answer.status == 201).map(|(_, answer)| answer).collect();
        assert!(answers.iter().all(|answer| answer.status < 400 || answer.body["type"] == "/problems/slot-taken"));
        assert_eq!(open.len(), won.len());
        match won.as_slice() {
            [] => drop(visitor.post("/appointments", desk.order(at)).fresh_key().await.expect(201)),
            [one] => assert_eq!(open[0].id.to_string(), one.text_at("/id")),
            more => panic!("{} have it", more.len()),
        }
    }
}
