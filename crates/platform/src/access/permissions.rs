//! What a caller may do, by name, for clients that show or hide what leads nowhere.
//!
//! Nothing is decided here: each name is a question to [`policy`], so that what is told and what is done agree.

use kernel::Id;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    caller::{Caller, CallerKind},
    policy::{self, PaymentWish, ProtocolWish, Rows, Wish},
};
use crate::directory::{Office, OfficeId};

storage::text_enum! {
    /// Something that callers may do. More may come; what a client does not know it leaves aside.
    pub enum Ability {
        /// See appointments, with the people they are for.
        AppointmentsRead = "appointments.read",
        /// Move and cancel appointments.
        AppointmentsChange = "appointments.change",
        /// Book and keep times, where the service allows it.
        AppointmentsBook = "appointments.book",
        /// Take appointments away as a file, without the people they are for.
        ExportsRead = "exports.read",
        /// Take away the people too.
        ExportsPeople = "exports.people",
        /// Have appointments counted.
        StatisticsRead = "statistics.read",
        /// See payments.
        PaymentsRead = "payments.read",
        /// Ask for payments, decide about them, record refunds.
        PaymentsManage = "payments.manage",
        /// Decide for offices: opening rules and exceptions, blocked times, feeds of their calendars.
        OfficeManage = "office.manage",
        /// Administer offices, places, services and calendars.
        DirectoryWrite = "directory.write",
        /// Read events, and follow them while they happen.
        EventsRead = "events.read",
        /// Say where events are sent to.
        WebhooksWrite = "webhooks.write",
        /// Read the protocol register.
        ProtocolRead = "protocol.read",
        /// Register documents.
        ProtocolWrite = "protocol.write",
        /// Annul what was registered.
        ProtocolAnnul = "protocol.annul",
        /// Administer settings and staff of the Comune, read its audit.
        Administration = "administration",
    }
}

storage::text_enum! {
    /// How far an ability reaches.
    pub enum Reach {
        /// Everywhere in the Comune.
        All = "all",
        /// In the offices named.
        Offices = "offices",
        /// For what is one's own.
        Own = "own",
    }
}

/// Something the caller may do, and how far it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({ "name": "appointments.read", "reach": "offices", "office_ids": ["01980000-0000-7000-8000-000000000002"] }))]
pub struct Permission {
    /// What.
    pub name: Ability,
    /// How far.
    pub reach: Reach,
    /// The offices, where it reaches no further.
    #[schema(max_items = 1000)]
    pub office_ids: Vec<OfficeId>,
}

impl Permission {
    const fn everywhere(name: Ability) -> Self {
        Self { name, reach: Reach::All, office_ids: Vec::new() }
    }
}

/// An office that nobody works at: who may do something there may do it everywhere.
const ANY: Id<Office> = Id::from_uuid(uuid::Uuid::nil());

