//! Everything at once: whatever many callers do in whatever order, the books balance.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use tests::{Answer, Client, Server, both_databases};

use super::{Booked, COMUNE, start};
use crate::world::{Desk, Offer, Plan, World};

both_databases!(start => a_busy_morning);

/// Callers, and what each of them does one after the other.
const CALLERS: u64 = 60;
const STEPS: u32 = 25;

async fn a_busy_morning(server: Server) {
    let world = World::another(&server, COMUNE).await;
    // Two calendars give the same services, so that moves cross; all on the same two mornings.
    let services = vec![
        Offer { minutes: 15, ..Offer::default() },
        Offer { minutes: 40, buffer_before_minutes: 5, buffer_after_minutes: 5, ..Offer::default() },
        Offer { minutes: 30, max_per_person: Some(2), ..Offer::default() },
    ];
    let first = world.desk(Plan { capacity: 2, tick_minutes: 5, services, ..Plan::default() }).await;
    let second = world.desk_for(&first, Plan { capacity: 1, tick_minutes: 5, ..Plan::default() }).await;
    let town = Arc::new(Town { desks: [first, second], booked: Mutex::default(), held: Mutex::default() });
    let base = format!("{}/{COMUNE}/v1", server.base_url());
    let callers = (0..CALLERS).map(|number| tokio::spawn(caller(Client::new(&base), Arc::clone(&town), number)));
    let done = join_all(callers.collect::<Vec<_>>()).await;
    let mut tally = std::collections::BTreeMap::new();
    for step in done.into_iter().flat_map(Result::unwrap) {
        *tally.entry(step).or_insert(0) += 1;
    }
    let ledger = world.ledger().await;
    ledger.balances();
    let made = tally["book 201"] + tally["use 201"];
    assert_eq!(made, ledger.appointments.len());
    // A morning on which nobody ever met anybody would show nothing.
    for met in ["book 201", "book 409 slot-taken", "move 200", "move 409 slot-taken", "call off 200", "use 201"] {
        assert!(tally.contains_key(met), "never seen: {met}");
    }
}

/// What the callers share.
struct Town {
    desks: [Desk; 2],
    booked: Mutex<Vec<Booked>>,
    /// Holds, with the order they are for.
    held: Mutex<Vec<(String, serde_json::Value)>>,
}

/// A sequence that looks random and is the same every time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn one_of<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        let sides = u64::try_from(things.len()).unwrap();
        (sides > 0).then(|| &things[usize::try_from(self.below(sides)).unwrap()])
    }
}

async fn caller(client: Client, town: Arc<Town>, number: u64) -> Vec<String> {
    let mut dice = Dice(number);
    let mut done = Vec::new();
    for _ in 0..STEPS {
        done.push(step(&client, &town, &mut dice).await);
    }
    done
}

/// One of ten mornings' quarters, far too few for everybody.
fn some_time(desk: &Desk, dice: &mut Dice) -> Timestamp {
    let quarters = i64::try_from(dice.below(10)).unwrap();
    desk.at(1 + i64::try_from(dice.below(2)).unwrap(), 9, 0) + (quarters * 15).minutes()
}

async fn step(client: &Client, town: &Town, dice: &mut Dice) -> String {
    let desk = &town.desks[usize::try_from(dice.below(2)).unwrap()];
    let at = some_time(desk, dice);
    let service = usize::try_from(dice.below(3)).unwrap();
    match dice.below(10) {
        0..=2 => {
            let mut order = desk.order_of(service, at);
            if service == 2 {
                // Few people, so that their limit is met.
                order["applicant"]["email"] = json!(format!("persona.{}@example.org", dice.below(8)));
            }
            let answer = client.post("/appointments", order).fresh_key().await;
            if answer.status == 201 {
                town.booked.lock().unwrap().push(Booked::of(&answer));
            }
            told("book", &answer, &[201, 409])
        }
        3 | 4 => {
            let wish = desk.wish_of(service, at);
            let answer = client.post("/holds", wish.clone()).fresh_key().await;
            if answer.status == 201 {
                town.held.lock().unwrap().push((answer.text_at("/id").to_owned(), wish));
            }
            told("hold", &answer, &[201, 409])
        }
        5 => {
            // Kept in the list: the next one to use it comes too late.
            let held = town.held.lock().unwrap().clone();
            let Some((id, mut order)) = dice.one_of(&held).cloned() else { return "nothing to use".to_owned() };
            order["hold_id"] = json!(id);
            order["applicant"] = crate::world::somebody();
            let answer = client.post("/appointments", order).fresh_key().await;
            if answer.status == 201 {
                town.booked.lock().unwrap().push(Booked::of(&answer));
            }
            told("use", &answer, &[201, 409])
        }
        6 => {
            let held = town.held.lock().unwrap().clone();
            let Some((id, _)) = dice.one_of(&held) else { return "nothing to release".to_owned() };
            let answer = client.delete(&format!("/holds/{id}")).await;
            told("release", &answer, &[204, 404])
        }
        7 | 8 => {
            let Some(booked) = some_booking(town, dice) else { return "nothing to move".to_owned() };
            let mut to = booked.to(at);
            to["calendar_id"] = json!(desk.calendar.id);
            let answer = client.post(&booked.path("rescheduling"), to).await;
            told("move", &answer, &[200, 409])
        }
        _ => {
            let Some(booked) = some_booking(town, dice) else { return "nothing to call off".to_owned() };
            let answer = client.post(&booked.path("cancellation"), booked.off()).await;
            told("call off", &answer, &[200])
        }
    }
}

/// One of the latest, so that callers meet at it.
fn some_booking(town: &Town, dice: &mut Dice) -> Option<Booked> {
    let booked = town.booked.lock().unwrap().clone();
    dice.one_of(&booked[booked.len().saturating_sub(12)..]).cloned()
}

/// What happened, for the tally; an answer of another kind fails the test.
#[track_caller]
fn told(what: &str, answer: &Answer, expected: &[u16]) -> String {
    assert!(expected.contains(&answer.status), "{what}: {answer}");
    let problem = answer.body["type"].as_str().and_then(|kind| kind.strip_prefix("/problems/")).unwrap_or_default();
    format!("{what} {} {problem}", answer.status).trim_end().to_owned()
}
