//! The Comune's key for App IO. It is written and never shown.

pub mod model;
pub mod routes;
pub mod store;

pub use store::concealed_key;

use crate::access::DeploymentSecret;

/// What the key is concealed for.
const PURPOSE: &str = "app-io-key";

/// The key that was concealed; nothing when another secret concealed it.
pub fn reveal(secret: &DeploymentSecret, concealed: &str) -> Option<String> {
    secret.reveal(PURPOSE, concealed).and_then(|key| String::from_utf8(key).ok())
}
