//! A Comune with years of appointments behind it, written past the API in statements of hundreds of rows.

use std::fmt::Write;

use booking::{
    appointments::search::words::Keys,
    calendars::{Calendar, CalendarId, OpeningRule, store as calendars, ticks},
    services::{AppointmentService, AppointmentServiceId, store as services},
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Weekday, time},
};
use kernel::{Id, Localized, PublicCode, civil, holidays::HolidayCalendar};
use platform::{
    access::{
        DeploymentSecret, Pseudonym,
        staff::{self, StaffRole},
    },
    directory::{Office, OfficeId, Place, store as directory},
    tenants::{self, Tenant, TenantState},
};
use serde::{Deserialize, Serialize};
use storage::{Db, Json, Scope, TenantId, Tx};

use crate::{bulk::Bulk, people};

/// The Comune's slug.
pub(crate) const TENANT: &str = "misurate";
/// The staff's identity provider.
pub(crate) const PROVIDER: &str = "bench-staff";
/// The subject of somebody at the URP.
pub(crate) const OPERATOR: &str = "operator";

const CALENDARS: usize = 20;
const SEATS: i64 = 2;
/// Open from 8 to 18 every day but Sunday, in quarters of an hour.
const TICK_MINUTES: i64 = 15;
const TICKS_A_DAY: i64 = 40;
const AHEAD_DAYS: i64 = 90;
/// How full the past is.
const PAST_FILL: f64 = 0.85;
/// A visit is one or two quarters of an hour.
const TICKS_A_VISIT: f64 = 1.5;

/// What the measurements need to know of the Comune.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Loaded {
    /// A service of a quarter of an hour, for everybody.
    pub(crate) service: AppointmentServiceId,
    /// Its calendars.
    pub(crate) calendars: Vec<CalendarId>,
    /// The offices, four calendars each.
    pub(crate) offices: Vec<OfficeId>,
    /// How many people there are.
    pub(crate) people: usize,
    /// Places left in the next months, one entry for each visit of a quarter of an hour, in random order.
    pub(crate) free: Vec<(CalendarId, Timestamp)>,
    /// How many appointments there are.
    pub(crate) appointments: usize,
    /// How many rows of occupancy.
    pub(crate) occupancy: usize,
}

struct Frame {
    tenant: TenantId,
    calendars: Vec<(CalendarId, OfficeId)>,
    services: Vec<AppointmentServiceId>,
}

/// Fills a migrated database. `url` is the administrator's when it is PostgreSQL: foreign keys are not checked
/// row by row, and indexes are made at the end.
pub(crate) async fn load(db: &Db, url: &str, secret: &DeploymentSecret, wanted: usize) -> Loaded {
    let tenant = db.write(&Scope::platform(), make_tenant).await.expect("the Comune");
    let (scope, holidays) = (Scope::system(tenant.tenant_id), tenant.holidays());
    let frame = db.write(&scope, make_frame).await.expect("its offices and calendars");
    let today = civil::date_of(db.clock().now());
    let mut bulk = Bulk::open(db.target(), url);
    let indexes = bulk.drop_indexes();
    let loaded = fill(&mut bulk, &frame, secret, (today, &holidays), wanted);
    bulk.finish(&indexes);
    loaded
}

fn make_tenant(tx: &mut Tx<'_>) -> storage::Result<Tenant> {
    let tenant = Tenant {
        tenant_id: tx.new_id(),
        slug: TENANT.to_owned(),
        name: "Comune di Misurate".to_owned(),
        patron_month: Some(12),
        patron_day: Some(6),
        patron_name: Some("San Nicola".to_owned()),
        state: TenantState::Active,
        created_at: tx.now(),
    };
    tenants::insert(tx, &tenant)?;
    Ok(tenant)
}

