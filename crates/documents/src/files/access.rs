//! Who may read a document: who sent it in, and whoever may read what it is attached to.

use std::{fmt, sync::Arc};

use kernel::Problem;
use platform::{
    access::{Caller, CallerKind, assurance},
    http::not_found,
    problems::{FORBIDDEN, UNAUTHENTICATED},
};
use storage::Tx;

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

/// Whether a document is the caller's own.
pub fn is_owner(caller: &Caller, document: &Document) -> bool {
    may_send(caller).is_ok() && caller.actor().as_str() == document.owner
}

/// A document that the caller may read.
///
/// # Errors
/// `not-found` where there is none, and for whoever may not.
pub fn readable(tx: &mut Tx<'_>, caller: &Caller, subjects: &Subjects, id: DocumentId) -> storage::Result<Document> {
    let document = store::find(tx, id)?.ok_or_else(not_found)?;
    if is_owner(caller, &document) {
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
