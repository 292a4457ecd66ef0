//! Templates, as written and served.

use diesel::{Queryable, Selectable};
use jiff::Timestamp;
use kernel::{Id, civil};
use serde::{Deserialize, Serialize};
use storage::TenantId;
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use crate::{
    messages::{composing::Wording, model::MessageLanguage},
    schema::message_templates,
};

/// The identifier of a Comune's template.
pub type TemplateId = Id<Template>;

/// A Comune's words for a kind of message.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = message_templates)]
pub struct Template {
    /// The Comune.
    pub tenant_id: TenantId,
    /// Identifier.
    pub id: TemplateId,
    /// Of which kind of message.
    pub kind: String,
    /// In which language.
    pub language: MessageLanguage,
    /// One line.
    pub subject: String,
    /// Plain text, Markdown for App IO.
    pub body: String,
    /// The same as HTML.
    pub html: String,
    /// Counts changes.
    pub version: i64,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Template {
    /// Its words.
    pub fn wording(&self) -> Wording {
        Wording { subject: self.subject.clone(), text: self.body.clone(), html: self.html.clone() }
    }
}

/// Words for a kind of message
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessageTemplate, example = json!({
    "subject": "Appuntamento del {{ date }} confermato",
    "body": "Buongiorno {{ given_name }},\n\nil suo appuntamento del {{ date }} alle {{ time }} presso {{ office }} è confermato. Codice {{ code }}.",
    "html": "<p>Buongiorno {{ given_name }},</p><p>il suo appuntamento del {{ date }} alle {{ time }} presso {{ office }} è confermato. Codice {{ code }}.</p>"
}))]
pub struct NewTemplate {
    /// One line; filled in, 10 to 120 characters.
    #[validate(length(min = 1, max = 500), custom(function = writable))]
    #[schema(min_length = 1, max_length = 500, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
    pub subject: String,
    /// Plain text, which App IO shows as Markdown; filled in, 80 to 10,000 characters.
    #[validate(length(min = 1, max = 20_000), custom(function = writable))]
    #[schema(min_length = 1, max_length = 20000, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
    pub body: String,
    /// The same as HTML, without what surrounds it: paragraphs, lists, tables and links. Images, styles and scripts are
    /// refused.
    #[validate(length(min = 1, max = 40_000), custom(function = writable))]
    #[schema(min_length = 1, max_length = 40000, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
    pub html: String,
}

fn writable(text: &str) -> Result<(), ValidationError> {
    if text.chars().any(|c| c.is_control() && !"\t\n\r".contains(c)) {
        return Err(ValidationError::new("control").with_message("no control characters".into()));
    }
    Ok(())
}

impl NewTemplate {
    /// Its words.
    pub fn wording(&self) -> Wording {
        Wording { subject: self.subject.clone(), text: self.body.clone(), html: self.html.clone() }
    }
}

/// Words to try
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessagePreview, example = json!({
    "kind": "appointment.confirmation", "language": "it", "template": {
        "subject": "Appuntamento del {{ date }} confermato",
        "body": "Buongiorno {{ given_name }},\n\nil suo appuntamento del {{ date }} alle {{ time }} presso {{ office }} è confermato.",
        "html": "<p>Buongiorno {{ given_name }},</p><p>il suo appuntamento del {{ date }} è confermato.</p>"
    }
}))]
pub struct NewPreview {
    /// Of which kind of message.
    #[validate(length(min = 1, max = 60))]
    #[schema(min_length = 1, max_length = 60)]
    pub kind: String,
    /// In which language.
    pub language: MessageLanguage,
    /// The words; absent: those that are in force.
    #[validate(nested)]
    pub template: Option<NewTemplate>,
}

/// A message with sample data
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MessagePreview, example = json!({
    "subject": "Appuntamento del 2 dicembre 2026 confermato", "body": "Buongiorno Anna, …",
    "html": "<!DOCTYPE html>…", "markdown": "Buongiorno Anna, …"
}))]
pub struct PreviewView {
    /// One line.
    #[schema(max_length = 100_000)]
    pub subject: String,
    /// Plain text.
    #[schema(max_length = 100_000)]
    pub body: String,
    /// The HTML document.
    #[schema(max_length = 200_000)]
    pub html: String,
    /// What App IO is sent.
    #[schema(max_length = 10_000)]
    pub markdown: String,
}

/// Words for a kind of message, in one language
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MessageTemplate, example = json!({
    "kind": "appointment.confirmation", "language": "it", "own": true,
    "subject": "Appuntamento del {{ date }} confermato", "body": "Buongiorno {{ given_name }}, …",
    "html": "<p>Buongiorno {{ given_name }}, …</p>", "version": 1, "updated_at": "2026-11-28T10:00:00+01:00"
}))]
pub struct TemplateView {
    /// Of which kind of message.
    #[schema(max_length = 60)]
    pub kind: String,
    /// In which language.
    pub language: MessageLanguage,
    /// Whether they are the Comune's own; the product's otherwise.
    pub own: bool,
    /// One line.
    #[schema(max_length = 500)]
    pub subject: String,
    /// Plain text.
    #[schema(max_length = 20000)]
    pub body: String,
    /// The same as HTML.
    #[schema(max_length = 40000)]
    pub html: String,
    /// Counts changes; 0 for the product's.
    #[schema(minimum = 0, maximum = 1000000)]
    pub version: i64,
    /// When it last changed; null for the product's.
    #[serde(with = "civil::rfc3339::option")]
    pub updated_at: Option<Timestamp>,
}

impl TemplateView {
    /// The product's words.
    pub fn of_product(kind: &str, language: MessageLanguage, wording: Wording) -> Self {
        let Wording { subject, text, html } = wording;
        let (kind, own, version, updated_at) = (kind.to_owned(), false, 0, None);
        Self { kind, language, own, subject, body: text, html, version, updated_at }
    }
}

impl From<Template> for TemplateView {
    fn from(template: Template) -> Self {
        let Template { tenant_id: _, id: _, kind, language, subject, body, html, version, updated_at } = template;
        Self { kind, language, own: true, subject, body, html, version, updated_at: Some(updated_at) }
    }
}

/// A kind of message
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MessageKind, example = json!({
    "kind": "appointment.reminder", "about": "Before an appointment", "optional": true, "own_languages": ["it"],
    "variables": [{ "name": "date", "about": "The day, in words" }]
}))]
pub struct KindView {
    /// Its name.
    #[schema(max_length = 60)]
    pub kind: String,
    /// When it is sent.
    #[schema(max_length = 200)]
    pub about: String,
    /// Whether people may wish to have none of them.
    pub optional: bool,
    /// In which languages the Comune has words of its own.
    #[schema(max_items = 3)]
    pub own_languages: Vec<MessageLanguage>,
    /// What its templates may name, as `{{ name }}`.
    #[schema(max_items = 50)]
    pub variables: Vec<VariableView>,
}

/// A variable of templates
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MessageVariable, example = json!({ "name": "date", "about": "The day, in words" }))]
pub struct VariableView {
    /// What templates call it.
    #[schema(max_length = 60)]
    pub name: String,
    /// What it is.
    #[schema(max_length = 200)]
    pub about: String,
}
