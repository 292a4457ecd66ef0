//! What booking, moving and calling off consist of: each one transaction, all or nothing.

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use kernel::{Problem, PublicCode, civil, holidays::HolidayCalendar};
use platform::{
    access::{Caller, Pseudonym},
    audit::{self, Change},
    messages::store as messages,
    outbox::{self, Event},
    privacy::Place,
};
use serde_json::{Value, json};
use storage::{DbError, Tx};

use super::{
    amending::{
        model::AppointmentPatch,
        rules::{self as amending, Amended},
    },
    find::Party,
    history::store as history,
    model::{Applicant, Appointment, AppointmentId, AppointmentState, Channel},
    rules::{self, Transition},
    store,
};
use crate::{
    calendars::{claim, store as calendars},
    holds::{HoldId, store as holds},
    messages::{CANCELLATION, CHANGE, CONFIRMATION},
    offers::{self, Offer, Terms, Wish},
    problems::{HOLD_EXPIRED, HOLD_MISMATCH, PERSON_LIMIT_REACHED},
    services::{AppointmentService, store as services},
};

/// An appointment to be made.
#[derive(Debug, Clone)]
pub struct Order {
    /// What for, where, when, for how many.
    pub wish: Wish,
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
    /// On which terms they book.
    pub terms: Terms,
}

/// An appointment made, and the token to manage it with, seen only here.
pub struct Booked {
    /// The appointment.
    pub appointment: Appointment,
    /// Given to who did not sign in.
    pub manage_token: Option<String>,
}

kernel::redacted_debug!(Booked);

