//! People who work for the Comune.
//!
//! The identity provider says who somebody is; that they work here, in which role and for which
//! offices, is written in our own tables, so that it can be taken back at once.

use std::collections::HashMap;

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::Id;
use storage::{
    Tx,
    types::{At, Key},
};

use crate::{
    directory::Office,
    schema::{offices, staff_members, staff_offices},
};

storage::text_enum! {
    /// What somebody may do at work.
    pub enum StaffRole {
        /// Works at the counter of their offices.
        Operator = "operator",
        /// Decides for their offices.
        Manager = "manager",
        /// Administers the Comune's use of the platform.
        Admin = "admin",
    }
}

/// Somebody who works for the Comune.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffMember {
    /// Identifier.
    pub id: Id<StaffMember>,
    /// Role.
    pub role: StaffRole,
    /// Their offices.
    pub offices: Vec<Id<Office>>,
    /// Whether one of them is the URP, which sees what every office sees.
    pub central: bool,
}

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
    for office in offices {
        diesel::insert_into(staff_offices::table)
            .values((
                staff_offices::tenant_id.eq(Key(tx.tenant())),
                staff_offices::staff_id.eq(Key(id)),
                staff_offices::office_id.eq(Key(*office)),
            ))
            .execute(tx.conn())?;
    }
    Ok(id)
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
