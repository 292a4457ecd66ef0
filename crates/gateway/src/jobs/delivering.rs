//! Delivering events to webhooks: what is due, wherever it was queued.

use std::{collections::HashMap, sync::Arc, time::Duration};

use metrics::counter;
use platform::{
    tenants::Tenant,
    webhooks::{
        deliveries::{model::Claimed, store},
        rules::Outcome,
        sending::{Batch, Courier},
    },
};
use storage::{Bell, Scope, TenantId};
use tokio::{
    sync::Semaphore,
    time::{Instant, interval, sleep_until},
};

use super::everyone;

/// How often one looks for what is due in every Comune: what another gateway left when it was killed.
const SWEEP: Duration = Duration::from_secs(10);

/// How many attempts may be under way at once.
const AT_ONCE: usize = 64;

/// The shortest wait before one looks again for what is due already and cannot be had.
const SHORTEST: Duration = Duration::from_millis(500);

/// Delivers. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Deliverer {
    courier: Courier,
    /// Rung for a Comune that may have something to attempt.
    bell: Bell,
    room: Arc<Semaphore>,
}

impl Deliverer {
    pub(crate) fn new(courier: Courier, bell: Bell) -> Self {
        Self { courier, bell, room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Delivers for as long as the server runs.
    pub(crate) async fn run(self) {
        let mut sweeps = interval(SWEEP);
        let mut due: HashMap<TenantId, Instant> = HashMap::new();
        loop {
            let next = due.values().min().copied().unwrap_or_else(|| Instant::now() + SWEEP);
            let tenants: Vec<TenantId> = tokio::select! {
                rung = self.bell.rung() => rung.into_iter().collect(),
                () = sleep_until(next) => due.iter().filter(|(_, at)| **at <= Instant::now()).map(|(id, _)| *id).collect(),
                _ = sweeps.tick() => everyone(&self.courier.db).await.iter().map(|tenant| tenant.tenant_id).collect(),
            };
            for tenant in tenants {
                due.remove(&tenant);
                if let Some(at) = self.attempt_due(tenant).await {
                    due.insert(tenant, at);
                }
            }
        }
    }

    /// Begins what is due in a Comune; answers when to look again, if something waits.
    async fn attempt_due(&self, tenant: TenantId) -> Option<Instant> {
        let scope = Scope::system(tenant);
        let db = &self.courier.db;
        let mut at = db.glance(&scope, store::next_due).await.ok().flatten()?;
        if at <= db.clock().now() {
            if let Ok(Batch { tenant, private_hosts, claimed }) =
                self.courier.claim(tenant, self.room.available_permits()).await
            {
                let comune = Arc::new((tenant, private_hosts));
                for claimed in claimed {
                    self.begin(Arc::clone(&comune), claimed).await;
                }
            }
            at = db.glance(&scope, store::next_due).await.ok().flatten()?;
        }
        let wait = Duration::try_from(at.duration_since(db.clock().now())).unwrap_or_default();
        Some(Instant::now() + wait.max(SHORTEST))
    }

    async fn begin(&self, comune: Arc<(Tenant, Vec<String>)>, claimed: Claimed) {
        let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else { return };
        let this = self.clone();
        tokio::spawn(async move {
            let (tenant, private_hosts) = &*comune;
            match this.courier.deliver(tenant, private_hosts, &claimed).await {
                Ok(tried) => {
                    counter!("sportello_webhook_attempts_total", "outcome" => tried.outcome.as_str()).increment(1);
                    if tried.again_at.is_none() && tried.outcome != Outcome::Delivered {
                        counter!("sportello_parked_total", "what" => "delivery").increment(1);
                    }
                }
                Err(problem) => tracing::warn!(slug = problem.kind.slug, "an attempt could not be noted"),
            }
            drop(permit);
            // The next event about the same object may go now.
            this.bell.ring(tenant.tenant_id);
        });
    }
}
