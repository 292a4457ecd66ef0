//! Queries over positions of the provider that takes no money.

use diesel::prelude::*;
use jiff::Timestamp;
use storage::{
    Tx,
    types::{At, Key},
};

use super::model::{Simulated, SimulatedState};
use crate::{ports::Position, schema::payment_simulations as s};

/// A position.
pub(super) fn get(tx: &mut Tx<'_>, position: &str) -> storage::Result<Option<Simulated>> {
    let found = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::position.eq(position));
    Ok(found.select(Simulated::as_select()).first(tx.conn()).optional()?)
}

/// Makes one that can be paid.
pub(super) fn insert(tx: &mut Tx<'_>, position: &Position) -> storage::Result<()> {
    diesel::insert_into(s::table)
        .values((
            s::tenant_id.eq(Key(tx.tenant())),
            s::position.eq(&position.id),
            s::notice_number.eq(&position.notice_number),
            s::amount_cents.eq(position.amount_cents),
            s::state.eq(SimulatedState::Valid),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Withdraws one, unless it was paid.
pub(super) fn withdraw(tx: &mut Tx<'_>, position: &str) -> storage::Result<()> {
    let row = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::position.eq(position));
    diesel::update(row.filter(s::state.ne(SimulatedState::Paid)))
        .set(s::state.eq(SimulatedState::Invalid))
        .execute(tx.conn())?;
    Ok(())
}

/// Has one paid, whatever its state: money may have been on its way. `false` where it was paid already, or is not
/// there.
pub(super) fn pay(
    tx: &mut Tx<'_>,
    position: &str,
    cents: i64,
    paid_at: Timestamp,
    receipt: &str,
) -> storage::Result<bool> {
    let row = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::position.eq(position));
    let paid = diesel::update(row.filter(s::state.ne(SimulatedState::Paid)))
        .set((
            s::state.eq(SimulatedState::Paid),
            s::paid_cents.eq(Some(cents)),
            s::paid_at.eq(Some(At(paid_at))),
            s::receipt.eq(Some(receipt)),
        ))
        .execute(tx.conn())?;
    Ok(paid == 1)
}
