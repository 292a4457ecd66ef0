//! Appointments, as stored, asked for and served.

use diesel::{Queryable, Selectable};
use jiff::Timestamp;
use kernel::{Id, PublicCode, TaxCode, civil};
use platform::{
    access::{policy, same_words},
    directory::OfficeId,
    http::Link,
    messages::MessageLanguage,
};
use serde::{Deserialize, Serialize};
use storage::TenantId;
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::history::model::ActorView;
use crate::{calendars::CalendarId, holds::HoldId, schema::appointments, services::AppointmentServiceId};

/// The identifier of an appointment.
pub type AppointmentId = Id<Appointment>;

storage::text_enum! {
    /// Where an appointment is in its life. All but the last three occupy their time.
    pub enum AppointmentState {
        /// Booked.
        Confirmed = "confirmed",
        /// The person has arrived.
        CheckedIn = "checked_in",
        /// The person is at the counter.
        Serving = "serving",
        /// It took place.
        Completed = "completed",
        /// It was called off.
        Cancelled = "cancelled",
        /// The person did not come.
        NoShow = "no_show",
    }
}

impl AppointmentState {
    /// The states in which a person still has the appointment before them.
    pub const OPEN: [Self; 3] = [Self::Confirmed, Self::CheckedIn, Self::Serving];
}

storage::text_enum! {
    /// By which way an appointment was booked.
    pub enum Channel {
        /// Without signing in.
        Anonymous = "anonymous",
        /// By a citizen who had signed in.
        Citizen = "citizen",
        /// By staff, on behalf of somebody.
        Counter = "counter",
        /// By another system.
        Integration = "integration",
    }
}

impl Channel {
    /// Whether it was booked for somebody else, whose own it is then.
    pub const fn is_on_behalf(self) -> bool {
        matches!(self, Self::Counter | Self::Integration)
    }
}

/// An appointment, without the person it is for.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = appointments)]
pub struct Appointment {
    /// The Comune.
    pub tenant_id: TenantId,
    /// Identifier.
    pub id: AppointmentId,
    /// The code people read aloud, unique in the Comune; without its hyphen.
    pub code: String,
    /// For what.
    pub service_id: AppointmentServiceId,
    /// In which calendar.
    pub calendar_id: CalendarId,
    /// At which office.
    pub office_id: OfficeId,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// For how many.
    pub persons: i64,
    /// Where it is in its life.
    pub state: AppointmentState,
    /// By which way it was booked.
    pub channel: Channel,
    /// Pseudonym of the person it is for.
    pub person_key: String,
    /// The actor it belongs to.
    pub owner: String,
    /// Digest of the manage token, where there is one.
    pub manage_token_hash: Option<String>,
    /// Who called it off.
    pub cancelled_by: Option<String>,
    /// Counts changes.
    pub version: i64,
    /// When it was booked.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Appointment {
    /// What matters about it when somebody wants it.
    pub fn object(&self) -> policy::Object<'_> {
        policy::Object { owner: &self.owner, office: self.office_id }
    }
}

/// The person an appointment is for.
#[derive(Clone, PartialEq, Eq)]
pub struct Applicant {
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// Codice fiscale.
    pub tax_code: Option<TaxCode>,
    /// E-mail address.
    pub email: String,
    /// Telephone number.
    pub phone: Option<String>,
    /// What they want the office to know.
    pub notes: Option<String>,
    /// Why it was called off.
    pub cancellation_reason: Option<String>,
    /// The language they booked in, where they did it themselves.
    pub language: Option<MessageLanguage>,
}

impl Applicant {
    /// Whether this can only be the same person, told again: of the same name, and with the mailbox or the tax code of
    /// before. Several people share a name, and several a mailbox.
    pub fn is_known_as(&self, other: &Self) -> bool {
        let named =
            same_words(&self.given_name, &other.given_name) && same_words(&self.family_name, &other.family_name);
        let by_code = self.tax_code.is_some() && self.tax_code == other.tax_code;
        let by_mailbox = !self.email.is_empty() && same_words(&self.email, &other.email);
        let contradicts =
            self.tax_code.as_ref().zip(other.tax_code.as_ref()).is_some_and(|(one, another)| one != another);
        named && !contradicts && (by_code || by_mailbox)
    }
}

// Personal data and tokens have no business in a log.
kernel::redacted_debug!(
    Applicant,
    ApplicantView,
    AppointmentLookup,
    AppointmentView,
    Cancellation,
    NewApplicant,
    NewAppointment,
    PersonName,
    Rescheduling
);

