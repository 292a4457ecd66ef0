//! What is asked when looking for appointments.

use jiff::{Timestamp, civil::Date};
use kernel::TaxCode;
use platform::directory::OfficeId;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::super::model::{Appointment, AppointmentId, AppointmentState, one_line, plain_text};
use crate::{calendars::CalendarId, services::AppointmentServiceId};

/// Which appointments. Nothing here is about a person: what is asked in an address is written in logs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AppointmentQuery {
    /// The code people read aloud; hyphens, spaces and case do not matter.
    #[param(min_length = 8, max_length = 40)]
    pub code: Option<String>,
    /// States, separated by commas; all when absent.
    #[param(style = Form, explode = false, max_items = 6)]
    #[serde(default, deserialize_with = "listed")]
    pub state: Option<Vec<AppointmentState>>,
    /// At one office.
    pub office_id: Option<OfficeId>,
    /// In one calendar.
    pub calendar_id: Option<CalendarId>,
    /// For one service.
    pub service_id: Option<AppointmentServiceId>,
    /// The first date on which they start; today when absent, unless a code is given.
    pub from: Option<Date>,
    /// The last date on which they start, included.
    pub to: Option<Date>,
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

/// Reads words separated by commas.
fn listed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<AppointmentState>>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut states = Vec::new();
    for word in text.split(',') {
        let state = word.parse().map_err(|_unknown| D::Error::custom("states, separated by commas"))?;
        if !states.contains(&state) {
            states.push(state);
        }
    }
    Ok(Some(states))
}

/// What an appointment must be to be found.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Its code, without the hyphen.
    pub code: Option<String>,
    /// One of these states; any when empty.
    pub states: Vec<AppointmentState>,
    /// At this office.
    pub office: Option<OfficeId>,
    /// In this calendar.
    pub calendar: Option<CalendarId>,
    /// For this service.
    pub service: Option<AppointmentServiceId>,
    /// Starting at or after this instant.
    pub from: Option<Timestamp>,
    /// Starting before this instant.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Whether an appointment is such a one.
    pub fn admits(&self, a: &Appointment) -> bool {
        self.code.as_ref().is_none_or(|code| *code == a.code)
            && (self.states.is_empty() || self.states.contains(&a.state))
            && self.office.is_none_or(|office| office == a.office_id)
            && self.calendar.is_none_or(|calendar| calendar == a.calendar_id)
            && self.service.is_none_or(|service| service == a.service_id)
            && self.from.is_none_or(|from| from <= a.starts_at)
            && self.until.is_none_or(|until| a.starts_at < until)
    }
}

/// The fewest characters of a code, and the most with which people separate them.
pub const SHORTEST_CODE: usize = 8;
/// See [`SHORTEST_CODE`].
pub const LONGEST_CODE: usize = 40;

/// The fewest letters by which a name is searched.
pub const SHORTEST_NAME: usize = 2;

/// Whose appointments.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "prov", "limit": 20 }))]
pub struct AppointmentSearch {
    /// The beginning of the family name, of the given name, or of both in either order; at least two letters.
    /// Case, accents and apostrophes do not matter.
    #[validate(length(min = 2, max = 200), custom(function = plain_text))]
    #[schema(min_length = 2, max_length = 200, pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
    pub name: Option<String>,
    /// The codice fiscale.
    pub tax_code: Option<TaxCode>,
    /// The e-mail address; case does not matter.
    #[validate(length(min = 3, max = 254), custom(function = one_line))]
    #[schema(min_length = 3, max_length = 254, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]*$")]
    pub email: Option<String>,
    /// Only in these states.
    #[validate(length(max = 6))]
    #[schema(max_items = 6)]
    #[serde(default)]
    pub states: Vec<AppointmentState>,
    /// Only at this office.
    pub office_id: Option<OfficeId>,
    /// Only for this service.
    pub service_id: Option<AppointmentServiceId>,
    /// Only those that start on this date or later.
    pub from: Option<Date>,
    /// Only those that start on this date or earlier.
    pub to: Option<Date>,
    /// How many items at most; 20 when absent.
    #[validate(range(min = 1, max = 100))]
    #[schema(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[validate(length(max = 500))]
    #[schema(max_length = 500)]
    pub after: Option<String>,
}

kernel::redacted_debug!(AppointmentSearch);

/// By what a person is found.
#[derive(Clone)]
pub enum Whom {
    /// By the beginning of a folded name.
    Named(String),
    /// By tax code.
    TaxCode(TaxCode),
    /// By e-mail address in lower case.
    Email(String),
}

kernel::redacted_debug!(Whom);

/// The place of a person in the order in which they are found: by name, then by when they booked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The folded name that was matched.
    pub name: String,
    /// The appointment.
    pub id: AppointmentId,
    /// Whether it was the given name that was matched.
    pub by_given_name: bool,
}

kernel::redacted_debug!(Place);

impl Place {
    /// What stands in a cursor: not the name.
    pub const fn seen(&self) -> Seen {
        Seen { id: self.id, by_given_name: self.by_given_name }
    }
}

/// A place, without saying whose.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Seen {
    /// The appointment.
    pub id: AppointmentId,
    /// Whether it was the given name that was matched.
    pub by_given_name: bool,
}
