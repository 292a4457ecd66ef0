//! How many appointments there were, how they went, and how long people waited for them.

pub mod model;
pub mod routes;
mod rules;
mod store;
