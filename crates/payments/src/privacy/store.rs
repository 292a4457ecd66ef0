//! Queries over the payments of a person, and over those that were long ago.

use diesel::{dsl::case_when, prelude::*, sql_types::Nullable};
use jiff::Timestamp;
use platform::privacy::RecordId;
use storage::{
    MultiBackend, Tx,
    types::{At, Instant, Key},
};

use crate::{
    debts::{Debt, PaymentId, PaymentState},
    schema::{payment_debtors as p, payment_debts as d},
};

/// Those of a person, in the order in which they were asked for.
pub(super) fn of(tx: &mut Tx<'_>, key: &str) -> storage::Result<Vec<Debt>> {
    let theirs = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::person_key.eq(key));
    Ok(theirs.order(d::id).select(Debt::as_select()).load(tx.conn())?)
}

diesel::define_sql_function! {
    /// The first, unless there is none.
    fn coalesce(first: Nullable<Instant>, otherwise: Instant) -> Instant;
}

/// The next that have been over since before an instant, and still say who pays. What was paid is over since then; else
/// what could be paid until a day, since that day; else what was called off, since it was.
pub(super) fn overdue(
    tx: &mut Tx<'_>,
    before: Timestamp,
    after: Option<(Timestamp, RecordId)>,
    limit: i64,
) -> storage::Result<Vec<(PaymentId, Timestamp, String)>> {
    let over = [PaymentState::Paid, PaymentState::Expired, PaymentState::Cancelled];
    let since =
        || coalesce(d::paid_at, case_when(d::state.eq(PaymentState::Cancelled), d::updated_at).otherwise(d::due_at));
    let mut query = d::table
        .inner_join(p::table.on(p::tenant_id.eq(d::tenant_id).and(p::debt_id.eq(d::id))))
        .filter(d::tenant_id.eq(Key(tx.tenant())))
        .filter(since().lt(At(before)))
        .filter(d::state.eq_any(over))
        .select((d::id, since(), d::person_key))
        .into_boxed::<MultiBackend>();
    if let Some((at, id)) = after {
        query = query.filter(since().ge(At(at))).filter(since().gt(At(at)).or(d::id.gt(Key(id))));
    }
    Ok(query.order((since(), d::id)).limit(limit).load(tx.conn())?)
}

/// Takes out who pays. `false` when nobody was left.
pub(super) fn take_out(tx: &mut Tx<'_>, id: PaymentId) -> storage::Result<bool> {
    let person = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).filter(p::debt_id.eq(Key(id)));
    Ok(diesel::delete(person).execute(tx.conn())? > 0)
}
