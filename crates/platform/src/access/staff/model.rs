//! Staff, as stored, asked for and served.

use jiff::Timestamp;
use kernel::{Id, civil};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    directory::{Office, OfficeId},
    http::{Link, typed_patch::kept},
    settings::rules::one_line,
};

/// The identifier of somebody who works for the Comune.
pub type StaffId = Id<StaffMember>;

storage::text_enum! {
    /// What somebody may do at work.
    pub enum StaffRole {
        /// Works at the counter of their offices.
        Operator = "operator",
        /// Decides for their offices.
        Manager = "manager",
        /// Administers the Comune's use of the platform.
        Admin = "admin",
    }
}

/// Somebody who works for the Comune.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffMember {
    /// Identifier.
    pub id: Id<StaffMember>,
    /// Role.
    pub role: StaffRole,
    /// Their offices.
    pub offices: Vec<Id<Office>>,
    /// Whether one of them is the URP, which sees what every office sees.
    pub central: bool,
}

storage::text_enum! {
    /// Whether somebody gets in.
    pub enum StaffState {
        /// They do.
        Active = "active",
        /// They do not; what they did stays theirs.
        Disabled = "disabled",
    }
}

/// An entry of the staff, as its administration sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct StaffEntry {
    /// Identifier.
    pub id: StaffId,
    /// The identity provider, by its name in the configuration.
    pub provider: String,
    /// Who they are there.
    pub subject: String,
    /// What colleagues call them.
    pub display_name: String,
    /// Role.
    pub role: StaffRole,
    /// Their offices, in order.
    pub office_ids: Vec<OfficeId>,
    /// Since when they do not get in.
    pub disabled_at: Option<Timestamp>,
    /// When they were enrolled.
    pub created_at: Timestamp,
    /// Counts changes.
    pub version: i64,
}

impl StaffEntry {
    /// Whether they get in.
    pub const fn state(&self) -> StaffState {
        if self.disabled_at.is_none() { StaffState::Active } else { StaffState::Disabled }
    }
}

/// Somebody who works for the Comune.
#[derive(Serialize, ToSchema)]
#[schema(as = StaffMember, example = json!({
    "id": "01980000-0000-7000-8000-000000000040", "provider": "staff", "subject": "o.sportello", "display_name": "Olga Sportello",
    "role": "operator", "office_ids": ["01980000-0000-7000-8000-000000000002"], "state": "active",
    "created_at": "2026-11-25T10:00:00+01:00", "version": 1, "links": []
}))]
pub struct StaffMemberView {
    /// Identifier.
    pub id: StaffId,
    /// The identity provider, by its name in the configuration of the installation.
    #[schema(max_length = 100)]
    pub provider: String,
    /// Who they are there: `sub` of their token.
    #[schema(max_length = 255)]
    pub subject: String,
    /// What colleagues call them.
    #[schema(max_length = 200)]
    pub display_name: String,
    /// Role.
    pub role: StaffRole,
    /// Their offices.
    #[schema(max_items = 100)]
    pub office_ids: Vec<OfficeId>,
    /// Whether they get in.
    pub state: StaffState,
    /// When they were enrolled.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// Counts changes.
    #[schema(minimum = 1)]
    pub version: i64,
    /// What the caller may do with it now.
    #[schema(max_items = 5)]
    pub links: Vec<Link>,
}

impl StaffEntry {
    /// What the API serves of it, in the Comune of this slug.
    pub fn view(self, slug: &str) -> StaffMemberView {
        let state = self.state();
        let href = format!("/{slug}/v1/staff-members/{}", self.id);
        StaffMemberView {
            id: self.id,
            provider: self.provider,
            subject: self.subject,
            display_name: self.display_name,
            role: self.role,
            office_ids: self.office_ids,
            state,
            created_at: self.created_at,
            version: self.version,
            links: vec![Link { rel: "change".to_owned(), method: "PATCH".to_owned(), href }],
        }
    }
}

/// Somebody to be enrolled.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "provider": "staff", "subject": "o.sportello", "display_name": "Olga Sportello", "role": "operator",
    "office_ids": ["01980000-0000-7000-8000-000000000002"]
}))]
pub struct NewStaffMember {
    /// The identity provider, by its name in the configuration of the installation.
    #[validate(length(min = 1, max = 100), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub provider: String,
    /// Who they are there: `sub` of their token.
    #[validate(length(min = 1, max = 255), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub subject: String,
    /// What colleagues call them.
    #[validate(length(min = 1, max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub display_name: String,
    /// Role.
    pub role: StaffRole,
    /// Their offices; none when absent.
    #[serde(default)]
    #[validate(length(max = 100))]
    #[schema(max_items = 100)]
    pub office_ids: Vec<OfficeId>,
}

/// What to change. An absent member stays as it is.
#[derive(Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "role": "manager" }))]
pub struct StaffPatch {
    /// What colleagues call them.
    #[serde(default, deserialize_with = "kept")]
    #[validate(length(min = 1, max = 200), custom(function = one_line))]
    #[schema(value_type = String, min_length = 1, max_length = 200, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$")]
    pub display_name: Option<String>,
    /// Role.
    #[serde(default, deserialize_with = "kept")]
    #[schema(value_type = StaffRole)]
    pub role: Option<StaffRole>,
    /// Their offices, all of them.
    #[serde(default, deserialize_with = "kept")]
    #[validate(length(max = 100))]
    #[schema(value_type = Vec<OfficeId>, max_items = 100)]
    pub office_ids: Option<Vec<OfficeId>>,
    /// Whether they get in.
    #[serde(default, deserialize_with = "kept")]
    #[schema(value_type = StaffState)]
    pub state: Option<StaffState>,
}

// They name people.
kernel::redacted_debug!(StaffEntry, StaffMemberView, NewStaffMember, StaffPatch);
