//! People who work for the Comune.
//!
//! The identity provider says who somebody is; that they work here, in which role and for which
//! offices, is written in our own tables, so that it can be taken back at once.

pub mod changes;
pub mod model;
pub mod routes;
pub mod rules;
pub mod store;

pub use model::{StaffMember, StaffRole};
pub use store::{by_id, by_subject, insert, names};
