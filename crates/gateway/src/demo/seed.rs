//! What there is in Bugliano, from `demo/bugliano.toml`, and some weeks of invented bookings.

use std::{collections::HashMap, ops::RangeInclusive};

use booking::{
    appointments::{
        Channel,
        changes::{self, Order},
        model::Applicant,
    },
    calendars::{Calendar, CalendarId, OpeningRule, claim, store as calendars},
    offers::{Offer, Terms, Wish},
    services::{AppointmentService, AppointmentServiceId, search, store as services},
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
};
use kernel::{Localized, PageRequest, TaxCode, civil, holidays::HolidayCalendar};
use payments::connection::{self, SUBSCRIPTION_KEY, model::Connection};
use platform::{
    access::{
        DeploymentSecret, Pseudonym,
        staff::{self, StaffRole},
    },
    directory::{Office, OfficeId, Place, PlaceId, store as directory},
    outbox, settings,
    tenants::{self, Tenant, TenantState},
};
use serde::Deserialize;
use storage::{Db, Json, Scope, Tx};

use super::{CITIZEN_A, CITIZEN_B, TENANT, demo_error};
use crate::service::StartError;

/// The identity provider of the demo's staff.
pub(super) const STAFF_PROVIDER: &str = "demo-staff";

/// How far ahead there are bookings, in days.
const BOOKED_DAYS: i64 = 21;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Comune {
    name: String,
    patron_month: i64,
    patron_day: i64,
    patron_name: String,
    places: Vec<NewPlace>,
    offices: Vec<NewOffice>,
    calendars: Vec<NewCalendar>,
    services: Vec<NewService>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPlace {
    slug: String,
    name: Localized,
    address: String,
    postal_code: String,
    locality: String,
    latitude_e6: i64,
    longitude_e6: i64,
    accessibility: Option<Localized>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOffice {
    slug: String,
    name: Localized,
    description: Option<Localized>,
    place: String,
    email: Option<String>,
    phone: Option<String>,
    #[serde(default)]
    central: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCalendar {
    slug: String,
    office: String,
    name: Localized,
    tick_minutes: i64,
    slot_minutes: i64,
    capacity: i64,
    lead_minutes: i64,
    horizon_days: i64,
    rules: Vec<NewRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRule {
    weekdays: Vec<i64>,
    from: Time,
    to: Time,
    capacity: i64,
    #[serde(default = "every_week")]
    every_n_weeks: i64,
}

const fn every_week() -> i64 {
    1
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewService {
    slug: String,
    name: Localized,
    description: Option<Localized>,
    documents: Vec<Localized>,
    #[serde(default)]
    keywords: Vec<String>,
    minutes: i64,
    #[serde(default)]
    extra_person_minutes: i64,
    max_persons: i64,
    max_per_person: Option<i64>,
    #[serde(default)]
    buffer_before: i64,
    #[serde(default)]
    buffer_after: i64,
    #[serde(default = "allowed")]
    anonymous: bool,
    calendars: Vec<String>,
}

const fn allowed() -> bool {
    true
}

/// Makes the Comune, its offices, calendars, services and staff, and books.
pub(super) async fn plant(db: &Db, secret: DeploymentSecret) -> Result<(), StartError> {
    let comune: Comune = toml::from_str(include_str!("../../demo/bugliano.toml")).map_err(demo_error)?;
    let tenant = Tenant {
        tenant_id: kernel::Id::generate(db.clock().now(), rand::random()),
        slug: TENANT.to_owned(),
        name: comune.name.clone(),
        patron_month: Some(comune.patron_month),
        patron_day: Some(comune.patron_day),
        patron_name: Some(comune.patron_name.clone()),
        state: TenantState::Active,
        created_at: db.clock().now(),
    };
    let scope = Scope::system(tenant.tenant_id);
    let holidays = tenant.holidays();
    // One transaction: a demo that was interrupted while it was made is made afresh.
    db.write(&scope, move |tx| {
        tenants::insert(tx, &tenant)?;
        settings::store::put(tx, &demo_settings(), 0)?;
        let places = plant_places(tx, &comune)?;
        let offices = plant_offices(tx, &comune, &places)?;
        let diaries = plant_calendars(tx, &comune, &offices)?;
        let offers = plant_services(tx, &comune, &diaries)?;
        plant_staff(tx, &offices)?;
        plant_bookings(tx, &offers, &holidays, &secret)?;
        plant_payments(tx, &comune.name, &secret)?;
        // What was invented has happened to nobody: nobody is told of it.
        while outbox::publish(tx, &[])?.more {}
        Ok(())
    })
    .await?;
    Ok(())
}

/// How the demo's Comune is paid: by nobody, since its provider is played.
fn plant_payments(tx: &mut Tx<'_>, name: &str, secret: &DeploymentSecret) -> storage::Result<()> {
    let connection = Connection {
        organisation_tax_code: "01199250158".to_owned(),
        segregation_code: "02".to_owned(),
        iban: "IT60X0542811101000000123456".to_owned(),
        company_name: name.to_owned(),
        concealed_key: secret.conceal(SUBSCRIPTION_KEY, b"demo-subscription-key")?,
        return_origins: Json(vec!["http://localhost:3000".to_owned(), "http://localhost:5173".to_owned()]),
        enabled: true,
        version: 1,
        updated_at: tx.now(),
    };
    connection::store::put(tx, &connection)
}

/// The usual ports of a front end on the machine of whoever writes one may call.
fn demo_settings() -> settings::TenantSettings {
    settings::TenantSettings {
        email: Some("urp@comune.bugliano.example".to_owned()),
        website: Some("https://www.comune.bugliano.example".to_owned()),
        cors_origins: vec!["http://localhost:3000".to_owned(), "http://localhost:5173".to_owned()],
        ..settings::TenantSettings::default()
    }
}

fn missing(what: &str, slug: &str) -> storage::Failure {
    storage::DbError::Other(format!("bugliano.toml names no {what} `{slug}`")).into()
}

fn plant_places(tx: &mut Tx<'_>, comune: &Comune) -> storage::Result<HashMap<String, PlaceId>> {
    let mut made = HashMap::new();
    for new in &comune.places {
        let place = Place {
            tenant_id: tx.tenant(),
            id: tx.new_id(),
            name: Json(new.name.clone()),
            address: new.address.clone(),
            postal_code: new.postal_code.clone(),
            locality: new.locality.clone(),
            latitude_e6: Some(new.latitude_e6),
            longitude_e6: Some(new.longitude_e6),
            accessibility: new.accessibility.clone().map(Json),
            version: 1,
        };
        directory::insert_place(tx, &place)?;
        made.insert(new.slug.clone(), place.id);
    }
    Ok(made)
}

fn plant_offices(
    tx: &mut Tx<'_>,
    comune: &Comune,
    places: &HashMap<String, PlaceId>,
) -> storage::Result<HashMap<String, OfficeId>> {
    let mut made = HashMap::new();
    for new in &comune.offices {
        let office = Office {
            tenant_id: tx.tenant(),
            id: tx.new_id(),
            slug: new.slug.clone(),
            name: Json(new.name.clone()),
            description: new.description.clone().map(Json),
            place_id: *places.get(&new.place).ok_or_else(|| missing("place", &new.place))?,
            email: new.email.clone(),
            phone: new.phone.clone(),
            central: new.central,
            version: 1,
        };
        directory::insert_office(tx, &office)?;
        made.insert(new.slug.clone(), office.id);
    }
    Ok(made)
}

fn plant_calendars(
    tx: &mut Tx<'_>,
    comune: &Comune,
    offices: &HashMap<String, OfficeId>,
) -> storage::Result<HashMap<String, Calendar>> {
    let mut made = HashMap::new();
    let since = civil::date_of(tx.now());
    for new in &comune.calendars {
        let calendar = Calendar {
            id: tx.new_id(),
            office_id: *offices.get(&new.office).ok_or_else(|| missing("office", &new.office))?,
            name: new.name.clone(),
            tick_minutes: new.tick_minutes,
            slot_minutes: new.slot_minutes,
            capacity: new.capacity,
            closed_on_holidays: true,
            lead_minutes: new.lead_minutes,
            horizon_days: new.horizon_days,
            version: 1,
        };
        calendars::insert_calendar(tx, &calendar)?;
        for rule in &new.rules {
            for weekday in &rule.weekdays {
                let rule = OpeningRule {
                    id: tx.new_id(),
                    calendar_id: calendar.id,
                    weekday: *weekday,
                    starts_at: rule.from,
                    ends_at: rule.to,
                    valid_from: since,
                    valid_until: None,
                    every_n_weeks: rule.every_n_weeks,
                    capacity: rule.capacity,
                    internal_capacity: 0,
                    version: 1,
                };
                calendars::insert_rule(tx, &rule)?;
            }
        }
        made.insert(new.slug.clone(), calendar);
    }
    Ok(made)
}

fn plant_services(
    tx: &mut Tx<'_>,
    comune: &Comune,
    diaries: &HashMap<String, Calendar>,
) -> storage::Result<Vec<Offer>> {
    let mut offers = Vec::new();
    for new in &comune.services {
        let service = AppointmentService {
            id: tx.new_id(),
            slug: new.slug.clone(),
            name: new.name.clone(),
            description: new.description.clone(),
            required_documents: new.documents.clone(),
            duration_minutes: new.minutes,
            extra_person_minutes: new.extra_person_minutes,
            max_persons: new.max_persons,
            buffer_before_minutes: new.buffer_before,
            buffer_after_minutes: new.buffer_after,
            max_per_person: new.max_per_person,
            anonymous_allowed: new.anonymous,
            special_category: false,
            version: 1,
        };
        services::insert(tx, &service)?;
        search::set_keywords(tx, service.id, &new.keywords)?;
        for slug in &new.calendars {
            let calendar = diaries.get(slug).ok_or_else(|| missing("calendar", slug))?;
            services::link(tx, service.id, calendar.id)?;
            offers.push(Offer { service: service.clone(), calendar: calendar.clone() });
        }
    }
    Ok(offers)
}

fn plant_staff(tx: &mut Tx<'_>, offices: &HashMap<String, OfficeId>) -> storage::Result<()> {
    for (subject, name, role, office) in [
        ("operator", "Operatrice di prova", StaffRole::Operator, "anagrafe"),
        ("urp_operator", "Operatore URP di prova", StaffRole::Operator, "urp"),
        ("manager", "Responsabile di prova", StaffRole::Manager, "anagrafe"),
        ("admin", "Amministratrice di prova", StaffRole::Admin, "urp"),
    ] {
        let office = *offices.get(office).ok_or_else(|| missing("office", office))?;
        staff::insert(tx, STAFF_PROVIDER, subject, name, role, &[office])?;
    }
    Ok(())
}

/// Names of nobody, for the people who come.
const GIVEN: &[&str] = &["Ada", "Bruno", "Carla", "Dario", "Elsa", "Fabio", "Gina", "Italo", "Lidia", "Nello"];
const FAMILY: &[&str] = &["Abete", "Betulla", "Castagno", "Faggio", "Ginepro", "Larice", "Olmo", "Pioppo", "Quercia"];

/// Fills about a third of the coming weeks, always in the same pattern, and one appointment each for
/// the two citizens.
fn plant_bookings(
    tx: &mut Tx<'_>,
    offers: &[Offer],
    holidays: &HolidayCalendar,
    secret: &DeploymentSecret,
) -> storage::Result<()> {
    let from = civil::date_of(tx.now());
    let to = from.saturating_add(SignedDuration::from_hours(BOOKED_DAYS * 24));
    let mut turn = 0_usize;
    for offer in offers {
        for starts_at in free_times(tx, offer, holidays, from..=to)? {
            turn = turn.wrapping_add(7);
            if turn % 9 >= 3 {
                continue;
            }
            let nth = |names: &[&str], n: usize| names.get(n % names.len().max(1)).map(|s| (*s).to_owned());
            let (given, family) = (nth(GIVEN, turn).unwrap_or_default(), nth(FAMILY, turn / 10).unwrap_or_default());
            let email = format!("{}.{}.{turn}@example.org", given.to_lowercase(), family.to_lowercase());
            let applicant = Applicant {
                given_name: given,
                family_name: family,
                tax_code: None,
                email,
                phone: None,
                notes: None,
                cancellation_reason: None,
                language: None,
            };
            let person = Pseudonym::of_email(secret, tx.tenant(), &applicant.email);
            let order = order(offer, starts_at, applicant, Channel::Counter, &person);
            // A visit longer than a slot may have taken the next one already.
            match tx.savepoint(|tx| changes::book(tx, offer, &order, holidays)) {
                Ok(_) | Err(storage::Failure::Refused(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
    }
    for (tax_code, given, family) in [CITIZEN_A, CITIZEN_B] {
        let Some(offer) = offers.iter().find(|offer| offer.service.slug == "carta-identita") else { continue };
        let Some(starts_at) = free_times(tx, offer, holidays, from..=to)?.into_iter().nth(12) else {
            continue;
        };
        let tax_code = TaxCode::parse(tax_code).map_err(|error| storage::DbError::Other(error.to_string()))?;
        let person = Pseudonym::of_tax_code(secret, tx.tenant(), &tax_code);
        let applicant = Applicant {
            given_name: given.to_owned(),
            family_name: family.to_owned(),
            tax_code: Some(tax_code),
            email: format!("{}@example.org", given.to_lowercase()),
            phone: None,
            notes: None,
            cancellation_reason: None,
            language: None,
        };
        let order = order(offer, starts_at, applicant, Channel::Citizen, &person);
        changes::book(tx, offer, &order, holidays)?;
    }
    Ok(())
}

fn order(offer: &Offer, starts_at: Timestamp, applicant: Applicant, channel: Channel, person: &Pseudonym) -> Order {
    Order {
        wish: Wish { service_id: offer.service.id, calendar_id: offer.calendar.id, starts_at, persons: 1 },
        hold_id: None,
        applicant,
        channel,
        owner: person.actor().as_str().to_owned(),
        person_key: person.as_str().to_owned(),
        terms: Terms::Office,
    }
}

fn free_times(
    tx: &mut Tx<'_>,
    offer: &Offer,
    holidays: &HolidayCalendar,
    dates: RangeInclusive<Date>,
) -> storage::Result<Vec<Timestamp>> {
    let days = claim::slots(tx, offer, holidays, 1, dates)?;
    let free = days.into_iter().flat_map(|(_, slots)| slots).filter(|slot| slot.free > 0);
    Ok(free.map(|slot| slot.starts_at).collect())
}

/// A free time to show to whoever starts the demo.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) service: AppointmentServiceId,
    pub(super) calendar: CalendarId,
    pub(super) starts_at: Timestamp,
}

/// The first free time for an identity card.
pub(super) async fn first_free(db: &Db) -> Result<Option<Walk>, StartError> {
    let Some(tenant) = db.read(&Scope::platform(), |tx| tenants::by_slug(tx, TENANT)).await? else {
        return Ok(None);
    };
    let holidays = tenant.holidays();
    let walk = db
        .read(&Scope::system(tenant.tenant_id), move |tx| {
            let all = services::services(tx, &PageRequest { limit: 100, after: None })?;
            let Some(service) = all.into_iter().find(|s| s.anonymous_allowed && s.slug == "carta-identita") else {
                return Ok(None);
            };
            for (id, _, _) in services::calendars_of(tx, service.id)? {
                let Some(calendar) = calendars::calendar(tx, id)? else { continue };
                let from = civil::date_of(tx.now());
                let to = from.saturating_add(SignedDuration::from_hours(BOOKED_DAYS * 24));
                // Not the very first: it may pass while somebody reads.
                let offer = Offer { calendar, service: service.clone() };
                let free = free_times(tx, &offer, &holidays, from..=to)?;
                if let Some(starts_at) = free.into_iter().nth(3) {
                    return Ok(Some(Walk { service: service.id, calendar: id, starts_at }));
                }
            }
            Ok(None)
        })
        .await?;
    Ok(walk)
}
