//! Holds that run out while somebody uses them.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use booking::{
    calendars::claim,
    holds::{self, Hold, HoldId},
    offers::{self, Terms, Wish},
    schema,
};
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use kernel::{Clock, SystemClock, TestClock};
use storage::{
    Db, DbOptions, Scope, Target,
    types::{At, Key},
};
use tests::{Server, both_databases};
use tokio::sync::oneshot;

use super::{COMUNE, GROUP, start};
use crate::{
    crowd::Crowd,
    world::{Desk, Offer, Plan, World},
};

both_databases!(start =>
    a_hold_is_used_once,
    a_hold_runs_out_while_it_is_used,
    a_hold_that_others_found_expired_is_gone_as_a_whole,
);

async fn a_hold_is_used_once(server: Server) {
    let world = World::another(&server, COMUNE).await;
    let crowd = Crowd::gather(&server, COMUNE, GROUP).await;
    let desk = world.desk(two_ticks()).await;
    let visitor = server.tenant(COMUNE);
    for round in 1..=5 {
        let at = desk.at(round, 10, 0);
        let hold = visitor.post("/holds", desk.wish(at)).fresh_key().await.expect(201);
        let answers = crowd
            .at_once(|_, client| {
                let mut order = desk.order(at);
                order["hold_id"] = hold.at("/id").clone();
                client.post("/appointments", order).fresh_key()
            })
            .await;
        world.ledger().await.balances();
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
        assert_eq!(won.len(), 1);
        for answer in lost {
            answer.problem(409, "hold-expired");
        }
    }
}

/// One books with the hold at the moment it runs out, and many without: at most one of them all gets it.
async fn a_hold_runs_out_while_it_is_used(server: Server) {
    let world = World::another(&server, COMUNE).await;
    let crowd = Crowd::gather(&server, COMUNE, 60).await;
    let desk = world.desk(two_ticks()).await;
    let visitor = server.tenant(COMUNE);
    for round in 1..=18 {
        let at = desk.at(round, 10, 0);
        let hold = visitor.post("/holds", desk.wish(at)).fresh_key().await.expect(201);
        let id = hold.text_at("/id").parse().unwrap();
        expires_in(&world, id, SignedDuration::from_millis(round * 10)).await;
        let holder = usize::try_from(round).unwrap() * 3;
        let answers = crowd
            .at_once(|number, client| {
                let mut order = desk.order(at);
                if number == holder {
                    order["hold_id"] = hold.at("/id").clone();
                }
                client.post("/appointments", order).fresh_key()
            })
            .await;
        let ledger = world.ledger().await;
        ledger.balances();
        let mut won = Vec::new();
        for (number, answer) in answers.iter().enumerate() {
            match answer.status {
                201 => won.push(number),
                _ if number == holder => drop(answer.clone().problem(409, "hold-expired")),
                _ => drop(answer.clone().problem(409, "slot-taken")),
            }
        }
        assert_eq!(ledger.open_at(&desk, at).len(), won.len());
        assert!(won.len() <= 1, "{won:?} have it");
        if won.is_empty() {
            // The others asked before it ran out, and its holder after.
            tokio::time::sleep(Duration::from_millis(200)).await;
            visitor.post("/appointments", desk.order(at)).fresh_key().await.expect(201);
            world.ledger().await.balances();
        }
    }
}

