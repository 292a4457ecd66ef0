//! How the Comune's register is called, and where its own protocol system is. The credential is written and never shown.

pub mod model;
pub mod routes;
pub mod rules;
pub mod store;

pub use model::ConnectorKind;
pub use store::Identity;

use platform::access::DeploymentSecret;

/// What the credential is concealed for.
const PURPOSE: &str = "protocol-credential";

/// The credential that was concealed; nothing when another secret concealed it.
pub fn reveal(secret: &DeploymentSecret, concealed: &str) -> Option<String> {
    secret.reveal(PURPOSE, concealed).and_then(|text| String::from_utf8(text).ok())
}
