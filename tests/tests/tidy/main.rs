//! The house's rules that no compiler knows. Each failure says what to do.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a surprise here should stop the test, with its place"
)]

mod arrows;
mod limits;
mod migrations;
mod sources;
mod supply;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The workspace's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// A file of the workspace: its path from the root, with slashes, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The last part of the path.
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// The files below `folder` whose name ends in `ending`, in order.
fn files(folder: &str, ending: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("a path in the workspace").to_string_lossy().replace('\\', "/");
        Source { path: name, text: fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())) }
    };
    paths.into_iter().map(read).collect()
}

/// Every Rust file of the product and of its tests.
fn rust_files() -> Vec<Source> {
    ["crates", "tests"].iter().flat_map(|folder| files(folder, ".rs")).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if path.ends_with("target") => {}
            true => collect(&path, paths),
            false => paths.push(path),
        }
    }
}

/// Fails with every finding at once, and what to do about them.
#[track_caller]
fn none(findings: &[String], advice: &str) {
    assert!(findings.is_empty(), "\n\n  {}\n\n{advice}\n", findings.join("\n  "));
}
