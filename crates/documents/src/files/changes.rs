//! What happens to documents, and is told.

use kernel::Problem;
use platform::{
    changes::{self, Done},
    http::not_found,
};
use serde_json::{Value, json};
use storage::Tx;

use super::{
    model::{Document, DocumentId, DocumentState, SubjectId},
    rules, store,
};
use crate::problems::DOCUMENT_ATTACHED;

/// Tells what became of a document. Whose it is and what it is called stay out.
pub(crate) fn tell(
    tx: &mut Tx<'_>,
    action: &str,
    before: Option<&Document>,
    after: Option<&Document>,
) -> storage::Result<()> {
    let Some(document) = after.or(before) else { return Ok(()) };
    // What was taken away has had one change more than it remembers.
    let version = if after.is_some() { document.version } else { document.version.saturating_add(1) };
    let (before, after) = (before.map(told), after.map(told));
    changes::tell(tx, Done { action, kind: "document", subject: document.id, version, before, after })
}

fn told(document: &Document) -> Value {
    json!({
        "id": document.id, "state": document.state, "media_type": document.media_type, "size_bytes": document.size_bytes,
        "subject_kind": document.subject_kind, "subject_id": document.subject_id,
    })
}

/// Attaches a document to something, once and for good: from then on it is kept and read as that is. To be called by
/// the domain whose thing it is, in the transaction that makes it. Whoever acts must have sent the document in; one that
/// is still to be scanned may be attached, since nobody's filing waits for a scanner.
///
/// # Errors
/// `not-found` for documents that are not the actor's; `document-attached`; `document-not-released` for one with malware
/// in it.
pub fn attach(tx: &mut Tx<'_>, id: DocumentId, kind: &str, subject: SubjectId) -> storage::Result<Document> {
    let actor = tx.actor().as_str().to_owned();
    let before = store::find(tx, id)?.filter(|document| document.owner == actor).ok_or_else(not_found)?;
    rules::unattached(&before)?;
    if before.state == DocumentState::Infected {
        rules::released(&before)?;
    }
    if !store::attach(tx, id, kind, subject)? {
        // Attached by somebody else at this moment; or deleted.
        store::find(tx, id)?.ok_or_else(not_found)?;
        return Err(Problem::new(&DOCUMENT_ATTACHED).into());
    }
    let after = store::find(tx, id)?.ok_or_else(not_found)?;
    tell(tx, "document.attached", Some(&before), Some(&after))?;
    Ok(after)
}

/// Deletes a document, attached or not: its row now, its bytes as soon as this is committed. For its owner, the sweeper,
/// and the domain whose retention has run out. `false` when it has changed meanwhile: look again.
///
/// # Errors
/// When the database fails.
pub fn discard(tx: &mut Tx<'_>, document: &Document) -> storage::Result<bool> {
    if !store::delete(tx, document)? {
        return Ok(false);
    }
    if let Some(object_key) = &document.object_key {
        let now = tx.now();
        store::discard(tx, object_key, now)?;
    }
    tell(tx, "document.deleted", Some(document), None)?;
    Ok(true)
}
