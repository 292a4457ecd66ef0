//! The one place that decides what a caller may do.
//!
//! Two questions, answered from the same facts so that a list can never show what a read forbids:
//! may this caller do this to this object, and which rows may this caller list.

use kernel::{Id, Problem};

use super::{
    assurance,
    caller::{Caller, CallerKind},
    keys::KeyScope,
    staff::StaffRole,
};
use crate::{directory::Office, problems::UNAUTHENTICATED};

/// What matters about an object when somebody wants it: whose it is, and which office answers for it.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    /// The actor it belongs to.
    pub owner: &'a str,
    /// The office that answers for it.
    pub office: Id<Office>,
}

/// What somebody wants to do with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// See it, personal data included.
    Read,
    /// Change it.
    Change,
    /// Note that the person has come.
    CheckIn,
    /// Note what happens at the counter: served, done, did not come.
    Attend,
    /// Read and write what the office notes for itself.
    Annotate,
}

/// Which rows a caller may list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// All of the Comune's.
    All,
    /// Those that these offices answer for.
    OfOffices(Vec<Id<Office>>),
    /// One's own.
    OwnedBy(String),
    /// None.
    None,
}

impl Rows {
    /// Whether a row is among them.
    pub fn contains(&self, object: &Object<'_>) -> bool {
        match self {
            Self::All => true,
            Self::OfOffices(offices) => offices.contains(&object.office),
            Self::OwnedBy(owner) => owner == object.owner,
            Self::None => false,
        }
    }
}

/// Which appointments a caller may see or change.
///
/// A device sees those of its office, notes who has come, and changes nothing else. What happens at the counter is
/// for those who work there; what an office notes for itself is for people, not for systems. A manage token is a right of its own, given
/// for one appointment, and is not asked about here.
pub fn appointments(caller: &Caller, wish: Wish) -> Rows {
    match &caller.kind {
        CallerKind::Anonymous => Rows::None,
        CallerKind::Citizen(_) if assurance::required(caller).is_err() => Rows::None,
        CallerKind::Citizen(_) if matches!(wish, Wish::Read | Wish::Change) => {
            Rows::OwnedBy(caller.actor().as_str().to_owned())
        }
        CallerKind::Citizen(_) => Rows::None,
        CallerKind::Staff(member) if member.central || member.role == StaffRole::Admin => Rows::All,
        CallerKind::Staff(member) => Rows::OfOffices(member.offices.clone()),
        CallerKind::Device(key) if matches!(wish, Wish::Read | Wish::CheckIn) => {
            Rows::OfOffices(key.office_id.into_iter().collect())
        }
        CallerKind::Device(_) => Rows::None,
        CallerKind::Integration(_) if wish == Wish::Annotate => Rows::None,
        CallerKind::Integration(system) => {
            let scope = if wish == Wish::Read { KeyScope::AppointmentsRead } else { KeyScope::AppointmentsWrite };
            if system.has_scope(scope) { Rows::All } else { Rows::None }
        }
        // Whoever runs the machines has no business with who goes to the registry office.
        CallerKind::Platform(_) => Rows::None,
    }
}

/// What somebody wants to do with a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentWish {
    /// See it.
    Read,
    /// Pay it, or help with that.
    Pay,
    /// Ask for it, decide about it, call it off, record what was given back.
    Manage,
}

/// Which payments a caller may see, pay or decide about. A device takes no money; an access token is a right of its
/// own, given for one payment, and is not asked about here.
pub fn payments(caller: &Caller, wish: PaymentWish) -> Rows {
    match &caller.kind {
        CallerKind::Citizen(_) if assurance::required(caller).is_err() || wish == PaymentWish::Manage => Rows::None,
        CallerKind::Citizen(_) => Rows::OwnedBy(caller.actor().as_str().to_owned()),
        CallerKind::Staff(member) if member.central || member.role == StaffRole::Admin => Rows::All,
        CallerKind::Staff(member) => Rows::OfOffices(member.offices.clone()),
        CallerKind::Integration(system) => {
            let scope = if wish == PaymentWish::Read { KeyScope::PaymentsRead } else { KeyScope::PaymentsWrite };
            if system.has_scope(scope) { Rows::All } else { Rows::None }
        }
        CallerKind::Anonymous | CallerKind::Device(_) | CallerKind::Platform(_) => Rows::None,
    }
}

