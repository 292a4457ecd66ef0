//! How much can be given back. Pure.

use kernel::Problem;

use crate::{debts::Debt, problems::REFUND_EXCEEDS_PAYMENT};

/// Whether so many cents more can be given back, after `refunded`: of what was paid, be it more or less than was owed.
///
/// # Errors
/// `refund-exceeds-payment`, with what is left.
pub fn check(debt: &Debt, refunded: i64, cents: i64) -> Result<(), Problem> {
    let left = debt.paid_cents.unwrap_or(0).saturating_sub(refunded).max(0);
    if cents > left {
        return Err(Problem::new(&REFUND_EXCEEDS_PAYMENT).with("refundable_cents", left));
    }
    Ok(())
}
