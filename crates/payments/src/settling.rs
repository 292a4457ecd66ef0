//! Asking the provider, outside of transactions: what is due is leased in one, done outside of any, and noted in
//! another. Several gateways share the work; what one loses, another takes up once its lease has run out.
//!
//! An answer that was lost may have been a yes: before anything is made a second time, it is looked up. What is looked
//! up decides, so that doing it twice changes nothing.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kernel::{Id, Problem};
use platform::{access::DeploymentSecret, http::not_found};
use storage::{Db, Scope, TenantId, Tx};

use crate::{
    connection::{self, SUBSCRIPTION_KEY},
    debts::{
        Debt, PaymentId, PaymentState, changes,
        model::{Debtor, Job, Line, Task},
        rules,
        store::{self, Lease},
    },
    ports::{
        Creditor, Destination, Document, Found, Payer, PaymentProvider, Position, ProviderDenied, ReturnUrls, Standing,
        Transfer,
    },
    problems::PAYMENT_PROVIDER_UNAVAILABLE,
};

/// How many jobs are leased together.
const BATCH: i64 = 20;
/// How many are done at once.
const TOGETHER: usize = 4;
/// How often one looks whether somebody else has done what one waits for, and for how long each time.
const LOOKS: u32 = 60;
const BETWEEN: Duration = Duration::from_millis(50);

/// Deals with the provider. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cashier {
    /// The database.
    pub db: Db,
    /// The provider; none where the deployment has none.
    pub provider: Option<Arc<dyn PaymentProvider>>,
    /// What keys are concealed with.
    pub secret: Arc<DeploymentSecret>,
    /// For how long a job is its worker's: longer than its calls may take.
    pub lease: SignedDuration,
    /// This worker among all that share the database.
    pub worker: Id<()>,
}

/// A debt with all that the provider is told of it.
#[derive(Debug, Clone)]
pub struct Order {
    /// The debt.
    pub debt: Debt,
    /// Who asks for it.
    pub creditor: Creditor,
    /// How the provider is told of it.
    pub position: Position,
}

/// What came of a job.
enum Outcome {
    /// The provider has it.
    Published,
    /// How it stands there, if it is there.
    Stands(Option<Found>),
    /// The provider has it no longer paid.
    Withdrawn,
    /// Not done.
    Denied(ProviderDenied),
}

impl From<Result<Self, ProviderDenied>> for Outcome {
    fn from(result: Result<Self, ProviderDenied>) -> Self {
        result.unwrap_or_else(Self::Denied)
    }
}

impl Cashier {
    /// Whether there is a provider at all.
    pub const fn is_open(&self) -> bool {
        self.provider.is_some()
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.db.clock().now()
    }

    /// Does all that is due in one Comune. `go_on` is asked before more is begun.
    ///
    /// # Errors
    /// When the database fails: leases run out then, and it is done again.
    pub async fn work(&self, tenant: TenantId, go_on: impl Fn() -> bool) -> Result<(), Problem> {
        let scope = Scope::system(tenant);
        while self.is_open() && go_on() && self.db.glance(&scope, store::is_any_due).await? {
            let lease = self.lease();
            let jobs = self.db.write(&scope, move |tx| store::claim(tx, lease, BATCH)).await?;
            if jobs.is_empty() {
                return Ok(());
            }
            let attempts = jobs.into_iter().map(|job| self.attempt(tenant, job));
            let mut attempts = stream::iter(attempts).buffer_unordered(TOGETHER);
            while let Some(outcome) = attempts.next().await {
                outcome?;
            }
        }
        Ok(())
    }

    fn lease(&self) -> Lease {
        let now = self.now();
        Lease { by: self.worker, until: now.saturating_add(self.lease).unwrap_or(now) }
    }

