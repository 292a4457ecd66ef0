//! Times that cannot be had: closed, too soon, too far off, too long, or not on any clock; and the two nights on
//! which the clocks change.

use std::collections::BTreeSet;

use booking::{
    calendars::{ExceptionKind, OpeningException, store as calendars},
    problems::{BEYOND_HORIZON, DURATION_NOT_ALLOWED, LEAD_TIME, LOCAL_TIME_DOES_NOT_EXIST, OUTSIDE_OPENING_HOURS},
};
use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{Date, Weekday, date, time},
};
use kernel::{Localized, ProblemKind, civil};
use platform::problems::INVALID_BODY;
use serde_json::{Value, json};
use tests::{Answer, Server, both_databases};

use super::Refusals;
use crate::{
    rows,
    world::{Desk, Offer, Plan, World},
};

pub(super) static KINDS: &[&ProblemKind] =
    &[&OUTSIDE_OPENING_HOURS, &LEAD_TIME, &BEYOND_HORIZON, &DURATION_NOT_ALLOWED, &LOCAL_TIME_DOES_NOT_EXIST];

both_databases!(
    times_that_cannot_be_had,
    the_night_that_skips_an_hour_has_six_half_hours,
    the_night_that_repeats_an_hour_has_ten,
);

async fn times_that_cannot_be_had(server: Server) {
    let world = World::of(&server).await;
    let mut refused = Refusals::of(&world);
    closed(&server, &world, &mut refused).await;
    too_soon(&server, &world, &mut refused).await;
    too_far_off(&server, &world, &mut refused).await;
    too_long(&server, &world, &mut refused).await;
    on_no_clock(&server, &world, &mut refused).await;
    refused.were(KINDS);
}

/// Refuses a time for a hold, for an appointment and for moving one there.
async fn three_ways(
    server: &Server,
    desk: &Desk,
    kind: &'static ProblemKind,
    service: usize,
    at: &str,
    refused: &mut Refusals,
) -> [Answer; 3] {
    let citizen = server.client("citizen_a");
    let free = desk.at(5, 9, 0);
    let (mut wish, mut order) = (desk.wish_of(service, free), desk.order_of(service, free));
    let booked = citizen.post("/appointments", order.clone()).fresh_key().await.expect(201);
    let path = |change: &str| format!("/appointments/{}/{change}", booked.text_at("/id"));
    for body in [&mut wish, &mut order] {
        body["starts_at"] = at.into();
    }
    let told = [
        refused.told(kind, citizen.post("/holds", wish).fresh_key()).await,
        refused.told(kind, citizen.post("/appointments", order).fresh_key()).await,
        refused.told(kind, citizen.post(&path("rescheduling"), json!({ "starts_at": at }))).await,
    ]
    .map(|answer| answer.field("/starts_at"));
    citizen.post(&path("cancellation"), json!({})).await.expect(200);
    told
}

async fn closed(server: &Server, world: &World, refused: &mut Refusals) {
    let long = Offer { minutes: 30, ..Offer::default() };
    let desk = world.desk(Plan { services: vec![Offer::default(), long], ..Plan::default() }).await;
    let shut = desk.day(6);
    let calendar = desk.calendar.id;
    world
        .write(move |tx| {
            let exception = OpeningException {
                id: tx.new_id(),
                calendar_id: calendar,
                date: shut,
                kind: ExceptionKind::Closed,
                starts_at: None,
                ends_at: None,
                capacity: None,
                reason: Some(Localized::italian("Chiusura straordinaria")),
                version: 1,
            };
            calendars::insert_exception(tx, &exception)
        })
        .await;
    for (service, at) in [
        // Before it opens, when it has closed, and between two slots.
        (0, desk.at(3, 7, 45)),
        (0, desk.at(3, 18, 0)),
        (0, desk.at(3, 23, 45)),
        (0, desk.at(3, 9, 5)),
        (0, desk.at(3, 9, 0) + SignedDuration::from_secs(1)),
        (0, desk.at(3, 9, 0) + SignedDuration::from_micros(1)),
        // It would close before the visit ends.
        (1, desk.at(3, 17, 45)),
        // The day is closed by exception.
        (0, desk.at(6, 9, 0)),
    ] {
        three_ways(server, &desk, &OUTSIDE_OPENING_HOURS, service, &at.to_string(), refused).await;
    }

    let keeps_holidays = world.desk(Plan { closed_on_holidays: true, ..Plan::default() }).await;
    let holidays = world.tenant.holidays();
    let mut days = (10..370).map(|days| keeps_holidays.day(days));
    let holiday = days.find(|day| holidays.is_holiday(*day)).expect("there is one every year");
    let at = civil::at(holiday, time(9, 0, 0, 0)).to_string();
    let mut order = keeps_holidays.order(keeps_holidays.at(3, 9, 0));
    order["starts_at"] = at.into();
    let call = server.anonymous().post("/appointments", order).fresh_key();
    refused.told(&OUTSIDE_OPENING_HOURS, call).await.field("/starts_at");
}

