//! A PostgreSQL cluster of the test process's own: its own folder, a Unix socket and no port, an ordinary user,
//! gone with the process.
//!
//! Databases belong to the role `sportello`, which is no superuser, so that row-level security bites.

use std::{
    fmt, fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        LazyLock, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};

use crate::{reaper, say};

/// Environment variable that makes missing server binaries a failure: `required`.
pub const REQUIRED: &str = "SPORTELLO_TEST_POSTGRES";

/// The superuser of the cluster; `sportello` owns the databases.
pub const ADMIN: &str = "postgres";
const START_WITHIN: Duration = Duration::from_secs(60);

/// Whether the cluster keeps what it acknowledged when the machine fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// No `fsync`: for every test that does not ask whether data survive.
    Fast,
    /// As in production.
    Durable,
}

/// A running cluster.
pub struct Cluster {
    socket: PathBuf,
    admin: Mutex<PgConnection>,
    databases: AtomicU32,
    /// Never waited for: the number stays this server's until the test process ends.
    _server: Child,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("socket", &self.socket).finish_non_exhaustive()
    }
}

static BINARIES: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let found = find_binaries();
    match &found {
        Some(folder) => say(&format!("PostgreSQL: run, with the server of {}", folder.display())),
        None => say("PostgreSQL: not run (no server binaries found)"),
    }
    found
});

/// Whether PostgreSQL can be run here; says so on the terminal the first time.
///
/// # Panics
/// When there are no server binaries although [`REQUIRED`] says there must be.
pub fn available() -> bool {
    let found = BINARIES.is_some();
    assert!(
        found || !required(),
        "{REQUIRED}=required, but there is no initdb in PATH, in /usr/lib/postgresql/*/bin or where pg_config \
         points: install the PostgreSQL server (Debian: apt-get install postgresql)"
    );
    found
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test run, not a setting of the product")]
fn required() -> bool {
    std::env::var(REQUIRED).is_ok_and(|value| value == "required")
}

/// One of the programs that come with the server: `pg_dump`, `createdb`, …
///
/// # Panics
/// When there are no server binaries; ask [`available`] first.
pub fn tool(name: &str) -> PathBuf {
    BINARIES.as_deref().expect("PostgreSQL's programs").join(name)
}

/// An empty database of the caller's own, as the URL that `sportello` takes.
pub fn fresh_database() -> String {
    Cluster::get(Durability::Fast).fresh_database()
}

impl Cluster {
    /// The cluster of this test process, started at first use.
    ///
    /// # Panics
    /// When it cannot be started; the message carries what PostgreSQL says.
    pub fn get(durability: Durability) -> &'static Self {
        static FAST: OnceLock<Result<Cluster, String>> = OnceLock::new();
        static DURABLE: OnceLock<Result<Cluster, String>> = OnceLock::new();
        let cell = match durability {
            Durability::Fast => &FAST,
            Durability::Durable => &DURABLE,
        };
        // A failure is kept: the hundred tests after the first one need not wait for it again.
        match cell.get_or_init(|| Self::start(durability)) {
            Ok(cluster) => cluster,
            Err(why) => panic!("PostgreSQL does not start: {why}"),
        }
    }

    fn start(durability: Durability) -> Result<Self, String> {
        let binaries = BINARIES.as_deref().ok_or("no server binaries found")?;
        let user = ordinary_user()?;
        // Short, because the path of a socket may have about a hundred bytes.
        let home = reaper::folder().join(match durability {
            Durability::Fast => "pg",
            Durability::Durable => "pg-durable",
        });
        fs::create_dir(&home).map_err(|e| format!("{}: {e}", home.display()))?;
        if let Some((uid, gid)) = user {
            chown(&home, Some(uid), Some(gid)).map_err(|e| format!("{}: {e}", home.display()))?;
        }
        let command = |program: &str| {
            let mut command = Command::new(binaries.join(program));
            command.current_dir(&home).stdin(Stdio::null());
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let data = home.join("data");
        // Not every machine has a C locale that knows letters beyond ASCII.
        let init = |locale: &str| {
            command("initdb")
                .args(["--auth=trust", "--no-sync", "--encoding=UTF8", "-U", ADMIN, "--locale", locale, "-D"])
                .arg(&data)
                .output()
                .map_err(|e| format!("initdb: {e}"))
        };
        if !init("C.UTF-8")?.status.success() {
            succeeded("initdb", &init("C")?)?;
        }

        let log = home.join("log");
        let mut server = command("postgres");
        server.arg("-D").arg(&data).args(settings(durability, &home));
        let log_file = fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        server.stdout(Stdio::null()).stderr(log_file).process_group(0);
        let mut server = server.spawn().map_err(|e| format!("postgres: {e}"))?;
        // SIGQUIT is its "stop at once".
        reaper::note(server.id(), "QUIT");

        let mut admin = connect(&mut server, &home).map_err(|why| {
            format!("{why}\n{}", fs::read_to_string(&log).unwrap_or_else(|e| format!("{}: {e}", log.display())))
        })?;
        sql_query("CREATE ROLE sportello LOGIN NOSUPERUSER NOBYPASSRLS")
            .execute(&mut admin)
            .map_err(|e| format!("CREATE ROLE: {e}"))?;
        Ok(Self { socket: home, admin: Mutex::new(admin), databases: AtomicU32::new(1), _server: server })
    }

    /// An empty database, owned by `sportello`: its URL.
    pub fn fresh_database(&self) -> String {
        // Nobody can be connected to template0, so nobody can be in the way.
        self.copy_of("template0")
    }

    /// A copy of the database behind `url` (of this cluster, and with nobody connected to it any more): its URL.
    pub fn copy_of_database(&self, url: &str) -> String {
        let name = url.strip_prefix("postgres:///").and_then(|rest| rest.split('?').next());
        self.copy_of(name.expect("a URL made by this cluster"))
    }

    fn copy_of(&self, template: &str) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        sql_query(format!("CREATE DATABASE {name} OWNER sportello TEMPLATE {template}"))
            .execute(&mut *admin)
            .unwrap_or_else(|e| panic!("CREATE DATABASE {name} TEMPLATE {template}: {e}"));
        url(&name, &self.socket, "sportello")
    }
}

