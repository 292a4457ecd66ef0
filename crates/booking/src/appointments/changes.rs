//! What booking, moving and calling off consist of: each one transaction, all or nothing.

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use kernel::{
    Problem, PublicCode,
    civil::{self, InstantError},
    holidays::HolidayCalendar,
};
use platform::{
    access::{Caller, CallerKind},
    outbox::{self, Event},
    problems::{INVALID_BODY, VERSION_MISMATCH},
};
use serde_json::json;
use storage::Tx;

use super::{
    model::{Applicant, Appointment, AppointmentId, AppointmentState, Channel},
    rules::{self, Transition},
    store,
};
use crate::{
    calendars::{
        Calendar, CalendarId,
        claim::{self, Notice, Visit},
        store as calendars,
    },
    holds::{HoldId, store as holds},
    problems::{HOLD_EXPIRED, HOLD_MISMATCH, LOCAL_TIME_DOES_NOT_EXIST, PERSON_LIMIT_REACHED},
    services::{AppointmentService, AppointmentServiceId, store as services},
};

/// An appointment to be made.
#[derive(Debug, Clone)]
pub struct Order {
    /// For what.
    pub service_id: AppointmentServiceId,
    /// Where.
    pub calendar_id: CalendarId,
    /// When.
    pub starts_at: Timestamp,
    /// For how many.
    pub persons: i64,
    /// The hold that keeps the time.
    pub hold_id: Option<HoldId>,
    /// Who comes.
    pub applicant: Applicant,
    /// By which way.
    pub channel: Channel,
    /// The actor it will belong to.
    pub owner: String,
    /// Pseudonym of who comes.
    pub person_key: String,
    /// How much notice is asked of this caller.
    pub notice: Notice,
}

/// An appointment made, and the token to manage it with, seen only here.
#[derive(Debug)]
pub struct Booked {
    /// The appointment.
    pub appointment: Appointment,
    /// Given to who did not sign in.
    pub manage_token: Option<String>,
}

/// Reads an instant of a body.
///
/// # Errors
/// `invalid-body`, or `local-time-does-not-exist` for a time that the clocks skip.
pub fn moment(text: &str) -> Result<Timestamp, Problem> {
    civil::parse_instant(text).map_err(|error| match error {
        InstantError::DoesNotExist => Problem::new(&LOCAL_TIME_DOES_NOT_EXIST).field(
            "/starts_at",
            "skipped",
            "the clocks of Europe/Rome skip this time",
        ),
        InstantError::Malformed => {
            Problem::new(&INVALID_BODY).field("/starts_at", "invalid", "RFC 3339 with offset is expected")
        }
    })
}

/// How much notice a caller has to give.
pub const fn notice_for(caller: &Caller) -> Notice {
    if matches!(caller.kind, CallerKind::Staff(_)) { Notice::None } else { Notice::Usual }
}

/// The calendar and the service of a body, when the one gives the other.
///
/// # Errors
/// `invalid-body`, naming the field that is at fault.
pub fn find_offer(
    tx: &mut Tx<'_>,
    service: AppointmentServiceId,
    calendar: CalendarId,
) -> storage::Result<(Calendar, AppointmentService)> {
    let unknown = |pointer: &str, words: &str| Problem::new(&INVALID_BODY).field(pointer, "unknown-reference", words);
    let found = services::service(tx, service)?.ok_or_else(|| unknown("/service_id", "no such service"))?;
    let at = calendars::calendar(tx, calendar)?.ok_or_else(|| unknown("/calendar_id", "no such calendar"))?;
    if !services::is_given(tx, service, calendar)? {
        return Err(unknown("/calendar_id", "this calendar does not give the service").into());
    }
    Ok((at, found))
}

