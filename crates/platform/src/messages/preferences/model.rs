//! What people wish, as stored and served.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::messages::model::MessageLanguage;

storage::text_enum! {
    /// How a person is reminded. What concerns their rights (a confirmation, a change, a cancellation) they are always told.
    pub enum Reminders {
        /// Over App IO where it is possible, else by e-mail.
        AppIo = "app_io",
        /// By e-mail.
        Email = "email",
        /// Not at all.
        None = "none",
    }
}

/// How a person wants to be told
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MessagePreferences, example = json!({ "reminders": "email", "language": "de", "version": 1 }))]
pub struct PreferencesView {
    /// How they are reminded.
    pub reminders: Reminders,
    /// In which language they are written to; null: in the one they book in.
    pub language: Option<MessageLanguage>,
    /// Counts changes; 0 when nothing was ever set.
    #[schema(minimum = 0, maximum = 1000000)]
    pub version: i64,
}

/// How a person wants to be told from now on
#[derive(Debug, Clone, Copy, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessagePreferences, example = json!({ "reminders": "email", "language": "de" }))]
pub struct NewPreferences {
    /// How they are reminded.
    pub reminders: Reminders,
    /// In which language they are written to; absent: in the one they book in.
    pub language: Option<MessageLanguage>,
}