/// Everything the caller may do, in the order of [`Ability`].
pub fn of(caller: &Caller) -> Vec<Permission> {
    let rows = |name, rows| match rows {
        Rows::All => Some(Permission::everywhere(name)),
        Rows::OfOffices(office_ids) if office_ids.is_empty() => None,
        Rows::OfOffices(office_ids) => Some(Permission { name, reach: Reach::Offices, office_ids }),
        Rows::OwnedBy(_) => Some(Permission { name, reach: Reach::Own, office_ids: Vec::new() }),
        Rows::None => None,
    };
    let at = |name, may: &dyn Fn(OfficeId) -> bool| {
        if may(ANY) {
            return Some(Permission::everywhere(name));
        }
        let office_ids: Vec<OfficeId> = offices(caller).iter().copied().filter(|office| may(*office)).collect();
        (!office_ids.is_empty()).then_some(Permission { name, reach: Reach::Offices, office_ids })
    };
    [
        rows(Ability::AppointmentsRead, policy::appointments(caller, Wish::Read)),
        rows(Ability::AppointmentsChange, policy::appointments(caller, Wish::Change)),
        at(Ability::AppointmentsBook, &|office| policy::booking(caller, office, true).is_ok()),
        policy::exports(caller, false).ok().and_then(|of| rows(Ability::ExportsRead, of)),
        policy::exports(caller, true).ok().and_then(|of| rows(Ability::ExportsPeople, of)),
        policy::statistics(caller).ok().and_then(|of| rows(Ability::StatisticsRead, of)),
        rows(Ability::PaymentsRead, policy::payments(caller, PaymentWish::Read)),
        rows(Ability::PaymentsManage, policy::payments(caller, PaymentWish::Manage)),
        at(Ability::OfficeManage, &|office| policy::management(caller, office).is_ok()),
        policy::directory(caller).is_ok().then_some(Permission::everywhere(Ability::DirectoryWrite)),
        policy::events(caller).ok().and_then(|of| rows(Ability::EventsRead, of)),
        policy::webhooks(caller).is_ok().then_some(Permission::everywhere(Ability::WebhooksWrite)),
        policy::protocol(caller, ProtocolWish::Read).ok().and_then(|of| rows(Ability::ProtocolRead, of)),
        policy::protocol(caller, ProtocolWish::Write).ok().and_then(|of| rows(Ability::ProtocolWrite, of)),
        policy::protocol(caller, ProtocolWish::Annul).ok().and_then(|of| rows(Ability::ProtocolAnnul, of)),
        policy::administration(caller).is_ok().then_some(Permission::everywhere(Ability::Administration)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The offices a caller belongs to.
fn offices(caller: &Caller) -> &[OfficeId] {
    match &caller.kind {
        CallerKind::Staff(member) => &member.offices,
        CallerKind::Device(key) => key.office_id.as_slice(),
        CallerKind::Anonymous | CallerKind::Citizen(_) | CallerKind::Integration(_) | CallerKind::Platform(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::access::{
        DeploymentSecret,
        staff::{StaffMember, StaffRole},
    };

    fn told(kind: CallerKind) -> Vec<(&'static str, &'static str, usize)> {
        let secret = DeploymentSecret::new(b"a secret of this test").unwrap();
        let caller = Caller::new(Arc::new(crate::tenants::tests::tenant()), kind, Arc::new(secret));
        of(&caller).iter().map(|p| (p.name.as_str(), p.reach.as_str(), p.office_ids.len())).collect()
    }

    fn staff(role: StaffRole, central: bool) -> CallerKind {
        let offices = vec![Id::from_uuid(Uuid::from_u128(1)), Id::from_uuid(Uuid::from_u128(2))];
        CallerKind::Staff(Box::new(StaffMember { id: Id::from_uuid(Uuid::nil()), role, offices, central }))
    }

    #[test]
    fn nobody_in_particular_may_book_and_no_more() {
        assert_eq!(told(CallerKind::Anonymous), [("appointments.book", "all", 0)]);
    }

    #[test]
    fn staff_reach_as_far_as_their_offices_and_the_urp_everywhere() {
        let happens = |reach, n| vec![("events.read", reach, n)];
        let counter = |reach, n| {
            let names =
                ["appointments.read", "appointments.change", "appointments.book", "exports.read", "exports.people"];
            names.map(|name| (name, reach, n)).to_vec()
        };
        let figures = |reach, n| vec![("statistics.read", reach, n)];
        let money = |reach, n| vec![("payments.read", reach, n), ("payments.manage", reach, n)];
        let registers = |reach, n| vec![("protocol.read", reach, n), ("protocol.write", reach, n)];
        let operator =
            [counter("offices", 2), money("offices", 2), happens("offices", 2), registers("offices", 2)].concat();
        assert_eq!(told(staff(StaffRole::Operator, false)), operator);
        assert_eq!(
            told(staff(StaffRole::Operator, true)),
            [counter("all", 0), figures("all", 0), money("all", 0), happens("all", 0), registers("all", 0)].concat()
        );
        let decides = vec![("office.manage", "offices", 2)];
        let annuls = vec![("protocol.annul", "offices", 2)];
        let manager = [
            counter("offices", 2),
            figures("offices", 2),
            money("offices", 2),
            decides,
            happens("offices", 2),
            registers("offices", 2),
            annuls,
        ];
        assert_eq!(told(staff(StaffRole::Manager, false)), manager.concat());
        let everything = [
            "office.manage",
            "directory.write",
            "events.read",
            "webhooks.write",
            "protocol.read",
            "protocol.write",
            "protocol.annul",
            "administration",
        ];
        let everything = everything.map(|name| (name, "all", 0)).to_vec();
        let admin = [counter("all", 0), figures("all", 0), money("all", 0), everything];
        assert_eq!(told(staff(StaffRole::Admin, false)), admin.concat());
    }
}
