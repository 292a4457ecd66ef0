//! Offices and places, as stored and as served.

use diesel::{Queryable, Selectable};
use kernel::{Id, Lang, Localized};
use serde::Serialize;
use storage::{Json, TenantId};
use utoipa::ToSchema;

use super::texts::{LocalizedName, LocalizedText};
use crate::schema::{closures, offices, places};

/// The identifier of an office.
pub type OfficeId = Id<Office>;
/// The identifier of a place.
pub type PlaceId = Id<Place>;

/// The identifier of a closure.
pub type ClosureId = Id<Closure>;

/// A building or other place the public can go to.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = places)]
pub struct Place {
    /// The Comune.
    pub tenant_id: TenantId,
    /// Identifier.
    pub id: PlaceId,
    /// What people call it.
    pub name: Json<Localized>,
    /// Street and number.
    pub address: String,
    /// Postal code (CAP), five digits.
    pub postal_code: String,
    /// Town or hamlet.
    pub locality: String,
    /// WGS 84 latitude, millionths of a degree.
    pub latitude_e6: Option<i64>,
    /// WGS 84 longitude, millionths of a degree.
    pub longitude_e6: Option<i64>,
    /// How it can be reached by people with disabilities.
    pub accessibility: Option<Json<Localized>>,
    /// Counts changes.
    pub version: i64,
}

/// An office of the Comune.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = offices)]
pub struct Office {
    /// The Comune.
    pub tenant_id: TenantId,
    /// Identifier.
    pub id: OfficeId,
    /// Short name for addresses, unique in the Comune.
    pub slug: String,
    /// What people call it.
    pub name: Json<Localized>,
    /// What it does.
    pub description: Option<Json<Localized>>,
    /// Where it is.
    pub place_id: PlaceId,
    /// Public e-mail address.
    pub email: Option<String>,
    /// Public telephone number.
    pub phone: Option<String>,
    /// Whether it is the URP (ufficio relazioni con il pubblico), which sees what every office sees.
    pub central: bool,
    /// Counts changes.
    pub version: i64,
}

/// A day on which the whole Comune is closed, besides the holidays.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = closures)]
pub struct Closure {
    /// The Comune.
    pub tenant_id: TenantId,
    /// Identifier.
    pub id: ClosureId,
    /// The day.
    pub date: jiff::civil::Date,
    /// Why, for the public.
    pub reason: Json<Localized>,
    /// Counts changes.
    pub version: i64,
}

/// A day on which the whole Comune is closed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Closure, example = json!({
    "id": "01980000-0000-7000-8000-000000000006", "date": "2027-08-13", "reason": "Chiusura estiva", "version": 1,
    "translations": { "reason": { "it": "Chiusura estiva", "en": "Summer closing", "de": null } }
}))]
pub struct ClosureView {
    /// Identifier.
    pub id: ClosureId,
    /// The day.
    pub date: jiff::civil::Date,
    /// Why, in the language asked for.
    #[schema(max_length = 200)]
    pub reason: String,
    /// Counts changes; the number in the `ETag`.
    #[schema(minimum = 1, maximum = 1000000)]
    pub version: i64,
    /// The texts in every language; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translations: Option<ClosureTexts>,
}

/// The texts of a closure.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClosureTexts {
    /// Why.
    pub reason: LocalizedName,
}

impl Closure {
    /// What the API serves of it in lists.
    pub fn view(self, lang: Lang) -> ClosureView {
        let Self { tenant_id: _, id, date, reason, version } = self;
        ClosureView { id, date, reason: reason.0.text(lang).to_owned(), version, translations: None }
    }

    /// What the API serves of it by itself.
    pub fn whole(self, lang: Lang) -> ClosureView {
        let texts = ClosureTexts { reason: self.reason.0.clone().into() };
        ClosureView { translations: Some(texts), ..self.view(lang) }
    }
}

/// The texts of a place.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlaceTexts {
    /// What people call it.
    pub name: LocalizedName,
    /// How it can be reached by people with disabilities.
    pub accessibility: Option<LocalizedText>,
}

/// The texts of an office.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfficeTexts {
    /// What people call it.
    pub name: LocalizedName,
    /// What it does.
    pub description: Option<LocalizedText>,
}

