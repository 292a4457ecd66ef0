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
use tracing::Instrument;

use crate::{
    connection::{self, SUBSCRIPTION_KEY},
    debts::{
        Debt, PaymentId, PaymentState,
        address::Address,
        changes,
        model::{Debtor, Job, Line, Task},
        rules,
        store::{self, Lease},
    },
    ports::{
        Creditor, Destination, Document, Found, Payer, PaymentProvider, Position, ProviderDenied, ReturnUrls, Standing,
        Transfer,
    },
    problems::{PAYMENT_PROVIDER_REFUSED, PAYMENT_PROVIDER_UNAVAILABLE},
};

/// How many jobs are leased together. All of them are begun at once, so that a lease covers the calls of one job.
const BATCH: i64 = 4;
const TOGETHER: usize = 4;
/// How often more are leased before the other Comuni have their turn.
const ROUNDS: u32 = 25;
/// How many calls a job makes at most: looking up, making, looking up what was there already, mending and publishing it.
pub const MOST_CALLS: i64 = 5;
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

    /// Does what is due in one Comune: all of it, unless it is very much, or nothing gets done. `go_on` is asked before
    /// more is begun.
    ///
    /// # Errors
    /// When the database fails: leases run out then, and it is done again.
    pub async fn work(&self, tenant: TenantId, go_on: impl Fn() -> bool) -> Result<(), Problem> {
        let scope = Scope::system(tenant);
        for _ in 0..ROUNDS {
            if !self.is_open() || !go_on() || !self.db.glance(&scope, store::is_any_due).await? {
                break;
            }
            let lease = self.lease();
            let jobs = self.db.write(&scope, move |tx| store::claim(tx, lease, BATCH)).await?;
            let attempts = jobs.into_iter().map(|job| self.attempt(tenant, job));
            // Whatever becomes of one, the others are brought to their end: nobody else has them.
            let outcomes: Vec<_> = stream::iter(attempts).buffer_unordered(TOGETHER).collect().await;
            let outcomes = outcomes.into_iter().collect::<Result<Vec<bool>, Problem>>()?;
            if !outcomes.contains(&true) {
                break;
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
        for _ in 0..LOOKS {
            if self.taken(tenant, id, true).await? {
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
            tried = self.taken(tenant, id, false).await?;
            if !tried {
                tokio::time::sleep(BETWEEN).await;
            }
        }
        Err(unavailable())
    }

    /// Does the job about a debt now, whether it is due or not; `false` where somebody else has it, or there is none.
    /// Where one is `wanted`, it is asked about. Whoever asked for it may go away meanwhile: it is brought to its end.
    async fn taken(&self, tenant: TenantId, id: PaymentId, wanted: bool) -> Result<bool, Problem> {
        let this = self.clone();
        let work = async move {
            let lease = this.lease();
            let take = move |tx: &mut Tx<'_>| {
                if wanted {
                    store::hurry(tx, id, Task::Check)?;
                }
                store::take(tx, id, lease)
            };
            match this.db.write(&Scope::system(tenant), take).await? {
                Some(job) => this.attempt(tenant, job).await.map(|_done| true),
                None => Ok(false),
            }
        };
        tokio::spawn(work.in_current_span()).await.unwrap_or_else(|_stopped| Err(unavailable()))
    }

    /// Does a job, and notes what came of it. Whether the provider did it.
    async fn attempt(&self, tenant: TenantId, job: Job) -> Result<bool, Problem> {
        let outcome = match self.order(tenant, job.debt_id).await {
            Ok(order) => self.ask(&order, &job).await?,
            // The log has the particulars.
            Err(_no_order) => Outcome::Denied(temporary("not-connected")),
        };
        if let Outcome::Denied(why) = &outcome {
            tracing::warn!(payment = %job.debt_id, task = job.task.as_str(), reason = %why, "the provider of payments did not do it");
        }
        let (by, done) = (self.worker, !matches!(outcome, Outcome::Denied(_)));
        self.db.write(&Scope::system(tenant), move |tx| settle(tx, &job, by, &outcome)).await?;
        Ok(done)
    }

    async fn ask(&self, order: &Order, job: &Job) -> Result<Outcome, Problem> {
        let Some(provider) = self.provider.as_deref() else { return Ok(Outcome::Denied(temporary("no-provider"))) };
        let (of, id) = (&order.creditor, order.position.id.as_str());
        Ok(match job.task {
            Task::Publish if order.debt.state == PaymentState::AwaitingPublication => {
                let tried = order.debt.tried_at.is_some();
                if !tried && !self.begun(of.tenant, job.debt_id).await? {
                    return Ok(Outcome::Stands(None));
                }
                publish(provider, order, tried).await.into()
            }
            Task::Publish | Task::Check => provider.status(of, id).await.map(Outcome::Stands).into(),
            Task::Withdraw => match provider.withdraw(of, id).await {
                Ok(()) | Err(ProviderDenied::Missing) => Outcome::Withdrawn,
                // Most likely it was paid meanwhile.
                Err(ProviderDenied::Refused(_)) => provider.status(of, id).await.map(Outcome::Stands).into(),
                Err(denied) => Outcome::Denied(denied),
            },
        })
    }

    /// Notes that the provider is being told of a debt: before it is, since afterwards there may be nobody to note it.
    /// `false` where it is no longer to be told.
    async fn begun(&self, tenant: TenantId, id: PaymentId) -> Result<bool, Problem> {
        let note = move |tx: &mut Tx<'_>| {
            let debt = store::lock(tx, id)?.ok_or_else(not_found)?;
            let waits = debt.state == PaymentState::AwaitingPublication;
            if waits {
                store::tried(tx, id)?;
            }
            Ok(waits)
        };
        self.db.write(&Scope::system(tenant), note).await
    }

    /// Opens a pay page.
    ///
    /// # Errors
    /// `invalid-transition` where it turns out that it cannot be paid, `payment-provider-refused`,
    /// `payment-provider-unavailable`.
    pub async fn cart(&self, order: &Order, back: &ReturnUrls) -> Result<String, Problem> {
        let provider = self.provider.as_deref().ok_or_else(unavailable)?;
        match provider.cart(&order.creditor, &order.position, back).await {
            Ok(address) => Ok(address),
            Err(why) => Err(self.refused(order, &why).await),
        }
    }

    /// The notice to pay with.
    ///
    /// # Errors
    /// `invalid-transition` where it turns out that it cannot be paid, `payment-provider-refused`,
    /// `payment-provider-unavailable`.
    pub async fn notice(&self, order: &Order) -> Result<Document, Problem> {
        let provider = self.provider.as_deref().ok_or_else(unavailable)?;
        match provider.notice(&order.creditor, &order.position).await {
            Ok(document) => Ok(document),
            Err(why) => Err(self.refused(order, &why).await),
        }
    }

    /// Why the provider does nothing for whoever pays: what is known here may be older than what is known there.
    async fn refused(&self, order: &Order, why: &ProviderDenied) -> Problem {
        let told = told(why);
        match why {
            ProviderDenied::Temporary { .. } | ProviderDenied::Unknown(_) | ProviderDenied::Key(_) => told,
            ProviderDenied::Refused(_) | ProviderDenied::Missing | ProviderDenied::Exists => {
                match self.looked_at(order.creditor.tenant, order.debt.id).await {
                    Ok(now) => match rules::must_be_payable(&now.debt, self.now()) {
                        Ok(()) => Problem::new(&PAYMENT_PROVIDER_REFUSED),
                        Err(over) => over,
                    },
                    Err(problem) => problem,
                }
            }
        }
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

/// Makes a position, unless it is there. What was `tried` before may be there, whatever the answer was.
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
    let after = match outcome {
        Outcome::Published => changes::published(tx, &debt)?,
        Outcome::Stands(found) => observed(tx, debt, found.as_ref())?,
        Outcome::Withdrawn => changes::date_passed(tx, &debt)?,
        Outcome::Denied(ProviderDenied::Refused(_) | ProviderDenied::Exists | ProviderDenied::Missing)
            if job.task == Task::Publish =>
        {
            changes::not_taken(tx, &debt)?
        }
        Outcome::Denied(_) => changes::date_passed(tx, &debt)?,
    };
    let failed = |task, outcome, asked| Job {
        task,
        due_at: rules::again(job.failures.saturating_add(1), asked, tx.now()),
        // What came to nothing is no step of the plan.
        attempts: job.attempts.saturating_sub(1),
        failures: job.failures.saturating_add(1),
        outcome: Some(outcome),
        debt_id: job.debt_id,
    };
    let is_open = matches!(outcome, Outcome::Stands(Some(Found { standing: Standing::Open, .. })));
    let checks = if job.task == Task::Check { job.attempts } else { 0 };
    let next = match outcome {
        Outcome::Denied(denied) => {
            let asked = match denied {
                ProviderDenied::Temporary { retry_after, .. } => *retry_after,
                _ => None,
            };
            Some(failed(job.task, word(denied), asked))
        }
        _ => rules::plan_after(&after, is_open, checks, tx.now()).map(|(task, due_at)| {
            // It was done, and is to be done again at once: whatever the reason, not without end.
            if task == job.task && due_at <= tx.now() {
                return failed(task, "to-be-done-again".to_owned(), None);
            }
            let attempts = if task == job.task { job.attempts } else { 0 };
            Job { task, due_at, attempts, failures: 0, outcome: None, debt_id: job.debt_id }
        }),
    };
    store::give_back(tx, job, by, next.as_ref())
}

/// What the provider said of a debt, in our words.
fn observed(tx: &mut Tx<'_>, debt: Debt, found: Option<&Found>) -> storage::Result<Debt> {
    let after = match found.map(|found| &found.standing) {
        Some(Standing::Paid(settlement)) => changes::settled(tx, &debt, settlement)?,
        Some(Standing::Withdrawn) if rules::is_out(debt.state) || debt.state == PaymentState::AwaitingPublication => {
            changes::withdrawn(tx, &debt)?
        }
        // What the provider did not take may be there as something else.
        Some(Standing::Open) if debt.state == PaymentState::AwaitingPublication && !debt.publication_failed => {
            changes::published(tx, &debt)?
        }
        _ => debt,
    };
    // Whatever it said: what is not paid in full by its date is over.
    changes::date_passed(tx, &after)
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
        address: Address::of(&debtor),
        is_organisation: debtor.legal_name.is_some(),
        full_name: rules::full_name(
            debtor.given_name.as_deref(),
            debtor.family_name.as_deref(),
            debtor.legal_name.as_deref(),
        ),
        tax_code: debtor.tax_code,
        email: debtor.email,
    });
    let nobody = || Payer {
        is_organisation: false,
        tax_code: String::new(),
        full_name: String::new(),
        email: None,
        address: None,
    };
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
