//! What is measured, and in which order.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use gateway::demo::issuer::DemoIssuer;
use jiff::{SignedDuration, Timestamp};
use kernel::{Clock, SystemClock, civil};
use platform::access::DeploymentSecret;
use serde_json::{Map, json};
use storage::{DbOptions, GROUP_COMMIT, Target, migrate};
use tests::{
    Backend,
    postgres::{Cluster, Durability},
    reaper,
};

use crate::{
    client::{self, Outcome},
    host::{self, Addresses, Run, Task},
    load::{self, Loaded},
    people,
    report::{Figure, Report},
};

/// How much is measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) small: usize,
    pub(crate) large: usize,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) clients: usize,
    pub(crate) only: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Row,
    Month,
    MonthWhileBooking,
    Day,
    List,
    People,
    Bookings,
    Booking,
}

impl Question {
    const ALL: [Self; 8] = [
        Self::Row,
        Self::Month,
        Self::MonthWhileBooking,
        Self::Day,
        Self::List,
        Self::People,
        Self::Bookings,
        Self::Booking,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Row => "one row, bare route",
            Self::Month => "availability of a month",
            Self::MonthWhileBooking => "the same, while others book",
            Self::Day => "times of a day",
            Self::List => "an office's list of a day",
            Self::People => "search for a person by name",
            Self::Bookings => "booking, bare loop",
            Self::Booking => "booking",
        }
    }

    /// What it is compared with.
    const fn beside(self) -> Option<Self> {
        match self {
            Self::Month | Self::MonthWhileBooking | Self::Day | Self::List | Self::People => Some(Self::Row),
            Self::Booking => Some(Self::Bookings),
            Self::Row | Self::Bookings => None,
        }
    }
}

/// A server over one database.
struct Subject {
    backend: Backend,
    name: &'static str,
    wanted: usize,
    group_commit: usize,
    loaded: Loaded,
    next_free: usize,
    addresses: Addresses,
    /// Of somebody at the URP.
    token: String,
    process: Child,
}

impl Drop for Subject {
    fn drop(&mut self) {
        reaper::gone(self.process.id());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Measures everything.
pub(crate) async fn measure(plan: &Plan) -> Report {
    let mut subjects = Vec::new();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let name = if backend == Backend::Sqlite { "SQLite" } else { "PostgreSQL" };
        let left_out = plan.only.as_ref().is_some_and(|only| !name.to_lowercase().starts_with(&only.to_lowercase()));
        if left_out || !backend.available() {
            continue;
        }
        for wanted in [plan.small, plan.large] {
            subjects.push(Subject::start(backend, name, wanted, GROUP_COMMIT).await);
        }
        if backend == Backend::Sqlite {
            subjects.push(Subject::start(backend, name, plan.small, 1).await);
        }
    }
    let mut figures = Vec::new();
    for round in 0..=plan.rounds {
        let seconds = if round == 0 { plan.seconds.min(0.3) } else { plan.seconds };
        for question in Question::ALL {
            for subject in &mut subjects {
                let alone = subject.group_commit == 1;
                if alone && !matches!(question, Question::Booking | Question::Bookings) {
                    continue;
                }
                let outcome = subject.ask(question, plan.clients, seconds).await;
                if let Some((status, count)) = outcome.others.iter().next() {
                    eprintln!("{} {}: {count} answers {status}", subject.name, question.name());
                }
                // The first round warms up.
                if round > 0 {
                    eprintln!(
                        "round {round}: {:10} {:>9} {:28} {:>8.0}/s",
                        subject.name,
                        subject.loaded.appointments,
                        question.name(),
                        outcome.rate()
                    );
                    Figure::add(&mut figures, &subject.label(), question.name(), outcome);
                }
            }
        }
    }
    let compared = Question::ALL.iter().filter_map(|q| Some((q.name(), q.beside()?.name())));
    Report::new(
        plan,
        figures,
        &compared.collect::<Vec<_>>(),
        subjects.iter().map(|s| (s.label(), s.loaded.occupancy)).collect(),
    )
}

impl Subject {
    async fn start(backend: Backend, name: &'static str, wanted: usize, group_commit: usize) -> Self {
        let folder = tempfile::Builder::new().tempdir_in(reaper::folder()).expect("a folder").keep();
        let (url, admin) = match backend {
            Backend::Sqlite => {
                let url = format!("sqlite:{}", folder.join("sportello.sqlite").display());
                (url.clone(), url)
            }
            Backend::Postgres => {
                let url = Cluster::get(Durability::Durable).fresh_database();
                let admin = url.replace("user=sportello", "user=postgres");
                (url, admin)
            }
        };
        let since = Instant::now();
        let target = Target::parse(&url).expect("a URL");
        migrate::run(&target, SystemClock.now()).expect("the schema");
        let secret = DeploymentSecret::new(host::SECRET.as_bytes()).expect("long enough");
        let db = host::open(&url, &DbOptions { seal: secret.seal(), ..DbOptions::default() });
        let loaded = load::load(&db, &admin, &secret, wanted).await;
        drop(db);
        eprintln!("{name}: {} appointments loaded in {:.1} s", loaded.appointments, since.elapsed().as_secs_f64());
        let issuer = DemoIssuer::load_or_create(&folder).expect("a key");
        let config = write_config(&folder, &url, issuer.jwks());
        let (now, an_hour) = (SystemClock.now(), SignedDuration::from_hours(1));
        let token = issuer.mint(host::ISSUER, load::TENANT, load::OPERATOR, Map::new(), now, an_hour).expect("a token");
        let (process, addresses) = launch(&Task { config, group_commit });
        Self { backend, name, wanted, group_commit, loaded, next_free: 0, addresses, token, process }
    }

