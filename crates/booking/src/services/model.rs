//! Services given at a counter, as stored and as served.

use jiff::Timestamp;
use kernel::{Id, Lang, Localized, civil};
use platform::directory::{LocalizedName, LocalizedText, OfficeId, PlaceId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::calendars::{CalendarId, ticks::ServiceTime};

/// The identifier of a service.
pub type AppointmentServiceId = Id<AppointmentService>;

/// Something one can come to a counter for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppointmentService {
    /// Identifier.
    pub id: AppointmentServiceId,
    /// Short name, unique in the Comune.
    pub slug: String,
    /// What people call it.
    pub name: Localized,
    /// What it is for.
    pub description: Option<Localized>,
    /// What to bring.
    pub required_documents: Vec<Localized>,
    /// The visit of one person, in minutes.
    pub duration_minutes: i64,
    /// Added for each further person.
    pub extra_person_minutes: i64,
    /// How many may come together.
    pub max_persons: i64,
    /// Preparation before the visit.
    pub buffer_before_minutes: i64,
    /// Clearing after it.
    pub buffer_after_minutes: i64,
    /// Open appointments one person may have for it; without one, as many as they like.
    pub max_per_person: Option<i64>,
    /// Whether it can be booked without signing in.
    pub anonymous_allowed: bool,
    /// Whether coming for it tells of special categories of data.
    pub special_category: bool,
    /// Counts changes.
    pub version: i64,
}

impl AppointmentService {
    /// How long it takes.
    pub const fn time(&self) -> ServiceTime {
        ServiceTime {
            minutes: self.duration_minutes,
            extra_person_minutes: self.extra_person_minutes,
            buffer_before_minutes: self.buffer_before_minutes,
            buffer_after_minutes: self.buffer_after_minutes,
        }
    }

    /// What the API serves of it.
    pub fn view(self, lang: Lang) -> AppointmentServiceView {
        AppointmentServiceView {
            id: self.id,
            slug: self.slug,
            name: self.name.text(lang).to_owned(),
            description: self.description.map(|text| text.text(lang).to_owned()),
            required_documents: self.required_documents.iter().map(|text| text.text(lang).to_owned()).collect(),
            duration_minutes: self.duration_minutes,
            extra_person_minutes: self.extra_person_minutes,
            max_persons: self.max_persons,
            max_per_person: self.max_per_person,
            buffer_before_minutes: self.buffer_before_minutes,
            buffer_after_minutes: self.buffer_after_minutes,
            anonymous_allowed: self.anonymous_allowed,
            special_category: self.special_category,
            version: self.version,
            translations: None,
            keywords: None,
            position: None,
            offices: None,
        }
    }

    /// What the API serves of it by itself.
    pub fn whole(self, keywords: Vec<String>, lang: Lang) -> AppointmentServiceView {
        let texts = AppointmentServiceTexts {
            name: self.name.clone().into(),
            description: self.description.clone().map(Into::into),
            required_documents: self.required_documents.iter().cloned().map(Into::into).collect(),
        };
        AppointmentServiceView { translations: Some(texts), keywords: Some(keywords), ..self.view(lang) }
    }
}

