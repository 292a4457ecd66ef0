//! What comes of an attempt, and what is done next. Registering twice is worse than asking somebody to look.

use std::time::Duration;

use jiff::Timestamp;
use kernel::Problem;
use platform::{
    backoff,
    problems::{INVALID_BODY, INVALID_TRANSITION},
};
use serde_json::json;

use super::model::RegistrationState;
use crate::ports::{Capability, ProtocolError, Receipt};

/// The waits between attempts, in seconds: 1, 5, 15 and 60 minutes, then 4, 12 and 24 hours.
pub const WAITS_SECONDS: [u64; 7] = [60, 300, 900, 3600, 14_400, 43_200, 86_400];

/// Why what was annulled is not handed on.
pub const ANNULLED: &str = "annulled";

/// Why somebody has to look: an attempt may have come to something.
pub const OUTCOME_UNKNOWN: &str = "outcome-unknown";

/// How many attempts more than there are waits for may begin: after the last wait there is one, and some may have ended
/// with whoever made them.
const BEYOND: i64 = 3;

/// How far a wait may differ from what is said, in per cent.
const SPREAD: u32 = 10;

/// What has to be done first with something whose turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// It is sent.
    Send,
    /// The system is asked whether it has it already.
    LookUp,
    /// Somebody has to look.
    Ask,
}

/// What has to be done first: an attempt that nobody knows the outcome of may have come to something.
pub fn first(in_doubt: bool, capabilities: &[Capability]) -> First {
    match in_doubt {
        false => First::Send,
        true if capabilities.contains(&Capability::Lookup) => First::LookUp,
        true => First::Ask,
    }
}

/// Whether something was begun so often that whoever begins it again would only go down with it. `attempts` counts
/// those before this one.
pub fn is_hopeless(attempts: i64, waits: &[Duration]) -> bool {
    attempts > i64::try_from(waits.len()).unwrap_or(i64::MAX).saturating_add(BEYOND)
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The state from now on.
    pub state: RegistrationState,
    /// Whether nobody knows what came of it.
    pub in_doubt: bool,
    /// When it is tried again, where it is.
    pub again_at: Option<Timestamp>,
    /// Why it came to nothing.
    pub problem: Option<&'static str>,
    /// What was registered.
    pub receipt: Option<Receipt>,
}

/// What an attempt comes to. `attempts` counts this one too.
pub fn settle(
    outcome: Result<Receipt, ProtocolError>,
    capabilities: &[Capability],
    attempts: i64,
    (waits, lot, now): (&[Duration], u8, Timestamp),
) -> Settled {
    let again_at = backoff::wait(waits, attempts, SPREAD, lot).and_then(|wait| now.checked_add(wait).ok());
    let settled = |state, in_doubt, again_at, problem| Settled { state, in_doubt, again_at, problem, receipt: None };
    match outcome {
        Ok(receipt) => Settled { receipt: Some(receipt), ..settled(RegistrationState::Registered, false, None, None) },
        Err(ProtocolError::Permanent(why)) => settled(RegistrationState::Failed, false, None, Some(why)),
        Err(ProtocolError::Retryable(why)) => match again_at {
            Some(at) => settled(RegistrationState::Pending, false, Some(at), Some(why)),
            None => settled(RegistrationState::Failed, false, None, Some(why)),
        },
        Err(ProtocolError::UnknownOutcome(why)) => match again_at {
            // It is looked up before it is sent again.
            Some(at) if capabilities.contains(&Capability::Lookup) => {
                settled(RegistrationState::Pending, true, Some(at), Some(why))
            }
            _ => settled(RegistrationState::NeedsReview, true, None, Some(why)),
        },
    }
}

/// What a look-up that was not answered comes to: what was in doubt still is.
pub fn unanswered(error: &ProtocolError, attempts: i64, (waits, lot, now): (&[Duration], u8, Timestamp)) -> Settled {
    let (ProtocolError::Retryable(why) | ProtocolError::UnknownOutcome(why) | ProtocolError::Permanent(why)) = error;
    let again_at = match error {
        ProtocolError::Permanent(_) => None,
        _ => backoff::wait(waits, attempts, SPREAD, lot).and_then(|wait| now.checked_add(wait).ok()),
    };
    let state = if again_at.is_some() { RegistrationState::Pending } else { RegistrationState::NeedsReview };
    Settled { state, in_doubt: true, again_at, problem: Some(*why), receipt: None }
}

fn impossible(state: RegistrationState, allowed: &[&str]) -> Problem {
    Problem::new(&INVALID_TRANSITION).with("current_state", state.as_str()).with("allowed", json!(allowed))
}

