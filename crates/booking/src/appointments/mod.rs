//! Appointments: a time booked, moved, cancelled, looked up; what happens at the counter, and its traces.

pub mod amending;
mod attendance;
pub mod changes;
mod changing;
pub(crate) mod find;
pub mod history;
pub(crate) mod identity;
pub(crate) mod looks;
pub mod model;
pub mod notes;
pub mod routes;
pub mod rules;
pub mod search;
pub mod store;
mod views;

pub use model::{Appointment, AppointmentId, AppointmentState, Channel};
