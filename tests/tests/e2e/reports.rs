//! What leaves for other programs: calendar files, feeds, exports, figures; and how people find what they need.

mod exports;
mod ical;
mod search;
mod statistics;

use booking::appointments::{Appointment, AppointmentState, Channel, model::Applicant, store};
use jiff::{SignedDuration, Timestamp};

use crate::world::Desk;

/// An appointment as it lies in the database.
#[derive(Debug, Clone)]
struct Planted {
    starts_at: Timestamp,
    /// How long before it was booked.
    lead: SignedDuration,
    state: AppointmentState,
    cancelled_by: Option<&'static str>,
    given_name: String,
}

impl Planted {
    fn new(starts_at: Timestamp) -> Self {
        Self {
            starts_at,
            lead: SignedDuration::from_hours(24),
            state: AppointmentState::Confirmed,
            cancelled_by: None,
            given_name: "Persona".to_owned(),
        }
    }
}

/// Puts appointments into the database of a desk, past its calendar.
async fn plant(desk: &Desk, planted: Vec<Planted>) {
    let (service, calendar) = (desk.services[0].id, desk.calendar.clone());
    desk.world
        .write(move |tx| {
            for (number, new) in planted.iter().enumerate() {
                let id: booking::appointments::AppointmentId = tx.new_id();
                let code = kernel::PublicCode::from_random(kernel::Id::uuid(id).into_bytes()).as_str().to_owned();
                let appointment = Appointment {
                    tenant_id: tx.tenant(),
                    id,
                    code,
                    service_id: service,
                    calendar_id: calendar.id,
                    office_id: calendar.office_id,
                    starts_at: new.starts_at,
                    ends_at: new.starts_at.checked_add(SignedDuration::from_mins(15)).unwrap(),
                    persons: 1,
                    state: new.state,
                    channel: Channel::Counter,
                    person_key: "nobody".to_owned(),
                    owner: "citizen:nobody".to_owned(),
                    manage_token_hash: None,
                    cancelled_by: new.cancelled_by.map(str::to_owned),
                    version: 1,
                    created_at: new.starts_at.checked_sub(new.lead).unwrap(),
                    updated_at: tx.now(),
                };
                let applicant = Applicant {
                    given_name: new.given_name.clone(),
                    family_name: format!("Prova {number}"),
                    tax_code: None,
                    email: format!("prova.{number}@example.org"),
                    phone: Some("+39 050 0000001".to_owned()),
                    notes: None,
                    cancellation_reason: None,
                    language: None,
                };
                store::insert(tx, &appointment, &applicant)?;
                store::save(tx, &Appointment { version: 2, ..appointment })?;
            }
            Ok(())
        })
        .await;
}
