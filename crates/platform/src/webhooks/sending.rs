//! One attempt: what is sent, and what is noted about it.

use std::{sync::Arc, time::Instant};

use jiff::SignedDuration;
use kernel::{Id, Problem};
use storage::{Db, Scope, TenantId, Tx};

use super::{
    addresses, changes,
    deliveries::{
        model::{Claimed, Tried},
        store::{self, Lease},
    },
    model::Webhook,
    rules::{self, Outcome, Schedule},
    signature::{self, SigningKey},
};
use crate::{
    access::DeploymentSecret,
    events::CloudEvent,
    ports::{WebhookFailure, WebhookMessage, WebhookSender},
    settings,
    tenants::{self, Tenant},
};

/// What signing keys are concealed for.
pub(super) const SIGNING_KEY: &str = "webhook signing key";

/// Attempts deliveries. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Courier {
    /// The database.
    pub db: Db,
    /// Who posts.
    pub sender: Arc<dyn WebhookSender>,
    /// When to try again.
    pub schedule: Schedule,
    /// What keys are concealed with.
    pub secret: Arc<DeploymentSecret>,
    /// For how long an attempt is its worker's: longer than any answer may take.
    pub lease: SignedDuration,
    /// This worker among all that share the database.
    pub worker: Id<()>,
    /// How many deliveries to one webhook may be under way.
    pub at_once: i64,
}

/// What was taken together, and what all of it needs.
#[derive(Debug)]
pub struct Batch {
    /// Whose it is.
    pub tenant: Tenant,
    /// Hosts that the Comune names as its own.
    pub private_hosts: Vec<String>,
    /// The deliveries.
    pub claimed: Vec<Claimed>,
}

impl Courier {
    /// Takes up to `limit` deliveries of a Comune that are due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self, tenant: TenantId, limit: usize) -> Result<Batch, Problem> {
        let (by, at_once, lease) = (self.worker, self.at_once, self.lease);
        self.db
            .write(&Scope::system(tenant), move |tx| {
                let until = tx.now().saturating_add(lease).unwrap_or(tx.now());
                Ok(Batch {
                    tenant: tenants::own(tx)?,
                    private_hosts: settings::store::get(tx)?.settings.private_hosts,
                    claimed: store::claim(tx, Lease { by, until }, at_once, limit)?,
                })
            })
            .await
    }

    /// Posts what was claimed, and notes what came of it.
    ///
    /// # Errors
    /// When the database fails: the lease runs out then, and it is tried again.
    pub async fn deliver(
        &self,
        tenant: &Tenant,
        private_hosts: &[String],
        claimed: &Claimed,
    ) -> Result<Tried, Problem> {
        let scope = Scope::system(tenant.tenant_id);
        let (started_at, started) = (self.db.clock().now(), Instant::now());
        let (outcome, status, retry_after) = match self.message(&tenant.slug, claimed, private_hosts)? {
            Some(message) => match self.sender.post(&message).await {
                Ok(answer) => (Outcome::of_status(answer.status), Some(answer.status), answer.retry_after),
                Err(failure) => (outcome_of(&failure), None, None),
            },
            None => (Outcome::ForbiddenAddress, None, None),
        };
        let now = self.db.clock().now();
        let patience = retry_after.as_deref().and_then(|header| rules::retry_after(header, now));
        let again_at = match outcome {
            Outcome::Delivered | Outcome::Gone => None,
            _ => self
                .schedule
                .after(claimed.delivery.attempts, patience, rand::random())
                .and_then(|wait| now.saturating_add(wait).ok()),
        };
        let millis = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let tried = Tried { started_at, millis, status, outcome, again_at };
        let (id, webhook, by) = (claimed.delivery.id, claimed.delivery.webhook_id, self.worker);
        let note = move |tx: &mut Tx<'_>| {
            store::settle(tx, id, by, &tried)?;
            if tried.outcome == Outcome::Gone { changes::gone(tx, webhook) } else { Ok(()) }
        };
        self.db.write(&scope, note).await?;
        Ok(tried)
    }

    /// The message; none when its address is not sent to.
    fn message(
        &self,
        slug: &str,
        claimed: &Claimed,
        private_hosts: &[String],
    ) -> Result<Option<WebhookMessage>, Problem> {
        let Claimed { webhook, event, .. } = claimed;
        let Ok(own) = addresses::check(&webhook.url, private_hosts) else { return Ok(None) };
        let body = CloudEvent::of(event.clone(), slug).written()?;
        let (id, timestamp) = (event.id.to_string(), self.db.clock().now().as_second());
        let keys = self.keys(webhook);
        if keys.is_empty() {
            // The deployment's secret was exchanged: nothing can be signed until the key is rotated.
            tracing::error!(webhook = %webhook.id, "a signing key cannot be read with this deployment's secret");
            return Ok(None);
        }
        let signature = signature::header(&keys, &id, timestamp, &body);
        Ok(Some(WebhookMessage { url: webhook.url.clone(), own, id, timestamp, signature, body }))
    }

    /// The keys that sign now, the newest first.
    fn keys(&self, webhook: &Webhook) -> Vec<SigningKey> {
        let previous = webhook.previous_expires_at.is_some_and(|end| self.db.clock().now() < end);
        let texts = [Some(&webhook.signing_key), webhook.previous_key.as_ref().filter(|_| previous)];
        texts
            .into_iter()
            .flatten()
            .filter_map(|text| self.secret.reveal(SIGNING_KEY, text))
            .map(SigningKey::of)
            .collect()
    }
}

const fn outcome_of(failure: &WebhookFailure) -> Outcome {
    match failure {
        WebhookFailure::ForbiddenAddress => Outcome::ForbiddenAddress,
        WebhookFailure::Unreachable(_) => Outcome::Unreachable,
        WebhookFailure::TimedOut => Outcome::TimedOut,
    }
}
