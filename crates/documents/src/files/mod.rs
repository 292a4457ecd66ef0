//! Documents: sent in, told of, given back, deleted, attached.

pub mod access;
pub(crate) mod changes;
pub mod model;
pub mod routes;
pub mod rules;
mod serving;
pub mod store;
mod uploading;

pub use changes::{attach, discard};
pub use model::{Document, DocumentId};
pub use serving::{NotAtHand, whole};
