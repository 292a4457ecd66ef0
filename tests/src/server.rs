//! The server under test: the real binary in a process of its own.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use platform::access::DeploymentSecret;
use serde_json::Value;
use storage::Seal;
use tempfile::TempDir;

use crate::{
    Backend, Client, Setup,
    postgres::{Cluster, Durability},
    reaper,
    seed::Seed,
};

/// On two busy processors, in a debug build, with a schema to make and a Comune to invent.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Longer than the server's own patience with requests in flight.
const STOP_WITHIN: Duration = Duration::from_secs(45);

/// The deployment's secret, in the data folder.
const SECRET: &str = "secret.key";
/// What it is: the same for all, since several servers may share a database.
const SECRET_TEXT: &str = "not a secret, it is in the tests";

/// The secret of the servers under test.
pub fn secret() -> DeploymentSecret {
    DeploymentSecret::new(SECRET_TEXT.as_bytes()).expect("long enough")
}

/// What the servers under test seal with.
pub fn seal() -> Seal {
    secret().seal()
}

/// What the server prints and logs, in its data folder.
pub(crate) const LOG: &str = "log";

/// What `demo` writes for scripts: who can call, and with which token.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The slug of the demo's Comune.
    pub tenant: String,
    /// Bearer tokens by role: `citizen_a`, `operator`, `kiosk`, …
    pub tokens: BTreeMap<String, String>,
}

/// A running server. Dropping it stops it and removes its data; when the test has failed, its log is shown.
pub struct Server {
    folder: TempDir,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    credentials: Option<Credentials>,
    backend: Backend,
    database: String,
    running: Option<Running>,
}

struct Running {
    process: Child,
    address: SocketAddr,
    http: Client,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

impl Server {
    /// The demo's Comune of Bugliano, with everything in it.
    pub fn demo(backend: Backend) -> Self {
        Self::demo_with(backend, |_| ())
    }

    /// The demo with other settings.
    pub fn demo_with(backend: Backend, configure: impl FnOnce(&mut Setup)) -> Self {
        let setup = Setup::new(configure);
        let folder = new_folder();
        // The Comune is invented once per test process and copied for each server.
        let database = if setup.durable {
            new_database(backend, folder.path(), setup.durability())
        } else {
            Seed::get(backend).copy_to(folder.path())
        };
        let mut server = Self::demo_in(folder, backend, database, &setup);
        server.launch();
        server
    }

    /// The demo on a folder and a database that may have been seeded before; not launched yet.
    pub(crate) fn demo_in(folder: TempDir, backend: Backend, database: String, setup: &Setup) -> Self {
        let mut arguments = vec!["demo".to_owned(), "--data".to_owned(), display(folder.path())];
        arguments.extend(["--port", "0"].map(str::to_owned));
        if backend == Backend::Postgres {
            arguments.extend(["--database".to_owned(), database.clone()]);
        }
        let environment = setup.as_environment().chain(setup.environment.clone()).collect();
        Self { folder, arguments, environment, credentials: None, backend, database, running: None }
    }

    /// `serve` with a configuration file, over a migrated database that is otherwise empty.
    pub fn start(backend: Backend, configure: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::new(|setup| {
            setup.set("server.listen", "127.0.0.1:0");
        });
        configure(&mut setup);
        let folder = new_folder();
        let database = new_database(backend, folder.path(), setup.durability());
        Self::serve(backend, folder, database, setup)
    }

    /// `serve` over a database that is there already.
    pub fn start_on(backend: Backend, database: &str) -> Self {
        let setup = Setup::new(|setup| {
            setup.set("server.listen", "127.0.0.1:0");
        });
        Self::serve(backend, new_folder(), database.to_owned(), setup)
    }

    fn serve(backend: Backend, folder: TempDir, database: String, mut setup: Setup) -> Self {
        setup.set("database.url", database.clone());
        setup.set("server.secret_file", display(&folder.path().join(SECRET)));
        let file = folder.path().join("sportello.toml");
        fs::write(&file, setup.settings.to_string()).expect("the configuration file");
        let arguments = ["serve", "--config"].map(str::to_owned).into_iter().chain([display(&file)]).collect();
        let environment = setup.environment.clone().into_iter().collect();
        let mut server = Self { folder, arguments, environment, credentials: None, backend, database, running: None };
        let migrated = server.cli(&["migrate"]);
        assert!(migrated.status.success(), "migrate: {}", String::from_utf8_lossy(&migrated.stderr));
        server.launch();
        server
    }

