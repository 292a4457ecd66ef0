//! Amending an appointment: who comes, how many, what the office should know; not when, and not whether.

pub mod model;
pub mod routes;
pub mod rules;
