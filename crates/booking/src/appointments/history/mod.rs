//! What happened to an appointment, kept as long as the appointment itself.

pub mod model;
pub mod routes;
pub mod store;
