//! The seats of calendars, one row for each tick that somebody has one.

pub(super) mod store;
