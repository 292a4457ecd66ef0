//! Queries over documents, and over objects that are to be deleted.

use diesel::prelude::*;
use jiff::Timestamp;
use storage::{
    Tx,
    types::{At, Key},
};

use super::model::{Document, DocumentId, DocumentState, SubjectId};
use crate::schema::{document_discards as x, documents as d};

/// Adds a document.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, document: &Document) -> storage::Result<()> {
    diesel::insert_into(d::table)
        .values((
            d::tenant_id.eq(Key(tx.tenant())),
            d::id.eq(Key(document.id)),
            d::owner.eq(&document.owner),
            d::name.eq(&document.name),
            d::media_type.eq(document.media_type),
            d::size_bytes.eq(document.size_bytes),
            d::sha256.eq(&document.sha256),
            d::object_key.eq(&document.object_key),
            d::state.eq(document.state),
            d::scans.eq(document.scans),
            d::scan_at.eq(document.scan_at.map(At)),
            d::version.eq(document.version),
            d::created_at.eq(At(document.created_at)),
            d::updated_at.eq(At(document.updated_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// A document.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut Tx<'_>, id: DocumentId) -> storage::Result<Option<Document>> {
    let mine = d::table.filter(d::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(d::id.eq(Key(id))).select(Document::as_select()).first(tx.conn()).optional()?)
}

/// All that somebody sent in, in the order they did.
///
/// # Errors
/// When the database fails.
pub fn of_owner(tx: &mut Tx<'_>, owner: &str) -> storage::Result<Vec<Document>> {
    let theirs = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::owner.eq(owner));
    Ok(theirs.order(d::id).select(Document::as_select()).load(tx.conn())?)
}

/// What is attached to something, in the order it was sent in.
///
/// # Errors
/// When the database fails.
pub fn of_subject(tx: &mut Tx<'_>, kind: &str, subject: SubjectId) -> storage::Result<Vec<Document>> {
    let all = d::table.filter(d::tenant_id.eq(Key(tx.tenant())));
    let of = all.filter(d::subject_kind.eq(kind)).filter(d::subject_id.eq(Key(subject)));
    Ok(of.order(d::id).select(Document::as_select()).load(tx.conn())?)
}

/// How much of somebody's is attached to nothing: how many, and how many bytes.
///
/// # Errors
/// When the database fails.
pub fn waiting(tx: &mut Tx<'_>, owner: &str) -> storage::Result<(i64, i64)> {
    let theirs = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::owner.eq(owner));
    // There are no more rows than the quota allows, and a sum has another type on each side.
    let sizes: Vec<i64> = theirs.filter(d::subject_id.is_null()).select(d::size_bytes).load(tx.conn())?;
    let count = i64::try_from(sizes.len()).unwrap_or(i64::MAX);
    Ok((count, sizes.into_iter().fold(0, i64::saturating_add)))
}

/// Attaches a document that is attached to nothing; `false` when it is by now.
///
/// # Errors
/// When the database fails.
pub fn attach(tx: &mut Tx<'_>, id: DocumentId, kind: &str, subject: SubjectId) -> storage::Result<bool> {
    let now = At(tx.now());
    let free = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
    let changed = diesel::update(free.filter(d::subject_id.is_null()))
        .set((
            d::subject_kind.eq(kind),
            d::subject_id.eq(Key(subject)),
            d::version.eq(d::version + 1),
            d::updated_at.eq(now),
        ))
        .execute(tx.conn())?;
    Ok(changed == 1)
}

/// Deletes the row of a document at this version; `false` when it has changed.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, document: &Document) -> storage::Result<bool> {
    let mine = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(document.id)));
    let gone = diesel::delete(mine.filter(d::version.eq(document.version))).execute(tx.conn())?;
    Ok(gone == 1)
}

/// Documents that have been attached to nothing since before this instant, the oldest first.
///
/// # Errors
/// When the database fails.
pub fn orphans(tx: &mut Tx<'_>, before: Timestamp, limit: i64) -> storage::Result<Vec<Document>> {
    let free = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::subject_id.is_null());
    let old = free.filter(d::created_at.lt(At(before)));
    Ok(old.order((d::created_at, d::id)).limit(limit).select(Document::as_select()).load(tx.conn())?)
}

/// Takes documents that are to be scanned, until this instant.
///
/// # Errors
/// When the database fails.
pub fn claim_scans(tx: &mut Tx<'_>, until: Timestamp, limit: i64) -> storage::Result<Vec<Document>> {
    let now = At(tx.now());
    let due = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::scan_at.le(now));
    let due: Vec<DocumentId> = due.order((d::scan_at, d::id)).limit(limit).select(d::id).load(tx.conn())?;
    let mut taken = Vec::new();
    for id in due {
        // Another gateway may have been faster.
        let mine = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
        let mine = mine.filter(d::scan_at.le(now));
        if diesel::update(mine).set(d::scan_at.eq(At(until))).execute(tx.conn())? == 1 {
            taken.extend(find(tx, id)?);
        }
    }
    Ok(taken)
}