fn url(database: &str, socket: &Path, user: &str) -> String {
    format!("postgres:///{database}?host={}&user={user}", socket.display())
}

/// What the server is told on its command line.
fn settings(durability: Durability, socket: &Path) -> Vec<String> {
    let processors = thread::available_parallelism().map_or(2, usize::from);
    let mut settings = vec![
        "listen_addresses=".to_owned(),
        format!("unix_socket_directories={}", socket.display()),
        // One test per processor at a time, each with a server or two.
        format!("max_connections={}", 200.max(processors * 24)),
        "shared_buffers=64MB".to_owned(),
        "jit=off".to_owned(),
        // Nobody's zone: code that forgets to say which one it means is found out.
        "timezone=Asia/Kathmandu".to_owned(),
    ];
    if durability == Durability::Fast {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
    }
    settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
}

/// Waits until the server lets the administrator in.
fn connect(server: &mut Child, socket: &Path) -> Result<PgConnection, String> {
    let url = url("postgres", socket, ADMIN);
    let deadline = Instant::now() + START_WITHIN;
    loop {
        match PgConnection::establish(&url) {
            Ok(connection) => return Ok(connection),
            Err(e) if Instant::now() > deadline => return Err(format!("no connection within {START_WITHIN:?}: {e}")),
            Err(_) => {}
        }
        if let Some(status) = server.try_wait().map_err(|e| e.to_string())? {
            reaper::gone(server.id());
            return Err(format!("the server has ended ({status})"));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The folder with `initdb` and `postgres`.
fn find_binaries() -> Option<PathBuf> {
    let complete = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    // What PATH holds may be a link to the one program; its neighbours are where it really lies.
    let in_path = path_folders()
        .into_iter()
        .filter_map(|folder| Some(fs::canonicalize(folder.join("initdb")).ok()?.parent()?.to_owned()));
    let mut installed: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    installed.sort_by_key(|bin| std::cmp::Reverse(version_of(bin)));
    let configured = || {
        let answer = Command::new("pg_config").arg("--bindir").output().ok()?;
        Some(PathBuf::from(String::from_utf8(answer.stdout).ok()?.trim()))
    };
    in_path.chain(installed).find(|folder| complete(folder)).or_else(|| configured().filter(|folder| complete(folder)))
}

#[expect(clippy::disallowed_methods, reason = "looking for a program, not for a setting")]
fn path_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// 15 of `/usr/lib/postgresql/15/bin`.
fn version_of(bin: &Path) -> u32 {
    bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0)
}

/// Whom to become to run the server, which refuses to run as root: nobody else when already an ordinary user.
fn ordinary_user() -> Result<Option<(u32, u32)>, String> {
    let number = |args: &[&str]| -> Option<u32> {
        let answer = Command::new("id").args(args).output().ok().filter(|answer| answer.status.success())?;
        String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
    };
    if number(&["-u"]) != Some(0) {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some((number(&["-u", name])?, number(&["-g", name])?)))
        .map(Some)
        .ok_or_else(|| "running as root, and there is neither a user `postgres` nor `nobody` to become".to_owned())
}

fn succeeded(what: &str, output: &Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{what} ({}): {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        value: String,
    }

    fn ask(url: &str, sql: &str) -> String {
        let mut connection = PgConnection::establish(url).unwrap();
        sql_query(sql).get_result::<Row>(&mut connection).unwrap().value
    }

    #[test]
    fn each_caller_gets_an_empty_database_of_its_own() {
        if !available() {
            return;
        }
        let (first, second) = (fresh_database(), fresh_database());
        assert_ne!(first, second);
        let mut connection = PgConnection::establish(&first).unwrap();
        sql_query("CREATE TABLE mine (n bigint)").execute(&mut connection).unwrap();
        let tables = "SELECT count(*)::text AS value FROM pg_tables WHERE schemaname = 'public'";
        assert_eq!(ask(&first, tables), "1");
        assert_eq!(ask(&second, tables), "0");
        drop(connection);
        let copy = Cluster::get(Durability::Fast).copy_of_database(&first);
        assert_eq!(ask(&copy, tables), "1");
    }

    #[test]
    fn row_level_security_bites_the_owner() {
        if !available() {
            return;
        }
        let url = fresh_database();
        let mut connection = PgConnection::establish(&url).unwrap();
        for sql in [
            "CREATE TABLE rows_of_others (n bigint)",
            "INSERT INTO rows_of_others VALUES (1)",
            "ALTER TABLE rows_of_others ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE rows_of_others FORCE ROW LEVEL SECURITY",
        ] {
            sql_query(sql).execute(&mut connection).unwrap();
        }
        assert_eq!(ask(&url, "SELECT current_user::text AS value"), "sportello");
        assert_eq!(ask(&url, "SELECT count(*)::text AS value FROM rows_of_others"), "0");
    }

    #[test]
    fn letters_beyond_ascii_have_a_lower_case() {
        if !available() {
            return;
        }
        assert_eq!(ask(&fresh_database(), "SELECT lower('NICOLÒ') AS value"), "nicolò");
    }

    #[test]
    fn only_the_durable_cluster_waits_for_the_disk() {
        if !available() {
            return;
        }
        let fsync = "SELECT current_setting('fsync') AS value";
        assert_eq!(ask(&fresh_database(), fsync), "off");
        assert_eq!(ask(&Cluster::get(Durability::Durable).fresh_database(), fsync), "on");
    }
}
