//! Queries over registrations.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::{Id, PageRequest, Problem};
use platform::{access::policy::Rows, directory::OfficeId, problems::VERSION_MISMATCH};
use storage::{
    DbError, MultiBackend, Tx,
    types::{At, Key},
};

use super::{
    model::{RegistrationId, RegistrationState},
    rules::Settled,
};
use crate::{
    connections::ConnectorKind,
    entries::EntryId,
    ports::Receipt,
    schema::protocol_registrations::{self, self as g},
};

/// A registration, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = protocol_registrations)]
pub struct Row {
    /// Identifier.
    pub id: RegistrationId,
    /// The entry.
    pub entry_id: EntryId,
    /// Its office.
    pub office_id: OfficeId,
    /// To what it is handed on.
    pub connector: ConnectorKind,
    /// How far it is.
    pub state: RegistrationState,
    /// Whether nobody knows what came of an attempt.
    pub in_doubt: bool,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub next_attempt_at: Timestamp,
    /// Until when it is somebody's.
    pub leased_until: Option<Timestamp>,
    /// Why the last attempt came to nothing.
    pub problem: Option<String>,
    /// The register there.
    pub external_register: Option<String>,
    /// The number there.
    pub external_number: Option<String>,
    /// Its year.
    pub external_year: Option<i64>,
    /// When.
    pub external_registered_at: Option<Timestamp>,
    /// How the system knows it.
    pub external_reference: Option<String>,
    /// Counts changes.
    pub version: i64,
    /// Since when it waits.
    pub created_at: Timestamp,
    /// Since when it does not.
    pub settled_at: Option<Timestamp>,
}

/// For how long something is somebody's, and whose.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// The worker.
    pub by: Id<()>,
    /// Past this instant anybody may take it over.
    pub until: Timestamp,
}

