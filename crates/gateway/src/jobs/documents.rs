//! What goes on about documents: scans, and the deleting of what nobody attached and of what is left behind.

use std::time::Duration;

use documents::{
    Documents,
    keeping::{scanning, sweeping},
};
use futures_util::{StreamExt, stream};
use storage::{Db, Scope, TenantId};
use tokio::time::interval;

use super::everyone;

/// How often one looks for what is to be scanned in every Comune: what is due again, and what another gateway left.
const LOOKED_FOR_EVERY: Duration = Duration::from_secs(5);

/// For how many Comuni files are scanned at once, so that one whose files take long does not keep all others waiting.
const SCANNED_TOGETHER: usize = 4;

/// How many rounds there are from one look at the store itself to the next.
const ROUNDS_TO_TIDY: u64 = 12;

/// Scans for as long as the server runs.
pub(super) async fn scan(db: Db, documents: Documents) {
    if documents.scanner().is_none() {
        return;
    }
    let mut rounds = interval(LOOKED_FOR_EVERY);
    loop {
        let tenants: Vec<TenantId> = tokio::select! {
            rung = documents.bell().rung() => rung.into_iter().collect(),
            _ = rounds.tick() => everyone(&db).await.iter().map(|tenant| tenant.tenant_id).collect(),
        };
        let (db, documents) = (&db, &documents);
        stream::iter(tenants)
            .for_each_concurrent(SCANNED_TOGETHER, |tenant| async move {
                if let Err(problem) = scanning::scan_due(db, documents, &Scope::system(tenant)).await {
                    tracing::warn!(slug = problem.kind.slug, "documents could not be scanned");
                }
            })
            .await;
    }
}

/// Deletes for as long as the server runs.
pub(super) async fn sweep(db: Db, documents: Documents, every: Duration) {
    let mut rounds = interval(every);
    for round in 0_u64.. {
        rounds.tick().await;
        for tenant in everyone(&db).await {
            if let Err(problem) = sweeping::sweep(&db, &documents, &Scope::system(tenant.tenant_id)).await {
                tracing::warn!(slug = problem.kind.slug, "documents could not be tidied");
            }
        }
        // All that lies in the store is looked at for this.
        let Ok(depot) = documents.depot() else { continue };
        if !round.is_multiple_of(ROUNDS_TO_TIDY) {
            continue;
        }
        // Nobody takes longer than this over one file.
        let before = db.clock().now().saturating_sub(documents.settings().orphans_after);
        match depot.tidy(before.unwrap_or(jiff::Timestamp::MIN)).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "files that were begun and never finished were deleted"),
            Err(error) => tracing::warn!(%error, "the store of documents could not be tidied"),
        }
    }
}
