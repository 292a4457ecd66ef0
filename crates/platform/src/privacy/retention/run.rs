//! A run of the rules: what is due is disposed of, batch by batch.

use std::collections::HashSet;

use jiff::Timestamp;
use kernel::{Problem, civil};
use serde_json::json;
use storage::{Db, Scope, Tx};

use super::{
    model::{RetentionRun, Services, Step},
    rules, store,
};
use crate::{
    audit::{self, Change},
    privacy::{Due, Holdings, Overdue, PersonalData, RecordId, holds},
};

/// Records disposed of in one transaction: others wait no longer than for these.
const BATCH: i64 = 100;

/// What of a run is being done, for whoever watches.
#[derive(Debug, Clone)]
pub enum Progress<'a> {
    /// A rule, or a default, is looked at.
    Step(&'a Step),
    /// So many more records were looked at.
    Records(u64),
}

/// Does what is due in one Comune, or with `dry_run` only counts it. Answers a run for each rule and default that met
/// records, as it was written down.
///
/// # Errors
/// When the database is busy or fails; what was done until then is done, and the next run goes on from there.
pub async fn all_rules(
    db: &Db,
    holdings: &Holdings,
    scope: &Scope,
    dry_run: bool,
    mut watch: impl FnMut(Progress<'_>),
) -> Result<Vec<RetentionRun>, Problem> {
    let kinds: Vec<_> = holdings.iter().flat_map(|holding| holding.kinds()).copied().collect();
    let steps = db.read(scope, move |tx| Ok(rules::plan(&store::all(tx)?, &kinds))).await?;
    let mut runs = Vec::new();
    for step in steps {
        watch(Progress::Step(&step));
        let Some(holding) = holdings.of(step.record_kind) else { continue };
        let tally = one_rule(db, holding, scope, &step, dry_run, &mut watch).await?;
        runs.extend(written_down(db, scope, &step, dry_run, tally).await?);
    }
    Ok(runs)
}

/// What was met so far.
#[derive(Debug, Clone, Copy)]
struct Tally {
    started_at: Timestamp,
    due_before: Timestamp,
    /// What the first and the last are about.
    span: Option<(Timestamp, Timestamp)>,
    counted: i64,
    disposed: i64,
    held: i64,
}

impl Tally {
    fn add(&mut self, records: &[Overdue], disposed: usize, held: usize) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        let oldest = self.span.map_or(first.at, |(oldest, _)| oldest);
        self.span = Some((oldest, last.at));
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.counted = self.counted.saturating_add(number(records.len()));
        self.disposed = self.disposed.saturating_add(number(disposed));
        self.held = self.held.saturating_add(number(held));
    }
}

async fn one_rule(
    db: &Db,
    holding: &std::sync::Arc<dyn PersonalData>,
    scope: &Scope,
    step: &Step,
    dry_run: bool,
    watch: &mut impl FnMut(Progress<'_>),
) -> Result<Tally, Problem> {
    let now = db.clock().now();
    let due_before = rules::due_before(now, step.after_days);
    let mut tally = Tally { started_at: now, due_before, span: None, counted: 0, disposed: 0, held: 0 };
    let due = Due { kind: step.record_kind, services: step.services.clone(), before: due_before };
    let mut after: Option<(Timestamp, RecordId)> = None;
    loop {
        // Looked for beside the writers: on SQLite there is only one of them.
        let (asked, due) = (std::sync::Arc::clone(holding), due.clone());
        let records = db.read(scope, move |tx| asked.overdue(tx, &due, after, BATCH)).await?;
        let Some(last) = records.last() else { return Ok(tally) };
        after = Some((last.at, last.id));
        let whole = i64::try_from(records.len()).is_ok_and(|found| found < BATCH);
        let (disposed, held) = match rules::disposal(step.action) {
            None => (0, records.len()),
            Some(how) => {
                let (asked, batch, kind) = (std::sync::Arc::clone(holding), records.clone(), step.record_kind);
                let work = move |tx: &mut Tx<'_>| {
                    // Asked in the same transaction: a hold that is there keeps the record.
                    let kept: HashSet<RecordId> = holds::store::kept(tx, kind, &batch)?.into_iter().collect();
                    let free = batch.iter().map(|record| record.id).filter(|id| !kept.contains(id));
                    let free: Vec<RecordId> = free.collect();
                    let disposed = if dry_run { free.len() } else { asked.dispose(tx, kind, how, &free)? };
                    Ok((disposed, kept.len()))
                };
                if dry_run { db.read(scope, work).await? } else { db.write(scope, work).await? }
            }
        };
        tally.add(&records, disposed, held);
        watch(Progress::Records(u64::try_from(records.len()).unwrap_or(u64::MAX)));
        if whole {
            return Ok(tally);
        }
    }
}

/// Writes down what a run met. One that met nothing leaves no trace: most days are such.
async fn written_down(
    db: &Db,
    scope: &Scope,
    step: &Step,
    dry_run: bool,
    tally: Tally,
) -> Result<Option<RetentionRun>, Problem> {
    let Some((oldest_at, newest_at)) = tally.span else { return Ok(None) };
    let service_id = match &step.services {
        Services::One(service) => Some(*service),
        Services::AllBut(_) => None,
    };
    let (rule_id, record_kind, action) = (step.rule_id, step.record_kind, step.action);
    let run = db
        .write(scope, move |tx| {
            let run = RetentionRun {
                id: tx.new_id(),
                rule_id,
                record_kind,
                service_id,
                action,
                due_before: tally.due_before,
                oldest_at,
                newest_at,
                counted: tally.counted,
                disposed: tally.disposed,
                held: tally.held,
                dry_run,
                actor: tx.actor().as_str().to_owned(),
                started_at: tally.started_at,
                ended_at: tx.now(),
            };
            store::insert_run(tx, &run)?;
            let after = json!([record_kind, action, rule_id, run.counted, run.disposed, run.held]);
            let action = if dry_run { "retention.previewed" } else { "retention.run" };
            let change =
                Change { action, subject_kind: "retention_run", subject: run.id, before: None, after: Some(&after) };
            audit::record(tx, change)?;
            Ok(run)
        })
        .await?;
    Ok(Some(run))
}

/// Does what is due in one Comune once a day, whichever gateway comes first.
///
/// # Errors
/// When the database is busy or fails; the day's turn is taken then, and the next day's run goes on.
pub async fn daily(db: &Db, holdings: &Holdings, scope: &Scope) -> Result<Vec<RetentionRun>, Problem> {
    let today = civil::date_of(db.clock().now());
    if !db.write(scope, move |tx| store::take_turn(tx, today)).await? {
        return Ok(Vec::new());
    }
    all_rules(db, holdings, scope, false, |_| ()).await
}
