//! Queries over debts, their lines, who owes them, and what is still to be done about them.

use diesel::{prelude::*, sql_types::Text};
use jiff::Timestamp;
use kernel::{Id, PageRequest};
use platform::{access::policy::Rows, directory::OfficeId};
use storage::{
    MultiBackend, Tx, fixed,
    types::{At, Instant, Key, Uid},
};

use super::model::{Attention, Debt, Debtor, Job, Line, PaymentId, PaymentState, Task};
use crate::schema::{payment_debtors as p, payment_debts as d, payment_lines as l, payment_tasks as t};

/// Writes a new debt, with its lines and who owes it.
///
/// # Errors
/// When the database fails.
pub(crate) fn insert(tx: &mut Tx<'_>, debt: &Debt, lines: &[Line], debtor: &Debtor) -> storage::Result<()> {
    let tenant = Key(tx.tenant());
    diesel::insert_into(d::table)
        .values((
            d::tenant_id.eq(tenant),
            d::id.eq(Key(debt.id)),
            d::subject_kind.eq(&debt.subject_kind),
            d::subject_id.eq(Key(debt.subject_id)),
            d::office_id.eq(Key(debt.office_id)),
            d::owner.eq(&debt.owner),
            d::person_key.eq(&debt.person_key),
            d::description.eq(&debt.description),
            d::total_cents.eq(debt.total_cents),
            d::due_at.eq(At(debt.due_at)),
            d::due_when.eq(debt.due_when),
            d::creditor.eq(&debt.creditor),
            d::notice_number.eq(&debt.notice_number),
            d::iuv.eq(&debt.iuv),
            d::state.eq(debt.state),
            d::paid_late.eq(debt.paid_late),
            d::amount_mismatch.eq(debt.amount_mismatch),
            d::publication_failed.eq(debt.publication_failed),
            d::access_hash.eq(&debt.access_hash),
            d::version.eq(debt.version),
            d::created_at.eq(At(debt.created_at)),
            d::updated_at.eq(At(debt.updated_at)),
        ))
        .execute(tx.conn())?;
    for (place, line) in lines.iter().enumerate() {
        diesel::insert_into(l::table)
            .values((
                l::tenant_id.eq(tenant),
                l::debt_id.eq(Key(debt.id)),
                l::place.eq(i64::try_from(place).unwrap_or(i64::MAX)),
                l::description.eq(&line.description),
                l::taxonomy_code.eq(&line.taxonomy_code),
                l::amount_cents.eq(line.amount_cents),
                l::iban.eq(&line.iban),
                l::document_digest.eq(&line.document_digest),
                l::province.eq(&line.province),
            ))
            .execute(tx.conn())?;
    }
    diesel::insert_into(p::table)
        .values((
            p::tenant_id.eq(tenant),
            p::debt_id.eq(Key(debt.id)),
            p::given_name.eq(&debtor.given_name),
            p::family_name.eq(&debtor.family_name),
            p::legal_name.eq(&debtor.legal_name),
            p::tax_code.eq(&debtor.tax_code),
            p::email.eq(&debtor.email),
            p::street.eq(&debtor.street),
            p::building_number.eq(&debtor.building_number),
            p::postal_code.eq(&debtor.postal_code),
            p::locality.eq(&debtor.locality),
            p::province.eq(&debtor.province),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// A debt.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: PaymentId) -> storage::Result<Option<Debt>> {
    let found = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
    Ok(found.select(Debt::as_select()).first(tx.conn()).optional()?)
}

/// A debt that nobody else changes until the transaction ends. On SQLite none could.
///
/// # Errors
/// When the database fails.
pub(crate) fn lock(tx: &mut Tx<'_>, id: PaymentId) -> storage::Result<Option<Debt>> {
    if tx.writes_beside_others() {
        let row = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
        diesel::update(row).set(d::version.eq(d::version)).execute(tx.conn())?;
    }
    get(tx, id)
}

/// The debt that a notice number names, the newest where a Comune has changed its codice fiscale.
///
/// # Errors
/// When the database fails.
pub(crate) fn by_notice(tx: &mut Tx<'_>, notice_number: &str) -> storage::Result<Option<Debt>> {
    let found = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::notice_number.eq(notice_number));
    Ok(found.order(d::id.desc()).select(Debt::as_select()).first(tx.conn()).optional()?)
}

/// Writes what has become of a debt.
///
/// # Errors
/// When the database fails.
pub(crate) fn save(tx: &mut Tx<'_>, debt: &Debt) -> storage::Result<()> {
    let row = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(debt.id)));
    diesel::update(row)
        .set((
            d::owner.eq(&debt.owner),
            d::person_key.eq(&debt.person_key),
            d::description.eq(&debt.description),
            d::due_at.eq(At(debt.due_at)),
            d::state.eq(debt.state),
            d::paid_late.eq(debt.paid_late),
            d::amount_mismatch.eq(debt.amount_mismatch),
            d::publication_failed.eq(debt.publication_failed),
            d::published_at.eq(debt.published_at.map(At)),
            d::paid_at.eq(debt.paid_at.map(At)),
            d::paid_cents.eq(debt.paid_cents),
            d::receipt_reference.eq(&debt.receipt_reference),
            d::access_hash.eq(&debt.access_hash),
            d::version.eq(debt.version),
            d::updated_at.eq(At(debt.updated_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Notes that the provider is told of a debt now for the first time. Nobody is told: nothing has come of it yet.
///
/// # Errors
/// When the database fails.
pub(crate) fn tried(tx: &mut Tx<'_>, id: PaymentId) -> storage::Result<()> {
    let row = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
    diesel::update(row.filter(d::tried_at.is_null())).set(d::tried_at.eq(Some(At(tx.now())))).execute(tx.conn())?;
    Ok(())
}

/// Takes out what the lines tell of a person: in the words of whoever wrote them, and in what a stamp is for.
///
/// # Errors
/// When the database fails.
pub(crate) fn blank_lines(tx: &mut Tx<'_>, id: PaymentId) -> storage::Result<()> {
    let of = || l::table.filter(l::tenant_id.eq(Key(tx.tenant()))).filter(l::debt_id.eq(Key(id)));
    let (lines, stamps) = (of(), of().filter(l::iban.is_null()));
    diesel::update(lines).set(l::description.eq("")).execute(tx.conn())?;
    diesel::update(stamps).set((l::document_digest.eq(Some("")), l::province.eq(Some("")))).execute(tx.conn())?;
    Ok(())
}

/// The lines of a debt, in order.
///
/// # Errors
/// When the database fails.
pub fn lines(tx: &mut Tx<'_>, id: PaymentId) -> storage::Result<Vec<Line>> {
    let of = l::table.filter(l::tenant_id.eq(Key(tx.tenant()))).filter(l::debt_id.eq(Key(id)));
    Ok(of.order(l::place).select(Line::as_select()).load(tx.conn())?)
}

/// Who owes it, while that is held.
///
/// # Errors
/// When the database fails.
pub fn debtor(tx: &mut Tx<'_>, id: PaymentId) -> storage::Result<Option<Debtor>> {
    let of = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).filter(p::debt_id.eq(Key(id)));
    Ok(of.select(Debtor::as_select()).first(tx.conn()).optional()?)
}

/// Whether it is held where they live.
///
/// # Errors
/// When the database fails.
pub(crate) fn has_address(tx: &mut Tx<'_>, id: PaymentId) -> storage::Result<bool> {
    let of = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).filter(p::debt_id.eq(Key(id)));
    let found: Option<PaymentId> = of.filter(p::street.is_not_null()).select(p::debt_id).first(tx.conn()).optional()?;
    Ok(found.is_some())
}

/// Puts right who owes it.
///
/// # Errors
/// When the database fails.
pub(crate) fn save_debtor(tx: &mut Tx<'_>, id: PaymentId, debtor: &Debtor) -> storage::Result<()> {
    let row = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).filter(p::debt_id.eq(Key(id)));
    diesel::update(row)
        .set((p::given_name.eq(&debtor.given_name), p::family_name.eq(&debtor.family_name), p::email.eq(&debtor.email)))
        .execute(tx.conn())?;
    Ok(())
}

/// Which debts are listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) notice_number: Option<String>,
    pub(crate) state: Option<PaymentState>,
    pub(crate) office: Option<OfficeId>,
    pub(crate) attention: Option<Attention>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

/// A page of the debts that a caller may see, the newest first.
///
/// # Errors
/// When the database fails.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    rows: &Rows,
    filter: &Filter,
    page: &PageRequest<(Timestamp, PaymentId)>,
) -> storage::Result<Vec<Debt>> {
    let mut query = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).into_boxed::<MultiBackend>();
    query = match rows {
        Rows::All => query,
        Rows::OfOffices(offices) => query.filter(d::office_id.eq_any(offices.iter().copied().map(Key))),
        Rows::OwnedBy(owner) => query.filter(d::owner.eq(owner)),
        Rows::None => return Ok(Vec::new()),
    };
    if let Some(number) = &filter.notice_number {
        query = query.filter(d::notice_number.eq(number));
    }
    if let Some(state) = filter.state {
        query = query.filter(d::state.eq(state));
    }
    if let Some(office) = filter.office {
        query = query.filter(d::office_id.eq(Key(office)));
    }
    query = match filter.attention {
        None => query,
        Some(Attention::PaidLate) => query.filter(d::paid_late.eq(true)),
        Some(Attention::AmountMismatch) => query.filter(d::amount_mismatch.eq(true)),
        Some(Attention::PublicationFailed) => query.filter(d::publication_failed.eq(true)),
    };
    if let Some(from) = filter.from {
        query = query.filter(d::created_at.ge(At(from)));
    }
    if let Some(until) = filter.until {
        query = query.filter(d::created_at.lt(At(until)));
    }
    if let Some((at, id)) = page.after {
        let same = d::created_at.eq(At(at)).and(d::id.lt(Key(id)));
        query = query.filter(d::created_at.lt(At(at)).or(same));
    }
    let newest = query.order((d::created_at.desc(), d::id.desc())).limit(page.fetch());
    Ok(newest.select(Debt::as_select()).load(tx.conn())?)
}

