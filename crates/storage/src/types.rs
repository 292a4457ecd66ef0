//! Column types that are native on each side: `uuid`, `timestamptz`, `jsonb`, `date` and `time` on
//! PostgreSQL; 16-byte blob, integer microseconds and text on SQLite, where they sort the same way.

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow, Queryable},
    expression::AsExpression,
    pg::{Pg, PgValue},
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{HasSqlType, SingleValue},
    sqlite::Sqlite,
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
};
use kernel::Id;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::conn::{MultiBackend, MultiRawValue};

/// SQL type of [`Id`]: `uuid`, or a blob of 16 bytes.
#[derive(Debug, Clone, Copy, Default, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "uuid"))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct Uid;

/// SQL type of [`Timestamp`]: `timestamptz`, or whole microseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy, Default, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "timestamptz"))]
#[diesel(sqlite_type(name = "Long"))]
pub struct Instant;

/// SQL type of [`Json`]: `jsonb`, or text.
#[derive(Debug, Clone, Copy, Default, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "jsonb"))]
#[diesel(sqlite_type(name = "Text"))]
pub struct JsonCol;

/// SQL type of a civil [`Date`]: `date`, or `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, Default, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "date"))]
#[diesel(sqlite_type(name = "Text"))]
pub struct CivilDate;

/// SQL type of a civil [`Time`]: `time`, or `HH:MM:SS`. Whole seconds.
#[derive(Debug, Clone, Copy, Default, diesel::sql_types::SqlType, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "time"))]
#[diesel(sqlite_type(name = "Text"))]
pub struct CivilTime;

impl diesel::sql_types::SqlOrd for Instant {}
impl diesel::sql_types::SqlOrd for CivilDate {}

/// Any serialisable value in a [`JsonCol`].
#[derive(Debug, Clone, PartialEq, Eq, Default, AsExpression, FromSqlRow)]
#[diesel(sql_type = JsonCol)]
pub struct Json<T: std::fmt::Debug>(pub T);

/// An [`Id`] as an SQL value. Rows are read straight into `Id`; writing and comparing want this
/// wrapper, since only the crate of a type may tell diesel that it is an SQL value.
#[derive(AsExpression)]
#[diesel(sql_type = Uid)]
pub struct Key<T: 'static>(pub Id<T>);

// Derives would ask `T` for the same traits.
impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Key<T> {}
impl<T> std::fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
impl<T> From<Id<T>> for Key<T> {
    fn from(id: Id<T>) -> Self {
        Self(id)
    }
}
impl<T: 'static, DB> Queryable<Uid, DB> for Id<T>
where
    DB: Backend,
    Uid: SingleValue,
    Self: FromSql<Uid, DB>,
{
    type Row = Self;
    fn build(row: Self) -> deserialize::Result<Self> {
        Ok(row)
    }
}

/// A [`Timestamp`] as an SQL value; see [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression)]
#[diesel(sql_type = Instant)]
pub struct At(pub Timestamp);

/// A [`Date`] as an SQL value; see [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression)]
#[diesel(sql_type = CivilDate)]
pub struct Day(pub Date);

/// A [`Time`] as an SQL value; see [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression)]
#[diesel(sql_type = CivilTime)]
pub struct Hour(pub Time);

macro_rules! readable {
    ($sql:ident as $rust:ty, written as $wrapper:ident) => {
        impl From<$rust> for $wrapper {
            fn from(value: $rust) -> Self {
                Self(value)
            }
        }
        impl<DB> Queryable<$sql, DB> for $rust
        where
            DB: Backend,
            $sql: SingleValue,
            Self: FromSql<$sql, DB>,
        {
            type Row = Self;
            fn build(row: Self) -> deserialize::Result<Self> {
                Ok(row)
            }
        }
    };
}
readable!(Instant as Timestamp, written as At);
readable!(CivilDate as Date, written as Day);
readable!(CivilTime as Time, written as Hour);

/// The third backend, the enum over the first two, passes values through.
macro_rules! written_to_multi {
    ($sql:ident as $rust:ty $(, $param:ident: $bound:path)?) => {
        impl<$($param: 'static + $bound)?> ToSql<$sql, MultiBackend> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
                out.set_value(($sql, self));
                Ok(IsNull::No)
            }
        }
    };
}
macro_rules! read_from_multi {
    ($sql:ident as $rust:ty $(, $param:ident: $bound:path)?) => {
        impl<$($param: 'static + $bound)?> FromSql<$sql, MultiBackend> for $rust {
            fn from_sql(value: MultiRawValue<'_>) -> deserialize::Result<Self> {
                value.from_sql::<Self, $sql>()
            }
        }
    };
}
written_to_multi!(Uid as Key<T>, T: Sized);
read_from_multi!(Uid as Id<T>, T: Sized);
written_to_multi!(Instant as At);
read_from_multi!(Instant as Timestamp);
written_to_multi!(CivilDate as Day);
read_from_multi!(CivilDate as Date);
written_to_multi!(CivilTime as Hour);
read_from_multi!(CivilTime as Time);
written_to_multi!(JsonCol as Json<T>, T: Document);
read_from_multi!(JsonCol as Json<T>, T: Document);

macro_rules! known_to_multi {
    ($($sql:ident)*) => { $(
        impl HasSqlType<$sql> for MultiBackend {
            fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
                Self::lookup_sql_type::<$sql>(lookup)
            }
        }
    )* };
}
known_to_multi!(Uid Instant JsonCol CivilDate CivilTime);

