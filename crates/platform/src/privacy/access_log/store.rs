//! Queries over the access log.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::PageRequest;
use serde_json::{Value, json};
use storage::{
    MultiBackend, Tx, both,
    types::{At, Key},
};

use super::model::{AccessAction, AccessEntry, AccessEntryId, Look, Looked};
use crate::{
    audit::{self, Change},
    privacy::RecordId,
    schema::data_access_entries as e,
};

/// Writes down that somebody looked. Call it last in a transaction: it ends with an entry in the audit.
///
/// # Errors
/// When the database fails.
pub fn record(tx: &mut Tx<'_>, looked: Looked<'_>) -> storage::Result<()> {
    let Looked { action, person_key, record, reference } = looked;
    let id: AccessEntryId = tx.new_id();
    diesel::insert_into(e::table)
        .values((
            e::tenant_id.eq(Key(tx.tenant())),
            e::id.eq(Key(id)),
            e::occurred_at.eq(At(tx.now())),
            e::actor.eq(tx.actor().as_str().to_owned()),
            e::action.eq(action),
            e::person_key.eq(person_key),
            e::record_kind.eq(record.map(|(kind, _)| kind)),
            e::record_id.eq(record.map(|(_, id)| Key(id))),
            e::reference.eq(reference),
        ))
        .execute(tx.conn())?;
    prove(tx, action, id, &json!([action, person_key, record.map(|(_, id)| id), reference]))
}

/// The entry in the audit with a digest of what was written down.
fn prove(tx: &mut Tx<'_>, action: AccessAction, subject: AccessEntryId, written: &Value) -> storage::Result<()> {
    let (action, subject_kind, after) = (action.as_str(), "data_access_entry", Some(written));
    audit::record(tx, Change { action, subject_kind, subject, before: None, after })
}

/// Writes down which records somebody is shown: an entry for each, of all at once, and one entry in the audit that
/// proves them together, under the first of them. Call it last in a transaction. What shows nothing writes nothing.
///
/// # Errors
/// When the database fails.
pub fn record_looks(tx: &mut Tx<'_>, looks: &[Look]) -> storage::Result<()> {
    let looks: Vec<(AccessEntryId, &Look)> = looks.iter().map(|look| (tx.new_id(), look)).collect();
    let Some((first, _)) = looks.first() else { return Ok(()) };
    let (tenant, at, action) = (Key(tx.tenant()), At(tx.now()), AccessAction::SpecialRead);
    let actor = tx.actor().as_str().to_owned();
    let row = |(id, look): &(AccessEntryId, &Look)| {
        (
            e::tenant_id.eq(tenant),
            e::id.eq(Key(*id)),
            e::occurred_at.eq(at),
            e::actor.eq(actor.clone()),
            e::action.eq(action),
            e::person_key.eq(look.person_key.clone()),
            e::record_kind.eq(look.kind),
            e::record_id.eq(Key(look.id)),
        )
    };
    // Eight values each, of the 32,766 that SQLite binds.
    for looks in looks.chunks(1000) {
        let rows: Vec<_> = looks.iter().map(row).collect();
        both!(tx, conn => diesel::insert_into(e::table).values(&rows).execute(conn))?;
    }
    let entries: Vec<_> = looks.iter().map(|(id, look)| json!([id, look.person_key, look.kind, look.id])).collect();
    prove(tx, action, *first, &json!([action, entries]))
}

/// Which entries are looked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Sought {
    pub(super) actor: Option<String>,
    pub(super) person_key: Option<String>,
    pub(super) action: Option<AccessAction>,
    /// From this instant on.
    pub(super) from: Option<Timestamp>,
    /// Before this instant.
    pub(super) to: Option<Timestamp>,
}

/// A page of the entries, by id and so by time.
///
/// # Errors
/// When the database fails.
pub(super) fn list(
    tx: &mut Tx<'_>,
    sought: &Sought,
    page: &PageRequest<AccessEntryId>,
) -> storage::Result<Vec<AccessEntry>> {
    let mut query = e::table
        .filter(e::tenant_id.eq(Key(tx.tenant())))
        .select(AccessEntry::as_select())
        .into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(e::id.gt(Key(after)));
    }
    if let Some(actor) = &sought.actor {
        query = query.filter(e::actor.eq(actor));
    }
    if let Some(person_key) = &sought.person_key {
        query = query.filter(e::person_key.eq(person_key));
    }
    if let Some(action) = sought.action {
        query = query.filter(e::action.eq(action));
    }
    if let Some(from) = sought.from {
        query = query.filter(e::occurred_at.ge(At(from)));
    }
    if let Some(to) = sought.to {
        query = query.filter(e::occurred_at.lt(At(to)));
    }
    Ok(query.order(e::id).limit(page.fetch()).load(tx.conn())?)
}

/// Those about one person, the first thing first.
///
/// # Errors
/// When the database fails.
pub fn about(tx: &mut Tx<'_>, person_key: &str) -> storage::Result<Vec<AccessEntry>> {
    let theirs = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::person_key.eq(person_key));
    Ok(theirs.order(e::id).select(AccessEntry::as_select()).load(tx.conn())?)
}

/// Entries from before an instant, by time and id.
///
/// # Errors
/// When the database fails.
pub fn before(
    tx: &mut Tx<'_>,
    before: Timestamp,
    after: Option<(Timestamp, RecordId)>,
    limit: i64,
) -> storage::Result<Vec<AccessEntry>> {
    let mut query = e::table
        .filter(e::tenant_id.eq(Key(tx.tenant())))
        .filter(e::occurred_at.lt(At(before)))
        .select(AccessEntry::as_select())
        .into_boxed::<MultiBackend>();
    if let Some((at, id)) = after {
        query = query.filter(e::occurred_at.ge(At(at))).filter(e::occurred_at.gt(At(at)).or(e::id.gt(Key(id))));
    }
    Ok(query.order((e::occurred_at, e::id)).limit(limit).load(tx.conn())?)
}

/// Whether there is such an entry.
///
/// # Errors
/// When the database fails.
pub fn exists(tx: &mut Tx<'_>, id: RecordId) -> storage::Result<bool> {
    let mine = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::id.eq(Key(id)));
    Ok(mine.count().get_result::<i64>(tx.conn())? > 0)
}

/// Takes out entries that have been kept for their time. Answers how many there were.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, ids: &[RecordId]) -> storage::Result<usize> {
    let keys: Vec<_> = ids.iter().copied().map(Key).collect();
    let mine = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::id.eq_any(keys));
    Ok(diesel::delete(mine).execute(tx.conn())?)
}
