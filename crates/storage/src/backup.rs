//! Copies of a SQLite database, made while others write to it.
//!
//! SQLite makes the copy itself (`VACUUM INTO`), in one read transaction: it is the database as it was at one
//! instant, in one file. It is made under another name, checked, flushed and only then given its own, so that a file
//! of the right name is a whole one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text};

use crate::{
    conn::{Access, Target},
    migrate::{self, MigrateError},
};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there already.
    #[error("{0} is there already; nothing is written over it")]
    Exists(PathBuf),
    /// The copy to put back is not there.
    #[error("{0} is not there")]
    Missing(PathBuf),
    /// The target is no file.
    #[error("only a SQLite database is a file")]
    NotAFile,
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database cannot be opened.
    #[error("cannot open the database: {0}")]
    Open(#[from] diesel::ConnectionError),
    /// SQLite failed to copy or to check.
    #[error("SQLite: {0}")]
    Sqlite(#[from] diesel::result::Error),
    /// The copy is damaged.
    #[error("the copy is damaged: {0}")]
    Damaged(String),
    /// The copy is no database of ours, or one of a newer version.
    #[error("{0}")]
    Schema(#[from] MigrateError),
    /// The copy was never migrated.
    #[error("the copy holds no database of Sportello")]
    Foreign,
    /// The copy and the database disagree about the schema.
    #[error("the copy lacks the steps {0:?} that the database has")]
    Behind(Vec<&'static str>),
}

#[derive(QueryableByName)]
struct Said {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// Copies the database to `to`: how many bytes it has.
///
/// # Errors
/// When `to` is there already, or the copy cannot be made or is not whole.
pub fn make(target: &Target, to: &Path) -> Result<u64, BackupError> {
    refuse_existing(to)?;
    let part = beside(to);
    // What an interrupted copy has left is worth nothing.
    drop(fs::remove_file(&part));
    let made = copy(target, &part).and_then(|()| {
        check(&part)?;
        let (own, copied) = (migrate::pending(target)?, migrate::pending(&Target::Sqlite(part.clone()))?);
        let lacking: Vec<_> = copied.into_iter().filter(|step| !own.contains(step)).collect();
        if lacking.is_empty() { Ok(()) } else { Err(BackupError::Behind(lacking)) }
    });
    let named = made.and_then(|()| name_it(&part, to));
    if named.is_err() {
        drop(fs::remove_file(&part));
    }
    tidy_journals(&part);
    named?;
    fs::metadata(to).map(|data| data.len()).map_err(of_file(to))
}

/// Copies `from` to where the database is to be: the steps that it lacks to this version's schema.
///
/// # Errors
/// When a database is there already, or the copy is not whole or of a newer version.
pub fn put_back(target: &Target, from: &Path) -> Result<Vec<&'static str>, BackupError> {
    let Target::Sqlite(path) = target else { return Err(BackupError::NotAFile) };
    if !from.is_file() {
        return Err(BackupError::Missing(from.to_owned()));
    }
    // A journal of another database would be played into this one.
    for file in [path.clone(), with_suffix(path, "-wal"), with_suffix(path, "-shm"), with_suffix(path, "-journal")] {
        refuse_existing(&file)?;
    }
    let part = beside(path);
    drop(fs::remove_file(&part));
    let copied = private_copy(from, &part).and_then(|()| {
        check(&part)?;
        let pending = migrate::pending(&Target::Sqlite(part.clone()))?;
        if pending.len() == migrate::MIGRATIONS.len() {
            return Err(BackupError::Foreign);
        }
        Ok(pending)
    });
    let named = copied.and_then(|pending| name_it(&part, path).map(|()| pending));
    if named.is_err() {
        drop(fs::remove_file(&part));
    }
    tidy_journals(&part);
    named
}

fn copy(target: &Target, part: &Path) -> Result<(), BackupError> {
    let mut conn = target.open(Access::Write, Duration::from_secs(60))?;
    // So that it is nobody else's to read, also while it is being made: SQLite writes into an empty file.
    private_file(part).map_err(of_file(part))?;
    sql_query("VACUUM INTO $1").bind::<Text, _>(part.to_string_lossy().into_owned()).execute(&mut conn)?;
    Ok(())
}

fn check(part: &Path) -> Result<(), BackupError> {
    let mut conn = SqliteConnection::establish(&part.to_string_lossy())?;
    let said: Vec<Said> = sql_query("PRAGMA integrity_check").load(&mut conn)?;
    let faults: Vec<String> = said.into_iter().map(|row| row.integrity_check).filter(|line| line != "ok").collect();
    if faults.is_empty() { Ok(()) } else { Err(BackupError::Damaged(faults.join("; "))) }
}

fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn private_copy(from: &Path, part: &Path) -> Result<(), BackupError> {
    let mut source = fs::File::open(from).map_err(of_file(from))?;
    let mut copy = private_file(part).map_err(of_file(part))?;
    io::copy(&mut source, &mut copy).map_err(of_file(part))?;
    Ok(())
}

/// Flushes the copy, gives it its name without writing over anything, and flushes the folder.
fn name_it(part: &Path, to: &Path) -> Result<(), BackupError> {
    // What was checked left nothing in its journal that the file does not have: the last connection closed.
    fs::File::open(part).and_then(|file| file.sync_all()).map_err(of_file(part))?;
    // A link, unlike a new name, never takes the place of what is there.
    fs::hard_link(part, to).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
        _ => BackupError::File { path: to.to_owned(), source },
    })?;
    fs::remove_file(part).map_err(of_file(part))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(of_file(folder))
}

fn refuse_existing(path: &Path) -> Result<(), BackupError> {
    // Also a link that leads nowhere is something.
    if path.symlink_metadata().is_ok() { Err(BackupError::Exists(path.to_owned())) } else { Ok(()) }
}

fn beside(path: &Path) -> PathBuf {
    with_suffix(path, ".part")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Checking opens the copy like any database, and SQLite may leave its journals behind.
fn tidy_journals(part: &Path) {
    for suffix in ["-wal", "-shm", "-journal"] {
        drop(fs::remove_file(with_suffix(part, suffix)));
    }
}

fn of_file(path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}
