//! What every change of something administered leaves behind: an event and an audit entry.

use kernel::{Id, Problem};
use serde::Serialize;
use serde_json::Value;
use storage::{DbError, Failure, Tx};

use crate::{
    audit::{self, Change},
    outbox::{self, Event},
    problems::IN_USE,
};

/// Something that was made, changed or taken away. Holds nothing about persons.
#[derive(Debug)]
pub struct Done<'a, S> {
    /// Dotted, past tense: `office.updated`.
    pub action: &'a str,
    /// What kind of object: `office`.
    pub kind: &'a str,
    /// Which one.
    pub subject: Id<S>,
    /// Its version after the change.
    pub version: i64,
    /// Its state before; none for what is new.
    pub before: Option<Value>,
    /// Its state after; none for what is gone.
    pub after: Option<Value>,
}

/// Tells a change to those who listen and to the audit. The last thing in its transaction.
///
/// # Errors
/// When the database fails.
pub fn tell<S: 'static>(tx: &mut Tx<'_>, done: Done<'_, S>) -> storage::Result<()> {
    let Done { action, kind, subject, version, before, after } = done;
    let payload = after.clone().or_else(|| before.clone()).unwrap_or_default();
    outbox::emit(tx, Event { kind: action, subject_kind: kind, subject, version, payload })?;
    let change = Change { action, subject_kind: kind, subject, before: before.as_ref(), after: after.as_ref() };
    audit::record(tx, change)
}

/// The state of something that is administered, from the body that would make it.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn state<S>(id: Id<S>, version: i64, body: &impl Serialize) -> storage::Result<Value> {
    let written = serde_json::to_value(body);
    let mut state = written.map_err(|error| DbError::Other(format!("a state cannot be written: {error}")))?;
    if let Value::Object(members) = &mut state {
        members.insert("id".to_owned(), id.to_string().into());
        members.insert("version".to_owned(), version.into());
    }
    Ok(state)
}

/// A row that could not be deleted because others point at it, as the refusal that it is.
pub fn in_use(failure: Failure) -> Failure {
    match failure {
        Failure::Database(DbError::ForeignKey(_)) => Problem::new(&IN_USE).detail("something else refers to it").into(),
        other => other,
    }
}
