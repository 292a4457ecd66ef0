//! The numbers by which a payment is known to everybody: IUV and notice number.

pub mod rules;
mod store;

pub use rules::PaymentNumbers;
pub(crate) use store::next;
