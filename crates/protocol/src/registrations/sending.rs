//! One attempt: what is asked, what is sent, and what is noted about it. Nothing is sent within a transaction.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use documents::{
    Documents,
    files::{Document, DocumentId, NotAtHand, store as files},
};
use jiff::SignedDuration;
use kernel::{Id, Problem};
use platform::{
    access::DeploymentSecret,
    directory::store as directory,
    settings,
    tenants::{self, Tenant},
    webhooks::addresses,
};
use storage::{Db, Scope, TenantId, Tx};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    changes,
    rules::{self, ANNULLED, First, OUTCOME_UNKNOWN, Settled},
    store::{self, Lease, Row},
};
use crate::{
    connections::{self, ConnectorKind},
    entries::{EntryId, Whole, store as entries},
    ports::{self, Capability, Connectors, ProtocolError, Receipt, Submission, Target},
    registrations::RegistrationState,
};

/// Hands entries on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registrar {
    /// The database.
    pub db: Db,
    /// What there is to hand on with.
    pub connectors: Connectors,
    /// The files that are handed on.
    pub documents: Documents,
    /// What credentials are concealed with.
    pub secret: Arc<DeploymentSecret>,
    /// The waits between attempts.
    pub waits: Arc<[Duration]>,
    /// For how long an attempt is its worker's: longer than anything it may take.
    pub lease: SignedDuration,
    /// How long getting the files of an entry together may take.
    pub gathering: Duration,
    /// What there is in memory for files.
    pub room: Room,
    /// This worker among all that share the database.
    pub worker: Id<()>,
}

/// What there is in memory for the files that are under way, of all Comuni together. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM_KIB)))
    }
}

/// What was taken together, and what all of it needs.
#[derive(Debug)]
pub struct Batch {
    /// Whose it is.
    pub tenant: Tenant,
    /// What it is handed on with.
    pub connector: ConnectorKind,
    /// Where; none where the address is not one that is connected to, or the credential cannot be read.
    pub target: Option<Target>,
    /// What is handed on.
    pub claimed: Vec<Claimed>,
}

/// Something to be handed on.
#[derive(Debug)]
pub struct Claimed {
    /// The registration, as it was before it was taken.
    pub row: Row,
    /// The entry.
    pub whole: Whole,
    /// Where it was registered first, of what was registered in an emergency.
    pub first: Option<ports::First>,
    /// What its office is called.
    pub office: String,
    /// Those of its files that are kept here, in their order.
    pub documents: Vec<Document>,
}

/// How many bytes of files are handed on with one entry: they are in memory meanwhile.
const MOST_BYTES: i64 = 32 * 1024 * 1024;

/// How much memory there is for the files of all that is under way.
const ROOM_KIB: usize = 96 * 1024;

/// The waits between tries to write a number down, in milliseconds. A lease that runs out meanwhile does no harm:
/// whoever takes over asks before he sends, and a number is noted whoever has the entry then.
const NOTING_WAITS: [u64; 5] = [200, 1000, 3000, 5000, 10_000];

/// The contents of files, and the room they take.
struct Gathered {
    contents: BTreeMap<DocumentId, Bytes>,
    taken: OwnedSemaphorePermit,
}

