//! One connection type for both databases, and the address it is opened from.

use std::{fmt, path::PathBuf, time::Duration};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection, pg::PgConnection};

/// A connection to either database. Code that speaks to the enum is the same for both; what it
/// cannot type goes through [`both!`](crate::both).
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// PostgreSQL.
    Pg(PgConnection),
    /// SQLite.
    Sqlite(SqliteConnection),
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pg(_) => "Conn::Pg",
            Self::Sqlite(_) => "Conn::Sqlite",
        })
    }
}

/// Where the database is, chosen by the scheme of its URL.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL URL; it may hold a password, so it is never printed.
    Postgres(String),
}

/// Why a database URL was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither `sqlite:` nor `postgres:`.
    #[error("the database URL must start with `sqlite:` or `postgres://`")]
    Scheme,
    /// A typing error must not create an empty database.
    #[error("the SQLite file {0} does not exist; `sportello migrate` makes it")]
    Missing(PathBuf),
    /// The connection would cross a network in clear text.
    #[error(
        "the PostgreSQL host `{0}` is not local, and this binary speaks to PostgreSQL without TLS: \
         put a TLS proxy (PgBouncer, stunnel) on this machine, or set database.allow_cleartext = true \
         for a private network"
    )]
    Cleartext(String),
    /// Something other than the URL would choose the host.
    #[error(
        "the PostgreSQL URL must name its host itself, such as `127.0.0.1` or `?host=/var/run/postgresql`: PGHOST \
         and services may lead across a network, and this binary speaks to PostgreSQL without TLS"
    )]
    Hostless,
}

impl Target {
    /// Reads a URL: `sqlite:PATH`, `postgres://…` or `postgresql://…`.
    ///
    /// # Errors
    /// When the scheme is neither.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            return Ok(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        Err(TargetError::Scheme)
    }

    /// Refuses a SQLite file that is not there.
    ///
    /// # Errors
    /// When the file is missing.
    pub fn must_exist(&self) -> Result<(), TargetError> {
        match self {
            Self::Sqlite(path) if !path.exists() => Err(TargetError::Missing(path.clone())),
            _ => Ok(()),
        }
    }

    /// Refuses a PostgreSQL host that is neither a Unix socket nor the loopback, and a URL that leaves the
    /// choice of the host to something else. What is returned is not led elsewhere by the environment.
    ///
    /// # Errors
    /// When a password and personal data would, or might, cross a network in clear text.
    pub fn must_be_local(self) -> Result<Self, TargetError> {
        let Self::Postgres(url) = &self else { return Ok(self) };
        let hosts = hosts(url);
        if let Some(host) = hosts.iter().find(|host| !is_local(host)) {
            return Err(TargetError::Cleartext(host.clone()));
        }
        let parameters = parameters(url);
        let named = |wanted: &str| parameters.iter().any(|(name, _)| *name == wanted);
        // libpq reads `%68ost` as `host`, and a service may name another.
        let indirect = named("service") || parameters.iter().any(|(name, _)| name.contains('%'));
        if indirect || hosts.iter().all(String::is_empty) {
            return Err(TargetError::Hostless);
        }
        if named("hostaddr") {
            return Ok(Self::Postgres(url.clone()));
        }
        // An empty address is none, and keeps PGHOSTADDR from being asked for one.
        let joint = match after_credentials(url).split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        Ok(Self::Postgres(format!("{url}{joint}hostaddr=")))
    }

    /// Makes the SQLite file, if it is missing, so that only its owner can read it: SQLite gives its
    /// journals the same permissions.
    pub(crate) fn make_private_file(&self) -> std::io::Result<()> {
        let Self::Sqlite(path) = self else { return Ok(()) };
        let mut options = std::fs::OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map(drop)
    }

    /// What the log may say of it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// Opens a connection.
    pub(crate) fn open(&self, access: Access, busy: Duration) -> diesel::ConnectionResult<Conn> {
        match self {
            Self::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
                conn.batch_execute(&sqlite_pragmas(access, busy))
                    .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
                Ok(Conn::Sqlite(conn))
            }
            Self::Postgres(url) => {
                let mut conn = PgConnection::establish(url)?;
                // A statement that takes many times the patience of a caller is not waited for by anybody.
                let (lock, statement) = (busy.as_millis(), busy.as_millis().saturating_mul(6));
                let settings =
                    format!("SET TIME ZONE 'UTC'; SET lock_timeout = {lock}; SET statement_timeout = {statement}");
                conn.batch_execute(&settings).map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
                Ok(Conn::Pg(conn))
            }
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres:***"),
        }
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// `busy_timeout` comes first: switching a fresh file to WAL may itself have to wait. What is deleted is overwritten:
/// left alone, a page that is free again keeps who was written on it.
fn sqlite_pragmas(access: Access, busy: Duration) -> String {
    // Pages kept, in KiB: the one writer meets every index of a large database, readers their corner of it.
    let (query_only, cache) = if access == Access::Read { ("ON", 8 * 1024) } else { ("OFF", 64 * 1024) };
    format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{cache}; PRAGMA query_only = {query_only}; \
         PRAGMA secure_delete = ON;",
        busy.as_millis()
    )
}

