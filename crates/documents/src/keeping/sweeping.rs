//! What is deleted by itself: documents that nobody attached, and bytes that are no document's.

use jiff::{SignedDuration, Timestamp};
use kernel::Problem;
use storage::{Db, Scope, Tx};

use crate::{
    Documents,
    files::{changes, store},
    ports::Depot,
};

/// How many are dealt with in one transaction.
const BATCH: i64 = 50;

/// How long a gateway may take over deleting them.
const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// Deletes in one Comune what has been attached to nothing for too long, and the bytes of all that is deleted.
///
/// # Errors
/// When the database is busy or fails; the next round goes on from there.
pub async fn sweep(db: &Db, documents: &Documents, scope: &Scope) -> Result<(), Problem> {
    let after = documents.settings().orphans_after;
    let found = move |tx: &mut Tx<'_>, most| {
        let before = tx.now().saturating_sub(after).unwrap_or(Timestamp::MIN);
        store::orphans(tx, before, most)
    };
    let orphans = move |tx: &mut Tx<'_>| {
        let found = found(tx, BATCH)?;
        for document in &found {
            // One that is attached at this moment has another version, and stays.
            changes::discard(tx, document)?;
        }
        Ok(found.len())
    };
    // In most rounds there is nothing to delete, and then nothing is written and nobody waits for it.
    if db.glance(scope, move |tx| Ok(!found(tx, 1)?.is_empty())).await? {
        while i64::try_from(db.write(scope, orphans).await?).is_ok_and(|found| found == BATCH) {}
    }
    match documents.depot() {
        Ok(depot) => discard(db, depot.as_ref(), scope).await,
        Err(_none) => Ok(()),
    }
}

async fn discard(db: &Db, depot: &dyn Depot, scope: &Scope) -> Result<(), Problem> {
    while db.glance(scope, store::has_discards).await? {
        let claim = |tx: &mut Tx<'_>| {
            let until = tx.now().saturating_add(LEASE).unwrap_or(Timestamp::MAX);
            store::claim_discards(tx, until, BATCH)
        };
        let claimed = db.write(scope, claim).await?;
        let whole = i64::try_from(claimed.len()).is_ok_and(|found| found == BATCH);
        let mut gone = Vec::new();
        for object_key in claimed {
            match depot.delete(&object_key).await {
                Ok(()) => gone.push(object_key),
                // It is tried again when the lease is over.
                Err(error) => tracing::warn!(%error, "bytes that are no document's could not be deleted"),
            }
        }
        if !gone.is_empty() {
            db.write(scope, move |tx| store::discarded(tx, &gone)).await?;
        }
        if !whole {
            break;
        }
    }
    Ok(())
}
