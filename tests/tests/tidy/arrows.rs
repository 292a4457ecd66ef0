//! Who may depend on whom, as `cargo metadata` sees it.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use crate::{files, none, root};

/// Each crate, and the crates of the house it may use. An arrow that skips a layer downwards is allowed.
const ARROWS: &[(&str, &[&str])] = &[
    ("kernel", &[]),
    ("storage", &["kernel"]),
    ("platform", &["kernel", "storage"]),
    ("pdf", &["kernel"]),
    ("documents", &["kernel", "storage", "platform"]),
    ("protocol", &["kernel", "storage", "platform", "documents", "pdf"]),
    ("payments", &["kernel", "storage", "platform"]),
    ("connectors", &["kernel", "platform", "documents", "protocol", "payments"]),
    ("booking", &["kernel", "storage", "platform", "documents", "protocol", "payments", "pdf"]),
    ("tickets", &["kernel", "storage", "platform", "documents", "protocol", "payments", "pdf"]),
    ("records-access", &["kernel", "storage", "platform", "documents", "protocol", "payments", "pdf"]),
    ("catalogue-services", &["kernel", "storage", "platform", "documents", "protocol", "payments", "pdf"]),
    (
        "gateway",
        &[
            "kernel",
            "storage",
            "platform",
            "documents",
            "protocol",
            "payments",
            "connectors",
            "booking",
            "tickets",
            "records-access",
            "catalogue-services",
        ],
    ),
    (
        "tests",
        &[
            "kernel",
            "storage",
            "platform",
            "documents",
            "protocol",
            "payments",
            "connectors",
            "booking",
            "tickets",
            "records-access",
            "catalogue-services",
            "gateway",
        ],
    ),
];

/// Libraries that belong to a layer: the name or its beginning, who may use it, and why nobody else.
const LIBRARIES: &[(&str, &[&str], &str)] = &[
    (
        "diesel",
        &[
            "storage",
            "platform",
            "documents",
            "protocol",
            "payments",
            "booking",
            "tickets",
            "records-access",
            "catalogue-services",
            "tests",
        ],
        "tables are seen by the crate that owns them; the gateway and the connectors ask it",
    ),
    ("pq-sys", &["storage"], "how a database is reached is known in one place"),
    ("libsqlite3-sys", &["storage"], "how a database is reached is known in one place"),
    (
        "actix",
        &[
            "platform",
            "documents",
            "protocol",
            "payments",
            "booking",
            "tickets",
            "records-access",
            "catalogue-services",
            "gateway",
            "tests",
        ],
        "the kernel, the storage and the connectors do not know that they are called over HTTP",
    ),
    ("krilla", &["pdf"], "how a paper becomes a file is known in one place"),
    ("rustybuzz", &["pdf"], "how a paper becomes a file is known in one place"),
    ("qrcode", &["pdf"], "how a paper becomes a file is known in one place"),
    ("reqwest", &["connectors", "tests"], "the network is behind ports, whose adapters are the connectors"),
];

#[test]
fn arrows_point_downwards() {
    let mut findings = Vec::new();
    for (package, dependency, _) in dependencies() {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package) else {
            findings.push(format!("{package}: not in the table of arrows"));
            continue;
        };
        let ours = ARROWS.iter().any(|(name, _)| *name == dependency);
        if ours && !allowed.contains(&dependency.as_str()) {
            findings.push(format!("{package} → {dependency}"));
        }
    }
    none(
        &findings,
        "These arrows are forbidden (ARCHITECTURE.md). Let the lower crate declare a small trait that the gateway \
         fills, or move what both need down. A new crate gets its line in tests/tests/tidy/arrows.rs.",
    );
}

#[test]
fn libraries_stay_in_their_layer() {
    let mut findings = Vec::new();
    for (package, dependency, kind) in dependencies() {
        for (library, allowed, why) in LIBRARIES {
            let meant = dependency == *library || dependency.starts_with(&format!("{library}-"));
            if meant && kind != DependencyKind::Development && !allowed.contains(&package.as_str()) {
                findings.push(format!("{package} → {dependency}: {why}"));
            }
        }
    }
    none(&findings, "Use what the allowed crates offer instead of the library itself.");
}

#[test]
fn versions_are_chosen_once() {
    let mut findings = Vec::new();
    for manifest in ["crates", "tests"].iter().flat_map(|folder| files(folder, "Cargo.toml")) {
        let table: toml::Table = manifest.text.parse().unwrap_or_else(|e| panic!("{}: {e}", manifest.path));
        // A workspace of its own shares no versions with this one: what a stranger would write (tests/strangers).
        if table.contains_key("workspace") {
            continue;
        }
        let targets = table.get("target").and_then(toml::Value::as_table);
        let tables = targets.into_iter().flatten().filter_map(|(_, target)| target.as_table()).chain([&table]);
        for (kind, dependencies) in tables.flatten().filter(|(kind, _)| kind.ends_with("dependencies")) {
            for (name, dependency) in dependencies.as_table().into_iter().flatten() {
                if dependency.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    findings.push(format!("{}: {kind}.{name}", manifest.path));
                }
            }
        }
        if table.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) != Some(true) {
            findings.push(format!("{}: lints", manifest.path));
        }
    }
    none(&findings, "Name the version in [workspace.dependencies] of the root and write `workspace = true` here.");
}

/// Every arrow of the workspace: from, to, and for what.
fn dependencies() -> Vec<(String, String, DependencyKind)> {
    let metadata: Metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata");
    let mut arrows = Vec::new();
    for package in metadata.packages {
        for dependency in package.dependencies {
            arrows.push((package.name.to_string(), dependency.name, dependency.kind));
        }
    }
    assert!(!arrows.is_empty(), "cargo metadata names no dependencies");
    arrows
}
