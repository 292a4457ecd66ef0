//! What is asked alike of the claims of a voucher and of a signature.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::access::tokens::{LEEWAY, numeric_date};

/// The longest word that is read: identifiers are far shorter.
const LONGEST_WORD: usize = 255;

/// What is wrong with a claim. Names the claim and holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimFault {
    /// It is not there.
    #[error("the claim {0} is missing")]
    Missing(&'static str),
    /// It is of another form.
    #[error("the claim {0} is malformed")]
    Malformed(&'static str),
    /// Past its `exp`.
    #[error("it has expired")]
    Expired,
    /// Before its `nbf`, or issued in the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// From `iat` to `exp` is longer than is allowed.
    #[error("it is valid for too long")]
    TooLong,
    /// Meant for somebody else.
    #[error("it is for another audience")]
    Audience,
    /// It names another client than the one that calls.
    #[error("the claim {0} names another client")]
    OtherClient(&'static str),
}

impl ClaimFault {
    /// A word for the log that does not change when the sentence does.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing(_) => "claim-missing",
            Self::Malformed(_) => "claim-malformed",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::TooLong => "too-long-a-life",
            Self::Audience => "audience",
            Self::OtherClient(_) => "other-client",
        }
    }
}

/// Claims whose signature has been checked.
#[derive(Clone, Copy)]
pub(super) struct Claims<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Claims<'a> {
    pub(super) fn get(self, name: &'static str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A word of visible ASCII characters: it goes into the log, and into the database.
    pub(super) fn word(self, name: &'static str) -> Result<&'a str, ClaimFault> {
        let value = self.get(name).ok_or(ClaimFault::Missing(name))?;
        let is_word =
            |text: &&str| (1..=LONGEST_WORD).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        value.as_str().filter(is_word).ok_or(ClaimFault::Malformed(name))
    }

    fn instant(self, name: &'static str) -> Result<Timestamp, ClaimFault> {
        let value = self.get(name).ok_or(ClaimFault::Missing(name))?;
        numeric_date(value).ok().ok_or(ClaimFault::Malformed(name))
    }

    /// Until when it is in force, if it is now. `iat` and `exp` must be there.
    pub(super) fn in_force(self, now: Timestamp, longest: Option<SignedDuration>) -> Result<Timestamp, ClaimFault> {
        let (issued, expiry) = (self.instant("iat")?, self.instant("exp")?);
        if now.duration_since(expiry) >= LEEWAY {
            return Err(ClaimFault::Expired);
        }
        let start = if self.get("nbf").is_some() { self.instant("nbf")? } else { issued };
        if start.max(issued).duration_since(now) > LEEWAY {
            return Err(ClaimFault::NotYetValid);
        }
        if longest.is_some_and(|longest| expiry.duration_since(issued) > longest) {
            return Err(ClaimFault::TooLong);
        }
        Ok(expiry)
    }

    pub(super) fn must_be_for(self, audience: &str) -> Result<(), ClaimFault> {
        let is_ours = match self.get("aud").ok_or(ClaimFault::Missing("aud"))? {
            Value::String(only) => only == audience,
            Value::Array(several) => several.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        };
        if is_ours { Ok(()) } else { Err(ClaimFault::Audience) }
    }

    /// A claim that need not be there; where it is, it names this client.
    pub(super) fn may_name(self, name: &'static str, client_id: &str) -> Result<(), ClaimFault> {
        match self.get(name) {
            Some(value) if !value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(client_id)) => {
                Err(ClaimFault::OtherClient(name))
            }
            _ => Ok(()),
        }
    }
}
