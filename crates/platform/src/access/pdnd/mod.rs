//! Other systems that call through PDND, the Piattaforma Digitale Nazionale Dati (art. 50-ter of d.lgs. 82/2005, CAD).
//!
//! PDND knows the system and the purpose for which it calls, and issues a voucher for it; here it is looked up among the
//! clients that the Comune has registered, and is an integration with their scopes. Nothing of it is in force unless the
//! Comune switches it on and names its audience.
//!
//! * [`voucher`]: what a voucher must say · [`model`], [`rules`], [`changes`], [`routes`]: who is registered
//! * [`signature`]: what a client's signature of a request must say (INTEGRITY_REST_02 of the guidelines on
//!   interoperability) · [`integrity`]: where it is asked for · [`client_keys`]: the keys that it is checked with

pub mod changes;
mod claims;
pub mod client_keys;
pub mod integrity;
pub mod model;
pub mod routes;
pub mod rules;
pub mod schema;
pub mod signature;
pub mod store;
pub mod voucher;

pub use claims::ClaimFault;
pub use client_keys::ClientKeys;
pub use integrity::intact;
pub use store::sweep;
pub use voucher::{Voucher, VoucherRefusal};
