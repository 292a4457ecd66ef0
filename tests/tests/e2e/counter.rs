//! The back office: finding appointments, what happens at the counter, notes, history, the office's own seats, blocks.

mod amending;
mod attendance;
mod blocks;
mod search;
mod seats;
mod traces;

use booking::{
    appointments::AppointmentId,
    schema::{appointments, opening_rules},
};
use diesel::prelude::*;
use jiff::SignedDuration;
use serde_json::{Value, json};
use storage::types::{At, Key};
use tests::{Answer, Client};
use uuid::Uuid;

use crate::world::{Desk, World};

/// Books at a desk, some hour of the third day from now.
async fn book(caller: &Client, desk: &Desk, hour: i8) -> Answer {
    caller.post("/appointments", desk.order(desk.at(3, hour, 0))).fresh_key().await.expect(201)
}

fn path(booked: &Answer, what: &str) -> String {
    format!("/appointments/{}{what}", booked.text_at("/id"))
}

/// Makes an appointment start so many minutes from now, or before now; its seats stay where they are.
pub(crate) async fn start_in(world: &World, booked: &Answer, minutes: i64) {
    let id = AppointmentId::from_uuid(booked.text_at("/id").parse::<Uuid>().unwrap());
    world
        .write(move |tx| {
            use appointments as a;
            let starts_at = tx.now() + SignedDuration::from_mins(minutes);
            let mine = a::table.filter(a::tenant_id.eq(Key(tx.tenant()))).filter(a::id.eq(Key(id)));
            diesel::update(mine).set(a::starts_at.eq(At(starts_at))).execute(tx.conn())?;
            Ok(())
        })
        .await;
}

/// Gives a desk counters of its own besides.
async fn own_counters(desk: &Desk, number: i64) {
    let calendar = desk.calendar.id;
    desk.world
        .write(move |tx| {
            use opening_rules as r;
            let rules = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).filter(r::calendar_id.eq(Key(calendar)));
            diesel::update(rules).set(r::internal_capacity.eq(number)).execute(tx.conn())?;
            Ok(())
        })
        .await;
}

/// How many visits a caller is told could start at that time.
async fn free(caller: &Client, desk: &Desk, hour: i8) -> i64 {
    let starts_at = desk.order(desk.at(3, hour, 0))["starts_at"].clone();
    let call = caller.get(&format!("/calendars/{}/slots", desk.calendar.id));
    let slots = call.query("service_id", desk.services[0].id).query("date", desk.day(3)).await.expect(200);
    let slot = slots.items().iter().find(|slot| slot["starts_at"] == starts_at);
    slot.unwrap_or_else(|| panic!("no slot at {starts_at}: {slots}"))["free"].as_i64().unwrap()
}

fn rels(answer: &Answer) -> Vec<Value> {
    answer.at("/links").as_array().unwrap().iter().map(|link| link["rel"].clone()).collect()
}

fn ids(list: &Answer) -> Vec<Value> {
    list.items().iter().map(|item| item["id"].clone()).collect()
}

/// An order for a person of this name.
fn order_for(desk: &Desk, hour: i8, given_name: &str, family_name: &str, email: &str) -> Value {
    let mut order = desk.order(desk.at(3, hour, 0));
    order["applicant"] = json!({ "given_name": given_name, "family_name": family_name, "email": email });
    order
}
