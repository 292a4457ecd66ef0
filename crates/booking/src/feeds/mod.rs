//! Appointments as calendar programs read them (iCalendar, RFC 5545): one as a file, and those of a calendar as
//! a feed whose address can be revoked.

pub mod ics;
pub mod model;
pub mod routes;
pub mod store;

pub use model::{Feed, FeedId};
