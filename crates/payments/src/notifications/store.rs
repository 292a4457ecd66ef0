//! Queries over notifications.

use diesel::prelude::*;
use storage::{
    Tx,
    types::{At, Key},
};

use super::model::Notification;
use crate::schema::payment_notifications as n;

/// The notification of this id, if it has come already.
pub(super) fn by_message(tx: &mut Tx<'_>, message_id: &str) -> storage::Result<Option<Notification>> {
    let found = n::table.filter(n::tenant_id.eq(Key(tx.tenant()))).filter(n::message_id.eq(message_id));
    Ok(found.select(Notification::as_select()).first(tx.conn()).optional()?)
}

/// Writes a new one. A second one of the same id fails on its key.
pub(super) fn insert(tx: &mut Tx<'_>, new: &Notification) -> storage::Result<()> {
    diesel::insert_into(n::table)
        .values((
            n::tenant_id.eq(Key(tx.tenant())),
            n::id.eq(Key(new.id)),
            n::message_id.eq(&new.message_id),
            n::digest.eq(&new.digest),
            n::notice_number.eq(&new.notice_number),
            n::debt_id.eq(new.debt_id.map(Key)),
            n::amount_cents.eq(new.amount_cents),
            n::outcome.eq(new.outcome),
            n::received_at.eq(At(new.received_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}
