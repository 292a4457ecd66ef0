//! Comuni, offices, calendars and services, made in the server's own database, past the API.
//!
//! ```ignore
//! let desk = World::of(&server).await.desk(Plan { capacity: 1, ..Plan::default() }).await;
//! server.anonymous().post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await.expect(201);
//! ```

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use booking::{
    calendars::{Calendar, OpeningRule, store as calendars},
    services::{AppointmentService, store as services},
};
use jiff::{
    Span, Timestamp,
    civil::{Date, Time, time},
};
use kernel::{Localized, SystemClock, civil};
use platform::{
    directory::{Office, Place, store as directory},
    tenants::{self, Tenant, TenantState},
};
use serde_json::{Value, json};
use storage::{Db, DbOptions, Json, Scope, Target, Tx};
use tests::Server;

/// A Comune, reached past the API through a connection of the test's own.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// The server's database.
    pub(crate) db: Db,
    /// The Comune.
    pub(crate) tenant: Tenant,
}

impl World {
    /// The demo's Comune.
    pub(crate) async fn of(server: &Server) -> Self {
        Self::named(server, &server.credentials().tenant).await
    }

    /// A Comune that is there already.
    pub(crate) async fn named(server: &Server, slug: &str) -> Self {
        let db = open(server);
        let slug = slug.to_owned();
        let found = db.read(&Scope::platform(), move |tx| tenants::by_slug(tx, &slug)).await;
        Self { db, tenant: found.unwrap().expect("a Comune of this name") }
    }

    /// A new Comune beside the demo's, without staff or tokens: call it through `server.tenant(slug)`.
    pub(crate) async fn another(server: &Server, slug: &str) -> Self {
        let db = open(server);
        let slug = slug.to_owned();
        let scope = Scope::platform();
        let made = db.write(&scope, move |tx| {
            let tenant = Tenant {
                tenant_id: tx.new_id(),
                slug: slug.clone(),
                name: format!("Comune di prova {slug}"),
                patron_month: None,
                patron_day: None,
                patron_name: None,
                state: TenantState::Active,
                created_at: tx.now(),
            };
            tenants::insert(tx, &tenant).map(|()| tenant)
        });
        let tenant = made.await.unwrap();
        Self { db, tenant }
    }

    /// Writes in the Comune; a failure fails the test.
    pub(crate) async fn write<R: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> storage::Result<R> + Send + 'static,
    ) -> R {
        self.db.write(&Scope::system(self.tenant.tenant_id), work).await.unwrap()
    }

    /// Reads in the Comune; a failure fails the test.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> storage::Result<R> + Send + 'static,
    ) -> R {
        self.db.read(&Scope::system(self.tenant.tenant_id), work).await.unwrap()
    }

    /// A new office with one calendar, open every day, and the services given there.
    pub(crate) async fn desk(&self, plan: Plan) -> Desk {
        let (office, calendar, services) = self
            .write(move |tx| {
                let office = new_office(tx, plan.central)?;
                let calendar = new_calendar(tx, &plan, &office)?;
                let mut made = Vec::new();
                for offer in &plan.services {
                    let service = new_service(tx, offer)?;
                    services::link(tx, service.id, calendar.id)?;
                    made.push(service);
                }
                Ok((office, calendar, made))
            })
            .await;
        Desk { world: self.clone(), office, calendar, services, today: tests::today() }
    }

    /// A new office with one calendar where the services of another desk are given too, and no others.
    pub(crate) async fn desk_for(&self, other: &Desk, plan: Plan) -> Desk {
        let desk = self.desk(Plan { services: Vec::new(), ..plan }).await;
        let (calendar, services) = (desk.calendar.id, other.services.clone());
        self.write(move |tx| services.iter().try_for_each(|service| services::link(tx, service.id, calendar))).await;
        Desk { services: other.services.clone(), ..desk }
    }
}

