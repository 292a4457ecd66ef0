//! Entries of the access log.

use diesel::{Queryable, Selectable};
use jiff::Timestamp;
use kernel::{Id, civil};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    privacy::{RecordId, RecordKind},
    schema::data_access_entries,
};

/// The identifier of an entry.
pub type AccessEntryId = Id<AccessEntry>;

storage::text_enum! {
    /// What somebody did with data about people.
    pub enum AccessAction {
        /// Took away everything about a person.
        Exported = "personal-data.exported",
        /// Put right what is held about a person.
        Rectified = "personal-data.rectified",
        /// Looked for somebody.
        Searched = "people.searched",
        /// Took away a file with people in it.
        Taken = "people.taken",
        /// Was shown a record that tells of special categories of data.
        SpecialRead = "special-data.read",
        /// Was given a document that another had sent in, or what is known of it; `reference` says which one.
        DocumentRead = "document.read",
    }
}

/// Something to be written down.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'a> {
    /// What was done.
    pub action: AccessAction,
    /// Pseudonym of whose data it was.
    pub person_key: Option<&'a str>,
    /// Which record it was.
    pub record: Option<(RecordKind, RecordId)>,
    /// Why; or which thing that is no record with rules of its own.
    pub reference: Option<&'a str>,
}

impl<'a> Looked<'a> {
    /// At what is held about one person.
    pub const fn at(action: AccessAction, person_key: &'a str) -> Self {
        Self { action, person_key: Some(person_key), record: None, reference: None }
    }

    /// At what is held about more than one, or about nobody in particular.
    pub const fn around(action: AccessAction) -> Self {
        Self { action, person_key: None, record: None, reference: None }
    }
}

/// A record that tells of special categories of data and that somebody is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What kind of record it is.
    pub kind: RecordKind,
    /// Which one.
    pub id: RecordId,
    /// Pseudonym of whom it is about.
    pub person_key: String,
}

impl Look {
    /// The same record, where what is shown is about this person.
    #[must_use]
    pub fn of(&self, person: &str) -> Self {
        Self { person_key: person.to_owned(), ..self.clone() }
    }
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = data_access_entries)]
pub struct AccessEntry {
    /// Identifier.
    pub id: AccessEntryId,
    /// When.
    pub occurred_at: Timestamp,
    /// Who: kind and pseudonymous id.
    pub actor: String,
    /// What was done.
    pub action: AccessAction,
    /// Pseudonym of whose data it was.
    pub person_key: Option<String>,
    /// What kind of record it was.
    pub record_kind: Option<RecordKind>,
    /// Which record it was.
    pub record_id: Option<RecordId>,
    /// Why.
    pub reference: Option<String>,
}

/// That somebody looked at data about people.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DataAccessEntry, example = json!({
    "id": "01980000-0000-7000-8000-000000000060", "occurred_at": "2026-11-28T10:00:00+01:00",
    "actor": "staff:01980000-0000-7000-8000-000000000040", "action": "personal-data.exported",
    "person_key": "0f1e2d3c4b5a69788796a5b4c3d2e1f000112233", "record_kind": null, "record_id": null, "reference": "Prot. 1234/2026"
}))]
pub struct AccessEntryView {
    /// Identifier.
    pub id: AccessEntryId,
    /// When.
    #[serde(with = "civil::rfc3339")]
    pub occurred_at: Timestamp,
    /// Who: kind and pseudonymous id.
    #[schema(max_length = 200)]
    pub actor: String,
    /// What was done.
    pub action: AccessAction,
    /// Pseudonym of whose data it was, where it was one person's.
    #[schema(max_length = 64)]
    pub person_key: Option<String>,
    /// What kind of record it was, where it was one.
    pub record_kind: Option<RecordKind>,
    /// Which record it was, where it was one.
    pub record_id: Option<RecordId>,
    /// Why: the request that was answered. Of `document.read`, which document it was and what it is attached to.
    #[schema(max_length = 200)]
    pub reference: Option<String>,
}

impl From<AccessEntry> for AccessEntryView {
    fn from(entry: AccessEntry) -> Self {
        let AccessEntry { id, occurred_at, actor, action, person_key, record_kind, record_id, reference } = entry;
        Self { id, occurred_at, actor, action, person_key, record_kind, record_id, reference }
    }
}
