//! What is kept and told about the past of an appointment.

use std::collections::HashMap;

use jiff::Timestamp;
use kernel::{Id, civil};
use platform::access::{integration::kind_of, staff::StaffMember};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::model::AppointmentState;
use crate::calendars::CalendarId;

storage::text_enum! {
    /// What kind of caller did something.
    pub enum ActorKind {
        /// Somebody who had not signed in.
        Anonymous = "anonymous",
        /// A citizen.
        Citizen = "citizen",
        /// Somebody who works for the Comune.
        Staff = "staff",
        /// A device of an office.
        Device = "device",
        /// Another system.
        Integration = "integration",
        /// Whoever runs the installation.
        Platform = "platform",
        /// The server by itself.
        System = "system",
    }
}

/// Names of staff, for those who may know them.
pub type StaffNames = HashMap<Id<StaffMember>, String>;

/// Who did something.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Actor, example = json!({ "kind": "staff", "name": "Mario Sportello" }))]
pub struct ActorView {
    /// What kind of caller.
    pub kind: ActorKind,
    /// Name of the member of staff; told to staff only.
    #[schema(max_length = 200)]
    pub name: Option<String>,
}

impl ActorView {
    /// An actor as it is stored, with its name where that is known.
    pub fn of(actor: &str, names: &StaffNames) -> Self {
        let name = staff_of(actor).and_then(|id| names.get(&id).cloned());
        Self { kind: kind_of(actor).parse().unwrap_or(ActorKind::System), name }
    }
}

/// The member of staff that an actor is, if it is one.
pub fn staff_of(actor: &str) -> Option<Id<StaffMember>> {
    actor.strip_prefix("staff:")?.parse().ok()
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The appointment's version after it.
    pub version: i64,
    /// Dotted, past tense.
    pub action: String,
    /// The state before it; none when it was booked.
    pub state_before: Option<AppointmentState>,
    /// The state after it.
    pub state_after: AppointmentState,
    /// When it was to start after it.
    pub starts_at: Timestamp,
    /// In which calendar it was after it.
    pub calendar_id: CalendarId,
    /// Who did it.
    pub actor: String,
    /// When.
    pub occurred_at: Timestamp,
}

/// One thing that happened to an appointment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppointmentHistoryEntry, example = json!({
    "version": 2, "action": "appointment.checked_in", "state_before": "confirmed", "state_after": "checked_in",
    "starts_at": "2026-12-02T09:00:00+01:00", "calendar_id": "01980000-0000-7000-8000-000000000003",
    "actor": { "kind": "device", "name": null }, "occurred_at": "2026-12-02T08:52:10+01:00"
}))]
pub struct HistoryEntryView {
    /// The appointment's version after it.
    #[schema(minimum = 1, maximum = 1000000)]
    pub version: i64,
    /// What happened, as in the event that told it.
    #[schema(max_length = 60)]
    pub action: String,
    /// The state before it; none when it was booked.
    pub state_before: Option<AppointmentState>,
    /// The state after it.
    pub state_after: AppointmentState,
    /// When the appointment was to start after it.
    #[serde(with = "civil::rfc3339")]
    pub starts_at: Timestamp,
    /// In which calendar it was after it.
    pub calendar_id: CalendarId,
    /// Who did it.
    pub actor: ActorView,
    /// When it happened.
    #[serde(with = "civil::rfc3339")]
    pub occurred_at: Timestamp,
}

impl Entry {
    /// The entry as it is served.
    pub fn view(self, names: &StaffNames) -> HistoryEntryView {
        let actor = ActorView::of(&self.actor, names);
        let Self { version, action, state_before, state_after, starts_at, calendar_id, actor: _, occurred_at } = self;
        HistoryEntryView { version, action, state_before, state_after, starts_at, calendar_id, actor, occurred_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_told_by_kind_and_staff_by_name_where_it_is_known() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let names = StaffNames::from([(id.parse().unwrap(), "Mario Sportello".to_owned())]);
        let told = |actor: &str, names: &StaffNames| {
            let view = ActorView::of(actor, names);
            (view.kind, view.name)
        };
        assert_eq!(told(&format!("staff:{id}"), &names), (ActorKind::Staff, Some("Mario Sportello".to_owned())));
        assert_eq!(told(&format!("staff:{id}"), &StaffNames::new()), (ActorKind::Staff, None));
        assert_eq!(told("citizen:0f0f", &names), (ActorKind::Citizen, None));
        assert_eq!(told("anonymous", &names), (ActorKind::Anonymous, None));
        assert_eq!(told("device:kiosk1", &names), (ActorKind::Device, None));
    }
}
