//! What is to be different about an appointment.

use kernel::TaxCode;
use platform::http::typed_patch::{given, kept, members};
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use super::super::model::{not_blank, one_line, phone_number, plain_text};

/// What is to be different (RFC 7396): what is not mentioned stays, `null` takes away.
#[derive(Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "applicant": { "phone": "+39 050 0000002" }, "notes": "Viene con il passeggino" }))]
pub struct AppointmentPatch {
    /// How many come; for staff and other systems.
    #[serde(default, deserialize_with = "kept")]
    #[validate(range(min = 1, max = 100))]
    #[schema(value_type = i64, minimum = 1, maximum = 100)]
    pub persons: Option<i64>,
    /// Who comes.
    #[serde(default, deserialize_with = "members")]
    #[validate(nested)]
    #[schema(value_type = ApplicantPatch)]
    pub applicant: Option<ApplicantPatch>,
    /// What the office should know beforehand.
    #[serde(default, deserialize_with = "given")]
    #[validate(length(max = 1000), custom(function = plain_text))]
    #[schema(value_type = Option<String>, max_length = 1000, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
    pub notes: Option<Option<String>>,
    /// The manage token, for who booked without signing in.
    #[validate(length(max = 100))]
    #[schema(max_length = 100)]
    pub manage_token: Option<String>,
}

/// What is to be different about who comes. Names and codice fiscale are for staff and other systems.
#[derive(Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "anna.prova@example.org", "phone": null }))]
pub struct ApplicantPatch {
    /// Given name.
    #[serde(default, deserialize_with = "kept")]
    #[validate(length(max = 100), custom(function = not_blank))]
    #[schema(
        value_type = String,
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub given_name: Option<String>,
    /// Family name.
    #[serde(default, deserialize_with = "kept")]
    #[validate(length(max = 100), custom(function = not_blank))]
    #[schema(
        value_type = String,
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub family_name: Option<String>,
    /// Codice fiscale.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<TaxCode>)]
    pub tax_code: Option<Option<TaxCode>>,
    /// E-mail address.
    #[serde(default, deserialize_with = "kept")]
    #[validate(email, length(max = 254), custom(function = one_line))]
    #[schema(value_type = String, format = "email", max_length = 254)]
    pub email: Option<String>,
    /// Telephone number.
    #[serde(default, deserialize_with = "given")]
    #[validate(length(min = 3, max = 30), custom(function = phone_number))]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 30, pattern = r"^\+?[0-9 ()./-]+$")]
    pub phone: Option<Option<String>>,
}

kernel::redacted_debug!(AppointmentPatch, ApplicantPatch);