/// Whether a caller is told, in lists and searches, whom appointments are for.
pub const fn knows_people(caller: &Caller) -> bool {
    matches!(caller.kind, CallerKind::Staff(_) | CallerKind::Integration(_))
}

/// Whether what a caller reads of people is read for the Comune, and not by whom it is about or who acts for them.
pub const fn reads_for_comune(caller: &Caller) -> bool {
    matches!(caller.kind, CallerKind::Staff(_) | CallerKind::Device(_) | CallerKind::Integration(_))
}

/// Whether a caller who may change an appointment may also say anew who comes and how many. Whose it is says only
/// how they are reached.
pub const fn amends_people(caller: &Caller) -> bool {
    matches!(caller.kind, CallerKind::Staff(_) | CallerKind::Integration(_))
}

/// How a caller books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booking {
    /// Without saying who they are: gets a manage token.
    Anonymous,
    /// For themselves.
    Own,
    /// On behalf of somebody, as staff of the calendar's office.
    OnBehalf,
    /// On behalf of somebody, as another system.
    Integration,
}

/// Whether a caller may book at an office, and how.
///
/// # Errors
/// `unauthenticated` where the service wants to know who comes; `assurance-too-low` for citizens who are not known
/// well enough; `forbidden` for callers who do not book here.
pub fn booking(caller: &Caller, office: Id<Office>, anonymous_allowed: bool) -> Result<Booking, Problem> {
    match &caller.kind {
        CallerKind::Anonymous if anonymous_allowed => Ok(Booking::Anonymous),
        CallerKind::Anonymous => {
            Err(Problem::new(&UNAUTHENTICATED).detail("this service is booked by citizens who have signed in"))
        }
        CallerKind::Citizen(_) => assurance::required(caller).map(|()| Booking::Own),
        CallerKind::Staff(_) if may(caller, Wish::Change, office) => Ok(Booking::OnBehalf),
        CallerKind::Staff(_) => Err(forbidden("you do not work at this office")),
        CallerKind::Integration(system) if system.has_scope(KeyScope::AppointmentsWrite) => Ok(Booking::Integration),
        CallerKind::Integration(_) => Err(forbidden("the caller lacks the scope appointments:write")),
        CallerKind::Device(_) | CallerKind::Platform(_) => Err(forbidden("this key does not book")),
    }
}

/// Whether a caller who may change an appointment may move it to this office. Citizens go where the service
/// is given; staff stay within their offices.
///
/// # Errors
/// `forbidden` for staff of other offices.
pub fn rebooking(caller: &Caller, office: Id<Office>) -> Result<(), Problem> {
    if matches!(caller.kind, CallerKind::Staff(_)) && !may(caller, Wish::Change, office) {
        return Err(forbidden("you do not work at the office it would move to"));
    }
    Ok(())
}

fn may(caller: &Caller, wish: Wish, office: Id<Office>) -> bool {
    appointments(caller, wish).contains(&Object { owner: "", office })
}

/// Whether a change by this caller must name the version it changes.
pub const fn must_match_version(caller: &Caller) -> bool {
    matches!(caller.kind, CallerKind::Staff(_) | CallerKind::Integration(_))
}

/// Whether a caller administers the Comune: its offices, services, calendars, settings and staff.
///
/// # Errors
/// `unauthenticated` for callers who did not say who they are, `forbidden` for others than admins.
pub fn administration(caller: &Caller) -> Result<(), Problem> {
    match &caller.kind {
        CallerKind::Anonymous => Err(Problem::new(&UNAUTHENTICATED)),
        CallerKind::Staff(member) if member.role == StaffRole::Admin => Ok(()),
        _ => Err(forbidden("this is for the admins of the Comune")),
    }
}

