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

/// How many documents of one Comune are scanned in a round: the others do not wait for all that one of them has.
const IN_A_ROUND: usize = 20;

/// Scans what is due in one Comune, one document after another, and no more than so many. What is left has the bell rung
/// for it; where the scanner or the store does not answer, the next round is early enough.
///
/// # Errors
/// When the database is busy or fails; what was not written down is scanned again.
pub async fn scan_due(db: &Db, documents: &Documents, scope: &Scope) -> Result<(), Problem> {
    if documents.scanner().is_none() {
        return Ok(());
    }
    for _ in 0..IN_A_ROUND {
        let next = db.glance(scope, store::next_scan).await?;
        if next.is_none_or(|at| at > db.clock().now()) {
            return Ok(());
        }
        let claim = |tx: &mut Tx<'_>| {
            let until = tx.now().saturating_add(LEASE).unwrap_or(Timestamp::MAX);
            store::claim_scans(tx, until, 1)
        };
        for document in db.write(scope, claim).await? {
            let outcome = scanned(documents, &document).await;
            let is_away = outcome.as_ref().is_err_and(|vain| vain.is_away);
            let lot = rand::random();
            db.write(scope, move |tx| settle(tx, &document, &outcome, lot)).await?;
            if is_away {
                return Ok(());
            }
        }
    }
    documents.bell().ring(scope.tenant);
    Ok(())
}

/// Whether it is known, and what.
type Outcome = Result<Verdict, Vain>;

/// Why a scan came to no end.
#[derive(Debug)]
struct Vain {
    why: String,
    /// Whether the next document would fare no better.
    is_away: bool,
}

impl From<ScanFailure> for Vain {
    fn from(failure: ScanFailure) -> Self {
        let is_away = matches!(failure, ScanFailure::Unreachable(_) | ScanFailure::TimedOut);
        Self { why: failure.to_string(), is_away }
    }
}

impl From<DepotFailure> for Vain {
    fn from(failure: DepotFailure) -> Self {
        Self { why: failure.to_string(), is_away: failure != DepotFailure::Missing }
    }
}

async fn scanned(documents: &Documents, document: &Document) -> Outcome {
    let (Some(scanner), Some(object_key)) = (documents.scanner(), &document.object_key) else {
        return Err(Vain { why: "there is nothing to scan".to_owned(), is_away: false });
    };
    let length = u64::try_from(document.size_bytes).unwrap_or(0);
    let depot = documents.depot().map_err(|problem| Vain { why: problem.to_string(), is_away: true })?;
    let content = depot.get(object_key, 0..length).await?;
    Ok(scanner.scan(content).await?)
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
        Err(vain) => tracing::warn!(document = %taken.id, error = vain.why, scans, "a document could not be scanned"),
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