/// Books what an offer gives.
///
/// # Errors
/// Every refusal of booking; nothing is written then.
pub fn book(tx: &mut Tx<'_>, offer: &Offer, order: &Order, holidays: &HolidayCalendar) -> storage::Result<Booked> {
    let id: AppointmentId = tx.new_id();
    let ends_at = match order.hold_id {
        Some(hold) => use_hold(tx, order, hold, id)?,
        None => {
            let visit = claim::plan_visit(tx, offer, holidays, order.wish, order.terms)?;
            claim::lock(tx, &offer.calendar, &visit)?;
            claim::take(tx, &offer.calendar, &visit, id.cast(), None)?;
            visit.ends_at
        }
    };
    // Asked last: who may not have this time anyway learns nothing about whom they name.
    check_limit(tx, &offer.service, &order.person_key)?;
    let manage_token = (order.channel == Channel::Anonymous).then(new_token);
    let mut appointment = Appointment {
        tenant_id: tx.tenant(),
        id,
        code: String::new(),
        service_id: order.wish.service_id,
        calendar_id: order.wish.calendar_id,
        office_id: offer.calendar.office_id,
        starts_at: order.wish.starts_at,
        ends_at,
        persons: order.wish.persons,
        state: AppointmentState::Confirmed,
        channel: order.channel,
        person_key: order.person_key.clone(),
        owner: order.owner.clone(),
        manage_token_hash: manage_token.as_deref().map(hash_token),
        cancelled_by: None,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    insert_with_code(tx, &mut appointment, &order.applicant)?;
    announce(tx, "appointment.confirmed", None, &appointment)?;
    Ok(Booked { appointment, manage_token })
}

/// Moves an appointment to what an offer gives: the old time is given back and the new one taken in the
/// same transaction. Asking for the time it already has changes nothing.
///
/// # Errors
/// Every refusal of booking, and `invalid-transition`; the appointment then stays where it was.
pub(super) fn reschedule(
    tx: &mut Tx<'_>,
    appointment: Appointment,
    offer: &Offer,
    to: Timestamp,
    who: Party<'_>,
) -> storage::Result<Appointment> {
    who.check(&appointment, Transition::Rescheduling, tx.now())?;
    let calendar = &offer.calendar;
    if appointment.starts_at == to && appointment.calendar_id == calendar.id {
        return Ok(appointment);
    }
    let persons = appointment.persons;
    let wish = Wish { service_id: offer.service.id, calendar_id: calendar.id, starts_at: to, persons };
    let moved = take_anew(tx, &appointment, offer, wish, who)?;
    save(tx, &appointment, moved, Transition::Rescheduling.event())
}

/// Gives back an appointment's time and takes the one that is wished for. Answers what has become of it.
fn take_anew(
    tx: &mut Tx<'_>,
    appointment: &Appointment,
    offer: &Offer,
    wish: Wish,
    who: Party<'_>,
) -> storage::Result<Appointment> {
    let calendar = &offer.calendar;
    // Who holds the token moves as the public does, whatever else they are elsewhere.
    let terms = if who.holds_token { Terms::Public } else { Terms::of(who.caller) };
    let visit = claim::plan_visit(tx, offer, &who.caller.tenant.holidays(), wish, terms)?;
    let claim = appointment.id.cast();
    claim::lock_for_move(tx, calendar, &visit, claim)?;
    calendars::release(tx, claim)?;
    claim::take(tx, calendar, &visit, claim, None)?;
    Ok(Appointment {
        calendar_id: calendar.id,
        office_id: calendar.office_id,
        starts_at: visit.starts_at,
        ends_at: visit.ends_at,
        persons: wish.persons,
        ..appointment.clone()
    })
}

/// Amends who comes, how many, and what the office should know. Another number takes another time from the same
/// start, as a move would. What is the same already changes nothing.
///
/// # Errors
/// `forbidden` for what is the office's to amend, `invalid-transition` once it has begun, except for who comes, at the
/// office's hand; every refusal of booking. Nothing is written then.
pub(super) fn amend(
    tx: &mut Tx<'_>,
    appointment: Appointment,
    patch: &AppointmentPatch,
    who: Party<'_>,
) -> storage::Result<Appointment> {
    let before = store::applicant(tx, appointment.id)?.ok_or_else(|| rules::anonymised(&appointment))?;
    let wanted = Amended::by(patch, &appointment, &before);
    let differences = wanted.differences(&appointment, &before);
    let Amended { persons, applicant } = wanted;
    let by_office = who.amends_people();
    if !by_office {
        amending::check_theirs(&differences)?;
    }
    if differences.is_empty() {
        return Ok(appointment);
    }
    let longer_or_shorter = persons != appointment.persons;
    if longer_or_shorter || !by_office {
        who.check(&appointment, Transition::Rescheduling, tx.now())?;
    }
    let mut amended = appointment.clone();
    if longer_or_shorter {
        let offer = offers::find(tx, appointment.service_id, appointment.calendar_id)?;
        let Appointment { service_id, calendar_id, starts_at, .. } = appointment;
        let wish = Wish { service_id, calendar_id, starts_at, persons };
        amended = take_anew(tx, &appointment, &offer, wish, who)?;
    }
    if applicant.tax_code != before.tax_code || applicant.email != before.email {
        let person = person_of(who.caller, appointment.channel, &applicant);
        if person.as_str() != appointment.person_key {
            if AppointmentState::OPEN.contains(&appointment.state) {
                let gone = || DbError::Other("an appointment without its service".to_owned());
                let service = services::service(tx, appointment.service_id)?.ok_or_else(gone)?;
                check_limit(tx, &service, person.as_str())?;
            }
            person.as_str().clone_into(&mut amended.person_key);
            if appointment.channel.is_on_behalf() {
                person.actor().as_str().clone_into(&mut amended.owner);
            }
        }
    }
    store::save_applicant(tx, appointment.id, &applicant)?;
    save_amended(tx, "appointment.updated", (&appointment, &before), (amended, &applicant), &differences)
}

/// Calls an appointment off and frees its time. Calling it off again changes nothing.
///
/// # Errors
/// `invalid-transition` when it has begun or ended.
pub(super) fn cancel(
    tx: &mut Tx<'_>,
    appointment: Appointment,
    reason: Option<&str>,
    who: Party<'_>,
) -> storage::Result<Appointment> {
    if appointment.state == AppointmentState::Cancelled {
        return Ok(appointment);
    }
    who.check(&appointment, Transition::Cancellation, tx.now())?;
    calendars::release(tx, appointment.id.cast())?;
    if let Some(reason) = reason {
        store::save_cancellation_reason(tx, appointment.id, reason)?;
    }
    let cancelled = Appointment {
        state: AppointmentState::Cancelled,
        cancelled_by: Some(tx.actor().as_str().to_owned()),
        ..appointment.clone()
    };
    save(tx, &appointment, cancelled, Transition::Cancellation.event())
}

/// Notes what happened at the counter. Noting it again changes nothing. Who did not come and who is done needs
/// no more time: what is left of theirs is free again, and taken again for who is reinstated.
///
/// # Errors
/// `invalid-transition`; `slot-taken` when the time of who is reinstated has been given to somebody else.
pub(super) fn attend(
    tx: &mut Tx<'_>,
    appointment: Appointment,
    transition: Transition,
    caller: &Caller,
) -> storage::Result<Appointment> {
    if appointment.state == transition.leads_to() && transition != Transition::Reinstatement {
        return Ok(appointment);
    }
    Party { caller, holds_token: false }.check(&appointment, transition, tx.now())?;
    let claim = appointment.id.cast();
    match (transition, appointment.state) {
        (Transition::Completion | Transition::NoShow, _) => {
            claim::give_back_the_rest(tx, appointment.calendar_id, claim)?;
        }
        (Transition::Reinstatement, AppointmentState::NoShow) => {
            let offer = offers::find(tx, appointment.service_id, appointment.calendar_id)?;
            let times = appointment.starts_at..appointment.ends_at;
            claim::take_the_rest(tx, &offer, &caller.tenant.holidays(), times, claim, Terms::of(caller))?;
        }
        _ => {}
    }
    let noted = Appointment { state: transition.leads_to(), ..appointment.clone() };
    save(tx, &appointment, noted, transition.event())
}

/// Whom an appointment counts for, by what is known of who comes and by which way it was booked.
pub(super) fn person_of(caller: &Caller, channel: Channel, applicant: &Applicant) -> Pseudonym {
    person_at(Place::of(caller), channel, applicant)
}

/// The same, for whoever has no caller at hand.
pub(super) fn person_at(place: Place<'_>, channel: Channel, applicant: &Applicant) -> Pseudonym {
    let (secret, tenant) = (place.secret, place.tenant.tenant_id);
    match (&applicant.tax_code, channel) {
        // A claim about somebody, by nobody in particular: it must not count against that person.
        (_, Channel::Anonymous) => Pseudonym::of_unproved_email(secret, tenant, &applicant.email),
        (Some(tax_code), _) => Pseudonym::of_tax_code(secret, tenant, tax_code),
        (None, _) => Pseudonym::of_email(secret, tenant, &applicant.email),
    }
}

/// Whether a token manages an appointment.
pub fn token_fits(appointment: &Appointment, token: &str) -> bool {
    let given = hash_token(token);
    let stored = appointment.manage_token_hash.as_deref();
    stored.is_some_and(|hash| verify_slices_are_equal(hash.as_bytes(), given.as_bytes()).is_ok())
}

fn check_limit(tx: &mut Tx<'_>, service: &AppointmentService, person_key: &str) -> storage::Result<()> {
    let Some(limit) = service.max_per_person else { return Ok(()) };
    store::lock_person(tx, person_key)?;
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
    if hold.wish() != order.wish {
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
pub(super) fn save(
    tx: &mut Tx<'_>,
    before: &Appointment,
    changed: Appointment,
    event: &str,
) -> storage::Result<Appointment> {
    let next = next_version(tx, changed)?;
    announce(tx, event, Some(before), &next)?;
    Ok(next)
}

fn next_version(tx: &mut Tx<'_>, changed: Appointment) -> storage::Result<Appointment> {
    let next = Appointment { version: changed.version.saturating_add(1), updated_at: tx.now(), ..changed };
    if !store::save(tx, &next)? {
        // Somebody changed it between our reading and our writing: look again, and decide on what is there now.
        return Err(DbError::Retry("the appointment changed meanwhile".to_owned()).into());
    }
    Ok(next)
}

/// Tells what happened, to those who listen and to the audit.
fn announce(
    tx: &mut Tx<'_>,
    kind: &str,
    before: Option<&Appointment>,
    appointment: &Appointment,
) -> storage::Result<()> {
    let after = state(appointment);
    // Where it was before it moved: the time that is free again.
    let moved = before
        .filter(|before| before.starts_at != appointment.starts_at || before.calendar_id != appointment.calendar_id);
    let previous = moved.map_or(Value::Null, |before| {
        json!({
            "calendar_id": before.calendar_id,
            "starts_at": civil::format_rfc3339(before.starts_at),
            "ends_at": civil::format_rfc3339(before.ends_at),
        })
    });
    let payload = with(after.clone(), "previous", previous);
    let earlier = before.map(state);
    let told = Told { kind, payload, before: earlier.as_ref(), after: &after };
    tell(tx, before, appointment, told)
}

/// The event of an appointment whose person was put right.
pub(super) const RECTIFIED: &str = "appointment.rectified";

/// Saves an amended appointment as its next version and tells which members are different: what they hold is for
/// those who may fetch it, and the audit keeps a digest of it.
pub(super) fn save_amended(
    tx: &mut Tx<'_>,
    kind: &str,
    (earlier, was): (&Appointment, &Applicant),
    (changed, is): (Appointment, &Applicant),
    differences: &[&'static str],
) -> storage::Result<Appointment> {
    let next = next_version(tx, changed)?;
    if next.person_key != earlier.person_key {
        if kind == RECTIFIED || was.is_known_as(is) {
            // The same person, known better: what was written to them stays theirs.
            messages::rekey(tx, next.id.cast(), &earlier.person_key, &next.person_key)?;
        } else {
            // A reminder is planned anew, as whoever it is for now wishes.
            messages::readdress(tx, next.id.cast(), &[CONFIRMATION, CHANGE, CANCELLATION], &next.person_key)?;
        }
    }
    let whole = |appointment: &Appointment, person: &Applicant| {
        let person =
            json!([person.given_name, person.family_name, person.tax_code, person.email, person.phone, person.notes]);
        with(state(appointment), "applicant", person)
    };
    let payload = with(state(&next), "changed", json!(differences));
    let (before, after) = (whole(earlier, was), whole(&next, is));
    tell(tx, Some(earlier), &next, Told { kind, payload, before: Some(&before), after: &after })?;
    Ok(next)
}

/// What of an appointment is told to those who listen.
fn state(appointment: &Appointment) -> Value {
    json!({
        "id": appointment.id,
        "state": appointment.state,
        "service_id": appointment.service_id,
        "calendar_id": appointment.calendar_id,
        "office_id": appointment.office_id,
        "starts_at": civil::format_rfc3339(appointment.starts_at),
        "ends_at": civil::format_rfc3339(appointment.ends_at),
        "persons": appointment.persons,
        "channel": appointment.channel,
    })
}

fn with(mut state: Value, name: &str, value: Value) -> Value {
    if let Value::Object(members) = &mut state {
        members.insert(name.to_owned(), value);
    }
    state
}

/// What is told of a change: to everybody, and as digests to the audit.
struct Told<'a> {
    kind: &'a str,
    payload: Value,
    before: Option<&'a Value>,
    after: &'a Value,
}

fn tell(tx: &mut Tx<'_>, earlier: Option<&Appointment>, now: &Appointment, told: Told<'_>) -> storage::Result<()> {
    let Told { kind, payload, before, after } = told;
    let (subject, version, subject_kind) = (now.id, now.version, "appointment");
    outbox::emit(tx, Event { kind, subject_kind, subject, version, payload })?;
    history::record(tx, kind, earlier, now)?;
    audit::record(tx, Change { action: kind, subject_kind, subject, before, after: Some(after) })
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
    fn a_token_has_128_bits_and_only_its_digest_is_kept() {
        let token = new_token();
        assert_eq!(token.len(), 22);
        assert_ne!(hash_token(&token), token);
    }
}
