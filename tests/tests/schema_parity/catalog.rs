//! What each database says of its tables, in the same terms.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use storage::{Target, migrate};

/// A connection of the test's own, past `storage::Db`.
pub(crate) enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// In order: name, type as SQLite is told it, type of this database, and whether it may be NULL.
    pub(crate) columns: Vec<Column>,
    /// The columns of the primary key.
    pub(crate) primary_key: Vec<String>,
    /// The columns of each unique key.
    unique: BTreeSet<Vec<String>>,
    foreign_keys: BTreeSet<ForeignKey>,
    /// Other indexes: name, columns, and whether it holds a part of the rows only.
    indexes: BTreeSet<(String, Vec<String>, bool)>,
    /// How many CHECKs there are: each database words them in its own way.
    checks: i64,
}

/// A foreign key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ForeignKey {
    columns: Vec<String>,
    target: String,
    target_columns: Vec<String>,
    on_delete: String,
    on_update: String,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// As SQLite declares it.
    pub(crate) sqlite: String,
    /// As PostgreSQL declares it; empty on SQLite.
    pub(crate) postgres: String,
    pub(crate) nullable: bool,
}

impl Table {
    /// How this table (SQLite's) differs from another (PostgreSQL's).
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let told = |table: &Self| -> Vec<String> {
            let may = |nullable| if nullable { "" } else { " NOT NULL" };
            table.columns.iter().map(|c| format!("{} {}{}", c.name, c.sqlite, may(c.nullable))).collect()
        };
        let mut compare = |what: &str, left: String, right: String| {
            if left != right {
                found.push(format!("{what}\n    SQLite     {left}\n    PostgreSQL {right}"));
            }
        };
        compare("columns", format!("{:?}", told(self)), format!("{:?}", told(other)));
        compare("primary key", format!("{:?}", self.primary_key), format!("{:?}", other.primary_key));
        compare("unique keys", format!("{:?}", self.unique), format!("{:?}", other.unique));
        compare("foreign keys", format!("{:?}", self.foreign_keys), format!("{:?}", other.foreign_keys));
        compare("indexes", format!("{:?}", self.indexes), format!("{:?}", other.indexes));
        compare("checks", self.checks.to_string(), other.checks.to_string());
        found
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    value: String,
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    nullable: i64,
}

#[derive(QueryableByName)]
struct KeyRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    partial: i64,
    #[diesel(sql_type = Nullable<Text>)]
    column_name: Option<String>,
}

#[derive(QueryableByName)]
struct ReferenceRow {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = Text)]
    target: String,
    #[diesel(sql_type = Text)]
    own_column: String,
    #[diesel(sql_type = Nullable<Text>)]
    target_column: Option<String>,
    #[diesel(sql_type = Text)]
    on_delete: String,
    #[diesel(sql_type = Text)]
    on_update: String,
}

impl Database {
    pub(crate) fn open(target: &Target) -> Self {
        match target {
            Target::Sqlite(path) => Self::Sqlite(SqliteConnection::establish(&path.to_string_lossy()).unwrap()),
            Target::Postgres(url) => Self::Postgres(PgConnection::establish(url).unwrap()),
        }
    }

