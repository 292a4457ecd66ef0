//! Texts in the languages of the product, as administrators write and read them.

use kernel::Localized;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

/// A name or another text of one line, in the languages it exists in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "it": "Ufficio anagrafe", "en": "Registry office", "de": "Meldeamt" }))]
pub struct LocalizedName {
    /// Italian.
    #[validate(length(max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub it: String,
    /// English; where there is none, Italian is served.
    #[validate(length(max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub en: Option<String>,
    /// German; where there is none, Italian is served.
    #[validate(length(max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub de: Option<String>,
}

/// A text of one or several lines, in the languages it exists in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "it": "Residenza, carta d'identità, certificati", "en": "Residence, identity cards, certificates", "de": null }))]
pub struct LocalizedText {
    /// Italian.
    #[validate(length(max = 1000), custom(function = plain_text))]
    #[schema(max_length = 1000, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
    pub it: String,
    /// English; where there is none, Italian is served.
    #[validate(length(max = 1000), custom(function = plain_text))]
    #[schema(max_length = 1000, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
    pub en: Option<String>,
    /// German; where there is none, Italian is served.
    #[validate(length(max = 1000), custom(function = plain_text))]
    #[schema(max_length = 1000, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
    pub de: Option<String>,
}

macro_rules! is_localized {
    ($($name:ident)*) => { $(
        impl From<$name> for Localized {
            fn from(text: $name) -> Self {
                Self { it: text.it, en: text.en, de: text.de }
            }
        }
        impl From<Localized> for $name {
            fn from(text: Localized) -> Self {
                Self { it: text.it, en: text.en, de: text.de }
            }
        }
    )* };
}
is_localized!(LocalizedName LocalizedText);

/// Visible text of one line.
///
/// # Errors
/// `blank` when it is not.
pub fn one_line(text: &str) -> Result<(), ValidationError> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(ValidationError::new("blank").with_message("must hold visible text, in one line".into()));
    }
    Ok(())
}

/// Text without characters that do not show.
///
/// # Errors
/// `control` when there are some.
pub fn plain_text(text: &str) -> Result<(), ValidationError> {
    if text.chars().any(|c| c.is_control() && !"\t\n\r".contains(c)) {
        return Err(ValidationError::new("control").with_message("no control characters".into()));
    }
    Ok(())
}

/// A short name for addresses.
///
/// # Errors
/// `slug` when it is none.
pub fn slug(text: &str) -> Result<(), ValidationError> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(|c| letter(c) || c == '-') {
        return Ok(());
    }
    Err(ValidationError::new("slug").with_message("lower-case letters, digits and `-`, a letter first".into()))
}

/// A telephone number: digits and what is written between them.
///
/// # Errors
/// `phone` when it is none.
pub fn phone_number(text: &str) -> Result<(), ValidationError> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || " ()./-".contains(c)) {
        return Ok(());
    }
    Err(ValidationError::new("phone").with_message("digits, spaces, `()./-` and a leading `+`".into()))
}

/// No spaces or line breaks: in an address they are another header of a mail.
///
/// # Errors
/// `email` when there are some.
pub fn no_spaces(text: &str) -> Result<(), ValidationError> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(ValidationError::new("email").with_message("no spaces or control characters".into()));
    }
    Ok(())
}

/// A postal code: five digits.
///
/// # Errors
/// `postal_code` when it is none.
pub fn postal_code(text: &str) -> Result<(), ValidationError> {
    if text.len() == 5 && text.chars().all(|c| c.is_ascii_digit()) {
        return Ok(());
    }
    Err(ValidationError::new("postal_code").with_message("five digits".into()))
}
