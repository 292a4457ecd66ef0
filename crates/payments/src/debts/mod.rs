//! Debts: who owes what until when, and how far it is.

pub mod address;
pub mod answers;
pub mod changes;
pub mod model;
pub mod paying;
pub mod routes;
pub mod rules;
pub mod store;
pub mod views;

pub use model::{Debt, PaymentId, PaymentState};
