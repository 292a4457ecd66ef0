//! Queries over rules of retention and their runs.

use diesel::prelude::*;
use kernel::{Id, PageRequest, Problem};
use storage::{
    MultiBackend, Tx, fixed,
    types::{At, CivilDate, Day, Key, Uid},
};
use uuid::Uuid;

use super::model::{RecordKind, RetentionAction, RetentionRule, RetentionRuleId, RetentionRun, RetentionRunId};
use crate::{
    privacy::RecordId,
    problems::VERSION_MISMATCH,
    schema::{retention_rules as r, retention_runs as n},
};

/// Stands for every service: a key compares it, which it would not do with an absent one.
const EVERY: RecordId = Id::from_uuid(Uuid::nil());

type Row = (RetentionRuleId, RecordKind, RecordId, RetentionAction, i64, i64, jiff::Timestamp);

fn rule_of((id, record_kind, service, action, after_days, version, created_at): Row) -> RetentionRule {
    let service_id = (service != EVERY).then_some(service);
    RetentionRule { id, record_kind, service_id, action, after_days, version, created_at }
}

macro_rules! columns {
    () => {
        (r::id, r::record_kind, r::service_id, r::action, r::after_days, r::version, r::created_at)
    };
}

/// A page of the rules, by id.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>, page: &PageRequest<RetentionRuleId>) -> storage::Result<Vec<RetentionRule>> {
    let mut query = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).select(columns!()).into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(r::id.gt(Key(after)));
    }
    let rows: Vec<Row> = query.order(r::id).limit(page.fetch()).load(tx.conn())?;
    Ok(rows.into_iter().map(rule_of).collect())
}

/// Every rule there is.
///
/// # Errors
/// When the database fails.
pub fn all(tx: &mut Tx<'_>) -> storage::Result<Vec<RetentionRule>> {
    let mine = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).order(r::id);
    let rows: Vec<Row> = mine.select(columns!()).load(tx.conn())?;
    Ok(rows.into_iter().map(rule_of).collect())
}

/// One rule.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: RetentionRuleId) -> storage::Result<Option<RetentionRule>> {
    let mine = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).filter(r::id.eq(Key(id)));
    let row: Option<Row> = mine.select(columns!()).first(tx.conn()).optional()?;
    Ok(row.map(rule_of))
}

/// Adds a rule.
///
/// # Errors
/// When these records have one already or the database fails.
pub fn insert(tx: &mut Tx<'_>, rule: &RetentionRule) -> storage::Result<()> {
    diesel::insert_into(r::table)
        .values((
            r::tenant_id.eq(Key(tx.tenant())),
            r::id.eq(Key(rule.id)),
            r::record_kind.eq(rule.record_kind),
            r::service_id.eq(Key(rule.service_id.unwrap_or(EVERY))),
            r::action.eq(rule.action),
            r::after_days.eq(rule.after_days),
            r::version.eq(rule.version),
            r::created_at.eq(At(rule.created_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Writes a rule over the version before it.
///
/// # Errors
/// `version-mismatch` when somebody was faster, or when the database fails.
pub fn update(tx: &mut Tx<'_>, rule: &RetentionRule) -> storage::Result<()> {
    let mine = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).filter(r::id.eq(Key(rule.id)));
    let changed = diesel::update(mine.filter(r::version.eq(rule.version.saturating_sub(1))))
        .set((r::action.eq(rule.action), r::after_days.eq(rule.after_days), r::version.eq(rule.version)))
        .execute(tx.conn())?;
    hit(changed)
}

/// Takes a rule out in this version.
///
/// # Errors
/// `version-mismatch` when somebody was faster, or when the database fails.
pub fn delete(tx: &mut Tx<'_>, rule: &RetentionRule) -> storage::Result<()> {
    let mine = r::table.filter(r::tenant_id.eq(Key(tx.tenant()))).filter(r::id.eq(Key(rule.id)));
    hit(diesel::delete(mine.filter(r::version.eq(rule.version))).execute(tx.conn())?)
}

fn hit(rows: usize) -> storage::Result<()> {
    if rows == 1 { Ok(()) } else { Err(Problem::new(&VERSION_MISMATCH).into()) }
}

/// Writes down what a run did.
///
/// # Errors
/// When the database fails.
pub fn insert_run(tx: &mut Tx<'_>, run: &RetentionRun) -> storage::Result<()> {
    diesel::insert_into(n::table)
        .values((
            n::tenant_id.eq(Key(tx.tenant())),
            n::id.eq(Key(run.id)),
            n::rule_id.eq(run.rule_id.map(Key)),
            n::record_kind.eq(run.record_kind),
            n::service_id.eq(run.service_id.map(Key)),
            n::action.eq(run.action),
            n::due_before.eq(At(run.due_before)),
            n::oldest_at.eq(At(run.oldest_at)),
            n::newest_at.eq(At(run.newest_at)),
            n::counted.eq(run.counted),
            n::disposed.eq(run.disposed),
            n::held.eq(run.held),
            n::dry_run.eq(run.dry_run),
            n::actor.eq(&run.actor),
            n::started_at.eq(At(run.started_at)),
            n::ended_at.eq(At(run.ended_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// A page of the runs, the last one first.
///
/// # Errors
/// When the database fails.
pub fn runs(tx: &mut Tx<'_>, page: &PageRequest<RetentionRunId>) -> storage::Result<Vec<RetentionRun>> {
    let mut query = n::table
        .filter(n::tenant_id.eq(Key(tx.tenant())))
        .select(RetentionRun::as_select())
        .into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(n::id.lt(Key(after)));
    }
    Ok(query.order(n::id.desc()).limit(page.fetch()).load(tx.conn())?)
}

/// Takes the daily run of a day upon oneself. `false` when somebody has already.
///
/// # Errors
/// When the database fails.
pub fn take_turn(tx: &mut Tx<'_>, day: jiff::civil::Date) -> storage::Result<bool> {
    let taken = fixed(
        "INSERT INTO retention_turns (tenant_id, day) VALUES (?, ?) ON CONFLICT (tenant_id) \
         DO UPDATE SET day = excluded.day WHERE retention_turns.day < excluded.day",
    )
    .bind::<Uid, _>(Key(tx.tenant()))
    .bind::<CivilDate, _>(Day(day))
    .execute(tx.conn())?;
    Ok(taken == 1)
}
