//! The command line.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use kernel::{Clock, SystemClock};
use platform::{
    access::keys::{self, KeyKind, KeyScope, NewKey},
    directory::store as directory,
    tenants::{self, Tenant, TenantState},
};
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
        command: TenantCommand,
    },
    /// Keys of devices, of other systems and of the deployment.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
}

#[derive(Debug, Subcommand)]
enum TenantCommand {
    /// Add a Comune.
    Add {
        /// First segment of its paths, best its IPA code: c_h501
        slug: String,
        /// What it is called: "Comune di Bugliano"
        name: String,
        /// The patron saint's day, MM-DD.
        #[arg(long, value_name = "MM-DD")]
        patron_day: Option<String>,
        /// The patron saint.
        #[arg(long, requires = "patron_day")]
        patron_name: Option<String>,
    },
    /// List them.
    List,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Device,
    Integration,
    Platform,
}

#[derive(Debug, Args)]
struct Of {
    /// The Comune's slug; "platform" for keys of the deployment.
    #[arg(long, value_name = "SLUG")]
    tenant: String,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Issue a key and print it, once.
    Issue {
        #[command(flatten)]
        of: Of,
        /// What it is for.
        #[arg(long, value_enum)]
        kind: Kind,
        /// What people will call it.
        #[arg(long)]
        label: String,
        /// The office of a device, by slug.
        #[arg(long, value_name = "SLUG", required_if_eq("kind", "device"))]
        office: Option<String>,
        /// What an integration may do: appointments:read, appointments:write. Repeatable.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<KeyScope>,
        /// After so many days it does not answer any more.
        #[arg(long, value_name = "DAYS")]
        expires_in_days: Option<u32>,
    },
    /// Give a key a new secret and print it, once; the old one answers for a while.
    Rotate {
        #[command(flatten)]
        of: Of,
        /// The part between the two underscores.
        handle: String,
        /// How long the old secret still answers.
        #[arg(long, default_value_t = 24)]
        grace_hours: u32,
    },
    /// End a key at once.
    Revoke {
        #[command(flatten)]
        of: Of,
        /// The part between the two underscores.
        handle: String,
    },
    /// List keys, without their secrets.
    List {
        #[command(flatten)]
        of: Of,
    },
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
            let db = quietly_open(&flags).await?;
            tenant_command(&db, command).await?;
        }
        Command::Key { command } => {
            let db = quietly_open(&flags).await?;
            key_command(&db, command).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the database for a command: what goes wrong is logged for people, and nothing is migrated by the way.
async fn quietly_open(flags: &Flags) -> Result<Db, CliError> {
    let config = Config::load(flags)?;
    logging::start(&LogConfig { format: LogFormat::Text, level: "warn".to_owned() })?;
    Ok(service::open_existing(&config, false).await?)
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

async fn tenant_command(db: &Db, command: TenantCommand) -> Result<(), CliError> {
    match command {
        TenantCommand::Add { slug, name, patron_day, patron_name } => {
            tenants::check_slug(&slug).map_err(|error| CliError::Refused(error.to_string()))?;
            let (patron_month, patron_day) = match patron_day.as_deref().map(month_and_day) {
                None => (None, None),
                Some(Some((month, day))) => (Some(month), Some(day)),
                Some(None) => return Err(CliError::Refused("--patron-day is a month and a day, MM-DD".to_owned())),
            };
            let said = format!("added {slug}");
            db.write(&Scope::platform(), move |tx| {
                let tenant = Tenant {
                    tenant_id: tx.new_id(),
                    slug: slug.clone(),
                    name: name.clone(),
                    patron_month,
                    patron_day,
                    patron_name: patron_name.clone(),
                    state: TenantState::Active,
                    created_at: tx.now(),
                };
                match tx.savepoint(|tx| tenants::insert(tx, &tenant)) {
                    Err(failure) if failure.is_unique("tenants", &["slug"]) => Ok(false),
                    outcome => outcome.map(|()| true),
                }
            })
            .await?
            .then_some(())
            .ok_or_else(|| CliError::Refused("this slug is taken".to_owned()))?;
            say(&said);
        }
        TenantCommand::List => {
            for tenant in db.read(&Scope::platform(), tenants::list).await? {
                say(&format!("{}\t{}\t{}", tenant.slug, tenant.state.as_str(), tenant.name));
            }
        }
    }
    Ok(())
}

/// `MM-DD`, of any year: 29 February is a date too.
fn month_and_day(text: &str) -> Option<(i64, i64)> {
    let date: jiff::civil::Date = format!("2028-{text}").parse().ok()?;
    Some((i64::from(date.month()), i64::from(date.day())))
}

async fn scope_of(db: &Db, slug: &str) -> Result<Scope, CliError> {
    let wanted = slug.to_owned();
    let found = db.read(&Scope::platform(), move |tx| tenants::by_slug(tx, &wanted)).await?;
    let tenant = found.ok_or_else(|| CliError::Refused(format!("no Comune has the slug {slug}")))?;
    Ok(Scope::system(tenant.tenant_id))
}

async fn key_command(db: &Db, command: KeyCommand) -> Result<(), CliError> {
    match command {
        KeyCommand::Issue { of, kind, label, office, scopes, expires_in_days } => {
            let kind = match kind {
                Kind::Device => KeyKind::Device,
                Kind::Integration => KeyKind::Integration,
                Kind::Platform => KeyKind::Platform,
            };
            if kind != KeyKind::Device && office.is_some() {
                return Err(CliError::Refused("--office is for devices".to_owned()));
            }
            if kind != KeyKind::Integration && !scopes.is_empty() {
                return Err(CliError::Refused("--scope is for integrations".to_owned()));
            }
            if (kind == KeyKind::Platform) != (of.tenant == "platform") {
                return Err(CliError::Refused("a platform key belongs to --tenant platform, and only that".to_owned()));
            }
            let scope = scope_of(db, &of.tenant).await?;
            let key = db
                .write(&scope, move |tx| {
                    let office_id = match office.as_deref() {
                        None => None,
                        Some(slug) => match directory::office_by_slug(tx, slug)? {
                            Some(office) => Some(office.id),
                            None => return Ok(None),
                        },
                    };
                    let expires_at = expires_in_days.map(|days| in_days(tx.now(), days));
                    let new = NewKey { kind, label: label.clone(), office_id, scopes: scopes.clone(), expires_at };
                    keys::issue(tx, &new).map(Some)
                })
                .await?
                .ok_or_else(|| CliError::Refused("no such office".to_owned()))?;
            say(&key);
        }
        KeyCommand::Rotate { of, handle, grace_hours } => {
            let scope = scope_of(db, &of.tenant).await?;
            let grace = SignedDuration::from_hours(i64::from(grace_hours));
            let key = db.write(&scope, move |tx| keys::rotate(tx, &handle, grace)).await?;
            say(&key.ok_or_else(|| CliError::Refused("no such key, or it was revoked".to_owned()))?);
        }
        KeyCommand::Revoke { of, handle } => {
            let scope = scope_of(db, &of.tenant).await?;
            let revoked = db.write(&scope, move |tx| keys::revoke(tx, &handle)).await?;
            revoked.then(|| say("revoked")).ok_or_else(|| CliError::Refused("no such key".to_owned()))?;
        }
        KeyCommand::List { of } => {
            let scope = scope_of(db, &of.tenant).await?;
            let now = SystemClock.now();
            for key in db.read(&scope, keys::list).await? {
                let ended = key.revoked_at.is_some() || key.expires_at.is_some_and(|end| end <= now);
                let state = if ended { "ended" } else { "active" };
                say(&format!("{}\t{}\t{state}\t{}", key.handle, key.kind.as_str(), key.label));
            }
        }
    }
    Ok(())
}

fn in_days(now: Timestamp, days: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_hours(i64::from(days) * 24)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_patron_day_is_a_month_and_a_day() {
        assert_eq!(month_and_day("06-24"), Some((6, 24)));
        assert_eq!(month_and_day("02-29"), Some((2, 29)));
        assert_eq!(month_and_day("13-01"), None);
        assert_eq!(month_and_day("24/06"), None);
    }
}
