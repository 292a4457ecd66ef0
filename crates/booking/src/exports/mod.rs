//! Appointments as a file: comma-separated values for spreadsheets, JSON lines for programs.

pub mod model;
pub mod routes;
mod rules;
mod store;

pub(crate) use store::told;