impl<T: 'static> ToSql<Uid, Pg> for Key<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        std::io::Write::write_all(out, self.0.uuid().as_bytes())?;
        Ok(IsNull::No)
    }
}
impl<T: 'static> FromSql<Uid, Pg> for Id<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::from_uuid(Uuid::from_slice(value.as_bytes())?))
    }
}
impl<T: 'static> ToSql<Uid, Sqlite> for Key<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.uuid().as_bytes().to_vec());
        Ok(IsNull::No)
    }
}
impl<T: 'static> FromSql<Uid, Sqlite> for Id<T> {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let bytes = <Vec<u8> as FromSql<diesel::sql_types::Binary, Sqlite>>::from_sql(value)?;
        Ok(Self::from_uuid(Uuid::from_slice(&bytes)?))
    }
}

/// 2000-01-01T00:00:00Z in Unix microseconds: where PostgreSQL counts from.
const PG_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Years before 0 are kept by neither database: PostgreSQL's calendar begins in one of them, and as text
/// they sort backwards.
const TOO_EARLY: &str = "years before 0 are not stored";
/// 0000-01-01T00:00:00Z in Unix microseconds.
const YEAR_0_MICROS: i64 = -62_167_219_200_000_000;

/// Whole microseconds since 1970, as both databases keep an instant.
fn micros(instant: Timestamp) -> Result<i64, &'static str> {
    let micros = instant.as_microsecond();
    if micros < YEAR_0_MICROS { Err(TOO_EARLY) } else { Ok(micros) }
}

/// jiff's own constructor stops at the last whole second.
fn instant(micros: i64) -> deserialize::Result<Timestamp> {
    let nanos = micros.rem_euclid(1_000_000).saturating_mul(1000);
    Ok(Timestamp::new(micros.div_euclid(1_000_000), i32::try_from(nanos)?)?)
}

fn storable(date: Date) -> Result<Date, &'static str> {
    if date.year() < 0 { Err(TOO_EARLY) } else { Ok(date) }
}

impl ToSql<Instant, Pg> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let micros = micros(self.0)? - PG_EPOCH_MICROS;
        std::io::Write::write_all(out, &micros.to_be_bytes())?;
        Ok(IsNull::No)
    }
}
impl FromSql<Instant, Pg> for Timestamp {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros = i64::from_be_bytes(value.as_bytes().try_into()?);
        instant(micros.saturating_add(PG_EPOCH_MICROS))
    }
}
impl ToSql<Instant, Sqlite> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(micros(self.0)?);
        Ok(IsNull::No)
    }
}
impl FromSql<Instant, Sqlite> for Timestamp {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<diesel::sql_types::BigInt, Sqlite>>::from_sql(value)?;
        instant(micros)
    }
}

/// 2000-01-01: where PostgreSQL counts days from.
const PG_EPOCH_DATE: Date = Date::constant(2000, 1, 1);

impl ToSql<CivilDate, Pg> for Day {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let days = i32::try_from(storable(self.0)?.duration_since(PG_EPOCH_DATE).as_hours() / 24)?;
        std::io::Write::write_all(out, &days.to_be_bytes())?;
        Ok(IsNull::No)
    }
}
impl FromSql<CivilDate, Pg> for Date {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let days = i32::from_be_bytes(value.as_bytes().try_into()?);
        Ok(PG_EPOCH_DATE.checked_add(SignedDuration::from_hours(i64::from(days) * 24))?)
    }
}

impl ToSql<CivilTime, Pg> for Hour {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let micros = i64::try_from(self.0.duration_since(Time::midnight()).as_micros())?;
        std::io::Write::write_all(out, &micros.to_be_bytes())?;
        Ok(IsNull::No)
    }
}
impl FromSql<CivilTime, Pg> for Time {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros = i64::from_be_bytes(value.as_bytes().try_into()?);
        Ok(Self::midnight().checked_add(SignedDuration::from_micros(micros))?)
    }
}

/// Civil dates and times are text on SQLite: it sorts as they do.
macro_rules! text_on_sqlite {
    ($sql:ident as $rust:ty, written as $wrapper:ident $(, if $check:ident)?) => {
        impl ToSql<$sql, Sqlite> for $wrapper {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                $( $check(self.0)?; )?
                out.set_value(self.0.to_string());
                Ok(IsNull::No)
            }
        }
        impl FromSql<$sql, Sqlite> for $rust {
            fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                let text = <String as FromSql<diesel::sql_types::Text, Sqlite>>::from_sql(value)?;
                Ok(text.parse()?)
            }
        }
    };
}
text_on_sqlite!(CivilDate as Date, written as Day, if storable);
text_on_sqlite!(CivilTime as Time, written as Hour);

/// What the JSON columns hold.
pub trait Document: Serialize + DeserializeOwned + std::fmt::Debug + Send + Sync {}
impl<T: Serialize + DeserializeOwned + std::fmt::Debug + Send + Sync> Document for T {}

/// The version byte that PostgreSQL puts before binary `jsonb`.
const JSONB_VERSION: u8 = 1;

impl<T: Document> ToSql<JsonCol, Pg> for Json<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        std::io::Write::write_all(out, &[JSONB_VERSION])?;
        serde_json::to_writer(out, &self.0)?;
        Ok(IsNull::No)
    }
}
impl<T: Document> FromSql<JsonCol, Pg> for Json<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes() {
            [JSONB_VERSION, json @ ..] => Ok(Self(serde_json::from_slice(json)?)),
            _ => Err("unknown jsonb version".into()),
        }
    }
}
impl<T: Document> ToSql<JsonCol, Sqlite> for Json<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(serde_json::to_string(&self.0)?);
        Ok(IsNull::No)
    }
}
impl<T: Document> FromSql<JsonCol, Sqlite> for Json<T> {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<diesel::sql_types::Text, Sqlite>>::from_sql(value)?;
        Ok(Self(serde_json::from_str(&text)?))
    }
}
