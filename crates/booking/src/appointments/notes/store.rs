//! Queries over notes. They are added and read, never changed.

use diesel::prelude::*;
use kernel::PageRequest;
use storage::{
    MultiBackend, Tx,
    types::{At, Key},
};

use super::{
    super::model::AppointmentId,
    model::{Note, NoteId},
};
use crate::schema::appointment_notes;

/// Adds a note.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, appointment: AppointmentId, note: &Note) -> storage::Result<()> {
    use appointment_notes as n;
    diesel::insert_into(n::table)
        .values((
            n::tenant_id.eq(Key(tx.tenant())),
            n::id.eq(Key(note.id)),
            n::appointment_id.eq(Key(appointment)),
            n::author.eq(&note.author),
            n::body.eq(&note.body),
            n::created_at.eq(At(note.created_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// A page of the notes about an appointment, in the order they were written.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>, appointment: AppointmentId, page: &PageRequest<NoteId>) -> storage::Result<Vec<Note>> {
    use appointment_notes as n;
    let mut query = n::table
        .filter(n::tenant_id.eq(Key(tx.tenant())))
        .filter(n::appointment_id.eq(Key(appointment)))
        .select((n::id, n::author, n::body, n::created_at))
        .into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(n::id.gt(Key(after)));
    }
    let rows: Vec<(NoteId, String, String, jiff::Timestamp)> =
        query.order(n::id).limit(page.fetch()).load(tx.conn())?;
    let note = |(id, author, body, created_at)| Note { id, author, body, created_at };
    Ok(rows.into_iter().map(note).collect())
}

/// A note about an appointment.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut Tx<'_>, appointment: AppointmentId, id: NoteId) -> storage::Result<Option<Note>> {
    use appointment_notes as n;
    let row: Option<(NoteId, String, String, jiff::Timestamp)> = n::table
        .filter(n::tenant_id.eq(Key(tx.tenant())))
        .filter(n::id.eq(Key(id)))
        .filter(n::appointment_id.eq(Key(appointment)))
        .select((n::id, n::author, n::body, n::created_at))
        .first(tx.conn())
        .optional()?;
    Ok(row.map(|(id, author, body, created_at)| Note { id, author, body, created_at }))
}
