//! The protocol register: how long the Comune's own system may take, and how often it is tried.

use std::{sync::Arc, time::Duration};

use connectors::{DocareaSoap, HttpJson};
use documents::Documents;
use jiff::SignedDuration;
use kernel::Id;
use platform::access::DeploymentSecret;
use protocol::{
    connections::ConnectorKind,
    ports::Connectors,
    registrations::{
        rules::WAITS_SECONDS,
        sending::{Registrar, Room},
    },
};
use serde::{Deserialize, Serialize};
use storage::Db;

use super::ConfigError;

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

/// How often one waits for so long in one attempt: for a look-up, for the files, and for the three calls of DOCAREA.
const WAITED: u32 = 5;

impl ProtocolConfig {
    /// Refuses a time of nothing, and waits that are none.
    fn check(&self) -> Result<(), ConfigError> {
        let numbers = [
            ("protocol.timeout_seconds", self.timeout_seconds),
            ("protocol.poll_seconds", self.poll_seconds),
            ("protocol.daily_poll_seconds", self.daily_poll_seconds),
        ];
        if let Some((name, _)) = numbers.iter().find(|(_, number)| *number == 0) {
            return Err(ConfigError::Zero(name));
        }
        if self.waits_seconds.is_empty() {
            return Err(ConfigError::Zero("the number of protocol.waits_seconds"));
        }
        Ok(())
    }

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

    /// Who hands entries on.
    ///
    /// # Errors
    /// When a number cannot be meant.
    pub fn registrar(
        &self,
        db: &Db,
        secret: &Arc<DeploymentSecret>,
        documents: &Documents,
        connectors: &Connectors,
    ) -> Result<Registrar, ConfigError> {
        self.check()?;
        Ok(Registrar {
            db: db.clone(),
            connectors: connectors.clone(),
            documents: documents.clone(),
            secret: Arc::clone(secret),
            waits: self.waits(),
            lease: self.lease(),
            gathering: Duration::from_secs(u64::from(self.timeout_seconds)),
            room: Room::default(),
            worker: Id::generate(db.clock().now(), rand::random()),
        })
    }

    /// The waits between attempts.
    fn waits(&self) -> Arc<[Duration]> {
        self.waits_seconds.iter().copied().map(Duration::from_secs).collect()
    }

    /// For how long an attempt is its worker's: longer than it may take, and what comes after it.
    fn lease(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.timeout_seconds.saturating_mul(WAITED)).saturating_add(15))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_waits_are_meant() {
        let said = |config: ProtocolConfig| config.check().map_err(|error| error.to_string());
        assert_eq!(said(ProtocolConfig::default()), Ok(()));
        let hasty = ProtocolConfig { timeout_seconds: 0, ..ProtocolConfig::default() };
        assert!(said(hasty).unwrap_err().contains("protocol.timeout_seconds"));
        let once = ProtocolConfig { waits_seconds: Vec::new(), ..ProtocolConfig::default() };
        assert!(said(once).unwrap_err().contains("protocol.waits_seconds"));
    }
}
