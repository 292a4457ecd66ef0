//! What is written into a column is what is read from it, on both databases, and sorts the same way.

use std::{fmt::Debug, sync::Arc};

use diesel::{connection::SimpleConnection, prelude::*};
use jiff::{
    Timestamp,
    civil::{Date, Time, date, time},
};
use kernel::{Id, TestClock};
use serde_json::{Value, json};
use storage::{
    Db, DbOptions, Json, Scope, TenantId, Tx, migrate,
    types::{At, Day, Hour, Key},
};
use uuid::Uuid;

use crate::{Fresh, backends, migrated};

diesel::table! {
    use diesel::sql_types::*;
    use storage::types::*;

    samples (tenant_id, place) {
        tenant_id -> Uid,
        place -> BigInt,
        id -> Nullable<Uid>,
        instant -> Nullable<Instant>,
        document -> Nullable<JsonCol>,
        day -> Nullable<CivilDate>,
        hour -> Nullable<CivilTime>,
        flag -> Nullable<Bool>,
        number -> Nullable<BigInt>,
        words -> Nullable<Text>,
    }
}

const TABLE: &str = "CREATE TABLE samples (tenant_id {ID} NOT NULL, place {INT} NOT NULL, id {ID}, instant {INSTANT}, \
    document {JSON}, day {DATE}, hour {TIME}, flag {BOOL}, number {INT}, words TEXT, PRIMARY KEY (tenant_id, place)) {KEYED}";

enum Thing {}

fn tenant() -> TenantId {
    Id::from_uuid(Uuid::from_u128(7))
}

async fn open(fresh: &Fresh) -> Db {
    let clock = Arc::new(TestClock::at(Timestamp::UNIX_EPOCH));
    let db = Db::open(&fresh.target, &DbOptions::default(), clock).unwrap();
    let table = migrate::render(TABLE, &fresh.target);
    db.write(&scope(), move |tx| Ok(tx.conn().batch_execute(&table)?)).await.unwrap();
    db
}

fn scope() -> Scope {
    Scope::system(tenant())
}

/// Writes the values into one column of the table, a row each, and reads them back: in the order in which they were
/// written, and in the order of the column. A macro, because each column has a type of its own.
macro_rules! round_trip {
    ($db:expr, $values:expr, $column:ident, $as:ty, $write:expr) => {{
        let values: Vec<$as> = $values.to_vec();
        let written = values.clone();
        let work = move |tx: &mut Tx<'_>| {
            let rows = samples::table.filter(samples::tenant_id.eq(Key(tx.tenant())));
            diesel::delete(rows).execute(tx.conn())?;
            for (place, value) in (0_i64..).zip(&written) {
                diesel::insert_into(samples::table)
                    .values((
                        samples::tenant_id.eq(Key(tx.tenant())),
                        samples::place.eq(place),
                        samples::$column.eq(Some(($write)(value.clone()))),
                    ))
                    .execute(tx.conn())?;
            }
            let column = samples::table.select(samples::$column);
            let back: Vec<Option<$as>> = column.order(samples::place).load(tx.conn())?;
            let sorted: Vec<Option<$as>> = column.order((samples::$column, samples::place)).load(tx.conn())?;
            Ok((back, sorted))
        };
        let (back, sorted) = $db.write(&scope(), work).await.unwrap();
        let back: Vec<$as> = back.into_iter().map(Option::unwrap).collect();
        let sorted: Vec<$as> = sorted.into_iter().map(Option::unwrap).collect();
        assert_eq!(back, values, "{:?}: {}", $db.target(), stringify!($column));
        sorted
    }};
}

/// Demands the order that Rust gives, which is then the same on both databases.
#[track_caller]
fn in_order<T: Ord + Clone + Debug>(sorted: &[T], values: &[T]) {
    let mut expected = values.to_vec();
    expected.sort();
    assert_eq!(sorted, expected);
}

fn instants() -> Vec<Timestamp> {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    vec![
        at("2027-03-28T01:00:00Z"),
        at("9999-12-30T22:00:00.999999Z"),
        at("0000-01-01T00:00:00Z"),
        at("1969-12-31T23:59:59.999999Z"),
        at("1970-01-01T00:00:00Z"),
        at("1970-01-01T00:00:00.000001Z"),
        at("1999-12-31T23:59:59.999999Z"),
        at("2000-01-01T00:00:00Z"),
        at("2026-11-24T10:00:00.123456+01:00"),
        at("2026-11-24T10:00:00.123457+01:00"),
    ]
}

fn dates() -> Vec<Date> {
    vec![
        date(2027, 3, 28),
        Date::MAX,
        date(0, 1, 1),
        date(1, 1, 1),
        date(999, 12, 31),
        date(1582, 10, 10),
        date(1970, 1, 1),
        date(1999, 12, 31),
        date(2000, 1, 1),
        date(2000, 2, 29),
    ]
}

