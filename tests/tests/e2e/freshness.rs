//! What is told about free time is true at once, whoever asked before and whoever wrote since.

use std::{ops::RangeInclusive, time::Duration};

use booking::{
    calendars::{ExceptionKind, OpeningException, claim, store as calendars},
    offers::Offer,
};
use diesel::{RunQueryDsl, sql_query};
use jiff::{SignedDuration, civil::Date};
use kernel::civil;
use serde_json::{Value, json};
use storage::types::{At, Instant, Key, Uid};
use tests::{Answer, Backend, Client, Server, both_databases};

use crate::world::{Desk, Plan, World};

both_databases!(start =>
    an_answer_is_as_fresh_as_the_rows,
    a_hold_that_ends_shows_without_anybody_writing,
    who_holds_the_answer_is_told_so,
);

/// The Comune of these tests.
const COMUNE: &str = "fresca";

fn start(backend: Backend) -> Server {
    Server::start(backend, |setup| {
        setup.set("booking.hold_minutes", 5);
    })
}

/// What is asked for again and again.
const DAYS: RangeInclusive<i64> = 1..=30;

/// Asks every gateway, and compares with what the rows say.
struct Watch {
    desk: Desk,
    gateways: Vec<Client>,
}

impl Watch {
    /// On PostgreSQL a second gateway, which learns of what the first writes from the database alone.
    async fn over(server: &Server, second: Option<&Server>) -> Self {
        let desk = World::another(server, COMUNE).await.desk(Plan { capacity: 2, ..Plan::default() }).await;
        let gateways = [Some(server), second].into_iter().flatten().map(|server| server.tenant(COMUNE)).collect();
        Self { desk, gateways }
    }

    fn path(&self, what: &str) -> String {
        format!("/calendars/{}/{what}&service_id={}", self.desk.calendar.id, self.desk.services[0].id)
    }

    fn dates(&self) -> (Date, Date) {
        (self.desk.day(*DAYS.start()), self.desk.day(*DAYS.end()))
    }

    /// Every answer is what the rows say now. `told` is for the message.
    async fn is_true(&self, told: &str) {
        let (from, to) = self.dates();
        let days = self.computed(from, to).await;
        let free = |slots: &[(String, i64)]| slots.iter().filter(|(_, free)| *free > 0).count();
        let expected: Vec<Value> =
            days.iter().map(|(date, slots)| json!({ "date": date.to_string(), "free": free(slots) })).collect();
        // The second time each of them has an answer to remember.
        for _ in 0..2 {
            for gateway in &self.gateways {
                let answer = gateway.get(&self.path(&format!("availabilities?from={from}&to={to}"))).await.expect(200);
                assert_eq!(answer.items(), expected, "{told}");
                for (date, slots) in days.iter().take(3) {
                    let answer = gateway.get(&self.path(&format!("slots?date={date}"))).await.expect(200);
                    let times: Vec<(String, i64)> = answer.items().iter().map(time).collect();
                    assert_eq!(times, *slots, "{told}");
                }
            }
        }
    }

    async fn computed(&self, from: Date, to: Date) -> Vec<(Date, Vec<(String, i64)>)> {
        let (world, desk) = (&self.desk.world, &self.desk);
        let (calendar, service, holidays) = (desk.calendar.id, desk.services[0].clone(), world.tenant.holidays());
        let days = world
            .read(move |tx| {
                let calendar = calendars::calendar(tx, calendar)?.expect("the calendar");
                let offer = Offer { calendar, service: service.clone() };
                claim::slots(tx, &offer, &holidays, 1, from..=to)
            })
            .await;
        let told = |slot: booking::calendars::occupancy::Slot| (civil::format_rfc3339(slot.starts_at), slot.free);
        days.into_iter().map(|(date, slots)| (date, slots.into_iter().map(told).collect())).collect()
    }

    async fn sql(&self, sql: &'static str) {
        let calendar = self.desk.calendar.id;
        self.desk
            .world
            .write(move |tx| {
                let tenant = tx.tenant();
                let changed =
                    sql_query(sql).bind::<Uid, _>(Key(tenant)).bind::<Uid, _>(Key(calendar)).execute(tx.conn())?;
                assert!(changed > 0, "{sql}");
                Ok(())
            })
            .await;
    }
}

fn time(item: &Value) -> (String, i64) {
    (item["starts_at"].as_str().expect("a time").to_owned(), item["free"].as_i64().expect("a number"))
}

fn with_token(answer: &Answer, mut body: Value) -> Value {
    body["manage_token"] = answer.at("/manage_token").clone();
    body
}