async fn too_soon(server: &Server, world: &World, refused: &mut Refusals) {
    let lead = SignedDuration::from_hours(72);
    let desk = world.desk(Plan { lead_minutes: 72 * 60, ..Plan::default() }).await;
    let before = rows::now();
    let told = three_ways(server, &desk, &LEAD_TIME, 0, &desk.at(2, 9, 0).to_string(), refused).await;
    for answer in told {
        // Told in whole seconds.
        let earliest: Timestamp = answer.text_at("/earliest").parse().unwrap();
        assert!(earliest > before + lead - SignedDuration::from_secs(1), "{answer}");
        assert!(earliest <= rows::now() + lead, "{answer}");
    }
    // Who stands at the counter needs no notice, but even staff do not book what is over.
    let admin = server.client("admin");
    admin.post("/appointments", desk.order(desk.at(2, 9, 0))).fresh_key().await.expect(201);
    let yesterday = desk.at(1, 9, 0) - SignedDuration::from_hours(48);
    refused.told(&LEAD_TIME, admin.post("/appointments", desk.order(yesterday)).fresh_key()).await;
    let mut order = desk.order(desk.at(5, 9, 0));
    order["starts_at"] = "1900-01-02T00:00:00Z".into();
    refused.told(&LEAD_TIME, admin.post("/appointments", order.clone()).fresh_key()).await;
    // Before any year that somebody means.
    order["starts_at"] = "0001-01-01T00:00:00Z".into();
    refused.told(&INVALID_BODY, admin.post("/appointments", order).fresh_key()).await.field("/starts_at");
}

async fn too_far_off(server: &Server, world: &World, refused: &mut Refusals) {
    let desk = world.desk(Plan { horizon_days: 10, ..Plan::default() }).await;
    let days = |date: Date, days: i64| date.checked_add(Span::new().days(days)).unwrap();
    let before = tests::today();
    let told = three_ways(server, &desk, &BEYOND_HORIZON, 0, &desk.at(12, 9, 0).to_string(), refused).await;
    let mut last = before;
    for answer in told {
        last = answer.text_at("/last_date").parse().unwrap();
        // The day may change while we ask.
        assert!((days(before, 10)..=days(tests::today(), 10)).contains(&last), "{answer}");
    }
    let visitor = server.anonymous();
    let on_the_last = civil::at(last, time(17, 45, 0, 0));
    visitor.post("/appointments", desk.order(on_the_last)).fresh_key().await.expect(201);
    let mut order = desk.order(on_the_last);
    order["starts_at"] = "9999-12-30T00:00:00Z".into();
    refused.told(&BEYOND_HORIZON, visitor.post("/appointments", order).fresh_key()).await;
}

async fn too_long(server: &Server, world: &World, refused: &mut Refusals) {
    let visitor = server.anonymous();
    let family = Offer { extra_person_minutes: 15, max_persons: 3, ..Offer::default() };
    // By mistake of whoever set the service up: for three it is longer than any day.
    let endless = Offer { minutes: 1440, extra_person_minutes: 1440, max_persons: 3, ..Offer::default() };
    let desk = world.desk(Plan { services: vec![family, endless], ..Plan::default() }).await;
    let with = |mut body: Value, persons: i64| {
        body["persons"] = persons.into();
        body
    };
    let nine = desk.at(3, 9, 0);
    for (path, body) in [("/holds", desk.wish(nine)), ("/appointments", desk.order(nine))] {
        let call = visitor.post(path, with(body, 4)).fresh_key();
        let answer = refused.told(&DURATION_NOT_ALLOWED, call).await.field("/persons");
        assert_eq!(answer.at("/max_persons"), 3, "{answer}");
    }
    let call = visitor.post("/appointments", with(desk.order_of(1, nine), 3)).fresh_key();
    refused.told(&DURATION_NOT_ALLOWED, call).await;
    let (calendar, service) = (desk.calendar.id, desk.services[0].id);
    for list in [format!("slots?date={}", desk.day(3)), format!("availabilities?from={}", desk.day(3))] {
        let call = visitor.get(&format!("/calendars/{calendar}/{list}&service_id={service}&persons=4"));
        let answer = refused.told(&DURATION_NOT_ALLOWED, call).await.field("?persons");
        assert_eq!(answer.at("/max_persons"), 3, "{answer}");
    }
    visitor.post("/appointments", with(desk.order(nine), 3)).fresh_key().await.expect(201);
}

