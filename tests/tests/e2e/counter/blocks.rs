//! Time kept free of visitors.

use serde_json::{Value, json};
use tests::{Server, both_databases};

use super::{book, free, ids, own_counters};
use crate::world::{Desk, Plan, World};

both_databases!(blocked_time_cannot_be_booked_until_it_is_given_back, a_block_overrides_nobody, who_may_block);

fn block(desk: &Desk, from: i8, until: i8, seats: Option<i64>) -> Value {
    let at = |hour| desk.order(desk.at(3, hour, 0))["starts_at"].clone();
    let mut block = json!({ "starts_at": at(from), "ends_at": at(until), "reason": "Riunione" });
    if let Some(seats) = seats {
        block["seats"] = json!(seats);
    }
    block
}

async fn blocked_time_cannot_be_booked_until_it_is_given_back(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan { capacity: 2, ..Plan::default() }).await;
    own_counters(&desk, 1).await;
    let (visitor, admin) = (server.anonymous(), server.client("admin"));
    let blocks = format!("/calendars/{}/blocks", desk.calendar.id);
    // One counter: the office's own, and the public does not notice. Two: one of the public's as well.
    let one = admin.post(&blocks, block(&desk, 9, 11, Some(1))).key("one").await.expect(201);
    admin.post(&blocks, block(&desk, 9, 11, Some(1))).key("one").await.expect(201);
    assert_eq!((free(&visitor, &desk, 9).await, free(&admin, &desk, 10).await), (2, 2));
    admin.post(&blocks, block(&desk, 10, 11, Some(1))).await.expect(201);
    assert_eq!((free(&visitor, &desk, 9).await, free(&visitor, &desk, 10).await), (2, 1));
    assert_eq!(free(&visitor, &desk, 11).await, 2);
    let whole = admin.post(&blocks, block(&desk, 12, 13, None)).await.expect(201);
    assert_eq!((free(&visitor, &desk, 12).await, free(&admin, &desk, 12).await), (0, 0));
    for caller in [&visitor, &admin] {
        caller.post("/appointments", desk.order(desk.at(3, 12, 0))).fresh_key().await.problem(409, "slot-taken");
    }
    let list = admin.get(&blocks).query("limit", 2).await.expect(200);
    let rest = admin.get(&blocks).query("after", list.text_at("/next")).await.expect(200);
    assert_eq!((list.items().len(), ids(&rest)), (2, vec![whole.at("/id").clone()]));
    assert_eq!(list.items()[0], one.body);

    let place = whole.header("location").unwrap();
    let place = place.split_once("/v1").unwrap().1;
    admin.delete(place).await.expect(204);
    admin.delete(place).await.problem(404, "not-found");
    assert_eq!((free(&visitor, &desk, 12).await, free(&admin, &desk, 12).await), (2, 3));
}

async fn a_block_overrides_nobody(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan { capacity: 2, ..Plan::default() }).await;
    let admin = server.client("admin");
    let blocks = format!("/calendars/{}/blocks", desk.calendar.id);
    let booked = book(&server.client("citizen_a"), &desk, 9).await;
    let refused = admin.post(&blocks, block(&desk, 8, 10, None)).await.problem(409, "slot-taken");
    assert_eq!(refused.at("/appointments"), &json!([booked.at("/id")]));
    assert_eq!(free(&admin, &desk, 8).await, 2, "nothing is blocked by half");
    // A counter is left beside it.
    admin.post(&blocks, block(&desk, 8, 10, Some(1))).await.expect(201);
    assert_eq!(free(&admin, &desk, 9).await, 0);

    let mut backwards = block(&desk, 10, 9, None);
    admin.post(&blocks, backwards.clone()).await.problem(422, "invalid-body").field("/ends_at");
    backwards["ends_at"] = desk.order(desk.at(60, 9, 0))["starts_at"].clone();
    admin.post(&blocks, backwards).await.problem(422, "invalid-body").field("/ends_at");
    let night = json!({
        "starts_at": desk.order(desk.at(3, 20, 0))["starts_at"], "ends_at": desk.order(desk.at(3, 22, 0))["starts_at"],
        "reason": "Pulizie",
    });
    admin.post(&blocks, night).await.problem(422, "outside-opening-hours");
}

async fn who_may_block(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    let blocks = format!("/calendars/{}/blocks", desk.calendar.id);
    let made = server.client("admin").post(&blocks, block(&desk, 9, 10, None)).await.expect(201);
    let one = format!("{blocks}/{}", made.text_at("/id"));
    for role in ["citizen_a", "operator", "urp_operator", "manager", "kiosk", "platform"] {
        let caller = server.client(role);
        caller.get(&blocks).await.problem(403, "forbidden");
        caller.post(&blocks, block(&desk, 10, 11, None)).await.problem(403, "forbidden");
        caller.delete(&one).await.problem(403, "forbidden");
    }
    server.anonymous().get(&blocks).await.problem(401, "unauthenticated");
    server.anonymous().delete(&one).await.problem(401, "unauthenticated");
    let unknown = format!("/calendars/{}/blocks", made.text_at("/id"));
    server.client("admin").get(&unknown).await.problem(404, "not-found");
}
