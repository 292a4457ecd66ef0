//! The connection, as written and served.

use jiff::Timestamp;
use kernel::civil;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::rules::visible;
use crate::{entries::rules::code, ports::Capability, receipts::rules::page};

storage::text_enum! {
    /// What documents are registered with.
    pub enum ConnectorKind {
        /// The register here alone, as a repertorio.
        Internal = "internal",
        /// A system that speaks the JSON contract of this platform.
        HttpJson = "http_json",
        /// A system that speaks DOCAREA: login, inserimento, protocollazione.
        DocareaSoap = "docarea_soap",
    }
}

/// How the Comune's register is called, and what it is connected with
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ProtocolConnection, example = json!({
    "connector": "docarea_soap", "ipa_code": "c_h501", "aoo_code": "A1B2C3D", "register_code": "RACC",
    "receipt_page": "https://servizi.comune.bugliano.example/ricevute/{code}", "base_url": "https://protocollo.comune.bugliano.example/docarea", "username": "sportello",
    "entity_code": "BUGLIANO", "credential_set": true, "capabilities": ["register", "contents"],
    "updated_at": "2026-11-29T10:00:00+01:00", "version": 1
}))]
pub struct ConnectionView {
    /// What documents are registered with.
    pub connector: ConnectorKind,
    /// The Comune in the index of public administrations (IPA).
    #[schema(max_length = 16)]
    pub ipa_code: String,
    /// Its organisational area (AOO).
    #[schema(max_length = 16)]
    pub aoo_code: String,
    /// The register here.
    #[schema(max_length = 16)]
    pub register_code: String,
    /// Where receipts are verified, with `{code}` where the code goes; null: receipts have the code alone.
    #[schema(max_length = 500)]
    pub receipt_page: Option<String>,
    /// Where the protocol system is.
    #[schema(max_length = 500)]
    pub base_url: Option<String>,
    /// The user there.
    #[schema(max_length = 100)]
    pub username: Option<String>,
    /// The code of the Comune there (codice ente).
    #[schema(max_length = 50)]
    pub entity_code: Option<String>,
    /// Whether there is a credential. It is never shown.
    pub credential_set: bool,
    /// What the connector does; what is not listed, it does not do.
    #[schema(max_items = 20)]
    pub capabilities: Vec<Capability>,
    /// When it was set; null where nothing was.
    #[serde(with = "civil::rfc3339::option")]
    pub updated_at: Option<Timestamp>,
    /// Counts changes; 0 where nothing was set.
    #[schema(minimum = 0, maximum = 1000000)]
    pub version: i64,
}

/// How the Comune's register is to be called, and what it is to be connected with
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProtocolConnection, example = json!({
    "connector": "http_json", "ipa_code": "c_h501", "aoo_code": "A1B2C3D", "register_code": "RACC",
    "receipt_page": "https://servizi.comune.bugliano.example/ricevute/{code}", "base_url": "https://protocollo.comune.bugliano.example/api", "credential": "0123456789abcdef0123456789abcdef"
}))]
pub struct NewConnection {
    /// What documents are registered with.
    pub connector: ConnectorKind,
    /// The Comune in the index of public administrations (IPA).
    #[validate(custom(function = code))]
    #[schema(min_length = 1, max_length = 16, pattern = "^[A-Za-z0-9_.-]{1,16}$")]
    pub ipa_code: String,
    /// Its organisational area (AOO), as the index has it.
    #[validate(custom(function = code))]
    #[schema(min_length = 1, max_length = 16, pattern = "^[A-Za-z0-9_.-]{1,16}$")]
    pub aoo_code: String,
    /// The register here. Another code begins another register, at number 1.
    #[validate(custom(function = code))]
    #[schema(min_length = 1, max_length = 16, pattern = "^[A-Za-z0-9_.-]{1,16}$")]
    pub register_code: String,
    /// Where receipts are verified: a page of the Comune's, or `/receipts/{code}` here, with `{code}` where the code
    /// goes. Receipts show it as QR code; those that were issued keep theirs.
    #[validate(length(min = 14, max = 500), custom(function = page))]
    #[schema(
        min_length = 14,
        max_length = 500,
        pattern = r"^(https://[^{\s]|http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?/)[!-~]*\{code\}[!-~]*$"
    )]
    pub receipt_page: Option<String>,
    /// Where the protocol system is: https, or http to a host that the settings name in `private_hosts`.
    #[validate(length(min = 8, max = 500), custom(function = visible))]
    #[schema(min_length = 8, max_length = 500, pattern = "^[!-~]+$")]
    pub base_url: Option<String>,
    /// The user there; for `docarea_soap`.
    #[validate(length(min = 1, max = 100), custom(function = visible))]
    #[schema(min_length = 1, max_length = 100, pattern = "^[!-~]+$")]
    pub username: Option<String>,
    /// The code of the Comune there (codice ente); for `docarea_soap`.
    #[validate(length(min = 1, max = 50), custom(function = visible))]
    #[schema(min_length = 1, max_length = 50, pattern = "^[!-~]+$")]
    pub entity_code: Option<String>,
    /// Password or token. Absent: the one that is kept stays, while connector and address do.
    #[validate(length(min = 1, max = 500), custom(function = visible))]
    #[schema(min_length = 1, max_length = 500, pattern = "^[!-~]+$", write_only)]
    pub credential: Option<String>,
}

kernel::redacted_debug!(NewConnection);