/// The clocks of two gateways never agree: one finds the hold expired and takes half of its time, while
/// for the other it is still good.
async fn a_hold_that_others_found_expired_is_gone_as_a_whole(server: Server) {
    let world = World::another(&server, COMUNE).await;
    let desk = world.desk(two_ticks()).await;
    let visitor = server.tenant(COMUNE);
    let at = desk.at(1, 10, 0);
    let hold = visitor.post("/holds", desk.wish(at)).fresh_key().await.expect(201);

    // The gateway whose clock is ahead keeps the second half for somebody, and takes its time over it.
    let (taken, is_taken) = oneshot::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let half = at + SignedDuration::from_mins(15);
    let ahead = tokio::spawn(holds_ahead_of_time(desk.clone(), server.database().to_owned(), half, taken, may_go_on));
    is_taken.await.unwrap();

    let mut order = desk.order(at);
    order["hold_id"] = hold.at("/id").clone();
    let with_the_hold = tokio::spawn(visitor.post("/appointments", order).fresh_key().into_future());
    // Long enough to be under way; if it is not, the outcome is the same.
    tokio::time::sleep(Duration::from_millis(300)).await;
    go_on.send(()).unwrap();
    ahead.await.unwrap();

    with_the_hold.await.unwrap().problem(409, "hold-expired");
    let mut ledger = world.ledger().await;
    assert!(ledger.appointments.is_empty());
    assert_eq!((ledger.taken(&desk, at), ledger.taken(&desk, half)), (0, 1));
    ledger.now += AHEAD;
    ledger.balances();
}

/// More than a hold lasts.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// Makes a hold as a gateway does whose clock is ahead, in a transaction that stays open until it may go on.
async fn holds_ahead_of_time(
    desk: Desk,
    database: String,
    starts_at: Timestamp,
    taken: oneshot::Sender<()>,
    may_go_on: mpsc::Receiver<()>,
) {
    let clock = TestClock::at(SystemClock.now());
    clock.advance(AHEAD);
    let options = DbOptions {
        read_connections: 1,
        write_connections: 1,
        busy_timeout: Duration::from_secs(60),
        seal: tests::seal(),
        ..DbOptions::default()
    };
    let db = Db::open(&Target::parse(&database).unwrap(), &options, Arc::new(clock)).unwrap();
    let tenant = desk.world.tenant.clone();
    let mut once = Some((taken, may_go_on));
    let scope = Scope::system(tenant.tenant_id);
    let outcome = db.write(&scope, move |tx| {
        let (service_id, calendar_id) = (desk.services[0].id, desk.calendar.id);
        let offer = offers::find(tx, service_id, calendar_id)?;
        let wish = Wish { service_id, calendar_id, starts_at, persons: 1 };
        let visit = claim::plan_visit(tx, &offer, &tenant.holidays(), wish, Terms::Public)?;
        claim::lock(tx, &offer.calendar, &visit)?;
        let hold = Hold {
            tenant_id: tx.tenant(),
            id: tx.new_id(),
            service_id,
            calendar_id,
            starts_at: visit.starts_at,
            ends_at: visit.ends_at,
            persons: 1,
            owner: tx.actor().as_str().to_owned(),
            expires_at: tx.now() + AHEAD,
            created_at: tx.now(),
        };
        claim::take(tx, &offer.calendar, &visit, hold.id.cast(), Some(hold.expires_at))?;
        holds::store::insert(tx, &hold)?;
        let (taken, may_go_on) = once.take().expect("nothing to run it again for");
        taken.send(()).unwrap();
        may_go_on.recv().unwrap();
        Ok(())
    });
    outcome.await.unwrap();
}

/// One counter and a visit of two slots.
fn two_ticks() -> Plan {
    Plan { services: vec![Offer { minutes: 30, ..Offer::default() }], ..Plan::default() }
}

/// Makes a hold end so long from now.
async fn expires_in(world: &World, id: HoldId, left: SignedDuration) {
    world
        .write(move |tx| {
            use schema::{holds as h, occupancy as o};
            let (tenant, end) = (Key(tx.tenant()), At(tx.now() + left));
            diesel::update(h::table.filter(h::tenant_id.eq(tenant)).filter(h::id.eq(Key(id))))
                .set(h::expires_at.eq(end))
                .execute(tx.conn())?;
            diesel::update(o::table.filter(o::tenant_id.eq(tenant)).filter(o::claim_id.eq(Key(id))))
                .set(o::hold_expires_at.eq(Some(end)))
                .execute(tx.conn())?;
            Ok(())
        })
        .await;
}
