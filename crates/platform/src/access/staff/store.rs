//! Queries over the people who work for the Comune.

use std::collections::HashMap;

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::{Id, PageRequest, Problem};
use storage::{
    MultiBackend, Tx,
    types::{At, Key},
};

use super::model::{StaffEntry, StaffId, StaffMember, StaffRole};
use crate::{
    directory::Office,
    problems::VERSION_MISMATCH,
    schema::{offices, staff_members, staff_offices},
};

/// Enrols somebody.
///
/// # Errors
/// When the subject is already enrolled or the database fails.
pub fn insert(
    tx: &mut Tx<'_>,
    provider: &str,
    subject: &str,
    display_name: &str,
    role: StaffRole,
    offices: &[Id<Office>],
) -> storage::Result<Id<StaffMember>> {
    use staff_members as s;
    let id = tx.new_id();
    diesel::insert_into(s::table)
        .values((
            s::tenant_id.eq(Key(tx.tenant())),
            s::id.eq(Key(id)),
            s::provider.eq(provider),
            s::subject.eq(subject),
            s::display_name.eq(display_name),
            s::role.eq(role),
            s::disabled_at.eq(None::<At>),
            s::created_at.eq(At(tx.now())),
        ))
        .execute(tx.conn())?;
    link(tx, id, offices)?;
    Ok(id)
}

fn link(tx: &mut Tx<'_>, id: StaffId, offices: &[Id<Office>]) -> storage::Result<()> {
    for office in offices {
        diesel::insert_into(staff_offices::table)
            .values((
                staff_offices::tenant_id.eq(Key(tx.tenant())),
                staff_offices::staff_id.eq(Key(id)),
                staff_offices::office_id.eq(Key(*office)),
            ))
            .execute(tx.conn())?;
    }
    Ok(())
}

/// What the colleagues of these ids are called, those who have left too.
///
/// # Errors
/// When the database fails.
pub fn names(tx: &mut Tx<'_>, ids: &[Id<StaffMember>]) -> storage::Result<HashMap<Id<StaffMember>, String>> {
    use staff_members as s;
    let keys: Vec<_> = ids.iter().copied().map(Key).collect();
    let rows: Vec<(Id<StaffMember>, String)> = s::table
        .filter(s::tenant_id.eq(Key(tx.tenant())))
        .filter(s::id.eq_any(keys))
        .select((s::id, s::display_name))
        .load(tx.conn())?;
    Ok(rows.into_iter().collect())
}

/// Whoever has this subject, unless they were disabled.
///
/// # Errors
/// When the database fails.
pub fn by_subject(tx: &mut Tx<'_>, provider: &str, subject: &str) -> storage::Result<Option<StaffMember>> {
    use staff_members as s;
    let found: Option<(Id<StaffMember>, StaffRole, Option<Timestamp>)> = s::table
        .filter(s::tenant_id.eq(Key(tx.tenant())))
        .filter(s::provider.eq(provider))
        .filter(s::subject.eq(subject))
        .select((s::id, s::role, s::disabled_at))
        .first(tx.conn())
        .optional()?;
    member(tx, found)
}

/// Whoever has this id, unless they were disabled.
///
/// # Errors
/// When the database fails.
pub fn by_id(tx: &mut Tx<'_>, id: StaffId) -> storage::Result<Option<StaffMember>> {
    use staff_members as s;
    let found = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::id.eq(Key(id)));
    let found = found.select((s::id, s::role, s::disabled_at)).first(tx.conn()).optional()?;
    member(tx, found)
}

/// Puts somebody who gets in together with their offices.
fn member(
    tx: &mut Tx<'_>,
    found: Option<(Id<StaffMember>, StaffRole, Option<Timestamp>)>,
) -> storage::Result<Option<StaffMember>> {
    let Some((id, role, None)) = found else { return Ok(None) };
    let rows: Vec<(Id<Office>, bool)> = staff_offices::table
        .inner_join(
            offices::table
                .on(offices::tenant_id.eq(staff_offices::tenant_id).and(offices::id.eq(staff_offices::office_id))),
        )
        .filter(staff_offices::tenant_id.eq(Key(tx.tenant())))
        .filter(staff_offices::staff_id.eq(Key(id)))
        .select((offices::id, offices::central))
        .order(offices::id)
        .load(tx.conn())?;
    let central = rows.iter().any(|(_, central)| *central);
    Ok(Some(StaffMember { id, role, offices: rows.into_iter().map(|(id, _)| id).collect(), central }))
}

type Row = (StaffId, String, String, String, StaffRole, Option<Timestamp>, Timestamp, i64);

/// What is asked for of each entry.
macro_rules! columns {
    () => {
        (
            staff_members::id,
            staff_members::provider,
            staff_members::subject,
            staff_members::display_name,
            staff_members::role,
            staff_members::disabled_at,
            staff_members::created_at,
            staff_members::version,
        )
    };
}

