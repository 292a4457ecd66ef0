//! Queries over the audit.

use diesel::{prelude::*, sql_types::Text};
use jiff::Timestamp;
use kernel::{Id, PageRequest};
use serde_json::Value;
use storage::{
    MultiBackend, Tx, fixed,
    types::{At, Key, Uid},
};
use uuid::Uuid;

use super::model::{Anchor, Change, Entry, EntryId, Fault, LANES, Walk};
use crate::schema::{audit_entries, audit_lanes};

#[derive(QueryableByName)]
struct End {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    last_seq: i64,
    #[diesel(sql_type = Text)]
    last_hash: String,
}

/// Records a change. Call it last in a transaction: from here on others who drew the same chain wait.
///
/// # Errors
/// When the database fails.
pub fn record<S: 'static>(tx: &mut Tx<'_>, change: Change<'_, S>) -> storage::Result<()> {
    use audit_entries as e;
    let Change { action, subject_kind, subject, before, after } = change;
    let lane = i64::from(tx.lot() % LANES);
    let tenant = tx.tenant();
    // Takes the chain's end until the commit, and says what it was.
    let end: End = fixed(
        "INSERT INTO audit_lanes (tenant_id, lane, last_seq, last_hash) VALUES (?, ?, 1, '') \
         ON CONFLICT (tenant_id, lane) DO UPDATE SET last_seq = audit_lanes.last_seq + 1 \
         RETURNING last_seq, last_hash",
    )
    .bind::<Uid, _>(Key(tenant))
    .bind::<diesel::sql_types::BigInt, _>(lane)
    .get_result(tx.conn())?;
    let digest = |tx: &Tx<'_>, state: Option<&Value>| {
        state.map(|state| hex::encode(tx.seal().digest(&[b"audit-state", state.to_string().as_bytes()])))
    };
    let id: EntryId = tx.new_id();
    let mut entry = Entry {
        tenant_id: tenant,
        lane,
        seq: end.last_seq,
        id,
        occurred_at: tx.now(),
        actor: tx.actor().as_str().to_owned(),
        action: action.to_owned(),
        subject_kind: subject_kind.to_owned(),
        subject_id: subject.cast(),
        before: digest(tx, before),
        after: digest(tx, after),
        previous: end.last_hash,
        hash: String::new(),
    };
    entry.hash = entry.expected_hash(tx.seal());
    diesel::insert_into(e::table)
        .values((
            e::tenant_id.eq(Key(entry.tenant_id)),
            e::lane.eq(entry.lane),
            e::seq.eq(entry.seq),
            e::id.eq(Key(entry.id)),
            e::occurred_at.eq(At(entry.occurred_at)),
            e::actor.eq(&entry.actor),
            e::action.eq(&entry.action),
            e::subject_kind.eq(&entry.subject_kind),
            e::subject_id.eq(Key(entry.subject_id)),
            e::before.eq(&entry.before),
            e::after.eq(&entry.after),
            e::previous.eq(&entry.previous),
            e::hash.eq(&entry.hash),
        ))
        .execute(tx.conn())?;
    diesel::update(audit_lanes::table)
        .filter(audit_lanes::tenant_id.eq(Key(tenant)))
        .filter(audit_lanes::lane.eq(lane))
        .set(audit_lanes::last_hash.eq(&entry.hash))
        .execute(tx.conn())?;
    Ok(())
}

/// Which entries are looked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Sought {
    pub(super) subject_id: Option<Id<Uuid>>,
    pub(super) actor: Option<String>,
    /// The beginning of the action.
    pub(super) action: Option<String>,
    /// From this instant on.
    pub(super) from: Option<Timestamp>,
    /// Before this instant.
    pub(super) to: Option<Timestamp>,
}

