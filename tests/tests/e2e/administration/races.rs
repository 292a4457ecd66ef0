//! Hours that change while people book: whoever lands after the change sees it.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use booking::calendars::{admin::store as hours, store as calendars};
use platform::directory::{Closure, store as directory};
use serde_json::json;
use storage::{Json, Scope, Tx};
use tests::{Server, both_databases};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{book, calendar, closed_on, conflicts, patched, rule_of};
use crate::{
    rows,
    world::{Desk, Plan, World},
};

both_databases!(
    a_booking_that_meets_a_change_of_hours_lands_before_it_or_sees_it,
    a_booking_that_meets_a_closure_sees_it,
    hours_and_bookings_take_turns,
);

/// A change of hours that is written and not committed yet.
struct Pending {
    commit: mpsc::Sender<()>,
    done: JoinHandle<()>,
}

impl Pending {
    async fn make(desk: &Desk, mut change: impl FnMut(&mut Tx<'_>) -> storage::Result<()> + Send + 'static) -> Self {
        let (commit, wanted) = mpsc::channel::<()>();
        let (made, is_made) = oneshot::channel::<()>();
        let (wanted, mut made) = (Arc::new(Mutex::new(wanted)), Some(made));
        let (db, scope) = (desk.world.db.clone(), Scope::system(desk.world.tenant.tenant_id));
        let done = tokio::spawn(async move {
            let outcome = db.write(&scope, move |tx| {
                change(tx)?;
                if let Some(made) = made.take() {
                    made.send(()).expect("somebody waits for the change");
                }
                let _ = wanted.lock().unwrap_or_else(PoisonError::into_inner).recv();
                Ok(())
            });
            outcome.await.unwrap();
        });
        is_made.await.expect("the change is made");
        Self { commit, done }
    }

    async fn commit(self) {
        self.commit.send(()).expect("the change waits");
        self.done.await.unwrap();
    }
}

/// Long enough for a request to reach the database, on most machines; where it is not, less is tested.
async fn a_while() {
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
}

async fn a_booking_that_meets_a_change_of_hours_lands_before_it_or_sees_it(server: Server) {
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let world = World::of(&server).await;
    // The change is made and not yet committed when the booking comes.
    let desk = world.desk(Plan::default()).await;
    let (_, rule) = rule_of(&visitor, &desk, desk.day(3)).await;
    let (id, rule) = (desk.calendar.id, rule["id"].as_str().unwrap().parse().unwrap());
    let change = Pending::make(&desk, move |tx| {
        hours::next_version(tx, id)?;
        hours::delete_rule(tx, rule, 1)
    })
    .await;
    let order = visitor.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key();
    let booking = tokio::spawn(order.into_future());
    a_while().await;
    change.commit().await;
    booking.await.unwrap().problem(422, "outside-opening-hours");
    world.ledger().await.balances();

    // The booking has read the hours, and waits for its day, when the change comes.
    let desk = world.desk(Plan::default()).await;
    let (path, _) = rule_of(&visitor, &desk, desk.day(3)).await;
    let lock = rows::Lock::on(&desk, desk.at(3, 9, 0)).await;
    let order = visitor.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key();
    let booking = tokio::spawn(order.into_future());
    a_while().await;
    let change = tokio::spawn(admin.delete(&path).if_match("*").into_future());
    a_while().await;
    lock.release().await;
    change.await.unwrap().expect(204);
    let booked = booking.await.unwrap();
    if booked.status == 201 {
        assert_eq!(conflicts(&admin, &desk).await, [(booked.at("/id").clone(), json!("closed"))]);
    } else {
        booked.problem(422, "outside-opening-hours");
        assert_eq!(conflicts(&admin, &desk).await, []);
    }
    world.ledger().await.balances();
}

async fn a_booking_that_meets_a_closure_sees_it(server: Server) {
    let visitor = server.anonymous();
    let world = World::of(&server).await;
    let desk = world.desk(Plan { closed_on_holidays: true, ..Plan::default() }).await;
    let holidays = world.tenant.holidays();
    let days = (3..10).find(|days| !holidays.is_holiday(desk.day(*days))).expect("a working day");
    let date = desk.day(days);
    let change = Pending::make(&desk, move |tx| {
        calendars::lock_all_hours(tx)?;
        let (tenant_id, id) = (tx.tenant(), tx.new_id());
        let reason = Json(kernel::Localized::italian("Chiuso"));
        directory::insert_closure(tx, &Closure { tenant_id, id, date, reason, version: 1 })
    })
    .await;
    let order = visitor.post("/appointments", desk.order(desk.at(days, 9, 0))).fresh_key();
    let booking = tokio::spawn(order.into_future());
    a_while().await;
    change.commit().await;
    booking.await.unwrap().problem(422, "outside-opening-hours");
}

/// Many book while hours are opened and closed, counters are taken away and given back, and the day is closed:
/// nobody is told that the server failed, and no more are booked than there were counters.
async fn hours_and_bookings_take_turns(server: Server) {
    const COUNTERS: i64 = 5;
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let world = World::of(&server).await;
    for round in 3..6 {
        let desk = world.desk(Plan { capacity: COUNTERS, ..Plan::default() }).await;
        let at = desk.at(round, 9, 0);
        let (path, _) = rule_of(&visitor, &desk, desk.day(round)).await;
        let exceptions = format!("{}/opening-exceptions", calendar(&desk));
        let bookings: Vec<_> = (0..16)
            .map(|_| tokio::spawn(visitor.post("/appointments", desk.order(at)).fresh_key().into_future()))
            .collect();
        for capacity in [2, COUNTERS, 1] {
            patched(&admin, &path, json!({ "capacity": capacity })).await.expect(200);
        }
        let closed = admin.post(&exceptions, closed_on(desk.day(round))).fresh_key().await.expect(201);
        // Whoever comes now finds it closed.
        book(&visitor, &desk, at).await.problem(422, "outside-opening-hours");
        let mut won = 0;
        for booking in bookings {
            let answer = booking.await.unwrap();
            match answer.status {
                201 => won += 1,
                409 => drop(answer.problem(409, "slot-taken")),
                _ => drop(answer.problem(422, "outside-opening-hours")),
            }
        }
        let ledger = world.ledger().await;
        ledger.balances();
        assert_eq!(ledger.taken(&desk, at), won);
        assert!(won <= COUNTERS, "{won} booked at {COUNTERS} counters");
        assert_eq!(conflicts(&admin, &desk).await.len(), usize::try_from(won).unwrap());
        let path = format!("{exceptions}/{}", closed.text_at("/id"));
        admin.delete(&path).if_match(closed.etag()).await.expect(204);
        let left = usize::try_from((won - 1).max(0)).unwrap();
        assert_eq!(conflicts(&admin, &desk).await.len(), left, "one counter is left");
    }
}