/// Says what is to be done about a debt and when; nothing any more where `plan` is none. Whoever is doing something
/// about it goes on, and finds that it was said anew.
///
/// # Errors
/// When the database fails.
pub(crate) fn schedule(tx: &mut Tx<'_>, id: PaymentId, plan: Option<(Task, Timestamp)>) -> storage::Result<()> {
    let Some((task, due_at)) = plan else {
        let row = t::table.filter(t::tenant_id.eq(Key(tx.tenant()))).filter(t::debt_id.eq(Key(id)));
        diesel::delete(row).execute(tx.conn())?;
        return Ok(());
    };
    fixed(
        "INSERT INTO payment_tasks (tenant_id, debt_id, task, due_at, attempts, failures) VALUES (?, ?, ?, ?, 0, 0) \
         ON CONFLICT (tenant_id, debt_id) DO UPDATE SET task = excluded.task, due_at = excluded.due_at, \
         attempts = 0, failures = 0, outcome = NULL",
    )
    .bind::<Uid, _>(Key(tx.tenant()))
    .bind::<Uid, _>(Key(id))
    .bind::<Text, _>(task.as_str())
    .bind::<Instant, _>(At(due_at))
    .execute(tx.conn())?;
    Ok(())
}

/// Has what is to be done about a debt be done now, and this where nothing is. What was said stays said: whoever has
/// the provider asked must not make it forget that something is to be withdrawn there.
///
/// # Errors
/// When the database fails.
pub(crate) fn hurry(tx: &mut Tx<'_>, id: PaymentId, otherwise: Task) -> storage::Result<()> {
    // Whoever is doing it now may have asked a moment too early: then it is done once more.
    fixed(
        "INSERT INTO payment_tasks (tenant_id, debt_id, task, due_at, attempts, failures) VALUES (?, ?, ?, ?, 0, 0) \
         ON CONFLICT (tenant_id, debt_id) DO UPDATE SET due_at = excluded.due_at, attempts = 0 \
         WHERE payment_tasks.due_at > excluded.due_at OR payment_tasks.leased_by IS NOT NULL",
    )
    .bind::<Uid, _>(Key(tx.tenant()))
    .bind::<Uid, _>(Key(id))
    .bind::<Text, _>(otherwise.as_str())
    .bind::<Instant, _>(At(tx.now()))
    .execute(tx.conn())?;
    Ok(())
}

