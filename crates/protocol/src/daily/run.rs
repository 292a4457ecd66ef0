//! Making the daily registers that are missing: of every day that is over, also of one on which nothing happened.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::civil::Date;
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
    connections::{self, Identity},
    emergencies,
    entries::store::{self as entries, Register, Standing},
};

/// How many days are made up for in one transaction.
const DAYS_AT_ONCE: usize = 10;

/// Makes the daily registers that are missing in a Comune. Several gateways may: each day is made once. Answers how
/// many were made.
///
/// # Errors
/// When the database fails.
pub async fn daily(db: &Db, scope: &Scope, slug: &str) -> Result<usize, Problem> {
    let mut made = 0_usize;
    loop {
        let slug = slug.to_owned();
        let some = db.write(scope, move |tx| some(tx, &slug)).await?;
        made = made.saturating_add(some);
        if some == 0 {
            return Ok(made);
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

fn some(tx: &mut Tx<'_>, slug: &str) -> storage::Result<usize> {
    let identity = connections::store::identity(tx, slug)?;
    // Also a register that nobody has written to yet has its days.
    entries::hold(tx, &identity.register())?;
    let mut made = 0_usize;
    for standing in entries::standings(tx)? {
        while made < DAYS_AT_ONCE
            && let Some(day) = missing(tx, &standing)?
        {
            entries::hold(tx, &standing.register)?;
            // Whoever held it meanwhile may have made it.
            if missing(tx, &standing)? == Some(day) {
                make(tx, &identity, &standing.register, day)?;
            }
            made = made.saturating_add(1);
        }
    }
    Ok(made)
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

fn make(tx: &mut Tx<'_>, identity: &Identity, register: &Register, day: Date) -> storage::Result<()> {
    let bounds = civil::day_bounds(day);
    let (registered, annulled) = entries::within(tx, register, bounds)?;
    let of = DayOf { ipa_code: &identity.ipa_code, register, day, registered: &registered, annulled: &annulled };
    let csv =
        files::csv(&of).map_err(|error| DbError::Other(format!("a daily register cannot be written: {error}")))?;
    let xml = files::xml(&of);
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let new = DailyRegister {
        id: tx.new_id(),
        aoo_code: register.aoo_code.clone(),
        register_code: register.register_code.clone(),
        day,
        entries: count(registered.len()),
        annulments: count(annulled.len()),
        first_number: registered.first().map(|whole| whole.entry.number),
        last_number: registered.last().map(|whole| whole.entry.number),
        csv_sha256: sha256(&csv),
        xml_sha256: sha256(&xml),
        created_at: tx.now(),
    };
    store::insert(tx, &new, &csv, &xml)?;
    // A transaction that began before midnight and waits still is registered on the day that has begun.
    entries::close_until(tx, register, bounds.1)?;
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
    tell(tx, Done { action, kind, subject, version: 1, before: None, after: Some(after) })
}
