//! Appointments in figures.

use booking::appointments::AppointmentState;
use jiff::SignedDuration;
use serde_json::json;
use tests::{Server, both_databases};

use super::{Planted, plant};
use crate::world::{Plan, World};

both_databases!(appointments_are_counted, days_are_those_of_rome, figures_are_for_who_decides);

async fn appointments_are_counted(server: Server) {
    let desk = World::of(&server).await.desk(Plan::default()).await;
    let new = |hours: i64, state, cancelled_by| Planted {
        lead: SignedDuration::from_hours(hours),
        state,
        cancelled_by,
        ..Planted::new(desk.at(3, 9, 0))
    };
    plant(
        &desk,
        vec![
            new(1, AppointmentState::Completed, None),
            new(2, AppointmentState::Completed, None),
            new(24, AppointmentState::NoShow, None),
            new(30, AppointmentState::Confirmed, None),
            new(40, AppointmentState::Cancelled, Some("citizen:x")),
            new(170, AppointmentState::Cancelled, Some("anonymous")),
            new(200, AppointmentState::Cancelled, Some("staff:x")),
            new(240, AppointmentState::Cancelled, Some("integration:x")),
        ],
    )
    .await;
    let admin = server.client("admin");
    let day = desk.day(3);
    let path = format!("/statistics/appointments?from={day}&to={day}&office_id={}", desk.office.id);
    let told = admin.get(&path).await.expect(200);
    // From 170 hours on, whole days: 168, 192, 240.
    let figures = json!({
        "booked": 8, "open": 1, "kept": 2, "no_shows": 1,
        "cancelled_by_citizens": 2, "cancelled_by_staff": 1, "cancelled_by_others": 1,
        "lead_hours_median": 30, "lead_hours_mean": (1 + 2 + 24 + 30 + 40 + 168 + 192 + 240) / 8,
    });
    assert_eq!(told.at("/total"), &figures, "{told}");
    assert_eq!(told.at("/groups"), &json!([]));
    assert_eq!(told.text_at("/first_free/0/calendar_id"), desk.calendar.id.to_string());
    assert!(told.at("/first_free/0/next_free").is_string(), "{told}");
    for (group_by, member, value) in [
        ("office", "office_id", desk.office.id.to_string()),
        ("service", "service_id", desk.services[0].id.to_string()),
        ("day", "date", day.to_string()),
    ] {
        let told = admin.get(&format!("{path}&group_by={group_by}")).await.expect(200);
        assert_eq!(told.at("/total"), &figures, "{told}");
        assert_eq!(told.at("/groups").as_array().map(Vec::len), Some(1), "{told}");
        assert_eq!(told.at(&format!("/groups/0/{member}")), &json!(value), "{told}");
        assert_eq!(told.at("/groups/0/figures"), &figures, "{told}");
    }
    let none = admin.get(&format!("{path}&service_id={}", desk.office.id)).await.expect(200);
    assert_eq!(none.at("/total/booked"), 0);
    assert!(none.at("/total/lead_hours_median").is_null());
}

async fn days_are_those_of_rome(server: Server) {
    let desk = World::of(&server).await.desk(Plan::default()).await;
    let at = |text: &str| Planted::new(text.parse().unwrap());
    // The last and the first minutes of days around both changes of the clocks.
    plant(
        &desk,
        vec![
            at("2027-03-27T23:59:00+01:00"),
            at("2027-03-28T00:00:00+01:00"),
            at("2027-03-28T23:59:00+02:00"),
            at("2027-03-29T00:00:00+02:00"),
            at("2027-10-31T00:00:00+02:00"),
            at("2027-10-31T23:59:00+01:00"),
            at("2027-11-01T00:00:00+01:00"),
        ],
    )
    .await;
    let path = format!("/statistics/appointments?office_id={}&group_by=day", desk.office.id);
    let told = server.client("admin").get(&format!("{path}&from=2027-03-01&to=2027-11-30")).await.expect(200);
    let days: Vec<_> = told.at("/groups").as_array().unwrap().iter().collect();
    let days: Vec<_> =
        days.iter().map(|day| (day["date"].as_str().unwrap(), day["figures"]["booked"].as_i64().unwrap())).collect();
    let expected = [("2027-03-27", 1), ("2027-03-28", 2), ("2027-03-29", 1), ("2027-10-31", 2), ("2027-11-01", 1)];
    assert_eq!(days, expected);
    let one = server.client("admin").get(&format!("{path}&from=2027-03-28&to=2027-03-28")).await.expect(200);
    assert_eq!(one.at("/total/booked"), 2);
}

async fn figures_are_for_who_decides(server: Server) {
    let desk = World::of(&server).await.desk(Plan::default()).await;
    plant(&desk, vec![Planted::new(desk.at(2, 9, 0))]).await;
    let path = "/statistics/appointments";
    server.anonymous().get(path).await.problem(401, "unauthenticated");
    for role in ["citizen_a", "operator", "kiosk", "platform"] {
        server.client(role).get(path).await.problem(403, "forbidden");
    }
    let here = format!("{path}?from={}&to={}&office_id={}", desk.day(1), desk.day(5), desk.office.id);
    for (role, booked) in [("admin", 1), ("urp_operator", 1), ("integration", 1), ("manager", 0)] {
        let told = server.client(role).get(&here).await.expect(200);
        assert_eq!(told.at("/total/booked"), booked, "{role}: {told}");
    }
    for (query, field) in [("from=2027-01-01&to=2028-01-02", "?to"), ("from=2027-01-02&to=2027-01-01", "?to")] {
        server.client("admin").get(&format!("{path}?{query}")).await.problem(422, "invalid-query").field(field);
    }
    server.client("admin").get(&format!("{path}?from=2027-01-01&to=2028-01-01")).await.expect(200);
    server.client("admin").get(&format!("{path}?group_by=person")).await.problem(422, "invalid-query");
}
