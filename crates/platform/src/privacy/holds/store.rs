//! Queries over legal holds.

use diesel::prelude::*;
use kernel::PageRequest;
use storage::{
    MultiBackend, Tx,
    types::{At, Key},
};

use super::model::{LegalHold, LegalHoldId};
use crate::{
    privacy::{Overdue, RecordId, RecordKind},
    schema::legal_holds as h,
};

/// A page of the holds, by id.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>, page: &PageRequest<LegalHoldId>) -> storage::Result<Vec<LegalHold>> {
    let mut query =
        h::table.filter(h::tenant_id.eq(Key(tx.tenant()))).select(LegalHold::as_select()).into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(h::id.gt(Key(after)));
    }
    Ok(query.order(h::id).limit(page.fetch()).load(tx.conn())?)
}

/// One hold.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: LegalHoldId) -> storage::Result<Option<LegalHold>> {
    let mine = h::table.filter(h::tenant_id.eq(Key(tx.tenant()))).filter(h::id.eq(Key(id)));
    Ok(mine.select(LegalHold::as_select()).first(tx.conn()).optional()?)
}

/// Lays a hold.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, hold: &LegalHold) -> storage::Result<()> {
    diesel::insert_into(h::table)
        .values((
            h::tenant_id.eq(Key(tx.tenant())),
            h::id.eq(Key(hold.id)),
            h::person_key.eq(&hold.person_key),
            h::record_kind.eq(hold.record_kind),
            h::record_id.eq(hold.record_id.map(Key)),
            h::reason.eq(&hold.reason),
            h::created_by.eq(&hold.created_by),
            h::created_at.eq(At(hold.created_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Lifts a hold. `false` when there is none.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, id: LegalHoldId) -> storage::Result<bool> {
    let mine = h::table.filter(h::tenant_id.eq(Key(tx.tenant()))).filter(h::id.eq(Key(id)));
    Ok(diesel::delete(mine).execute(tx.conn())? > 0)
}

/// Those of these records that are kept, because of a hold on them or on whom they are about.
///
/// # Errors
/// When the database fails.
pub fn kept(tx: &mut Tx<'_>, kind: RecordKind, records: &[Overdue]) -> storage::Result<Vec<RecordId>> {
    let tenant = Key(tx.tenant());
    let mine = || h::table.filter(h::tenant_id.eq(tenant));
    let ids: Vec<_> = records.iter().map(|record| Key(record.id)).collect();
    let held: Vec<Option<RecordId>> =
        mine().filter(h::record_kind.eq(kind)).filter(h::record_id.eq_any(ids)).select(h::record_id).load(tx.conn())?;
    let people: Vec<_> = records.iter().filter_map(|record| record.person_key.clone()).collect();
    let known: Vec<Option<String>> =
        mine().filter(h::person_key.eq_any(people)).select(h::person_key).load(tx.conn())?;
    let is_kept = |record: &&Overdue| {
        held.contains(&Some(record.id)) || (record.person_key.is_some() && known.contains(&record.person_key))
    };
    Ok(records.iter().filter(is_kept).map(|record| record.id).collect())
}