    fn label(&self) -> String {
        let size = match self.wanted {
            million if million % 1_000_000 == 0 => format!("{} M", million / 1_000_000),
            thousand if thousand % 1_000 == 0 => format!("{} k", thousand / 1_000),
            other => other.to_string(),
        };
        let alone = if self.group_commit == 1 { ", no group commit" } else { "" };
        format!("{}, {size}{alone}", self.name)
    }

    async fn ask(&mut self, question: Question, clients: usize, seconds: f64) -> Outcome {
        // What a round before left to write down is not this one's.
        if let Backend::Postgres = self.backend {
            std::thread::sleep(Duration::from_millis(50));
        }
        let time = Duration::from_secs_f64(seconds);
        let today = civil::date_of(SystemClock.now());
        let in_days = |days: i64| today.saturating_add(SignedDuration::from_hours(days * 24));
        let base = format!("/{}/v1", load::TENANT);
        let (api, bare) = (self.addresses.api, self.addresses.bare);
        let (service, calendars) = (self.loaded.service, self.loaded.calendars.clone());
        let mut turn = 0_usize;
        let mut calendar = move || {
            turn += 1;
            calendars[turn % calendars.len()]
        };
        let month = move |calendar, turn: i64| {
            let from = in_days(1 + turn % 3 * 28);
            let to = from.saturating_add(SignedDuration::from_hours(30 * 24));
            client::get(
                &format!("{base}/calendars/{calendar}/availabilities?service_id={service}&from={from}&to={to}"),
                None,
            )
        };
        let base = format!("/{}/v1", load::TENANT);
        let mut number = 0_i64;
        match question {
            Question::Row => {
                client::ask(bare, clients, time, 200, || Some(client::get(&format!("/rows/{}", calendar()), None)))
                    .await
            }
            Question::Month => {
                client::ask(api, clients, time, 200, || {
                    number += 1;
                    Some(month(calendar(), number))
                })
                .await
            }
            Question::MonthWhileBooking => {
                let free = &self.loaded.free;
                let next = &mut self.next_free;
                let mut outcome = client::ask(api, clients, time, 200, || {
                    number += 1;
                    // One of fifty who look takes.
                    if number % 50 == 0 {
                        *next += 1;
                        free.get(*next - 1).map(|free| booking(service, *free))
                    } else {
                        Some(month(calendar(), number))
                    }
                })
                .await;
                outcome.others.remove(&201);
                outcome
            }
            Question::Day => {
                client::ask(api, clients, time, 200, || {
                    number += 1;
                    let path = format!("{base}/calendars/{}/slots?service_id={service}", calendar());
                    Some(client::get(&format!("{path}&date={}", in_days(1 + number % 28)), None))
                })
                .await
            }
            Question::List => {
                let (offices, token) = (self.loaded.offices.clone(), self.token.clone());
                client::ask(api, clients, time, 200, || {
                    number += 1;
                    let office = offices[number as usize % offices.len()];
                    let day = in_days(1 + number % 28);
                    let path = format!("{base}/appointments?office_id={office}&from={day}&to={day}&limit=20");
                    Some(client::get(&path, Some(&token)))
                })
                .await
            }
            Question::People => {
                let (people, token) = (self.loaded.people, self.token.clone());
                client::ask(api, clients, time, 200, || {
                    number += 1;
                    let person = people::person(number as usize * 7_919 % people);
                    let body = json!({ "name": format!("{} {}", person.family_name, person.given_name) }).to_string();
                    let headers = format!("Authorization: Bearer {token}\r\n");
                    Some(client::post(&format!("{base}/appointment-searches"), &headers, &body))
                })
                .await
            }
            Question::Bookings => {
                let free: Vec<_> = self.loaded.free[self.next_free..].iter().take(40_000).copied().collect();
                let body = json!(Run { service, clients, seconds, free }).to_string();
                let told = client::once(bare, &client::post("/bookings", "", &body)).await;
                let outcome: Outcome = serde_json::from_slice(&told).expect("an outcome");
                self.next_free += outcome.micros.len() + outcome.others.values().sum::<usize>();
                outcome
            }
            Question::Booking => {
                let (free, next) = (&self.loaded.free, &mut self.next_free);
                client::ask(api, clients, time, 201, || {
                    *next += 1;
                    free.get(*next - 1).map(|free| booking(service, *free))
                })
                .await
            }
        }
    }
}

fn booking(
    service: booking::services::AppointmentServiceId,
    free: (booking::calendars::CalendarId, Timestamp),
) -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let body = json!({
        "service_id": service,
        "calendar_id": free.0,
        "starts_at": civil::format_rfc3339(free.1),
        "applicant": { "given_name": "Nessuno", "family_name": "Prova", "email": format!("prova.{number}@example.org") },
    });
    let key = format!("Idempotency-Key: bench-request-{}-{number}\r\n", std::process::id());
    client::post(&format!("/{}/v1/appointments", load::TENANT), &key, &body.to_string())
}

