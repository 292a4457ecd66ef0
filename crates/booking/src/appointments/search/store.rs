//! Queries that find appointments. Each walks one index in the order of its answer, however many there are.

use std::collections::HashMap;

use diesel::prelude::*;
use jiff::Timestamp;
use kernel::PageRequest;
use platform::access::policy::Rows;
use storage::{
    MultiBackend, Tx,
    types::{At, Key},
};

use super::{
    super::model::{Appointment, AppointmentId},
    model::{Filter, Place, Seen, Whom},
};
use crate::schema::{appointment_applicants, appointments};

/// Whose appointments one walk is about.
#[derive(Debug, Clone, Copy)]
enum Walk {
    All,
    Office(platform::directory::OfficeId),
}

/// A page of the appointments that a caller may list, by start.
///
/// # Errors
/// When the database fails.
pub fn list(
    tx: &mut Tx<'_>,
    rows: &Rows,
    filter: &Filter,
    page: &PageRequest<(Timestamp, AppointmentId)>,
) -> storage::Result<Vec<Appointment>> {
    match (rows, filter.office) {
        (Rows::None, _) => Ok(Vec::new()),
        (Rows::All, None) => walk(tx, Walk::All, filter, page),
        (Rows::All, Some(office)) => walk(tx, Walk::Office(office), filter, page),
        (Rows::OwnedBy(owner), _) => owned(tx, owner, filter, page),
        // Each office is a range of an index, all of them together are not.
        (Rows::OfOffices(offices), wanted) => {
            let mut found = Vec::new();
            for office in offices.iter().filter(|office| wanted.is_none_or(|wanted| wanted == **office)) {
                found.extend(walk(tx, Walk::Office(*office), filter, page)?);
            }
            found.sort_by_key(|appointment| (appointment.starts_at, appointment.id));
            found.truncate(usize::try_from(page.fetch()).unwrap_or(usize::MAX));
            Ok(found)
        }
    }
}

/// Somebody's own. They are few, and what else is asked of them must not lead to an index of many.
fn owned(
    tx: &mut Tx<'_>,
    owner: &str,
    filter: &Filter,
    page: &PageRequest<(Timestamp, AppointmentId)>,
) -> storage::Result<Vec<Appointment>> {
    use appointments as a;
    let mine: Vec<Appointment> = a::table
        .filter(a::tenant_id.eq(Key(tx.tenant())))
        .filter(a::owner.eq(owner))
        .order((a::starts_at, a::id))
        .select(Appointment::as_select())
        .load(tx.conn())?;
    let fits = |a: &Appointment| filter.admits(a) && page.after.is_none_or(|after| after < (a.starts_at, a.id));
    Ok(mine.into_iter().filter(fits).take(usize::try_from(page.fetch()).unwrap_or(usize::MAX)).collect())
}

fn walk(
    tx: &mut Tx<'_>,
    walk: Walk,
    filter: &Filter,
    page: &PageRequest<(Timestamp, AppointmentId)>,
) -> storage::Result<Vec<Appointment>> {
    use appointments as a;
    let mut query = a::table.filter(a::tenant_id.eq(Key(tx.tenant()))).into_boxed::<MultiBackend>();
    match walk {
        Walk::All => {}
        Walk::Office(office) => query = query.filter(a::office_id.eq(Key(office))),
    }
    if let Some(code) = &filter.code {
        query = query.filter(a::code.eq(code.clone()));
    }
    if !filter.states.is_empty() {
        query = query.filter(a::state.eq_any(filter.states.clone()));
    }
    if let Some(calendar) = filter.calendar {
        query = query.filter(a::calendar_id.eq(Key(calendar)));
    }
    if let Some(service) = filter.service {
        query = query.filter(a::service_id.eq(Key(service)));
    }
    if let Some(until) = filter.until {
        query = query.filter(a::starts_at.lt(At(until)));
    }
    // One lower bound, the nearest: the walk begins there.
    match page.after {
        Some((starts_at, id)) => {
            let (at, key) = (At(starts_at), Key(id));
            query = query.filter(a::starts_at.ge(at)).filter(a::starts_at.gt(at).or(a::id.gt(key)));
        }
        None => {
            if let Some(from) = filter.from {
                query = query.filter(a::starts_at.ge(At(from)));
            }
        }
    }
    let page = query.order((a::starts_at, a::id)).limit(page.fetch());
    Ok(page.select(Appointment::as_select()).load(tx.conn())?)
}

