//! Answers about free time, remembered for as long as they are true.
//!
//! Most people look and few book, so most answers are what the one before was. An answer is kept with the
//! [`Stamp`](store::Stamp) of everything it was made from and with the instant at which time alone makes it
//! another one; it is given again when the stamp, read anew in one short statement, is still the same. So it is
//! as fresh as an answer made afresh, whichever gateway or program has written meanwhile.
//!
//! It is advice all the same: what is booked is decided on rows, in the booking's own transaction.

mod store;

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG},
    web::Bytes,
};
use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp, civil::Date};
use kernel::{Problem, civil, holidays::HolidayCalendar};
use platform::{
    access::{Caller, CallerKind},
    http::{IfNoneMatch, bad_query, not_found},
};
use quick_cache::{Weighter, sync::Cache};
use storage::{Db, TenantId, Tx};

use self::store::Stamp;
use super::{
    claim,
    model::{Calendar, CalendarId},
    occupancy::Slot,
    store as calendars,
};
use crate::{
    offers::{Offer, Terms},
    services::{AppointmentServiceId, store as services},
};

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) of: Of,
    pub(super) tenant: TenantId,
    pub(super) calendar: CalendarId,
    pub(super) service: AppointmentServiceId,
    pub(super) persons: i64,
    pub(super) from: Date,
    pub(super) to: Date,
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Of {
    /// How many times each date has.
    Days,
    /// The times themselves.
    Times,
}

/// The free times of a range of dates.
pub(super) type Days = Vec<(Date, Vec<Slot>)>;

/// An answer, and how long it is one.
#[derive(Debug)]
struct Remembered {
    stamp: Stamp,
    /// The holidays it was made with.
    holidays: HolidayCalendar,
    /// From the instant it was made to the one at which a hold ends, a time becomes too soon or a date begins.
    since: Timestamp,
    until: Timestamp,
    body: Bytes,
    /// Of the body, with its quotes.
    etag: String,
}

impl Remembered {
    fn is_of(&self, now: Timestamp, holidays: &HolidayCalendar) -> bool {
        self.since <= now && now < self.until && self.holidays == *holidays
    }

    fn response(&self, held: &IfNoneMatch) -> HttpResponse {
        let mut response = if held.names(&self.etag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        // It may be kept, and must be asked about before it is used.
        response.insert_header((ETAG, self.etag.as_str())).insert_header((CACHE_CONTROL, "no-cache"));
        if held.names(&self.etag) {
            return response.finish();
        }
        response.insert_header((CONTENT_TYPE, "application/json")).body(self.body.clone())
    }
}

/// How many bytes of answers a process keeps.
const KEPT_BYTES: u64 = 32 * 1024 * 1024;
/// An answer of usual size, from which it is estimated how many there will be.
const USUAL_BYTES: u64 = 2 * 1024;

#[derive(Debug, Clone, Copy)]
struct InBytes;

impl Weighter<Question, Arc<Remembered>> for InBytes {
    fn weight(&self, _: &Question, answer: &Arc<Remembered>) -> u64 {
        let parts = [answer.body.len(), size_of::<Remembered>(), size_of::<Question>()];
        parts.into_iter().fold(0, |sum, len| sum.saturating_add(u64::try_from(len).unwrap_or(u64::MAX)))
    }
}

/// The answers that this process remembers. Cheap to clone.
#[derive(Clone)]
pub struct Availabilities(Arc<Cache<Question, Arc<Remembered>, InBytes>>);

impl std::fmt::Debug for Availabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Availabilities")
    }
}

impl Default for Availabilities {
    fn default() -> Self {
        let items = usize::try_from(KEPT_BYTES / USUAL_BYTES).unwrap_or(usize::MAX);
        Self(Arc::new(Cache::with_weighter(items, KEPT_BYTES, InBytes)))
    }
}

