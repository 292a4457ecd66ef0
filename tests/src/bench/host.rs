//! The process that is measured: the server as it is, and beside it, on the same pool, what it is compared with.
//!
//! `/rows/{id}` is one row, read by its key, over HTTP. `/bookings` runs the transaction of a booking in a bare loop.

use std::{
    collections::BTreeMap,
    io::Write,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::{App, HttpResponse, HttpServer, web};
use booking::{
    appointments::{
        Channel,
        changes::{self, Order},
        model::Applicant,
    },
    calendars::{CalendarId, store as calendars},
    offers::{self, Terms, Wish},
    services::AppointmentServiceId,
};
use gateway::{
    config::{Config, Flags},
    logging, service,
};
use jiff::Timestamp;
use kernel::{Problem, SystemClock};
use platform::{
    access::{DeploymentSecret, Pseudonym},
    tenants::{self, Tenant},
};
use serde::{Deserialize, Serialize};
use storage::{Actor, Db, DbOptions, Scope, Target};

use crate::{client::Outcome, load};

/// The secret of the measured deployment.
pub(crate) const SECRET: &str = "not a secret, it is in the tests";
/// Issuer of the staff's tokens.
pub(crate) const ISSUER: &str = "https://bench.sportello.invalid/staff";

/// What to serve.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The server's settings.
    pub(crate) config: PathBuf,
    /// How many of SQLite's writes share a commit.
    pub(crate) group_commit: usize,
}

/// Where it is served.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// The server.
    pub(crate) api: SocketAddr,
    /// What it is compared with.
    pub(crate) bare: SocketAddr,
}

/// A run of the bare loop.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) service: AppointmentServiceId,
    pub(crate) clients: usize,
    pub(crate) seconds: f64,
    /// What to book, in this order.
    pub(crate) free: Vec<(CalendarId, Timestamp)>,
}

/// Serves until it is killed; where, it prints.
pub(crate) async fn serve(task: Task) {
    let config = Config::load(&Flags { config: Some(task.config), ..Flags::default() }).expect("settings");
    // As in production; standard error goes nowhere.
    logging::start(&config.log).expect("a log");
    let secret = || DeploymentSecret::new(SECRET.as_bytes()).expect("long enough");
    let url = config.database.url.clone().expect("a database");
    let db = open(&url, &DbOptions { group_commit: task.group_commit, ..config.database.options(secret().seal()) });
    let bare = bare(db.clone()).await;
    let served = service::serve(&config, db, secret(), None, |api| {
        let told = serde_json::to_string(&Addresses { api, bare }).expect("JSON");
        let mut out = std::io::stdout();
        writeln!(out, "{told}").and_then(|()| out.flush()).expect("somebody who listens");
    });
    served.await.expect("a server");
}

/// Opens a database.
pub(crate) fn open(url: &str, options: &DbOptions) -> Db {
    Db::open(&Target::parse(url).expect("a URL"), options, Arc::new(SystemClock)).expect("a database")
}

struct Bare {
    db: Db,
    tenant: Tenant,
    secret: DeploymentSecret,
}

async fn bare(db: Db) -> SocketAddr {
    let tenant = db.read(&Scope::platform(), |tx| tenants::by_slug(tx, load::TENANT)).await;
    let tenant = tenant.expect("the database").expect("the Comune");
    let secret = DeploymentSecret::new(SECRET.as_bytes()).expect("long enough");
    let shared = web::Data::new(Bare { db, tenant, secret });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .app_data(web::JsonConfig::default().limit(64 * 1024 * 1024))
            .route("/rows/{id}", web::get().to(row))
            .route("/bookings", web::post().to(bookings))
    })
    .bind(("127.0.0.1", 0))
    .expect("a port");
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    address
}

/// One row, by its key.
async fn row(bare: web::Data<Bare>, id: web::Path<CalendarId>) -> HttpResponse {
    let (scope, id) = (Scope::system(bare.tenant.tenant_id), id.into_inner());
    match bare.db.read(&scope, move |tx| calendars::calendar(tx, id)).await {
        Ok(Some(calendar)) => HttpResponse::Ok().json(serde_json::json!({ "slot_minutes": calendar.slot_minutes })),
        _ => HttpResponse::InternalServerError().finish(),
    }
}

/// Books what is free for a while, with so many clients at once, and no HTTP between them and the database.
async fn bookings(bare: web::Data<Bare>, run: web::Json<Run>) -> web::Json<Outcome> {
    let (run, taken) = (&run, AtomicUsize::new(0));
    let start = Instant::now();
    let client = || async {
        let (mut micros, mut others) = (Vec::new(), BTreeMap::new());
        while start.elapsed().as_secs_f64() < run.seconds {
            let number = taken.fetch_add(1, Ordering::Relaxed);
            let Some((calendar, at)) = run.free.get(number) else { break };
            let asked = Instant::now();
            match book(&bare, run.service, *calendar, *at, number).await {
                Ok(()) => micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX)),
                Err(problem) => *others.entry(problem.kind.status).or_insert(0) += 1,
            }
        }
        (micros, others)
    };
    let answers = futures_util::future::join_all((0..run.clients).map(|_| client())).await;
    let mut outcome = Outcome { seconds: start.elapsed().as_secs_f64(), ..Outcome::default() };
    for (micros, others) in answers {
        outcome.micros.extend(micros);
        outcome.others.extend(others);
    }
    web::Json(outcome)
}

async fn book(
    bare: &Bare,
    service_id: AppointmentServiceId,
    calendar_id: CalendarId,
    starts_at: Timestamp,
    number: usize,
) -> Result<(), Problem> {
    let email = format!("nessuno.{number}.{}@example.org", starts_at.as_second());
    let person = Pseudonym::of_unproved_email(&bare.secret, bare.tenant.tenant_id, &email);
    let scope = Scope { tenant: bare.tenant.tenant_id, actor: Actor::anonymous() };
    let order = Order {
        wish: Wish { service_id, calendar_id, starts_at, persons: 1 },
        hold_id: None,
        applicant: Applicant {
            given_name: "Nessuno".to_owned(),
            family_name: "Prova".to_owned(),
            tax_code: None,
            email,
            phone: None,
            notes: None,
            cancellation_reason: None,
            language: None,
        },
        channel: Channel::Anonymous,
        owner: "anonymous".to_owned(),
        person_key: person.as_str().to_owned(),
        terms: Terms::Public,
    };
    let holidays = bare.tenant.holidays();
    let booked = bare.db.write(&scope, move |tx| {
        let offer = offers::find(tx, service_id, calendar_id)?;
        changes::book(tx, &offer, &order, &holidays).map(drop)
    });
    booked.await
}

/// Long enough for any start.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(60);
