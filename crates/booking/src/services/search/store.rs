//! Queries over the words that services are known by.

use diesel::prelude::*;
use kernel::Localized;
use storage::{Json, Tx, types::Key};

use super::rules::Candidate;
use crate::{schema::appointment_services as s, services::AppointmentServiceId};

/// Every service of the Comune with the words it is known by.
pub(super) fn candidates(tx: &mut Tx<'_>) -> storage::Result<Vec<Candidate>> {
    type Row = (AppointmentServiceId, Json<Localized>, Option<Json<Localized>>, Option<Json<Vec<String>>>);
    let rows: Vec<Row> = s::table
        .filter(s::tenant_id.eq(Key(tx.tenant())))
        .order(s::id)
        .select((s::id, s::name, s::description, s::keywords))
        .load(tx.conn())?;
    let candidate = |(id, name, description, keywords): Row| Candidate {
        id,
        name: name.0,
        description: description.map(|json| json.0),
        keywords: keywords.map(|json| json.0).unwrap_or_default(),
    };
    Ok(rows.into_iter().map(candidate).collect())
}

/// The keywords of a service; none when it has none or is unknown.
///
/// # Errors
/// When the database fails.
pub fn keywords(tx: &mut Tx<'_>, id: AppointmentServiceId) -> storage::Result<Vec<String>> {
    let found: Option<Option<Json<Vec<String>>>> = s::table
        .filter(s::tenant_id.eq(Key(tx.tenant())))
        .filter(s::id.eq(Key(id)))
        .select(s::keywords)
        .first(tx.conn())
        .optional()?;
    Ok(found.flatten().map(|json| json.0).unwrap_or_default())
}

/// Sets the keywords of a service.
///
/// # Errors
/// When the database fails.
pub fn set_keywords(tx: &mut Tx<'_>, id: AppointmentServiceId, keywords: &[String]) -> storage::Result<()> {
    let mine = s::table.filter(s::tenant_id.eq(Key(tx.tenant()))).filter(s::id.eq(Key(id)));
    let list = (!keywords.is_empty()).then(|| Json(keywords.to_vec()));
    diesel::update(mine).set(s::keywords.eq(list)).execute(tx.conn())?;
    Ok(())
}
