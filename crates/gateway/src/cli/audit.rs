//! `sportello audit`: whether the record of who changed what is whole.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Subcommand;
use platform::{
    audit::{self, Anchor},
    tenants,
};
use storage::{Db, Scope, scope::PLATFORM};

use super::{CliError, Needs, scope_of};
use crate::terminal::say;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check every chain; exit code 1 when something was changed, taken out, put in or set back.
    Verify {
        /// Only this Comune; "platform" for the deployment's own entries.
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
        /// Lines of `audit anchor` that were kept elsewhere.
        #[arg(long, value_name = "FILE")]
        anchors: Option<PathBuf>,
    },
    /// Print where the chains end now, as JSON lines to be kept elsewhere.
    Anchor {
        /// Only this Comune; "platform" for the deployment's own entries.
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
    },
}

impl AuditCommand {
    /// Where the chains end is to be read; whether they hold is told with the secret.
    pub(super) const fn needs(&self) -> Needs {
        if matches!(self, Self::Anchor { .. }) { Needs::Reading } else { Needs::Secret }
    }
}

pub(super) async fn run(db: &Db, command: AuditCommand) -> Result<ExitCode, CliError> {
    match command {
        AuditCommand::Verify { tenant, anchors } => {
            let anchors = anchors.map(|path| read_anchors(&path)).transpose()?.unwrap_or_default();
            let whose = whose(db, tenant.as_deref()).await?;
            if tenant.is_none()
                && let Some(stray) = anchors.iter().find(|anchor| whose.iter().all(|(slug, _)| *slug != anchor.tenant))
            {
                return Err(CliError::Refused(format!("the anchors name {}, which is not here", stray.tenant)));
            }
            let mut sound = true;
            for (slug, scope) in whose {
                let own: Vec<Anchor> = anchors.iter().filter(|anchor| anchor.tenant == slug).cloned().collect();
                let (count, faults) = db.read(&scope, move |tx| audit::verify(tx, &own)).await?;
                for fault in &faults {
                    sound = false;
                    say(&format!("{slug}: {fault}"));
                }
                say(&format!("{slug}: {count} entries, {} faults", faults.len()));
            }
            Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        AuditCommand::Anchor { tenant } => {
            for (slug, scope) in whose(db, tenant.as_deref()).await? {
                for anchor in db.read(&scope, move |tx| audit::anchor(tx, &slug)).await? {
                    say(&serde_json::to_string(&anchor).unwrap_or_default());
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The Comune named, or all of them and the deployment itself.
async fn whose(db: &Db, tenant: Option<&str>) -> Result<Vec<(String, Scope)>, CliError> {
    if let Some(slug) = tenant {
        return Ok(vec![(slug.to_owned(), scope_of(db, slug).await?)]);
    }
    let all = db.read(&Scope::platform(), tenants::list).await?;
    let own = ("platform".to_owned(), Scope::system(PLATFORM));
    Ok(all.into_iter().map(|tenant| (tenant.slug, Scope::system(tenant.tenant_id))).chain([own]).collect())
}

fn read_anchors(path: &PathBuf) -> Result<Vec<Anchor>, CliError> {
    let said = |why: String| CliError::Refused(format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| said(error.to_string()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| said(format!("line {}: {error}", at.saturating_add(1))))
    };
    lines.map(read).collect()
}