/// Whether a caller answers what people ask about the data that is held of them: everything of one person, from every
/// office.
///
/// # Errors
/// `unauthenticated` for callers who did not say who they are, `forbidden` for others than admins and the managers of
/// the URP.
pub fn personal_data(caller: &Caller) -> Result<(), Problem> {
    match &caller.kind {
        CallerKind::Staff(member) if member.role == StaffRole::Manager && member.central => Ok(()),
        CallerKind::Staff(member) if member.role != StaffRole::Admin => {
            Err(forbidden("this is for admins and for managers of the central office"))
        }
        _ => administration(caller),
    }
}

/// Whether a caller administers offices, places, services and calendars of the Comune.
///
/// # Errors
/// `unauthenticated` for callers who did not say who they are, `forbidden` for others than admins and systems with
/// the scope.
pub fn directory(caller: &Caller) -> Result<(), Problem> {
    match &caller.kind {
        CallerKind::Integration(system) if system.has_scope(KeyScope::DirectoryWrite) => Ok(()),
        CallerKind::Integration(_) => Err(forbidden("the caller lacks the scope directory:write")),
        _ => administration(caller),
    }
}

/// Whether a caller decides for an office: when its counters are open, and what its time is kept for.
///
/// # Errors
/// `unauthenticated` for callers who did not say who they are, `forbidden` for others than the office's managers,
/// the managers of the URP, admins, and systems with the scope.
pub fn management(caller: &Caller, office: Id<Office>) -> Result<(), Problem> {
    match &caller.kind {
        CallerKind::Staff(member) if member.role == StaffRole::Manager => {
            let theirs = member.central || member.offices.contains(&office);
            theirs.then_some(()).ok_or_else(|| forbidden("you do not manage this office"))
        }
        _ => directory(caller),
    }
}

/// Which appointments a caller may take away as a file. What a citizen has is in their list; the people that the
/// appointments are for are told to staff alone.
///
/// # Errors
/// `unauthenticated` for callers who did not say who they are, `forbidden` for others than staff and systems with
/// the scope, and for systems that ask for the people.
pub fn exports(caller: &Caller, personal: bool) -> Result<Rows, Problem> {
    match &caller.kind {
        CallerKind::Anonymous => Err(Problem::new(&UNAUTHENTICATED)),
        CallerKind::Staff(_) => Ok(appointments(caller, Wish::Read)),
        CallerKind::Integration(system) if !system.has_scope(KeyScope::AppointmentsRead) => {
            Err(forbidden("the caller lacks the scope appointments:read"))
        }
        CallerKind::Integration(_) if personal => Err(forbidden("as a file, the people are given to staff alone")),
        CallerKind::Integration(_) => Ok(appointments(caller, Wish::Read)),
        _ => Err(forbidden("exports are for staff and other systems")),
    }
}

/// Which appointments a caller may have counted.
///
/// # Errors
/// `unauthenticated` for callers who did not say who they are, `forbidden` for others than managers, admins, the URP
/// and systems with the scope.
pub fn statistics(caller: &Caller) -> Result<Rows, Problem> {
    match &caller.kind {
        CallerKind::Staff(member) if member.role == StaffRole::Operator && !member.central => {
            Err(forbidden("statistics are for managers, admins and the URP"))
        }
        _ => exports(caller, false),
    }
}

/// Which events a caller may read: what is about their offices, and what is about no office.
///
/// # Errors
/// `unauthenticated` for callers who did not say who they are, `forbidden` for citizens, for who runs the
/// deployment, and for systems without the scope.
pub fn events(caller: &Caller) -> Result<Rows, Problem> {
    match &caller.kind {
        CallerKind::Anonymous => Err(Problem::new(&UNAUTHENTICATED)),
        CallerKind::Staff(member) if member.central || member.role == StaffRole::Admin => Ok(Rows::All),
        CallerKind::Staff(member) => Ok(Rows::OfOffices(member.offices.clone())),
        CallerKind::Device(key) => Ok(Rows::OfOffices(key.office_id.into_iter().collect())),
        CallerKind::Integration(system) if system.has_scope(KeyScope::EventsRead) => Ok(Rows::All),
        CallerKind::Integration(_) => Err(forbidden("the caller lacks the scope events:read")),
        CallerKind::Citizen(_) | CallerKind::Platform(_) => Err(forbidden("events are for staff and other systems")),
    }
}

