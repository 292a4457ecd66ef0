//! What an office notes about an appointment for itself.

pub mod model;
pub mod routes;
pub mod store;
