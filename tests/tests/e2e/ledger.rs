//! The books of a Comune, read past the API in one snapshot, and whether they balance.

use std::collections::{BTreeMap, BTreeSet};

use booking::{
    appointments::{Appointment, AppointmentId, AppointmentState},
    calendars::{CalendarId, store::ClaimId},
    holds::Hold,
    schema::{appointment_applicants, appointment_services, appointments, calendars, holds, occupancy},
    services::AppointmentServiceId,
};
use diesel::prelude::*;
use jiff::Timestamp;
use kernel::civil;
use platform::schema::{idempotency_records, outbox_events};
use serde_json::Value;
use storage::{Json, Tx, types::Key};

use crate::world::{Desk, World};

/// A seat taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Taken {
    calendar: CalendarId,
    tick: i64,
    seat: i64,
    hold_expires_at: Option<Timestamp>,
}

/// What is told about an object, once per version.
#[derive(Debug)]
struct Told {
    kind: String,
    version: i64,
    payload: Value,
}

/// The grid of a calendar: tick and slot in minutes, counters.
type Grid = (i64, i64, i64);
/// The times of a service in minutes: visit, each further person, before, after.
type Times = (i64, i64, i64, i64);

/// Everything booking has stored about a Comune at one instant.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// By which it is judged whether a hold has expired.
    pub(crate) now: Timestamp,
    /// The appointments, in the order they were made.
    pub(crate) appointments: Vec<Appointment>,
    holds: Vec<Hold>,
    claims: BTreeMap<ClaimId, Vec<Taken>>,
    calendars: BTreeMap<CalendarId, Grid>,
    services: BTreeMap<AppointmentServiceId, Times>,
    applicants: BTreeSet<AppointmentId>,
    events: BTreeMap<AppointmentId, Vec<Told>>,
    /// Answers kept for repetitions, and those of them that are empty.
    answers: (usize, usize),
}

impl World {
    /// Reads the books.
    pub(crate) async fn ledger(&self) -> Ledger {
        self.read(read).await
    }
}

fn read(tx: &mut Tx<'_>) -> storage::Result<Ledger> {
    let tenant = Key(tx.tenant());
    let now = tx.now();
    let conn = tx.conn();
    let appointments = appointments::table.filter(appointments::tenant_id.eq(tenant)).order(appointments::id);
    let appointments: Vec<Appointment> = appointments.load(conn)?;
    let holds = holds::table.filter(holds::tenant_id.eq(tenant)).order(holds::id).load(conn)?;
    let seats: Vec<(ClaimId, CalendarId, i64, i64, Option<Timestamp>)> = {
        use occupancy as o;
        let all = o::table.filter(o::tenant_id.eq(tenant)).order((o::calendar_id, o::tick, o::seat));
        all.select((o::claim_id, o::calendar_id, o::tick, o::seat, o::hold_expires_at)).load(conn)?
    };
    let mut claims = BTreeMap::<_, Vec<_>>::new();
    for (claim, calendar, tick, seat, hold_expires_at) in seats {
        claims.entry(claim).or_default().push(Taken { calendar, tick, seat, hold_expires_at });
    }
    let grids: Vec<(CalendarId, Grid)> = {
        use calendars as c;
        let all = c::table.filter(c::tenant_id.eq(tenant));
        all.select((c::id, (c::tick_minutes, c::slot_minutes, c::capacity))).load(conn)?
    };
    let times: Vec<(AppointmentServiceId, Times)> = {
        use appointment_services as s;
        let times = (s::duration_minutes, s::extra_person_minutes, s::buffer_before_minutes, s::buffer_after_minutes);
        s::table.filter(s::tenant_id.eq(tenant)).select((s::id, times)).load(conn)?
    };
    let applicants: Vec<AppointmentId> = {
        use appointment_applicants as p;
        p::table.filter(p::tenant_id.eq(tenant)).select(p::appointment_id).load(conn)?
    };
    let told: Vec<(String, AppointmentId, i64, Json<Value>)> = {
        use outbox_events as e;
        let all = e::table.filter(e::tenant_id.eq(tenant)).filter(e::subject_kind.eq("appointment"));
        all.order((e::subject_id, e::subject_version))
            .select((e::kind, e::subject_id, e::subject_version, e::payload))
            .load(conn)?
    };
    let mut events = BTreeMap::<_, Vec<_>>::new();
    for (kind, subject, version, payload) in told {
        events.entry(subject).or_default().push(Told { kind, version, payload: payload.0 });
    }
    let answers: Vec<String> = {
        use idempotency_records as r;
        r::table.filter(r::tenant_id.eq(tenant)).select(r::sealed).load(conn)?
    };
    let answers = (answers.len(), answers.iter().filter(|sealed| sealed.is_empty()).count());
    Ok(Ledger {
        now,
        appointments,
        holds,
        claims,
        calendars: grids.into_iter().collect(),
        services: times.into_iter().collect(),
        applicants: applicants.into_iter().collect(),
        events,
        answers,
    })
}