fn write_config(folder: &Path, url: &str, jwks: &str) -> std::path::PathBuf {
    let keys = folder.join("jwks.json");
    std::fs::write(&keys, jwks).expect("the keys");
    let config = folder.join("sportello.toml");
    // The callers are one address.
    let limits: String = ["address", "anonymous", "anonymous_write", "staff"]
        .iter()
        .map(|who| format!("{who}_per_minute = 100000000\n{who}_burst = 10000000\n"))
        .collect();
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[limits]\n{limits}[database]\nurl = \"{url}\"\n\
         [[identity.providers]]\nname = \"{}\"\nkind = \"staff\"\nissuer = \"{}\"\n\
         audience = \"{{tenant}}\"\njwks_file = \"{}\"\n",
        load::PROVIDER,
        host::ISSUER,
        keys.display()
    );
    std::fs::write(&config, text).expect("the settings");
    config
}

fn launch(task: &Task) -> (Child, Addresses) {
    let mut process = Command::new(std::env::current_exe().expect("this program"))
        .arg("--host")
        .arg(serde_json::to_string(task).expect("JSON"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the measured process");
    reaper::note(process.id(), "KILL");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("its addresses");
    let addresses: Addresses = serde_json::from_str(&line).expect("its addresses: it may not have started");
    wait_for(addresses.api);
    (process, addresses)
}

fn wait_for(address: SocketAddr) {
    let deadline = Instant::now() + host::READY_WITHIN;
    while std::net::TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "the server does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
}
