//! Starting, serving and stopping.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use actix_web::{HttpServer, web::Data};
use booking::{BookingSettings, calendars::Availabilities, messages::AppointmentComposer};
use connectors::HttpKeySource;
use jiff::SignedDuration;
use kernel::{Clock, SystemClock};
use platform::{
    access::{Access, DeploymentSecret, sessions::Passwords, tokens::TokenVerifier},
    events::Live,
    idempotency::InFlight,
    messages::Composers,
    outbox::Reaction,
    tenants::{self, TenantDirectory},
    webhooks::routes::MostWebhooks,
};
use storage::{Db, Seal, Target, conn::TargetError, migrate};

use crate::{
    app::{self, Shared},
    config::{Config, ConfigError},
    holdings,
    jobs::{self, messages::Sender},
    metrics::{self, Readers},
    middleware::limits::Limits,
    openapi,
    pages::Contract,
    telemetry,
};

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database's address.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The schema.
    #[error(transparent)]
    Migrate(#[from] migrate::MigrateError),
    /// The schema is behind and may not be brought up to date here.
    #[error("the database lacks the steps {0:?}: run `sportello migrate`, or set database.migrate_on_start = true")]
    Pending(Vec<&'static str>),
    /// The database.
    #[error("cannot open the database: {0}")]
    Database(#[from] storage::DbError),
    /// A question to the database.
    #[error("the database answered: {0}")]
    Problem(#[from] kernel::Problem),
    /// The identity providers.
    #[error("identity: {0}")]
    Identity(#[from] platform::access::tokens::ProviderError),
    /// The client that fetches their keys.
    #[error("cannot make the client that fetches identity keys: {0}")]
    Client(String),
    /// The contract.
    #[error("the contract this server was built with cannot be read: {0}")]
    Contract(#[from] serde_json::Error),
    /// The contract in OpenAPI 3.0.
    #[error("the contract cannot be said in OpenAPI 3.0: {0}")]
    Translation(#[from] crate::openapi::Untranslatable),
    /// The level of the log.
    #[error("log.level: {0}")]
    Log(String),
    /// The collector of traces.
    #[error("telemetry.otlp_endpoint: {0}")]
    Telemetry(String),
    /// The demo's files.
    #[error("demo: {0}")]
    Demo(String),
    /// The address to listen at, a file to write.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// The address of the database, checked as far as it can be without opening it.
pub(crate) fn target(config: &Config) -> Result<Target, StartError> {
    let url = config.database.url.as_deref().ok_or(ConfigError::NoDatabase)?;
    let target = Target::parse(url)?;
    Ok(if config.database.allow_cleartext { target } else { target.must_be_local()? })
}

/// Opens a database that has been migrated, to change what is in it.
///
/// # Errors
/// Without the deployment's secret too: what is written is sealed with it.
pub(crate) async fn open(config: &Config, target: &Target) -> Result<Db, StartError> {
    open_sealed(config, target, config.secret(target)?.seal()).await
}

/// Opens a database that has been migrated, with a seal for what is written. The platform's own row, which is made here
/// where it is missing, has no seal.
async fn open_sealed(config: &Config, target: &Target, seal: Seal) -> Result<Db, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let db = Db::open(target, &config.database.options(seal), clock)?;
    tenants::ensure_platform(&db).await?;
    if !db.is_walled().await? {
        tracing::warn!(
            "this role is a superuser or bypasses row-level security: the second wall between Comuni is off"
        );
    }
    Ok(db)
}

/// Opens a database that must exist. `may_migrate` brings it up to date first; otherwise one that is behind
/// is refused.
pub(crate) async fn open_existing(config: &Config, may_migrate: bool) -> Result<Db, StartError> {
    let target = existing(config, may_migrate)?;
    open(config, &target).await
}

/// Opens a database that must exist and be up to date, to read it only. Needs no secret and makes none: nothing is
/// sealed.
pub(crate) async fn open_to_read(config: &Config) -> Result<Db, StartError> {
    let target = existing(config, false)?;
    open_sealed(config, &target, Seal::default()).await
}

/// The database that exists, brought up to date or found so.
fn existing(config: &Config, may_migrate: bool) -> Result<Target, StartError> {
    let target = target(config)?;
    target.must_exist()?;
    if may_migrate {
        for step in migrate::run(&target, SystemClock.now())? {
            tracing::info!(step, "migrated");
        }
    } else {
        let pending = migrate::pending(&target)?;
        if !pending.is_empty() {
            return Err(StartError::Pending(pending));
        }
    }
    Ok(target)
}

/// How long a connection stays open without a request. Longer than the minute for which reverse proxies keep
/// theirs: if we closed first, the request that one is just sending would be lost.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What the domains do upon events.
pub(crate) const REACTIONS: &[Reaction] = &[Reaction { name: "booking.messages", run: booking::messages::react }];

/// Serves until SIGTERM, then finishes what is in flight; SIGINT (Ctrl-C) does not wait for it. `announce` hears the address
/// once connections are accepted.
///
/// # Errors
/// When the settings do not allow a server, or the address cannot be listened at.
pub async fn serve(
    config: &Config,
    db: Db,
    secret: DeploymentSecret,
    address_file: Option<&Path>,
    announce: impl FnOnce(SocketAddr),
) -> Result<(), StartError> {
    let providers = config.identity.providers.iter().map(crate::config::ProviderConfig::provider);
    let providers = providers.collect::<Result<Vec<_>, _>>()?;
    let keys = HttpKeySource::new().map_err(|error| StartError::Client(error.to_string()))?;
    let tokens = TokenVerifier::new(providers, Arc::new(keys), Arc::clone(db.clock()))?;
    let client_keys = config.identity.client_keys(Arc::clone(db.clock()))?;
    let secret = Arc::new(secret);
    let live = Live::new(config.events.max_streams);
    let documents = config.documents.open(db.target(), holdings::subjects())?;
    let connectors = config.protocol.connectors().map_err(StartError::Client)?;
    let working = jobs::Work::new(config, &db, &secret, &live, &documents)?;
    let handing = jobs::protocol::Handing {
        registrar: config.protocol.registrar(&db, &secret, &documents, &connectors)?,
        every: Duration::from_secs(u64::from(config.protocol.poll_seconds)),
    };
    let limits = Arc::new(Limits::new(config));
    let exporter = metrics::start();
    let composers = Composers::new(vec![Box::new(AppointmentComposer)]);
    let sender = Sender {
        db: db.clone(),
        composers: composers.clone(),
        secret: Arc::clone(&secret),
        mailer: config.messages.mailer()?,
        app_io: config.messages.app_io()?,
        every: Duration::from_secs(u64::from(config.messages.poll_seconds)),
        lease: SignedDuration::from_secs(i64::from(config.messages.lease_seconds)),
    };
    let (cashier, simulating) = config.payments.cashier(&db, &secret)?;
    let cashing = jobs::payments::Cashing {
        cashier: cashier.clone(),
        every: Duration::from_secs(u64::from(config.payments.poll_seconds)),
    };
    let shared = Shared {
        cashier,
        simulating,
        metrics: Readers::new(config, exporter.clone()),
        limits: Arc::clone(&limits),
        access: Access {
            tenants: TenantDirectory::new(db.clone()),
            tokens: Arc::new(tokens),
            db: db.clone(),
            secret: Arc::clone(&secret),
            passwords: Arc::new(Passwords::new(config.identity.passwords)),
            client_keys,
        },
        booking: BookingSettings { hold_minutes: i64::from(config.booking.hold_minutes) },
        availabilities: Availabilities::default(),
        composers,
        max_body: config.server.max_body_bytes,
        in_flight: InFlight::default(),
        event_types: Data::new(openapi::event_types()),
        live: live.clone(),
        streams: config.events.habits(),
        most_webhooks: MostWebhooks(i64::from(config.events.max_webhooks)),
        connectors,
        holdings: holdings::all(),
        documents,
        contract: Arc::new(Contract::new()?),
        db: db.clone(),
    };
    let mut server = HttpServer::new(move || app::build(&shared))
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(config.server.shutdown_timeout_seconds)
        // Five seconds, the default, are little for a crowd on a small machine.
        .client_request_timeout(Duration::from_secs(20))
        .bind(config.server.listen)?;
    if config.server.workers > 0 {
        server = server.workers(config.server.workers);
    }
    let address = server.addrs().first().copied().unwrap_or(config.server.listen);
    let running = server.run();
    let working = working.begin(limits, exporter);
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let sending = tokio::spawn(jobs::messages::send(sender, stopping.clone()));
    let cashing = tokio::spawn(jobs::payments::cash(cashing, stopping.clone()));
    let handing = tokio::spawn(jobs::protocol::hand_on(handing, stopping));
    tracing::info!(%address, "listening");
    if let Some(path) = address_file {
        std::fs::write(path, format!("{address}\n"))?;
    }
    announce(address);
    running.await?;
    // Messages that were handed over and not settled would be sent again; a number that was given would be asked for.
    stop.send_replace(true);
    let all = futures_util::future::join3(sending, cashing, handing);
    let sent = tokio::time::timeout(Duration::from_secs(config.server.shutdown_timeout_seconds), all).await;
    if sent.is_err() {
        tracing::warn!("messages were still being sent, entries handed on, or payments asked about");
    }
    drop(working);
    telemetry::stop().await;
    tracing::info!("stopped");
    Ok(())
}