impl Ledger {
    /// How many seats are taken at an instant, by holds too (expired ones included).
    pub(crate) fn taken(&self, desk: &Desk, at: Timestamp) -> i64 {
        let tick = tick_of(at, desk.calendar.tick_minutes);
        let there = |taken: &&Taken| taken.calendar == desk.calendar.id && taken.tick == tick;
        self.claims.values().flatten().filter(there).count().try_into().unwrap()
    }

    /// The seats left for a visit: what the fullest of its ticks has.
    pub(crate) fn room(&self, desk: &Desk, service: usize, starts_at: Timestamp) -> i64 {
        let service = &desk.services[service];
        let minutes = desk.calendar.tick_minutes;
        let ticks = self.ticks_of(desk.calendar.id, service.id, starts_at, 1).into_iter();
        let left = ticks.map(|tick| desk.calendar.capacity - self.taken(desk, instant_of(tick, minutes)));
        left.min().expect("a visit has ticks")
    }

    /// The appointments not called off that start there and then.
    pub(crate) fn open_at(&self, desk: &Desk, starts_at: Timestamp) -> Vec<&Appointment> {
        let there = |a: &&Appointment| is_open(a) && a.calendar_id == desk.calendar.id && a.starts_at == starts_at;
        self.appointments.iter().filter(there).collect()
    }

    /// An appointment.
    pub(crate) fn appointment(&self, id: &str) -> &Appointment {
        self.appointments.iter().find(|a| a.id.to_string() == id).unwrap_or_else(|| panic!("{id} is not stored"))
    }

    /// Demands that everything agrees with everything else: each open appointment and each hold has exactly
    /// its ticks, nothing else has any, no tick has more than its seats, and every appointment is whole.
    #[track_caller]
    pub(crate) fn balances(&self) -> &Self {
        let mut findings = Vec::new();
        self.seats_are_not_oversold(&mut findings);
        self.claims_have_their_ticks(&mut findings);
        self.appointments_are_whole(&mut findings);
        let (kept, empty) = self.answers;
        if empty > 0 {
            findings.push(format!("{empty} of {kept} kept answers are empty"));
        }
        assert!(findings.is_empty(), "the books do not balance:\n{}", findings.join("\n"));
        self
    }

    fn seats_are_not_oversold(&self, findings: &mut Vec<String>) {
        let mut seats = BTreeMap::<(CalendarId, i64), Vec<i64>>::new();
        for taken in self.claims.values().flatten() {
            seats.entry((taken.calendar, taken.tick)).or_default().push(taken.seat);
        }
        for ((calendar, tick), seats) in seats {
            let (_, _, capacity) = self.calendars[&calendar];
            let distinct: BTreeSet<_> = seats.iter().filter(|seat| (1..=capacity).contains(*seat)).collect();
            if distinct.len() != seats.len() {
                findings.push(format!("calendar {calendar} tick {tick} with {capacity} seats: {seats:?}"));
            }
        }
    }

