//! The appointment that a request names, when its caller may do to it what it asks.

use jiff::Timestamp;
use kernel::{Problem, PublicCode};
use platform::{
    access::{Caller, CallerKind, policy},
    http::not_found,
    problems::{FORBIDDEN, UNAUTHENTICATED},
};
use storage::Tx;

use super::{
    changes,
    model::{Appointment, AppointmentId, AppointmentLookup},
    rules::{self, Transition},
    store,
};
use crate::problems::CODE_TOKEN_MISMATCH;

/// Somebody who does something with an appointment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Party<'a> {
    pub(super) caller: &'a Caller,
    /// Whether they hold its manage token: then it is as good as theirs.
    pub(super) holds_token: bool,
}

impl Party<'_> {
    /// Whether they may do this with it.
    pub(super) fn may(self, wish: policy::Wish, appointment: &Appointment) -> bool {
        let opened = self.holds_token && matches!(wish, policy::Wish::Read | policy::Wish::Change);
        opened || policy::appointments(self.caller, wish).contains(&appointment.object())
    }

    /// Whether they say anew who comes and how many, and not only how they are reached.
    pub(super) fn amends_people(self) -> bool {
        !self.holds_token && policy::amends_people(self.caller)
    }

    /// Refuses what its state or the time does not allow, and tells what this party may do instead.
    pub(super) fn check(self, appointment: &Appointment, wanted: Transition, now: Timestamp) -> Result<(), Problem> {
        rules::check(appointment, wanted, now, |other| self.may(other.wish(), appointment))
    }
}

/// The appointment, when this caller may do this to it: because it is theirs, because of their office,
/// or because they hold its manage token.
pub(crate) fn find_for(
    tx: &mut Tx<'_>,
    caller: &Caller,
    id: AppointmentId,
    wish: policy::Wish,
    manage_token: Option<&str>,
) -> storage::Result<Appointment> {
    if matches!(wish, policy::Wish::Change | policy::Wish::CheckIn | policy::Wish::Attend) {
        store::lock(tx, id)?;
    }
    let found = store::find(tx, id)?;
    if let Some(token) = manage_token {
        let fits = found.filter(|appointment| changes::token_fits(appointment, token));
        return Ok(fits.ok_or_else(|| Problem::new(&CODE_TOKEN_MISMATCH))?);
    }
    must_say_who(caller)?;
    let party = Party { caller, holds_token: false };
    match found {
        Some(appointment) if party.may(wish, &appointment) => Ok(appointment),
        // They see it, so they may know that it is there.
        Some(appointment) if party.may(policy::Wish::Read, &appointment) => {
            Err(Problem::new(&FORBIDDEN).detail("this caller may read it, and not do this").into())
        }
        _ => Err(not_found().into()),
    }
}

/// The appointment of a code, for who has its manage token. Whether the code exists is not told.
pub(crate) fn find_by_code(tx: &mut Tx<'_>, lookup: &AppointmentLookup) -> storage::Result<Appointment> {
    let found = match PublicCode::parse(&lookup.code) {
        Ok(code) => store::by_code(tx, code.as_str())?,
        Err(_no_code) => None,
    };
    let fits = found.filter(|appointment| changes::token_fits(appointment, &lookup.manage_token));
    Ok(fits.ok_or_else(|| Problem::new(&CODE_TOKEN_MISMATCH))?)
}

/// Nobody in particular has no appointments: they are asked who they are, whatever they ask for.
pub(super) fn must_say_who(caller: &Caller) -> Result<(), Problem> {
    if matches!(caller.kind, CallerKind::Anonymous) {
        return Err(Problem::new(&UNAUTHENTICATED).detail("a token or a manage token is needed"));
    }
    Ok(())
}