    pub(crate) fn execute(&mut self, sql: &str) {
        match self {
            Self::Sqlite(c) => c.batch_execute(sql),
            Self::Postgres(c) => c.batch_execute(sql),
        }
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// The column `value` of every row.
    pub(crate) fn list(&mut self, sql: &str) -> Vec<String> {
        let rows: Vec<Row> = match self {
            Self::Sqlite(c) => sql_query(sql).load(c),
            Self::Postgres(c) => sql_query(sql).load(c),
        }
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
        rows.into_iter().map(|row| row.value).collect()
    }

    /// Every table but the bookkeeping of migrations.
    pub(crate) fn tables(&mut self) -> BTreeMap<String, Table> {
        let names = match self {
            Self::Sqlite(_) => self.list(
                "SELECT name AS value FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1",
            ),
            Self::Postgres(_) => {
                self.list("SELECT tablename::text AS value FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            }
        };
        let names = names.into_iter().filter(|name| name != "schema_migrations");
        names.map(|name| (name.clone(), self.table(&name))).collect()
    }

    fn table(&mut self, name: &str) -> Table {
        let (columns, keys, references, checks) = match self {
            Self::Sqlite(c) => (
                sql_query(format!(
                    "SELECT name, type AS kind, CAST(\"notnull\" = 0 AS INTEGER) AS nullable \
                     FROM pragma_table_info('{name}') ORDER BY cid"
                ))
                .load::<ColumnRow>(c),
                sql_query(format!(
                    "SELECT i.name AS name, CASE WHEN i.origin = 'pk' THEN 'p' WHEN i.\"unique\" THEN 'u' ELSE 'i' END AS kind, \
                     i.partial AS partial, k.name AS column_name \
                     FROM pragma_index_list('{name}') i, pragma_index_info(i.name) k ORDER BY i.name, k.seqno"
                ))
                .load::<KeyRow>(c),
                sql_query(format!(
                    "SELECT id AS number, \"table\" AS target, \"from\" AS own_column, \"to\" AS target_column, \
                     on_delete, on_update FROM pragma_foreign_key_list('{name}') ORDER BY id, seq"
                ))
                .load::<ReferenceRow>(c),
                sql_query(format!("SELECT sql AS value FROM sqlite_schema WHERE name = '{name}'"))
                    .get_result::<Row>(c)
                    .map(|row| uncommented(&row.value).matches("CHECK (").count().to_string()),
            ),
            Self::Postgres(c) => (
                sql_query(format!(
                    "SELECT attname::text AS name, format_type(atttypid, atttypmod) AS kind, \
                     (NOT attnotnull)::int::bigint AS nullable FROM pg_attribute \
                     WHERE attrelid = '{name}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
                ))
                .load::<ColumnRow>(c),
                sql_query(format!(
                    "SELECT i.relname::text AS name, \
                     CASE WHEN x.indisprimary THEN 'p' WHEN x.indisunique THEN 'u' ELSE 'i' END AS kind, \
                     (x.indpred IS NOT NULL)::int::bigint AS partial, a.attname::text AS column_name \
                     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
                     CROSS JOIN unnest(x.indkey::int[]) WITH ORDINALITY AS k(attnum, place) \
                     LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum \
                     WHERE x.indrelid = '{name}'::regclass ORDER BY i.relname, k.place"
                ))
                .load::<KeyRow>(c),
                sql_query(format!(
                    "SELECT f.oid::bigint AS number, t.relname::text AS target, o.attname::text AS own_column, \
                     r.attname::text AS target_column, \
                     CASE f.confdeltype WHEN 'a' THEN 'NO ACTION' ELSE f.confdeltype::text END AS on_delete, \
                     CASE f.confupdtype WHEN 'a' THEN 'NO ACTION' ELSE f.confupdtype::text END AS on_update \
                     FROM pg_constraint f JOIN pg_class t ON t.oid = f.confrelid \
                     CROSS JOIN unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(own, target, place) \
                     JOIN pg_attribute o ON o.attrelid = f.conrelid AND o.attnum = k.own \
                     JOIN pg_attribute r ON r.attrelid = f.confrelid AND r.attnum = k.target \
                     WHERE f.contype = 'f' AND f.conrelid = '{name}'::regclass ORDER BY f.oid, k.place"
                ))
                .load::<ReferenceRow>(c),
                sql_query(format!(
                    "SELECT count(*)::text AS value FROM pg_constraint \
                     WHERE contype = 'c' AND conrelid = '{name}'::regclass"
                ))
                .get_result::<Row>(c)
                .map(|row| row.value),
            ),
        };
        let is_postgres = matches!(self, Self::Postgres(_));
        let column = |row: ColumnRow| Column {
            name: row.name,
            sqlite: if is_postgres { on_sqlite(&row.kind) } else { row.kind.clone() },
            postgres: if is_postgres { row.kind } else { String::new() },
            nullable: row.nullable == 1,
        };
        let mut table = Table {
            columns: columns.unwrap().into_iter().map(column).collect(),
            checks: checks.unwrap().parse().unwrap(),
            ..Table::default()
        };
        add_keys(&mut table, &keys.unwrap());
        add_references(&mut table, &references.unwrap());
        table
    }
}

/// The rows of a key come together, in the order of its columns.
fn add_keys(table: &mut Table, rows: &[KeyRow]) {
    for rows in rows.chunk_by(|one, next| one.name == next.name) {
        let columns: Vec<String> =
            rows.iter().map(|row| row.column_name.clone().unwrap_or_else(|| "(an expression)".to_owned())).collect();
        match rows[0].kind.as_str() {
            "p" => table.primary_key = columns,
            "u" => drop(table.unique.insert(columns)),
            _ => drop(table.indexes.insert((rows[0].name.clone(), columns, rows[0].partial == 1))),
        }
    }
}

fn add_references(table: &mut Table, rows: &[ReferenceRow]) {
    for rows in rows.chunk_by(|one, next| one.number == next.number) {
        let target = |row: &ReferenceRow| row.target_column.clone().expect("REFERENCES names its columns");
        table.foreign_keys.insert(ForeignKey {
            columns: rows.iter().map(|row| row.own_column.clone()).collect(),
            target: rows[0].target.clone(),
            target_columns: rows.iter().map(target).collect(),
            on_delete: rows[0].on_delete.clone(),
            on_update: rows[0].on_update.clone(),
        });
    }
}

/// What SQLite declares where PostgreSQL has this type: the tokens of migrations are the dictionary.
fn on_sqlite(postgres: &str) -> String {
    // PostgreSQL's own long names for what is declared by a short one.
    let declared = match postgres {
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        other => other,
    };
    let [sqlite, postgres] = ["sqlite:x", "postgres:///x"].map(|url| {
        let words = "{ID} {INSTANT} {JSON} {DATE} {TIME} {INT} {BOOL} text";
        migrate::render(words, &Target::parse(url).unwrap())
    });
    let mut pairs = postgres.split(' ').zip(sqlite.split(' '));
    let known = pairs.find(|(name, _)| *name == declared).map(|(_, name)| name.to_uppercase());
    known.unwrap_or_else(|| format!("({declared}, which has no token)"))
}

fn uncommented(sql: &str) -> String {
    sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn differences_are_found() {
    let differing = |sqlite: &str, other: &str| {
        let table = |sql: &str| {
            let mut database = Database::Sqlite(SqliteConnection::establish(":memory:").unwrap());
            database.execute("CREATE TABLE b (x BLOB, y BLOB, PRIMARY KEY (x, y))");
            database.execute(sql);
            database.table("a")
        };
        table(sqlite).differences(&table(other)).len()
    };
    let base = "CREATE TABLE a (x BLOB NOT NULL, y BLOB, n INTEGER CHECK (n > 0), PRIMARY KEY (x), UNIQUE (x, y), \
                FOREIGN KEY (x, y) REFERENCES b (x, y)); CREATE INDEX i ON a (n, y)";
    assert_eq!(differing(base, base), 0);
    for (old, new, faults) in [
        ("y BLOB", "z BLOB, y BLOB", 1),
        ("y BLOB", "y TEXT", 1),
        ("y BLOB", "y BLOB NOT NULL", 1),
        ("PRIMARY KEY (x)", "PRIMARY KEY (x, n)", 1),
        ("UNIQUE (x, y)", "UNIQUE (y, x)", 1),
        ("REFERENCES b (x, y)", "REFERENCES b (x, y) ON DELETE CASCADE", 1),
        ("REFERENCES b (x, y)", "REFERENCES b (y, x)", 1),
        ("ON a (n, y)", "ON a (n)", 1),
        ("ON a (n, y)", "ON a (n, y) WHERE n > 1", 1),
        ("INDEX i", "INDEX j", 1),
        ("CHECK (n > 0)", "", 1),
    ] {
        assert_eq!(differing(base, &base.replacen(old, new, 1)), faults, "{old} → {new}");
    }
    assert_eq!(on_sqlite("timestamp with time zone"), "INTEGER");
    assert!(on_sqlite("numeric").contains("no token"));
}
