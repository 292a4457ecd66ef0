//! Webhooks: events sent to an address that a Comune names, signed as Standard Webhooks says.
//!
//! * `rules`: which events, when again, what an answer means · `addresses`: where nothing may be sent to
//! * `signature`: what receivers check · `deliveries`: what is on its way
//! * `sending`: one attempt, from the lease to the note of what came of it

pub mod addresses;
pub mod changes;
pub mod deliveries;
pub mod model;
pub mod routes;
pub mod rules;
pub mod sending;
pub mod signature;
pub mod store;