/// The people that fit, at most `limit`, in the order of their places after `after`.
///
/// # Errors
/// When the database fails.
pub fn people(tx: &mut Tx<'_>, whom: &Whom, after: Option<&Place>, limit: i64) -> storage::Result<Vec<Place>> {
    let start = match whom {
        Whom::Named(start) => start,
        Whom::TaxCode(_) | Whom::Email(_) => return known(tx, whom, after, limit),
    };
    use appointment_applicants as p;
    let mut by_family = p::table
        .filter(p::tenant_id.eq(Key(tx.tenant())))
        .filter(p::family_key.ge(start.clone()))
        .filter(p::family_key.lt(end_of(start)))
        .select((p::family_key, p::appointment_id))
        .into_boxed::<MultiBackend>();
    if let Some(Place { name, id, .. }) = after {
        let id = Key(*id);
        by_family = by_family
            .filter(p::family_key.ge(name.clone()))
            .filter(p::family_key.gt(name.clone()).or(p::appointment_id.gt(id)));
    }
    let rows: Vec<(String, AppointmentId)> =
        by_family.order((p::family_key, p::appointment_id)).limit(limit).load(tx.conn())?;
    let place = |(name, id)| Place { name, id, by_given_name: false };
    let mut found: Vec<Place> = rows.into_iter().map(place).collect();
    found.extend(by_given_name(tx, start, after, limit)?);
    found.sort();
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// Those of one person. Ordered by name they would be looked for along the names of the whole Comune.
fn known(tx: &mut Tx<'_>, whom: &Whom, after: Option<&Place>, limit: i64) -> storage::Result<Vec<Place>> {
    use appointment_applicants as p;
    let mut query =
        p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).select(p::appointment_id).into_boxed::<MultiBackend>();
    query = match whom {
        Whom::TaxCode(code) => query.filter(p::tax_code.eq(code.as_str().to_owned())),
        Whom::Email(email) => query.filter(p::email_key.eq(email.clone())),
        Whom::Named(_) => return Ok(Vec::new()),
    };
    if let Some(place) = after {
        query = query.filter(p::appointment_id.gt(Key(place.id)));
    }
    let ids: Vec<AppointmentId> = query.order(p::appointment_id).limit(limit).load(tx.conn())?;
    Ok(ids.into_iter().map(|id| Place { name: String::new(), id, by_given_name: false }).collect())
}

/// Those whose given name begins so, and whose family name does not: they are found already.
fn by_given_name(tx: &mut Tx<'_>, start: &str, after: Option<&Place>, limit: i64) -> storage::Result<Vec<Place>> {
    use appointment_applicants as p;
    let end = end_of(start);
    let mut query = p::table
        .filter(p::tenant_id.eq(Key(tx.tenant())))
        .filter(p::given_key.ge(start.to_owned()))
        .filter(p::given_key.lt(end.clone()))
        .filter(p::family_key.lt(start.to_owned()).or(p::family_key.ge(end)))
        .select((p::given_key, p::appointment_id))
        .into_boxed::<MultiBackend>();
    if let Some(Place { name, id, .. }) = after {
        let id = Key(*id);
        query = query
            .filter(p::given_key.ge(name.clone()))
            .filter(p::given_key.gt(name.clone()).or(p::appointment_id.gt(id)));
    }
    let rows: Vec<(String, AppointmentId)> =
        query.order((p::given_key, p::appointment_id)).limit(limit).load(tx.conn())?;
    Ok(rows.into_iter().map(|(name, id)| Place { name, id, by_given_name: true }).collect())
}

/// The place of which a cursor tells.
///
/// # Errors
/// When the database fails.
pub fn place(tx: &mut Tx<'_>, seen: Seen) -> storage::Result<Option<Place>> {
    use appointment_applicants as p;
    let mine = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).filter(p::appointment_id.eq(Key(seen.id)));
    let keys: Option<(String, String)> = mine.select((p::family_key, p::given_key)).first(tx.conn()).optional()?;
    let Seen { id, by_given_name } = seen;
    Ok(keys.map(|(family, given)| Place { name: if by_given_name { given } else { family }, id, by_given_name }))
}

/// The first text after all those that begin with `start`, compared byte by byte.
fn end_of(start: &str) -> String {
    format!("{start}{}", char::MAX)
}

/// The appointments with these ids that a caller may list and that fit.
///
/// # Errors
/// When the database fails.
pub fn among(
    tx: &mut Tx<'_>,
    rows: &Rows,
    filter: &Filter,
    ids: &[AppointmentId],
) -> storage::Result<HashMap<AppointmentId, Appointment>> {
    use appointments as a;
    let keys: Vec<_> = ids.iter().copied().map(Key).collect();
    let found: Vec<Appointment> = a::table
        .filter(a::tenant_id.eq(Key(tx.tenant())))
        .filter(a::id.eq_any(keys))
        .select(Appointment::as_select())
        .load(tx.conn())?;
    let fits = |a: &Appointment| rows.contains(&a.object()) && filter.admits(a);
    Ok(found.into_iter().filter(fits).map(|appointment| (appointment.id, appointment)).collect())
}

/// Given and family name of those whom appointments are for.
///
/// # Errors
/// When the database fails.
pub fn names(
    tx: &mut Tx<'_>,
    ids: impl Iterator<Item = AppointmentId>,
) -> storage::Result<HashMap<AppointmentId, (String, String)>> {
    use appointment_applicants as p;
    let keys: Vec<_> = ids.map(Key).collect();
    let rows: Vec<(AppointmentId, String, String)> = p::table
        .filter(p::tenant_id.eq(Key(tx.tenant())))
        .filter(p::appointment_id.eq_any(keys))
        .select((p::appointment_id, p::given_name, p::family_name))
        .load(tx.conn())?;
    Ok(rows.into_iter().map(|(id, given_name, family_name)| (id, (given_name, family_name))).collect())
}
