//! Receipts of what comes in (ricevuta, L. 241/1990, articolo 18-bis): issued in the transaction of the entry, as a PDF,
//! and verified by their code.

pub mod changes;
pub mod model;
pub mod paper;
pub mod routes;
pub mod rules;
pub mod store;

pub use model::{Answering, Receipt, Silence};
