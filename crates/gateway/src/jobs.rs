//! What goes on beside the requests: publishing and delivering events, sending messages, the daily run of the rules of
//! retention, and tidying, on whose having run nothing depends.

mod delivering;
mod documents;
pub(crate) mod messages;
pub(crate) mod payments;
pub(crate) mod protocol;
mod publishing;

use std::{sync::Arc, time::Duration};

use ::documents::Documents;
use connectors::HttpWebhookSender;
use jiff::SignedDuration;
use kernel::Id;
use metrics_exporter_prometheus::PrometheusHandle;
use platform::{
    access::{DeploymentSecret, pdnd, sessions},
    events::Live,
    idempotency, outbox,
    privacy::retention::run,
    tenants::{self, Tenant},
    webhooks::sending::Courier,
};
use storage::{Bell, Db, Scope};
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use delivering::Deliverer;
use publishing::Publisher;

use crate::{config::Config, holdings, middleware::limits::Limits, service::StartError};

/// How many events are taken away in one transaction.
const EVENTS_AT_ONCE: i64 = 500;

/// How often expired holds, kept answers and old events are removed.
const EVERY: Duration = Duration::from_secs(300);

/// What is to be done beside the requests.
#[derive(Debug)]
pub(crate) struct Work {
    db: Db,
    publisher: Publisher,
    deliverer: Deliverer,
    live: Live,
    keep_days: u32,
    documents: Documents,
    sweep_every: Duration,
    daily_every: Duration,
}

/// What is being done; ends when it is dropped. What is half done is taken up by the next who works on the database.
#[derive(Debug)]
pub(crate) struct Working(Vec<JoinHandle<()>>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Work {
    /// # Errors
    /// When the client for webhooks cannot be made.
    pub(crate) fn new(
        config: &Config,
        db: &Db,
        secret: &Arc<DeploymentSecret>,
        live: &Live,
        documents: &Documents,
    ) -> Result<Self, StartError> {
        let events = &config.events;
        let time_out = Duration::from_secs(events.webhook_timeout_seconds);
        let sender = HttpWebhookSender::new(time_out).map_err(|error| StartError::Client(error.to_string()))?;
        let worker = Id::generate(db.clock().now(), rand::random());
        let courier = Courier {
            db: db.clone(),
            sender: Arc::new(sender),
            schedule: events.schedule(),
            secret: Arc::clone(secret),
            // What comes after the answer takes a moment too.
            lease: SignedDuration::try_from(time_out).unwrap_or_default().saturating_add(SignedDuration::from_secs(15)),
            worker,
            at_once: i64::from(events.webhook_concurrency),
        };
        let deliveries = Bell::default();
        let publisher = Publisher { db: db.clone(), live: live.clone(), deliveries: deliveries.clone() };
        let deliverer = Deliverer::new(courier, deliveries);
        Ok(Self {
            db: db.clone(),
            publisher,
            deliverer,
            live: live.clone(),
            keep_days: events.keep_days,
            documents: documents.clone(),
            sweep_every: Duration::from_secs(u64::from(config.documents.sweep_seconds)),
            daily_every: Duration::from_secs(u64::from(config.protocol.daily_poll_seconds)),
        })
    }

    /// Begins. Streams are ended when the server is told to stop, which would wait for them.
    pub(crate) fn begin(self, limits: Arc<Limits>, exporter: PrometheusHandle) -> Working {
        let Self { db, publisher, deliverer, live, keep_days, documents, sweep_every, daily_every } = self;
        Working(vec![
            tokio::spawn(retain(db.clone())),
            tokio::spawn(documents::scan(db.clone(), documents.clone())),
            tokio::spawn(documents::sweep(db.clone(), documents, sweep_every)),
            tokio::spawn(tidy(db.clone(), limits, keep_days)),
            tokio::spawn(measure(exporter)),
            tokio::spawn(publisher.clone().run()),
            tokio::spawn(publisher.follow()),
            tokio::spawn(deliverer.run()),
            tokio::spawn(protocol::make_daily(db.clone(), daily_every)),
            tokio::spawn(end_streams(live)),
        ])
    }
}

/// The Comuni there are; none when the database cannot be asked, and the next round asks again.
async fn everyone(db: &Db) -> Vec<Tenant> {
    db.read(&Scope::platform(), tenants::list).await.unwrap_or_default()
}

async fn end_streams(live: Live) {
    #[cfg(unix)]
    match signal(SignalKind::terminate()) {
        Ok(mut told) => {
            told.recv().await;
            live.close();
        }
        Err(error) => tracing::warn!(%error, "event streams will hold up the end of the server"),
    }
}

/// Tidies for as long as the server runs.
async fn tidy(db: Db, limits: Arc<Limits>, keep_days: u32) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        limits.sweep();
        tidy_once(&db, SignedDuration::from_hours(24 * i64::from(keep_days))).await;
    }
}

/// How often is asked whether today's run of the rules of retention is still to be done.
const DAILY_ASKED_EVERY: Duration = Duration::from_secs(900);

/// Runs the rules of retention once a day in every Comune, for as long as the server runs. Of several gateways the
/// first does.
async fn retain(db: Db) {
    let holdings = holdings::all();
    let mut ticks = tokio::time::interval(DAILY_ASKED_EVERY);
    // Not while it starts: whoever has just brought a new version may still want to look at the rules.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        for tenant in everyone(&db).await {
            match run::daily(&db, &holdings, &Scope::system(tenant.tenant_id)).await {
                Ok(runs) => {
                    for run in runs {
                        let (counted, disposed, held) = (run.counted, run.disposed, run.held);
                        let (tenant, kind) = (tenant.slug.as_str(), run.record_kind.as_str());
                        tracing::info!(tenant, kind, counted, disposed, held, "a rule of retention was run");
                    }
                }
                Err(problem) => tracing::warn!(slug = problem.kind.slug, "a run of the rules of retention failed"),
            }
        }
    }
}

/// Gathers what was measured for as long as the server runs: until then every single duration is kept.
async fn measure(exporter: PrometheusHandle) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        exporter.run_upkeep();
    }
}

async fn tidy_once(db: &Db, keep: SignedDuration) {
    for tenant in everyone(db).await {
        let scope = Scope::system(tenant.tenant_id);
        let outcome = db
            .write(&scope, |tx| {
                booking::sweep(tx)?;
                sessions::sweep(tx)?;
                pdnd::sweep(tx)?;
                idempotency::sweep(tx)
            })
            .await;
        // The log has the particulars; the next round tries again.
        if let Err(problem) = outcome {
            tracing::warn!(slug = problem.kind.slug, "tidying failed");
        }
        let sweep = move |tx: &mut storage::Tx<'_>| {
            outbox::store::sweep(tx, tx.now().saturating_sub(keep).unwrap_or(tx.now()), EVENTS_AT_ONCE)
        };
        while let Ok(gone) = db.write(&scope, sweep).await
            && i64::try_from(gone).is_ok_and(|gone| gone == EVENTS_AT_ONCE)
        {}
    }
}