/// What a desk is to be like.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Whether the office is an URP, which sees what every office sees.
    pub(crate) central: bool,
    /// Parallel counters.
    pub(crate) capacity: i64,
    /// The grain of occupancy, in minutes.
    pub(crate) tick_minutes: i64,
    /// Distance between starts, in minutes.
    pub(crate) slot_minutes: i64,
    /// When it opens, every day.
    pub(crate) opens: Time,
    /// When it closes.
    pub(crate) closes: Time,
    /// Whether it is closed on holidays.
    pub(crate) closed_on_holidays: bool,
    /// Notice asked for, in minutes.
    pub(crate) lead_minutes: i64,
    /// How far ahead one may book, in days.
    pub(crate) horizon_days: i64,
    /// What one can come for.
    pub(crate) services: Vec<Offer>,
}

impl Default for Plan {
    /// One counter, 15-minute slots from 8 to 18 on every day of a year, one service of 15 minutes.
    fn default() -> Self {
        Self {
            central: false,
            capacity: 1,
            tick_minutes: 15,
            slot_minutes: 15,
            opens: time(8, 0, 0, 0),
            closes: time(18, 0, 0, 0),
            closed_on_holidays: false,
            lead_minutes: 0,
            horizon_days: 365,
            services: vec![Offer::default()],
        }
    }
}

/// What a service is to be like.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// The visit of one person, in minutes.
    pub(crate) minutes: i64,
    /// Added for each further person.
    pub(crate) extra_person_minutes: i64,
    /// How many may come together.
    pub(crate) max_persons: i64,
    /// Preparation, in minutes.
    pub(crate) buffer_before_minutes: i64,
    /// Clearing, in minutes.
    pub(crate) buffer_after_minutes: i64,
    /// Open appointments one person may have.
    pub(crate) max_per_person: Option<i64>,
    /// Whether it can be booked without signing in.
    pub(crate) anonymous_allowed: bool,
    /// Whether coming for it tells of special categories of data.
    pub(crate) special_category: bool,
}

impl Default for Offer {
    /// 15 minutes, one person, no buffers, no limit, for everybody.
    fn default() -> Self {
        Self {
            minutes: 15,
            extra_person_minutes: 0,
            max_persons: 1,
            buffer_before_minutes: 0,
            buffer_after_minutes: 0,
            max_per_person: None,
            anonymous_allowed: true,
            special_category: false,
        }
    }
}

/// An office with one calendar and what is given there.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    /// Its Comune.
    pub(crate) world: World,
    /// The office.
    pub(crate) office: Office,
    /// Its calendar.
    pub(crate) calendar: Calendar,
    /// Its services, in the order of the plan.
    pub(crate) services: Vec<AppointmentService>,
    today: Date,
}

impl Desk {
    /// The date so many days after the one on which the desk was made, also when midnight has passed since;
    /// never that day itself, which may be over soon.
    pub(crate) fn day(&self, days: i64) -> Date {
        assert!(days >= 1, "today may be over while the test runs");
        self.today.checked_add(Span::new().days(days)).unwrap()
    }

    /// A time of day so many days after the one on which the desk was made.
    pub(crate) fn at(&self, days: i64, hour: i8, minute: i8) -> Timestamp {
        civil::at(self.day(days), time(hour, minute, 0, 0))
    }

    /// The body of `POST /appointments` for the first service, on behalf of somebody new.
    pub(crate) fn order(&self, starts_at: Timestamp) -> Value {
        self.order_of(0, starts_at)
    }

    /// The body of `POST /appointments` for a service by its place in the plan.
    pub(crate) fn order_of(&self, service: usize, starts_at: Timestamp) -> Value {
        let mut order = self.wish_of(service, starts_at);
        order["applicant"] = somebody();
        order
    }

    /// The body of `POST /holds` for the first service.
    pub(crate) fn wish(&self, starts_at: Timestamp) -> Value {
        self.wish_of(0, starts_at)
    }