impl Availabilities {
    /// Answers a question: with what is remembered if that is still true, with what `write` makes of the times
    /// otherwise. A client that holds the answer already is told so (304).
    pub(super) async fn answer(
        &self,
        db: &Db,
        caller: &Caller,
        held: &IfNoneMatch,
        question: Question,
        write: fn(Days) -> Result<String, Problem>,
    ) -> Result<HttpResponse, Problem> {
        let holidays = caller.tenant.holidays();
        // What an office or another system is told hangs on who they are; they are few, and asked for afresh.
        let public = !matches!(caller.kind, CallerKind::Staff(_) | CallerKind::Integration(_));
        let known = self.0.get(&question).filter(|known| public && known.is_of(db.clock().now(), &holidays));
        if let Some(known) = known {
            let now = db.glance(caller, move |tx| store::stamp(tx, &question)).await?;
            if now == Some(known.stamp) {
                return Ok(known.response(held));
            }
        }
        let who = caller.clone();
        let made = db.read(caller, move |tx| make(tx, &who, &question, &holidays, write)).await.map_err(of_query)?;
        let made = Arc::new(made);
        if public {
            self.0.insert(question, Arc::clone(&made));
        }
        Ok(made.response(held))
    }
}

fn make(
    tx: &mut Tx<'_>,
    who: &Caller,
    question: &Question,
    holidays: &HolidayCalendar,
    write: fn(Days) -> Result<String, Problem>,
) -> storage::Result<Remembered> {
    let stamp = store::stamp(tx, question)?;
    let calendar = calendars::calendar(tx, question.calendar)?.ok_or_else(not_found)?;
    let service = if services::is_given(tx, question.service, calendar.id)? {
        services::service(tx, question.service)?
    } else {
        None
    };
    let given = service.zip(stamp);
    let (service, stamp) =
        given.ok_or_else(|| bad_query("service_id", "not-given", "not a service of this calendar"))?;
    let offer = Offer { calendar, service };
    let terms = Terms::at(who, offer.calendar.office_id);
    let days = claim::slots_for(tx, &offer, holidays, question.persons, question.from..=question.to, terms)?;
    let hold_ends = store::next_expiry(tx, &offer.calendar, question.from..=question.to)?;
    let until = ends(&offer.calendar, &days, hold_ends, tx.now());
    let body = Bytes::from(write(days)?);
    let etag = format!("\"{}\"", hex::encode(digest(&SHA256, &body).as_ref().get(..16).unwrap_or_default()));
    Ok(Remembered { stamp, holidays: holidays.clone(), since: tx.now(), until, body, etag })
}

/// Until when an answer made now is one, if nobody writes: when the next hold ends, when the first of its times
/// is too soon to be asked for, and at midnight in Rome, when the horizon moves.
fn ends(calendar: &Calendar, days: &Days, hold_ends: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let (_, midnight) = civil::day_bounds(civil::date_of(now));
    let lead = SignedDuration::from_secs(calendar.lead_minutes.saturating_mul(60));
    let first = days.iter().find_map(|(_, slots)| slots.first());
    // A time may still be asked for at the very instant at which its notice begins.
    let too_soon = first
        .and_then(|slot| slot.starts_at.checked_sub(lead).ok())
        .and_then(|last| last.checked_add(SignedDuration::from_micros(1)).ok());
    [Some(midnight), too_soon, hold_ends].into_iter().flatten().min().unwrap_or(now)
}

/// Names the members of a body that a refusal is about as the parameters that they are here.
fn of_query(mut problem: Problem) -> Problem {
    for error in &mut problem.errors {
        if let Some(name) = error.pointer.strip_prefix('/') {
            error.pointer = format!("?{name}");
        }
    }
    problem
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{
        super::model::samples::{at, calendar},
        *,
    };

    #[test]
    fn time_alone_ends_an_answer() {
        let monday = date(2027, 5, 10);
        let slot = |hour| Slot {
            starts_at: civil::at(monday, at(hour, 0)),
            ends_at: civil::at(monday, at(hour, 30)),
            free: 1,
        };
        let days = vec![(date(2027, 5, 9), vec![]), (monday, vec![slot(9), slot(10)])];
        let instant = |date, hour, minute| civil::at(date, at(hour, minute));
        let sunday = date(2027, 5, 9);
        let ends = |hold, now| ends(&calendar(), &days, hold, now);

        // The horizon moves at midnight in Rome.
        assert_eq!(ends(None, instant(sunday, 12, 0)), instant(monday, 0, 0));
        // An hour of notice: nine o'clock can be asked for until eight.
        let eight = instant(monday, 8, 0) + SignedDuration::from_micros(1);
        assert_eq!(ends(None, instant(monday, 7, 0)), eight);
        // A hold that ends before frees its time.
        let hold = instant(monday, 7, 3);
        assert_eq!(ends(Some(hold), instant(monday, 7, 0)), hold);
        assert_eq!(ends(Some(instant(monday, 9, 0)), instant(monday, 7, 0)), eight);
    }
}
