//! Who changed what: an entry for every mutation, written in its transaction and chained to the one before.
//!
//! The hash of an entry covers the entry and the hash before it, and is keyed with the deployment's secret:
//! whoever can change rows can neither change an entry, nor take one out, nor add one in between, without
//! [`verify`] finding it. What a whole database says that was set back to an earlier day nobody can tell from
//! the database alone: compare with an [`Anchor`] kept elsewhere.
//!
//! A Comune has [`LANES`] chains, and a transaction adds to the one it drew. One chain would make all its
//! writers wait for each other's commits.

mod model;
pub mod routes;
mod store;

pub use model::{Anchor, Change, Entry, EntryId, Fault, LANES};
pub use store::{anchor, by_actor, record, verify};