/// An appointment to book.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "service_id": "01980000-0000-7000-8000-000000000010", "calendar_id": "01980000-0000-7000-8000-000000000003",
    "starts_at": "2026-12-02T09:00:00+01:00",
    "applicant": { "given_name": "Anna", "family_name": "Prova", "email": "anna.prova@example.org" }
}))]
pub struct NewAppointment {
    /// What one comes for.
    pub service_id: AppointmentServiceId,
    /// The calendar, one of those that give the service.
    pub calendar_id: CalendarId,
    /// When the visit starts: RFC 3339 with offset, one of the calendar's slots.
    #[schema(format = "date-time", max_length = 40)]
    pub starts_at: String,
    /// How many come; 1 when absent.
    #[validate(range(min = 1, max = 100))]
    #[schema(minimum = 1, maximum = 100)]
    pub persons: Option<i64>,
    /// A hold of the caller's for exactly this visit.
    pub hold_id: Option<HoldId>,
    /// Who comes.
    #[validate(nested)]
    pub applicant: NewApplicant,
    /// What the office should know beforehand.
    #[validate(length(max = 1000), custom(function = plain_text))]
    #[schema(max_length = 1000, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
    pub notes: Option<String>,
}

/// Who comes.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApplicant, example = json!({
    "given_name": "Anna", "family_name": "Prova", "email": "anna.prova@example.org", "phone": "+39 050 0000001"
}))]
pub struct NewApplicant {
    /// Given name.
    #[validate(length(max = 100), custom(function = not_blank))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub given_name: String,
    /// Family name.
    #[validate(length(max = 100), custom(function = not_blank))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub family_name: String,
    /// Codice fiscale; a citizen who has signed in need not repeat their own.
    pub tax_code: Option<TaxCode>,
    /// E-mail address.
    #[validate(email, length(max = 254), custom(function = one_line))]
    #[schema(format = "email", max_length = 254)]
    pub email: String,
    /// Telephone number.
    #[validate(length(min = 3, max = 30), custom(function = phone_number))]
    #[schema(min_length = 3, max_length = 30, pattern = r"^\+?[0-9 ()./-]+$")]
    pub phone: Option<String>,
}

pub(super) fn not_blank(text: &str) -> Result<(), ValidationError> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(ValidationError::new("blank").with_message("must hold visible text".into()));
    }
    Ok(())
}

/// The check for e-mail addresses lets some line breaks through, and a line break in an address is another
/// header in a mail.
pub(super) fn one_line(text: &str) -> Result<(), ValidationError> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(ValidationError::new("email").with_message("no spaces or control characters".into()));
    }
    Ok(())
}

/// Text of several lines: what does not show is refused, and a NUL cannot even be stored on PostgreSQL.
pub(crate) fn plain_text(text: &str) -> Result<(), ValidationError> {
    if text.chars().any(|c| c.is_control() && !"\t\n\r".contains(c)) {
        return Err(ValidationError::new("control").with_message("no control characters".into()));
    }
    Ok(())
}

pub(crate) fn not_empty(text: &str) -> Result<(), ValidationError> {
    if text.trim().is_empty() {
        return Err(ValidationError::new("blank").with_message("must hold visible text".into()));
    }
    Ok(())
}

pub(super) fn phone_number(text: &str) -> Result<(), ValidationError> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.chars().all(|c| c.is_ascii_digit() || " ()./-".contains(c)) {
        return Ok(());
    }
    Err(ValidationError::new("phone").with_message("digits, spaces, `()./-` and a leading `+`".into()))
}

/// Where to move an appointment.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "starts_at": "2026-12-03T10:20:00+01:00" }))]
pub struct Rescheduling {
    /// When the visit starts: RFC 3339 with offset, one of the calendar's slots.
    #[schema(format = "date-time", max_length = 40)]
    pub starts_at: String,
    /// Another calendar that gives the same service; the same one when absent.
    pub calendar_id: Option<CalendarId>,
    /// The manage token, for who booked without signing in.
    #[validate(length(max = 100))]
    #[schema(max_length = 100)]
    pub manage_token: Option<String>,
}

/// Calling an appointment off.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "Non posso venire" }))]
pub struct Cancellation {
    /// Why.
    #[validate(length(max = 500), custom(function = plain_text))]
    #[schema(max_length = 500, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
    pub reason: Option<String>,
    /// The manage token, for who booked without signing in.
    #[validate(length(max = 100))]
    #[schema(max_length = 100)]
    pub manage_token: Option<String>,
}

/// Code and manage token of an appointment.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "code": "K7M2-PQ4X", "manage_token": "pQ4xK7M2pQ4xK7M2pQ4xKw" }))]
pub struct AppointmentLookup {
    /// The code people read aloud; hyphens, spaces and case do not matter.
    #[validate(length(min = 1, max = 40))]
    #[schema(min_length = 1, max_length = 40)]
    pub code: String,
    /// The manage token.
    #[validate(length(min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    pub manage_token: String,
}

