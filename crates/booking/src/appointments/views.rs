//! Appointments as a reader may see them.

use std::collections::{HashMap, HashSet};

use actix_web::http::StatusCode;
use jiff::Timestamp;
use kernel::{Lang, PublicCode};
use platform::{
    access::{Caller, CallerKind, policy},
    directory::{OfficeId, store as directory},
    http::{Link, Reply},
    privacy::access_log::Shown,
};
use storage::{DbError, Tx};

use super::{
    find::Party,
    history::{
        model::{ActorView, StaffNames},
        store as history,
    },
    model::{Appointment, AppointmentView, OfficeReference, PersonName, ServiceReference},
    rules::{self, Transition},
    search::store as search,
    store,
};
use crate::services::{AppointmentServiceId, store as services};

/// Who reads, in which language, and whether they hold the manage token of what they read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) caller: &'a Caller,
    pub(super) lang: Lang,
    pub(super) holds_token: bool,
}

/// The strong validator of an appointment: its version, and the language it is told in.
pub(super) fn etag(appointment: &Appointment, lang: Lang) -> String {
    format!("{}.{}", appointment.version, lang.tag())
}

impl<'a> Reader<'a> {
    const fn party(self) -> Party<'a> {
        Party { caller: self.caller, holds_token: self.holds_token }
    }

    /// 200 with the appointment.
    pub(super) fn reply(
        self,
        tx: &mut Tx<'_>,
        appointment: Appointment,
    ) -> storage::Result<Shown<Reply<AppointmentView>>> {
        let etag = etag(&appointment, self.lang);
        Ok(self.view(tx, appointment)?.map(|view| Reply::with(StatusCode::OK, view).etag(etag)))
    }

    /// The appointment, with the person it is for where this reader may know.
    pub(super) fn view(self, tx: &mut Tx<'_>, appointment: Appointment) -> storage::Result<Shown<AppointmentView>> {
        let may_read = self.party().may(policy::Wish::Read, &appointment);
        let knows_person = may_read && !matches!(self.caller.kind, CallerKind::Device(_));
        let (id, cancelled_by) = (appointment.id, appointment.cancelled_by.clone());
        let Shown { answer: mut views, mut looks } = self.special(tx, vec![appointment])?;
        if self.holds_token || !policy::reads_for_comune(self.caller) {
            looks.clear();
        }
        let mut view = views.pop().ok_or_else(|| DbError::Other("an appointment was lost on its way".to_owned()))?;
        if knows_person {
            let applicant = store::applicant(tx, id)?;
            view.cancellation_reason = applicant.as_ref().and_then(|person| person.cancellation_reason.clone());
            view.applicant = applicant.map(Into::into);
        }
        if let Some(actor) = cancelled_by {
            let names = history::names_for(tx, self.caller, std::iter::once(actor.as_str()))?;
            view.cancelled_by = Some(ActorView::of(&actor, &names));
        }
        Ok(Shown { answer: view, looks })
    }

    /// Appointments with the names of the people they are for, where this reader may know.
    pub(super) fn named(
        self,
        tx: &mut Tx<'_>,
        appointments: Vec<Appointment>,
    ) -> storage::Result<Shown<Vec<AppointmentView>>> {
        let mut shown = self.special(tx, appointments)?;
        if !policy::knows_people(self.caller) {
            shown.looks.clear();
            return Ok(shown);
        }
        let mut names = search::names(tx, shown.answer.iter().map(|view| view.id))?;
        for view in &mut shown.answer {
            let name = names.remove(&view.id);
            view.applicant_name = name.map(|(given_name, family_name)| PersonName { given_name, family_name });
        }
        Ok(shown)
    }

    /// Appointments without the people they are for.
    pub(super) fn summaries(
        self,
        tx: &mut Tx<'_>,
        appointments: Vec<Appointment>,
    ) -> storage::Result<Vec<AppointmentView>> {
        Ok(self.special(tx, appointments)?.answer)
    }

    /// Appointments without the people they are for, and those of them that tell of special categories of data.
    fn special(self, tx: &mut Tx<'_>, appointments: Vec<Appointment>) -> storage::Result<Shown<Vec<AppointmentView>>> {
        let (services, special) = self.services(tx, &appointments)?;
        let looks = appointments.iter().filter(|appointment| special.contains(&appointment.service_id));
        let looks = looks.map(Appointment::look).collect();
        let offices = self.offices(tx, &appointments)?;
        let now = tx.now();
        let view = |appointment: Appointment| {
            let transitions = Transition::ALL.into_iter().filter(|wanted| {
                rules::may(&appointment, *wanted, now) && self.party().may(wanted.wish(), &appointment)
            });
            let mut links: Vec<_> = transitions.map(|transition| self.link(&appointment, transition)).collect();
            if self.may_amend(&appointment, now) {
                links.push(self.amendment(&appointment));
            }
            let code = PublicCode::parse(&appointment.code).map_err(|error| DbError::Other(error.to_string()))?;
            // Foreign keys hold both.
            let missing = || DbError::Other("an appointment without its service or office".to_owned());
            Ok(AppointmentView {
                id: appointment.id,
                code,
                state: appointment.state,
                service: services.get(&appointment.service_id).cloned().ok_or_else(missing)?,
                calendar_id: appointment.calendar_id,
                office: offices.get(&appointment.office_id).cloned().ok_or_else(missing)?,
                starts_at: appointment.starts_at,
                ends_at: appointment.ends_at,
                persons: appointment.persons,
                channel: appointment.channel,
                applicant: None,
                applicant_name: None,
                cancellation_reason: None,
                cancelled_by: appointment.cancelled_by.as_deref().map(|who| ActorView::of(who, &StaffNames::new())),
                version: appointment.version,
                created_at: appointment.created_at,
                updated_at: appointment.updated_at,
                links,
                manage_token: None,
            })
        };
        let views = appointments.into_iter().map(view).collect::<storage::Result<Vec<_>>>()?;
        Ok(Shown { answer: views, looks })
    }

    /// The office amends who comes at any time; the person, how they are reached until it begins.
    fn may_amend(self, appointment: &Appointment, now: Timestamp) -> bool {
        self.party().may(policy::Wish::Change, appointment)
            && (self.party().amends_people() || rules::may(appointment, Transition::Rescheduling, now))
    }

    fn amendment(self, appointment: &Appointment) -> Link {
        Link {
            rel: "update".to_owned(),
            method: "PATCH".to_owned(),
            href: format!("/{}/v1/appointments/{}", self.caller.tenant.slug, appointment.id),
        }
    }

    fn link(self, appointment: &Appointment, transition: Transition) -> Link {
        Link {
            rel: transition.path().to_owned(),
            method: "POST".to_owned(),
            href: format!("/{}/v1/appointments/{}/{}", self.caller.tenant.slug, appointment.id, transition.path()),
        }
    }

    /// What the appointments are for, and which of these services tell of special categories of data.
    fn services(
        self,
        tx: &mut Tx<'_>,
        appointments: &[Appointment],
    ) -> storage::Result<(HashMap<AppointmentServiceId, ServiceReference>, HashSet<AppointmentServiceId>)> {
        let ids: Vec<_> = appointments.iter().map(|appointment| appointment.service_id).collect();
        let reference = |service: crate::services::AppointmentService| {
            let name = service.name.text(self.lang).to_owned();
            (service.id, ServiceReference { id: service.id, name })
        };
        let services = services::by_ids(tx, &ids)?;
        let special = services.iter().filter(|service| service.special_category).map(|service| service.id).collect();
        Ok((services.into_iter().map(reference).collect(), special))
    }

    fn offices(
        self,
        tx: &mut Tx<'_>,
        appointments: &[Appointment],
    ) -> storage::Result<HashMap<OfficeId, OfficeReference>> {
        let ids: Vec<_> = appointments.iter().map(|appointment| appointment.office_id).collect();
        let reference = |(office, place): (platform::directory::Office, platform::directory::Place)| {
            let name = office.name.0.text(self.lang).to_owned();
            (office.id, OfficeReference { id: office.id, name, address: place.address, locality: place.locality })
        };
        Ok(directory::offices_with_places(tx, &ids)?.into_iter().map(reference).collect())
    }
}