/// Puts each entry together with its offices.
fn with_offices(tx: &mut Tx<'_>, rows: Vec<Row>) -> storage::Result<Vec<StaffEntry>> {
    let keys: Vec<_> = rows.iter().map(|row| Key(row.0)).collect();
    let links: Vec<(StaffId, Id<Office>)> = staff_offices::table
        .filter(staff_offices::tenant_id.eq(Key(tx.tenant())))
        .filter(staff_offices::staff_id.eq_any(keys))
        .order((staff_offices::staff_id, staff_offices::office_id))
        .select((staff_offices::staff_id, staff_offices::office_id))
        .load(tx.conn())?;
    let mut offices = HashMap::<StaffId, Vec<Id<Office>>>::new();
    for (member, office) in links {
        offices.entry(member).or_default().push(office);
    }
    let entry = |(id, provider, subject, display_name, role, disabled_at, created_at, version): Row| StaffEntry {
        id,
        provider,
        subject,
        display_name,
        role,
        office_ids: offices.remove(&id).unwrap_or_default(),
        disabled_at,
        created_at,
        version,
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// A page of the staff, by id.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>, page: &PageRequest<StaffId>) -> storage::Result<Vec<StaffEntry>> {
    use staff_members as s;
    let mut query = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).select(columns!()).into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(s::id.gt(Key(after)));
    }
    let rows: Vec<Row> = query.order(s::id).limit(page.fetch()).load(tx.conn())?;
    with_offices(tx, rows)
}

/// One entry.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: StaffId) -> storage::Result<Option<StaffEntry>> {
    use staff_members as s;
    let mine = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::id.eq(Key(id)));
    let rows: Vec<Row> = mine.select(columns!()).load(tx.conn())?;
    Ok(with_offices(tx, rows)?.pop())
}

/// The entry of a subject, disabled or not.
///
/// # Errors
/// When the database fails.
pub fn entry_of(tx: &mut Tx<'_>, provider: &str, subject: &str) -> storage::Result<Option<StaffEntry>> {
    use staff_members as s;
    let mine = s::table.filter(s::tenant_id.eq(Key(tx.tenant())));
    let mine = mine.filter(s::provider.eq(provider)).filter(s::subject.eq(subject));
    let rows: Vec<Row> = mine.select(columns!()).load(tx.conn())?;
    Ok(with_offices(tx, rows)?.pop())
}

/// How many admins can sign in, after everybody else who is changing one has finished: two who each take the other's
/// role away do so one after the other.
///
/// # Errors
/// When the database fails.
pub fn count_admins(tx: &mut Tx<'_>) -> storage::Result<i64> {
    use staff_members as s;
    let tenant = Key(tx.tenant());
    diesel::update(s::table.filter(s::tenant_id.eq(tenant)).filter(s::role.eq(StaffRole::Admin)))
        .set(s::role.eq(StaffRole::Admin))
        .execute(tx.conn())?;
    able_admins(tx)
}

/// How many admins can sign in.
///
/// # Errors
/// When the database fails.
pub fn able_admins(tx: &mut Tx<'_>) -> storage::Result<i64> {
    use staff_members as s;
    let able = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::disabled_at.is_null());
    Ok(able.filter(s::role.eq(StaffRole::Admin)).count().get_result(tx.conn())?)
}

/// Writes an entry over the version before it, with its offices.
///
/// # Errors
/// `version-mismatch` when somebody was faster, or when the database fails.
pub fn update(tx: &mut Tx<'_>, entry: &StaffEntry) -> storage::Result<()> {
    use staff_members as s;
    let before = entry.version.saturating_sub(1);
    let mine = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::id.eq(Key(entry.id)));
    let changed = diesel::update(mine.filter(s::version.eq(before)))
        .set((
            s::display_name.eq(&entry.display_name),
            s::role.eq(entry.role),
            s::disabled_at.eq(entry.disabled_at.map(At)),
            s::version.eq(entry.version),
        ))
        .execute(tx.conn())?;
    if changed == 0 {
        return Err(Problem::new(&VERSION_MISMATCH).into());
    }
    let links = staff_offices::table.filter(staff_offices::tenant_id.eq(Key(tx.tenant())));
    diesel::delete(links.filter(staff_offices::staff_id.eq(Key(entry.id)))).execute(tx.conn())?;
    link(tx, entry.id, &entry.office_ids)
}

/// Those of the offices that there are.
///
/// # Errors
/// When the database fails.
pub fn known_offices(tx: &mut Tx<'_>, ids: &[Id<Office>]) -> storage::Result<Vec<Id<Office>>> {
    let keys: Vec<_> = ids.iter().copied().map(Key).collect();
    let mine = offices::table.filter(offices::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(offices::id.eq_any(keys)).order(offices::id).select(offices::id).load(tx.conn())?)
}
