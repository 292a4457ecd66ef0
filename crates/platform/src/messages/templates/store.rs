//! Queries over templates.

use diesel::prelude::*;
use kernel::Problem;
use storage::{
    Tx,
    types::{At, Key},
};

use super::model::{NewTemplate, Template};
use crate::{
    messages::{composing::Wording, model::MessageLanguage},
    problems::VERSION_MISMATCH,
    schema::message_templates as t,
};

/// The Comune's words of a kind in a language.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut Tx<'_>, kind: &str, language: MessageLanguage) -> storage::Result<Option<Template>> {
    let mine = t::table.filter(t::tenant_id.eq(Key(tx.tenant())));
    let found = mine.filter(t::kind.eq(kind)).filter(t::language.eq(language)).select(Template::as_select());
    Ok(found.first(tx.conn()).optional()?)
}

/// The Comune's words of a kind, in every language there are some.
///
/// # Errors
/// When the database fails.
pub fn of_kind(tx: &mut Tx<'_>, kind: &str) -> storage::Result<Vec<(MessageLanguage, Wording)>> {
    let mine = t::table.filter(t::tenant_id.eq(Key(tx.tenant()))).filter(t::kind.eq(kind));
    let rows: Vec<Template> = mine.order(t::id).select(Template::as_select()).load(tx.conn())?;
    Ok(rows.into_iter().map(|row| (row.language, row.wording())).collect())
}

/// In which languages the Comune has words of its own, by kind.
///
/// # Errors
/// When the database fails.
pub fn languages(tx: &mut Tx<'_>) -> storage::Result<Vec<(String, MessageLanguage)>> {
    let mine = t::table.filter(t::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.order(t::id).select((t::kind, t::language)).load(tx.conn())?)
}

/// Adds words.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, template: &Template) -> storage::Result<()> {
    diesel::insert_into(t::table)
        .values((
            t::tenant_id.eq(Key(tx.tenant())),
            t::id.eq(Key(template.id)),
            t::kind.eq(&template.kind),
            t::language.eq(template.language),
            t::subject.eq(&template.subject),
            t::body.eq(&template.body),
            t::html.eq(&template.html),
            t::version.eq(template.version),
            t::updated_at.eq(At(template.updated_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Writes the words that follow this version.
///
/// # Errors
/// `version-mismatch` when somebody was faster, or when the database fails.
pub fn save(tx: &mut Tx<'_>, before: &Template, new: &NewTemplate) -> storage::Result<Template> {
    let now = tx.now();
    let next = Template {
        subject: new.subject.clone(),
        body: new.body.clone(),
        html: new.html.clone(),
        version: before.version.saturating_add(1),
        updated_at: now,
        ..before.clone()
    };
    let row = t::table.filter(t::tenant_id.eq(Key(tx.tenant()))).filter(t::id.eq(Key(before.id)));
    let changed = diesel::update(row.filter(t::version.eq(before.version)))
        .set((
            t::subject.eq(&next.subject),
            t::body.eq(&next.body),
            t::html.eq(&next.html),
            t::version.eq(next.version),
            t::updated_at.eq(At(now)),
        ))
        .execute(tx.conn())?;
    if changed == 0 {
        return Err(Problem::new(&VERSION_MISMATCH).into());
    }
    Ok(next)
}

/// Takes the Comune's words away.
///
/// # Errors
/// `version-mismatch` when somebody was faster, or when the database fails.
pub fn delete(tx: &mut Tx<'_>, template: &Template) -> storage::Result<()> {
    let row = t::table.filter(t::tenant_id.eq(Key(tx.tenant()))).filter(t::id.eq(Key(template.id)));
    if diesel::delete(row.filter(t::version.eq(template.version))).execute(tx.conn())? == 0 {
        return Err(Problem::new(&VERSION_MISMATCH).into());
    }
    Ok(())
}