/// A place the public can go to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Place, example = json!({
    "id": "01980000-0000-7000-8000-000000000001", "name": "Palazzo comunale", "address": "Piazza del Municipio 1",
    "postal_code": "56043", "locality": "Bugliano", "latitude": 43.512345, "longitude": 10.612345, "accessibility": "Ingresso senza gradini",
    "version": 1, "translations": { "name": { "it": "Palazzo comunale", "en": "Town hall", "de": null }, "accessibility": { "it": "Ingresso senza gradini", "en": null, "de": null } }
}))]
pub struct PlaceView {
    /// Identifier.
    pub id: PlaceId,
    /// What people call it, in the language asked for.
    #[schema(max_length = 200)]
    pub name: String,
    /// Street and number.
    #[schema(max_length = 200)]
    pub address: String,
    /// Postal code (CAP).
    #[schema(max_length = 5)]
    pub postal_code: String,
    /// Town or hamlet.
    #[schema(max_length = 100)]
    pub locality: String,
    /// WGS 84 latitude, degrees.
    #[schema(minimum = -90, maximum = 90)]
    pub latitude: Option<f64>,
    /// WGS 84 longitude, degrees.
    #[schema(minimum = -180, maximum = 180)]
    pub longitude: Option<f64>,
    /// How it can be reached by people with disabilities.
    #[schema(max_length = 1000)]
    pub accessibility: Option<String>,
    /// Counts changes; the number in the `ETag`.
    #[schema(minimum = 1, maximum = 1000000)]
    pub version: i64,
    /// The texts in every language; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translations: Option<PlaceTexts>,
}

/// An office of the Comune.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Office, example = json!({
    "id": "01980000-0000-7000-8000-000000000002", "slug": "anagrafe", "name": "Ufficio anagrafe",
    "description": "Residenza, carta d'identità, certificati", "place_id": "01980000-0000-7000-8000-000000000001",
    "email": "anagrafe@comune.bugliano.example", "phone": "+390500000001", "central": false,
    "version": 1, "translations": { "name": { "it": "Ufficio anagrafe", "en": "Registry office", "de": null }, "description": null }
}))]
pub struct OfficeView {
    /// Identifier.
    pub id: OfficeId,
    /// Short name, unique in the Comune.
    #[schema(max_length = 63)]
    pub slug: String,
    /// What people call it, in the language asked for.
    #[schema(max_length = 200)]
    pub name: String,
    /// What it does.
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// Where it is.
    pub place_id: PlaceId,
    /// Public e-mail address.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Public telephone number.
    #[schema(max_length = 30)]
    pub phone: Option<String>,
    /// Whether it is the URP, which answers for every office.
    pub central: bool,
    /// Counts changes; the number in the `ETag`.
    #[schema(minimum = 1, maximum = 1000000)]
    pub version: i64,
    /// The texts in every language; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translations: Option<OfficeTexts>,
}

impl Place {
    /// What the API serves of it.
    pub fn view(self, lang: Lang) -> PlaceView {
        PlaceView {
            id: self.id,
            name: self.name.0.text(lang).to_owned(),
            address: self.address,
            postal_code: self.postal_code,
            locality: self.locality,
            latitude: self.latitude_e6.map(degrees),
            longitude: self.longitude_e6.map(degrees),
            accessibility: self.accessibility.map(|text| text.0.text(lang).to_owned()),
            version: self.version,
            translations: None,
        }
    }

    /// What the API serves of it by itself.
    pub fn whole(self, lang: Lang) -> PlaceView {
        let texts = PlaceTexts {
            name: self.name.0.clone().into(),
            accessibility: self.accessibility.clone().map(|text| text.0.into()),
        };
        PlaceView { translations: Some(texts), ..self.view(lang) }
    }
}

impl Office {
    /// What the API serves of it.
    pub fn view(self, lang: Lang) -> OfficeView {
        OfficeView {
            id: self.id,
            slug: self.slug,
            name: self.name.0.text(lang).to_owned(),
            description: self.description.map(|text| text.0.text(lang).to_owned()),
            place_id: self.place_id,
            email: self.email,
            phone: self.phone,
            central: self.central,
            version: self.version,
            translations: None,
        }
    }

    /// What the API serves of it by itself.
    pub fn whole(self, lang: Lang) -> OfficeView {
        let texts = OfficeTexts {
            name: self.name.0.clone().into(),
            description: self.description.clone().map(|text| text.0.into()),
        };
        OfficeView { translations: Some(texts), ..self.view(lang) }
    }
}

/// Millionths of a degree never exceed 180,000,000 (a CHECK holds them), which `i32` and `f64` hold exactly.
pub(super) fn degrees(millionths: i64) -> f64 {
    f64::from(i32::try_from(millionths).unwrap_or(0)) / 1_000_000.0
}
