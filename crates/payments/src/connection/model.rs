//! The connection, as stored, written and served.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::{Id, civil};
use platform::settings::rules::{one_line, origins};
use serde::{Deserialize, Serialize};
use storage::Json;
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::rules;
use crate::schema::{payment_connections, payment_notification_keys};

/// The identifier of a key of notifications.
pub type NotificationKeyId = Id<NotificationKey>;

/// How a Comune is paid, as stored.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment_connections)]
pub struct Connection {
    /// Codice fiscale of the creditor.
    pub organisation_tax_code: String,
    /// What its notice numbers begin with, after the aux digit.
    pub segregation_code: String,
    /// Where money goes.
    pub iban: String,
    /// What it is called on notices.
    pub company_name: String,
    /// The subscription key, concealed.
    pub concealed_key: String,
    /// Origins of pages that people may be sent back to.
    pub return_origins: Json<Vec<String>>,
    /// Whether payments are asked for.
    pub enabled: bool,
    /// Counts changes.
    pub version: i64,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A key that notifications are signed with, as stored.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment_notification_keys)]
pub struct NotificationKey {
    /// Identifier.
    pub id: NotificationKeyId,
    /// The key, concealed.
    pub concealed: String,
    /// When it was made.
    pub created_at: Timestamp,
}

kernel::redacted_debug!(Connection, NotificationKey, NewConnection, NewKeyView);

/// How the Comune is paid
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PaymentsConnection, example = json!({
    "connected": true, "enabled": true, "organisation_tax_code": "01199250158", "segregation_code": "02",
    "iban": "IT60X0542811101000000123456", "company_name": "Comune di Bugliano",
    "return_origins": ["https://servizi.comune.bugliano.example"], "notification_keys": [],
    "version": 1, "updated_at": "2026-11-29T10:00:00+01:00"
}))]
pub struct ConnectionView {
    /// Whether it was said how.
    pub connected: bool,
    /// Whether payments are asked for.
    pub enabled: bool,
    /// Codice fiscale of the creditor (ente creditore).
    #[schema(max_length = 11)]
    pub organisation_tax_code: Option<String>,
    /// What notice numbers begin with, after the aux digit 3 (codice di segregazione).
    #[schema(max_length = 2)]
    pub segregation_code: Option<String>,
    /// Where money goes.
    #[schema(max_length = 27)]
    pub iban: Option<String>,
    /// What the Comune is called on notices.
    #[schema(max_length = 140)]
    pub company_name: Option<String>,
    /// Origins of pages that people may be sent back to.
    #[schema(max_items = 20)]
    pub return_origins: Vec<ReturnOrigin>,
    /// The keys that notifications may be signed with. They are told once, when they are made.
    #[schema(max_items = 100)]
    pub notification_keys: Vec<KeyView>,
    /// Counts changes; 0 where nothing was said.
    #[schema(minimum = 0, maximum = 1000000)]
    pub version: i64,
    /// When it was said; null where it was not.
    #[serde(with = "civil::rfc3339::option")]
    pub updated_at: Option<Timestamp>,
}

/// The origin of a page
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(value_type = String, max_length = 200, example = "https://servizi.comune.example")]
pub struct ReturnOrigin(pub String);

/// A key of notifications, without the key
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PaymentNotificationKey, example = json!({ "id": "01980000-0000-7000-8000-0000000000b0", "created_at": "2026-11-29T10:00:00+01:00" }))]
pub struct KeyView {
    /// Identifier.
    pub id: NotificationKeyId,
    /// When it was made.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
}

/// A key of notifications
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = NewPaymentNotificationKey, example = json!({
    "id": "01980000-0000-7000-8000-0000000000b0", "created_at": "2026-11-29T10:00:00+01:00",
    "signing_key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
}))]
pub struct NewKeyView {
    /// Identifier.
    pub id: NotificationKeyId,
    /// When it was made.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// The key, in the form of Standard Webhooks. It is not told again.
    #[schema(max_length = 100)]
    pub signing_key: String,
}

/// How the Comune is to be paid
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPaymentsConnection, example = json!({
    "organisation_tax_code": "01199250158", "segregation_code": "02", "iban": "IT60X0542811101000000123456",
    "company_name": "Comune di Bugliano", "subscription_key": "0123456789abcdef0123456789abcdef",
    "return_origins": ["https://servizi.comune.bugliano.example"], "enabled": true
}))]
pub struct NewConnection {
    /// Codice fiscale of the creditor (ente creditore): eleven digits, of which the last confirms the others.
    #[validate(length(min = 11, max = 11), custom(function = rules::organisation_tax_code))]
    #[schema(min_length = 11, max_length = 11, pattern = "^[0-9]{11}$")]
    pub organisation_tax_code: String,
    /// What notice numbers begin with, after the aux digit 3 (codice di segregazione). Numbers made here are nobody
    /// else's: take a code that no other system of the creditor uses.
    #[validate(length(min = 2, max = 2), custom(function = rules::digits))]
    #[schema(min_length = 2, max_length = 2, pattern = "^[0-9]{2}$")]
    pub segregation_code: String,
    /// Where money goes: an Italian IBAN, without blanks.
    #[validate(length(min = 27, max = 27), custom(function = rules::iban))]
    #[schema(min_length = 27, max_length = 27, pattern = "^IT[0-9]{2}[A-Z][0-9]{10}[0-9A-Z]{12}$")]
    pub iban: String,
    /// What the Comune is called on notices.
    #[validate(length(min = 1, max = 140), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 140,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub company_name: String,
    /// The subscription key from pagoPA's back office, kept readable for this installation alone. Absent: the one
    /// there is stays.
    #[validate(length(min = 8, max = 200), custom(function = visible))]
    #[schema(min_length = 8, max_length = 200, pattern = "^[!-~]+$", write_only)]
    pub subscription_key: Option<String>,
    /// Origins of pages that people may be sent back to.
    #[validate(length(max = 20), custom(function = origins))]
    #[schema(value_type = Vec<ReturnOrigin>, max_items = 20)]
    pub return_origins: Vec<String>,
    /// Whether payments are asked for.
    pub enabled: bool,
}

impl ConnectionView {
    /// What is shown.
    pub fn of(connection: Option<Connection>, keys: Vec<NotificationKey>) -> Self {
        let notification_keys =
            keys.into_iter().map(|key| KeyView { id: key.id, created_at: key.created_at }).collect();
        let Some(it) = connection else {
            return Self {
                connected: false,
                enabled: false,
                organisation_tax_code: None,
                segregation_code: None,
                iban: None,
                company_name: None,
                return_origins: Vec::new(),
                notification_keys,
                version: 0,
                updated_at: None,
            };
        };
        Self {
            connected: true,
            enabled: it.enabled,
            organisation_tax_code: Some(it.organisation_tax_code),
            segregation_code: Some(it.segregation_code),
            iban: Some(it.iban),
            company_name: Some(it.company_name),
            return_origins: it.return_origins.0.into_iter().map(ReturnOrigin).collect(),
            notification_keys,
            version: it.version,
            updated_at: Some(it.updated_at),
        }
    }
}

/// It becomes a header.
fn visible(text: &str) -> Result<(), ValidationError> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(ValidationError::new("key").with_message("visible ASCII characters".into()))
}
