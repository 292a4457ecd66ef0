//! The unique keys of PostgreSQL, by name.
//!
//! A unique violation is told with the columns of the key, but not on a table with row-level security:
//! there the details are left out, because they would show the values of rows that are not one's own.
//! What is left is the name, so the columns are read from the catalogue when the database is opened.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, sql_query,
    sql_types::{Array, Text},
};

use crate::conn::Conn;

/// Columns by name of the key. Errors come without their connection, so this is one for the process;
/// every database of it has the same schema.
static KNOWN: RwLock<Option<HashMap<String, Vec<String>>>> = RwLock::new(None);

#[derive(QueryableByName)]
struct UniqueKey {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Array<Text>)]
    columns: Vec<String>,
}

const UNIQUE_KEYS: &str = "
SELECT i.relname::text AS name, array_agg(a.attname::text ORDER BY k.place) AS columns
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid AND i.relnamespace = current_schema()::regnamespace
CROSS JOIN unnest(x.indkey::int[]) WITH ORDINALITY AS k(attnum, place)
JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
WHERE x.indisunique AND k.place <= x.indnkeyatts
GROUP BY i.relname";

/// Reads the keys of the database behind a connection; of SQLite there is nothing to read.
pub(crate) fn learn(conn: &mut Conn) -> QueryResult<()> {
    let Conn::Pg(conn) = conn else { return Ok(()) };
    let keys: Vec<UniqueKey> = sql_query(UNIQUE_KEYS).load(conn)?;
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.get_or_insert_default().extend(keys.into_iter().map(|key| (key.name, key.columns)));
    Ok(())
}

/// The columns of a key, in its order.
pub(crate) fn columns_of(name: &str) -> Option<Vec<String>> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.as_ref()?.get(name).cloned()
}
