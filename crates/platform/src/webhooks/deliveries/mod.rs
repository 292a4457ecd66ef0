//! Events on their way to webhooks: leased, tried, tried again, parked and replayed.

pub mod model;
pub mod routes;
pub mod store;