/// Adds a registration.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, row: &Row) -> storage::Result<()> {
    let tenant = tx.tenant();
    diesel::insert_into(g::table)
        .values((
            g::tenant_id.eq(Key(tenant)),
            g::id.eq(Key(row.id)),
            g::entry_id.eq(Key(row.entry_id)),
            g::office_id.eq(Key(row.office_id)),
            g::connector.eq(row.connector),
            g::state.eq(row.state),
            g::in_doubt.eq(row.in_doubt),
            g::attempts.eq(row.attempts),
            g::next_attempt_at.eq(At(row.next_attempt_at)),
            g::version.eq(row.version),
            g::created_at.eq(At(row.created_at)),
            g::settled_at.eq(row.settled_at.map(At)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// A registration.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: RegistrationId) -> storage::Result<Option<Row>> {
    let found = g::table.filter(g::tenant_id.eq(Key(tx.tenant()))).filter(g::id.eq(Key(id)));
    Ok(found.select(Row::as_select()).first(tx.conn()).optional()?)
}

/// The registration of an entry.
///
/// # Errors
/// When the database fails.
pub fn of_entry(tx: &mut Tx<'_>, entry: EntryId) -> storage::Result<Option<Row>> {
    let found = g::table.filter(g::tenant_id.eq(Key(tx.tenant()))).filter(g::entry_id.eq(Key(entry)));
    Ok(found.select(Row::as_select()).first(tx.conn()).optional()?)
}

/// A page of the registrations a caller may read, the newest first.
///
/// # Errors
/// When the database fails.
pub fn list(
    tx: &mut Tx<'_>,
    rows: &Rows,
    state: Option<RegistrationState>,
    page: &PageRequest<RegistrationId>,
) -> storage::Result<Vec<Row>> {
    let mut query = g::table.filter(g::tenant_id.eq(Key(tx.tenant()))).into_boxed::<MultiBackend>();
    match rows {
        Rows::All => {}
        Rows::OfOffices(offices) => {
            query = query.filter(g::office_id.eq_any(offices.iter().copied().map(Key).collect::<Vec<_>>()));
        }
        Rows::OwnedBy(_) | Rows::None => return Ok(Vec::new()),
    }
    if let Some(state) = state {
        query = query.filter(g::state.eq(state));
    }
    if let Some(after) = page.after {
        query = query.filter(g::id.lt(Key(after)));
    }
    Ok(query.order(g::id.desc()).limit(page.fetch()).select(Row::as_select()).load(tx.conn())?)
}

/// Whether something is due. One short statement.
///
/// # Errors
/// When the database fails.
pub fn is_any_due(tx: &mut Tx<'_>) -> storage::Result<bool> {
    let now = tx.now();
    let first: Option<i64> = g::table
        .filter(g::tenant_id.eq(Key(tx.tenant())))
        .filter(g::state.eq(RegistrationState::Pending))
        .filter(g::next_attempt_at.le(At(now)))
        .filter(g::leased_until.is_null().or(g::leased_until.le(Some(At(now)))))
        .select(g::version)
        .first(tx.conn())
        .optional()?;
    Ok(first.is_some())
}

/// Takes up to `limit` registrations that are due, to be handed on with this connector; each as it was before. From
/// here on what becomes of them is in doubt until it is settled: whoever takes one may end before he has said what came
/// of it.
///
/// # Errors
/// When the database fails.
pub fn claim(tx: &mut Tx<'_>, lease: Lease, connector: ConnectorKind, limit: i64) -> storage::Result<Vec<Row>> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let due: Vec<Row> = g::table
        .filter(g::tenant_id.eq(Key(tenant)))
        .filter(g::state.eq(RegistrationState::Pending))
        .filter(g::next_attempt_at.le(At(now)))
        .filter(g::leased_until.is_null().or(g::leased_until.le(Some(At(now)))))
        .order((g::next_attempt_at, g::id))
        .limit(limit)
        .select(Row::as_select())
        .load(tx.conn())?;
    let mut taken = Vec::new();
    for row in due {
        // Whoever comes second finds another version: PostgreSQL asks the condition again once the first has committed.
        let free = g::table
            .filter(g::tenant_id.eq(Key(tenant)))
            .filter(g::id.eq(Key(row.id)))
            .filter(g::version.eq(row.version));
        // What is in doubt stays with the system that may have it.
        let kept = row.in_doubt || connector == ConnectorKind::Internal;
        let changed = diesel::update(free)
            .set((
                g::connector.eq(if kept { row.connector } else { connector }),
                g::leased_by.eq(Some(Key(lease.by))),
                g::leased_until.eq(Some(At(lease.until))),
                g::in_doubt.eq(true),
                g::attempts.eq(row.attempts.saturating_add(1)),
                g::version.eq(row.version.saturating_add(1)),
            ))
            .execute(tx.conn())?;
        if changed == 1 {
            taken.push(row);
        }
    }
    Ok(taken)
}

/// Notes what came of an attempt; `false` where somebody else has taken it over meanwhile. A number that was given is
/// noted whoever has it now.
///
/// # Errors
/// When the database fails.
pub fn settle(tx: &mut Tx<'_>, id: RegistrationId, by: Id<()>, settled: &Settled) -> storage::Result<bool> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let row = || g::table.filter(g::tenant_id.eq(Key(tenant))).filter(g::id.eq(Key(id)));
    let found: Option<(RegistrationState, Option<Id<()>>, i64)> =
        row().select((g::state, g::leased_by, g::version)).first(tx.conn()).optional()?;
    let Some((state, holder, version)) = found else { return Ok(false) };
    let own = state == RegistrationState::Pending && holder == Some(by);
    let has_number = settled.receipt.is_some() && state != RegistrationState::Registered;
    if !own && !has_number {
        return Ok(false);
    }
    let settled_at = (settled.state != RegistrationState::Pending).then_some(At(now));
    let changed = diesel::update(row().filter(g::version.eq(version)))
        .set((
            g::state.eq(settled.state),
            g::in_doubt.eq(settled.in_doubt),
            g::next_attempt_at.eq(At(settled.again_at.unwrap_or(now))),
            g::leased_by.eq(None::<Key<()>>),
            g::leased_until.eq(None::<At>),
            g::problem.eq(settled.problem),
            g::settled_at.eq(settled_at),
            g::version.eq(version.saturating_add(1)),
        ))
        .execute(tx.conn())?;
    if changed != 1 {
        return Err(DbError::Retry("somebody else settled it at the same time".to_owned()).into());
    }
    if let Some(receipt) = &settled.receipt {
        write_down(tx, id, receipt)?;
    }
    Ok(true)
}

fn write_down(tx: &mut Tx<'_>, id: RegistrationId, receipt: &Receipt) -> storage::Result<()> {
    diesel::update(g::table.filter(g::tenant_id.eq(Key(tx.tenant()))).filter(g::id.eq(Key(id))))
        .set((
            g::external_register.eq(&receipt.register),
            g::external_number.eq(Some(&receipt.number)),
            g::external_year.eq(Some(receipt.year)),
            g::external_registered_at.eq(receipt.registered_at.map(At)),
            g::external_reference.eq(&receipt.reference),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Has a registration tried anew and at once, to whatever the Comune is connected with now.
///
/// # Errors
/// `version-mismatch` where somebody was faster, or when the database fails.
pub fn retry(tx: &mut Tx<'_>, row: &Row, connector: ConnectorKind) -> storage::Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let as_read =
        g::table.filter(g::tenant_id.eq(Key(tenant))).filter(g::id.eq(Key(row.id))).filter(g::version.eq(row.version));
    let changed = diesel::update(as_read)
        .set((
            g::connector.eq(connector),
            g::state.eq(RegistrationState::Pending),
            g::in_doubt.eq(false),
            g::attempts.eq(0_i64),
            g::next_attempt_at.eq(At(now)),
            g::problem.eq(None::<String>),
            g::settled_at.eq(None::<At>),
            g::version.eq(row.version.saturating_add(1)),
        ))
        .execute(tx.conn())?;
    once(changed)
}

/// Another transaction may have changed it since it was read.
fn once(changed: usize) -> storage::Result<()> {
    if changed == 1 { Ok(()) } else { Err(Problem::new(&VERSION_MISMATCH).into()) }
}

/// Those that wait and of which nobody knows what came of an attempt.
///
/// # Errors
/// When the database fails.
pub fn in_doubt(tx: &mut Tx<'_>) -> storage::Result<Vec<Row>> {
    let waiting = g::table
        .filter(g::tenant_id.eq(Key(tx.tenant())))
        .filter(g::state.eq(RegistrationState::Pending))
        .filter(g::in_doubt.eq(true));
    Ok(waiting.order(g::id).select(Row::as_select()).load(tx.conn())?)
}

/// Ends the waiting of one without anybody having tried it; `false` where somebody has changed it since it was read.
///
/// # Errors
/// When the database fails.
pub fn give_up(tx: &mut Tx<'_>, row: &Row, state: RegistrationState, problem: &str) -> storage::Result<bool> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let as_read = g::table
        .filter(g::tenant_id.eq(Key(tenant)))
        .filter(g::id.eq(Key(row.id)))
        .filter(g::state.eq(RegistrationState::Pending))
        .filter(g::version.eq(row.version));
    let changed = diesel::update(as_read)
        .set((
            g::state.eq(state),
            g::leased_by.eq(None::<Key<()>>),
            g::leased_until.eq(None::<At>),
            g::problem.eq(Some(problem)),
            g::settled_at.eq(Some(At(now))),
            g::version.eq(row.version.saturating_add(1)),
        ))
        .execute(tx.conn())?;
    Ok(changed == 1)
}

/// Writes down the number that somebody has found.
///
/// # Errors
/// `version-mismatch` where somebody was faster, or when the database fails.
pub fn found(tx: &mut Tx<'_>, row: &Row, receipt: &Receipt) -> storage::Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let as_read =
        g::table.filter(g::tenant_id.eq(Key(tenant))).filter(g::id.eq(Key(row.id))).filter(g::version.eq(row.version));
    let changed = diesel::update(as_read)
        .set((
            g::state.eq(RegistrationState::Registered),
            g::in_doubt.eq(false),
            g::problem.eq(None::<String>),
            g::settled_at.eq(Some(At(now))),
            g::version.eq(row.version.saturating_add(1)),
        ))
        .execute(tx.conn())?;
    once(changed)?;
    write_down(tx, row.id, receipt)
}
