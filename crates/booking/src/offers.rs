//! A service at a calendar that gives it, and the visits people ask for there: what holds and appointments
//! have in common.

use jiff::Timestamp;
use kernel::{
    Problem,
    civil::{self, InstantError},
};
use platform::{
    access::{Caller, CallerKind, policy},
    directory::OfficeId,
    http::{Answer, Refused},
    problems::INVALID_BODY,
};
use serde_json::{Value, json};
use storage::{Db, Tx};

use crate::{
    calendars::{
        Calendar, CalendarId, claim,
        occupancy::{Audience, Slot},
        store as calendars,
    },
    problems::{LOCAL_TIME_DOES_NOT_EXIST, SLOT_TAKEN},
    services::{AppointmentService, AppointmentServiceId, store as services},
};

/// A service and a calendar that gives it.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The calendar.
    pub calendar: Calendar,
    /// The service.
    pub service: AppointmentService,
}

/// The visit that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// What for.
    pub service_id: AppointmentServiceId,
    /// Where.
    pub calendar_id: CalendarId,
    /// From when.
    pub starts_at: Timestamp,
    /// For how many.
    pub persons: i64,
}

/// On which terms somebody books: how much notice is asked of them, and which seats they may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// Everybody's: the calendar's notice, and the seats that are there for the public.
    Public,
    /// Another system's: the calendar's notice, and the office's own seats as well.
    System,
    /// The office's: no notice, since somebody may stand at the counter, and its own seats as well.
    Office,
}

impl Terms {
    /// Those of this caller, at an office where they may book.
    pub const fn of(caller: &Caller) -> Self {
        match caller.kind {
            CallerKind::Staff(_) => Self::Office,
            CallerKind::Integration(_) => Self::System,
            _ => Self::Public,
        }
    }

    /// Those of this caller at an office that they may only look at.
    pub fn at(caller: &Caller, office: OfficeId) -> Self {
        match policy::booking(caller, office, false) {
            Ok(policy::Booking::OnBehalf | policy::Booking::Integration) => Self::of(caller),
            _ => Self::Public,
        }
    }

    /// Whether the calendar's notice is asked.
    pub const fn asks_notice(self) -> bool {
        !matches!(self, Self::Office)
    }

    /// Whose seats these are.
    pub const fn audience(self) -> Audience {
        if matches!(self, Self::Public) { Audience::Public } else { Audience::Office }
    }
}

/// The service and the calendar that a body names, when the one is given at the other.
///
/// # Errors
/// `invalid-body`, naming the field that is at fault.
pub fn find(tx: &mut Tx<'_>, service: AppointmentServiceId, calendar: CalendarId) -> storage::Result<Offer> {
    let unknown = |pointer: &str, words: &str| Problem::new(&INVALID_BODY).field(pointer, "unknown-reference", words);
    let found = services::service(tx, service)?.ok_or_else(|| unknown("/service_id", "no such service"))?;
    let at = calendars::calendar(tx, calendar)?.ok_or_else(|| unknown("/calendar_id", "no such calendar"))?;
    if !services::is_given(tx, service, calendar)? {
        return Err(unknown("/calendar_id", "this calendar does not give the service").into());
    }
    Ok(Offer { calendar: at, service: found })
}

impl Wish {
    /// The visit that a body asks for.
    ///
    /// # Errors
    /// As [`moment`].
    pub fn read(
        service_id: AppointmentServiceId,
        calendar_id: CalendarId,
        starts_at: &str,
        persons: Option<i64>,
    ) -> Result<Self, Problem> {
        Ok(Self { service_id, calendar_id, starts_at: moment(starts_at)?, persons: persons.unwrap_or(1) })
    }
}

/// Reads the instant of a body's `starts_at`.
///
/// # Errors
/// `invalid-body`, or `local-time-does-not-exist` for a time that the clocks skip.
pub fn moment(text: &str) -> Result<Timestamp, Problem> {
    moment_at("/starts_at", text)
}

/// Reads the instant of another member of a body.
///
/// # Errors
/// As [`moment`], naming the member.
pub fn moment_at(pointer: &'static str, text: &str) -> Result<Timestamp, Problem> {
    let instant = civil::parse_instant(text).map_err(|error| match error {
        InstantError::DoesNotExist => Problem::new(&LOCAL_TIME_DOES_NOT_EXIST).field(
            pointer,
            "skipped",
            "the clocks of Europe/Rome skip this time",
        ),
        InstantError::Malformed => {
            Problem::new(&INVALID_BODY).field(pointer, "invalid", "RFC 3339 with offset is expected")
        }
    })?;
    // The databases do not reach back for ever, and nobody means it.
    if civil::date_of(instant).year() < 1900 {
        return Err(Problem::new(&INVALID_BODY).field(pointer, "out-of-range", "from 1900 on"));
    }
    Ok(instant)
}

/// A refusal for a taken time is told together with the next free ones. They are looked up outside
/// the transaction that was refused: those who come too late must not hold up those who book. When they
/// cannot be looked up the refusal stands without them, since asking again would not change it.
pub async fn with_alternatives(outcome: Answer, db: &Db, caller: &Caller, wish: Wish) -> Answer {
    let refused = match outcome {
        Err(refused) if refused.0.kind == &SLOT_TAKEN => refused,
        other => return other,
    };
    let (holidays, who) = (caller.tenant.holidays(), caller.clone());
    let found = db
        .read(caller, move |tx| {
            let offer = find(tx, wish.service_id, wish.calendar_id)?;
            let terms = Terms::at(&who, offer.calendar.office_id);
            claim::alternatives(tx, &offer, &holidays, wish.persons, wish.starts_at, terms)
        })
        .await
        .unwrap_or_default();
    let alternatives: Vec<Value> = found.into_iter().map(|slot| alternative(wish.calendar_id, slot)).collect();
    Err(Refused(refused.0.with("alternatives", alternatives)))
}

fn alternative(calendar_id: CalendarId, slot: Slot) -> Value {
    json!({
        "calendar_id": calendar_id,
        "starts_at": civil::format_rfc3339(slot.starts_at),
        "ends_at": civil::format_rfc3339(slot.ends_at),
        "free": slot.free,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_the_clocks_skip_is_not_a_moment() {
        assert_eq!(moment("2027-03-28T02:30:00+01:00").unwrap_err().kind.slug, "local-time-does-not-exist");
        assert_eq!(moment("2027-03-28 nine").unwrap_err().kind.slug, "invalid-body");
        assert!(moment("2027-03-28T01:30:00Z").is_ok());
    }
}
