//! Publishing events: as soon as something here has happened, and from time to time whatever has.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use platform::{events::Live, outbox};
use storage::{Bell, Db, Scope, TenantId};

use super::everyone;
use crate::service::REACTIONS;

/// How often one looks for what others have written and not published: a gateway that was killed, the command line.
const SWEEP: Duration = Duration::from_secs(5);

/// How often one looks for what other gateways have published, for those who read along here.
const LOOK: Duration = Duration::from_millis(500);

/// What publishing needs. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    pub(crate) db: Db,
    pub(crate) live: Live,
    /// Rung for a Comune that has deliveries to attempt.
    pub(crate) deliveries: Bell,
}

impl Publisher {
    /// Publishes for as long as the server runs.
    pub(crate) async fn run(self) {
        let mut sweeps = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                rung = self.db.bell().rung() => for tenant in rung { self.publish(tenant).await },
                _ = sweeps.tick() => self.sweep().await,
            }
        }
    }

    /// Tells those who read along here what other gateways have published.
    pub(crate) async fn follow(self) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a few hundred")]
            gauge!("sportello_event_streams_open").set(self.live.open() as f64);
            for tenant in self.live.tenants() {
                if let Ok(last) = self.db.glance(&Scope::system(tenant), outbox::store::last_position).await {
                    self.live.published(tenant, last);
                }
            }
        }
    }

    async fn sweep(&self) {
        for tenant in everyone(&self.db).await {
            let waiting = self.db.glance(&Scope::system(tenant.tenant_id), outbox::store::is_waiting).await;
            if waiting.unwrap_or(false) {
                self.publish(tenant.tenant_id).await;
            }
        }
    }

    async fn publish(&self, tenant: TenantId) {
        loop {
            let published = self.db.write(&Scope::system(tenant), |tx| outbox::publish(tx, REACTIONS)).await;
            let published = match published {
                Ok(published) => published,
                // The log has the particulars; the next sweep tries again.
                Err(problem) => return tracing::warn!(slug = problem.kind.slug, "publishing events failed"),
            };
            counter!("sportello_events_published_total").increment(u64::try_from(published.events).unwrap_or(0));
            counter!("sportello_parked_total", "what" => "reaction")
                .increment(u64::try_from(published.parked).unwrap_or(0));
            if let Some(oldest) = published.oldest {
                let lag = self.db.clock().now().duration_since(oldest);
                histogram!("sportello_event_lag_seconds").record(lag.as_secs_f64().max(0.0));
            }
            self.live.published(tenant, published.last);
            // Also when nothing is new: a replay rings too.
            self.deliveries.ring(tenant);
            if !published.more {
                return;
            }
        }
    }
}