/// Something one can come to a counter for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppointmentService, example = json!({
    "id": "01980000-0000-7000-8000-000000000010", "slug": "carta-identita", "name": "Carta d'identità elettronica",
    "description": "Rilascio e rinnovo", "required_documents": ["Carta scaduta o in scadenza", "Una fototessera recente"],
    "duration_minutes": 20, "extra_person_minutes": 15, "max_persons": 4, "max_per_person": 2, "anonymous_allowed": true, "special_category": false,
    "buffer_before_minutes": 0, "buffer_after_minutes": 5, "version": 1, "translations": {
        "name": { "it": "Carta d'identità elettronica", "en": "Electronic identity card", "de": null },
        "description": { "it": "Rilascio e rinnovo", "en": null, "de": null }, "required_documents": []
    }, "keywords": ["cie", "documento d'identità"]
}))]
pub struct AppointmentServiceView {
    /// Identifier.
    pub id: AppointmentServiceId,
    /// Short name, unique in the Comune.
    #[schema(max_length = 63)]
    pub slug: String,
    /// What people call it, in the language asked for.
    #[schema(max_length = 200)]
    pub name: String,
    /// What it is for.
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// What to bring.
    #[schema(max_items = 50)]
    pub required_documents: Vec<String>,
    /// The visit of one person, in minutes; times offered may be rounded up to the calendar's slots.
    #[schema(minimum = 1, maximum = 1440)]
    pub duration_minutes: i64,
    /// Added for each further person, in minutes.
    #[schema(minimum = 0, maximum = 1440)]
    pub extra_person_minutes: i64,
    /// How many may come in one appointment.
    #[schema(minimum = 1, maximum = 100)]
    pub max_persons: i64,
    /// Open appointments one person may have for it; absent: as many as they like.
    #[schema(minimum = 1, maximum = 1000)]
    pub max_per_person: Option<i64>,
    /// Preparation before the visit, in minutes.
    #[schema(minimum = 0, maximum = 1440)]
    pub buffer_before_minutes: i64,
    /// Clearing after it, in minutes.
    #[schema(minimum = 0, maximum = 1440)]
    pub buffer_after_minutes: i64,
    /// Whether it can be booked without signing in.
    pub anonymous_allowed: bool,
    /// Whether coming for it tells of special categories of data (GDPR, article 9), such as health. It says something
    /// of the service and nothing of anybody, so everybody may know: whoever shows appointments keeps the name of such
    /// a service out of notifications and titles.
    pub special_category: bool,
    /// Counts changes; the number in the `ETag`.
    #[schema(minimum = 1, maximum = 1000000)]
    pub version: i64,
    /// The texts in every language; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translations: Option<AppointmentServiceTexts>,
    /// Other words people have for it, by which it is found; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 50)]
    pub keywords: Option<Vec<String>>,
    /// Its place among what was found, from 1, the best first; present with `q`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 20)]
    pub position: Option<i64>,
    /// Where it is given, and when next; present with `q`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 100)]
    pub offices: Option<Vec<ServiceOffice>>,
}

/// The texts of a service.
#[derive(Debug, Serialize, ToSchema)]
pub struct AppointmentServiceTexts {
    /// What people call it.
    pub name: LocalizedName,
    /// What it is for.
    pub description: Option<LocalizedText>,
    /// What to bring.
    #[schema(max_items = 50)]
    pub required_documents: Vec<LocalizedName>,
}

/// An office that gives a service, where it is, and the calendars to book there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "office_id": "01980000-0000-7000-8000-000000000002", "name": "Ufficio anagrafe",
    "place_id": "01980000-0000-7000-8000-000000000001", "address": "Piazza del Municipio 1", "locality": "Bugliano",
    "calendars": [{ "id": "01980000-0000-7000-8000-000000000003", "name": "Sportello 1 e 2", "next_free": "2026-12-02T09:00:00+01:00" }]
}))]
pub struct ServiceOffice {
    /// The office.
    pub office_id: OfficeId,
    /// Its name, in the language asked for.
    #[schema(max_length = 200)]
    pub name: String,
    /// Where it is.
    pub place_id: PlaceId,
    /// Street and number.
    #[schema(max_length = 200)]
    pub address: String,
    /// Town or hamlet.
    #[schema(max_length = 100)]
    pub locality: String,
    /// The calendars of that office that give the service.
    #[schema(max_items = 100)]
    pub calendars: Vec<CalendarReference>,
}

/// A calendar, and when it is free next.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01980000-0000-7000-8000-000000000003", "name": "Sportello 1 e 2", "next_free": "2026-12-02T09:00:00+01:00"
}))]
pub struct CalendarReference {
    /// The calendar.
    pub id: CalendarId,
    /// Its name, in the language asked for.
    #[schema(max_length = 200)]
    pub name: String,
    /// The next time at which a visit of one person could start, as things stand; absent when there is none
    /// within 62 days, or when more than 40 calendars had to be asked.
    #[serde(with = "civil::rfc3339::option")]
    pub next_free: Option<Timestamp>,
}