/// Whether a caller says where events are sent to.
///
/// # Errors
/// `unauthenticated` for callers who did not say who they are, `forbidden` for others than admins and systems with
/// the scope.
pub fn webhooks(caller: &Caller) -> Result<(), Problem> {
    match &caller.kind {
        CallerKind::Integration(system) if system.has_scope(KeyScope::WebhooksWrite) => Ok(()),
        CallerKind::Integration(_) => Err(forbidden("the caller lacks the scope webhooks:write")),
        _ => administration(caller),
    }
}

/// What somebody wants with the protocol register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolWish {
    /// Read entries, and how they are handed on.
    Read,
    /// Register documents, and mend what could not be handed on.
    Write,
    /// Annul entries.
    Annul,
    /// Read what is put together of all offices: daily registers, and whether the registers are whole.
    ReadAll,
    /// Open and close emergency registers.
    Decide,
}

/// Which entries of the protocol register a caller may do this with: staff with those of their offices, managers annul
/// them, and what is of all offices is for admins and the managers of the URP.
///
/// # Errors
/// `unauthenticated` for callers who did not say who they are, `forbidden` for others than staff and systems with the
/// scope, and for staff who may not.
pub fn protocol(caller: &Caller, wish: ProtocolWish) -> Result<Rows, Problem> {
    match &caller.kind {
        CallerKind::Anonymous => Err(Problem::new(&UNAUTHENTICATED)),
        CallerKind::Staff(member) if member.role == StaffRole::Admin => Ok(Rows::All),
        CallerKind::Staff(member) => {
            let decides = member.role == StaffRole::Manager;
            let may = match wish {
                ProtocolWish::Read | ProtocolWish::Write => true,
                ProtocolWish::Annul => decides,
                ProtocolWish::ReadAll | ProtocolWish::Decide => decides && member.central,
            };
            match may {
                true if member.central => Ok(Rows::All),
                true => Ok(Rows::OfOffices(member.offices.clone())),
                false => Err(forbidden("this is for managers")),
            }
        }
        CallerKind::Integration(system) => {
            let scope = match wish {
                ProtocolWish::Read | ProtocolWish::ReadAll => KeyScope::ProtocolRead,
                ProtocolWish::Write | ProtocolWish::Annul | ProtocolWish::Decide => KeyScope::ProtocolWrite,
            };
            if system.has_scope(scope) {
                return Ok(Rows::All);
            }
            Err(forbidden(&format!("the caller lacks the scope {}", scope.as_str())))
        }
        CallerKind::Citizen(_) | CallerKind::Device(_) | CallerKind::Platform(_) => {
            Err(forbidden("the protocol register is for staff and other systems"))
        }
    }
}