/// When the next scan is due.
///
/// # Errors
/// When the database fails.
pub fn next_scan(tx: &mut Tx<'_>) -> storage::Result<Option<Timestamp>> {
    let waiting = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::scan_at.is_not_null());
    let next: Option<Option<Timestamp>> = waiting.order(d::scan_at).select(d::scan_at).first(tx.conn()).optional()?;
    Ok(next.flatten())
}

/// What became of a scan.
#[derive(Debug)]
pub struct Scanned {
    /// The state from now on.
    pub state: DocumentState,
    /// How often it was scanned in vain.
    pub scans: i64,
    /// When it is to be scanned again.
    pub again_at: Option<Timestamp>,
    /// Whether whoever listens is told: the version counts that.
    pub is_news: bool,
}

/// Writes down what became of a scan; `false` when the document was taken over, or is gone.
///
/// # Errors
/// When the database fails.
pub fn settle(tx: &mut Tx<'_>, taken: &Document, scanned: &Scanned) -> storage::Result<bool> {
    let now = At(tx.now());
    let mine = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(taken.id)));
    let mine = mine.filter(d::scan_at.eq(taken.scan_at.map(At)));
    let kept = taken.object_key.as_deref().filter(|_| scanned.state != DocumentState::Infected);
    let changed = diesel::update(mine)
        .set((
            d::state.eq(scanned.state),
            d::scans.eq(scanned.scans),
            d::scan_at.eq(scanned.again_at.map(At)),
            d::object_key.eq(kept),
            d::version.eq(d::version + i64::from(scanned.is_news)),
            d::updated_at.eq(now),
        ))
        .execute(tx.conn())?;
    Ok(changed == 1)
}

/// Has an object deleted from this instant on.
///
/// # Errors
/// When the database fails.
pub fn discard(tx: &mut Tx<'_>, object_key: &str, due_at: Timestamp) -> storage::Result<()> {
    diesel::insert_into(x::table)
        .values((x::tenant_id.eq(Key(tx.tenant())), x::object_key.eq(object_key), x::due_at.eq(At(due_at))))
        .execute(tx.conn())?;
    Ok(())
}

/// Keeps an object that was to be deleted; `false` when somebody is deleting it, or has.
///
/// # Errors
/// When the database fails.
pub fn keep(tx: &mut Tx<'_>, object_key: &str) -> storage::Result<bool> {
    let it = x::table.filter(x::tenant_id.eq(Key(tx.tenant()))).filter(x::object_key.eq(object_key));
    Ok(diesel::delete(it.filter(x::taken_until.is_null())).execute(tx.conn())? == 1)
}

/// Has an object deleted now that was to be deleted later, or that nobody knows of any more: the sweeper was there before
/// its bytes were. One that is a document's stays.
///
/// # Errors
/// When the database fails.
pub fn discard_now(tx: &mut Tx<'_>, object_key: &str) -> storage::Result<()> {
    let now = At(tx.now());
    let it = x::table.filter(x::tenant_id.eq(Key(tx.tenant()))).filter(x::object_key.eq(object_key));
    if diesel::update(it).set(x::due_at.eq(now)).execute(tx.conn())? > 0 {
        return Ok(());
    }
    let theirs = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::object_key.eq(object_key));
    let is_kept = theirs.count().get_result::<i64>(tx.conn())? > 0;
    let now = tx.now();
    if is_kept { Ok(()) } else { discard(tx, object_key, now) }
}

/// Whether an object is to be deleted that nobody has taken.
///
/// # Errors
/// When the database fails.
pub fn has_discards(tx: &mut Tx<'_>) -> storage::Result<bool> {
    let now = At(tx.now());
    let due = x::table.filter(x::tenant_id.eq(Key(tx.tenant()))).filter(x::due_at.le(now));
    let due = due.filter(x::taken_until.is_null().or(x::taken_until.le(now)));
    Ok(due.select(x::object_key).first::<String>(tx.conn()).optional()?.is_some())
}

/// Takes objects that are to be deleted, until this instant.
///
/// # Errors
/// When the database fails.
pub fn claim_discards(tx: &mut Tx<'_>, until: Timestamp, limit: i64) -> storage::Result<Vec<String>> {
    let now = At(tx.now());
    let due = x::table.filter(x::tenant_id.eq(Key(tx.tenant()))).filter(x::due_at.le(now));
    let due = due.filter(x::taken_until.is_null().or(x::taken_until.le(now)));
    let due: Vec<String> = due.order((x::due_at, x::object_key)).limit(limit).select(x::object_key).load(tx.conn())?;
    let mut taken = Vec::new();
    for object_key in due {
        let it = x::table.filter(x::tenant_id.eq(Key(tx.tenant()))).filter(x::object_key.eq(&object_key));
        let it = it.filter(x::taken_until.is_null().or(x::taken_until.le(now)));
        if diesel::update(it).set(x::taken_until.eq(At(until))).execute(tx.conn())? == 1 {
            taken.push(object_key);
        }
    }
    Ok(taken)
}

/// Forgets objects that are deleted.
///
/// # Errors
/// When the database fails.
pub fn discarded(tx: &mut Tx<'_>, object_keys: &[String]) -> storage::Result<()> {
    let mine = x::table.filter(x::tenant_id.eq(Key(tx.tenant())));
    diesel::delete(mine.filter(x::object_key.eq_any(object_keys))).execute(tx.conn())?;
    Ok(())
}