/// The hosts of a libpq URL: the authority's, and those of the parameters. Empty means a Unix socket.
fn hosts(url: &str) -> Vec<String> {
    let hosts = after_credentials(url).split(['/', '?']).next().unwrap_or_default();
    let mut found: Vec<String> = hosts.split(',').filter(|h| !h.is_empty()).map(without_port).collect();
    for (_, value) in parameters(url).into_iter().filter(|(name, _)| *name == "host" || *name == "hostaddr") {
        found.extend(value.split(',').map(|h| h.replace("%2F", "/").replace("%2f", "/")));
    }
    found
}

/// The parameters of a libpq URL, as they are written.
fn parameters(url: &str) -> Vec<(&str, &str)> {
    let query = after_credentials(url).split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter_map(|pair| pair.split_once('=')).collect()
}

/// As libpq reads it: a password may hold a question mark.
fn after_credentials(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split_once('@').filter(|(before, _)| !before.contains('/')).map_or(rest, |(_, after)| after)
}

fn without_port(host: &str) -> String {
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default().to_owned(),
        None => host.split(':').next().unwrap_or_default().replace("%2F", "/").replace("%2f", "/"),
    }
}

fn is_local(host: &str) -> bool {
    host.is_empty()
        || host.starts_with('/')
        || host.starts_with('@')
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_chooses_the_database() {
        assert_eq!(Target::parse("sqlite:a/b.sqlite"), Ok(Target::Sqlite("a/b.sqlite".into())));
        assert_eq!(Target::parse("sqlite:///var/b.sqlite"), Ok(Target::Sqlite("/var/b.sqlite".into())));
        assert!(matches!(Target::parse("postgresql:///x"), Ok(Target::Postgres(_))));
        assert_eq!(Target::parse("b.sqlite"), Err(TargetError::Scheme));
        assert_eq!(Target::parse("mysql://x"), Err(TargetError::Scheme));
    }

    #[test]
    fn a_missing_file_is_refused() {
        let missing = Target::parse("sqlite:/nonexistent/x.sqlite").unwrap();
        assert!(matches!(missing.must_exist(), Err(TargetError::Missing(_))));
    }

    #[test]
    fn clear_text_stays_on_the_machine() {
        let local = |url: &str| Target::parse(url).unwrap().must_be_local().is_ok();
        assert!(local("postgres://u:p@localhost:5433/sportello"));
        assert!(local("postgres://u@127.0.0.1/x"));
        assert!(local("postgres://[::1]:5432/x"));
        assert!(local("postgres:///x?host=/var/run/postgresql&user=a"));
        assert!(local("postgres://%2Fvar%2Frun/x"));
        assert!(!local("postgres://db.example.org/x"));
        assert!(!local("postgres://localhost,10.0.0.7/x"));
        assert!(!local("postgres:///x?host=10.0.0.7"));
        assert!(!local("postgres://localhost/x?hostaddr=10.0.0.7"));
        assert!(!local("postgres://localhost:x?y@db.example.org/x"));
        assert!(!local("postgres://u:x?y@localhost/x?host=10.0.0.7"));
        assert!(local("postgres://u:x?y@localhost/x"));
    }

    #[test]
    fn nothing_but_the_url_chooses_the_host() {
        let local = |url: &str| Target::parse(url).unwrap().must_be_local();
        for url in
            ["postgres:///x", "postgres:///x?host=", "postgres://localhost/x?service=y", "postgres:///x?%68ost=y"]
        {
            assert_eq!(local(url), Err(TargetError::Hostless), "{url}");
        }
        for (url, pinned) in [
            ("postgres://localhost/x", "postgres://localhost/x?hostaddr="),
            ("postgres://localhost/x?", "postgres://localhost/x?hostaddr="),
            ("postgres:///x?host=/run", "postgres:///x?host=/run&hostaddr="),
            ("postgres:///x?hostaddr=127.0.0.1", "postgres:///x?hostaddr=127.0.0.1"),
        ] {
            assert_eq!(local(url), Ok(Target::Postgres(pinned.to_owned())));
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        let target = Target::parse("postgres://u:hunter2@localhost/x").unwrap();
        assert!(!format!("{target:?}").contains("hunter2"));
    }
}
