//! Queries over daily registers.

use diesel::prelude::*;
use jiff::{Timestamp, civil::Date};
use kernel::PageRequest;
use storage::{
    MultiBackend, Tx, fixed,
    types::{At, Day, Instant, Key},
};

use super::model::{DailyFormat, DailyRegister, DailyRegisterId};
use crate::{entries::store::Register, schema::protocol_daily_registers as d};

#[derive(QueryableByName)]
struct Clock {
    #[diesel(sql_type = Instant)]
    now: Timestamp,
}

/// What the database's own clock says; nothing where it has none: SQLite asks this machine's.
///
/// # Errors
/// When the database fails.
pub fn database_clock(tx: &mut Tx<'_>) -> storage::Result<Option<Timestamp>> {
    if !tx.writes_beside_others() {
        return Ok(None);
    }
    let Clock { now } = fixed("SELECT clock_timestamp() AS now").get_result(tx.conn())?;
    Ok(Some(now))
}

/// Adds one with its files.
///
/// # Errors
/// When the day has one ([`storage::Failure::is_unique`]) or the database fails.
pub fn insert(tx: &mut Tx<'_>, new: &DailyRegister, csv: &str, xml: &str) -> storage::Result<()> {
    let tenant = tx.tenant();
    diesel::insert_into(d::table)
        .values((
            d::tenant_id.eq(Key(tenant)),
            d::id.eq(Key(new.id)),
            d::aoo_code.eq(&new.aoo_code),
            d::register_code.eq(&new.register_code),
            d::day.eq(Day(new.day)),
            d::entries.eq(new.entries),
            d::annulments.eq(new.annulments),
            d::first_number.eq(new.first_number),
            d::last_number.eq(new.last_number),
            d::csv.eq(csv),
            d::csv_sha256.eq(&new.csv_sha256),
            d::xml.eq(xml),
            d::xml_sha256.eq(&new.xml_sha256),
            d::created_at.eq(At(new.created_at)),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// The last day of a register that has one.
///
/// # Errors
/// When the database fails.
pub fn last_day(tx: &mut Tx<'_>, register: &Register) -> storage::Result<Option<Date>> {
    let days = d::table
        .filter(d::tenant_id.eq(Key(tx.tenant())))
        .filter(d::aoo_code.eq(&register.aoo_code))
        .filter(d::register_code.eq(&register.register_code));
    Ok(days.order(d::day.desc()).select(d::day).first(tx.conn()).optional()?)
}

/// A page of them, the newest day first.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>, page: &PageRequest<(Date, DailyRegisterId)>) -> storage::Result<Vec<DailyRegister>> {
    let mut query = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).into_boxed::<MultiBackend>();
    if let Some((day, id)) = page.after {
        query = query.filter(d::day.lt(Day(day)).or(d::day.eq(Day(day)).and(d::id.lt(Key(id)))));
    }
    Ok(query
        .order((d::day.desc(), d::id.desc()))
        .limit(page.fetch())
        .select(DailyRegister::as_select())
        .load(tx.conn())?)
}

/// A daily register.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: DailyRegisterId) -> storage::Result<Option<DailyRegister>> {
    let found = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
    Ok(found.select(DailyRegister::as_select()).first(tx.conn()).optional()?)
}

/// One of its files.
///
/// # Errors
/// When the database fails.
pub fn content(tx: &mut Tx<'_>, id: DailyRegisterId, format: DailyFormat) -> storage::Result<Option<String>> {
    let found = d::table.filter(d::tenant_id.eq(Key(tx.tenant()))).filter(d::id.eq(Key(id)));
    Ok(match format {
        DailyFormat::Csv => found.select(d::csv).first(tx.conn()).optional()?,
        DailyFormat::Xml => found.select(d::xml).first(tx.conn()).optional()?,
    })
}
