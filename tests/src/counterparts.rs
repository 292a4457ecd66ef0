//! Programs that are not ours, at the other end of what the server says outside: `tests/counterparts/README.md`.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use crate::{reaper, say};

/// Environment variable that makes missing counterparts a failure: `required`.
pub const REQUIRED: &str = "SPORTELLO_TEST_COUNTERPARTS";

/// A counterpart that listens on a port of this machine, until it is dropped.
#[derive(Debug)]
pub struct Counterpart {
    process: Child,
    port: u16,
}

impl Counterpart {
    /// Starts `tests/counterparts/<script>`, a `.py` or an `.mjs`; none where counterparts are not installed.
    ///
    /// # Panics
    /// When it does not say that it is ready, or is missing although [`REQUIRED`] says it must not be.
    pub fn start(script: &str, arguments: &[&str]) -> Option<Self> {
        let installed = INSTALLED.as_deref()?;
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("counterparts").join(script);
        let (program, path) = if script.ends_with(".py") {
            (installed.join("python/bin/python"), here)
        } else {
            // Node looks for packages beside the script, so the script is run beside the packages.
            let copy = installed.join("npm").join(format!("{}-{script}", std::process::id()));
            fs::copy(&here, &copy).expect("a copy of the script");
            (PathBuf::from("node"), copy)
        };
        let mut process = Command::new(program)
            .arg(path)
            .args(arguments)
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{script} cannot be started: {error}"));
        reaper::note(process.id(), "KILL");
        let mut lines = BufReader::new(process.stdout.take().expect("the pipe asked for")).lines();
        let ready = lines.find_map(|line| line.ok()?.strip_prefix("ready ")?.trim().parse().ok());
        let port = ready.unwrap_or_else(|| panic!("{script} did not say `ready PORT`"));
        // What it prints from now on is nobody's, but the pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process, port })
    }

    /// Where it listens, at 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Counterpart {
    fn drop(&mut self) {
        reaper::gone(self.process.id());
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

static INSTALLED: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let folder = folder();
    let found = folder.join("python.stamp").exists() && folder.join("npm.stamp").exists();
    assert!(
        found || !required(),
        "{REQUIRED}=required, but they are not in {}: run .ci/counterparts",
        folder.display()
    );
    if !found {
        say("counterparts: not run (.ci/counterparts installs them)");
    }
    found.then_some(folder)
});

#[expect(clippy::disallowed_methods, reason = "a switch of the test run, not a setting of the product")]
fn folder() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/counterparts");
    std::env::var_os("SPORTELLO_TEST_COUNTERPARTS_DIR").map_or_else(default, PathBuf::from)
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test run, not a setting of the product")]
fn required() -> bool {
    std::env::var(REQUIRED).is_ok_and(|value| value == "required")
}
