//! Calendars of counters: when they are open, and what of it is free.

pub mod admin;
mod availability;
pub mod claim;
pub mod closures;
pub mod conflicts;
pub mod model;
pub mod occupancy;
pub mod routes;
mod seats;
pub mod store;
pub mod ticks;
pub mod timetable;
#[cfg(test)]
mod timetable_properties;
pub mod views;

pub use availability::Availabilities;
pub use model::{Calendar, CalendarId, ExceptionKind, OpeningException, OpeningRule};