    /// Another server on the data of this one, with the same settings; of a server made by [`Server::start`] only.
    /// It goes first: the data are this one's.
    #[must_use]
    pub fn beside(&self) -> Self {
        let folder = new_folder();
        let mut server = Self {
            arguments: self.arguments.clone(),
            environment: self.environment.clone(),
            credentials: None,
            backend: self.backend,
            database: self.database.clone(),
            running: None,
            folder,
        };
        server.launch();
        server
    }

    /// Runs another command of the binary (`tenant add …`, `key issue …`) with this server's configuration file;
    /// a server made by [`Server::start`] only.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let config = self.folder.path().join("sportello.toml");
        sportello(arguments)
            .arg("--config")
            .arg(config)
            .envs(self.environment.iter().cloned())
            .output()
            .expect("the binary under test")
    }

    /// The data folder: the SQLite file of a demo, `credentials.json`, the configuration file, the log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Which database it uses.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The URL of its database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// `http://127.0.0.1:PORT`; another one after a restart.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.running().address)
    }

    /// The demo's tenant and tokens.
    ///
    /// # Panics
    /// When this server is no demo.
    pub fn credentials(&self) -> &Credentials {
        self.credentials.as_ref().expect("only a demo has credentials")
    }

    /// A caller outside of every Comune, for `/health/live`, `/openapi.json`, …
    ///
    /// Like every caller made here, it knows the address of now: make another one after a restart.
    pub fn root(&self) -> Client {
        self.running().http.clone()
    }

    /// An anonymous caller of a Comune: `/offices` is `/{tenant}/v1/offices`.
    pub fn tenant(&self, slug: &str) -> Client {
        self.root().at(format!("{}/{slug}/v1", self.base_url()))
    }

    /// An anonymous caller of the demo's Comune.
    pub fn anonymous(&self) -> Client {
        self.tenant(&self.credentials().tenant)
    }

    /// A caller of the demo's Comune with the token of this role: `citizen_a`, `operator`, `kiosk`, …
    #[track_caller]
    pub fn client(&self, role: &str) -> Client {
        let tokens = &self.credentials().tokens;
        let token = tokens.get(role).unwrap_or_else(|| panic!("no token for {role}; there are {:?}", tokens.keys()));
        self.anonymous().with_token(token)
    }

    /// What the server has logged so far, in all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default()
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.running().process.id()
    }

    /// Ends the process where it stands, as a power cut does.
    pub fn kill_9(&mut self) {
        let mut running = self.running.take().expect("a running server");
        reaper::gone(running.process.id());
        running.process.kill().expect("SIGKILL");
        running.process.wait().expect("the killed process");
    }

    /// Asks the process to end, without waiting for it.
    pub fn send_sigterm(&self) {
        terminate(self.pid());
    }

    /// Asks the process to end and waits until it has: how it ended.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn sigterm(&mut self) -> ExitStatus {
        self.send_sigterm();
        self.wait()
    }

    /// Waits until the process has ended by itself or after [`Server::send_sigterm`]: how it ended.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("a running server");
        if let Some(status) = end_of(&mut running.process, STOP_WITHIN) {
            reaper::gone(running.process.id());
            return status;
        }
        self.running = Some(running);
        panic!("the server does not stop within {STOP_WITHIN:?} of SIGTERM");
    }

    /// Starts it again on the same data, stopping it first if it runs. The address is another one.
    pub fn restart(&mut self) {
        if self.running.is_some() {
            self.sigterm();
        }
        self.launch();
    }

    /// What a server that has ended leaves behind: its folder and the URL of its database.
    pub(crate) fn into_data(mut self) -> (TempDir, String) {
        // A type with a destructor cannot be taken apart.
        (std::mem::replace(&mut self.folder, new_folder()), std::mem::take(&mut self.database))
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("a running server")
    }

    /// Starts the process and waits until it says that it is ready.
    pub(crate) fn launch(&mut self) {
        let address_file = self.folder.path().join("address");
        let _ = fs::remove_file(&address_file);
        let log = || {
            fs::File::options().create(true).append(true).open(self.folder.path().join(LOG)).expect("the server's log")
        };
        let mut process = sportello(&[])
            .args(&self.arguments)
            .arg("--address-file")
            .arg(&address_file)
            .envs(self.environment.iter().cloned())
            .stdout(log())
            .stderr(log())
            .spawn()
            .expect("the binary under test");
        reaper::note(process.id(), "KILL");

        let deadline = Instant::now() + READY_WITHIN;
        let address = loop {
            if let Some(status) = process.try_wait().expect("the server's process") {
                reaper::gone(process.id());
                panic!("the server has ended before it was ready ({status}):\n{}", self.log());
            }
            if let Some(address) = bound_address(&address_file).filter(|address| is_ready(*address)) {
                break address;
            }
            if Instant::now() > deadline {
                let _ = process.kill();
                let _ = process.wait();
                reaper::gone(process.id());
                panic!("the server is not ready within {READY_WITHIN:?}:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(10));
        };
        self.running = Some(Running { process, address, http: Client::new(format!("http://{address}")) });
        let credentials = self.folder.path().join("credentials.json");
        if credentials.exists() {
            self.credentials = Some(Credentials::read(&credentials));
        }
    }
}

impl Drop for Server {
    #[expect(clippy::print_stderr, reason = "the test runner shows it with the test that failed")]
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            terminate(running.process.id());
            if end_of(&mut running.process, Duration::from_secs(10)).is_none() {
                let _ = running.process.kill();
                let _ = running.process.wait();
            }
            reaper::gone(running.process.id());
        }
        if thread::panicking() {
            eprintln!("--- log of the server ({:?}) ---\n{}--- end of the log ---", self.backend, self.log());
        }
    }
}

