//! Emergency registers, as stored, asked for and served.

use diesel::prelude::*;
use jiff::{Timestamp, civil::Date};
use kernel::{Id, civil};
use platform::{http::Link, settings::rules::one_line};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::schema::protocol_emergencies;

/// The identifier of an emergency register.
pub type EmergencyRegisterId = Id<EmergencyRegister>;

/// An emergency register, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = protocol_emergencies)]
pub struct EmergencyRegister {
    /// Identifier.
    pub id: EmergencyRegisterId,
    /// The organisational area.
    pub aoo_code: String,
    /// Its code: numbers are its own.
    pub register_code: String,
    /// Why it was opened.
    pub reason: String,
    /// Kind and pseudonymous id of who opened it.
    pub opened_by: String,
    /// When.
    pub opened_at: Timestamp,
    /// Who closed it.
    pub closed_by: Option<String>,
    /// When.
    pub closed_at: Option<Timestamp>,
    /// How many entries got an ordinary number.
    pub recovered: i64,
    /// Counts changes.
    pub version: i64,
}

/// The code of the `n`th emergency register that is opened on a day.
pub fn code(day: Date, n: i64) -> String {
    format!("EM{}.{n}", day.strftime("%Y%m%d"))
}

storage::text_enum! {
    /// Whether an emergency register is written to.
    pub enum EmergencyState {
        /// It is written to.
        Open = "open",
        /// Its entries have their ordinary numbers.
        Closed = "closed",
    }
}

/// An emergency register
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EmergencyRegister, example = json!({
    "id": "01980000-0000-7000-8000-0000000000c0", "aoo_code": "SPORTELLO", "register_code": "EM20261123.1",
    "state": "open", "reason": "Guasto al protocollo generale", "opened_by": "staff:01980000-0000-7000-8000-000000000010",
    "opened_at": "2026-11-23T10:15:00+01:00", "closed_by": null, "closed_at": null, "recovered": 0, "version": 1,
    "links": []
}))]
pub struct EmergencyView {
    /// Identifier.
    pub id: EmergencyRegisterId,
    /// The organisational area.
    #[schema(max_length = 16)]
    pub aoo_code: String,
    /// Its code: numbers are its own.
    #[schema(max_length = 16)]
    pub register_code: String,
    /// Whether it is written to.
    pub state: EmergencyState,
    /// Why it was opened.
    #[schema(max_length = 500)]
    pub reason: String,
    /// Kind and pseudonymous id of who opened it.
    #[schema(max_length = 200)]
    pub opened_by: String,
    /// When.
    #[serde(with = "civil::rfc3339")]
    pub opened_at: Timestamp,
    /// Who closed it.
    #[schema(max_length = 200)]
    pub closed_by: Option<String>,
    /// When.
    #[serde(with = "civil::rfc3339::option")]
    pub closed_at: Option<Timestamp>,
    /// How many entries got an ordinary number when it was closed.
    #[schema(minimum = 0)]
    pub recovered: i64,
    /// Counts changes.
    #[schema(minimum = 1)]
    pub version: i64,
    /// What the caller may do with it now.
    #[schema(max_items = 5)]
    pub links: Vec<Link>,
}

/// An emergency register to be opened
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "Guasto al protocollo generale dal 23/11/2026, ore 9" }))]
pub struct NewEmergencyRegister {
    /// Why, and since when the ordinary protocol is interrupted.
    #[validate(length(min = 1, max = 500), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub reason: String,
}
