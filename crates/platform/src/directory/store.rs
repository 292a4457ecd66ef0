//! Queries over offices and places.

use diesel::prelude::*;
use jiff::civil::Date;
use kernel::{
    Id, PageRequest,
    holidays::{Holiday, HolidayCalendar},
};
use storage::{
    DbError, MultiBackend, Tx,
    types::{Day, Key},
};

use super::model::{Closure, Office, Place};
use crate::{
    changes::in_use,
    schema::{closures, offices, places},
};

/// Adds a place.
///
/// # Errors
/// When the database fails.
pub fn insert_place(tx: &mut Tx<'_>, place: &Place) -> storage::Result<()> {
    use places as p;
    diesel::insert_into(p::table)
        .values((
            p::tenant_id.eq(Key(tx.tenant())),
            p::id.eq(Key(place.id)),
            p::name.eq(&place.name),
            p::address.eq(&place.address),
            p::postal_code.eq(&place.postal_code),
            p::locality.eq(&place.locality),
            p::latitude_e6.eq(place.latitude_e6),
            p::longitude_e6.eq(place.longitude_e6),
            p::accessibility.eq(&place.accessibility),
            p::version.eq(place.version),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Adds an office.
///
/// # Errors
/// When the slug is taken or the database fails.
pub fn insert_office(tx: &mut Tx<'_>, office: &Office) -> storage::Result<()> {
    use offices as o;
    diesel::insert_into(o::table)
        .values((
            o::tenant_id.eq(Key(tx.tenant())),
            o::id.eq(Key(office.id)),
            o::slug.eq(&office.slug),
            o::name.eq(&office.name),
            o::description.eq(&office.description),
            o::place_id.eq(Key(office.place_id)),
            o::email.eq(&office.email),
            o::phone.eq(&office.phone),
            o::central.eq(office.central),
            o::version.eq(office.version),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// A page of the places, by id.
///
/// # Errors
/// When the database fails.
pub fn places(tx: &mut Tx<'_>, page: &PageRequest<Id<Place>>) -> storage::Result<Vec<Place>> {
    let mut query = places::table
        .filter(places::tenant_id.eq(Key(tx.tenant())))
        .select(Place::as_select())
        .into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(places::id.gt(Key(after)));
    }
    Ok(query.order(places::id).limit(page.fetch()).load(tx.conn())?)
}

/// One place.
///
/// # Errors
/// When the database fails.
pub fn place(tx: &mut Tx<'_>, id: Id<Place>) -> storage::Result<Option<Place>> {
    let mine = places::table.filter(places::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(places::id.eq(Key(id))).select(Place::as_select()).first(tx.conn()).optional()?)
}

/// A page of the offices, by id.
///
/// # Errors
/// When the database fails.
pub fn offices(tx: &mut Tx<'_>, page: &PageRequest<Id<Office>>) -> storage::Result<Vec<Office>> {
    let mut query = offices::table
        .filter(offices::tenant_id.eq(Key(tx.tenant())))
        .select(Office::as_select())
        .into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(offices::id.gt(Key(after)));
    }
    Ok(query.order(offices::id).limit(page.fetch()).load(tx.conn())?)
}

/// One office.
///
/// # Errors
/// When the database fails.
pub fn office(tx: &mut Tx<'_>, id: Id<Office>) -> storage::Result<Option<Office>> {
    let mine = offices::table.filter(offices::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(offices::id.eq(Key(id))).select(Office::as_select()).first(tx.conn()).optional()?)
}

/// The office of a slug.
///
/// # Errors
/// When the database fails.
pub fn office_by_slug(tx: &mut Tx<'_>, slug: &str) -> storage::Result<Option<Office>> {
    let mine = offices::table.filter(offices::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(offices::slug.eq(slug)).select(Office::as_select()).first(tx.conn()).optional()?)
}

/// Several offices with their places, by id.
///
/// # Errors
/// When the database fails.
pub fn offices_with_places(tx: &mut Tx<'_>, ids: &[Id<Office>]) -> storage::Result<Vec<(Office, Place)>> {
    let keys: Vec<_> = ids.iter().copied().map(Key).collect();
    Ok(offices::table
        .inner_join(places::table.on(places::tenant_id.eq(offices::tenant_id).and(places::id.eq(offices::place_id))))
        .filter(offices::tenant_id.eq(Key(tx.tenant())))
        .filter(offices::id.eq_any(keys))
        .order(offices::id)
        .select((Office::as_select(), Place::as_select()))
        .load(tx.conn())?)
}

/// Whether a change hit the version it was made from; if it did not, somebody was faster: it is decided again.
fn hit(rows: usize) -> storage::Result<()> {
    if rows == 1 { Ok(()) } else { Err(DbError::Retry("it changed meanwhile".to_owned()).into()) }
}

/// Saves a place as the version after the one it was read as.
///
/// # Errors
/// When somebody was faster or the database fails.
pub fn save_place(tx: &mut Tx<'_>, place: &Place) -> storage::Result<()> {
    use places as p;
    let mine = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).filter(p::id.eq(Key(place.id)));
    let changed = diesel::update(mine.filter(p::version.eq(place.version.saturating_sub(1))))
        .set((
            p::name.eq(&place.name),
            p::address.eq(&place.address),
            p::postal_code.eq(&place.postal_code),
            p::locality.eq(&place.locality),
            p::latitude_e6.eq(place.latitude_e6),
            p::longitude_e6.eq(place.longitude_e6),
            p::accessibility.eq(&place.accessibility),
            p::version.eq(place.version),
        ))
        .execute(tx.conn())?;
    hit(changed)
}

/// Saves an office as the version after the one it was read as.
///
/// # Errors
/// When the slug is taken, the place is unknown, somebody was faster or the database fails.
pub fn save_office(tx: &mut Tx<'_>, office: &Office) -> storage::Result<()> {
    use offices as o;
    let mine = o::table.filter(o::tenant_id.eq(Key(tx.tenant()))).filter(o::id.eq(Key(office.id)));
    let changed = diesel::update(mine.filter(o::version.eq(office.version.saturating_sub(1))))
        .set((
            o::slug.eq(&office.slug),
            o::name.eq(&office.name),
            o::description.eq(&office.description),
            o::place_id.eq(Key(office.place_id)),
            o::email.eq(&office.email),
            o::phone.eq(&office.phone),
            o::central.eq(office.central),
            o::version.eq(office.version),
        ))
        .execute(tx.conn())?;
    hit(changed)
}

/// Deletes a place in this version.
///
/// # Errors
/// `in-use` while an office is there; when somebody was faster or the database fails.
pub fn delete_place(tx: &mut Tx<'_>, id: Id<Place>, version: i64) -> storage::Result<()> {
    use places as p;
    let mine = p::table.filter(p::tenant_id.eq(Key(tx.tenant()))).filter(p::id.eq(Key(id)));
    let deleted = diesel::delete(mine.filter(p::version.eq(version))).execute(tx.conn());
    hit(deleted.map_err(|error| in_use(error.into()))?)
}

/// Deletes an office in this version.
///
/// # Errors
/// `in-use` while it has calendars, people or keys; when somebody was faster or the database fails.
pub fn delete_office(tx: &mut Tx<'_>, id: Id<Office>, version: i64) -> storage::Result<()> {
    use offices as o;
    let mine = o::table.filter(o::tenant_id.eq(Key(tx.tenant()))).filter(o::id.eq(Key(id)));
    let deleted = diesel::delete(mine.filter(o::version.eq(version))).execute(tx.conn());
    hit(deleted.map_err(|error| in_use(error.into()))?)
}

/// Adds a closure.
///
/// # Errors
/// When the day is closed already or the database fails.
pub fn insert_closure(tx: &mut Tx<'_>, closure: &Closure) -> storage::Result<()> {
    use closures as c;
    diesel::insert_into(c::table)
        .values((
            c::tenant_id.eq(Key(tx.tenant())),
            c::id.eq(Key(closure.id)),
            c::date.eq(Day(closure.date)),
            c::reason.eq(&closure.reason),
            c::version.eq(closure.version),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// One closure.
///
/// # Errors
/// When the database fails.
pub fn closure(tx: &mut Tx<'_>, id: Id<Closure>) -> storage::Result<Option<Closure>> {
    let mine = closures::table.filter(closures::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(closures::id.eq(Key(id))).select(Closure::as_select()).first(tx.conn()).optional()?)
}

/// A page of the closures, by date.
///
/// # Errors
/// When the database fails.
pub fn closures(tx: &mut Tx<'_>, page: &PageRequest<Date>) -> storage::Result<Vec<Closure>> {
    let mine = closures::table.filter(closures::tenant_id.eq(Key(tx.tenant()))).select(Closure::as_select());
    let mut query = mine.into_boxed::<MultiBackend>();
    if let Some(after) = page.after {
        query = query.filter(closures::date.gt(Day(after)));
    }
    Ok(query.order(closures::date).limit(page.fetch()).load(tx.conn())?)
}

/// The closures from one date to another, both included, by date.
///
/// # Errors
/// When the database fails.
pub fn closures_between(tx: &mut Tx<'_>, from: Date, to: Date) -> storage::Result<Vec<Closure>> {
    let mine = closures::table.filter(closures::tenant_id.eq(Key(tx.tenant())));
    let between = mine.filter(closures::date.ge(Day(from))).filter(closures::date.le(Day(to)));
    Ok(between.order(closures::date).select(Closure::as_select()).load(tx.conn())?)
}

/// Deletes a closure in this version.
///
/// # Errors
/// When somebody was faster or the database fails.
pub fn delete_closure(tx: &mut Tx<'_>, id: Id<Closure>, version: i64) -> storage::Result<()> {
    use closures as c;
    let mine = c::table.filter(c::tenant_id.eq(Key(tx.tenant()))).filter(c::id.eq(Key(id)));
    hit(diesel::delete(mine.filter(c::version.eq(version))).execute(tx.conn())?)
}

/// A calendar of holidays with the Comune's closures from one date to another, as they are in this transaction:
/// what is decided here is never decided by a closure that somebody remembers.
///
/// # Errors
/// When the database fails.
pub fn with_closures(
    tx: &mut Tx<'_>,
    holidays: &HolidayCalendar,
    from: Date,
    to: Date,
) -> storage::Result<HolidayCalendar> {
    let closures = closures_between(tx, from, to)?;
    let closed = closures.into_iter().map(|closure| Holiday { date: closure.date, name: closure.reason.0 });
    Ok(holidays.clone().and_closed(closed))
}