async fn an_answer_is_as_fresh_as_the_rows(server: Server) {
    let second = (server.backend() == Backend::Postgres).then(|| server.beside());
    let watch = Watch::over(&server, second.as_ref()).await;
    let desk = &watch.desk;
    let visitor = server.tenant(COMUNE);
    watch.is_true("nothing booked").await;

    let (nine, ten) = (desk.at(1, 9, 0), desk.at(2, 10, 0));
    let booked = visitor.post("/appointments", desk.order(nine)).fresh_key().await.expect(201);
    watch.is_true("booked").await;
    visitor.post("/appointments", desk.order(nine)).fresh_key().await.expect(201);
    watch.is_true("full").await;

    let path = format!("/appointments/{}", booked.text_at("/id"));
    let to = with_token(&booked, json!({ "starts_at": civil::format_rfc3339(ten) }));
    visitor.post(&format!("{path}/rescheduling"), to).fresh_key().await.expect(200);
    watch.is_true("moved to another day").await;
    let to = with_token(&booked, json!({ "starts_at": civil::format_rfc3339(desk.at(2, 11, 0)) }));
    visitor.post(&format!("{path}/rescheduling"), to).fresh_key().await.expect(200);
    watch.is_true("moved within the day").await;
    visitor.post(&format!("{path}/cancellation"), with_token(&booked, json!({}))).fresh_key().await.expect(200);
    watch.is_true("called off").await;

    let hold = visitor.post("/holds", desk.wish(ten)).fresh_key().await.expect(201);
    watch.is_true("held").await;
    let mut order = desk.order(ten);
    order["hold_id"] = hold.at("/id").clone();
    visitor.post("/appointments", order).fresh_key().await.expect(201);
    watch.is_true("booked with the hold").await;
    let hold = visitor.post("/holds", desk.wish(ten)).fresh_key().await.expect(201);
    watch.is_true("held again").await;
    visitor.delete(&format!("/holds/{}", hold.text_at("/id"))).await.expect(204);
    watch.is_true("released").await;

    // Hours, past everything that could tell the server.
    watch.sql("UPDATE opening_rules SET capacity = 3 WHERE tenant_id = $1 AND calendar_id = $2").await;
    watch.is_true("more counters").await;
    watch.sql("UPDATE opening_rules SET every_n_weeks = 2 WHERE tenant_id = $1 AND calendar_id = $2").await;
    watch.is_true("every other week").await;
    watch.sql("DELETE FROM opening_rules WHERE tenant_id = $1 AND calendar_id = $2 AND weekday = 3").await;
    watch.is_true("closed on Wednesdays").await;
    let (calendar_id, date) = (desk.calendar.id, desk.day(2));
    desk.world
        .write(move |tx| {
            let exception = OpeningException {
                id: tx.new_id(),
                calendar_id,
                date,
                kind: ExceptionKind::Closed,
                starts_at: None,
                ends_at: None,
                capacity: None,
                reason: None,
                version: 1,
            };
            calendars::insert_exception(tx, &exception)
        })
        .await;
    watch.is_true("closed on a date").await;
    watch.sql("DELETE FROM opening_exceptions WHERE tenant_id = $1 AND calendar_id = $2").await;
    watch.is_true("open again").await;
    watch.sql("UPDATE calendars SET horizon_days = 20, version = version + 1 WHERE tenant_id = $1 AND id = $2").await;
    watch.is_true("a nearer horizon").await;
    watch.sql("DELETE FROM appointment_applicants WHERE tenant_id = $1 AND $2 = $2").await;
    watch.is_true("what is no business of the calendar's").await;
}

async fn a_hold_that_ends_shows_without_anybody_writing(server: Server) {
    let watch = Watch::over(&server, None).await;
    let desk = &watch.desk;
    let visitor = server.tenant(COMUNE);
    let at = desk.at(1, 10, 0);
    let hold = visitor.post("/holds", desk.wish(at)).fresh_key().await.expect(201);
    let claim: kernel::Id<calendars::ClaimTag> = hold.text_at("/id").parse().unwrap();
    let calendar = desk.calendar.id;
    let day = desk.day(1);
    desk.world
        .write(move |tx| {
            let (tenant, ends) = (tx.tenant(), tx.now() + SignedDuration::from_millis(1500));
            sql_query("UPDATE occupancy SET hold_expires_at = $1 WHERE tenant_id = $2 AND claim_id = $3")
                .bind::<Instant, _>(At(ends))
                .bind::<Uid, _>(Key(tenant))
                .bind::<Uid, _>(Key(claim))
                .execute(tx.conn())?;
            calendars::lock_days(tx, &[(calendar, day)].into())
        })
        .await;
    let free = async || {
        let answer = visitor.get(&watch.path(&format!("slots?date={day}"))).await.expect(200);
        let at = civil::format_rfc3339(at);
        answer.items().iter().map(time).find(|(start, _)| *start == at).expect("the time").1
    };
    let held = free().await;
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert_eq!(free().await, 2, "the hold has ended, and nobody wrote");
    // On a machine so busy that the hold had ended before, there was nothing to see.
    assert!(held == 1 || held == 2);
    watch.is_true("ended").await;
}

async fn who_holds_the_answer_is_told_so(server: Server) {
    let watch = Watch::over(&server, None).await;
    let desk = &watch.desk;
    let visitor = server.tenant(COMUNE);
    let (from, to) = watch.dates();
    for path in [format!("availabilities?from={from}&to={to}"), format!("slots?date={from}")] {
        let path = watch.path(&path);
        let first = visitor.get(&path).await.expect(200);
        assert_eq!(first.header("cache-control"), Some("no-cache"));
        let etag = first.etag();
        let again = visitor.get(&path).header("If-None-Match", &etag).await.expect(304);
        assert_eq!((again.text.as_str(), again.etag()), ("", etag.clone()));
        visitor.get(&path).header("If-None-Match", "\"another\"").await.expect(200);

        // All counters of a time, so that the number of free times is another one.
        let at = desk.at(1, if path.contains("slots") { 10 } else { 9 }, 0);
        for _ in 0..2 {
            visitor.post("/appointments", desk.order(at)).fresh_key().await.expect(201);
        }
        let changed = visitor.get(&path).header("If-None-Match", &etag).await.expect(200);
        assert_ne!(changed.etag(), etag);
    }
}
