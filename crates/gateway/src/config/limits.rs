//! How often one may call.

use std::{fmt, net::IpAddr, num::NonZeroU32, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// How many requests one caller or one address may send. Each limit is a rate, in requests a minute, and a burst:
/// how many may come at once after a pause. Counted by each gateway for itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// One address, whoever calls from it; counted before tokens are checked.
    pub address_per_minute: NonZeroU32,
    /// Its burst.
    pub address_burst: NonZeroU32,
    /// An address without a token.
    pub anonymous_per_minute: NonZeroU32,
    /// Its burst.
    pub anonymous_burst: NonZeroU32,
    /// What an address without a token changes or looks up: everything but `GET`, `HEAD` and `OPTIONS`.
    pub anonymous_write_per_minute: NonZeroU32,
    /// Its burst.
    pub anonymous_write_burst: NonZeroU32,
    /// A citizen.
    pub citizen_per_minute: NonZeroU32,
    /// Its burst.
    pub citizen_burst: NonZeroU32,
    /// One of the staff.
    pub staff_per_minute: NonZeroU32,
    /// Its burst.
    pub staff_burst: NonZeroU32,
    /// A device's key.
    pub device_per_minute: NonZeroU32,
    /// Its burst.
    pub device_burst: NonZeroU32,
    /// A program's key.
    pub integration_per_minute: NonZeroU32,
    /// Its burst.
    pub integration_burst: NonZeroU32,
    /// A key of whoever runs the installation.
    pub platform_per_minute: NonZeroU32,
    /// Its burst.
    pub platform_burst: NonZeroU32,
}

/// A number that is written down here and is not zero.
const fn n(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            address_per_minute: n(3000),
            address_burst: n(600),
            anonymous_per_minute: n(300),
            anonymous_burst: n(100),
            anonymous_write_per_minute: n(30),
            anonymous_write_burst: n(20),
            citizen_per_minute: n(120),
            citizen_burst: n(60),
            staff_per_minute: n(600),
            staff_burst: n(150),
            device_per_minute: n(240),
            device_burst: n(80),
            integration_per_minute: n(1200),
            integration_burst: n(240),
            platform_per_minute: n(600),
            platform_burst: n(150),
        }
    }
}

impl LimitsConfig {
    /// The same for everybody; for the demo, where one machine plays a whole town.
    pub const fn all(per_minute: u32, burst: u32) -> Self {
        let (rate, burst) = (n(per_minute), n(burst));
        Self {
            address_per_minute: rate,
            address_burst: burst,
            anonymous_per_minute: rate,
            anonymous_burst: burst,
            anonymous_write_per_minute: rate,
            anonymous_write_burst: burst,
            citizen_per_minute: rate,
            citizen_burst: burst,
            staff_per_minute: rate,
            staff_burst: burst,
            device_per_minute: rate,
            device_burst: burst,
            integration_per_minute: rate,
            integration_burst: burst,
            platform_per_minute: rate,
            platform_burst: burst,
        }
    }
}

/// Addresses: `10.0.0.0/8`, `2001:db8::/32`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let single = |_not_a_network| text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse::<IpNet>().or_else(single);
        network.map(Self).map_err(|_neither| format!("`{text}` is neither an address nor a network such as 10.0.0.0/8"))
    }
}

impl TryFrom<String> for Network {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The header in which trusted proxies tell whom they speak for. One of them only: a proxy that writes one passes
/// the other on as it came, from whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// The usual one.
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}