    /// A debt with all that the provider is told of it.
    ///
    /// # Errors
    /// `not-found`, `payment-provider-unavailable` where nobody can be told, or when the database fails.
    pub async fn order(&self, tenant: TenantId, id: PaymentId) -> Result<Order, Problem> {
        let (scope, secret) = (Scope::system(tenant), Arc::clone(&self.secret));
        self.db
            .read(&scope, move |tx| {
                let debt = store::get(tx, id)?.ok_or_else(not_found)?;
                let (lines, debtor) = (store::lines(tx, id)?, store::debtor(tx, id)?);
                let connection = connection::store::get(tx)?.ok_or_else(unavailable)?;
                let key = secret.reveal(SUBSCRIPTION_KEY, &connection.concealed_key);
                let key = key.and_then(|key| String::from_utf8(key).ok()).ok_or_else(|| {
                    tracing::error!("a subscription key cannot be read with this deployment's secret");
                    unavailable()
                })?;
                let company_name = connection.company_name;
                let creditor = Creditor { tenant, tax_code: debt.creditor.clone(), company_name, key };
                let position = position(&debt, lines, debtor);
                Ok(Order { debt, creditor, position })
            })
            .await
    }

    /// The same, once the provider has it: what was on its way there is brought there now.
    ///
    /// # Errors
    /// `not-found`, `payment-provider-unavailable`, or when the database fails.
    pub async fn published(&self, tenant: TenantId, id: PaymentId) -> Result<Order, Problem> {
        let waits =
            |order: &Order| order.debt.state == PaymentState::AwaitingPublication && !order.debt.publication_failed;
        self.done(tenant, id, waits).await
    }