#[tokio::test]
async fn every_type_comes_back_as_it_was_and_sorts_as_it_should() {
    for backend in backends() {
        let fresh = migrated(backend);
        let db = open(&fresh).await;

        let ids: Vec<Id<Thing>> = [0, 1, u128::MAX, 1 << 127, 0x01980000_0000_7000_8000_000000000001, 255, 256]
            .map(|n| Id::from_uuid(Uuid::from_u128(n)))
            .to_vec();
        in_order(&round_trip!(db, ids, id, Id<Thing>, Key), &ids);

        in_order(&round_trip!(db, instants(), instant, Timestamp, At), &instants());
        in_order(&round_trip!(db, dates(), day, Date, Day), &dates());

        let hours = [time(9, 0, 0, 0), Time::midnight(), time(23, 59, 59, 0), time(12, 30, 0, 0), time(9, 0, 1, 0)];
        in_order(&round_trip!(db, hours, hour, Time, Hour), &hours);

        in_order(&round_trip!(db, [true, false, true], flag, bool, |yes| yes), &[true, false, true]);
        let numbers = [0, i64::MAX, i64::MIN, -1, 1, 9_007_199_254_740_993];
        in_order(&round_trip!(db, numbers, number, i64, |n| n), &numbers);

        let words =
            ["", "Nicolò", "l'ufficio \"A\"", "a\\b\r\n\t%_", "日本 🏛", "'; DROP TABLE samples; --"].map(str::to_owned);
        round_trip!(db, words, words, String, |text| text);
        round_trip!(db, ["è".repeat(100_000)], words, String, |text| text);

        let documents = documents().map(Json);
        round_trip!(db, documents, document, Json<Value>, |document| document);
    }
}

fn documents() -> [Value; 7] {
    [
        json!(null),
        json!({}),
        json!([[], {}, "", 0, false, null]),
        json!({ "it": "Città", "en": null, "de": "Straße 🏛 \"quoted\" \\ \u{7f}" }),
        json!({ "least": i64::MIN, "most": u64::MAX, "exact": 9_007_199_254_740_993_i64 }),
        json!({ "tenth": 0.1, "large": 1e300, "small": 5e-324, "negative": -2.5 }),
        json!({ "deep": { "b": 1, "a": [{ "c": [1, 2, { "": "empty" }] }], "key with \"quotes\"": true } }),
    ]
}

/// What lies between microseconds is cut off the same way on both sides of 1970 and on both databases.
#[tokio::test]
async fn finer_than_microseconds_is_cut_off_alike() {
    let mut read = Vec::new();
    for backend in backends() {
        let fresh = migrated(backend);
        let db = open(&fresh).await;
        let work = |tx: &mut Tx<'_>| {
            for (place, nanos) in (0_i64..).zip([1_500, -1_500, 999, -999]) {
                let instant = Timestamp::from_nanosecond(nanos).unwrap();
                diesel::insert_into(samples::table)
                    .values((
                        samples::tenant_id.eq(Key(tx.tenant())),
                        samples::place.eq(place),
                        samples::instant.eq(Some(At(instant))),
                    ))
                    .execute(tx.conn())?;
            }
            let rows: Vec<Option<Timestamp>> =
                samples::table.select(samples::instant).order(samples::place).load(tx.conn())?;
            Ok(rows)
        };
        read.push(db.write(&scope(), work).await.unwrap());
    }
    assert!(read.windows(2).all(|both| both[0] == both[1]), "{read:?}");
}

/// What one database could not keep, or would sort wrongly, neither takes.
#[tokio::test]
async fn years_before_0_are_refused_alike() {
    for backend in backends() {
        let fresh = migrated(backend);
        let db = open(&fresh).await;
        let insert = |instant: Option<Timestamp>, day: Option<Date>| {
            let db = db.clone();
            async move {
                let work = move |tx: &mut Tx<'_>| {
                    let row = (
                        samples::tenant_id.eq(Key(tx.tenant())),
                        samples::place.eq(0),
                        samples::instant.eq(instant.map(At)),
                        samples::day.eq(day.map(Day)),
                    );
                    diesel::insert_into(samples::table).values(row).execute(tx.conn())?;
                    Ok(())
                };
                db.write(&scope(), work).await.map_err(|problem| problem.kind.slug)
            }
        };
        let before: Timestamp = "-000001-12-31T23:59:59Z".parse().unwrap();
        for early in [before, Timestamp::MIN] {
            assert_eq!(insert(Some(early), None).await, Err("internal-error"), "{backend:?}: {early}");
        }
        for early in [date(-1, 12, 31), Date::MIN] {
            assert_eq!(insert(None, Some(early)).await, Err("internal-error"), "{backend:?}: {early}");
        }
        assert_eq!(insert(None, None).await, Ok(()), "{backend:?}");
    }
}

/// Where a list is cut in pages, the next page starts after the last row on both databases alike.
#[tokio::test]
async fn comparisons_agree_with_the_order() {
    for backend in backends() {
        let fresh = migrated(backend);
        let db = open(&fresh).await;
        let mut values = instants();
        values.sort();
        round_trip!(db, values, instant, Timestamp, At);
        for (at, value) in values.clone().into_iter().enumerate() {
            let work = move |tx: &mut Tx<'_>| {
                let after = samples::table.filter(samples::instant.gt(At(value)));
                Ok(after.count().get_result::<i64>(tx.conn())?)
            };
            let after = db.read(&scope(), work).await.unwrap();
            assert_eq!(after, i64::try_from(values.len() - at - 1).unwrap(), "{backend:?}: {value}");
        }
    }
}
