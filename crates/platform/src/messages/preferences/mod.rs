//! How people want to be told.

pub mod model;
pub mod routes;
pub mod store;

pub use model::{PreferencesView, Reminders};
pub use store::of;
