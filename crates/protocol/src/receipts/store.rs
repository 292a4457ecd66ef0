//! Queries over receipts.

use diesel::prelude::*;
use kernel::PageRequest;
use storage::{
    MultiBackend, Tx,
    types::{At, Day, Key},
};

use super::model::Receipt;
use crate::{
    entries::{EntryId, PartyRole},
    schema::{protocol_parties as p, protocol_receipts as r},
};

/// Adds one.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, new: &Receipt) -> storage::Result<()> {
    let tenant = tx.tenant();
    diesel::insert_into(r::table)
        .values((
            r::tenant_id.eq(Key(tenant)),
            r::entry_id.eq(Key(new.entry_id)),
            r::code.eq(&new.code),
            r::comune.eq(&new.comune),
            r::office.eq(&new.office),
            r::office_email.eq(&new.office_email),
            r::office_phone.eq(&new.office_phone),
            r::due_on.eq(new.due_on.map(Day)),
            r::silence.eq(new.silence),
            r::responsible.eq(&new.responsible),
            r::remedy.eq(&new.remedy),
            r::verification_url.eq(&new.verification_url),
            r::issued_at.eq(At(new.issued_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// The receipt of an entry.
///
/// # Errors
/// When the database fails.
pub fn of_entry(tx: &mut Tx<'_>, entry: EntryId) -> storage::Result<Option<Receipt>> {
    let mine = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).filter(r::entry_id.eq(Key(entry)));
    Ok(mine.select(Receipt::as_select()).first(tx.conn()).optional()?)
}

/// A page of the receipts of what a person sent, the newest first.
///
/// # Errors
/// When the database fails.
pub fn sent_by(tx: &mut Tx<'_>, person_key: &str, page: &PageRequest<EntryId>) -> storage::Result<Vec<Receipt>> {
    let with_receipt = r::tenant_id.eq(p::tenant_id).and(r::entry_id.eq(p::entry_id));
    let mut sent = p::table
        .inner_join(r::table.on(with_receipt))
        .filter(p::tenant_id.eq(Key(tx.tenant())))
        .filter(p::role.eq(PartyRole::Sender))
        .filter(p::person_key.eq(person_key))
        .select(p::entry_id)
        .distinct()
        .into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        sent = sent.filter(p::entry_id.lt(Key(after)));
    }
    let ids: Vec<EntryId> = sent.order(p::entry_id.desc()).limit(page.fetch()).load(tx.conn())?;
    let keys: Vec<_> = ids.into_iter().map(Key).collect();
    let mine = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).filter(r::entry_id.eq_any(keys));
    Ok(mine.order(r::entry_id.desc()).select(Receipt::as_select()).load(tx.conn())?)
}

/// The receipt with a code.
///
/// # Errors
/// When the database fails.
pub fn of_code(tx: &mut Tx<'_>, code: &str) -> storage::Result<Option<Receipt>> {
    let mine = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).filter(r::code.eq(code));
    Ok(mine.select(Receipt::as_select()).first(tx.conn()).optional()?)
}
