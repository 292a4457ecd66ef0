//! What is held about people: told to them, put right, kept no longer than the rules say.

pub(crate) mod holding;
mod letters;
mod rectifying;
mod retaining;
mod special;

use std::process::Output;

use booking::{
    appointments::AppointmentId,
    schema::{appointment_applicants, appointment_notes, appointments},
};
use diesel::prelude::*;
use jiff::Span;
use kernel::civil;
use serde_json::{Value, json};
use storage::types::{At, Key};
use tests::{Answer, Client, Server, server::sportello};
use uuid::Uuid;

use crate::world::{Desk, Plan, World};

/// A codice fiscale of nobody, and one of another nobody with the same name.
pub(crate) const ZENOBIA: &str = "QNTZNB80A41Z998V";
pub(crate) const NAMESAKE: &str = "QNTZNB81A41Z998W";

/// What says who somebody is, wherever it turns up.
const TRACES: [&str; 6] = ["Zenobia", "Quintavalle", "QNTZNB", "zq@posta", "7654321", "barboncino"];

/// A person with appointments in two offices, and a namesake with one.
pub(crate) struct Cast {
    pub(crate) world: World,
    pub(crate) desks: [Desk; 2],
    /// Of Zenobia: at the first desk, at the second, and one that was called off.
    pub(crate) hers: Vec<Answer>,
    /// Of her namesake.
    pub(crate) other: Answer,
}

impl Cast {
    pub(crate) async fn of(server: &Server) -> Self {
        let world = World::of(server).await;
        let plan = Plan { capacity: 4, ..Plan::default() };
        let desks = [world.desk(plan.clone()).await, world.desk(plan).await];
        let admin = server.client("admin");
        let mut hers = Vec::new();
        for (desk, hour) in [(&desks[0], 9), (&desks[1], 10), (&desks[0], 11)] {
            let order = order(desk, hour, ZENOBIA, "zq@posta.example", "+39 050 7654321");
            hers.push(admin.post("/appointments", order).fresh_key().await.expect(201));
        }
        let note = json!({ "body": "Le serve la rampa, porta il barboncino" });
        admin.post(&path(&hers[0], "/notes"), note).await.expect(201);
        let off = json!({ "reason": "il barboncino sta male" });
        admin.post(&path(&hers[2], "/cancellation"), off).if_match("*").await.expect(200);
        let order = order(&desks[0], 12, NAMESAKE, "omonima@posta.example", "+39 050 1112223");
        let other = admin.post("/appointments", order).fresh_key().await.expect(201);
        Self { world, desks, hers, other }
    }

    /// Makes everything of hers, and of her namesake, have happened so many days before it is to.
    pub(crate) async fn age(&self, days: i64) {
        for booked in self.hers.iter().chain([&self.other]) {
            age(&self.world, booked, days).await;
        }
    }

    /// The ids of her appointments.
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.hers.iter().map(|booked| booked.text_at("/id")).collect()
    }
}

pub(crate) fn order(desk: &Desk, hour: i8, tax_code: &str, email: &str, phone: &str) -> Value {
    let mut order = desk.order(desk.at(3, hour, 0));
    order["applicant"] = json!({
        "given_name": "Zenobia", "family_name": "Quintavalle", "tax_code": tax_code, "email": email, "phone": phone,
    });
    order["notes"] = "porta il barboncino".into();
    order
}

/// Runs a command on the demo's database, with the demo's secret.
pub(crate) fn command(server: &Server, arguments: &[&str]) -> Output {
    let arguments = [arguments, &["--database", server.database()]].concat();
    let secret = server.folder().join("secret.key");
    sportello(&arguments).env("SPORTELLO_SERVER__SECRET_FILE", secret).output().expect("the binary")
}

pub(crate) fn path(booked: &Answer, what: &str) -> String {
    format!("/appointments/{}{what}", booked.text_at("/id"))
}

/// Makes an appointment have been so many days earlier.
pub(crate) async fn age(world: &World, booked: &Answer, days: i64) {
    let id = AppointmentId::from_uuid(booked.text_at("/id").parse::<Uuid>().unwrap());
    let back = |text: &str| {
        let instant: jiff::Timestamp = text.parse().unwrap();
        let local = civil::to_rome(instant).checked_sub(Span::new().days(days)).unwrap();
        At(local.timestamp())
    };
    let (starts_at, ends_at) = (back(booked.text_at("/starts_at")), back(booked.text_at("/ends_at")));
    let created_at = back(booked.text_at("/created_at"));
    world
        .write(move |tx| {
            use appointments as a;
            let mine = a::table.filter(a::tenant_id.eq(Key(tx.tenant()))).filter(a::id.eq(Key(id)));
            diesel::update(mine)
                .set((a::starts_at.eq(starts_at), a::ends_at.eq(ends_at), a::created_at.eq(created_at)))
                .execute(tx.conn())?;
            Ok(())
        })
        .await;
}

/// A request about a person, by codice fiscale.
fn about(tax_code: &str) -> Value {
    json!({ "person": { "tax_code": tax_code }, "request_reference": "Prot. 1234/2026" })
}

/// How many people and notes there are in the Comune.
async fn people(world: &World) -> (i64, i64) {
    world
        .read(|tx| {
            use appointment_applicants as p;
            use appointment_notes as n;
            let tenant = Key(tx.tenant());
            let people = p::table.filter(p::tenant_id.eq(tenant)).count().get_result(tx.conn())?;
            Ok((people, n::table.filter(n::tenant_id.eq(tenant)).count().get_result(tx.conn())?))
        })
        .await
}

/// The section of that name in an export.
#[track_caller]
fn section<'a>(export: &'a Value, holding: &str, name: &str) -> &'a [Value] {
    let named = |items: &'a Value, name: &str| {
        items
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["name"] == name)
            .unwrap_or_else(|| panic!("no {name}: {export}"))
    };
    named(&named(&export["holdings"], holding)["sections"], name)["entries"].as_array().unwrap()
}

/// Everything of a list, page by page.
async fn all(caller: &Client, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let call = caller.get(path).query("limit", 100);
        let page = match &after {
            Some(after) => call.query("after", after).await.expect(200),
            None => call.await.expect(200),
        };
        items.extend(page.items().to_vec());
        match page.at("/next").as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return items,
        }
    }
}
