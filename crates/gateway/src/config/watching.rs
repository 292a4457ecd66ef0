//! Who may watch: metrics and traces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Network;

/// Who may read `/metrics`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Addresses that are answered; everybody else is told that there is nothing.
    pub allowed_addresses: Vec<Network>,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        Self { allowed_addresses: here.into_iter().map(|address| Network(IpNet::from(address))).collect() }
    }
}

/// Where traces go.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// An OpenTelemetry collector, such as `http://127.0.0.1:4318`; traces go to `/v1/traces` there. Absent: nowhere.
    pub otlp_endpoint: Option<String>,
    /// What the service is called there.
    pub service_name: String,
    /// Which part of the requests is traced, 0 to 1, unless whoever calls has decided it.
    pub sample_ratio: f64,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { otlp_endpoint: None, service_name: "sportello".to_owned(), sample_ratio: 1.0 }
    }
}
