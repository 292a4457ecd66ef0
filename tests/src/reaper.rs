//! What ends with the test process, even when that is killed.
//!
//! Destructors do not run in a process that is killed, nor for a `static`. So a small shell stands beside the
//! test process and reads its orders from a pipe; when the pipe closes, for whatever reason, the shell
//! stops what is still running and removes the folder.

use std::{
    fs,
    io::Write,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{LazyLock, Mutex, PoisonError},
};

/// `SIGNAL PID` notes a process, `gone PID` strikes it off; after the last line each gets its signal, a few
/// seconds, and then the signal that cannot be ignored.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
noted=
while read -r word pid; do
    if [ "$word" = gone ]; then
        left=
        for entry in $noted; do
            [ "${entry#*:}" = "$pid" ] || left="$left $entry"
        done
        noted=$left
    else
        noted="$noted $word:$pid"
    fi
done
for entry in $noted; do kill -"${entry%%:*}" "${entry#*:}"; done
for entry in $noted; do
    tries=0
    while kill -0 "${entry#*:}" && [ $tries -lt 50 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    kill -KILL "${entry#*:}"
done
rm -rf -- "$1"
"#;

struct Reaper {
    folder: PathBuf,
    orders: Mutex<ChildStdin>,
    /// Outlives this process, so nobody here waits for it.
    _shell: Child,
}

static REAPER: LazyLock<Reaper> = LazyLock::new(|| {
    let folder = tempfile::Builder::new().prefix("sportello-").tempdir().expect("a temporary folder").keep();
    // PostgreSQL may run as another user and has to pass through.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("permissions of the temporary folder");
    let mut shell = Command::new("sh")
        .args(["-c", SCRIPT, "reaper"])
        .arg(&folder)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Its own group: what interrupts the tests must not interrupt the cleaning.
        .process_group(0)
        .spawn()
        .expect("sh, to clean up after the tests");
    let orders = Mutex::new(shell.stdin.take().expect("the pipe asked for"));
    Reaper { folder, orders, _shell: shell }
});

/// The folder of this test process; it goes when the process goes.
pub fn folder() -> &'static Path {
    &REAPER.folder
}

/// Sends `signal` (`KILL`, `QUIT`, …) to the process when the test process ends.
pub fn note(pid: u32, signal: &str) {
    order(&format!("{signal} {pid}\n"));
}

/// Strikes a process off; to be said before it is waited for, while its number is still its own.
pub fn gone(pid: u32) {
    order(&format!("gone {pid}\n"));
}

fn order(line: &str) {
    let mut orders = REAPER.orders.lock().unwrap_or_else(PoisonError::into_inner);
    orders.write_all(line.as_bytes()).expect("the cleaning shell has ended before the tests");
}
