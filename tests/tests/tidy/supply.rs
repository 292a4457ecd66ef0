//! What may enter the build: licences, registries and banned crates, as `deny.toml` says.
//!
//! `cargo deny` reads the same file and looks deeper (licence texts, advisories), where it is installed; building it
//! takes minutes that not every machine should spend.

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package};
use semver::VersionReq;
use serde::Deserialize;
use spdx::{Expression, LicenseReq, ParseMode};

use crate::{none, root};

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    /// A name, or a name and the versions meant: `h2:<0.4`.
    #[serde(rename = "crate")]
    spec: String,
}

impl Ban {
    fn hits(&self, package: &Package) -> bool {
        let (name, versions) = self.spec.split_once(':').unwrap_or((&self.spec, "*"));
        let versions = VersionReq::parse(versions).expect("deny.toml bans versions that there can be");
        package.name.as_str() == name && versions.matches(&package.version)
    }
}

fn rules() -> Deny {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    toml::from_str(&text).expect("deny.toml has licenses and bans")
}

/// Everything that could be built, whichever features and platform.
fn everything() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).features(CargoOpt::AllFeatures);
    command.other_options(["--locked".to_owned()]).exec().expect("cargo metadata")
}

/// Whether a licence expression can be met with what is allowed.
fn is_met(expression: &str, allow: &[String]) -> Result<bool, String> {
    let parsed = Expression::parse_mode(expression, ParseMode::LAX).map_err(|error| error.reason.to_string())?;
    Ok(parsed.evaluate(|wanted: &LicenseReq| allow.contains(&wanted.to_string())))
}

#[test]
fn what_enters_the_build_is_allowed() {
    let (rules, all) = (rules(), everything());
    let mut findings = Vec::new();
    for package in &all.packages {
        let of = format!("{} {}", package.name, package.version);
        match package.license.as_deref().map(|text| is_met(text, &rules.licenses.allow)) {
            Some(Ok(true)) => {}
            Some(Ok(false)) => {
                findings.push(format!("{of}: {} is not allowed", package.license.as_deref().unwrap_or("")));
            }
            Some(Err(why)) => findings.push(format!("{of}: its licence is no expression: {why}")),
            None => findings.push(format!("{of}: names no licence")),
        }
        let ours = all.workspace_members.contains(&package.id);
        if !ours && package.source.as_ref().is_none_or(|source| !source.is_crates_io()) {
            findings.push(format!("{of}: not from crates.io"));
        }
        findings
            .extend(rules.bans.deny.iter().filter(|ban| ban.hits(package)).map(|ban| format!("{of}: {}", ban.spec)));
        let loose = package.dependencies.iter().filter(|needed| ours && needed.path.is_none());
        let loose = loose.filter(|needed| needed.req == VersionReq::STAR);
        findings.extend(loose.map(|needed| format!("{of}: any version of {}", needed.name)));
    }
    none(&findings, "deny.toml says what may enter, and why; a new licence needs a decision.");
}

#[test]
fn what_must_not_enter_is_found() {
    let allow = ["MIT".to_owned(), "Apache-2.0".to_owned()];
    assert_eq!(is_met("MIT OR GPL-3.0-or-later", &allow), Ok(true));
    assert_eq!(is_met("MIT AND GPL-3.0-or-later", &allow), Ok(false));
    assert_eq!(is_met("Apache-2.0 WITH LLVM-exception", &allow), Ok(false));
    assert_eq!(is_met("Apache-2.0/MIT", &allow), Ok(true));
    assert!(is_met("free beer", &allow).is_err());
    let rules = rules();
    assert!(rules.bans.deny.iter().any(|ban| ban.spec == "rsa"), "deny.toml is not read");
}
