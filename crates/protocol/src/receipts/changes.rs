//! The one path by which a receipt is issued: within the transaction of what it is of.

use platform::{directory::Office, privacy::Place};
use storage::Tx;

use super::{
    model::{Answering, Receipt},
    rules, store,
};
use crate::entries::Entry;

/// Issues the receipt of an entry. `page` is where receipts are verified.
///
/// # Errors
/// When the database fails.
pub fn issue(
    tx: &mut Tx<'_>,
    place: Place<'_>,
    (entry, office): (&Entry, Office),
    answering: Answering,
    page: Option<&str>,
) -> storage::Result<Receipt> {
    let code = rules::code([rand::random(), rand::random()]);
    let Answering { due_on, silence, responsible, remedy } = answering;
    let receipt = Receipt {
        entry_id: entry.id,
        verification_url: page.map(|page| rules::address(page, &code)),
        code,
        comune: place.tenant.name.clone(),
        office: office.name,
        office_email: office.email,
        office_phone: office.phone,
        due_on,
        silence,
        responsible,
        remedy,
        issued_at: entry.registered_at,
    };
    store::insert(tx, &receipt)?;
    Ok(receipt)
}