    fn claims_have_their_ticks(&self, findings: &mut Vec<String>) {
        let none = Vec::new();
        let mut known = BTreeSet::new();
        for a in &self.appointments {
            let claim: ClaimId = a.id.cast();
            known.insert(claim);
            let ticks = self.ticks_of(a.calendar_id, a.service_id, a.starts_at, a.persons);
            let due: Vec<_> =
                if is_open(a) { ticks.into_iter().map(|t| (a.calendar_id, t, None)).collect() } else { Vec::new() };
            let has: Vec<_> = self.claims.get(&claim).unwrap_or(&none).iter().map(place).collect();
            if has != due {
                findings.push(format!("{:?} appointment {} has {has:?} and not {due:?}", a.state, a.id));
            }
        }
        for hold in &self.holds {
            let claim: ClaimId = hold.id.cast();
            known.insert(claim);
            let ticks = self.ticks_of(hold.calendar_id, hold.service_id, hold.starts_at, hold.persons);
            let due: Vec<_> = ticks.into_iter().map(|t| (hold.calendar_id, t, Some(hold.expires_at))).collect();
            let has: Vec<_> = self.claims.get(&claim).unwrap_or(&none).iter().map(place).collect();
            // Who needs the time of a hold that has expired takes it as a whole.
            let gone = has.is_empty() && !hold.is_open(self.now);
            if has != due && !gone {
                findings.push(format!("hold {} has {has:?} and not {due:?}", hold.id));
            }
        }
        let orphans = self.claims.iter().filter(|(claim, _)| !known.contains(claim));
        findings.extend(orphans.map(|(claim, taken)| format!("nobody's claim {claim}: {taken:?}")));
    }

    fn appointments_are_whole(&self, findings: &mut Vec<String>) {
        for a in &self.appointments {
            if !self.applicants.contains(&a.id) {
                findings.push(format!("appointment {} is for nobody", a.id));
            }
            let told = self.events.get(&a.id).map(Vec::as_slice).unwrap_or_default();
            if !told.iter().map(|event| event.version).eq(1..=a.version) {
                findings.push(format!("appointment {} of version {} is told as {told:?}", a.id, a.version));
            }
            let first_and_last = told.first().zip(told.last()).is_some_and(|(first, last)| {
                first.kind == "appointment.confirmed"
                    && last.payload["state"] == a.state.as_str()
                    && last.payload["starts_at"] == civil::format_rfc3339(a.starts_at)
            });
            if !first_and_last {
                findings.push(format!("appointment {} is not as it is told: {told:?}", a.id));
            }
        }
        let ids: BTreeSet<_> = self.appointments.iter().map(|a| a.id).collect();
        let strays = self.applicants.iter().chain(self.events.keys()).filter(|id| !ids.contains(id));
        findings.extend(strays.map(|id| format!("applicant or event of no appointment: {id}")));
        let codes: BTreeSet<_> = self.appointments.iter().map(|a| &a.code).collect();
        if codes.len() != ids.len() {
            findings.push("two appointments share a code".to_owned());
        }
    }

    /// The ticks of a visit, reckoned here once more: whole slots, and buffers of whole ticks around them.
    fn ticks_of(
        &self,
        calendar: CalendarId,
        service: AppointmentServiceId,
        starts_at: Timestamp,
        persons: i64,
    ) -> BTreeSet<i64> {
        let (tick, slot, _) = self.calendars[&calendar];
        let (visit, further, before, after) = self.services[&service];
        let start = tick_of(starts_at, tick) * tick;
        let whole = |minutes: i64, unit: i64| (minutes + unit - 1) / unit * unit;
        let minutes =
            start - whole(before, tick)..start + whole(visit + further * (persons - 1), slot) + whole(after, tick);
        minutes.map(|minute| minute.div_euclid(tick)).collect()
    }
}

fn is_open(appointment: &Appointment) -> bool {
    AppointmentState::OPEN.contains(&appointment.state)
}

fn place(taken: &Taken) -> (CalendarId, i64, Option<Timestamp>) {
    (taken.calendar, taken.tick, taken.hold_expires_at)
}

fn tick_of(instant: Timestamp, tick_minutes: i64) -> i64 {
    instant.as_second().div_euclid(tick_minutes * 60)
}

fn instant_of(tick: i64, tick_minutes: i64) -> Timestamp {
    Timestamp::from_second(tick * tick_minutes * 60).unwrap()
}
