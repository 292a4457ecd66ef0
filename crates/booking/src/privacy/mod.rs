//! What booking holds about people: appointments, with who came and what the office noted.

pub mod rules;
mod store;

use std::collections::HashMap;

use jiff::Timestamp;
use kernel::{Lang, PublicCode};
use platform::{
    messages::{routes::with_contents, store as messages},
    privacy::{
        Disposal, Due, FileContent, Held, HeldFile, Overdue, Person, PersonalData, Place, RecordId, RecordKind,
        Rectification, Reference, Section, access_log::Look, people::model::KnownBy, written,
    },
};
use serde_json::{Map, Value};
use storage::{DbError, Tx};

use self::rules::Bond;
use crate::{
    appointments::{Appointment, AppointmentId, Channel, identity, search::words::folded, store as appointments},
    exports,
    feeds::routes as feeds,
    services::store as services,
};

/// The holding of booking.
#[derive(Debug)]
pub struct Appointments;

impl PersonalData for Appointments {
    fn name(&self) -> &'static str {
        "appointments"
    }

    fn kinds(&self) -> &'static [RecordKind] {
        &[RecordKind::Appointment]
    }

    fn identify(&self, tx: &mut Tx<'_>, _: Place<'_>, reference: &Reference) -> storage::Result<Option<Person>> {
        let found = match PublicCode::parse(&reference.code) {
            Ok(code) => appointments::by_code(tx, code.as_str())?,
            Err(_no_code) => None,
        };
        let Some(appointment) = found else { return Ok(None) };
        let applicant = appointments::applicant(tx, appointment.id)?;
        let Some(applicant) = applicant.filter(|who| who.email.to_lowercase() == reference.email) else {
            return Ok(None);
        };
        // What somebody who had not signed in wrote as their codice fiscale proves nothing.
        let known_by = match applicant.tax_code {
            Some(tax_code) if appointment.channel != Channel::Anonymous => KnownBy::TaxCode(tax_code),
            _ => KnownBy::Contact { given_name: applicant.given_name, family_name: applicant.family_name },
        };
        Ok(Some(Person { key: appointment.person_key, known_by, asks_themselves: false }))
    }

    fn export(&self, tx: &mut Tx<'_>, place: Place<'_>, person: &Person) -> storage::Result<Held> {
        let theirs = of_person(tx, person)?;
        let mut held = Held::default();
        let (mut about, mut booked) = (Vec::new(), Vec::new());
        let bonds: HashMap<AppointmentId, Bond> = theirs.iter().map(|(it, bond)| (it.id, *bond)).collect();
        // Who booked for them is the one to see it. That it is really them the office finds out when it is asked.
        let shown = |(_, bond): &(Appointment, Bond)| !(person.asks_themselves && *bond == Bond::BookedByAnother);
        for (appointment, bond) in theirs.into_iter().filter(shown) {
            let history = store::history(tx, appointment.id)?;
            let notes = store::notes(tx, appointment.id)?;
            if bond != Bond::BookedForAnother {
                let text = feeds::file(tx, place.tenant, Lang::It, appointment.clone())?;
                let code = PublicCode::parse(&appointment.code).map_err(|error| DbError::Other(error.to_string()))?;
                let (name, content) = (format!("{code}.ics"), FileContent::Made(text.into_bytes()));
                held.files.push(HeldFile { name, media_type: "text/calendar", content });
            }
            let row = exports::told(tx, vec![appointment], Lang::It, true)?.pop();
            let row = row.map(serde_json::to_value).transpose();
            let row = row.map_err(|error| DbError::Other(format!("a row cannot be written: {error}")))?;
            let Some(row) = row else { continue };
            let entry = rules::entry(row, bond, &history, &notes);
            if bond == Bond::BookedForAnother { booked.push(entry) } else { about.push(entry) }
        }
        held.sections.push(Section { name: "appointments", entries: about });
        held.sections.push(Section { name: "booked_for_others", entries: booked });
        held.sections.push(Section { name: "messages", entries: written_to(tx, person, &bonds)? });
        Ok(held)
    }

    fn rectify(
        &self,
        tx: &mut Tx<'_>,
        place: Place<'_>,
        person: &Person,
        correct: &Rectification,
    ) -> storage::Result<i64> {
        let theirs = of_person(tx, person)?;
        // All of them before the first is changed: appointments are locked before the audit's lane is taken.
        for (appointment, _) in &theirs {
            appointments::lock(tx, appointment.id)?;
        }
        let mut changed = 0_i64;
        for (found, bond) in theirs.into_iter().filter(|(_, bond)| *bond != Bond::BookedForAnother) {
            let Some(appointment) = appointments::find(tx, found.id)? else { continue };
            let Some(before) = appointments::applicant(tx, appointment.id)? else { continue };
            let after = rules::rectified(&before, correct, bond);
            changed += i64::from(identity::rectify(tx, place, &appointment, (&before, after))?);
        }
        Ok(changed)
    }

    fn has_service(&self, tx: &mut Tx<'_>, _: RecordKind, id: RecordId) -> storage::Result<bool> {
        Ok(services::service(tx, id.cast())?.is_some())
    }

    fn has_record(&self, tx: &mut Tx<'_>, _: RecordKind, id: RecordId) -> storage::Result<bool> {
        Ok(appointments::find(tx, id.cast())?.is_some())
    }

    fn special(&self, tx: &mut Tx<'_>, _: RecordKind, ids: &[RecordId]) -> storage::Result<Vec<Look>> {
        let ids: Vec<AppointmentId> = ids.iter().map(|id| id.cast()).collect();
        Ok(appointments::special(tx, &ids)?.iter().map(Appointment::look).collect())
    }

    fn overdue(
        &self,
        tx: &mut Tx<'_>,
        due: &Due,
        after: Option<(Timestamp, RecordId)>,
        limit: i64,
    ) -> storage::Result<Vec<Overdue>> {
        let rows = store::overdue(tx, due, after, limit)?;
        let record = |(id, at, person_key): (AppointmentId, Timestamp, String)| Overdue {
            id: id.cast(),
            at,
            person_key: Some(person_key),
        };
        Ok(rows.into_iter().map(record).collect())
    }

    fn dispose(&self, tx: &mut Tx<'_>, _: RecordKind, _: Disposal, ids: &[RecordId]) -> storage::Result<usize> {
        for id in ids {
            appointments::lock(tx, id.cast())?;
        }
        let mut disposed = 0_usize;
        for id in ids {
            // Another gateway may have been faster: then there is nobody left to take out.
            let Some(appointment) = appointments::find(tx, id.cast())? else { continue };
            if store::take_out(tx, appointment.id)? {
                identity::anonymise(tx, &appointment)?;
                let nobody = appointments::find(tx, appointment.id)?.map(|anonymous| anonymous.person_key);
                let nobody = nobody.unwrap_or_default();
                store::unlink(tx, appointment.id, &nobody)?;
                messages::forget(tx, appointment.id.cast(), &nobody)?;
                disposed = disposed.saturating_add(1);
            }
        }
        Ok(disposed)
    }
}

