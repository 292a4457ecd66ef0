//! The scan for malware: what is in quarantine is released, or its bytes are deleted.

use jiff::{SignedDuration, Timestamp};
use kernel::Problem;
use storage::{Db, Scope, Tx};

use crate::{
    Documents,
    files::{
        changes,
        model::{Document, DocumentState},
        rules,
        store::{self, Scanned},
    },
    ports::{DepotFailure, ScanFailure, Verdict},
};

/// How long a gateway may take over a document before another one scans it.
const LEASE: SignedDuration = SignedDuration::from_mins(15);

/// Scans what is due in one Comune, one document after another; answers when to look again, if something waits.
///
/// # Errors
/// When the database is busy or fails; what was not written down is scanned again.
pub async fn scan_due(db: &Db, documents: &Documents, scope: &Scope) -> Result<Option<Timestamp>, Problem> {
    if documents.scanner().is_none() {
        return Ok(None);
    }
    loop {
        let next = db.glance(scope, store::next_scan).await?;
        if next.is_none_or(|at| at > db.clock().now()) {
            return Ok(next);
        }
        let claim = |tx: &mut Tx<'_>| {
            let until = tx.now().saturating_add(LEASE).unwrap_or(Timestamp::MAX);
            store::claim_scans(tx, until, 1)
        };
        for document in db.write(scope, claim).await? {
            let outcome = scanned(documents, &document).await;
            let lot = rand::random();
            db.write(scope, move |tx| settle(tx, &document, &outcome, lot)).await?;
        }
    }
}

/// Whether it is known, and what.
type Outcome = Result<Verdict, String>;

async fn scanned(documents: &Documents, document: &Document) -> Outcome {
    let (Some(scanner), Some(object_key)) = (documents.scanner(), &document.object_key) else {
        return Err("there is nothing to scan".to_owned());
    };
    let length = u64::try_from(document.size_bytes).unwrap_or(0);
    let depot = documents.depot().map_err(|problem| problem.to_string())?;
    let content = depot.get(object_key, 0..length).await.map_err(|error: DepotFailure| error.to_string())?;
    scanner.scan(content).await.map_err(|error: ScanFailure| error.to_string())
}

fn settle(tx: &mut Tx<'_>, taken: &Document, outcome: &Outcome, lot: u8) -> storage::Result<()> {
    let scans = taken.scans.saturating_add(1);
    let scanned = match outcome {
        Ok(Verdict::Clean) => Scanned { state: DocumentState::Clean, scans, again_at: None, is_news: true },
        Ok(Verdict::Infected(_)) => Scanned { state: DocumentState::Infected, scans, again_at: None, is_news: true },
        Err(_) => {
            let wait = SignedDuration::try_from(rules::scan_again_after(scans, lot)).unwrap_or(LEASE);
            let again_at = tx.now().saturating_add(wait).ok();
            // That it failed once more is nothing to listen to.
            Scanned { state: DocumentState::Failed, scans, again_at, is_news: taken.state != DocumentState::Failed }
        }
    };
    if !store::settle(tx, taken, &scanned)? {
        return Ok(());
    }
    match outcome {
        Ok(Verdict::Clean) => {}
        Ok(Verdict::Infected(name)) => tracing::warn!(document = %taken.id, malware = name, "malware was found"),
        Err(error) => tracing::warn!(document = %taken.id, error, scans, "a document could not be scanned"),
    }
    if scanned.state == DocumentState::Infected
        && let Some(object_key) = &taken.object_key
    {
        let now = tx.now();
        store::discard(tx, object_key, now)?;
    }
    if scanned.is_news {
        let after = store::find(tx, taken.id)?;
        changes::tell(tx, "document.scanned", Some(taken), after.as_ref())?;
    }
    Ok(())
}
