//! The protocol register: how long the Comune's own system may take, and how often it is tried.

use std::{sync::Arc, time::Duration};

use connectors::{DocareaSoap, HttpJson};
use jiff::SignedDuration;
use protocol::{connections::ConnectorKind, ports::Connectors, registrations::rules::WAITS_SECONDS};
use serde::{Deserialize, Serialize};

/// The protocol register.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProtocolConfig {
    /// How long a protocol system may take to answer one call, in seconds.
    pub timeout_seconds: u32,
    /// How often one looks for what is to be handed on, in seconds.
    pub poll_seconds: u32,
    /// Waits between attempts, in seconds; after the last of them, and one more attempt, somebody has to look.
    pub waits_seconds: Vec<u64>,
    /// How often one looks whether the daily registers are made, in seconds.
    pub daily_poll_seconds: u32,
}

impl Default for ProtocolConfig {
    fn default() -> Self {
        Self { timeout_seconds: 30, poll_seconds: 5, waits_seconds: WAITS_SECONDS.to_vec(), daily_poll_seconds: 300 }
    }
}

/// How many calls one attempt may consist of: a look-up, and the three of DOCAREA.
const CALLS: u32 = 4;

impl ProtocolConfig {
    /// What there is to hand on with.
    ///
    /// # Errors
    /// When a client cannot be made; what is wrong, in words.
    pub fn connectors(&self) -> Result<Connectors, String> {
        let time_out = Duration::from_secs(u64::from(self.timeout_seconds));
        let said = |error: &dyn std::error::Error| error.to_string();
        Ok(Connectors::internal()
            .with(ConnectorKind::HttpJson, HttpJson::new(time_out).map_err(|error| said(&error))?)
            .with(ConnectorKind::DocareaSoap, DocareaSoap::new(time_out).map_err(|error| said(&error))?))
    }

    /// The waits between attempts.
    pub fn waits(&self) -> Arc<[Duration]> {
        self.waits_seconds.iter().copied().map(Duration::from_secs).collect()
    }

    /// For how long an attempt is its worker's: longer than it may take, and what comes after it.
    pub fn lease(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.timeout_seconds.saturating_mul(CALLS)).saturating_add(15))
    }
}
