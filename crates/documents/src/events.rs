//! What happens here, for those who listen.
#![expect(dead_code, reason = "the structs describe what is told; the code that tells it writes JSON")]

use platform::events::types::{EventType, data_of};
use utoipa::ToSchema;

use crate::files::model::{DocumentId, DocumentState, MediaType};

/// Of a document: everything but whose it is, what it is called and what is in it.
#[derive(ToSchema)]
struct DocumentData {
    /// Identifier.
    id: DocumentId,
    /// Its state after the event.
    state: DocumentState,
    /// What type of file it is.
    media_type: MediaType,
    /// How long it is, in bytes.
    #[schema(minimum = 0)]
    size_bytes: i64,
    /// What kind of object it is attached to.
    subject_kind: Option<String>,
    /// To which one.
    subject_id: Option<String>,
}

/// What happens to documents.
pub const TYPES: &[EventType] = platform::event_types![
    "document.created", "document", "A file was sent in.", data_of::<DocumentData>;
    "document.scanned", "document", "A file was scanned for malware, or could not be.", data_of::<DocumentData>;
    "document.attached", "document", "A file became part of something, such as a request.", data_of::<DocumentData>;
    "document.deleted", "document", "A file was deleted: by who sent it in, or because it was attached to nothing for too long. Told as it was.", data_of::<DocumentData>;
];
