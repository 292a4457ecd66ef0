//! A person, as they are referred to, and what is told of them.

use jiff::Timestamp;
use kernel::{TaxCode, civil};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    access::{Citizen, Pseudonym, me::TenantReference},
    privacy::{Held, Place},
    settings::rules::{one_line, one_word, phone_number},
};

/// A person, as what is held knows them.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The pseudonym that stands for them.
    pub key: String,
    /// How they were told from others.
    pub known_by: KnownBy,
    /// Whether they ask themselves, and so are shown nothing that they may not read otherwise.
    pub asks_themselves: bool,
}

/// How a person is told from others.
#[derive(Clone, PartialEq, Eq)]
pub enum KnownBy {
    /// By codice fiscale: two people never have the same.
    TaxCode(TaxCode),
    /// By e-mail address, which a family may share, and so by name too.
    Contact {
        /// Given name.
        given_name: String,
        /// Family name.
        family_name: String,
    },
}

kernel::redacted_debug!(
    Person,
    KnownBy,
    PersonReference,
    Reference,
    NewRectification,
    Rectification,
    PersonalDataExport,
    HoldingExport,
    SectionExport,
    NewExport
);

impl Person {
    /// Whoever has this codice fiscale.
    pub fn of_tax_code(place: Place<'_>, tax_code: &TaxCode) -> Self {
        let key = Pseudonym::of_tax_code(place.secret, place.tenant.tenant_id, tax_code);
        Self { key: key.as_str().to_owned(), known_by: KnownBy::TaxCode(tax_code.clone()), asks_themselves: false }
    }

    /// A citizen who has signed in.
    pub fn of_citizen(citizen: &Citizen) -> Self {
        let key = citizen.pseudonym.as_str().to_owned();
        Self { key, known_by: KnownBy::TaxCode(citizen.tax_code.clone()), asks_themselves: true }
    }

    /// The person as an actor and as the owner of what is theirs.
    pub fn actor(&self) -> String {
        format!("citizen:{}", self.key)
    }
}

/// A record of a person, and what proves that whoever asks is that person.
#[derive(Clone)]
pub struct Reference {
    /// The code people read aloud.
    pub code: String,
    /// The e-mail address it was made with.
    pub email: String,
}

/// Whom it is about: `tax_code`, or else `code` and `email` of one of their appointments.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "tax_code": "PRVNNA80A41Z998F" }))]
pub struct PersonReference {
    /// The codice fiscale.
    pub tax_code: Option<TaxCode>,
    /// The code of an appointment that was booked without a codice fiscale.
    #[validate(length(min = 8, max = 40), custom(function = one_line))]
    #[schema(
        min_length = 8,
        max_length = 40,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub code: Option<String>,
    /// The e-mail address it was booked with; case does not matter.
    #[validate(length(min = 3, max = 254), custom(function = one_word))]
    #[schema(min_length = 3, max_length = 254, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]*$")]
    pub email: Option<String>,
}

/// A request for everything about a person.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPersonalDataExport, example = json!({ "person": { "tax_code": "PRVNNA80A41Z998F" }, "request_reference": "Prot. 1234/2026" }))]
pub struct NewExport {
    /// Whom it is about.
    #[validate(nested)]
    pub person: PersonReference,
    /// The request it answers, such as its protocol number; kept in the access log. Not a name.
    #[validate(length(min = 1, max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub request_reference: String,
}

/// Everything that is held about a person.
#[derive(Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "exported_at": "2026-11-28T10:00:00+01:00", "tenant": { "slug": "bugliano", "name": "Comune di Bugliano" },
    "person_key": "0f1e2d3c4b5a69788796a5b4c3d2e1f000112233",
    "holdings": [{ "name": "appointments", "sections": [{ "name": "appointments", "entries": [{ "code": "K7M2-PQ4X", "state": "confirmed" }] }],
        "files": [{ "name": "appointments/K7M2-PQ4X.ics", "media_type": "text/calendar", "size_bytes": 1024 }] }]
}))]
pub struct PersonalDataExport {
    /// When it was put together.
    #[serde(with = "civil::rfc3339")]
    pub exported_at: Timestamp,
    /// Who holds it.
    pub tenant: TenantReference,
    /// The pseudonym that stands for the person in events, in the audit and in the access log.
    #[schema(max_length = 64)]
    pub person_key: String,
    /// What each part of the platform holds; parts that hold nothing have no entries.
    #[schema(max_items = 100)]
    pub holdings: Vec<HoldingExport>,
}

