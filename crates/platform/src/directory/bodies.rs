//! What administrators send: places, offices and closures, as they are to be.

use kernel::{Localized, Problem};
use serde::{Deserialize, Serialize};
use storage::{Json, TenantId};
use utoipa::ToSchema;
use validator::Validate;

use super::{
    model::{Closure, ClosureId, Office, OfficeId, Place, PlaceId, degrees},
    texts::{LocalizedName, LocalizedText, no_spaces, one_line, phone_number, postal_code, slug},
};
use crate::problems::INVALID_BODY;

/// A place, as it is to be.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": { "it": "Palazzo comunale", "en": "Town hall" }, "address": "Piazza del Municipio 1", "postal_code": "56043",
    "locality": "Bugliano", "latitude": 43.512345, "longitude": 10.612345, "accessibility": { "it": "Ingresso senza gradini" }
}))]
pub struct NewPlace {
    /// What people call it.
    #[validate(nested)]
    pub name: LocalizedName,
    /// Street and number.
    #[validate(length(max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub address: String,
    /// Postal code (CAP).
    #[validate(custom(function = postal_code))]
    #[schema(max_length = 5, pattern = "^[0-9]{5}$")]
    pub postal_code: String,
    /// Town or hamlet.
    #[validate(length(max = 100), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub locality: String,
    /// WGS 84 latitude, degrees; with `longitude` or not at all.
    #[validate(range(min = -90.0, max = 90.0))]
    #[schema(minimum = -90, maximum = 90)]
    pub latitude: Option<f64>,
    /// WGS 84 longitude, degrees; with `latitude` or not at all.
    #[validate(range(min = -180.0, max = 180.0))]
    #[schema(minimum = -180, maximum = 180)]
    pub longitude: Option<f64>,
    /// How it can be reached by people with disabilities.
    #[validate(nested)]
    pub accessibility: Option<LocalizedText>,
}

impl NewPlace {
    /// The place, when what it says fits together.
    ///
    /// # Errors
    /// `invalid-body`.
    pub fn place(self, tenant_id: TenantId, id: PlaceId, version: i64) -> Result<Place, Problem> {
        let missing = match (self.latitude, self.longitude) {
            (Some(_), None) => Some("/longitude"),
            (None, Some(_)) => Some("/latitude"),
            _ => None,
        };
        if let Some(pointer) = missing {
            return Err(Problem::new(&INVALID_BODY).field(pointer, "incomplete", "a position has both or neither"));
        }
        Ok(Place {
            tenant_id,
            id,
            name: Json(self.name.into()),
            address: self.address,
            postal_code: self.postal_code,
            locality: self.locality,
            latitude_e6: self.latitude.map(millionths),
            longitude_e6: self.longitude.map(millionths),
            accessibility: self.accessibility.map(|text| Json(text.into())),
            version,
        })
    }
}

impl From<Place> for NewPlace {
    fn from(place: Place) -> Self {
        Self {
            name: place.name.0.into(),
            address: place.address,
            postal_code: place.postal_code,
            locality: place.locality,
            latitude: place.latitude_e6.map(degrees),
            longitude: place.longitude_e6.map(degrees),
            accessibility: place.accessibility.map(|text| text.0.into()),
        }
    }
}

/// Degrees within ±180, which were checked to be, in millionths.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "there is no other way from a float to an integer, and within ±180 nothing is lost"
)]
fn millionths(degrees: f64) -> i64 {
    (degrees * 1_000_000.0).round() as i64
}

