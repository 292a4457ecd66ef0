//! Seats that the office has for itself.

use serde_json::json;
use tests::{Server, both_databases};

use super::{book, free, own_counters, path};
use crate::{
    rows,
    world::{Plan, World},
};

both_databases!(the_office_fills_its_own_seats_first, holds_and_moves_keep_to_the_seats_of_who_makes_them);

async fn the_office_fills_its_own_seats_first(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    own_counters(&desk, 2).await;
    let (visitor, admin, system) = (server.anonymous(), server.client("admin"), server.client("integration"));
    // Somebody who works elsewhere sees what everybody sees.
    let elsewhere = server.client("operator");
    let seen = async |hour| {
        let (public, office) = (free(&visitor, &desk, hour).await, free(&admin, &desk, hour).await);
        assert_eq!(free(&elsewhere, &desk, hour).await, public);
        assert_eq!(free(&system, &desk, hour).await, office);
        (public, office)
    };
    assert_eq!(seen(9).await, (1, 3));
    book(&admin, &desk, 9).await;
    assert_eq!(seen(9).await, (1, 2));
    book(&system, &desk, 9).await;
    assert_eq!(seen(9).await, (1, 1));
    // The office's are gone: the last one is everybody's.
    let last = book(&admin, &desk, 9).await;
    assert_eq!(seen(9).await, (0, 0));
    for caller in [&visitor, &admin, &system] {
        let refused = caller.post("/appointments", desk.order(desk.at(3, 9, 0))).fresh_key().await;
        let refused = refused.problem(409, "slot-taken");
        assert!(refused.at("/alternatives").as_array().is_some_and(|free| !free.is_empty()), "{refused}");
    }
    admin.post(&path(&last, "/cancellation"), json!({})).if_match(last.etag()).await.expect(200);
    assert_eq!(seen(9).await, (1, 1));

    // The public never gets one of the office's, however many are left.
    book(&visitor, &desk, 10).await;
    assert_eq!(seen(10).await, (0, 2));
    visitor.post("/appointments", desk.order(desk.at(3, 10, 0))).fresh_key().await.problem(409, "slot-taken");
    book(&admin, &desk, 10).await;
}

async fn holds_and_moves_keep_to_the_seats_of_who_makes_them(server: Server) {
    let world = World::of(&server).await;
    let desk = world.desk(Plan::default()).await;
    own_counters(&desk, 1).await;
    let (visitor, admin, citizen) = (server.anonymous(), server.client("admin"), server.client("citizen_a"));
    let held = admin.post("/holds", desk.wish(desk.at(3, 9, 0))).fresh_key().await.expect(201);
    assert_eq!((free(&visitor, &desk, 9).await, free(&admin, &desk, 9).await), (1, 1));
    let mut order = desk.order(desk.at(3, 9, 0));
    order["hold_id"] = held.at("/id").clone();
    admin.post("/appointments", order).fresh_key().await.expect(201);
    assert_eq!((free(&visitor, &desk, 9).await, free(&admin, &desk, 9).await), (1, 1));

    // A citizen moves among everybody's seats; the office moves the same appointment into one of its own.
    let booked = book(&citizen, &desk, 10).await;
    book(&visitor, &desk, 11).await;
    let to = json!({ "starts_at": desk.order(desk.at(3, 11, 0))["starts_at"] });
    citizen.post(&path(&booked, "/rescheduling"), to.clone()).await.problem(409, "slot-taken");
    admin.post(&path(&booked, "/rescheduling"), to).if_match(booked.etag()).await.expect(200);
    assert_eq!((free(&visitor, &desk, 10).await, free(&admin, &desk, 11).await), (1, 0));
    assert_eq!(rows::count(&world, "holds").await, 0);
}
