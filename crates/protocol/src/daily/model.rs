//! Daily registers, as stored and served.

use diesel::prelude::*;
use jiff::{Timestamp, civil::Date};
use kernel::{Id, civil};
use serde::Serialize;
use utoipa::ToSchema;

use crate::schema::protocol_daily_registers;

/// The identifier of a daily register.
pub type DailyRegisterId = Id<DailyRegister>;

/// A daily register, as it is stored, without its files.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = protocol_daily_registers)]
pub struct DailyRegister {
    /// Identifier.
    pub id: DailyRegisterId,
    /// The organisational area.
    pub aoo_code: String,
    /// The register.
    pub register_code: String,
    /// The day, in Italy.
    pub day: Date,
    /// How many were registered.
    pub entries: i64,
    /// How many were annulled.
    pub annulments: i64,
    /// The first number of the day.
    pub first_number: Option<i64>,
    /// The last number of the day.
    pub last_number: Option<i64>,
    /// SHA-256 of the CSV file.
    pub csv_sha256: String,
    /// SHA-256 of the XML file.
    pub xml_sha256: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The form of a daily register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DailyFormat {
    /// For spreadsheets.
    Csv,
    /// For preservation.
    Xml,
}

/// A daily register
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DailyRegister, example = json!({
    "id": "01980000-0000-7000-8000-0000000000d0", "aoo_code": "SPORTELLO", "register_code": "RACC",
    "day": "2026-11-23", "entries": 17, "annulments": 0, "first_number": 26, "last_number": 42,
    "csv_sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "xml_sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "created_at": "2026-11-24T00:05:00+01:00"
}))]
pub struct DailyView {
    /// Identifier.
    pub id: DailyRegisterId,
    /// The organisational area.
    #[schema(max_length = 16)]
    pub aoo_code: String,
    /// The register.
    #[schema(max_length = 16)]
    pub register_code: String,
    /// The day, in Italy.
    pub day: Date,
    /// How many were registered.
    #[schema(minimum = 0)]
    pub entries: i64,
    /// How many were annulled on that day, whenever they were registered.
    #[schema(minimum = 0)]
    pub annulments: i64,
    /// The first number of the day; null where there is none.
    #[schema(minimum = 1)]
    pub first_number: Option<i64>,
    /// The last number of the day.
    #[schema(minimum = 1)]
    pub last_number: Option<i64>,
    /// SHA-256 of the CSV file.
    #[schema(max_length = 64)]
    pub csv_sha256: String,
    /// SHA-256 of the XML file.
    #[schema(max_length = 64)]
    pub xml_sha256: String,
    /// When it was made.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
}

impl From<DailyRegister> for DailyView {
    fn from(of: DailyRegister) -> Self {
        let DailyRegister {
            id,
            aoo_code,
            register_code,
            day,
            entries,
            annulments,
            first_number,
            last_number,
            csv_sha256,
            xml_sha256,
            created_at,
        } = of;
        Self {
            id,
            aoo_code,
            register_code,
            day,
            entries,
            annulments,
            first_number,
            last_number,
            csv_sha256,
            xml_sha256,
            created_at,
        }
    }
}

/// A daily register as a file
#[derive(Debug, ToSchema)]
#[schema(value_type = String, max_length = 80_000_000, example = "number,registered_at,direction,subject\r\n")]
pub struct DailyFile(pub String);
