//! Entries of the register: numbered without a gap, chained, never changed.

mod attached;
pub mod chain;
pub mod changes;
pub mod model;
pub mod routes;
pub mod rules;
pub mod segnatura;
pub mod store;
pub mod views;

pub use attached::Attachments;
pub use model::{
    Direction, DocumentRef, Entry, EntryChannel, EntryId, Party, PartyKind, PartyRole, Registration, Whole,
};
