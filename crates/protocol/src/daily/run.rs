//! Making the daily registers that are missing: of every day that is over, also of one on which nothing happened.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, civil::Date};
use kernel::{Problem, civil};
use platform::changes::{Done, tell};
use serde_json::json;
use storage::{Db, DbError, Scope, Tx};

use super::{
    files::{self, DayOf},
    model::DailyRegister,
    store,
};
use crate::{
    connections, emergencies,
    entries::store::{self as entries, Register, Standing},
};

/// How far this machine's clock may be ahead of the database's. A day that was closed too early stays closed, and
/// everything that is registered after it is dated by it.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// A day of which the daily register is to be made; nothing is registered or annulled on it any more.
#[derive(Debug, Clone)]
struct Closed {
    ipa_code: String,
    register: Register,
    day: Date,
}

/// A daily register that was made, with its files.
#[derive(Debug, Clone)]
struct Made {
    new: DailyRegister,
    csv: String,
    xml: String,
}

/// Makes the daily registers that are missing in a Comune. Several gateways may: each day is made once. Answers how
/// many were made; none where this machine's clock is ahead of the database's.
///
/// One day at a time: it is closed in one short transaction, put together outside of any that writes, and kept in
/// another, so that whoever registers meanwhile hardly waits.
///
/// # Errors
/// When the database fails.
pub async fn daily(db: &Db, scope: &Scope, slug: &str) -> Result<usize, Problem> {
    let (now, database) = db.read(scope, |tx| Ok((tx.now(), store::database_clock(tx)?))).await?;
    if let Some(database) = database.filter(|database| now.duration_since(*database) > AHEAD) {
        tracing::error!(%now, %database, "this machine's clock is ahead of the database's: no daily register is made");
        return Ok(0);
    }
    let mut made = 0_usize;
    loop {
        let slug = slug.to_owned();
        let Some(closed) = db.write(scope, move |tx| close_next(tx, &slug)).await? else { return Ok(made) };
        let day = db.read(scope, move |tx| put_together(tx, &closed)).await?;
        if db.write(scope, move |tx| keep(tx, &day)).await? {
            made = made.saturating_add(1);
        }
    }
}

/// Whether a day is missing somewhere. Reads only.
///
/// # Errors
/// When the database fails.
pub fn is_any_missing(tx: &mut Tx<'_>, slug: &str) -> storage::Result<bool> {
    let identity = connections::store::identity(tx, slug)?;
    let standings = entries::standings(tx)?;
    if standings.iter().all(|standing| standing.register != identity.register()) {
        return Ok(true);
    }
    for standing in standings {
        if missing(tx, &standing)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Closes the next day that is missing somewhere.
fn close_next(tx: &mut Tx<'_>, slug: &str) -> storage::Result<Option<Closed>> {
    let identity = connections::store::identity(tx, slug)?;
    let (ipa_code, ordinary) = (identity.ipa_code.clone(), identity.register());
    let mut standings = entries::standings(tx)?;
    if standings.iter().all(|standing| standing.register != ordinary) {
        // Also a register that nobody has written to yet has its days.
        entries::hold(tx, &ordinary)?;
        standings = entries::standings(tx)?;
    }
    for standing in standings {
        let Some(day) = missing(tx, &standing)? else { continue };
        let register = standing.register;
        // Whoever registers or annuls something waits, or is waited for. A transaction that began before midnight and
        // waits still is registered on the day that has begun.
        entries::hold(tx, &register)?;
        entries::close_until(tx, &register, civil::day_bounds(day).1)?;
        return Ok(Some(Closed { ipa_code, register, day }));
    }
    Ok(None)
}

/// The next day of a register that is over and has no daily register. An emergency register has days until it was
/// closed.
fn missing(tx: &mut Tx<'_>, standing: &Standing) -> storage::Result<Option<Date>> {
    let next = match store::last_day(tx, &standing.register)? {
        Some(last) => last.tomorrow().ok(),
        None => Some(civil::date_of(standing.created_at)),
    };
    let mut end = civil::date_of(tx.now());
    if let Some(Some(closed_at)) = emergencies::store::closed_at(tx, &standing.register.register_code)? {
        end = end.min(civil::date_of(closed_at).tomorrow().unwrap_or(end));
    }
    Ok(next.filter(|day| *day < end))
}

fn sha256(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}

/// Puts together what was registered and annulled on a day. The same whoever does it: nothing of it changes any more.
fn put_together(tx: &mut Tx<'_>, closed: &Closed) -> storage::Result<Made> {
    let Closed { ipa_code, register, day } = closed;
    let (registered, annulled) = entries::within(tx, register, civil::day_bounds(*day))?;
    let of = DayOf { ipa_code, register, day: *day, registered: &registered, annulled: &annulled };
    let csv =
        files::csv(&of).map_err(|error| DbError::Other(format!("a daily register cannot be written: {error}")))?;
    let xml = files::xml(&of);
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let new = DailyRegister {
        id: tx.new_id(),
        aoo_code: register.aoo_code.clone(),
        register_code: register.register_code.clone(),
        day: *day,
        entries: count(registered.len()),
        annulments: count(annulled.len()),
        first_number: registered.first().map(|whole| whole.entry.number),
        last_number: registered.last().map(|whole| whole.entry.number),
        csv_sha256: sha256(&csv),
        xml_sha256: sha256(&xml),
        created_at: tx.now(),
    };
    Ok(Made { new, csv, xml })
}

/// Keeps a daily register; `false` where somebody else has made it meanwhile.
fn keep(tx: &mut Tx<'_>, made: &Made) -> storage::Result<bool> {
    let Made { new, csv, xml } = made;
    match tx.savepoint(|tx| store::insert(tx, new, csv, xml)) {
        Ok(()) => {}
        Err(failure)
            if failure.is_unique("protocol_daily_registers", &["tenant_id", "aoo_code", "register_code", "day"]) =>
        {
            return Ok(false);
        }
        Err(failure) => return Err(failure),
    }
    let after = json!({
        "id": new.id,
        "aoo_code": new.aoo_code,
        "register_code": new.register_code,
        "day": new.day,
        "entries": new.entries,
        "annulments": new.annulments,
        "xml_sha256": new.xml_sha256,
        "csv_sha256": new.csv_sha256,
    });
    let (action, kind, subject) = ("daily_register.created", "daily_register", new.id);
    tell(tx, Done { action, kind, subject, version: 1, before: None, after: Some(after) })?;
    Ok(true)
}
