//! Where a service is given, and when next.

use jiff::Timestamp;
use kernel::{Lang, civil, holidays::HolidayCalendar};
use platform::directory::{Office, Place, store as directory};
use storage::{Failure, Tx};

use super::{LOOK_AHEAD, LOOK_UPS};
use crate::{
    calendars::{claim, store as calendars},
    offers::Offer,
    services::{
        AppointmentService,
        model::{CalendarReference, ServiceOffice},
        store as services,
    },
};

/// Looks offices and free times up, no more of them than a request is worth.
#[derive(Debug)]
pub struct Guide<'a> {
    lang: Lang,
    holidays: &'a HolidayCalendar,
    look_ups_left: usize,
}

impl<'a> Guide<'a> {
    /// For one request.
    pub const fn new(lang: Lang, holidays: &'a HolidayCalendar) -> Self {
        Self { lang, holidays, look_ups_left: LOOK_UPS }
    }

    /// The offices that give a service, each with its calendars there and when they are free next.
    ///
    /// # Errors
    /// When the database fails.
    pub fn offices(&mut self, tx: &mut Tx<'_>, service: &AppointmentService) -> storage::Result<Vec<ServiceOffice>> {
        let given = services::calendars_of(tx, service.id)?;
        let ids: Vec<_> = given.iter().map(|(_, office, _)| *office).collect();
        let mut found: Vec<ServiceOffice> =
            directory::offices_with_places(tx, &ids)?.into_iter().map(|at| self.office(at)).collect();
        for (id, at, name) in given {
            let Some(office) = found.iter_mut().find(|office| office.office_id == at) else { continue };
            let next_free = match calendars::calendar(tx, id)? {
                Some(calendar) => self.next_free(tx, &Offer { calendar, service: service.clone() })?,
                None => None,
            };
            office.calendars.push(CalendarReference { id, name: name.0.text(self.lang).to_owned(), next_free });
        }
        Ok(found)
    }

    /// The next time at which a visit of one person could start, within [`LOOK_AHEAD`].
    ///
    /// # Errors
    /// When the database fails.
    pub fn next_free(&mut self, tx: &mut Tx<'_>, offer: &Offer) -> storage::Result<Option<Timestamp>> {
        let Some(left) = self.look_ups_left.checked_sub(1) else { return Ok(None) };
        self.look_ups_left = left;
        let today = civil::date_of(tx.now());
        let last = today.saturating_add(LOOK_AHEAD);
        let mut from = today;
        // Most counters have a free time this week; only where none has are the rest of the days read.
        for days in [7, 21, 62] {
            let to = today.saturating_add(jiff::Span::new().days(days)).min(last);
            let free = match claim::slots(tx, offer, self.holidays, 1, from..=to) {
                Ok(days) => days.into_iter().flat_map(|(_, slots)| slots).find(|slot| slot.free > 0),
                // The service does not fit in this calendar: it has no free time.
                Err(Failure::Refused(_)) => return Ok(None),
                Err(failure) => return Err(failure),
            };
            if let Some(slot) = free {
                return Ok(Some(slot.starts_at));
            }
            from = to.saturating_add(jiff::Span::new().days(1));
        }
        Ok(None)
    }

    fn office(&self, (office, place): (Office, Place)) -> ServiceOffice {
        ServiceOffice {
            office_id: office.id,
            name: office.name.0.text(self.lang).to_owned(),
            place_id: place.id,
            address: place.address,
            locality: place.locality,
            calendars: Vec::new(),
        }
    }
}
