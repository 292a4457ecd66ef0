//! Events as integrators get them: read page by page, sent to webhooks, or streamed while they happen.

pub mod live;
pub mod model;
pub mod routes;
pub mod stream;
pub mod types;

pub use live::Live;
pub use model::CloudEvent;
pub use types::{EventType, EventTypes};