impl Registrar {
    /// Takes up to `limit` registrations of a Comune that are due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self, tenant: TenantId, limit: i64) -> Result<Batch, Problem> {
        let (by, lease, secret) = (self.worker, self.lease, Arc::clone(&self.secret));
        self.db
            .write(&Scope::system(tenant), move |tx| {
                let until = tx.now().saturating_add(lease).unwrap_or(tx.now());
                let tenant = tenants::own(tx)?;
                let private_hosts = settings::store::get(tx)?.settings.private_hosts;
                connections::store::share(tx)?;
                let connection = connections::store::get(tx)?;
                let connector = connection.as_ref().map_or(ConnectorKind::Internal, |it| it.connector);
                let target = connection.and_then(|it| target(&it, &secret, &private_hosts));
                let mut claimed = Vec::new();
                for row in store::claim(tx, Lease { by, until }, connector, limit)? {
                    claimed.extend(whole(tx, row)?);
                }
                Ok(Batch { tenant, connector, target, claimed })
            })
            .await
    }

    /// Hands on what was claimed, and notes what came of it: how far it is then.
    ///
    /// # Errors
    /// When the database fails: the lease runs out then, and somebody looks what came of it. A number that was given is
    /// told to the log at least.
    pub async fn attempt(&self, batch: &Batch, claimed: &Claimed) -> Result<RegistrationState, Problem> {
        let settled = self.settled(batch, claimed).await;
        let (id, by, state) = (claimed.row.id, self.worker, settled.state);
        let (scope, mut waits) = (Scope::system(batch.tenant.tenant_id), NOTING_WAITS.into_iter());
        loop {
            let what = settled.clone();
            let Err(problem) = self.db.write(&scope, move |tx| changes::settle(tx, id, by, &what)).await else {
                return Ok(state);
            };
            let Some(receipt) = &settled.receipt else { return Err(problem) };
            let Some(wait) = waits.next() else {
                let (number, year) = (receipt.number.as_str(), receipt.year);
                tracing::error!(registration = %id, number, year, "a number that was given could not be written down");
                return Err(problem);
            };
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }

    async fn settled(&self, batch: &Batch, claimed: &Claimed) -> Settled {
        let attempts = claimed.row.attempts.saturating_add(1);
        if rules::is_hopeless(claimed.row.attempts, &self.waits) {
            return Settled { in_doubt: claimed.row.in_doubt, ..asked() };
        }
        if claimed.row.in_doubt && claimed.row.connector != batch.connector {
            // The Comune has another system now, which cannot know what came of it in the one before.
            return asked();
        }
        let found = self.connectors.of(batch.connector).filter(|_| batch.connector != ConnectorKind::Internal);
        let (Some(connector), Some(target)) = (found, &batch.target) else {
            return self.nowhere(batch, claimed, attempts);
        };
        let connector = Arc::clone(connector);
        let capabilities = connector.capabilities();
        let key = claimed.row.id.to_string();
        match rules::first(claimed.row.in_doubt, capabilities) {
            First::Ask => return asked(),
            First::LookUp => match connector.find_by_key(target, &key).await {
                Ok(Some(receipt)) => return self.come(Ok(receipt), capabilities, attempts),
                Ok(None) => {}
                Err(error) => {
                    let (lot, now) = (rand::random(), self.db.clock().now());
                    return rules::unanswered(&error, attempts, (&self.waits, lot, now));
                }
            },
            First::Send => {}
        }
        let files: &[Document] = if capabilities.contains(&Capability::Contents) { &claimed.documents } else { &[] };
        // Whoever waits too long for room or for a file still has time to say so.
        let gathered = tokio::time::timeout(self.gathering, self.gather(files)).await;
        let Gathered { contents, taken } = match gathered.unwrap_or(Err("files-unavailable")) {
            Ok(gathered) => gathered,
            Err(why) => return self.come(Err(ProtocolError::Retryable(why)), capabilities, attempts),
        };
        match self.is_annulled(batch.tenant.tenant_id, claimed.whole.entry.id).await {
            Ok(false) => {}
            Ok(true) => return failed(ANNULLED),
            Err(_told_by_the_log) => {
                return self.come(Err(ProtocolError::Retryable("database")), capabilities, attempts);
            }
        }
        let submission = Submission {
            key,
            comune: batch.tenant.name.clone(),
            office: claimed.office.clone(),
            whole: claimed.whole.clone(),
            first: claimed.first.clone(),
            contents,
        };
        let outcome = connector.register(target, submission).await;
        drop(taken);
        self.come(outcome, capabilities, attempts)
    }

    /// Whether an entry was annulled, maybe since it was taken.
    async fn is_annulled(&self, tenant: TenantId, id: EntryId) -> Result<bool, Problem> {
        let found = self.db.glance(&Scope::system(tenant), move |tx| entries::get(tx, id)).await?;
        Ok(found.is_some_and(|entry| entry.annulled_at.is_some()))
    }

    /// What is in the files that are kept here: those that fit, the principal one first. Of what is too long, or gone,
    /// the name and the digest are handed on alone. Waits until there is room for them, and for what they become on
    /// their way: text of a third more.
    async fn gather(&self, documents: &[Document]) -> Result<Gathered, &'static str> {
        let (mut fitting, mut left) = (Vec::new(), MOST_BYTES);
        for document in documents {
            let Some(rest) = left.checked_sub(document.size_bytes).filter(|rest| *rest >= 0) else { continue };
            fitting.push(document);
            left = rest;
        }
        let bytes = MOST_BYTES.saturating_sub(left).saturating_mul(7).saturating_div(3);
        let kib = u32::try_from(bytes.saturating_div(1024).saturating_add(1)).unwrap_or(u32::MAX);
        let most = u32::try_from(ROOM_KIB).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.room.0).acquire_many_owned(kib.min(most)).await;
        let taken = taken.map_err(|_closed| "files-unavailable")?;
        let mut contents = BTreeMap::new();
        for document in fitting {
            match documents::files::whole(&self.documents, document).await {
                Ok(bytes) => drop(contents.insert(document.id, bytes)),
                Err(NotAtHand::Gone) => continue,
                Err(NotAtHand::Unscanned) => return Err("files-not-scanned"),
                Err(NotAtHand::Unavailable) => return Err("files-unavailable"),
            }
        }
        Ok(Gathered { contents, taken })
    }

    fn come(&self, outcome: Result<Receipt, ProtocolError>, capabilities: &[Capability], attempts: i64) -> Settled {
        rules::settle(outcome, capabilities, attempts, (&self.waits, rand::random(), self.db.clock().now()))
    }

    /// Nothing can be sent: the Comune has no system any more, or its address or credential is not one that is used.
    fn nowhere(&self, batch: &Batch, claimed: &Claimed, attempts: i64) -> Settled {
        if claimed.row.in_doubt {
            return asked();
        }
        if batch.connector == ConnectorKind::Internal {
            return failed("not-connected");
        }
        self.come(Err(ProtocolError::Retryable("connection-settings")), &[], attempts)
    }
}

