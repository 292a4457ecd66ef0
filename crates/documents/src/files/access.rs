//! Who may read a document: who sent it in, and whoever may read what it is attached to.

use std::{fmt, sync::Arc};

use kernel::Problem;
use platform::{
    access::{Caller, CallerKind, assurance},
    http::not_found,
    privacy::access_log::{self, AccessAction, Looked},
    problems::{FORBIDDEN, UNAUTHENTICATED},
};
use storage::{Db, Tx};

use super::{
    model::{Document, DocumentId, SubjectId},
    store,
};

/// What documents of one kind of object are: each domain that attaches documents says so, and the gateway lists them.
pub trait Subject: fmt::Debug + Send + Sync {
    /// What the kind is called: `request`.
    fn kind(&self) -> &'static str;

    /// Whether a caller may read the documents of this object.
    ///
    /// # Errors
    /// When the database fails.
    fn may_read(&self, tx: &mut Tx<'_>, caller: &Caller, id: SubjectId) -> storage::Result<bool>;
}

/// All that documents can be attached to. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Subjects(Arc<[Arc<dyn Subject>]>);

impl Subjects {
    /// These, and another.
    #[must_use]
    pub fn with(self, subject: impl Subject + 'static) -> Self {
        let last: Arc<dyn Subject> = Arc::new(subject);
        Self(self.0.iter().cloned().chain(std::iter::once(last)).collect())
    }

    fn of(&self, kind: &str) -> Option<&Arc<dyn Subject>> {
        self.0.iter().find(|subject| subject.kind() == kind)
    }
}

/// Whether a caller sends files in: citizens who are known well enough, and staff.
///
/// # Errors
/// `unauthenticated` for callers who did not say who they are, `assurance-too-low` for citizens who are not known well
/// enough, `forbidden` for others.
pub fn may_send(caller: &Caller) -> Result<(), Problem> {
    match &caller.kind {
        CallerKind::Anonymous => Err(Problem::new(&UNAUTHENTICATED)),
        CallerKind::Citizen(_) => assurance::required(caller),
        CallerKind::Staff(_) => Ok(()),
        _ => Err(Problem::new(&FORBIDDEN).detail("documents are sent in by citizens and by staff")),
    }
}

/// Whether a document is the caller's own: they sent it in.
pub fn is_owner(caller: &Caller, document: &Document) -> bool {
    may_send(caller).is_ok() && caller.actor().as_str() == document.owner
}

/// Whether a caller reads a document because they sent it in. What one of the staff sent in is the office's from the
/// moment it is attached: who may read it then is who may read that. A citizen goes on reading what is theirs.
fn reads_as_own(caller: &Caller, document: &Document) -> bool {
    let stays = document.subject_id.is_none() || matches!(caller.kind, CallerKind::Citizen(_));
    stays && is_owner(caller, document)
}

/// Reads a document for a caller. Whoever reads another's has an entry in the access log, in the transaction that finds
/// the document: what cannot be written down is not given out.
///
/// # Errors
/// `not-found` where there is none, and for whoever may not; or when the database fails.
pub async fn read(db: &Db, caller: &Caller, subjects: &Subjects, id: DocumentId) -> Result<Document, Problem> {
    let (who, subjects) = (caller.clone(), subjects.clone());
    let find = move |tx: &mut Tx<'_>| readable(tx, &who, &subjects, id);
    let document = db.read(caller, find.clone()).await?;
    if reads_as_own(caller, &document) {
        return Ok(document);
    }
    drop(document);
    db.write(caller, move |tx| {
        let document = find(tx)?;
        write_down(tx, &document)?;
        Ok(document)
    })
    .await
}

/// Which document it was and what it is attached to; what it is called may be somebody's name.
fn write_down(tx: &mut Tx<'_>, document: &Document) -> storage::Result<()> {
    let mut which = format!("document {}", document.id);
    if let Some(subject) = document.subject() {
        which.push_str(&format!(", attached to {} {}", subject.kind, subject.id));
    }
    let person_key = document.owner.strip_prefix("citizen:");
    let looked = Looked { person_key, reference: Some(&which), ..Looked::around(AccessAction::DocumentRead) };
    access_log::record(tx, looked)
}

/// A document that the caller may read.
fn readable(tx: &mut Tx<'_>, caller: &Caller, subjects: &Subjects, id: DocumentId) -> storage::Result<Document> {
    let document = store::find(tx, id)?.ok_or_else(not_found)?;
    if reads_as_own(caller, &document) {
        return Ok(document);
    }
    let may = match (&document.subject_kind, document.subject_id) {
        (Some(kind), Some(subject)) => match subjects.of(kind) {
            Some(known) => known.may_read(tx, caller, subject)?,
            None => false,
        },
        _ => false,
    };
    if may { Ok(document) } else { Err(not_found().into()) }
}

/// A document of the caller's own.
///
/// # Errors
/// `not-found` where there is none, and for everybody else.
pub fn own(tx: &mut Tx<'_>, caller: &Caller, id: DocumentId) -> storage::Result<Document> {
    let document = store::find(tx, id)?.filter(|document| is_owner(caller, document));
    Ok(document.ok_or_else(not_found)?)
}
