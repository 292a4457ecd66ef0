//! What happens here, for those who listen.
#![expect(dead_code, reason = "the structs describe what is told; the code that tells it writes JSON")]

use platform::{
    directory::{NewClosure, OfficeId},
    events::types::{EventType, administered, data_of},
};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    appointments::model::{AppointmentId, AppointmentState, Channel},
    calendars::{CalendarId, admin::bodies::NewCalendar},
    services::{AppointmentServiceId, admin::NewAppointmentService},
};

/// Of an appointment: everything but who comes.
#[derive(ToSchema)]
struct AppointmentData {
    /// Identifier.
    id: AppointmentId,
    /// Its state after the event.
    state: AppointmentState,
    /// What for.
    service_id: AppointmentServiceId,
    /// At which calendar.
    calendar_id: CalendarId,
    /// At which office.
    office_id: OfficeId,
    /// When it begins.
    #[schema(format = DateTime)]
    starts_at: String,
    /// When it ends.
    #[schema(format = DateTime)]
    ends_at: String,
    /// How many come.
    persons: i64,
    /// By which way it was booked.
    channel: Channel,
    /// Where it was before, when it was moved.
    #[schema(nullable)]
    previous: Option<Previous>,
    /// Which members were amended.
    changed: Option<Vec<String>>,
}

/// The time that is free again.
#[derive(ToSchema)]
struct Previous {
    /// At which calendar.
    calendar_id: CalendarId,
    /// When it began.
    #[schema(format = DateTime)]
    starts_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    ends_at: String,
}

/// Of a note: that it is there.
#[derive(ToSchema)]
struct NoteData {
    /// Identifier.
    id: String,
    /// Of which appointment.
    appointment_id: AppointmentId,
    /// Of which office.
    office_id: OfficeId,
}

/// Of time that is kept free of visitors.
#[derive(ToSchema)]
struct BlockData {
    /// Identifier.
    id: String,
    /// At which calendar.
    calendar_id: CalendarId,
    /// At which office.
    office_id: OfficeId,
    /// When it begins.
    #[schema(format = DateTime)]
    starts_at: String,
    /// When it ends.
    #[schema(format = DateTime)]
    ends_at: String,
    /// How many counters; null: all of them.
    seats: Option<i64>,
}

/// Of a service and a calendar.
#[derive(ToSchema)]
struct GivenData {
    /// Which service.
    service_id: AppointmentServiceId,
    /// At which calendar.
    calendar_id: CalendarId,
    /// Whether it is given there now.
    given: bool,
}

/// Hours are told as the rule or exception that was made, changed or taken away.
fn hours() -> Value {
    json!({
        "type": "object", "required": ["calendar_id"],
        "properties": {
            "calendar_id": { "type": "string", "format": "uuid" },
            "opening_rule": { "type": "object", "description": "An opening rule, as it is asked for, with id and version." },
            "opening_exception": { "type": "object", "description": "An exception, as it is asked for, with id and version." }
        }
    })
}

/// What happens to appointments and to what they are made with.
pub const TYPES: &[EventType] = platform::event_types![
    "appointment.confirmed", "appointment", "An appointment was booked.", data_of::<AppointmentData>;
    "appointment.updated", "appointment", "Who comes, how many or how they are reached was amended.", data_of::<AppointmentData>;
    "appointment.rescheduled", "appointment", "An appointment was moved.", data_of::<AppointmentData>;
    "appointment.cancelled", "appointment", "An appointment was called off.", data_of::<AppointmentData>;
    "appointment.checked_in", "appointment", "The person has arrived.", data_of::<AppointmentData>;
    "appointment.service_started", "appointment", "The person is at the counter.", data_of::<AppointmentData>;
    "appointment.completed", "appointment", "The appointment took place.", data_of::<AppointmentData>;
    "appointment.no_show", "appointment", "The person did not come.", data_of::<AppointmentData>;
    "appointment.reinstated", "appointment", "An appointment that was marked as missed stands again.", data_of::<AppointmentData>;
    "appointment.rectified", "appointment", "What is held of the person was put right (GDPR, article 16).", data_of::<AppointmentData>;
    "appointment.anonymised", "appointment", "Who came is no longer held.", data_of::<AppointmentData>;
    "appointment_note.created", "appointment_note", "The office noted something about an appointment.", data_of::<NoteData>;
    "appointment_service.created", "appointment_service", "A service was added.", administered::<NewAppointmentService>;
    "appointment_service.updated", "appointment_service", "A service was changed.", administered::<NewAppointmentService>;
    "appointment_service.deleted", "appointment_service", "A service was taken away; told as it was.", administered::<NewAppointmentService>;
    "calendar.created", "calendar", "A calendar was added.", administered::<NewCalendar>;
    "calendar.updated", "calendar", "A calendar was changed.", administered::<NewCalendar>;
    "calendar.deleted", "calendar", "A calendar was taken away; told as it was.", administered::<NewCalendar>;
    "calendar.hours_changed", "calendar", "An opening rule or an exception was made, changed or taken away.", hours;
    "calendar.service_given", "calendar", "A service is given at a calendar.", data_of::<GivenData>;
    "calendar.service_withdrawn", "calendar", "A service is no longer given at a calendar.", data_of::<GivenData>;
    "calendar_block.created", "calendar_block", "Time was blocked.", data_of::<BlockData>;
    "calendar_block.deleted", "calendar_block", "Blocked time was given back; told as it was.", data_of::<BlockData>;
    "closure.created", "closure", "A day on which the whole Comune is closed was added.", administered::<NewClosure>;
    "closure.deleted", "closure", "Such a day was taken away; told as it was.", administered::<NewClosure>;
];
