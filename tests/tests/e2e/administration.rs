//! A Comune set up and changed through the API, as its own people and their scripts do it.

mod closing;
mod directory;
mod hours;
mod keywords;
mod races;

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::civil::Date;
use serde_json::{Value, json};
use tests::{Answer, Client};

use crate::world::Desk;

/// A slug that nothing else of this process has.
fn slug(word: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{word}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Where a calendar is.
fn calendar(desk: &Desk) -> String {
    format!("/calendars/{}", desk.calendar.id)
}

/// Where the rule of a date's weekday is, and what it says.
async fn rule_of(caller: &Client, desk: &Desk, date: Date) -> (String, Value) {
    let rules = caller.get(&format!("{}/opening-rules", calendar(desk))).await.expect(200);
    let weekday = date.weekday().to_monday_one_offset();
    let rule = rules.items().iter().find(|rule| rule["weekday"] == weekday).expect("a rule for every weekday");
    (format!("{}/opening-rules/{}", calendar(desk), rule["id"].as_str().unwrap()), rule.clone())
}

/// The ids and reasons of all that lies outside the hours.
async fn conflicts(caller: &Client, desk: &Desk) -> Vec<(Value, Value)> {
    let found = caller.get(&format!("{}/conflicts?limit=100", calendar(desk))).await.expect(200);
    found.items().iter().map(|item| (item["appointment_id"].clone(), item["reason"].clone())).collect()
}

/// Books as somebody new.
async fn book(caller: &Client, desk: &Desk, at: jiff::Timestamp) -> Answer {
    caller.post("/appointments", desk.order(at)).fresh_key().await
}

/// Changes something in whichever version it is.
async fn patched(caller: &Client, path: &str, patch: Value) -> Answer {
    caller.patch(path, patch).if_match("*").await
}

/// The whole day, closed.
fn closed_on(date: Date) -> Value {
    json!({ "date": date, "kind": "closed", "reason": { "it": "Assemblea", "en": "Assembly" } })
}
