//! The Comune as a creditor: how it is known to the provider, and where money and people go.

pub mod model;
pub mod routes;
pub mod rules;
pub mod store;

/// What the subscription key is concealed for.
pub const SUBSCRIPTION_KEY: &str = "payments subscription key";
/// What keys of notifications are concealed for.
pub const NOTIFICATION_KEY: &str = "payments notification key";
