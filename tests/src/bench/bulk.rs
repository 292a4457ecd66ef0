//! Writing many rows at once, past the API.

use diesel::{
    Connection, PgConnection, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query, sql_types::Text,
};
use storage::Target;
use tests::Backend;

pub(crate) enum Bulk {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

#[derive(diesel::QueryableByName)]
struct Index {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    definition: String,
}

const FILLED: &str = "('appointments', 'appointment_applicants', 'occupancy')";

impl Bulk {
    pub(crate) fn open(target: &Target, url: &str) -> Self {
        match target {
            Target::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(&path.to_string_lossy()).expect("the file");
                // Nobody else has it open, and what is interrupted is made afresh.
                conn.batch_execute(
                    "PRAGMA busy_timeout = 5000; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; BEGIN",
                )
                .expect("fast writing");
                Self::Sqlite(conn)
            }
            Target::Postgres(_) => {
                let mut conn = PgConnection::establish(url).expect("the administrator's connection");
                conn.batch_execute("SET session_replication_role = replica; SET maintenance_work_mem = '256MB'; BEGIN")
                    .expect("fast writing");
                Self::Postgres(conn)
            }
        }
    }

    pub(crate) const fn backend(&self) -> Backend {
        match self {
            Self::Sqlite(_) => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }

    pub(crate) fn run(&mut self, sql: &str) {
        let done = match self {
            Self::Sqlite(conn) => conn.batch_execute(sql),
            Self::Postgres(conn) => conn.batch_execute(sql),
        };
        done.unwrap_or_else(|error| panic!("{error}: {}", sql.chars().take(600).collect::<String>()));
    }

    pub(crate) fn drop_indexes(&mut self) -> Vec<String> {
        let indexes: Vec<Index> = match self {
            Self::Sqlite(conn) => sql_query(format!(
                "SELECT name, sql AS definition FROM sqlite_schema \
                 WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN {FILLED}"
            ))
            .load(conn),
            Self::Postgres(conn) => sql_query(format!(
                "SELECT indexname::text AS name, indexdef AS definition FROM pg_indexes WHERE tablename IN {FILLED} \
                 AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = indexname)"
            ))
            .load(conn),
        }
        .expect("the catalogue");
        for index in &indexes {
            self.run(&format!("DROP INDEX {}", index.name));
        }
        indexes.into_iter().map(|index| index.definition).collect()
    }

    pub(crate) fn finish(mut self, indexes: &[String]) {
        indexes.iter().for_each(|definition| self.run(definition));
        self.run("COMMIT");
        match self {
            Self::Sqlite(_) => self.run("PRAGMA wal_checkpoint(TRUNCATE)"),
            // What autovacuum does in time.
            Self::Postgres(_) => {
                self.run("VACUUM ANALYZE");
                self.run("CHECKPOINT");
            }
        }
    }
}
