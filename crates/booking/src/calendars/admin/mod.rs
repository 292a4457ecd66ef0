//! Calendars and their hours, made, changed and deleted by those who run the counters.
//!
//! Hours are changed one by one. What is booked stays booked: [`super::conflicts`] tells what a change leaves
//! outside, before or after it is made.

pub mod bodies;
pub mod calendars;
pub mod exceptions;
pub mod opening_rules;
pub mod previews;
pub mod rules;
pub mod store;

use utoipa_actix_web::service_config::ServiceConfig;

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    calendars::routes(cfg);
    opening_rules::routes(cfg);
    exceptions::routes(cfg);
    previews::routes(cfg);
}
