//! Time of a calendar kept free of visitors: meetings, maintenance.

pub mod model;
pub mod routes;
pub mod store;
