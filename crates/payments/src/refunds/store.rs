//! Queries over refunds.

use diesel::prelude::*;
use kernel::PageRequest;
use storage::{
    MultiBackend, Tx,
    types::{At, Key},
};

use super::model::{Refund, RefundId};
use crate::{debts::PaymentId, schema::payment_refunds as r};

/// Writes a new one.
///
/// # Errors
/// When the database fails.
pub(crate) fn insert(tx: &mut Tx<'_>, refund: &Refund) -> storage::Result<()> {
    diesel::insert_into(r::table)
        .values((
            r::tenant_id.eq(Key(tx.tenant())),
            r::id.eq(Key(refund.id)),
            r::debt_id.eq(Key(refund.debt_id)),
            r::amount_cents.eq(refund.amount_cents),
            r::reason.eq(&refund.reason),
            r::reference.eq(&refund.reference),
            r::recorded_by.eq(&refund.recorded_by),
            r::created_at.eq(At(refund.created_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// How much of a payment was given back, in cents.
///
/// # Errors
/// When the database fails.
pub(crate) fn sum(tx: &mut Tx<'_>, debt: PaymentId) -> storage::Result<i64> {
    let cents: Vec<i64> = r::table
        .filter(r::tenant_id.eq(Key(tx.tenant())))
        .filter(r::debt_id.eq(Key(debt)))
        .select(r::amount_cents)
        .load(tx.conn())?;
    Ok(cents.into_iter().fold(0, i64::saturating_add))
}

/// A page of the refunds of a payment, the oldest first.
///
/// # Errors
/// When the database fails.
pub(crate) fn list(tx: &mut Tx<'_>, debt: PaymentId, page: &PageRequest<RefundId>) -> storage::Result<Vec<Refund>> {
    let mut query = r::table
        .filter(r::tenant_id.eq(Key(tx.tenant())))
        .filter(r::debt_id.eq(Key(debt)))
        .into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(r::id.gt(Key(after)));
    }
    Ok(query.order(r::id).limit(page.fetch()).select(Refund::as_select()).load(tx.conn())?)
}

/// Takes out why and by which act, which may tell of a person.
///
/// # Errors
/// When the database fails.
pub(crate) fn blank(tx: &mut Tx<'_>, debt: PaymentId) -> storage::Result<()> {
    let rows = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).filter(r::debt_id.eq(Key(debt)));
    diesel::update(rows).set((r::reason.eq(""), r::reference.eq(""))).execute(tx.conn())?;
    Ok(())
}