    /// The same, after the provider was asked how it stands.
    ///
    /// # Errors
    /// `not-found`, `payment-provider-unavailable`, or when the database fails.
    pub async fn looked_at(&self, tenant: TenantId, id: PaymentId) -> Result<Order, Problem> {
        let (scope, lease) = (Scope::system(tenant), self.lease());
        for _ in 0..LOOKS {
            let taken = self.db.write(&scope, move |tx| {
                store::schedule(tx, id, Some((Task::Check, tx.now())))?;
                store::take(tx, id, lease)
            });
            if let Some(job) = taken.await? {
                self.attempt(tenant, job).await?;
                return self.order(tenant, id).await;
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Err(unavailable())
    }

    /// Does the job about a debt until it no longer `waits`, or waits for whoever is doing it.
    async fn done(&self, tenant: TenantId, id: PaymentId, waits: impl Fn(&Order) -> bool) -> Result<Order, Problem> {
        let mut tried = false;
        for _ in 0..LOOKS {
            let order = self.order(tenant, id).await?;
            if !waits(&order) {
                return Ok(order);
            }
            if tried || !self.is_open() {
                break;
            }
            let lease = self.lease();
            let taken = self.db.write(&Scope::system(tenant), move |tx| store::take(tx, id, lease)).await?;
            match taken {
                Some(job) => {
                    self.attempt(tenant, job).await?;
                    tried = true;
                }
                None => tokio::time::sleep(BETWEEN).await,
            }
        }
        Err(unavailable())
    }

    /// Does a job, and notes what came of it.
    async fn attempt(&self, tenant: TenantId, job: Job) -> Result<(), Problem> {
        let outcome = match self.order(tenant, job.debt_id).await {
            Ok(order) => self.ask(&order, &job).await,
            // The log has the particulars.
            Err(_no_order) => Outcome::Denied(temporary("not-connected")),
        };
        if let Outcome::Denied(why) = &outcome {
            tracing::warn!(payment = %job.debt_id, task = job.task.as_str(), reason = %why, "the provider of payments did not do it");
        }
        let by = self.worker;
        self.db.write(&Scope::system(tenant), move |tx| settle(tx, &job, by, &outcome)).await
    }

    async fn ask(&self, order: &Order, job: &Job) -> Outcome {
        let Some(provider) = self.provider.as_deref() else { return Outcome::Denied(temporary("no-provider")) };
        let (of, id) = (&order.creditor, order.position.id.as_str());
        match job.task {
            Task::Publish if order.debt.state == PaymentState::AwaitingPublication => {
                publish(provider, order, job.attempts > 1).await.into()
            }
            Task::Publish | Task::Check => provider.status(of, id).await.map(Outcome::Stands).into(),
            Task::Withdraw => match provider.withdraw(of, id).await {
                Ok(()) | Err(ProviderDenied::Missing) => Outcome::Withdrawn,
                // Most likely it was paid meanwhile.
                Err(ProviderDenied::Refused(_)) => provider.status(of, id).await.map(Outcome::Stands).into(),
                Err(denied) => Outcome::Denied(denied),
            },
        }
    }

    /// Opens a pay page.
    ///
    /// # Errors
    /// `payment-provider-unavailable`.
    pub async fn cart(&self, order: &Order, back: &ReturnUrls) -> Result<String, Problem> {
        let provider = self.provider.as_deref().ok_or_else(unavailable)?;
        provider.cart(&order.creditor, &order.position, back).await.map_err(|why| told(&why))
    }

    /// The notice to pay with.
    ///
    /// # Errors
    /// `payment-provider-unavailable`.
    pub async fn notice(&self, order: &Order) -> Result<Document, Problem> {
        let provider = self.provider.as_deref().ok_or_else(unavailable)?;
        provider.notice(&order.creditor, &order.position).await.map_err(|why| told(&why))
    }

    /// The receipt.
    ///
    /// # Errors
    /// `payment-provider-unavailable`.
    pub async fn receipt(&self, order: &Order) -> Result<Document, Problem> {
        let provider = self.provider.as_deref().ok_or_else(unavailable)?;
        provider.receipt(&order.creditor, &order.position).await.map_err(|why| told(&why))
    }
}

/// Makes a position, unless it is there. What was tried before may be there, whatever the answer was.
async fn publish(provider: &dyn PaymentProvider, order: &Order, tried: bool) -> Result<Outcome, ProviderDenied> {
    let (of, position) = (&order.creditor, &order.position);
    if tried && let Some(found) = provider.status(of, &position.id).await? {
        return adopt(provider, order, found).await;
    }
    match provider.create(of, position).await {
        Ok(()) => Ok(Outcome::Published),
        Err(ProviderDenied::Exists) => match provider.status(of, &position.id).await? {
            Some(found) => adopt(provider, order, found).await,
            // Another position has our number.
            None => Err(ProviderDenied::Refused("taken-by-another".to_owned())),
        },
        Err(denied) => Err(denied),
    }
}

/// A position that is there already, if it is ours.
async fn adopt(provider: &dyn PaymentProvider, order: &Order, found: Found) -> Result<Outcome, ProviderDenied> {
    let (of, position) = (&order.creditor, &order.position);
    let same = found.notice_number == position.notice_number && found.amount_cents == position.amount_cents;
    match found.standing {
        Standing::Unpublished if !same => {
            provider.update(of, position).await?;
            provider.publish(of, &position.id).await.map(|()| Outcome::Published)
        }
        _ if !same => Err(ProviderDenied::Refused("differs".to_owned())),
        Standing::Unpublished => provider.publish(of, &position.id).await.map(|()| Outcome::Published),
        Standing::Open => Ok(Outcome::Published),
        _ => Ok(Outcome::Stands(Some(found))),
    }
}

/// Notes what came of a job, and what is to be done next.
fn settle(tx: &mut Tx<'_>, job: &Job, by: Id<()>, outcome: &Outcome) -> storage::Result<()> {
    let Some(debt) = store::lock(tx, job.debt_id)? else { return Ok(()) };
    let denied = match outcome {
        Outcome::Denied(denied) => Some(denied),
        _ => None,
    };
    let after = match outcome {
        Outcome::Published => changes::published(tx, &debt)?,
        Outcome::Stands(found) => observed(tx, debt, found.as_ref())?,
        Outcome::Withdrawn => debt,
        Outcome::Denied(ProviderDenied::Refused(_) | ProviderDenied::Exists | ProviderDenied::Missing)
            if job.task == Task::Publish =>
        {
            changes::not_taken(tx, &debt)?
        }
        Outcome::Denied(_) => changes::date_passed(tx, &debt)?,
    };
    let next = match denied {
        Some(denied) => {
            let asked = match denied {
                ProviderDenied::Temporary { retry_after, .. } => *retry_after,
                _ => None,
            };
            let due_at = rules::again(job.attempts, asked, tx.now());
            Some(Job { due_at, outcome: Some(word(denied)), ..job.clone() })
        }
        None => rules::plan(&after, if job.task == Task::Check { job.attempts } else { 0 }, tx.now()).map(
            |(task, due_at)| Job {
                task,
                due_at,
                attempts: if task == job.task { job.attempts } else { 0 },
                outcome: None,
                debt_id: job.debt_id,
            },
        ),
    };
    store::give_back(tx, job, by, next.as_ref())
}

/// What the provider said of a debt, in our words.
fn observed(tx: &mut Tx<'_>, debt: Debt, found: Option<&Found>) -> storage::Result<Debt> {
    match found.map(|found| &found.standing) {
        Some(Standing::Paid(settlement)) => changes::settled(tx, &debt, settlement),
        Some(Standing::Withdrawn) if rules::is_out(debt.state) => changes::withdrawn(tx, &debt),
        Some(Standing::Open) if debt.state == PaymentState::AwaitingPublication => {
            let out = changes::published(tx, &debt)?;
            changes::date_passed(tx, &out)
        }
        _ => changes::date_passed(tx, &debt),
    }
}

fn position(debt: &Debt, lines: Vec<Line>, debtor: Option<Debtor>) -> Position {
    let transfer = |line: Line| Transfer {
        amount_cents: line.amount_cents,
        description: line.description,
        taxonomy_code: line.taxonomy_code,
        destination: match (line.iban, line.document_digest, line.province) {
            (None, Some(document_digest), Some(province)) => Destination::Stamp { document_digest, province },
            (iban, ..) => Destination::Iban(iban.unwrap_or_default()),
        },
    };
    // Whoever paid may no longer be held: what is asked of the provider then needs no name.
    let payer = debtor.map(|debtor| Payer {
        is_organisation: debtor.legal_name.is_some(),
        full_name: rules::full_name(
            debtor.given_name.as_deref(),
            debtor.family_name.as_deref(),
            debtor.legal_name.as_deref(),
        ),
        tax_code: debtor.tax_code,
        email: debtor.email,
    });
    let nobody = || Payer { is_organisation: false, tax_code: String::new(), full_name: String::new(), email: None };
    Position {
        id: debt.position_id(),
        iuv: debt.iuv.clone(),
        notice_number: debt.notice_number.clone(),
        amount_cents: debt.total_cents,
        description: debt.description.clone(),
        due_at: debt.due_at,
        payer: payer.unwrap_or_else(nobody),
        transfers: lines.into_iter().map(transfer).collect(),
    }
}

fn temporary(reason: &str) -> ProviderDenied {
    ProviderDenied::Temporary { reason: reason.to_owned(), retry_after: None }
}

fn word(denied: &ProviderDenied) -> String {
    match denied {
        ProviderDenied::Temporary { reason, .. }
        | ProviderDenied::Unknown(reason)
        | ProviderDenied::Refused(reason) => reason.clone(),
        ProviderDenied::Exists => "exists".to_owned(),
        ProviderDenied::Missing => "missing".to_owned(),
        ProviderDenied::Key(status) => format!("key-{status}"),
    }
}

fn unavailable() -> Problem {
    Problem::new(&PAYMENT_PROVIDER_UNAVAILABLE).retry_after(10)
}

fn told(why: &ProviderDenied) -> Problem {
    tracing::warn!(reason = %why, "the provider of payments did not do it");
    unavailable()
}
