//! Who is calling, and what they may do.
//!
//! [`Caller`] is the extractor every handler takes: without one there is no tenant and so no
//! transaction. [`policy`] is the only place that decides what a caller may do.

pub mod assurance;
pub mod caller;
pub mod integration;
pub mod keys;
pub mod me;
pub mod pdnd;
pub mod permissions;
pub mod policy;
pub mod secret;
pub mod sessions;
pub mod staff;
pub mod tokens;

pub use assurance::Assurance;
pub use caller::{Access, Caller, CallerKind, Citizen, identify, same_words};
pub use integration::Integration;
pub use secret::{DeploymentSecret, Pseudonym};
