//! Notes, as stored, asked for and served.

use jiff::Timestamp;
use kernel::{Id, civil};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::super::{
    history::model::{ActorView, StaffNames},
    model::{AppointmentId, not_empty, plain_text},
};

/// The identifier of a note.
pub type NoteId = Id<Note>;

/// A note.
#[derive(Clone)]
pub struct Note {
    /// Identifier.
    pub id: NoteId,
    /// Who wrote it.
    pub author: String,
    /// What it says.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
}

// What an office writes about a person is personal.
kernel::redacted_debug!(Note, NewNote, NoteView);

/// A note to write.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAppointmentNote, example = json!({ "body": "Porta il modulo la prossima volta" }))]
pub struct NewNote {
    /// What it says.
    #[validate(length(min = 1, max = 2000), custom(function = plain_text), custom(function = not_empty))]
    #[schema(
        min_length = 1,
        max_length = 2000,
        pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
    )]
    pub body: String,
}

/// A note of the office.
#[derive(Serialize, ToSchema)]
#[schema(as = AppointmentNote, example = json!({
    "id": "01980000-0000-7000-8000-000000000040", "appointment_id": "01980000-0000-7000-8000-000000000030",
    "author": { "kind": "staff", "name": "Mario Sportello" },
    "body": "Porta il modulo la prossima volta", "created_at": "2026-12-02T09:12:00+01:00"
}))]
pub struct NoteView {
    /// Identifier.
    pub id: NoteId,
    /// The appointment it is about.
    pub appointment_id: AppointmentId,
    /// Who wrote it.
    pub author: ActorView,
    /// What it says.
    #[schema(max_length = 2000)]
    pub body: String,
    /// When it was written.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
}

impl Note {
    /// The note as staff read it.
    pub fn view(self, appointment_id: AppointmentId, names: &StaffNames) -> NoteView {
        let Self { id, author, body, created_at } = self;
        NoteView { id, appointment_id, author: ActorView::of(&author, names), body, created_at }
    }
}