/// The refusal for somebody who is known, and may not.
pub fn forbidden(detail: &str) -> Problem {
    Problem::new(&crate::problems::FORBIDDEN).detail(detail)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use storage::TenantId;
    use uuid::Uuid;

    use super::*;
    use crate::{
        access::staff::StaffMember,
        tenants::{Tenant, TenantState},
    };

    fn office(n: u128) -> Id<Office> {
        Id::from_uuid(Uuid::from_u128(n))
    }

    fn caller(kind: CallerKind) -> Caller {
        let tenant = Tenant {
            tenant_id: TenantId::from_uuid(Uuid::from_u128(9)),
            slug: "bugliano".into(),
            name: "Bugliano".into(),
            patron_month: None,
            patron_day: None,
            patron_name: None,
            state: TenantState::Active,
            created_at: Timestamp::UNIX_EPOCH,
        };
        let secret = crate::access::DeploymentSecret::new(b"a secret of this test").unwrap();
        Caller::new(Arc::new(tenant), kind, Arc::new(secret))
    }

    fn staff(role: StaffRole, central: bool) -> Caller {
        let member = StaffMember { id: Id::from_uuid(Uuid::nil()), role, offices: vec![office(1)], central };
        caller(CallerKind::Staff(Box::new(member)))
    }

    #[test]
    fn staff_see_their_offices_and_the_urp_sees_them_all() {
        let elsewhere = Object { owner: "citizen:x", office: office(2) };
        let here = Object { owner: "citizen:x", office: office(1) };
        for role in [StaffRole::Operator, StaffRole::Manager] {
            let rows = appointments(&staff(role, false), Wish::Change);
            assert!(rows.contains(&here) && !rows.contains(&elsewhere), "{role:?}");
        }
        assert!(appointments(&staff(StaffRole::Operator, true), Wish::Read).contains(&elsewhere));
        assert!(appointments(&staff(StaffRole::Admin, false), Wish::Read).contains(&elsewhere));
    }

    #[test]
    fn what_happens_at_the_counter_and_what_is_noted_there_is_for_those_who_work_there() {
        let here = Object { owner: "citizen:x", office: office(1) };
        let operator = staff(StaffRole::Operator, false);
        for wish in [Wish::CheckIn, Wish::Attend, Wish::Annotate] {
            assert!(appointments(&operator, wish).contains(&here), "{wish:?}");
            assert!(!appointments(&operator, wish).contains(&Object { office: office(2), ..here }), "{wish:?}");
            assert_eq!(appointments(&caller(CallerKind::Anonymous), wish), Rows::None, "{wish:?}");
        }
    }

    #[test]
    fn payments_are_their_offices_to_decide_about() {
        let here = Object { owner: "citizen:x", office: office(1) };
        let elsewhere = Object { office: office(2), ..here };
        for wish in [PaymentWish::Read, PaymentWish::Pay, PaymentWish::Manage] {
            let rows = payments(&staff(StaffRole::Operator, false), wish);
            assert!(rows.contains(&here) && !rows.contains(&elsewhere), "{wish:?}");
            assert!(payments(&staff(StaffRole::Operator, true), wish).contains(&elsewhere), "{wish:?}");
            assert_eq!(payments(&caller(CallerKind::Anonymous), wish), Rows::None, "{wish:?}");
        }
    }

    #[test]
    fn all_there_is_about_a_person_is_for_admins_and_for_managers_of_the_urp() {
        for (role, central, may) in [
            (StaffRole::Admin, false, true),
            (StaffRole::Manager, true, true),
            (StaffRole::Manager, false, false),
            (StaffRole::Operator, true, false),
            (StaffRole::Operator, false, false),
        ] {
            assert_eq!(personal_data(&staff(role, central)).is_ok(), may, "{role:?} {central}");
        }
        assert_eq!(personal_data(&caller(CallerKind::Anonymous)).unwrap_err().kind.slug, "unauthenticated");
    }

    #[test]
    fn who_did_not_say_who_they_are_sees_nothing_and_books_where_that_is_allowed() {
        let nobody = caller(CallerKind::Anonymous);
        assert_eq!(appointments(&nobody, Wish::Read), Rows::None);
        assert_eq!(booking(&nobody, office(1), true).unwrap(), Booking::Anonymous);
        assert_eq!(booking(&nobody, office(1), false).unwrap_err().kind.slug, "unauthenticated");
    }

    #[test]
    fn an_operator_books_on_behalf_at_their_own_office_only() {
        let operator = staff(StaffRole::Operator, false);
        assert_eq!(booking(&operator, office(1), false).unwrap(), Booking::OnBehalf);
        assert_eq!(booking(&operator, office(2), true).unwrap_err().kind.slug, "forbidden");
    }
}
