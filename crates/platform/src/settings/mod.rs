//! What a Comune sets for itself: how to reach it, which sites may call from a browser, how long holds last.
//!
//! A document in one row, absent until something is set. Every caller carries it
//! ([`Caller::settings`](crate::access::Caller::settings)), kept for ten seconds with the Comune
//! ([`TenantDirectory`](crate::tenants::TenantDirectory)).

pub mod messages;
pub mod model;
pub mod pdnd;
pub mod routes;
pub mod rules;
pub mod store;

pub use model::TenantSettings;
