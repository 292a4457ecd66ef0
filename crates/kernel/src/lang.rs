//! The languages of the product's own texts.

use serde::{Deserialize, Serialize};

/// A language the platform speaks. Italian is the default: it is the administration's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Italian.
    #[default]
    It,
    /// English.
    En,
    /// German, official in South Tyrol.
    De,
}

impl Lang {
    /// The tag for `Content-Language` (RFC 5646).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::It => "it",
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The best language for an `Accept-Language` header (RFC 9110 §12.5.4), Italian when none fits.
    pub fn negotiate(header: &str) -> Self {
        let mut best = (Self::It, 0.0_f32);
        for range in header.split(',') {
            let (tag, params) = range.split_once(';').unwrap_or((range, ""));
            let quality = params.trim().strip_prefix("q=").map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            let lang = match primary.as_str() {
                "it" | "*" => Self::It,
                "en" => Self::En,
                "de" => Self::De,
                _ => continue,
            };
            if quality > best.1 {
                best = (lang, quality);
            }
        }
        best.0
    }
}

/// A text in the languages it exists in; Italian always does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Localized {
    /// Italian text.
    pub it: String,
    /// English text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
    /// German text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub de: Option<String>,
}

impl Localized {
    /// A text that exists in Italian only.
    pub fn italian(text: impl Into<String>) -> Self {
        Self { it: text.into(), en: None, de: None }
    }

    /// The text in `lang`, or in Italian where it was not translated.
    pub fn text(&self, lang: Lang) -> &str {
        match lang {
            Lang::It => &self.it,
            Lang::En => self.en.as_deref().unwrap_or(&self.it),
            Lang::De => self.de.as_deref().unwrap_or(&self.it),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_quality_wins_and_italian_fills_in() {
        assert_eq!(Lang::negotiate("en-GB,en;q=0.9"), Lang::En);
        assert_eq!(Lang::negotiate("fr, de;q=0.5, en;q=0.4"), Lang::De);
        assert_eq!(Lang::negotiate("fr"), Lang::It);
        assert_eq!(Lang::negotiate(""), Lang::It);
        assert_eq!(Lang::negotiate("en;q=0, it;q=0.1"), Lang::It);
        assert_eq!(Lang::negotiate("en;q=oops"), Lang::It);
    }

    #[test]
    fn a_missing_translation_falls_back_to_italian() {
        let text = Localized { it: "Anagrafe".into(), en: Some("Registry".into()), de: None };
        assert_eq!(text.text(Lang::En), "Registry");
        assert_eq!(text.text(Lang::De), "Anagrafe");
    }
}
