//! The counter that serial numbers come from.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Text},
};
use storage::{
    DbError, Tx, fixed,
    types::{Key, Uid},
};

use super::rules::{self, PaymentNumbers};

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    last_number: i64,
}

/// The numbers of the next payment to a creditor. Taken with the transaction, or not at all.
///
/// # Errors
/// When the numbers are used up, or when the database fails.
pub(crate) fn next(tx: &mut Tx<'_>, creditor: &str, segregation_code: &str) -> storage::Result<PaymentNumbers> {
    let tenant = tx.tenant();
    let counted: Counted = fixed(
        "INSERT INTO payment_counters (tenant_id, creditor, segregation_code, last_number) VALUES (?, ?, ?, 1) \
         ON CONFLICT (tenant_id, creditor, segregation_code) \
         DO UPDATE SET last_number = payment_counters.last_number + 1 RETURNING last_number",
    )
    .bind::<Uid, _>(Key(tenant))
    .bind::<Text, _>(creditor.to_owned())
    .bind::<Text, _>(segregation_code.to_owned())
    .get_result(tx.conn())?;
    let serial = u64::try_from(counted.last_number).unwrap_or_default();
    let made = rules::numbers(segregation_code, serial);
    Ok(made.ok_or_else(|| DbError::Other("the notice numbers of a segregation code are used up".to_owned()))?)
}
