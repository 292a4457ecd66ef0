//! The command line.

mod audit;
mod backup;
mod doctor;
mod event;
mod key;
mod privacy;
mod protocol;
mod tenant;
mod user;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use kernel::{Clock, SystemClock};
use platform::tenants::{self, Tenant};
use storage::{Db, Scope, migrate};

use crate::{
    config::{Config, Flags, LogConfig, LogFormat},
    demo, logging, openapi,
    service::{self, StartError},
    terminal::{complain, say},
};

/// Services of Italian municipalities over one API.
#[derive(Debug, Parser)]
#[command(name = "sportello", version, about, propagate_version = true)]
struct Cli {
    /// A TOML file with settings.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database: sqlite:PATH or postgres://…
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API.
    Serve {
        /// Address and port to listen at.
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// Write the address to this file once connections are accepted.
        #[arg(long, hide = true)]
        address_file: Option<PathBuf>,
    },
    /// Serve the invented Comune of Bugliano, with data to try things on.
    Demo {
        /// Where its data is kept; made if missing.
        #[arg(long, value_name = "DIR", default_value = "sportello-demo")]
        data: PathBuf,
        /// Port to listen at, on 127.0.0.1.
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Write the address to this file once connections are accepted.
        #[arg(long, hide = true)]
        address_file: Option<PathBuf>,
    },
    /// Bring the database to the schema of this version.
    Migrate {
        /// Only say what is missing; exit code 1 when something is.
        #[arg(long)]
        check: bool,
    },
    /// Print the OpenAPI document.
    Openapi {
        /// As OpenAPI 3.0 instead of 3.1, for older tools.
        #[arg(long = "v3.0")]
        v3_0: bool,
    },
    /// The Comuni of this deployment.
    Tenant {
        #[command(subcommand)]
        command: tenant::TenantCommand,
    },
    /// Keys of devices, of other systems and of the deployment.
    Key {
        #[command(subcommand)]
        command: key::KeyCommand,
    },
    /// People who work for a Comune.
    User {
        #[command(subcommand)]
        command: user::UserCommand,
    },
    /// The record of who changed what.
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// What could not be done upon events.
    Event {
        #[command(subcommand)]
        command: event::EventCommand,
    },
    /// What is held about people: told, put right, and for how long it is kept.
    Privacy {
        #[command(subcommand)]
        command: privacy::PrivacyCommand,
    },
    /// The protocol register.
    Protocol {
        #[command(subcommand)]
        command: protocol::ProtocolCommand,
    },
    /// Copy the SQLite database to a file while it is in use.
    Backup {
        /// The file to make.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Put a copy made by `backup` where the SQLite database is to be.
    Restore {
        /// The copy.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
    /// Look at the installation: what is wrong, and how to mend it.
    Doctor {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Of {
    /// The Comune's slug; "platform" for what belongs to the deployment.
    #[arg(long, value_name = "SLUG")]
    tenant: String,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    Refused(String),
    #[error("log.level: {0}")]
    Log(#[from] tracing_subscriber::filter::ParseError),
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
}

impl From<kernel::Problem> for CliError {
    fn from(problem: kernel::Problem) -> Self {
        Self::Refused(problem.to_string())
    }
}
impl From<crate::config::ConfigError> for CliError {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::Start(error.into())
    }
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    connectors::install_crypto_provider();
    match actix_web::rt::System::new().block_on(dispatch(cli)) {
        Ok(code) => code,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli) -> Result<ExitCode, CliError> {
    let Cli { config, database, command } = cli;
    let flags = Flags { config, database, listen: None };
    match command {
        Command::Serve { listen, address_file } => {
            let config = Config::load(&Flags { listen, ..flags })?;
            logging::start_traced(&config)?;
            let db = service::open_existing(&config, config.database.migrate_on_start).await?;
            let secret = config.secret(db.target())?;
            service::serve(&config, db, secret, address_file.as_deref(), |_| ()).await?;
        }
        Command::Demo { data, port, address_file } => {
            demo::run(&flags, &data, port, address_file.as_deref()).await?;
        }
        Command::Migrate { check } => return migrate_command(&Config::load(&flags)?, check),
        Command::Openapi { v3_0 } => print_contract(v3_0)?,
        Command::Tenant { command } => {
            let db = quietly_open(&flags, command.needs()).await?;
            tenant::run(&db, command).await?;
        }
        Command::Key { command } => {
            let db = quietly_open(&flags, command.needs()).await?;
            key::run(&db, command).await?;
        }
        Command::User { command } => {
            let db = quietly_open(&flags, command.needs()).await?;
            user::run(&db, command).await?;
        }
        Command::Audit { command } => {
            let db = quietly_open(&flags, command.needs()).await?;
            return audit::run(&db, command).await;
        }
        Command::Event { command } => {
            let db = quietly_open(&flags, command.needs()).await?;
            return event::run(&db, command).await;
        }
        Command::Privacy { command } => privacy::run(&flags, command).await?,
        Command::Protocol { command } => {
            let db = quietly_open(&flags, command.needs()).await?;
            return protocol::run(&db, command).await;
        }
        Command::Backup { to } => backup::backup(&Config::load(&flags)?, &to)?,
        Command::Restore { from } => backup::restore(&Config::load(&flags)?, &from)?,
        Command::Doctor { json } => return Ok(doctor::run(&flags, json).await),
    }
    Ok(ExitCode::SUCCESS)
}

/// What a command needs of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// To read what anybody with the database can read.
    Reading,
    /// The deployment's secret beside the database: to seal what it writes, or to check what is sealed.
    Secret,
}

/// Opens the database for a command: what goes wrong is logged for people, and nothing is migrated by the way.
async fn quietly_open(flags: &Flags, needs: Needs) -> Result<Db, CliError> {
    let config = Config::load(flags)?;
    logging::start(&LogConfig { format: LogFormat::Text, level: "warn".to_owned() })?;
    Ok(match needs {
        Needs::Reading => service::open_to_read(&config).await?,
        Needs::Secret => service::open_existing(&config, false).await?,
    })
}

fn migrate_command(config: &Config, check: bool) -> Result<ExitCode, CliError> {
    let target = service::target(config)?;
    if check {
        target.must_exist().map_err(StartError::from)?;
        let pending = migrate::pending(&target).map_err(StartError::from)?;
        pending.iter().for_each(|step| say(&format!("missing: {step}")));
        if pending.is_empty() {
            say("up to date");
            return Ok(ExitCode::SUCCESS);
        }
        return Ok(ExitCode::FAILURE);
    }
    let done = migrate::run(&target, SystemClock.now()).map_err(StartError::from)?;
    done.iter().for_each(|step| say(&format!("applied: {step}")));
    say("up to date");
    Ok(ExitCode::SUCCESS)
}

fn print_contract(v3_0: bool) -> Result<(), CliError> {
    let mut document = openapi::document();
    if v3_0 {
        document = openapi::to_3_0(&document).map_err(StartError::from)?;
    }
    say(&serde_json::to_string_pretty(&document).unwrap_or_default());
    Ok(())
}

async fn tenant_of(db: &Db, slug: &str) -> Result<Tenant, CliError> {
    let wanted = slug.to_owned();
    let found = db.read(&Scope::platform(), move |tx| tenants::by_slug(tx, &wanted)).await?;
    found.ok_or_else(|| CliError::Refused(format!("no Comune has the slug {slug}")))
}

async fn scope_of(db: &Db, slug: &str) -> Result<Scope, CliError> {
    Ok(Scope::system(tenant_of(db, slug).await?.tenant_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
