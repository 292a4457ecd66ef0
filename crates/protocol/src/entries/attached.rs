//! Files of an entry that were sent in here: how they become the entry's, and who may read them then.

use documents::files::{self, DocumentId, access::Subject, model::SubjectId};
use kernel::Problem;
use platform::{
    access::{
        Caller,
        policy::{self, Object, ProtocolWish},
    },
    problems::INVALID_BODY,
};
use storage::Tx;

use super::{
    model::{DocumentRef, EntryId},
    store,
};

/// What documents are attached to here.
const KIND: &str = "protocol_entry";

/// Makes documents the entry's own.
///
/// # Errors
/// `invalid-body` for one that whoever acts has not sent in, `document-attached`, `document-not-released` for one with
/// malware in it, or when the database fails.
pub(super) fn take(tx: &mut Tx<'_>, entry: EntryId, ids: &[DocumentId]) -> storage::Result<Vec<DocumentRef>> {
    let mut taken = Vec::new();
    for (n, id) in ids.iter().enumerate() {
        let actor = tx.actor().as_str().to_owned();
        if files::store::find(tx, *id)?.is_none_or(|document| document.owner != actor) {
            let place = format!("/document_ids/{n}");
            return Err(Problem::new(&INVALID_BODY).field(place, "unknown-reference", "no such document").into());
        }
        taken.push(DocumentRef::from(&files::attach(tx, *id, KIND, entry.cast())?));
    }
    Ok(taken)
}

/// The documents of entries, for whoever asks who may read them.
#[derive(Debug, Clone, Copy)]
pub struct Attachments;

impl Subject for Attachments {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn may_read(&self, tx: &mut Tx<'_>, caller: &Caller, id: SubjectId) -> storage::Result<bool> {
        let Ok(rows) = policy::protocol(caller, ProtocolWish::Read) else { return Ok(false) };
        let entry = store::get(tx, id.cast())?;
        Ok(entry.is_some_and(|entry| rows.contains(&Object { owner: "", office: entry.office_id })))
    }
}