/// What was written to a person, or is going to be, in the order of planning.
fn written_to(
    tx: &mut Tx<'_>,
    person: &Person,
    bonds: &HashMap<AppointmentId, Bond>,
) -> storage::Result<Vec<Map<String, Value>>> {
    let mut messages = messages::to(tx, &person.key)?;
    messages.retain(|message| rules::is_told(person, bonds.get(&message.subject_id.cast()).copied()));
    let mut told = Vec::new();
    for message in with_contents(tx, messages)? {
        let bond = bonds.get(&message.subject_id.cast()).copied();
        told.push(rules::message(written(&message)?, bond));
    }
    Ok(told)
}

/// The appointments of a person, and how each is theirs, in the order of booking.
fn of_person(tx: &mut Tx<'_>, person: &Person) -> storage::Result<Vec<(Appointment, Bond)>> {
    let actor = person.actor();
    let mut theirs = Vec::new();
    match &person.known_by {
        KnownBy::TaxCode(_) => {
            for appointment in store::with_tax_code(tx, &person.key, &actor)? {
                let bond = rules::bond(&appointment, &person.key, &actor);
                theirs.push((appointment, bond));
            }
        }
        // A family may share a mailbox, and nobody else's appointment is theirs for that.
        KnownBy::Contact { given_name, family_name } => {
            let name = (folded(given_name), folded(family_name));
            for appointment in store::with_key(tx, &person.key)? {
                let applicant = appointments::applicant(tx, appointment.id)?;
                let same = applicant.is_some_and(|who| (folded(&who.given_name), folded(&who.family_name)) == name);
                if same {
                    theirs.push((appointment, Bond::Own));
                }
            }
        }
    }
    Ok(theirs)
}
