//! Offices and the places they are at: whom one goes to, and where.

pub mod model;
pub mod routes;
pub mod store;

pub use model::{Office, OfficeId, Place, PlaceId};
