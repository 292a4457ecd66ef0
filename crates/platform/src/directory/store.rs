//! Queries over offices and places.

use diesel::prelude::*;
use kernel::{Id, PageRequest};
use storage::{MultiBackend, Tx, types::Key};

use super::model::{Office, Place};
use crate::schema::{offices, places};

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
