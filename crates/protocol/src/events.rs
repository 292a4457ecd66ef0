//! What happens in the register, for those who listen. Numbers and digests: nobody is named.
#![expect(dead_code, reason = "the structs describe what is told; the code that tells it writes JSON")]

use platform::{
    directory::OfficeId,
    events::types::{EventType, data_of},
};
use utoipa::ToSchema;

use crate::{
    connections::ConnectorKind,
    daily::DailyRegisterId,
    emergencies::EmergencyRegisterId,
    entries::{Direction, EntryId},
    registrations::{RegistrationId, RegistrationState},
};

/// Of an entry: its number, and not what it is about.
#[derive(ToSchema)]
struct EntryData {
    /// Identifier.
    id: EntryId,
    /// The office it is for, or from.
    office_id: OfficeId,
    /// The organisational area.
    aoo_code: String,
    /// The register.
    register_code: String,
    /// The year of the number.
    year: i64,
    /// The number.
    number: i64,
    /// Which way it goes.
    direction: Direction,
    /// Its hash.
    hash: String,
    /// The entry of an emergency register that has its ordinary number here.
    #[schema(nullable)]
    recovers_entry_id: Option<EntryId>,
    /// Whether it was annulled.
    annulled: bool,
}

/// Of handing an entry on.
#[derive(ToSchema)]
struct RegistrationData {
    /// Identifier.
    id: RegistrationId,
    /// The entry.
    entry_id: EntryId,
    /// The office it is for, or from.
    office_id: OfficeId,
    /// To what it is handed on.
    connector: ConnectorKind,
    /// How far it is.
    state: RegistrationState,
    /// Why it came to nothing.
    #[schema(nullable)]
    problem: Option<String>,
    /// The register here.
    register_code: String,
    /// The number here.
    number: i64,
    /// Its year.
    year: i64,
    /// The number in the Comune's own protocol system.
    #[schema(nullable)]
    external_number: Option<String>,
    /// Its year.
    #[schema(nullable)]
    external_year: Option<i64>,
}

/// Of an emergency register.
#[derive(ToSchema)]
struct EmergencyData {
    /// Identifier.
    id: EmergencyRegisterId,
    /// The organisational area.
    aoo_code: String,
    /// Its code.
    register_code: String,
    /// Whether it is written to.
    open: bool,
    /// How many entries got an ordinary number.
    recovered: i64,
    /// Counts changes.
    version: i64,
}

/// Of a daily register.
#[derive(ToSchema)]
struct DailyData {
    /// Identifier.
    id: DailyRegisterId,
    /// The organisational area.
    aoo_code: String,
    /// The register.
    register_code: String,
    /// The day.
    #[schema(format = Date)]
    day: String,
    /// How many were registered.
    entries: i64,
    /// How many were annulled.
    annulments: i64,
    /// SHA-256 of the XML file.
    xml_sha256: String,
    /// SHA-256 of the CSV file.
    csv_sha256: String,
}

/// What happens in the register.
pub const TYPES: &[EventType] = platform::event_types![
    "protocol_entry.created", "protocol_entry", "A document was registered.", data_of::<EntryData>;
    "protocol_entry.annulled", "protocol_entry", "An entry was annulled; it stays, marked.", data_of::<EntryData>;
    "protocol.registered", "protocol_registration", "An entry has its number: here, or in the Comune's own protocol system where there is one.", data_of::<RegistrationData>;
    "protocol.failed", "protocol_registration", "Handing an entry on came to nothing, or nobody knows: somebody has to look.", data_of::<RegistrationData>;
    "emergency_register.opened", "emergency_register", "An emergency register was opened.", data_of::<EmergencyData>;
    "emergency_register.closed", "emergency_register", "An emergency register was closed, and its entries have ordinary numbers.", data_of::<EmergencyData>;
    "daily_register.created", "daily_register", "What was registered on a day was put together.", data_of::<DailyData>;
];
