//! Where whoever pays lives: printed notices tell it, and pagoPA prints none without.

use platform::settings::rules::one_line;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::model::Debtor;

/// Where whoever pays lives
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PayerAddress, example = json!({
    "street": "Via Roma", "building_number": "1", "postal_code": "56043", "locality": "Bugliano", "province": "PI"
}))]
pub struct Address {
    /// The street or square.
    #[validate(length(min = 1, max = 100), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub street: String,
    /// The number of the building; `snc` where it has none.
    #[validate(length(min = 1, max = 20), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 20,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub building_number: String,
    /// CAP.
    #[validate(length(min = 5, max = 5), custom(function = postal_code))]
    #[schema(min_length = 5, max_length = 5, pattern = "^[0-9]{5}$")]
    pub postal_code: String,
    /// The city, town or village.
    #[validate(length(min = 1, max = 60), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 60,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub locality: String,
    /// The province.
    #[validate(length(min = 2, max = 2), custom(function = province))]
    #[schema(min_length = 2, max_length = 2, pattern = "^[A-Z]{2}$")]
    pub province: String,
}

kernel::redacted_debug!(Address);

impl Address {
    /// The one that is stored with who pays. It is there whole or not at all.
    pub fn of(debtor: &Debtor) -> Option<Self> {
        Some(Self {
            street: debtor.street.clone()?,
            building_number: debtor.building_number.clone()?,
            postal_code: debtor.postal_code.clone()?,
            locality: debtor.locality.clone()?,
            province: debtor.province.clone()?,
        })
    }
}

fn postal_code(text: &str) -> Result<(), ValidationError> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(ValidationError::new("postal_code").with_message("five digits".into()))
}

/// The letters of a province.
pub(super) fn province(text: &str) -> Result<(), ValidationError> {
    if text.chars().all(|c| c.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(ValidationError::new("province").with_message("two capitals".into()))
}
