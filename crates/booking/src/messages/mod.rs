//! What people are told about their appointments: that they are booked, moved, called off, and near.

mod compose;
mod react;
pub mod routes;
mod words;

pub use compose::AppointmentComposer;
pub use react::react;

/// Tells that it is booked.
pub(crate) const CONFIRMATION: &str = "appointment.confirmation";
/// Tells that it is near.
pub(crate) const REMINDER: &str = "appointment.reminder";
/// Tells that it is at another time or place.
pub(crate) const CHANGE: &str = "appointment.change";
/// Tells that it was called off.
pub(crate) const CANCELLATION: &str = "appointment.cancellation";
