//! `sportello protocol`: whether the registers are whole.

use std::process::ExitCode;

use clap::Subcommand;
use platform::tenants;
use protocol::verification::verify;
use storage::{Db, Scope};

use super::{CliError, Needs, scope_of};
use crate::terminal::say;

#[derive(Debug, Subcommand)]
pub(super) enum ProtocolCommand {
    /// Look through every register; exit code 1 when a number is missing or something was changed.
    Verify {
        /// Only this Comune.
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
    },
}

impl ProtocolCommand {
    /// The chain is checked without a secret.
    pub(super) const fn needs(&self) -> Needs {
        match self {
            Self::Verify { .. } => Needs::Reading,
        }
    }
}

pub(super) async fn run(db: &Db, command: ProtocolCommand) -> Result<ExitCode, CliError> {
    let ProtocolCommand::Verify { tenant } = command;
    let whose = match tenant {
        Some(slug) => {
            let scope = scope_of(db, &slug).await?;
            vec![(slug, scope)]
        }
        None => {
            let all = db.read(&Scope::platform(), tenants::list).await?;
            all.into_iter().map(|tenant| (tenant.slug, Scope::system(tenant.tenant_id))).collect()
        }
    };
    let mut sound = true;
    for (slug, scope) in whose {
        for register in db.read(&scope, verify).await?.registers {
            let name = format!("{slug}: {} {}", register.aoo_code, register.register_code);
            for fault in &register.faults {
                sound = false;
                say(&format!("{name}: place {}: {}", fault.sequence, fault.code.as_str()));
            }
            say(&format!("{name}: {} entries, {} faults", register.entries, register.faults.len()));
        }
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