/// Has be done now what waits because a key was not accepted, or because there was none.
///
/// # Errors
/// When the database fails.
pub(crate) fn hurry_what_had_no_key(tx: &mut Tx<'_>) -> storage::Result<()> {
    let now = At(tx.now());
    let waits = t::table.filter(t::tenant_id.eq(Key(tx.tenant()))).filter(t::due_at.gt(now));
    let refused = waits.filter(t::outcome.like("key-%").or(t::outcome.eq(Some("not-connected"))));
    diesel::update(refused).set((t::due_at.eq(now), t::failures.eq(0_i64))).execute(tx.conn())?;
    Ok(())
}

/// For how long a job is somebody's, and whose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    pub(crate) by: Id<()>,
    pub(crate) until: Timestamp,
}

/// Takes up to `limit` jobs that are due.
///
/// # Errors
/// When the database fails.
pub(crate) fn claim(tx: &mut Tx<'_>, lease: Lease, limit: i64) -> storage::Result<Vec<Job>> {
    let now = At(tx.now());
    let due: Vec<PaymentId> = t::table
        .filter(t::tenant_id.eq(Key(tx.tenant())))
        .filter(t::due_at.le(now))
        .filter(t::leased_until.is_null().or(t::leased_until.le(Some(now))))
        .order((t::due_at, t::debt_id))
        .limit(limit)
        .select(t::debt_id)
        .load(tx.conn())?;
    let mut claimed = Vec::new();
    for id in due {
        claimed.extend(take(tx, id, lease)?);
    }
    Ok(claimed)
}

