//! Days on which the whole Comune is closed.

use serde_json::json;
use tests::{Server, both_databases};

use super::{book, conflicts};
use crate::world::{Plan, World};

both_databases!(a_closure_closes_every_calendar_that_keeps_holidays, a_closure_is_noticed_at_once);

async fn a_closure_closes_every_calendar_that_keeps_holidays(server: Server) {
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let world = World::of(&server).await;
    let keeps = world.desk(Plan { closed_on_holidays: true, ..Plan::default() }).await;
    let works = world.desk(Plan { closed_on_holidays: false, ..Plan::default() }).await;
    let holidays = world.tenant.holidays();
    let day = (3..10).find(|days| !holidays.is_holiday(keeps.day(*days))).expect("a working day");
    let booked = book(&visitor, &keeps, keeps.at(day, 9, 0)).await.expect(201);
    let closure = json!({ "date": keeps.day(day), "reason": { "it": "Ponte", "en": "Long weekend" } });
    let closed = admin.post("/closures", closure.clone()).key("the-bridge").await.expect(201);
    assert_eq!(admin.post("/closures", closure.clone()).key("the-bridge").await.expect(201).body, closed.body);
    admin.post("/closures", closure).await.problem(422, "invalid-body").field("/date");
    let path = format!("/closures/{}", closed.text_at("/id"));
    let read = visitor.get(&path).header("Accept-Language", "en").await.expect(200);
    assert_eq!((read.at("/reason"), read.etag().as_str()), (&json!("Long weekend"), "\"1.en\""));
    let list = visitor.get("/closures?limit=100").await.expect(200);
    assert!(list.items().iter().any(|item| item["date"] == json!(keeps.day(day))), "{list}");
    let year = keeps.day(day).year();
    let holidays = visitor.get(&format!("/holidays?year={year}")).await.expect(200);
    let told = holidays.items().iter().find(|item| item["date"] == json!(keeps.day(day)));
    assert_eq!(told.expect("the closure among the holidays")["name"], "Ponte");

    let order = book(&visitor, &keeps, keeps.at(day, 10, 0)).await;
    order.problem(422, "outside-opening-hours");
    let hold = visitor.post("/holds", keeps.wish(keeps.at(day, 10, 0))).fresh_key().await;
    hold.problem(422, "outside-opening-hours");
    let slots = |desk: &crate::world::Desk| {
        format!("/calendars/{}/slots?service_id={}&date={}", desk.calendar.id, desk.services[0].id, desk.day(day))
    };
    assert_eq!(visitor.get(&slots(&keeps)).await.expect(200).items().len(), 0);
    assert_eq!(visitor.get(&slots(&works)).await.expect(200).items().len(), 40);
    book(&visitor, &works, works.at(day, 10, 0)).await.expect(201);
    // Who is booked stays booked, and is on the list of those to call.
    assert_eq!(conflicts(&admin, &keeps).await, [(booked.at("/id").clone(), json!("closed"))]);
    assert_eq!(conflicts(&admin, &works).await, []);

    server.client("manager").delete(&path).if_match("*").await.problem(403, "forbidden");
    admin.delete(&path).await.problem(428, "precondition-required");
    admin.delete(&path).if_match("\"2.it\"").await.problem(412, "version-mismatch");
    admin.delete(&path).if_match(closed.etag()).await.expect(204);
    visitor.get(&path).await.problem(404, "not-found");
    assert_eq!(conflicts(&admin, &keeps).await, []);
    book(&visitor, &keeps, keeps.at(day, 10, 0)).await.expect(201);
}

/// The Comune itself is remembered for some seconds; what it has closed is not.
async fn a_closure_is_noticed_at_once(server: Server) {
    let (admin, visitor) = (server.client("admin"), server.anonymous());
    let world = World::of(&server).await;
    let desk = world.desk(Plan { closed_on_holidays: true, ..Plan::default() }).await;
    let holidays = world.tenant.holidays();
    for days in (3..12).filter(|days| !holidays.is_holiday(desk.day(*days))) {
        book(&visitor, &desk, desk.at(days, 9, 0)).await.expect(201);
        let closure = json!({ "date": desk.day(days), "reason": { "it": "Chiuso" } });
        admin.post("/closures", closure).fresh_key().await.expect(201);
        book(&visitor, &desk, desk.at(days, 10, 0)).await.problem(422, "outside-opening-hours");
    }
}
