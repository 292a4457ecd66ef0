//! How people pay: the provider, and where it is.

use std::{sync::Arc, time::Duration};

use connectors::{PagoPa, pagopa::Addresses};
use jiff::SignedDuration;
use kernel::Id;
use payments::{
    ports::PaymentProvider,
    settling::{Cashier, MOST_CALLS},
    simulated::{Simulator, routes::Simulating},
};
use platform::access::DeploymentSecret;
use serde::{Deserialize, Serialize};
use storage::Db;

use super::ConfigError;

/// Who takes the money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TakenBy {
    /// Nobody: no payments are asked for.
    #[default]
    None,
    /// pagoPA.
    Pagopa,
    /// A provider that is played here, and takes none.
    Stub,
}

/// How people pay.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaymentsConfig {
    /// The provider.
    pub provider: TakenBy,
    /// Where pagoPA's debt positions are.
    pub gpd_base_url: String,
    /// Where pagoPA's receipts are.
    pub receipts_base_url: String,
    /// Where pagoPA's pay page is opened.
    pub checkout_base_url: String,
    /// Where pagoPA prints notices.
    pub notices_base_url: String,
    /// How long one call may take, in seconds.
    pub timeout_seconds: u32,
    /// How often each gateway looks for what is due, in seconds.
    pub poll_seconds: u32,
}

impl Default for PaymentsConfig {
    fn default() -> Self {
        let at = |path: &str| format!("https://api.platform.pagopa.it/{path}");
        Self {
            provider: TakenBy::None,
            gpd_base_url: at("gpd/debt-positions-service/v1"),
            receipts_base_url: at("gpd/payments-receipts-service/v1"),
            checkout_base_url: at("checkout/ec/v1"),
            notices_base_url: at("print-payment-notice-service/external/v1"),
            timeout_seconds: 20,
            poll_seconds: 5,
        }
    }
}

impl PaymentsConfig {
    /// Who deals with the provider, and whether it is played here.
    ///
    /// # Errors
    /// When an address or a number cannot be meant.
    pub fn cashier(&self, db: &Db, secret: &Arc<DeploymentSecret>) -> Result<(Cashier, Simulating), ConfigError> {
        let wrong = |setting, reason: String| ConfigError::Payments { setting, reason };
        for (setting, seconds) in [("timeout_seconds", self.timeout_seconds), ("poll_seconds", self.poll_seconds)] {
            if seconds == 0 {
                return Err(wrong(setting, "must be at least 1".to_owned()));
            }
        }
        let provider: Option<Arc<dyn PaymentProvider>> = match self.provider {
            TakenBy::None => None,
            TakenBy::Stub => Some(Arc::new(Simulator { db: db.clone() })),
            TakenBy::Pagopa => Some(Arc::new(self.pagopa()?)),
        };
        // What comes before the calls of a job and after them takes a moment too.
        let lease = i64::from(self.timeout_seconds).saturating_mul(MOST_CALLS).saturating_add(15);
        let cashier = Cashier {
            db: db.clone(),
            provider,
            secret: Arc::clone(secret),
            lease: SignedDuration::from_secs(lease),
            worker: Id::generate(db.clock().now(), rand::random()),
        };
        Ok((cashier, Simulating(self.provider == TakenBy::Stub)))
    }

    fn pagopa(&self) -> Result<PagoPa, ConfigError> {
        let addresses = Addresses {
            gpd: &self.gpd_base_url,
            receipts: &self.receipts_base_url,
            checkout: &self.checkout_base_url,
            notices: &self.notices_base_url,
        };
        let time_out = Duration::from_secs(u64::from(self.timeout_seconds));
        PagoPa::new(&addresses, time_out)
            .map_err(|error| ConfigError::Payments { setting: error.setting, reason: error.reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pagopa_is_spoken_to_over_https() {
        assert!(PaymentsConfig::default().pagopa().is_ok());
        let local = || "http://127.0.0.1:3000/x".to_owned();
        assert!(PaymentsConfig { gpd_base_url: local(), ..PaymentsConfig::default() }.pagopa().is_ok());
        let open = || "http://api.example".to_owned();
        let said = |config: PaymentsConfig| config.pagopa().unwrap_err().to_string();
        assert!(said(PaymentsConfig { gpd_base_url: open(), ..PaymentsConfig::default() }).contains("gpd_base_url"));
        let checkout = PaymentsConfig { checkout_base_url: open(), ..PaymentsConfig::default() };
        assert!(said(checkout).contains("checkout_base_url"));
    }
}