/// A page of the entries, by id and so by time.
///
/// # Errors
/// When the database fails.
pub(super) fn list(tx: &mut Tx<'_>, sought: &Sought, page: &PageRequest<EntryId>) -> storage::Result<Vec<Entry>> {
    use audit_entries as e;
    let mut query =
        e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).select(Entry::as_select()).into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(e::id.gt(Key(after)));
    }
    if let Some(subject) = sought.subject_id {
        query = query.filter(e::subject_id.eq(Key(subject)));
    }
    if let Some(actor) = &sought.actor {
        query = query.filter(e::actor.eq(actor));
    }
    if let Some(action) = &sought.action {
        // Letters, dots and hyphens mean nothing to LIKE; an underscore stands for any sign, itself among them.
        query = query.filter(e::action.like(format!("{action}%")));
    }
    if let Some(from) = sought.from {
        query = query.filter(e::occurred_at.ge(At(from)));
    }
    if let Some(to) = sought.to {
        query = query.filter(e::occurred_at.lt(At(to)));
    }
    Ok(query.order(e::id).limit(page.fetch()).load(tx.conn())?)
}

/// Everything that somebody did, the first thing first.
///
/// # Errors
/// When the database fails.
pub fn by_actor(tx: &mut Tx<'_>, actor: &str) -> storage::Result<Vec<Entry>> {
    use audit_entries as e;
    let theirs = e::table.filter(e::tenant_id.eq(Key(tx.tenant()))).filter(e::actor.eq(actor));
    Ok(theirs.order(e::id).select(Entry::as_select()).load(tx.conn())?)
}

/// Entries read at a time.
const CHUNK: i64 = 1000;

/// Checks every chain of the tenant, and that it still contains what an anchor saw. No fault, no change.
///
/// # Errors
/// When the database fails.
pub fn verify(tx: &mut Tx<'_>, anchors: &[Anchor]) -> storage::Result<(u64, Vec<Fault>)> {
    use audit_entries as e;
    let tenant = Key(tx.tenant());
    let ends: Vec<(i64, i64, String)> = audit_lanes::table
        .filter(audit_lanes::tenant_id.eq(tenant))
        .order(audit_lanes::lane)
        .select((audit_lanes::lane, audit_lanes::last_seq, audit_lanes::last_hash))
        .load(tx.conn())?;
    let known: Vec<i64> = e::table.filter(e::tenant_id.eq(tenant)).select(e::lane).distinct().load(tx.conn())?;
    let mut lanes: Vec<i64> = ends.iter().map(|end| end.0).chain(known).collect();
    lanes.sort_unstable();
    lanes.dedup();

    let (mut count, mut faults) = (0_u64, Vec::new());
    for lane in lanes {
        let mut walk = Walk::new(lane);
        let mut anchored: Vec<&Anchor> = anchors.iter().filter(|anchor| anchor.lane == lane).collect();
        loop {
            let entries: Vec<Entry> = e::table
                .filter(e::tenant_id.eq(tenant))
                .filter(e::lane.eq(lane))
                .filter(e::seq.gt(walk.seq()))
                .order(e::seq)
                .limit(CHUNK)
                .select(Entry::as_select())
                .load(tx.conn())?;
            if entries.is_empty() {
                break;
            }
            for entry in &entries {
                count = count.saturating_add(1);
                faults.extend(walk.step(entry, tx.seal()));
                anchored.retain(|anchor| (anchor.seq, &anchor.hash) != (entry.seq, &entry.hash));
            }
        }
        let (seq, hash) = ends.iter().find(|end| end.0 == lane).map_or((0, ""), |(_, seq, hash)| (*seq, hash.as_str()));
        faults.extend(walk.ends_at(seq, hash));
        faults.extend(anchored.iter().map(|anchor| Fault::Unanchored { lane, seq: anchor.seq }));
    }
    let gone = |anchor: &&Anchor| !ends.iter().any(|end| end.0 == anchor.lane);
    let gone = anchors.iter().filter(gone).map(|anchor| Fault::Unanchored { lane: anchor.lane, seq: anchor.seq });
    for fault in gone {
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    Ok((count, faults))
}

/// Where the tenant's chains end now.
///
/// # Errors
/// When the database fails.
pub fn anchor(tx: &mut Tx<'_>, slug: &str) -> storage::Result<Vec<Anchor>> {
    let ends: Vec<(i64, i64, String)> = audit_lanes::table
        .filter(audit_lanes::tenant_id.eq(Key(tx.tenant())))
        .order(audit_lanes::lane)
        .select((audit_lanes::lane, audit_lanes::last_seq, audit_lanes::last_hash))
        .load(tx.conn())?;
    Ok(ends.into_iter().map(|(lane, seq, hash)| Anchor { tenant: slug.to_owned(), lane, seq, hash }).collect())
}