/// An office, as it is to be.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "slug": "anagrafe", "name": { "it": "Ufficio anagrafe", "en": "Registry office" },
    "description": { "it": "Residenza, carta d'identità, certificati" }, "place_id": "01980000-0000-7000-8000-000000000001",
    "email": "anagrafe@comune.bugliano.example", "phone": "+390500000001", "central": false
}))]
pub struct NewOffice {
    /// Short name for addresses, unique in the Comune.
    #[validate(length(min = 2, max = 63), custom(function = slug))]
    #[schema(min_length = 2, max_length = 63, pattern = "^[a-z][a-z0-9-]*$")]
    pub slug: String,
    /// What people call it.
    #[validate(nested)]
    pub name: LocalizedName,
    /// What it does.
    #[validate(nested)]
    pub description: Option<LocalizedText>,
    /// Where it is.
    pub place_id: PlaceId,
    /// Public e-mail address.
    #[validate(email, length(max = 254), custom(function = no_spaces))]
    #[schema(format = "email", max_length = 254)]
    pub email: Option<String>,
    /// Public telephone number.
    #[validate(length(min = 3, max = 30), custom(function = phone_number))]
    #[schema(min_length = 3, max_length = 30, pattern = r"^\+?[0-9 ()./-]+$")]
    pub phone: Option<String>,
    /// Whether it is the URP, whose people see what every office sees; not when absent.
    pub central: Option<bool>,
}

impl NewOffice {
    /// The office.
    pub fn office(self, tenant_id: TenantId, id: OfficeId, version: i64) -> Office {
        Office {
            tenant_id,
            id,
            slug: self.slug,
            name: Json(self.name.into()),
            description: self.description.map(|text| Json(text.into())),
            place_id: self.place_id,
            email: self.email,
            phone: self.phone,
            central: self.central.unwrap_or(false),
            version,
        }
    }
}

impl From<Office> for NewOffice {
    fn from(office: Office) -> Self {
        Self {
            slug: office.slug,
            name: office.name.0.into(),
            description: office.description.map(|text| text.0.into()),
            place_id: office.place_id,
            email: office.email,
            phone: office.phone,
            central: Some(office.central),
        }
    }
}

/// A day on which the whole Comune is to be closed.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "date": "2027-08-13", "reason": { "it": "Chiusura estiva", "en": "Summer closing" } }))]
pub struct NewClosure {
    /// The day.
    pub date: jiff::civil::Date,
    /// Why, for the public.
    #[validate(nested)]
    pub reason: LocalizedName,
}

impl NewClosure {
    /// The closure.
    ///
    /// # Errors
    /// `invalid-body` for a day that nobody means.
    pub fn closure(self, tenant_id: TenantId, id: ClosureId) -> Result<Closure, Problem> {
        let reason: Localized = self.reason.into();
        Ok(Closure { tenant_id, id, date: sane_day("/date", self.date)?, reason: Json(reason), version: 1 })
    }
}

/// Refuses a date of a body before 1900 or after 2200.
///
/// # Errors
/// `invalid-body`, naming the member.
pub fn sane_day(pointer: &str, date: jiff::civil::Date) -> Result<jiff::civil::Date, Problem> {
    if !(1900..=2200).contains(&date.year()) {
        return Err(Problem::new(&INVALID_BODY).field(pointer, "out-of-range", "a date from 1900 to 2200"));
    }
    Ok(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_kept_to_the_millionth_and_is_whole_or_absent() {
        let new = NewPlace {
            name: LocalizedName { it: "Palazzo".into(), en: None, de: None },
            address: "Piazza 1".into(),
            postal_code: "56043".into(),
            locality: "Bugliano".into(),
            latitude: Some(43.512_345),
            longitude: Some(-10.612_345),
            accessibility: None,
        };
        let tenant = storage::scope::PLATFORM;
        let id = PlaceId::from_uuid(uuid::Uuid::nil());
        let place = new.clone().place(tenant, id, 1).unwrap();
        assert_eq!((place.latitude_e6, place.longitude_e6), (Some(43_512_345), Some(-10_612_345)));
        assert_eq!(NewPlace::from(place).latitude, Some(43.512_345));
        let half = NewPlace { longitude: None, ..new };
        assert_eq!(half.place(tenant, id, 1).unwrap_err().errors[0].pointer, "/longitude");
    }
}
