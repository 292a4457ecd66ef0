//! Who looked at what is held about people: whole exports, searches for somebody, special data.
//!
//! Entries are added and read, never changed. Each has an entry in the audit with a keyed digest of it, so that one
//! that was made, changed or taken out behind the program's back is found; those of one answer share it.

pub mod model;
pub mod reading;
pub mod routes;
pub mod store;

pub use model::{AccessAction, Look, Looked};
pub use reading::{Shown, read};
pub use store::record;
