//! What a message about an appointment says, asked when it is sent.

use kernel::{Lang, PublicCode};
use platform::{
    access::integration::kind_of,
    directory::{Office, Place, store as directory},
    messages::{Composed, Composer, Draft, Kind, Letter, Message, Recipient, Variable, Wording},
    ports::Attachment,
    tenants::{self, Tenant},
};
use serde_json::{Value, json};
use storage::{DbError, Tx};

use super::{
    CANCELLATION, CHANGE, CONFIRMATION, REMINDER,
    react::is_true,
    words::{day, hour, wording},
};
use crate::{
    appointments::{Appointment, model::Applicant, store},
    feeds::routes::file as calendar_file,
    services::{AppointmentService, store as services},
};

/// The language of a wording's file.
macro_rules! words {
    ($what:literal) => {
        |lang: Lang| -> Wording {
            wording(match lang {
                Lang::It => include_str!(concat!("templates/", $what, ".it.txt")),
                Lang::En => include_str!(concat!("templates/", $what, ".en.txt")),
                Lang::De => include_str!(concat!("templates/", $what, ".de.txt")),
            })
        }
    };
}

const fn variable(name: &'static str, about: &'static str) -> Variable {
    Variable { name, about }
}

const VARIABLES: &[Variable] = &[
    variable("comune", "What the Comune is called"),
    variable("given_name", "Given name of who comes"),
    variable("family_name", "Family name of who comes"),
    variable("service", "What the appointment is for"),
    variable("office", "The office"),
    variable("address", "Street and number of the office"),
    variable("locality", "Town or hamlet of the office"),
    variable("phone", "Telephone of the office; empty where it has none"),
    variable("date", "The day, in words"),
    variable("time", "The time of day"),
    variable("ends", "The time of day at which it ends"),
    variable("code", "The code of the appointment"),
    variable("persons", "How many come, a number"),
    variable("documents", "What to bring, a list of texts"),
    variable("by_office", "Whether the Comune called it off, and not the person"),
    variable("reason", "Why the Comune called it off; empty where it did not say"),
];

const fn kind(name: &'static str, about: &'static str, wording: fn(Lang) -> Wording) -> Kind {
    Kind { name, about, optional: false, variables: VARIABLES, wording, sample }
}

static KINDS: [Kind; 4] = [
    kind(CONFIRMATION, "When an appointment was booked", words!("confirmation")),
    Kind { optional: true, ..kind(REMINDER, "Some hours before an appointment", words!("reminder")) },
    kind(CHANGE, "When an appointment was moved", words!("change")),
    kind(CANCELLATION, "When an appointment was called off", words!("cancellation")),
];

fn sample(lang: Lang) -> Value {
    let (service, documents, date) = match lang {
        Lang::It => ("Carta d'identità elettronica", ["Una fototessera recente"], "mercoledì 2 dicembre 2026"),
        Lang::En => ("Electronic identity card", ["A recent photograph"], "Wednesday 2 December 2026"),
        Lang::De => ("Elektronische Identitätskarte", ["Ein aktuelles Passbild"], "Mittwoch, 2. Dezember 2026"),
    };
    json!({
        "comune": "Comune di Bugliano", "given_name": "Anna", "family_name": "Prova", "service": service,
        "office": "Ufficio anagrafe", "address": "Piazza del Municipio 1", "locality": "Bugliano",
        "phone": "+39 050 0000000", "date": date, "time": "09:00", "ends": "09:20", "code": "K7M2-PQ4X",
        "persons": 2, "documents": documents, "by_office": true, "reason": "Chiusura straordinaria",
    })
}

/// Knows the messages about appointments.
#[derive(Debug, Clone, Copy)]
pub struct AppointmentComposer;

