//! Handing entries on to the Comuni's own protocol systems, and making the daily registers.

use std::{collections::HashMap, time::Duration};

use kernel::Problem;
use metrics::counter;
use platform::tenants::{Tenant, TenantState};
use protocol::{
    daily::run,
    registrations::{sending::Registrar, store},
};
use storage::{Db, Scope, TenantId};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::everyone;

/// How many are taken together; all of them are under way at once, so that no lease runs out while one waits for its
/// turn.
const BATCH: i64 = 4;

/// What it takes.
#[derive(Debug)]
pub(crate) struct Handing {
    pub(crate) registrar: Registrar,
    pub(crate) every: Duration,
}

/// Hands on what is due until the server stops: what is under way is finished then, and nothing new begun. Each Comune
/// is served by itself, and again once that has ended: a system that is slow holds up its own Comune alone.
pub(crate) async fn hand_on(handing: Handing, mut stopping: watch::Receiver<bool>) {
    let Handing { registrar, every } = handing;
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut serving: HashMap<TenantId, JoinHandle<()>> = HashMap::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopping.changed() => break,
        }
        serving.retain(|_, task| !task.is_finished());
        let active = everyone(&registrar.db).await.into_iter().filter(|tenant| tenant.state == TenantState::Active);
        for tenant in active.map(|tenant| tenant.tenant_id) {
            if serving.contains_key(&tenant) || *stopping.borrow() {
                continue;
            }
            match registrar.db.glance(&Scope::system(tenant), store::is_any_due).await {
                Ok(true) => {
                    serving.insert(tenant, tokio::spawn(serve(registrar.clone(), tenant, stopping.clone())));
                }
                Ok(false) => {}
                Err(problem) => failed(&problem),
            }
        }
    }
    futures_util::future::join_all(serving.into_values()).await;
}

/// The log has the particulars; the next round tries again.
fn failed(problem: &Problem) {
    tracing::warn!(slug = problem.kind.slug, "handing entries of the register on failed");
}

async fn serve(registrar: Registrar, tenant: TenantId, stopping: watch::Receiver<bool>) {
    if let Err(problem) = serve_all(&registrar, tenant, &stopping).await {
        failed(&problem);
    }
}

async fn serve_all(registrar: &Registrar, tenant: TenantId, stopping: &watch::Receiver<bool>) -> Result<(), Problem> {
    let scope = Scope::system(tenant);
    while !*stopping.borrow() && registrar.db.glance(&scope, store::is_any_due).await? {
        let batch = registrar.claim(tenant, BATCH).await?;
        if batch.claimed.is_empty() {
            return Ok(());
        }
        let attempts = batch.claimed.iter().map(|claimed| registrar.attempt(&batch, claimed));
        for state in futures_util::future::join_all(attempts).await {
            counter!("sportello_protocol_attempts_total", "state" => state?.as_str()).increment(1);
        }
    }
    Ok(())
}

/// Makes the daily registers that are missing, for as long as the server runs. Of several gateways the first does.
pub(super) async fn make_daily(db: Db, every: Duration) {
    let mut ticks = interval(every.max(Duration::from_secs(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Not while it starts.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        for tenant in everyone(&db).await {
            match make(&db, &tenant).await {
                Ok(0) => {}
                Ok(days) => tracing::info!(tenant = tenant.slug, days, "daily registers were made"),
                Err(problem) => tracing::warn!(slug = problem.kind.slug, "the daily registers could not be made"),
            }
        }
    }
}

async fn make(db: &Db, tenant: &Tenant) -> Result<usize, Problem> {
    let (scope, slug) = (Scope::system(tenant.tenant_id), tenant.slug.clone());
    if !db.read(&scope, move |tx| run::is_any_missing(tx, &slug)).await? {
        return Ok(0);
    }
    run::daily(db, &scope, &tenant.slug).await
}