/// What one part of the platform holds about a person.
#[derive(Clone, Serialize, ToSchema)]
pub struct HoldingExport {
    /// Which part.
    #[schema(max_length = 60)]
    pub name: String,
    /// What there is, by sort.
    #[schema(max_items = 100)]
    pub sections: Vec<SectionExport>,
    /// Files there are; the archive has them, and names those that it has no room for.
    #[schema(max_items = 100_000)]
    pub files: Vec<FileExport>,
}

/// Entries of one sort.
#[derive(Clone, Serialize, ToSchema)]
pub struct SectionExport {
    /// What they are.
    #[schema(max_length = 60)]
    pub name: String,
    /// The entries, each as it is held.
    #[schema(value_type = Vec<Object>, max_items = 100_000)]
    pub entries: Vec<Map<String, Value>>,
}

/// A file, without what is in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FileExport {
    /// Its name in the archive.
    #[schema(max_length = 200)]
    pub name: String,
    /// Its media type.
    #[schema(max_length = 100)]
    pub media_type: String,
    /// How long it is, in bytes.
    #[schema(minimum = 0)]
    pub size_bytes: i64,
}

impl HoldingExport {
    /// What a holding answered.
    pub fn of(name: &str, held: &Held) -> Self {
        let file = |file: &super::super::HeldFile| FileExport {
            name: format!("{name}/{}", file.name),
            media_type: file.media_type.to_owned(),
            size_bytes: i64::try_from(file.content.length()).unwrap_or(i64::MAX),
        };
        let section = |section: &super::super::Section| SectionExport {
            name: section.name.to_owned(),
            entries: section.entries.clone(),
        };
        Self {
            name: name.to_owned(),
            sections: held.sections.iter().map(section).collect(),
            files: held.files.iter().map(file).collect(),
        }
    }
}

/// An archive.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary, max_length = 1_073_741_824)]
pub struct ArchiveFile(#[expect(dead_code, reason = "describes a file in the contract")] Vec<u8>);

/// What is to be put right about a person. What is not named stays as it is.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPersonalDataRectification, example = json!({
    "person": { "tax_code": "PRVNNA80A41Z998F" }, "request_reference": "Prot. 1234/2026", "family_name": "Prova", "email": "anna.prova@example.org"
}))]
pub struct NewRectification {
    /// Whom it is about.
    #[validate(nested)]
    pub person: PersonReference,
    /// The request it answers, such as its protocol number; kept in the access log. Not a name.
    #[validate(length(min = 1, max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub request_reference: String,
    /// The right given name.
    #[validate(length(min = 1, max = 100), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub given_name: Option<String>,
    /// The right family name.
    #[validate(length(min = 1, max = 100), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub family_name: Option<String>,
    /// The right e-mail address.
    #[validate(email, length(max = 254), custom(function = one_word))]
    #[schema(format = "email", max_length = 254)]
    pub email: Option<String>,
    /// The right telephone number.
    #[validate(length(min = 3, max = 30), custom(function = phone_number))]
    #[schema(min_length = 3, max_length = 30, pattern = r"^\+?[0-9 ()./-]+$")]
    pub phone: Option<String>,
}

impl NewRectification {
    /// What is right.
    pub fn rectification(&self) -> Rectification {
        let Self { given_name, family_name, email, phone, .. } = self.clone();
        Rectification { given_name, family_name, email, phone }
    }
}

/// What is right about a person. What is absent stays as it is.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Rectification {
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
}

/// What was put right.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PersonalDataRectification, example = json!({
    "person_key": "0f1e2d3c4b5a69788796a5b4c3d2e1f000112233", "changed": [{ "holding": "appointments", "records": 3 }]
}))]
pub struct RectificationView {
    /// The pseudonym that stood for the person when it was asked for.
    #[schema(max_length = 64)]
    pub person_key: String,
    /// What was changed, by part of the platform.
    #[schema(max_items = 100)]
    pub changed: Vec<ChangedHolding>,
}

/// What was changed in one part of the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChangedHolding {
    /// Which part.
    #[schema(max_length = 60)]
    pub holding: String,
    /// How many records; those that were right already are not among them.
    #[schema(minimum = 0)]
    pub records: i64,
}
