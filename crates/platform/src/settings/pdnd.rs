//! Whether other systems may call through PDND, as a Comune sets it.

use kernel::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use crate::{http::typed_patch::given, problems::INVALID_BODY};

/// Whether other systems may call through PDND. What a Comune has not set is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PdndSettings {
    /// Whether vouchers are accepted.
    pub enabled: bool,
    /// The audience of the Comune's e-service: `aud` of its vouchers.
    pub audience: Option<String>,
    /// Whether requests with a body must be signed.
    pub signature_required: bool,
}

impl PdndSettings {
    /// The audience that vouchers must have; none while they are not accepted.
    pub fn audience(&self) -> Option<&str> {
        self.audience.as_deref().filter(|_| self.enabled)
    }

    /// Whether they can be in force together; `before` is what was in force, and `with_keys` says whether the
    /// installation can check signatures.
    ///
    /// # Errors
    /// `invalid-body` where vouchers are to be accepted for no audience, or signatures asked for that nobody can check.
    pub fn check(&self, before: &Self, with_keys: bool) -> Result<(), Problem> {
        if self.signature_required && !before.signature_required && !with_keys {
            let words = "this installation has no keys to check signatures with: every request would be refused";
            return Err(Problem::new(&INVALID_BODY).field("/pdnd/signature_required", "unavailable", words));
        }
        if self.enabled && self.audience.is_none() {
            let words = "name the audience of the e-service, or vouchers cannot be accepted";
            return Err(Problem::new(&INVALID_BODY).field("/pdnd/audience", "incomplete", words));
        }
        Ok(())
    }

    /// As admins see it.
    pub fn view(&self) -> PdndSettingsView {
        PdndSettingsView {
            enabled: self.enabled,
            audience: self.audience.clone(),
            signature_required: self.signature_required,
        }
    }
}

/// Whether other systems may call through PDND
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PdndSettings, example = json!({
    "enabled": true, "audience": "https://sportello.comune.bugliano.example/pdnd", "signature_required": false
}))]
pub struct PdndSettingsView {
    /// Whether vouchers are accepted.
    pub enabled: bool,
    /// The audience of the Comune's e-service: `aud` of its vouchers.
    #[schema(max_length = 255)]
    pub audience: Option<String>,
    /// Whether requests with a body must be signed (`Agid-JWT-Signature`).
    pub signature_required: bool,
}

/// What to change of whether other systems may call through PDND. An absent member stays as it is; null takes it back
/// to its default.
#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "enabled": true, "audience": "https://sportello.comune.bugliano.example/pdnd" }))]
pub struct PdndSettingsPatch {
    /// Whether vouchers are accepted; only with an audience.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    pub enabled: Option<Option<bool>>,
    /// The audience of the Comune's e-service, as it is written in the catalogue of PDND.
    #[serde(default, deserialize_with = "given")]
    #[validate(length(min = 1, max = 255), custom(function = visible))]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    pub audience: Option<Option<String>>,
    /// Whether requests with a body must be signed (`Agid-JWT-Signature`, INTEGRITY_REST_02).
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    pub signature_required: Option<Option<bool>>,
}

impl PdndSettingsPatch {
    /// Changes what it mentions.
    pub fn apply(self, settings: &mut PdndSettings) {
        if let Some(enabled) = self.enabled {
            settings.enabled = enabled.unwrap_or_default();
        }
        if let Some(audience) = self.audience {
            settings.audience = audience;
        }
        if let Some(required) = self.signature_required {
            settings.signature_required = required.unwrap_or_default();
        }
    }
}

fn visible(text: &str) -> Result<(), ValidationError> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(ValidationError::new("word").with_message("visible ASCII characters, without blanks".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vouchers_are_accepted_for_an_audience_and_for_none_by_default() {
        let mut settings = PdndSettings::default();
        let check = |settings: &PdndSettings| settings.check(&PdndSettings::default(), true);
        assert_eq!((settings.audience(), check(&settings).is_ok()), (None, true));
        let mut change = |text: &str| {
            serde_json::from_str::<PdndSettingsPatch>(text).unwrap().apply(&mut settings);
            (settings.audience().map(str::to_owned), check(&settings).is_ok())
        };
        assert_eq!(change(r#"{"enabled":true}"#), (None, false));
        assert_eq!(change(r#"{"audience":"a","signature_required":true}"#), (Some("a".to_owned()), true));
        assert_eq!(change(r#"{"enabled":null}"#), (None, true), "off, with its audience kept");
        assert_eq!(change(r#"{"enabled":true}"#), (Some("a".to_owned()), true));
        assert_eq!(change(r#"{"audience":null}"#), (None, false));
    }

    #[test]
    fn signatures_are_asked_for_where_they_can_be_checked() {
        let (off, on) = (PdndSettings::default(), PdndSettings { signature_required: true, ..PdndSettings::default() });
        assert!(on.check(&off, true).is_ok());
        assert!(on.check(&off, false).is_err());
        assert!(on.check(&on, false).is_ok(), "other settings are still changed");
    }
}