/// Whether somebody may have it tried once more.
///
/// # Errors
/// `invalid-transition` for what has its number and for what was annulled; `invalid-body` where an attempt is in doubt
/// and nobody has looked.
pub fn may_retry(
    state: RegistrationState,
    in_doubt: bool,
    not_found_there: bool,
    is_annulled: bool,
) -> Result<(), Problem> {
    match state {
        RegistrationState::Registered => Err(impossible(state, &[])),
        RegistrationState::Pending => Err(impossible(state, &[])),
        _ if is_annulled => Err(impossible(state, &["registered"])),
        _ if in_doubt && !not_found_there => Err(Problem::new(&INVALID_BODY).field(
            "/not_found_there",
            "incomplete",
            "look into the protocol system first: an attempt may have come to something",
        )),
        RegistrationState::NeedsReview | RegistrationState::Failed => Ok(()),
    }
}

/// Whether somebody may write down the number it has there.
///
/// # Errors
/// `invalid-transition` for what is still tried, and for what has its number.
pub fn may_write_down(state: RegistrationState) -> Result<(), Problem> {
    match state {
        RegistrationState::NeedsReview | RegistrationState::Failed => Ok(()),
        RegistrationState::Registered | RegistrationState::Pending => Err(impossible(state, &[])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &[Capability] = &[Capability::Register, Capability::Lookup];
    const BLIND: &[Capability] = &[Capability::Register];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn settled(error: ProtocolError, capabilities: &[Capability], attempts: i64) -> (RegistrationState, bool, bool) {
        let waits = WAITS_SECONDS.map(Duration::from_secs);
        let settled = settle(Err(error), capabilities, attempts, (&waits, 0, at(0)));
        (settled.state, settled.in_doubt, settled.again_at.is_some())
    }

    #[test]
    fn what_is_in_doubt_is_looked_up_or_asked_about_and_never_just_sent() {
        assert_eq!(first(false, BLIND), First::Send);
        assert_eq!(first(true, BOTH), First::LookUp);
        assert_eq!(first(true, BLIND), First::Ask);
    }

    #[test]
    fn outcomes_come_to_states() {
        use RegistrationState::{Failed, NeedsReview, Pending};
        let (not_now, refused, unknown) = (
            ProtocolError::Retryable("unreachable"),
            ProtocolError::Permanent("refused"),
            ProtocolError::UnknownOutcome("timed-out"),
        );
        for (error, capabilities, attempts, expected) in [
            (&not_now, BLIND, 1, (Pending, false, true)),
            (&not_now, BLIND, 8, (Failed, false, false)),
            (&refused, BOTH, 1, (Failed, false, false)),
            (&unknown, BOTH, 1, (Pending, true, true)),
            (&unknown, BOTH, 8, (NeedsReview, true, false)),
            (&unknown, BLIND, 1, (NeedsReview, true, false)),
        ] {
            assert_eq!(settled(error.clone(), capabilities, attempts), expected, "{error} {attempts}");
        }
    }

    #[test]
    fn what_was_begun_too_often_is_left_alone() {
        let waits = WAITS_SECONDS.map(Duration::from_secs);
        assert!(!is_hopeless(0, &waits) && !is_hopeless(10, &waits) && is_hopeless(11, &waits));
    }

    #[test]
    fn a_look_up_without_answer_leaves_the_doubt() {
        let waits = WAITS_SECONDS.map(Duration::from_secs);
        let unanswered = |error, attempts| {
            let settled = unanswered(&error, attempts, (&waits, 0, at(0)));
            assert!(settled.in_doubt && settled.receipt.is_none());
            settled.state
        };
        assert_eq!(unanswered(ProtocolError::Retryable("unreachable"), 1), RegistrationState::Pending);
        assert_eq!(unanswered(ProtocolError::UnknownOutcome("timed-out"), 8), RegistrationState::NeedsReview);
        assert_eq!(unanswered(ProtocolError::Permanent("refused"), 1), RegistrationState::NeedsReview);
    }

    #[test]
    fn nothing_in_doubt_is_tried_before_somebody_has_looked() {
        use RegistrationState::{Failed, NeedsReview, Pending, Registered};
        let retried =
            |state, in_doubt, looked| may_retry(state, in_doubt, looked, false).map_err(|problem| problem.kind.slug);
        assert_eq!(retried(NeedsReview, true, false), Err("invalid-body"));
        assert_eq!(retried(NeedsReview, true, true), Ok(()));
        assert_eq!(retried(Failed, false, false), Ok(()));
        for state in [Pending, Registered] {
            assert_eq!(retried(state, false, true), Err("invalid-transition"));
            assert!(may_write_down(state).is_err());
        }
        // What was annulled is not sent any more, whoever has looked.
        assert!(may_retry(NeedsReview, true, true, true).is_err() && may_retry(Failed, false, false, true).is_err());
        assert!(may_write_down(NeedsReview).is_ok() && may_write_down(Failed).is_ok());
    }
}
