//! Appointments: a time booked, moved, cancelled, looked up.

pub mod changes;
pub mod model;
pub mod routes;
pub mod rules;
pub mod store;
mod views;

pub use model::{Appointment, AppointmentId, AppointmentState, Channel};
