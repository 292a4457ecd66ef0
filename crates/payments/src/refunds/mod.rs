//! What was given back: a record of what the Comune did elsewhere, since pagoPA gives nothing back by itself.

pub mod model;
pub mod routes;
pub mod rules;
pub mod store;