impl Composer for AppointmentComposer {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn compose(&self, tx: &mut Tx<'_>, message: &Message) -> storage::Result<Composed> {
        let Some(appointment) = store::find(tx, message.subject_id.cast())? else {
            return Ok(Composed::NoLongerWanted("gone"));
        };
        if !is_true(&message.kind, &appointment) {
            return Ok(Composed::NoLongerWanted("outdated"));
        }
        if appointment.starts_at <= tx.now() {
            return Ok(Composed::NoLongerWanted("too-late"));
        }
        // Whom it is for may have changed since it was planned: what they wish is another person's then.
        if appointment.person_key != message.person && message.kind == REMINDER {
            return Ok(Composed::NoLongerWanted("outdated"));
        }
        let Some(applicant) = store::applicant(tx, appointment.id)? else {
            return Ok(Composed::NoLongerWanted("gone"));
        };
        let about = About::find(tx, appointment, applicant)?;
        let letters = [Lang::It, Lang::En, Lang::De].into_iter().map(|lang| about.letter(tx, lang));
        let letters = letters.collect::<storage::Result<Vec<_>>>()?;
        let About { appointment, applicant, .. } = about;
        Ok(Composed::Wanted(Box::new(Draft {
            person: appointment.person_key,
            recipient: Recipient {
                name: format!("{} {}", applicant.given_name, applicant.family_name),
                email: Some(applicant.email).filter(|email| !email.is_empty()),
                tax_code: applicant.tax_code,
                language: applicant.language,
            },
            letters,
            due_at: (message.kind != CANCELLATION).then_some(appointment.starts_at),
        })))
    }
}

/// An appointment, with all that is told of it.
struct About {
    tenant: Tenant,
    appointment: Appointment,
    applicant: Applicant,
    service: AppointmentService,
    office: Office,
    place: Place,
}

impl About {
    fn find(tx: &mut Tx<'_>, appointment: Appointment, applicant: Applicant) -> storage::Result<Self> {
        // Foreign keys hold both.
        let missing = || DbError::Other("an appointment without its service or office".to_owned());
        let tenant = tenants::own(tx)?;
        let service = services::service(tx, appointment.service_id)?.ok_or_else(missing)?;
        let mut offices = directory::offices_with_places(tx, &[appointment.office_id])?;
        let (office, place) = offices.pop().ok_or_else(missing)?;
        Ok(Self { tenant, appointment, applicant, service, office, place })
    }

    fn letter(&self, tx: &mut Tx<'_>, lang: Lang) -> storage::Result<Letter> {
        let Self { tenant, appointment, applicant, service, office, place } = self;
        let code = PublicCode::parse(&appointment.code).map_err(|error| DbError::Other(error.to_string()))?;
        let cancelled_by = appointment.cancelled_by.as_deref().unwrap_or_default();
        let by_office = ["staff", "integration", "system"].contains(&kind_of(cancelled_by));
        let reason = applicant.cancellation_reason.as_deref().filter(|_| by_office).unwrap_or_default();
        let documents: Vec<_> = service.required_documents.iter().map(|text| text.text(lang)).collect();
        let data = json!({
            "comune": tenant.name,
            "given_name": applicant.given_name,
            "family_name": applicant.family_name,
            "service": service.name.text(lang),
            "office": office.name.0.text(lang),
            "address": place.address,
            "locality": place.locality,
            "phone": office.phone.as_deref().unwrap_or_default(),
            "date": day(appointment.starts_at, lang),
            "time": hour(appointment.starts_at),
            "ends": hour(appointment.ends_at),
            "code": code.to_string(),
            "persons": appointment.persons,
            "documents": documents,
            "by_office": by_office,
            "reason": reason,
        });
        let file = Attachment {
            name: "appuntamento.ics".to_owned(),
            media_type: "text/calendar; charset=utf-8; method=PUBLISH".to_owned(),
            body: calendar_file(tx, tenant, lang, appointment.clone())?,
        };
        Ok(Letter { lang, data, attachments: vec![file] })
    }
}

#[cfg(test)]
mod tests {
    use platform::messages::templates::rules;

    use super::*;

    #[test]
    fn the_products_own_words_are_what_a_comune_may_write() {
        for kind in &KINDS {
            for lang in [Lang::It, Lang::En, Lang::De] {
                let words = (kind.wording)(lang);
                assert_eq!(rules::faults(kind, lang, &words), [], "{} {lang:?}", kind.name);
                let rendered = rules::render(&words, lang, &(kind.sample)(lang)).unwrap();
                for text in [&rendered.text, &rendered.html] {
                    assert!(text.contains("K7M2-PQ4X") && text.contains("09:00") && text.contains("Anna"), "{text}");
                    assert!(!text.contains("\n\n\n"), "{text}");
                }
                assert!(rendered.html.contains(&format!("<html lang=\"{}\">", lang.tag())));
            }
        }
    }

    #[test]
    fn the_sample_has_every_variable_and_no_other() {
        for lang in [Lang::It, Lang::En, Lang::De] {
            let mut names: Vec<_> = VARIABLES.iter().map(|variable| variable.name).collect();
            names.sort_unstable();
            let sample = sample(lang);
            let found: Vec<_> = sample.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(found, names);
        }
    }
}
