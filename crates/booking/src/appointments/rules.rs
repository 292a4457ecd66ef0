//! What may happen to an appointment, and when.

use jiff::Timestamp;
use kernel::Problem;
use platform::problems::INVALID_TRANSITION;

use super::model::{Appointment, AppointmentState};

/// What can be done to an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Move it to another time.
    Rescheduling,
    /// Call it off.
    Cancellation,
}

impl Transition {
    /// The last segment of its path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Rescheduling => "rescheduling",
            Self::Cancellation => "cancellation",
        }
    }
}

/// What may be done to it now: it is moved or called off before it begins, and not after.
pub fn allowed(appointment: &Appointment, now: Timestamp) -> &'static [Transition] {
    if appointment.state == AppointmentState::Confirmed && now < appointment.starts_at {
        &[Transition::Rescheduling, Transition::Cancellation]
    } else {
        &[]
    }
}

/// Checks that something may be done to it now.
///
/// # Errors
/// `invalid-transition`, with the state and what is allowed instead.
pub fn check(appointment: &Appointment, wanted: Transition, now: Timestamp) -> Result<(), Problem> {
    let allowed = allowed(appointment, now);
    if allowed.contains(&wanted) {
        return Ok(());
    }
    let paths: Vec<_> = allowed.iter().map(|transition| transition.path()).collect();
    let why =
        if appointment.state == AppointmentState::Confirmed { "it has begun" } else { "its state does not allow it" };
    Err(Problem::new(&INVALID_TRANSITION)
        .detail(why)
        .with("current_state", appointment.state.as_str())
        .with("allowed", paths))
}

#[cfg(test)]
mod tests {
    use kernel::Id;
    use uuid::Uuid;

    use super::{super::model::Channel, *};

    fn appointment(state: AppointmentState) -> Appointment {
        let at = |s| Timestamp::from_second(s).unwrap();
        Appointment {
            tenant_id: Id::from_uuid(Uuid::nil()),
            id: Id::from_uuid(Uuid::nil()),
            code: "K7M2PQ4X".into(),
            service_id: Id::from_uuid(Uuid::nil()),
            calendar_id: Id::from_uuid(Uuid::nil()),
            office_id: Id::from_uuid(Uuid::nil()),
            starts_at: at(1000),
            ends_at: at(2000),
            persons: 1,
            state,
            channel: Channel::Citizen,
            person_key: String::new(),
            owner: String::new(),
            manage_token_hash: None,
            cancelled_by: None,
            version: 1,
            created_at: at(0),
            updated_at: at(0),
        }
    }

    #[test]
    fn only_what_is_confirmed_and_has_not_begun_can_be_moved_or_called_off() {
        let before = Timestamp::from_second(999).unwrap();
        let begun = Timestamp::from_second(1000).unwrap();
        for state in AppointmentState::ALL {
            for wanted in [Transition::Rescheduling, Transition::Cancellation] {
                let expected = *state == AppointmentState::Confirmed;
                assert_eq!(check(&appointment(*state), wanted, before).is_ok(), expected, "{state:?} {wanted:?}");
                assert!(check(&appointment(*state), wanted, begun).is_err(), "{state:?} {wanted:?}");
            }
        }
    }

    #[test]
    fn a_refusal_names_the_state_and_what_is_allowed() {
        let now = Timestamp::from_second(0).unwrap();
        let problem = check(&appointment(AppointmentState::Cancelled), Transition::Cancellation, now).unwrap_err();
        assert_eq!(problem.extensions["current_state"], "cancelled");
        assert_eq!(problem.extensions["allowed"], serde_json::json!([]));
    }
}