/// Five offices with four calendars each, and ten services given at all of them.
fn make_frame(tx: &mut Tx<'_>) -> storage::Result<Frame> {
    let tenant = tx.tenant();
    let mut made: Vec<(CalendarId, OfficeId)> = Vec::new();
    let mut office_id = None;
    for number in 0..CALENDARS {
        if number % 4 == 0 {
            office_id = Some(make_office(tx, number)?);
        }
        let office_id = office_id.expect("made first");
        let calendar = Calendar {
            id: tx.new_id(),
            office_id,
            name: Localized::italian(format!("Sportello {number}")),
            tick_minutes: TICK_MINUTES,
            slot_minutes: TICK_MINUTES,
            capacity: SEATS,
            closed_on_holidays: true,
            lead_minutes: 60,
            horizon_days: AHEAD_DAYS,
            version: 1,
        };
        calendars::insert_calendar(tx, &calendar)?;
        for weekday in 1..=6 {
            let rule = OpeningRule {
                id: tx.new_id(),
                calendar_id: calendar.id,
                weekday,
                starts_at: time(8, 0, 0, 0),
                ends_at: time(18, 0, 0, 0),
                valid_from: civil::date_of(tx.now()).saturating_sub(SignedDuration::from_hours(20 * 365 * 24)),
                valid_until: None,
                every_n_weeks: 1,
                capacity: SEATS,
                internal_capacity: 0,
                version: 1,
            };
            calendars::insert_rule(tx, &rule)?;
        }
        made.push((calendar.id, office_id));
    }
    let mut offered = Vec::new();
    for number in 0..10 {
        let service = AppointmentService {
            id: tx.new_id(),
            slug: format!("servizio-{number}"),
            name: Localized::italian(format!("Servizio {number}")),
            description: None,
            required_documents: vec![Localized::italian("Documento d'identità")],
            duration_minutes: if number % 2 == 0 { TICK_MINUTES } else { 2 * TICK_MINUTES },
            extra_person_minutes: 0,
            max_persons: 4,
            buffer_before_minutes: 0,
            buffer_after_minutes: 0,
            max_per_person: Some(3),
            anonymous_allowed: true,
            special_category: false,
            version: 1,
        };
        services::insert(tx, &service)?;
        made.iter().try_for_each(|(calendar, _)| services::link(tx, service.id, *calendar))?;
        offered.push(service.id);
    }
    let first = made.first().map(|(_, office)| *office).into_iter().collect::<Vec<_>>();
    staff::insert(tx, PROVIDER, OPERATOR, "Operatrice di prova", StaffRole::Operator, &first)?;
    Ok(Frame { tenant, calendars: made, services: offered })
}

fn make_office(tx: &mut Tx<'_>, number: usize) -> storage::Result<OfficeId> {
    let place = Place {
        tenant_id: tx.tenant(),
        id: tx.new_id(),
        name: Json(Localized::italian(format!("Palazzo {number}"))),
        address: format!("Via delle Prove {number}"),
        postal_code: "00000".to_owned(),
        locality: "Misurate".to_owned(),
        latitude_e6: None,
        longitude_e6: None,
        accessibility: None,
        version: 1,
    };
    directory::insert_place(tx, &place)?;
    let office = Office {
        tenant_id: tx.tenant(),
        id: tx.new_id(),
        slug: format!("ufficio-{number}"),
        name: Json(Localized::italian(format!("Ufficio {number}"))),
        description: None,
        place_id: place.id,
        email: None,
        phone: None,
        central: number == 0,
        version: 1,
    };
    directory::insert_office(tx, &office)?;
    Ok(office.id)
}

