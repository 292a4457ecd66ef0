//! Handing entries on to the Comune's own protocol system: in the background, never twice, never in the way of what is
//! registered here.

pub mod changes;
pub mod model;
pub mod routes;
pub mod rules;
pub mod sending;
pub mod store;

pub use model::{RegistrationId, RegistrationState};
