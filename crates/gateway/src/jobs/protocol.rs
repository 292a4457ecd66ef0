//! Handing entries on to the Comuni's own protocol systems, and making the daily registers.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use kernel::Problem;
use metrics::counter;
use platform::tenants::{Tenant, TenantState};
use protocol::{
    daily::run,
    registrations::{sending::Registrar, store},
};
use storage::{Db, Scope};
use tokio::time::{MissedTickBehavior, interval};

use super::everyone;

/// How many are taken together; all of them are under way at once, so that no lease runs out while one waits for its
/// turn.
const BATCH: i64 = 4;

/// Hands on what is due, for as long as the server runs.
pub(super) async fn hand_on(registrar: Registrar, every: Duration) {
    let mut ticks = interval(every.max(Duration::from_millis(100)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let active = everyone(&registrar.db).await.into_iter().filter(|tenant| tenant.state == TenantState::Active);
        // A system that is slow holds up its own Comune alone.
        let serving = active.map(|tenant| {
            let registrar = &registrar;
            async move {
                if let Err(problem) = serve(registrar, &tenant).await {
                    tracing::warn!(slug = problem.kind.slug, "handing entries of the register on failed");
                }
            }
        });
        stream::iter(serving).buffer_unordered(8).collect::<Vec<()>>().await;
    }
}

async fn serve(registrar: &Registrar, tenant: &Tenant) -> Result<(), Problem> {
    let scope = Scope::system(tenant.tenant_id);
    while registrar.db.glance(&scope, store::is_any_due).await? {
        let batch = registrar.claim(tenant.tenant_id, BATCH).await?;
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
