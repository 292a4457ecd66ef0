//! What is asked and told about passwords, one-time codes and sessions.

use jiff::Timestamp;
use kernel::civil;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::rules;
use crate::settings::rules::one_line;

/// Who wants to get in, and what proves it.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionCredentials, example = json!({ "username": "o.sportello", "password": "tre gatti a Bugliano", "totp_code": "123456" }))]
pub struct Credentials {
    /// The user name: `subject` of the entry among the staff.
    #[validate(length(min = 1, max = 255), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub username: String,
    /// The password.
    #[validate(length(min = 1, max = 128))]
    #[schema(min_length = 1, max_length = 128)]
    pub password: String,
    /// The code that the authenticator shows, from whoever has enrolled one. Each is accepted once.
    #[validate(custom(function = six_digits))]
    #[schema(min_length = 6, max_length = 6, pattern = "^[0-9]{6}$")]
    pub totp_code: Option<String>,
    /// Instead of it, one of the recovery codes. Each is accepted once.
    #[validate(length(min = 16, max = 30))]
    #[schema(min_length = 16, max_length = 30)]
    pub recovery_code: Option<String>,
}

fn six_digits(code: &str) -> Result<(), validator::ValidationError> {
    if code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err(validator::ValidationError::new("digits").with_message("six digits".into()))
}

/// An open session: its tokens are shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = Session, example = json!({
    "access_token": "sps_0123456789AB_5gk0pWq1o1kZC0bJw5J2l1nq2m3r4s5t6u7v8w9x0yA", "token_type": "Bearer", "expires_in": 900,
    "refresh_token": "spr_0123456789AB_9x0yA5gk0pWq1o1kZC0bJw5J2l1nq2m3r4s5t6u7v8w", "refresh_expires_in": 43200
}))]
pub struct SessionView {
    /// To be sent with every call: `Authorization: Bearer …`.
    #[schema(max_length = 100)]
    pub access_token: String,
    /// `Bearer`.
    #[schema(max_length = 10)]
    pub token_type: String,
    /// For how many seconds it answers.
    #[schema(minimum = 0, maximum = 900)]
    pub expires_in: i64,
    /// Gets the next two, once: it is spent then.
    #[schema(max_length = 100)]
    pub refresh_token: String,
    /// For how many seconds that can be done.
    #[schema(minimum = 0, maximum = 43200)]
    pub refresh_expires_in: i64,
}

/// A refresh token.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RefreshToken, example = json!({ "refresh_token": "spr_0123456789AB_9x0yA5gk0pWq1o1kZC0bJw5J2l1nq2m3r4s5t6u7v8w" }))]
pub struct Refresh {
    /// The refresh token of the session.
    #[validate(length(min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    pub refresh_token: String,
}

/// A new password, and what gives the right to set it.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "username": "o.sportello", "password": "tre gatti a Bugliano", "new_password": "quattro gatti a Bugliano", "totp_code": "123456" }))]
pub struct PasswordChange {
    /// The user name: `subject` of the entry among the staff.
    #[validate(length(min = 1, max = 255), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub username: String,
    /// The password to be. Long rather than full of signs of every kind, and another one than the user name.
    #[validate(length(min = 12, max = 128))]
    #[schema(min_length = 12, max_length = 128)]
    pub new_password: String,
    /// The code that an admin has made. With it no password is needed; one-time codes are enrolled anew.
    #[validate(length(min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    pub enrolment_code: Option<String>,
    /// The password as it is, without a code to enrol with.
    #[validate(length(min = 1, max = 128))]
    #[schema(min_length = 1, max_length = 128)]
    pub password: Option<String>,
    /// The code that the authenticator shows, beside the password, from whoever has enrolled one.
    #[validate(custom(function = six_digits))]
    #[schema(min_length = 6, max_length = 6, pattern = "^[0-9]{6}$")]
    pub totp_code: Option<String>,
    /// Instead of it, one of the recovery codes.
    #[validate(length(min = 16, max = 30))]
    #[schema(min_length = 16, max_length = 30)]
    pub recovery_code: Option<String>,
}

/// A password was set.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "username": "o.sportello", "changed_at": "2026-11-28T10:00:00+01:00" }))]
pub struct PasswordChanged {
    /// Whose.
    #[schema(max_length = 255)]
    pub username: String,
    /// When.
    #[serde(with = "civil::rfc3339")]
    pub changed_at: Timestamp,
}

/// What an authenticator is enrolled with, shown this once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "username": "o.sportello", "seed": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    "uri": "otpauth://totp/Comune%20di%20Bugliano:o.sportello?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Comune%20di%20Bugliano"
}))]
pub struct TotpEnrolment {
    /// Whose.
    #[schema(max_length = 255)]
    pub username: String,
    /// The seed, for whoever types it (base 32).
    #[schema(max_length = 64)]
    pub seed: String,
    /// The same as an address, for a QR code (`otpauth://totp/…`).
    #[schema(max_length = 2000)]
    pub uri: String,
}

/// Who confirms the authenticator that they have enrolled.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "username": "o.sportello", "password": "tre gatti a Bugliano", "totp_code": "123456" }))]
pub struct TotpConfirmation {
    /// The user name.
    #[validate(length(min = 1, max = 255), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub username: String,
    /// The password.
    #[validate(length(min = 1, max = 128))]
    #[schema(min_length = 1, max_length = 128)]
    pub password: String,
    /// The code that the authenticator shows.
    #[validate(custom(function = six_digits))]
    #[schema(min_length = 6, max_length = 6, pattern = "^[0-9]{6}$")]
    pub totp_code: String,
}

/// Codes for whoever has lost the authenticator, shown this once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "recovery_codes": ["K7M2-PQ4X-9ZTB-C3DF"] }))]
pub struct RecoveryCodes {
    /// Each is accepted once, in the place of a code of the authenticator.
    #[schema(max_items = 10)]
    pub recovery_codes: Vec<String>,
}

/// With what somebody sets a password, shown this once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "username": "o.sportello", "enrolment_code": "9x0yA5gk0pWq1o1kZC0bJw5J2l1nq2m3r4s5t6u7v8w", "expires_at": "2026-11-29T10:00:00+01:00"
}))]
pub struct PasswordEnrolment {
    /// Whose.
    #[schema(max_length = 255)]
    pub username: String,
    /// To be given to them, by a way on which nobody else reads it. It answers once.
    #[schema(max_length = 100)]
    pub enrolment_code: String,
    /// Until when.
    #[serde(with = "civil::rfc3339")]
    pub expires_at: Timestamp,
}

impl SessionView {
    pub(super) fn new(
        access_token: String,
        refresh_token: String,
        until: (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Self {
        let seconds = |until: Timestamp| until.duration_since(now).as_secs().max(0);
        Self {
            access_token,
            token_type: "Bearer".to_owned(),
            expires_in: seconds(until.0).min(rules::ACCESS_LIFE.as_secs()),
            refresh_token,
            refresh_expires_in: seconds(until.1).min(rules::IDLE_LIFE.as_secs()),
        }
    }
}

// They open doors.
kernel::redacted_debug!(Credentials, SessionView, Refresh, PasswordChange, PasswordChanged, TotpEnrolment);
kernel::redacted_debug!(TotpConfirmation, RecoveryCodes, PasswordEnrolment);
