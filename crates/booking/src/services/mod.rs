//! What one can come to a counter for: the way from a need to an office.

pub mod admin;
pub mod model;
pub mod routes;
pub mod search;
pub mod store;

pub use model::{AppointmentService, AppointmentServiceId};