const fn asked() -> Settled {
    let (state, problem) = (RegistrationState::NeedsReview, Some(OUTCOME_UNKNOWN));
    Settled { state, in_doubt: true, again_at: None, problem, receipt: None }
}

const fn failed(why: &'static str) -> Settled {
    let (state, problem) = (RegistrationState::Failed, Some(why));
    Settled { state, in_doubt: false, again_at: None, problem, receipt: None }
}

fn whole(tx: &mut Tx<'_>, row: Row) -> storage::Result<Option<Claimed>> {
    let Some(entry) = entries::get(tx, row.entry_id)? else { return Ok(None) };
    let office = directory::office(tx, entry.office_id)?.map(|office| office.name.0.it).unwrap_or_default();
    let mut documents = Vec::new();
    for id in entry.documents.0.iter().filter_map(|file| file.document_id) {
        documents.extend(files::find(tx, id)?);
    }
    let first = entry.recovers_id.map(|id| entries::get(tx, id)).transpose()?.flatten().map(|first| ports::First {
        register_code: first.register_code,
        number: first.number,
        year: first.year,
        registered_at: first.registered_at,
    });
    Ok(entries::whole(tx, vec![entry])?.pop().map(|whole| Claimed { row, whole, first, office, documents }))
}

/// The deployment's secret may have been exchanged, and what settings allow may have changed.
fn target(
    connection: &connections::store::Connection,
    secret: &DeploymentSecret,
    private_hosts: &[String],
) -> Option<Target> {
    let base_url = connection.base_url.clone()?;
    let own = addresses::check(&base_url, private_hosts).ok()?;
    let credential = match &connection.concealed {
        Some(concealed) => Some(connections::reveal(secret, concealed)?),
        None => None,
    };
    let (username, entity_code) = (connection.username.clone(), connection.entity_code.clone());
    Some(Target { base_url, own, username, entity_code, credential })
}