/// The next months as full as they may be, at most half of what is wanted, and the rest in the past.
fn fill(
    bulk: &mut Bulk,
    frame: &Frame,
    secret: &DeploymentSecret,
    (today, holidays): (Date, &HolidayCalendar),
    wanted: usize,
) -> Loaded {
    let a_day = CALENDARS as f64 * SEATS as f64 * TICKS_A_DAY as f64 / TICKS_A_VISIT;
    let ahead = |share: f64| share * a_day * AHEAD_DAYS as f64 * 6.0 / 7.0;
    let share = (0.3_f64).min(0.5 * wanted as f64 / ahead(1.0));
    let past = wanted as f64 - ahead(share);
    let past_days = (past / (a_day * PAST_FILL)).ceil();
    let past_fill = past / (a_day * past_days);
    // Of seven days six are open.
    let calendar_days = (past_days * 7.0 / 6.0).ceil() as i64;
    let mut filling = Filling::new(bulk, frame, secret, wanted);
    for day in -calendar_days..=AHEAD_DAYS {
        let date = today.saturating_add(SignedDuration::from_hours(day * 24));
        if date.weekday() == Weekday::Sunday || holidays.is_holiday(date) || day == 0 {
            continue;
        }
        // Most people book for the coming weeks.
        let nearness = 2.0 * (1.0 - day as f64 / (AHEAD_DAYS + 1) as f64);
        filling.day(date, if day < 0 { past_fill } else { share * nearness }, day > 0);
    }
    filling.finish(frame)
}

struct Filling<'a> {
    bulk: &'a mut Bulk,
    frame: &'a Frame,
    secret: &'a DeploymentSecret,
    people: Vec<Option<(people::Person, Pseudonym)>>,
    chance: Chance,
    appointments: Rows,
    applicants: Rows,
    occupancy: Rows,
    free: Vec<(CalendarId, Timestamp)>,
}

impl<'a> Filling<'a> {
    fn new(bulk: &'a mut Bulk, frame: &'a Frame, secret: &'a DeploymentSecret, wanted: usize) -> Self {
        let rows = |table, columns| Rows { table, columns, text: String::new(), pending: 0, written: 0 };
        Self {
            bulk,
            frame,
            secret,
            people: vec![None; (wanted / 4).max(1)],
            chance: Chance(0x9E37_79B9_7F4A_7C15),
            appointments: rows(
                "appointments",
                "tenant_id, id, code, service_id, calendar_id, office_id, starts_at, ends_at, persons, state, channel, \
                 person_key, owner, version, created_at, updated_at",
            ),
            applicants: rows(
                "appointment_applicants",
                "tenant_id, appointment_id, given_name, family_name, tax_code, email, family_key, given_key, email_key",
            ),
            occupancy: rows("occupancy", "tenant_id, calendar_id, tick, seat, claim_id"),
            free: Vec::new(),
        }
    }

    fn day(&mut self, date: Date, fill: f64, ahead: bool) {
        let opens = ticks::tick_of(civil::at(date, time(8, 0, 0, 0)), TICK_MINUTES);
        for (calendar, office) in self.frame.calendars.clone() {
            for seat in 1..=SEATS {
                let mut tick = opens;
                while tick < opens + TICKS_A_DAY {
                    let length = if self.chance.below(2) == 0 || tick + 1 == opens + TICKS_A_DAY { 1 } else { 2 };
                    if self.chance.happens(fill) {
                        self.visit((calendar, office), tick..tick + length, seat, ahead);
                    } else if ahead {
                        let starts = (tick..tick + length).map(|tick| ticks::instant_of(tick, TICK_MINUTES));
                        self.free.extend(starts.map(|start| (calendar, start)));
                    }
                    tick += length;
                }
            }
        }
    }

