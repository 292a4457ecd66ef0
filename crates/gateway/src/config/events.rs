//! Events, and how they leave.

use std::time::Duration;

use platform::{events::stream::Habits, webhooks::rules::Schedule};
use serde::{Deserialize, Serialize};

/// Events, webhooks and streams.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventsConfig {
    /// How long events are kept, in days, once nothing waits for them any more.
    pub keep_days: u32,
    /// How many event streams a gateway keeps open.
    pub max_streams: usize,
    /// How long a stream is silent at most, in seconds.
    pub stream_heartbeat_seconds: u64,
    /// How long a stream lasts before its client has to come again, in seconds.
    pub stream_seconds: u64,
    /// How many webhooks a Comune may have.
    pub max_webhooks: u32,
    /// How long a webhook's receiver may take to answer, in seconds.
    pub webhook_timeout_seconds: u64,
    /// How many deliveries to one webhook may be under way.
    pub webhook_concurrency: u32,
    /// Waits between attempts, in seconds; after the last of them, and one more attempt, a delivery is parked.
    pub webhook_waits_seconds: Vec<u64>,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self {
            keep_days: 90,
            max_streams: 500,
            stream_heartbeat_seconds: 15,
            stream_seconds: 900,
            max_webhooks: 50,
            webhook_timeout_seconds: 15,
            webhook_concurrency: 4,
            webhook_waits_seconds: Schedule::default().seconds(),
        }
    }
}

impl EventsConfig {
    /// When deliveries are tried again.
    pub fn schedule(&self) -> Schedule {
        Schedule::new(self.webhook_waits_seconds.iter().copied().map(Duration::from_secs).collect())
    }

    /// How streams are kept.
    pub const fn habits(&self) -> Habits {
        Habits {
            heartbeat: Duration::from_secs(self.stream_heartbeat_seconds),
            longest: Duration::from_secs(self.stream_seconds),
        }
    }
}