    /// The body of `POST /holds` for a service by its place in the plan.
    pub(crate) fn wish_of(&self, service: usize, starts_at: Timestamp) -> Value {
        json!({
            "service_id": self.services[service].id,
            "calendar_id": self.calendar.id,
            "starts_at": civil::format_rfc3339(starts_at),
        })
    }
}

/// An invented person whom no other request of this process is for.
pub(crate) fn somebody() -> Value {
    let number = unique();
    json!({ "given_name": "Persona", "family_name": format!("Prova {number}"), "email": format!("prova.{number}@example.org") })
}

fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Opens the server's database from here. The patience is for busy machines.
fn open(server: &Server) -> Db {
    let target = Target::parse(server.database()).unwrap();
    let options = DbOptions {
        read_connections: 2,
        write_connections: 2,
        busy_timeout: Duration::from_secs(60),
        seal: tests::seal(),
        ..DbOptions::default()
    };
    Db::open(&target, &options, Arc::new(SystemClock)).unwrap()
}

fn new_office(tx: &mut Tx<'_>, central: bool) -> storage::Result<Office> {
    let number = unique();
    let place = Place {
        tenant_id: tx.tenant(),
        id: tx.new_id(),
        name: Json(Localized::italian(format!("Palazzo {number}"))),
        address: format!("Via delle Prove {number}"),
        postal_code: "00000".to_owned(),
        locality: "Bugliano".to_owned(),
        latitude_e6: None,
        longitude_e6: None,
        accessibility: None,
        version: 1,
    };
    directory::insert_place(tx, &place)?;
    let office = Office {
        tenant_id: tx.tenant(),
        id: tx.new_id(),
        slug: format!("desk-{number}"),
        name: Json(Localized::italian(format!("Ufficio {number}"))),
        description: None,
        place_id: place.id,
        email: None,
        phone: None,
        central,
        version: 1,
    };
    directory::insert_office(tx, &office)?;
    Ok(office)
}

fn new_calendar(tx: &mut Tx<'_>, plan: &Plan, office: &Office) -> storage::Result<Calendar> {
    let calendar = Calendar {
        id: tx.new_id(),
        office_id: office.id,
        name: Localized::italian("Sportello"),
        tick_minutes: plan.tick_minutes,
        slot_minutes: plan.slot_minutes,
        capacity: plan.capacity,
        closed_on_holidays: plan.closed_on_holidays,
        lead_minutes: plan.lead_minutes,
        horizon_days: plan.horizon_days,
        version: 1,
    };
    calendars::insert_calendar(tx, &calendar)?;
    for weekday in 1..=7 {
        let rule = OpeningRule {
            id: tx.new_id(),
            calendar_id: calendar.id,
            weekday,
            starts_at: plan.opens,
            ends_at: plan.closes,
            valid_from: civil::date_of(tx.now()),
            valid_until: None,
            every_n_weeks: 1,
            capacity: plan.capacity,
            internal_capacity: 0,
            version: 1,
        };
        calendars::insert_rule(tx, &rule)?;
    }
    Ok(calendar)
}

fn new_service(tx: &mut Tx<'_>, offer: &Offer) -> storage::Result<AppointmentService> {
    let number = unique();
    let service = AppointmentService {
        id: tx.new_id(),
        slug: format!("service-{number}"),
        name: Localized::italian(format!("Servizio {number}")),
        description: None,
        required_documents: Vec::new(),
        duration_minutes: offer.minutes,
        extra_person_minutes: offer.extra_person_minutes,
        max_persons: offer.max_persons,
        buffer_before_minutes: offer.buffer_before_minutes,
        buffer_after_minutes: offer.buffer_after_minutes,
        max_per_person: offer.max_per_person,
        anonymous_allowed: offer.anonymous_allowed,
        special_category: offer.special_category,
        version: 1,
    };
    services::insert(tx, &service)?;
    Ok(service)
}
