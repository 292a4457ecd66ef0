//! Appointments at municipal counters: from a need to a place and a time.
//!
//! * [`privacy`]: what is held about the people who come
//! * [`services`]: what one can come for; [`calendars`]: when a counter is open and what is free
//! * [`blocks`]: time kept free of visitors; [`holds`]: a time kept for a few minutes; [`appointments`]: a time booked; [`offers`]: what both start from
//! * [`messages`]: what people are told about their appointments
//!
//! A time cannot be booked twice: every claim is rows of `occupancy`, one per counter and tick, whose
//! primary key says no. Every state that is not terminal occupies; an expired hold counts for nothing,
//! whether or not anybody swept it.

pub mod appointments;
pub mod blocks;
pub mod calendars;
pub mod events;
pub mod exports;
pub mod feeds;
pub mod holds;
pub mod messages;
pub mod offers;
pub mod privacy;
pub mod problems;
pub mod schema;
pub mod services;
pub mod statistics;

use utoipa_actix_web::service_config::ServiceConfig;

/// What the deployment may set.
#[derive(Debug, Clone, Copy)]
pub struct BookingSettings {
    /// How long a hold lasts, in minutes.
    pub hold_minutes: i64,
}

/// Registers what this crate serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    services::routes::routes(cfg);
    calendars::routes::routes(cfg);
    blocks::routes::routes(cfg);
    holds::routes::routes(cfg);
    appointments::routes::routes(cfg);
    feeds::routes::routes(cfg);
    exports::routes::routes(cfg);
    statistics::routes::routes(cfg);
    messages::routes::routes(cfg);
}

/// Tidies what has expired in one Comune. Nothing depends on it having run.
///
/// # Errors
/// When the database fails.
pub fn sweep(tx: &mut storage::Tx<'_>) -> storage::Result<()> {
    calendars::store::sweep_expired(tx)?;
    holds::store::sweep_expired(tx)
}
