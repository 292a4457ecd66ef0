//! A time kept for a few minutes while somebody fills in a form.

pub mod model;
pub mod routes;
pub mod store;

pub use model::{Hold, HoldId};