/// An appointment.
#[derive(Serialize, ToSchema)]
#[schema(as = Appointment, example = json!({
    "id": "01980000-0000-7000-8000-000000000030", "code": "K7M2-PQ4X", "state": "confirmed",
    "service": { "id": "01980000-0000-7000-8000-000000000010", "name": "Carta d'identità elettronica" },
    "calendar_id": "01980000-0000-7000-8000-000000000003",
    "office": { "id": "01980000-0000-7000-8000-000000000002", "name": "Ufficio anagrafe", "address": "Piazza del Municipio 1", "locality": "Bugliano" },
    "starts_at": "2026-12-02T09:00:00+01:00", "ends_at": "2026-12-02T09:20:00+01:00", "persons": 1,
    "channel": "anonymous", "applicant": null, "applicant_name": null, "cancellation_reason": null,
    "cancelled_by": null, "version": 1,
    "created_at": "2026-11-24T10:00:00+01:00", "updated_at": "2026-11-24T10:00:00+01:00",
    "links": [{ "rel": "cancellation", "method": "POST", "href": "/bugliano/v1/appointments/01980000-0000-7000-8000-000000000030/cancellation" }],
    "manage_token": "pQ4xK7M2pQ4xK7M2pQ4xKw"
}))]
pub struct AppointmentView {
    /// Identifier.
    pub id: AppointmentId,
    /// The code people read aloud, unique in the Comune.
    pub code: PublicCode,
    /// Where it is in its life.
    pub state: AppointmentState,
    /// What it is for.
    pub service: ServiceReference,
    /// In which calendar.
    pub calendar_id: CalendarId,
    /// Where to go.
    pub office: OfficeReference,
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
    /// Who comes; left out in lists, for devices and for keys that may not read.
    pub applicant: Option<ApplicantView>,
    /// Who comes, by name only: in the lists of staff and systems.
    pub applicant_name: Option<PersonName>,
    /// Why it was called off; left out where `applicant` is.
    #[schema(max_length = 500)]
    pub cancellation_reason: Option<String>,
    /// Who called it off; named for staff only.
    pub cancelled_by: Option<ActorView>,
    /// Counts changes; the number in the `ETag`.
    #[schema(minimum = 1, maximum = 1000000)]
    pub version: i64,
    /// When it was booked.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// When it last changed.
    #[serde(with = "civil::rfc3339")]
    pub updated_at: Timestamp,
    /// What this caller may do with it now.
    #[schema(max_items = 10)]
    pub links: Vec<Link>,
    /// Given once, to who booked without signing in: with it the appointment can be looked up, moved and cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub manage_token: Option<String>,
}

/// Somebody's name.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({ "given_name": "Anna", "family_name": "Prova" }))]
pub struct PersonName {
    /// Given name.
    #[schema(max_length = 100)]
    pub given_name: String,
    /// Family name.
    #[schema(max_length = 100)]
    pub family_name: String,
}

/// A service, by name.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({ "id": "01980000-0000-7000-8000-000000000010", "name": "Carta d'identità elettronica" }))]
pub struct ServiceReference {
    /// The service.
    pub id: AppointmentServiceId,
    /// Its name, in the language asked for.
    #[schema(max_length = 200)]
    pub name: String,
}

/// An office and where it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01980000-0000-7000-8000-000000000002", "name": "Ufficio anagrafe", "address": "Piazza del Municipio 1", "locality": "Bugliano"
}))]
pub struct OfficeReference {
    /// The office.
    pub id: OfficeId,
    /// Its name, in the language asked for.
    #[schema(max_length = 200)]
    pub name: String,
    /// Street and number.
    #[schema(max_length = 200)]
    pub address: String,
    /// Town or hamlet.
    #[schema(max_length = 100)]
    pub locality: String,
}

/// Who comes.
#[derive(Serialize, ToSchema)]
#[schema(as = Applicant, example = json!({
    "given_name": "Anna", "family_name": "Prova", "tax_code": null, "email": "anna.prova@example.org", "phone": null, "notes": null
}))]
pub struct ApplicantView {
    /// Given name.
    #[schema(max_length = 100)]
    pub given_name: String,
    /// Family name.
    #[schema(max_length = 100)]
    pub family_name: String,
    /// Codice fiscale.
    pub tax_code: Option<TaxCode>,
    /// E-mail address.
    #[schema(max_length = 254)]
    pub email: String,
    /// Telephone number.
    #[schema(max_length = 30)]
    pub phone: Option<String>,
    /// What they want the office to know.
    #[schema(max_length = 1000)]
    pub notes: Option<String>,
}

impl From<Applicant> for ApplicantView {
    fn from(applicant: Applicant) -> Self {
        let Applicant { given_name, family_name, tax_code, email, phone, notes, .. } = applicant;
        Self { given_name, family_name, tax_code, email, phone, notes }
    }
}
