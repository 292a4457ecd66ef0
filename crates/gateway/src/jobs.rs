//! What goes on beside the requests: tidying. Nothing depends on it having run.

use std::{sync::Arc, time::Duration};

use metrics_exporter_prometheus::PrometheusHandle;
use platform::{idempotency, tenants};
use storage::{Db, Scope};

use crate::middleware::limits::Limits;

/// How often expired holds and kept answers are removed.
const EVERY: Duration = Duration::from_secs(300);

/// Tidies for as long as the server runs.
pub(crate) async fn tidy(db: Db, limits: Arc<Limits>) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        limits.sweep();
        tidy_once(&db).await;
    }
}

/// Gathers what was measured for as long as the server runs: until then every single duration is kept.
pub(crate) async fn measure(exporter: PrometheusHandle) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        exporter.run_upkeep();
    }
}

async fn tidy_once(db: &Db) {
    let Ok(everyone) = db.read(&Scope::platform(), tenants::list).await else { return };
    for tenant in everyone {
        let scope = Scope::system(tenant.tenant_id);
        let outcome = db
            .write(&scope, |tx| {
                booking::sweep(tx)?;
                idempotency::sweep(tx)
            })
            .await;
        // The log has the particulars; the next round tries again.
        if let Err(problem) = outcome {
            tracing::warn!(slug = problem.kind.slug, "tidying failed");
        }
    }
}
