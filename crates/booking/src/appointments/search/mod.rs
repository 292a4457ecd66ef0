//! Finding appointments: the day's list of an office, and those of a person.

pub mod model;
pub mod routes;
pub mod store;
pub mod words;
