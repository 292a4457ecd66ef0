//! Queries over what people wish.

use diesel::prelude::*;
use storage::{
    Tx,
    types::{At, Key},
};

use super::model::{NewPreferences, PreferencesView, Reminders};
use crate::{messages::model::MessageLanguage, schema::message_preferences as p};

/// What a person has set; over App IO and in the language they book in where they have not.
///
/// # Errors
/// When the database fails.
pub fn of(tx: &mut Tx<'_>, person: &str) -> storage::Result<PreferencesView> {
    let found: Option<(Reminders, Option<MessageLanguage>, i64)> = p::table
        .filter(p::tenant_id.eq(Key(tx.tenant())))
        .filter(p::person.eq(person))
        .select((p::reminders, p::language, p::version))
        .first(tx.conn())
        .optional()?;
    let (reminders, language, version) = found.unwrap_or((Reminders::AppIo, None, 0));
    Ok(PreferencesView { reminders, language, version })
}

/// Writes what a person wishes from now on.
///
/// # Errors
/// When the database fails.
pub(super) fn put(tx: &mut Tx<'_>, person: &str, new: NewPreferences) -> storage::Result<PreferencesView> {
    let before = of(tx, person)?;
    let now = At(tx.now());
    let version = before.version.saturating_add(1);
    let row = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).filter(p::person.eq(person));
    let changed = diesel::update(row)
        .set((
            p::reminders.eq(new.reminders),
            p::language.eq(new.language),
            p::version.eq(version),
            p::updated_at.eq(now),
        ))
        .execute(tx.conn())?;
    if changed == 0 {
        diesel::insert_into(p::table)
            .values((
                p::tenant_id.eq(Key(tx.tenant())),
                p::person.eq(person),
                p::reminders.eq(new.reminders),
                p::language.eq(new.language),
                p::version.eq(version),
                p::updated_at.eq(now),
            ))
            .execute(tx.conn())?;
    }
    Ok(PreferencesView { reminders: new.reminders, language: new.language, version })
}