async fn on_no_clock(server: &Server, world: &World, refused: &mut Refusals) {
    let desk = world.desk(Plan::default()).await;
    let night = next_change(3);
    for (hour, offset) in [("02:00:00", "+01:00"), ("02:30:00", "+01:00"), ("02:59:59", "+02:00")] {
        let at = format!("{night}T{hour}{offset}");
        three_ways(server, &desk, &LOCAL_TIME_DOES_NOT_EXIST, 0, &at, refused).await;
    }
}

/// The last Sunday of a month, the next that is yet to come: when this was written, 2027-03-28 and 2027-10-31.
fn next_change(month: i8) -> Date {
    let today = tests::today();
    let mut years = (today.year()..).map(|year| {
        let last = date(year, month, 31);
        (0..7).map(|days| last - Span::new().days(days)).find(|day| day.weekday() == Weekday::Sunday).unwrap()
    });
    years.find(|day| *day > today).unwrap()
}

/// A counter that is open while the clocks change, for visits of half an hour.
async fn night_desk(world: &World) -> Desk {
    let plan = Plan {
        opens: time(1, 0, 0, 0),
        closes: time(5, 0, 0, 0),
        slot_minutes: 30,
        horizon_days: 400,
        services: vec![Offer { minutes: 30, ..Offer::default() }],
        ..Plan::default()
    };
    world.desk(plan).await
}

/// Books every time that the night offers, each by itself, and finds the night full.
async fn book_the_night(server: &Server, desk: &Desk, night: Date) -> Vec<String> {
    let visitor = server.anonymous();
    let (calendar, service) = (desk.calendar.id, desk.services[0].id);
    let slots = format!("/calendars/{calendar}/slots?date={night}&service_id={service}");
    let days = format!("/calendars/{calendar}/availabilities?from={night}&to={night}&service_id={service}");
    let offered = visitor.get(&slots).await.expect(200);
    let free = visitor.get(&days).await.expect(200);
    assert_eq!(free.items(), [json!({ "date": night, "free": offered.items().len() })]);

    let mut starts = Vec::new();
    for slot in offered.items() {
        assert_eq!(slot["free"], 1, "{offered}");
        let mut order = desk.order(desk.at(3, 1, 0));
        order["starts_at"] = slot["starts_at"].clone();
        let booked = visitor.post("/appointments", order).fresh_key().await.expect(201);
        assert_eq!(booked.at("/starts_at"), &slot["starts_at"], "{booked}");
        assert_eq!(booked.at("/ends_at"), &slot["ends_at"], "{booked}");
        starts.push(booked.text_at("/starts_at").to_owned());
    }
    assert_eq!(starts.iter().collect::<BTreeSet<_>>().len(), starts.len(), "{starts:?}");
    let full = visitor.get(&slots).await.expect(200);
    assert!(full.items().iter().all(|slot| slot["free"] == 0), "{full}");
    assert_eq!(visitor.get(&days).await.expect(200).items(), [json!({ "date": night, "free": 0 })]);
    // Half an hour each, without a gap: the absolute time line knows no change.
    let instants: Vec<Timestamp> = starts.iter().map(|start| start.parse().unwrap()).collect();
    let half_an_hour = SignedDuration::from_mins(30);
    assert!(instants.windows(2).all(|pair| pair[1].duration_since(pair[0]) == half_an_hour), "{starts:?}");
    starts
}

async fn the_night_that_skips_an_hour_has_six_half_hours(server: Server) {
    let world = World::of(&server).await;
    let desk = night_desk(&world).await;
    let night = next_change(3);
    let starts = book_the_night(&server, &desk, night).await;
    let wanted =
        ["01:00:00+01:00", "01:30:00+01:00", "03:00:00+02:00", "03:30:00+02:00", "04:00:00+02:00", "04:30:00+02:00"];
    assert_eq!(starts, wanted.map(|time| format!("{night}T{time}")));
}

async fn the_night_that_repeats_an_hour_has_ten(server: Server) {
    let world = World::of(&server).await;
    let desk = night_desk(&world).await;
    let night = next_change(10);
    let starts = book_the_night(&server, &desk, night).await;
    let wanted = [
        "01:00:00+02:00",
        "01:30:00+02:00",
        "02:00:00+02:00",
        "02:30:00+02:00",
        "02:00:00+01:00",
        "02:30:00+01:00",
        "03:00:00+01:00",
        "03:30:00+01:00",
        "04:00:00+01:00",
        "04:30:00+01:00",
    ];
    assert_eq!(starts, wanted.map(|time| format!("{night}T{time}")));
}