impl Credentials {
    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let json: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let tokens = json["tokens"].as_object().expect("credentials.json has tokens");
        Self {
            tenant: json["tenant"].as_str().expect("credentials.json names its tenant").to_owned(),
            tokens: tokens.iter().map(|(role, t)| (role.clone(), t.as_str().expect("a token").to_owned())).collect(),
        }
    }
}

pub(crate) fn new_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("server-").tempdir_in(reaper::folder()).expect("a temporary folder");
    fs::write(folder.path().join(SECRET), SECRET_TEXT).expect("the secret");
    folder
}

pub(crate) fn new_database(backend: Backend, folder: &Path, durability: Durability) -> String {
    match backend {
        Backend::Sqlite => sqlite_url(folder),
        Backend::Postgres => Cluster::get(durability).fresh_database(),
    }
}

/// Where `demo` keeps its data too.
pub(crate) fn sqlite_url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("sportello.sqlite").display())
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

/// The binary under test, with nothing of the developer's own settings in its environment.
pub fn sportello(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SPORTELLO_")) {
        command.env_remove(name);
    }
    // Nobody's zone: code that asks the machine for it is found out.
    command.args(arguments).env("TZ", "Asia/Kathmandu").env("RUST_BACKTRACE", "1").stdin(Stdio::null());
    command
}

/// Cargo builds it before the integration tests, and newer Cargos say where; older ones put it one folder up.
#[expect(clippy::disallowed_methods, reason = "Cargo's own variable, not a setting of the product")]
fn binary() -> PathBuf {
    std::env::var_os("CARGO_BIN_EXE_sportello-under-test").map(PathBuf::from).unwrap_or_else(|| {
        let test = std::env::current_exe().expect("the path of this test");
        test.ancestors().nth(2).expect("target/debug/deps").join("sportello-under-test")
    })
}

/// The address the server wrote down, once the line is whole.
fn bound_address(file: &Path) -> Option<SocketAddr> {
    fs::read_to_string(file).ok()?.strip_suffix('\n')?.parse().ok()
}

/// Whether `GET /health/ready` answers 200; a plain socket, because a test need not be in an async runtime here.
fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

/// SIGTERM; the shell's own `kill`, because the program of that name is not everywhere.
fn terminate(pid: u32) {
    let sent =
        Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &pid.to_string()]).stderr(Stdio::null()).status();
    sent.expect("sh, to send SIGTERM");
}

fn end_of(process: &mut Child, within: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if let Some(status) = process.try_wait().expect("the server's process") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}
