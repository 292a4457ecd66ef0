//! Deals with the provider of payments: what is due is done in every Comune, by whichever gateway takes it first.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use payments::settling::Cashier;
use platform::tenants::{Tenant, TenantState};
use tokio::sync::watch;

use super::everyone;

/// For how many Comuni it is done at once.
const TOGETHER: usize = 16;

/// What it takes.
#[derive(Debug)]
pub(crate) struct Cashing {
    pub(crate) cashier: Cashier,
    pub(crate) every: Duration,
}

/// Does what is due until the server stops: what is under way is finished then, and nothing new begun.
pub(crate) async fn cash(cashing: Cashing, mut stopping: watch::Receiver<bool>) {
    let Cashing { cashier, every } = cashing;
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopping.changed() => return,
        }
        if !cashier.is_open() {
            continue;
        }
        let active = everyone(&cashier.db).await.into_iter().filter(|tenant| tenant.state == TenantState::Active);
        // A Comune with much to do, or one whose calls hang, keeps none of the others waiting.
        let (cashier, stopping) = (&cashier, &stopping);
        let work = |tenant: Tenant| async move {
            // The log has the particulars; the next round tries again.
            if let Err(problem) = cashier.work(tenant.tenant_id, || !*stopping.borrow()).await {
                tracing::warn!(slug = problem.kind.slug, "dealing with the provider of payments failed");
            }
        };
        stream::iter(active).for_each_concurrent(TOGETHER, work).await;
    }
}