    fn visit(&mut self, at: (CalendarId, OfficeId), ticks: std::ops::Range<i64>, seat: i64, ahead: bool) {
        let (calendar, office) = at;
        let instant = |tick| ticks::instant_of(tick, TICK_MINUTES);
        let (starts_at, ends_at) = (instant(ticks.start), instant(ticks.end));
        let created = starts_at - SignedDuration::from_hours(14 * 24);
        let id: Id<()> = Id::generate(created, self.chance.bytes());
        let code = self.code();
        let who = self.chance.below(self.people.len());
        let (secret, tenant) = (self.secret, self.frame.tenant);
        let (person, pseudonym) = self.people[who].get_or_insert_with(|| {
            let person = people::person(who);
            let pseudonym = Pseudonym::of_tax_code(secret, tenant, &person.tax_code);
            (person, pseudonym)
        });
        let state = match self.chance.below(100) {
            0..8 => "cancelled",
            _ if ahead => "confirmed",
            8..14 => "no_show",
            _ => "completed",
        };
        // Every second service takes two quarters of an hour.
        let of_length = usize::from(ticks.end - ticks.start == 2);
        let service = self.frame.services[2 * self.chance.below(self.frame.services.len() / 2) + of_length];
        let backend = self.bulk.backend();
        let (tenant, key, stamp) = (backend.id(tenant), backend.id(id), backend.instant(created));
        let row = format!(
            "({tenant},{key},'{}',{},{},{},{},{},1,'{state}','counter','{}','{}',1,{stamp},{stamp})",
            code.as_str(),
            backend.id(service),
            backend.id(calendar),
            backend.id(office),
            backend.instant(starts_at),
            backend.instant(ends_at),
            pseudonym.as_str(),
            pseudonym.actor().as_str(),
        );
        self.appointments.push(self.bulk, &row);
        let keys = Keys::of(person.given_name, &person.family_name, &person.email);
        let row = format!(
            "({tenant},{key},'{}','{}','{}','{}','{}','{}','{}')",
            person.given_name,
            person.family_name,
            person.tax_code.as_str(),
            person.email,
            keys.family,
            keys.given,
            keys.email
        );
        self.applicants.push(self.bulk, &row);
        if state != "cancelled" {
            for tick in ticks {
                let row = format!("({tenant},{},{tick},{seat},{key})", backend.id(calendar));
                self.occupancy.push(self.bulk, &row);
            }
        }
    }

    /// A code of its own: drawn, two of a million would now and then be the same.
    fn code(&self) -> PublicCode {
        const STEP: usize = 2_147_483_647; // shares no factor with the codes' number, 30⁸
        let number = (self.appointments.written + self.appointments.pending) * STEP;
        PublicCode::from_random(u128::try_from(number).expect("far below").to_le_bytes())
    }

    fn finish(mut self, frame: &Frame) -> Loaded {
        for rows in [&mut self.appointments, &mut self.applicants, &mut self.occupancy] {
            rows.flush(self.bulk);
        }
        for place in (1..self.free.len()).rev() {
            self.free.swap(place, self.chance.below(place + 1));
        }
        Loaded {
            service: frame.services[0],
            calendars: frame.calendars.iter().map(|(calendar, _)| *calendar).collect(),
            offices: frame.calendars.iter().step_by(4).map(|(_, office)| *office).collect(),
            people: self.people.len(),
            free: self.free,
            appointments: self.appointments.written,
            occupancy: self.occupancy.written,
        }
    }
}

/// Rows on their way into a table.
struct Rows {
    table: &'static str,
    columns: &'static str,
    text: String,
    pending: usize,
    written: usize,
}

impl Rows {
    fn push(&mut self, bulk: &mut Bulk, row: &str) {
        if self.pending == 0 {
            write!(self.text, "INSERT INTO {} ({}) VALUES ", self.table, self.columns).expect("text");
        } else {
            self.text.push(',');
        }
        self.text.push_str(row);
        self.pending += 1;
        if self.pending == 500 {
            self.flush(bulk);
        }
    }

    fn flush(&mut self, bulk: &mut Bulk) {
        if self.pending > 0 {
            bulk.run(&self.text);
            self.written += self.pending;
            self.pending = 0;
            self.text.clear();
        }
    }
}

/// The same chances in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 11).expect("64 bits") % bound
    }

    fn happens(&mut self, probability: f64) -> bool {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64 <= probability
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[3])
    }
}
