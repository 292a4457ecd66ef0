//! What may happen to an appointment, when, and at whose hand.

use jiff::{SignedDuration, Timestamp};
use kernel::{Problem, civil};
use platform::{access::policy::Wish, problems::INVALID_TRANSITION};

use super::model::{Appointment, AppointmentState};

/// How long before an appointment starts its person may be checked in. Until the end of its day in Europe/Rome
/// they may be, also when they are late; on another day never.
pub const CHECK_IN_OPENS_BEFORE: SignedDuration = SignedDuration::from_hours(2);

/// What can be done to an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Move it to another time.
    Rescheduling,
    /// Call it off.
    Cancellation,
    /// Note that the person has come.
    CheckIn,
    /// Note that the person is at the counter.
    ServiceStart,
    /// Note that it took place.
    Completion,
    /// Note that the person did not come.
    NoShow,
    /// Take back a mistaken check-in, or the no-show of somebody who has come after all.
    Reinstatement,
}

impl Transition {
    /// Every one of them.
    pub const ALL: [Self; 7] = [
        Self::Rescheduling,
        Self::Cancellation,
        Self::CheckIn,
        Self::ServiceStart,
        Self::Completion,
        Self::NoShow,
        Self::Reinstatement,
    ];

    /// The last segment of its path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Rescheduling => "rescheduling",
            Self::Cancellation => "cancellation",
            Self::CheckIn => "check-in",
            Self::ServiceStart => "service-start",
            Self::Completion => "completion",
            Self::NoShow => "no-show",
            Self::Reinstatement => "reinstatement",
        }
    }

    /// The state it leads to.
    pub const fn leads_to(self) -> AppointmentState {
        match self {
            Self::Rescheduling | Self::Reinstatement => AppointmentState::Confirmed,
            Self::Cancellation => AppointmentState::Cancelled,
            Self::CheckIn => AppointmentState::CheckedIn,
            Self::ServiceStart => AppointmentState::Serving,
            Self::Completion => AppointmentState::Completed,
            Self::NoShow => AppointmentState::NoShow,
        }
    }

    /// The event that tells it.
    pub const fn event(self) -> &'static str {
        match self {
            Self::Rescheduling => "appointment.rescheduled",
            Self::Cancellation => "appointment.cancelled",
            Self::CheckIn => "appointment.checked_in",
            Self::ServiceStart => "appointment.service_started",
            Self::Completion => "appointment.completed",
            Self::NoShow => "appointment.no_show",
            Self::Reinstatement => "appointment.reinstated",
        }
    }

    /// What somebody must be allowed to do with an appointment, to do this.
    pub const fn wish(self) -> Wish {
        match self {
            Self::Rescheduling | Self::Cancellation => Wish::Change,
            Self::CheckIn => Wish::CheckIn,
            Self::ServiceStart | Self::Completion | Self::NoShow | Self::Reinstatement => Wish::Attend,
        }
    }
}

/// Whether this may happen to it now.
///
/// It is moved or called off before it begins, and not after. A person is checked in on the day, from
/// [`CHECK_IN_OPENS_BEFORE`] on; that somebody did not come is known once it has begun, and taken back on that day
/// only.
pub fn may(appointment: &Appointment, wanted: Transition, now: Timestamp) -> bool {
    use AppointmentState::{CheckedIn, Confirmed, NoShow, Serving};
    let state = appointment.state;
    let begun = appointment.starts_at <= now;
    let on_the_day = civil::date_of(now) == civil::date_of(appointment.starts_at);
    match wanted {
        Transition::Rescheduling | Transition::Cancellation => state == Confirmed && !begun,
        Transition::CheckIn => {
            state == Confirmed && on_the_day && appointment.starts_at.duration_since(now) <= CHECK_IN_OPENS_BEFORE
        }
        Transition::ServiceStart => state == CheckedIn,
        Transition::Completion => matches!(state, CheckedIn | Serving),
        Transition::NoShow => matches!(state, Confirmed | CheckedIn) && begun,
        Transition::Reinstatement => state == CheckedIn || (state == NoShow && on_the_day),
    }
}

/// Checks that something may be done to it now.
///
/// # Errors
/// `invalid-transition`, with the state and which of the transitions that the caller has a say in are allowed
/// instead.
pub fn check(
    appointment: &Appointment,
    wanted: Transition,
    now: Timestamp,
    has_a_say: impl Fn(Transition) -> bool,
) -> Result<(), Problem> {
    if may(appointment, wanted, now) {
        return Ok(());
    }
    let allowed = Transition::ALL.into_iter().filter(|other| has_a_say(*other) && may(appointment, *other, now));
    let paths: Vec<_> = allowed.map(Transition::path).collect();
    let elsewhen = [AppointmentState::Confirmed, AppointmentState::NoShow].contains(&appointment.state);
    let why = if elsewhen { "not at this time, or not in its state" } else { "its state does not allow it" };
    Err(Problem::new(&INVALID_TRANSITION)
        .detail(why)
        .with("current_state", appointment.state.as_str())
        .with("allowed", paths))
}

