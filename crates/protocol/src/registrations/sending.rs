//! One attempt: what is asked, what is sent, and what is noted about it. Nothing is sent within a transaction.

use std::{sync::Arc, time::Duration};

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

use super::{
    changes,
    rules::{self, First, Settled},
    store::{self, Lease, Row},
};
use crate::{
    connections::{self, ConnectorKind},
    entries::{Whole, store as entries},
    ports::{Capability, Connectors, ProtocolError, Receipt, Submission, Target},
    registrations::RegistrationState,
};

/// Hands entries on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registrar {
    /// The database.
    pub db: Db,
    /// What there is to hand on with.
    pub connectors: Connectors,
    /// What credentials are concealed with.
    pub secret: Arc<DeploymentSecret>,
    /// The waits between attempts.
    pub waits: Arc<[Duration]>,
    /// For how long an attempt is its worker's: longer than anything it may take.
    pub lease: SignedDuration,
    /// This worker among all that share the database.
    pub worker: Id<()>,
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
    /// What its office is called.
    pub office: String,
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
    /// When the database fails: the lease runs out then, and somebody looks what came of it.
    pub async fn attempt(&self, batch: &Batch, claimed: &Claimed) -> Result<RegistrationState, Problem> {
        let settled = self.settled(batch, claimed).await;
        let (id, by, state) = (claimed.row.id, self.worker, settled.state);
        let note = move |tx: &mut Tx<'_>| changes::settle(tx, id, by, &settled);
        self.db.write(&Scope::system(batch.tenant.tenant_id), note).await?;
        Ok(state)
    }

    async fn settled(&self, batch: &Batch, claimed: &Claimed) -> Settled {
        let attempts = claimed.row.attempts.saturating_add(1);
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
        let submission = Submission {
            key: claimed.row.id.to_string(),
            comune: batch.tenant.name.clone(),
            office: claimed.office.clone(),
            whole: claimed.whole.clone(),
        };
        match rules::first(claimed.row.in_doubt, capabilities) {
            First::Ask => return asked(),
            First::LookUp => match connector.find_by_key(target, &submission.key).await {
                Ok(Some(receipt)) => return self.come(Ok(receipt), capabilities, attempts),
                Ok(None) => {}
                Err(error) => {
                    let (lot, now) = (rand::random(), self.db.clock().now());
                    return rules::unanswered(&error, attempts, (&self.waits, lot, now));
                }
            },
            First::Send => {}
        }
        self.come(connector.register(target, &submission).await, capabilities, attempts)
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
            let (state, problem) = (RegistrationState::Failed, Some("not-connected"));
            return Settled { state, in_doubt: false, again_at: None, problem, receipt: None };
        }
        self.come(Err(ProtocolError::Retryable("connection-settings")), &[], attempts)
    }
}

const fn asked() -> Settled {
    let (state, problem) = (RegistrationState::NeedsReview, Some("outcome-unknown"));
    Settled { state, in_doubt: true, again_at: None, problem, receipt: None }
}

fn whole(tx: &mut Tx<'_>, row: Row) -> storage::Result<Option<Claimed>> {
    let Some(entry) = entries::get(tx, row.entry_id)? else { return Ok(None) };
    let office = directory::office(tx, entry.office_id)?.map(|office| office.name.0.it).unwrap_or_default();
    Ok(entries::whole(tx, vec![entry])?.pop().map(|whole| Claimed { row, whole, office }))
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