/// Takes one job, whether it is due or not; nothing where somebody else has it.
///
/// # Errors
/// When the database fails.
pub(crate) fn take(tx: &mut Tx<'_>, id: PaymentId, lease: Lease) -> storage::Result<Option<Job>> {
    let (tenant, now) = (Key(tx.tenant()), At(tx.now()));
    let free = t::table
        .filter(t::tenant_id.eq(tenant))
        .filter(t::debt_id.eq(Key(id)))
        .filter(t::leased_until.is_null().or(t::leased_until.le(Some(now))));
    let taken = diesel::update(free)
        .set((
            t::leased_by.eq(Some(Key(lease.by))),
            t::leased_until.eq(Some(At(lease.until))),
            t::attempts.eq(t::attempts + 1),
        ))
        .execute(tx.conn())?;
    if taken == 0 {
        return Ok(None);
    }
    let row = t::table.filter(t::tenant_id.eq(tenant)).filter(t::debt_id.eq(Key(id)));
    Ok(row.select(Job::as_select()).first(tx.conn()).optional()?)
}

/// Gives a job back: what is to be done next, and after how many attempts. What was said meanwhile stands.
///
/// # Errors
/// When the database fails.
pub(crate) fn give_back(tx: &mut Tx<'_>, job: &Job, by: Id<()>, next: Option<&Job>) -> storage::Result<()> {
    let tenant = Key(tx.tenant());
    let mine = || {
        t::table
            .filter(t::tenant_id.eq(tenant))
            .filter(t::debt_id.eq(Key(job.debt_id)))
            .filter(t::leased_by.eq(Some(Key(by))))
    };
    let unchanged = || mine().filter(t::due_at.eq(At(job.due_at))).filter(t::task.eq(job.task));
    match next {
        None => {
            diesel::delete(unchanged()).execute(tx.conn())?;
        }
        Some(next) => {
            diesel::update(unchanged())
                .set((
                    t::task.eq(next.task),
                    t::due_at.eq(At(next.due_at)),
                    t::attempts.eq(next.attempts),
                    t::failures.eq(next.failures),
                    t::outcome.eq(&next.outcome),
                ))
                .execute(tx.conn())?;
        }
    }
    diesel::update(mine())
        .set((t::leased_by.eq(None::<Key<()>>), t::leased_until.eq(None::<At>)))
        .execute(tx.conn())?;
    Ok(())
}

/// Whether something is due now.
///
/// # Errors
/// When the database fails.
pub(crate) fn is_any_due(tx: &mut Tx<'_>) -> storage::Result<bool> {
    let now = At(tx.now());
    let due = t::table
        .filter(t::tenant_id.eq(Key(tx.tenant())))
        .filter(t::due_at.le(now))
        .filter(t::leased_until.is_null().or(t::leased_until.le(Some(now))));
    let found: Option<PaymentId> = due.select(t::debt_id).first(tx.conn()).optional()?;
    Ok(found.is_some())
}
