//! What is asked of an export, and what a row of it says.

use jiff::{Timestamp, civil::Date};
use kernel::{PublicCode, civil};
use platform::directory::OfficeId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    appointments::{AppointmentId, AppointmentState, Channel},
    calendars::CalendarId,
    services::AppointmentServiceId,
};

/// What stands between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Separator {
    /// A comma, as RFC 4180 has it.
    #[default]
    Comma,
    /// A semicolon, after a byte order mark: what Excel opens by itself where the decimal sign is a comma.
    Semicolon,
}

/// What an export may hold besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Include {
    /// The people the appointments are for.
    Applicant,
}

/// Which appointments, and what of them.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CsvQuery {
    /// Those that start on this date of Europe/Rome or later.
    pub from: Option<Date>,
    /// Those that start on this date of Europe/Rome or before.
    pub to: Option<Date>,
    /// Those of one office.
    pub office_id: Option<OfficeId>,
    /// Those of one calendar.
    pub calendar_id: Option<CalendarId>,
    /// Those for one service.
    pub service_id: Option<AppointmentServiceId>,
    /// Those in one state.
    pub state: Option<AppointmentState>,
    /// `applicant` adds the people; for staff only.
    #[param(inline)]
    pub include: Option<Include>,
    /// What stands between two values; a comma when absent.
    #[param(inline)]
    pub separator: Option<Separator>,
}

/// Which appointments, and what of them.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JsonLinesQuery {
    /// Those that start on this date of Europe/Rome or later.
    pub from: Option<Date>,
    /// Those that start on this date of Europe/Rome or before.
    pub to: Option<Date>,
    /// Those of one office.
    pub office_id: Option<OfficeId>,
    /// Those of one calendar.
    pub calendar_id: Option<CalendarId>,
    /// Those for one service.
    pub service_id: Option<AppointmentServiceId>,
    /// Those in one state.
    pub state: Option<AppointmentState>,
    /// `applicant` adds the people; for staff only.
    #[param(inline)]
    pub include: Option<Include>,
}

impl From<JsonLinesQuery> for CsvQuery {
    fn from(query: JsonLinesQuery) -> Self {
        let JsonLinesQuery { from, to, office_id, calendar_id, service_id, state, include } = query;
        Self { from, to, office_id, calendar_id, service_id, state, include, separator: None }
    }
}

/// Which appointments are exported, read from the query.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Filter {
    pub(super) from: Option<Timestamp>,
    pub(super) before: Option<Timestamp>,
    pub(super) office_id: Option<OfficeId>,
    pub(super) calendar_id: Option<CalendarId>,
    pub(super) service_id: Option<AppointmentServiceId>,
    pub(super) state: Option<AppointmentState>,
}

/// A line of an export. Members keep their names and order; new ones come at the end.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01980000-0000-7000-8000-000000000030", "code": "K7M2-PQ4X", "state": "confirmed",
    "service_id": "01980000-0000-7000-8000-000000000010", "service": "Carta d'identità elettronica",
    "office_id": "01980000-0000-7000-8000-000000000002", "office": "Ufficio anagrafe",
    "calendar_id": "01980000-0000-7000-8000-000000000003", "calendar": "Sportello 1 e 2",
    "starts_at": "2026-12-02T09:00:00+01:00", "ends_at": "2026-12-02T09:20:00+01:00", "persons": 1,
    "channel": "citizen", "cancelled_by": null, "created_at": "2026-11-24T10:00:00+01:00",
    "updated_at": "2026-11-24T10:00:00+01:00"
}))]
pub struct ExportedAppointment {
    /// Identifier.
    pub id: AppointmentId,
    /// The code people read aloud.
    pub code: PublicCode,
    /// Where it is in its life.
    pub state: AppointmentState,
    /// What it is for.
    pub service_id: AppointmentServiceId,
    /// Its name, in the language asked for.
    #[schema(max_length = 200)]
    pub service: String,
    /// Where to go.
    pub office_id: platform::directory::OfficeId,
    /// Its name, in the language asked for.
    #[schema(max_length = 200)]
    pub office: String,
    /// In which calendar.
    pub calendar_id: CalendarId,
    /// Its name, in the language asked for.
    #[schema(max_length = 200)]
    pub calendar: String,
    /// When it starts.
    #[serde(with = "civil::rfc3339")]
    pub starts_at: Timestamp,
    /// When it ends.
    #[serde(with = "civil::rfc3339")]
    pub ends_at: Timestamp,
    /// How many come.
    #[schema(minimum = 1, maximum = 100)]
    pub persons: i64,
    /// By which way it was booked.
    pub channel: Channel,
    /// What kind of caller called it off: `citizen`, `staff`, `anonymous`, `integration`, `system`.
    #[schema(max_length = 20)]
    pub cancelled_by: Option<String>,
    /// When it was booked.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// When it last changed.
    #[serde(with = "civil::rfc3339")]
    pub updated_at: Timestamp,
    /// Who comes; with `include=applicant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applicant: Option<ExportedApplicant>,
}

/// Who comes; with `include=applicant`.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "given_name": "Anna", "family_name": "Prova", "tax_code": null, "email": "anna.prova@example.org", "phone": null,
    "notes": null, "cancellation_reason": null
}))]
pub struct ExportedApplicant {
    /// Given name.
    #[schema(max_length = 100)]
    pub given_name: String,
    /// Family name.
    #[schema(max_length = 100)]
    pub family_name: String,
    /// Codice fiscale.
    #[schema(max_length = 16)]
    pub tax_code: Option<String>,
    /// E-mail address.
    #[schema(max_length = 254)]
    pub email: String,
    /// Telephone number.
    #[schema(max_length = 30)]
    pub phone: Option<String>,
    /// What they want the office to know.
    #[schema(max_length = 1000)]
    pub notes: Option<String>,
    /// Why it was called off.
    #[schema(max_length = 500)]
    pub cancellation_reason: Option<String>,
}

kernel::redacted_debug!(ExportedAppointment, ExportedApplicant);

/// A file in the form of RFC 4180.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, max_length = 2_000_000_000, example = "id,code,state\r\n")]
pub struct CsvFile(pub String);
