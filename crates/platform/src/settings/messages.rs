//! How a Comune writes to people, as it sets it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::rules;
use crate::http::typed_patch::given;

/// How long before its time people are reminded, in hours, where the Comune does not say.
pub const REMINDER_HOURS: u32 = 24;

/// How a Comune writes to people. What it has not set is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageSettings {
    /// The sender's name; absent: what the Comune is called.
    pub sender_name: Option<String>,
    /// Where answers go; absent: where people write to the Comune.
    pub reply_to: Option<String>,
    /// How long before its time people are reminded, in hours.
    pub reminder_hours: Option<u32>,
    /// Whether messages go over App IO where they can.
    pub app_io_enabled: bool,
}

impl MessageSettings {
    /// How long before its time people are reminded, in hours.
    pub fn reminder_hours(&self) -> u32 {
        self.reminder_hours.unwrap_or(REMINDER_HOURS)
    }

    /// As admins see it.
    pub fn view(&self) -> MessageSettingsView {
        MessageSettingsView {
            sender_name: self.sender_name.clone(),
            reply_to: self.reply_to.clone(),
            reminder_hours: self.reminder_hours(),
            app_io_enabled: self.app_io_enabled,
        }
    }
}

/// How the Comune writes to people
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MessageSettings, example = json!({
    "sender_name": "Comune di Bugliano", "reply_to": "urp@comune.bugliano.example", "reminder_hours": 24, "app_io_enabled": false
}))]
pub struct MessageSettingsView {
    /// The sender's name; null: what the Comune is called.
    #[schema(max_length = 100)]
    pub sender_name: Option<String>,
    /// Where answers go; null: where people write to the Comune.
    #[schema(max_length = 254)]
    pub reply_to: Option<String>,
    /// How long before its time people are reminded, in hours.
    #[schema(minimum = 1, maximum = 168)]
    pub reminder_hours: u32,
    /// Whether messages go over App IO where they can.
    pub app_io_enabled: bool,
}

/// What to change of how the Comune writes to people. An absent member stays as it is; null takes it back to its default.
#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reminder_hours": 48 }))]
pub struct MessageSettingsPatch {
    /// The sender's name.
    #[serde(default, deserialize_with = "given")]
    #[validate(length(min = 1, max = 100), custom(function = rules::one_line))]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$")]
    pub sender_name: Option<Option<String>>,
    /// Where answers go.
    #[serde(default, deserialize_with = "given")]
    #[validate(email, length(max = 254), custom(function = rules::one_word))]
    #[schema(value_type = Option<String>, format = "email", max_length = 254)]
    pub reply_to: Option<Option<String>>,
    /// How long before its time people are reminded, in hours.
    #[serde(default, deserialize_with = "given")]
    #[validate(range(min = 1, max = 168))]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 168)]
    pub reminder_hours: Option<Option<u32>>,
    /// Whether messages go over App IO where they can: where `/connections/app-io` has a key.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    pub app_io_enabled: Option<Option<bool>>,
}

impl MessageSettingsPatch {
    /// Changes what it mentions.
    pub fn apply(self, settings: &mut MessageSettings) {
        if let Some(name) = self.sender_name {
            settings.sender_name = name;
        }
        if let Some(address) = self.reply_to {
            settings.reply_to = address;
        }
        if let Some(hours) = self.reminder_hours {
            settings.reminder_hours = hours;
        }
        if let Some(enabled) = self.app_io_enabled {
            settings.app_io_enabled = enabled.unwrap_or_default();
        }
    }
}
