//! Queries over blocks; their seats are rows of occupancy like anybody's.

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::PageRequest;
use storage::{
    MultiBackend, Tx,
    types::{At, Key},
};

use super::model::{Block, BlockId};
use crate::{
    appointments::AppointmentId,
    calendars::{CalendarId, store::ClaimId},
    schema::{appointments, calendar_blocks},
};

/// Adds a block.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, block: &Block) -> storage::Result<()> {
    use calendar_blocks as b;
    diesel::insert_into(b::table)
        .values((
            b::tenant_id.eq(Key(tx.tenant())),
            b::id.eq(Key(block.id)),
            b::calendar_id.eq(Key(block.calendar_id)),
            b::starts_at.eq(At(block.starts_at)),
            b::ends_at.eq(At(block.ends_at)),
            b::seats.eq(block.seats),
            b::reason.eq(&block.reason),
            b::created_by.eq(&block.created_by),
            b::created_at.eq(At(block.created_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

type Row = (BlockId, CalendarId, Timestamp, Timestamp, Option<i64>, String, String, Timestamp);

fn block(row: Row) -> Block {
    let (id, calendar_id, starts_at, ends_at, seats, reason, created_by, created_at) = row;
    Block { id, calendar_id, starts_at, ends_at, seats, reason, created_by, created_at }
}

/// A page of the blocks of a calendar that end after an instant, by start.
///
/// # Errors
/// When the database fails.
pub fn list(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    ending_after: Timestamp,
    page: &PageRequest<(Timestamp, BlockId)>,
) -> storage::Result<Vec<Block>> {
    use calendar_blocks as b;
    let mut query = b::table
        .filter(b::tenant_id.eq(Key(tx.tenant())))
        .filter(b::calendar_id.eq(Key(calendar)))
        .filter(b::ends_at.gt(At(ending_after)))
        .select((b::id, b::calendar_id, b::starts_at, b::ends_at, b::seats, b::reason, b::created_by, b::created_at))
        .into_boxed::<MultiBackend>();
    if let Some((starts_at, id)) = page.after {
        let (at, key) = (At(starts_at), Key(id));
        query = query.filter(b::starts_at.gt(at).or(b::starts_at.eq(at).and(b::id.gt(key))));
    }
    let rows: Vec<Row> = query.order((b::starts_at, b::id)).limit(page.fetch()).load(tx.conn())?;
    Ok(rows.into_iter().map(block).collect())
}

/// A block of a calendar.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut Tx<'_>, calendar: CalendarId, id: BlockId) -> storage::Result<Option<Block>> {
    use calendar_blocks as b;
    let row: Option<Row> = b::table
        .filter(b::tenant_id.eq(Key(tx.tenant())))
        .filter(b::id.eq(Key(id)))
        .filter(b::calendar_id.eq(Key(calendar)))
        .select((b::id, b::calendar_id, b::starts_at, b::ends_at, b::seats, b::reason, b::created_by, b::created_at))
        .first(tx.conn())
        .optional()?;
    Ok(row.map(block))
}

/// Deletes a block; its seats are another matter. `false` when somebody else has been faster.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, id: BlockId) -> storage::Result<bool> {
    use calendar_blocks as b;
    let mine = b::table.filter(b::tenant_id.eq(Key(tx.tenant())));
    Ok(diesel::delete(mine.filter(b::id.eq(Key(id)))).execute(tx.conn())? == 1)
}

/// Which of these claims are appointments.
///
/// # Errors
/// When the database fails.
pub fn appointments_among(tx: &mut Tx<'_>, claims: &[ClaimId]) -> storage::Result<Vec<AppointmentId>> {
    use appointments as a;
    let keys: Vec<_> = claims.iter().map(|claim| Key(claim.cast::<crate::appointments::Appointment>())).collect();
    let mine = a::table.filter(a::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(a::id.eq_any(keys)).order(a::id).select(a::id).load(tx.conn())?)
}