/// The refusal for what is asked about the person of an appointment whose person has been taken out.
pub fn anonymised(appointment: &Appointment) -> Problem {
    Problem::new(&INVALID_TRANSITION)
        .detail("who it was for has been taken out")
        .with("current_state", appointment.state.as_str())
        .with("allowed", Vec::<&str>::new())
}

/// An actor in whose place nobody stands: who worked here keeps their own, a citizen's becomes this pseudonym. Of which
/// kind they were stays, since it is counted.
pub fn without_person(actor: &str, nobody: &str) -> String {
    match actor.split_once(':') {
        Some(("citizen", _)) => format!("citizen:{nobody}"),
        _ => actor.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use kernel::Id;
    use uuid::Uuid;

    use super::{super::model::Channel, *};

    /// On 10 May 2027 from 10:00 to 10:30.
    fn appointment(state: AppointmentState) -> Appointment {
        Appointment {
            tenant_id: Id::from_uuid(Uuid::nil()),
            id: Id::from_uuid(Uuid::nil()),
            code: "K7M2PQ4X".into(),
            service_id: Id::from_uuid(Uuid::nil()),
            calendar_id: Id::from_uuid(Uuid::nil()),
            office_id: Id::from_uuid(Uuid::nil()),
            starts_at: on(10, 10, 0),
            ends_at: on(10, 10, 30),
            persons: 1,
            state,
            channel: Channel::Citizen,
            person_key: String::new(),
            owner: String::new(),
            manage_token_hash: None,
            cancelled_by: None,
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn on(day: i8, hour: i8, minute: i8) -> Timestamp {
        civil::at(date(2027, 5, day), jiff::civil::time(hour, minute, 0, 0))
    }

    /// What may be done, as the paths' initials: `r`escheduling, c`a`ncellation, `i` check-in, `s`ervice-start,
    /// `c`ompletion, `n`o-show, `u` reinstatement.
    fn allowed(state: AppointmentState, now: Timestamp) -> String {
        let letters = Transition::ALL.into_iter().zip("raiscnu".chars());
        letters.filter(|(wanted, _)| may(&appointment(state), *wanted, now)).map(|(_, letter)| letter).collect()
    }

    #[test]
    fn what_may_happen_depends_on_state_and_time() {
        use AppointmentState::{Cancelled, CheckedIn, Completed, Confirmed, NoShow, Serving};
        let times = [
            ("the day before", on(9, 23, 59)),
            ("early on the day", on(10, 7, 59)),
            ("two hours before", on(10, 8, 0)),
            ("as it begins", on(10, 10, 0)),
            ("late that night", on(10, 23, 59)),
            ("the day after", on(11, 0, 0)),
        ];
        for (state, expected) in [
            (Confirmed, ["ra", "ra", "rai", "in", "in", "n"]),
            (CheckedIn, ["scu", "scu", "scu", "scnu", "scnu", "scnu"]),
            (Serving, ["c", "c", "c", "c", "c", "c"]),
            (Completed, [""; 6]),
            (Cancelled, [""; 6]),
            (NoShow, ["", "u", "u", "u", "u", ""]),
        ] {
            for ((when, now), expected) in times.iter().zip(expected) {
                assert_eq!(allowed(state, *now), expected, "{state:?} {when}");
            }
        }
    }

    #[test]
    fn every_transition_leads_out_of_the_states_that_allow_it() {
        for state in AppointmentState::ALL {
            for now in [on(10, 9, 0), on(10, 11, 0)] {
                for wanted in Transition::ALL {
                    let stays = wanted.leads_to() == *state && wanted != Transition::Rescheduling;
                    assert!(!(stays && may(&appointment(*state), wanted, now)), "{state:?} {wanted:?}");
                }
            }
        }
    }

    #[test]
    fn a_refusal_names_the_state_and_what_the_caller_may_do_instead() {
        let refused = |state, wanted, has_a_say: fn(Transition) -> bool| {
            let problem = check(&appointment(state), wanted, on(10, 9, 0), has_a_say).unwrap_err();
            (problem.extensions["current_state"].clone(), problem.extensions["allowed"].clone())
        };
        let told = |state: &str, allowed: &[&str]| (serde_json::json!(state), serde_json::json!(allowed));
        let person = |wanted: Transition| wanted.wish() == Wish::Change;
        assert_eq!(refused(AppointmentState::Cancelled, Transition::Cancellation, |_| true), told("cancelled", &[]));
        let arrived = AppointmentState::CheckedIn;
        assert_eq!(refused(arrived, Transition::Rescheduling, person), told("checked_in", &[]));
        let all = ["service-start", "completion", "reinstatement"];
        assert_eq!(refused(arrived, Transition::Rescheduling, |_| true), told("checked_in", &all));
    }

    #[test]
    fn only_citizens_lose_their_pseudonym() {
        for (actor, expected) in [
            ("citizen:0f0f", "citizen:none"),
            ("staff:0198", "staff:0198"),
            ("anonymous", "anonymous"),
            ("integration:K1", "integration:K1"),
        ] {
            assert_eq!(without_person(actor, "none"), expected);
        }
    }
}
