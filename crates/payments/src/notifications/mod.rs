//! What a provider tells by itself: that something may have been paid. Each is kept, and is a reason to ask; none of
//! them makes anything paid.

pub mod model;
pub mod routes;
pub mod rules;
mod store;
