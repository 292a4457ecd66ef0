//! The connection to App IO, as written and served.

use jiff::Timestamp;
use kernel::civil;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

/// Whether the Comune is connected to App IO
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = AppIoConnection, example = json!({
    "connected": true, "updated_at": "2026-11-28T10:00:00+01:00", "version": 1
}))]
pub struct ConnectionView {
    /// Whether there is a key. It is never shown.
    pub connected: bool,
    /// When it was set; null where there is none.
    #[serde(with = "civil::rfc3339::option")]
    pub updated_at: Option<Timestamp>,
    /// Counts changes; 0 where there is no key.
    #[schema(minimum = 0, maximum = 1000000)]
    pub version: i64,
}

/// The Comune's key for App IO
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAppIoConnection, example = json!({ "subscription_key": "0123456789abcdef0123456789abcdef" }))]
pub struct NewConnection {
    /// The subscription key of the Comune's service, from the back office of App IO.
    #[validate(length(min = 8, max = 200), custom(function = visible))]
    #[schema(min_length = 8, max_length = 200, pattern = "^[!-~]+$", write_only)]
    pub subscription_key: String,
}

kernel::redacted_debug!(NewConnection);

/// It becomes a header.
fn visible(text: &str) -> Result<(), ValidationError> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(ValidationError::new("key").with_message("visible ASCII characters".into()))
}