/// Books.
///
/// # Errors
/// Every refusal of booking; nothing is written then.
pub fn book(tx: &mut Tx<'_>, order: &Order, holidays: &HolidayCalendar) -> storage::Result<Booked> {
    let (calendar, service) = find_offer(tx, order.service_id, order.calendar_id)?;
    check_limit(tx, &service, &order.person_key)?;
    let id: AppointmentId = tx.new_id();
    let ends_at = match order.hold_id {
        Some(hold) => use_hold(tx, order, hold, id)?,
        None => {
            let visit = plan(tx, &calendar, &service, holidays, order.starts_at, order.persons, order.notice)?;
            claim::lock(tx, &calendar, &visit, None)?;
            claim::take(tx, &calendar, &visit, id.cast(), None)?;
            visit.ends_at
        }
    };
    let manage_token = (order.channel == Channel::Anonymous).then(new_token);
    let mut appointment = Appointment {
        tenant_id: tx.tenant(),
        id,
        code: String::new(),
        service_id: order.service_id,
        calendar_id: order.calendar_id,
        office_id: calendar.office_id,
        starts_at: order.starts_at,
        ends_at,
        persons: order.persons,
        state: AppointmentState::Confirmed,
        channel: order.channel,
        person_key: order.person_key.clone(),
        owner: order.owner.clone(),
        manage_token_hash: manage_token.as_deref().map(hash_token),
        cancelled_by: None,
        cancellation_reason: None,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    insert_with_code(tx, &mut appointment, &order.applicant)?;
    announce(tx, "appointment.confirmed", &appointment)?;
    Ok(Booked { appointment, manage_token })
}

/// Moves an appointment: the old time is given back and the new one taken in the same transaction.
/// Asking for the time it already has changes nothing.
///
/// # Errors
/// Every refusal of booking, and `invalid-transition`; the appointment then stays where it was.
pub fn reschedule(
    tx: &mut Tx<'_>,
    appointment: Appointment,
    to: Timestamp,
    calendar_id: CalendarId,
    holidays: &HolidayCalendar,
    notice: Notice,
) -> storage::Result<Appointment> {
    if appointment.starts_at == to && appointment.calendar_id == calendar_id {
        return Ok(appointment);
    }
    rules::check(&appointment, Transition::Rescheduling, tx.now())?;
    let (calendar, service) = find_offer(tx, appointment.service_id, calendar_id)?;
    let old = calendars::calendar(tx, appointment.calendar_id)?.unwrap_or_else(|| calendar.clone());
    let visit = plan(tx, &calendar, &service, holidays, to, appointment.persons, notice)?;
    claim::lock(tx, &calendar, &visit, Some((&old, appointment.starts_at, appointment.ends_at)))?;
    let claim = appointment.id.cast();
    calendars::release(tx, claim)?;
    claim::take(tx, &calendar, &visit, claim, None)?;
    let moved = Appointment {
        calendar_id,
        office_id: calendar.office_id,
        starts_at: visit.starts_at,
        ends_at: visit.ends_at,
        ..appointment
    };
    save(tx, moved, "appointment.rescheduled")
}

/// Calls an appointment off and frees its time. Calling it off again changes nothing.
///
/// # Errors
/// `invalid-transition` when it has begun or ended.
pub fn cancel(tx: &mut Tx<'_>, appointment: Appointment, reason: Option<String>) -> storage::Result<Appointment> {
    if appointment.state == AppointmentState::Cancelled {
        return Ok(appointment);
    }
    rules::check(&appointment, Transition::Cancellation, tx.now())?;
    calendars::release(tx, appointment.id.cast())?;
    let cancelled = Appointment {
        state: AppointmentState::Cancelled,
        cancelled_by: Some(tx.actor().as_str().to_owned()),
        cancellation_reason: reason,
        ..appointment
    };
    save(tx, cancelled, "appointment.cancelled")
}

/// Whether a token manages an appointment.
pub fn token_fits(appointment: &Appointment, token: &str) -> bool {
    let given = hash_token(token);
    let stored = appointment.manage_token_hash.as_deref();
    stored.is_some_and(|hash| verify_slices_are_equal(hash.as_bytes(), given.as_bytes()).is_ok())
}

fn plan(
    tx: &mut Tx<'_>,
    calendar: &Calendar,
    service: &AppointmentService,
    holidays: &HolidayCalendar,
    starts_at: Timestamp,
    persons: i64,
    notice: Notice,
) -> storage::Result<Visit> {
    claim::plan_visit(tx, calendar, service, holidays, starts_at, persons, notice)
}

fn check_limit(tx: &mut Tx<'_>, service: &AppointmentService, person_key: &str) -> storage::Result<()> {
    let Some(limit) = service.max_per_person else { return Ok(()) };
    store::lock_person(tx, service.id, person_key)?;
    if store::count_open(tx, service.id, person_key)? >= limit {
        return Err(Problem::new(&PERSON_LIMIT_REACHED)
            .detail("open appointments of this person for this service")
            .with("limit", limit)
            .into());
    }
    Ok(())
}

/// Turns a hold into the appointment's time. The day is locked first, so that nobody who finds the
/// hold expired can be taking its seats meanwhile.
fn use_hold(tx: &mut Tx<'_>, order: &Order, id: HoldId, appointment: AppointmentId) -> storage::Result<Timestamp> {
    let expired = || Problem::new(&HOLD_EXPIRED);
    // A hold belongs to who made it, also when the appointment will be somebody else's.
    let hold = holds::find(tx, id)?.filter(|hold| hold.owner == tx.actor().as_str()).ok_or_else(expired)?;
    let same = hold.service_id == order.service_id
        && hold.calendar_id == order.calendar_id
        && hold.starts_at == order.starts_at
        && hold.persons == order.persons;
    if !same {
        return Err(Problem::new(&HOLD_MISMATCH).field("/hold_id", "mismatch", "made for another visit").into());
    }
    let day = (hold.calendar_id, civil::date_of(hold.starts_at));
    calendars::lock_days(tx, &[day].into())?;
    if !hold.is_open(tx.now()) || calendars::hand_over(tx, id.cast(), appointment.cast())? == 0 {
        return Err(expired().into());
    }
    holds::delete(tx, id)?;
    Ok(hold.ends_at)
}

/// Writes the appointment under a code that nobody else in the Comune has. Eight characters of thirty
/// collide once in hundreds of thousands of millions; the key notices, and another is drawn.
fn insert_with_code(tx: &mut Tx<'_>, appointment: &mut Appointment, applicant: &Applicant) -> storage::Result<()> {
    const DRAWS: u32 = 5;
    let mut draws = 0;
    loop {
        appointment.code = PublicCode::from_random(rand::random()).as_str().to_owned();
        draws += 1;
        match tx.savepoint(|tx| store::insert(tx, appointment, applicant)) {
            Err(failure) if draws < DRAWS && failure.is_unique("appointments", &["tenant_id", "code"]) => {}
            outcome => return outcome,
        }
    }
}

/// Saves a changed appointment as its next version and tells it.
fn save(tx: &mut Tx<'_>, changed: Appointment, event: &str) -> storage::Result<Appointment> {
    let next = Appointment { version: changed.version.saturating_add(1), updated_at: tx.now(), ..changed };
    if !store::save(tx, &next)? {
        // Somebody changed it between our reading and our writing.
        return Err(Problem::new(&VERSION_MISMATCH).into());
    }
    announce(tx, event, &next)?;
    Ok(next)
}

fn announce(tx: &mut Tx<'_>, kind: &str, appointment: &Appointment) -> storage::Result<()> {
    let payload = json!({
        "id": appointment.id,
        "state": appointment.state,
        "service_id": appointment.service_id,
        "calendar_id": appointment.calendar_id,
        "office_id": appointment.office_id,
        "starts_at": civil::format_rfc3339(appointment.starts_at),
        "ends_at": civil::format_rfc3339(appointment.ends_at),
        "persons": appointment.persons,
        "channel": appointment.channel,
    });
    let (subject, version) = (appointment.id, appointment.version);
    outbox::emit(tx, Event { kind, subject_kind: "appointment", subject, version, payload })
}

fn new_token() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}

fn hash_token(token: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, token.as_bytes()))
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

    #[test]
    fn a_token_has_128_bits_and_only_its_digest_is_kept() {
        let token = new_token();
        assert_eq!(token.len(), 22);
        assert_ne!(hash_token(&token), token);
    }
}
