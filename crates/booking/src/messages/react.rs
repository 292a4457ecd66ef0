//! What is planned upon what happens to an appointment.

use jiff::{SignedDuration, Timestamp};
use platform::{
    messages::{self, NewMessage},
    outbox::StoredEvent,
    settings::store as settings,
};
use storage::Tx;

use super::{CANCELLATION, CHANGE, CONFIRMATION, REMINDER};
use crate::appointments::{Appointment, AppointmentId, AppointmentState, store};

/// What an event asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    /// The message that goes out at once.
    now: Option<&'static str>,
    /// What still waits and is no longer true.
    outdated: &'static [&'static str],
    /// Whether the person is reminded, from what is true now.
    remind: bool,
}

/// What an event of an appointment asks for; nothing for those that people need not be told of.
fn asked(event: &str) -> Option<Asked> {
    let asked = |now, outdated, remind| Some(Asked { now, outdated, remind });
    match event {
        "appointment.confirmed" => asked(Some(CONFIRMATION), &[], true),
        "appointment.rescheduled" => asked(Some(CHANGE), &[REMINDER, CHANGE], true),
        // Whom it is for may be another.
        "appointment.updated" => asked(None, &[REMINDER], true),
        "appointment.cancelled" => asked(Some(CANCELLATION), &[CONFIRMATION, REMINDER, CHANGE], false),
        "appointment.checked_in" | "appointment.completed" | "appointment.no_show" => asked(None, &[REMINDER], false),
        _ => None,
    }
}

/// When a person is reminded: so long before it begins, and not when less than that is left.
fn reminder_at(starts_at: Timestamp, hours: u32, now: Timestamp) -> Option<Timestamp> {
    let at = starts_at.saturating_sub(SignedDuration::from_hours(i64::from(hours))).ok()?;
    (at > now).then_some(at)
}

/// Plans the messages that an event asks for, and withdraws those that it has outdated. What is planned is decided by
/// the appointment as it is now, which may be further than the event; who looks at the event again plans nothing more.
///
/// # Errors
/// When the database fails.
pub fn react(tx: &mut Tx<'_>, event: &StoredEvent) -> storage::Result<()> {
    if event.subject_kind != "appointment" {
        return Ok(());
    }
    let Some(asked) = asked(&event.kind) else { return Ok(()) };
    let id: AppointmentId = event.subject_id.cast();
    let Some(appointment) = store::find(tx, id)? else { return Ok(()) };
    messages::withdraw(tx, id.cast(), asked.outdated, event.id, "outdated")?;
    if let Some(kind) = asked.now
        && is_true(kind, &appointment)
    {
        let now = tx.now();
        plan(tx, kind, &appointment, event, now)?;
    }
    if asked.remind && is_true(REMINDER, &appointment) {
        let hours = settings::get(tx)?.settings.messages.reminder_hours();
        if let Some(at) = reminder_at(appointment.starts_at, hours, tx.now()) {
            plan(tx, REMINDER, &appointment, event, at)?;
        }
    }
    Ok(())
}

/// Whether a message of this kind would be true of the appointment.
pub(super) fn is_true(kind: &str, appointment: &Appointment) -> bool {
    match kind {
        CANCELLATION => appointment.state == AppointmentState::Cancelled,
        REMINDER => appointment.state == AppointmentState::Confirmed,
        _ => AppointmentState::OPEN.contains(&appointment.state),
    }
}

fn plan(
    tx: &mut Tx<'_>,
    kind: &str,
    appointment: &Appointment,
    event: &StoredEvent,
    send_at: Timestamp,
) -> storage::Result<()> {
    let new = NewMessage {
        kind,
        subject_kind: "appointment",
        subject: appointment.id.cast(),
        person: &appointment.person_key,
        event: event.id,
        send_at,
    };
    messages::plan(tx, &new)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_people_is_told_them() {
        let told = |event| asked(event).and_then(|asked| asked.now);
        assert_eq!(told("appointment.confirmed"), Some(CONFIRMATION));
        assert_eq!(told("appointment.rescheduled"), Some(CHANGE));
        assert_eq!(told("appointment.cancelled"), Some(CANCELLATION));
        for event in ["appointment.updated", "appointment.no_show", "appointment.checked_in"] {
            assert_eq!(told(event), None, "{event}");
            assert!(asked(event).unwrap().outdated.contains(&REMINDER), "{event}");
        }
        for event in ["appointment.service_started", "appointment.reinstated", "office.updated"] {
            assert_eq!(asked(event), None, "{event}");
        }
    }

    #[test]
    fn who_books_late_is_not_reminded() {
        let now: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
        let at = |starts_at: &str| reminder_at(starts_at.parse().unwrap(), 24, now).map(|at| at.to_string());
        assert_eq!(at("2026-12-03T08:00:00Z").as_deref(), Some("2026-12-02T08:00:00Z"));
        assert_eq!(at("2026-12-02T08:00:01Z").as_deref(), Some("2026-12-01T08:00:01Z"));
        assert_eq!(at("2026-12-02T08:00:00Z"), None);
        assert_eq!(at("2026-12-01T09:00:00Z"), None);
    }
}
