//! `sportello privacy`: what is held about people.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use kernel::TaxCode;
use platform::{
    access::DeploymentSecret,
    ports::KeptFiles,
    privacy::{
        Place,
        people::{
            archive, changes,
            model::{NewRectification, PersonReference},
            rules,
        },
        retention::{
            model::RetentionRun,
            run::{self as retention, Progress},
        },
    },
    tenants,
};
use storage::{Db, Scope};
use validator::Validate;

use super::{CliError, tenant_of};
use crate::{
    config::{Config, Flags, LogConfig, LogFormat},
    holdings, logging, service,
    terminal::say,
};

#[derive(Debug, Subcommand)]
pub(super) enum PrivacyCommand {
    /// Write everything about a person into an archive.
    Export {
        #[command(flatten)]
        whom: Whom,
        /// The file to make; readable by its owner only.
        #[arg(long, value_name = "FILE.zip")]
        out: PathBuf,
    },
    /// Put right what is held about a person, in past records too.
    Rectify {
        #[command(flatten)]
        whom: Whom,
        /// The right given name.
        #[arg(long, value_name = "NAME")]
        given_name: Option<String>,
        /// The right family name.
        #[arg(long, value_name = "NAME")]
        family_name: Option<String>,
        /// The right e-mail address.
        #[arg(long = "to-email", value_name = "ADDRESS")]
        to_email: Option<String>,
        /// The right telephone number.
        #[arg(long, value_name = "NUMBER")]
        phone: Option<String>,
    },
    /// Run the rules of retention now.
    Retain {
        /// The Comune's slug, or "all".
        #[arg(long, value_name = "SLUG", default_value = "all")]
        tenant: String,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

/// A person, and why they are asked about.
#[derive(Args)]
pub(super) struct Whom {
    /// The Comune's slug.
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    /// The person's codice fiscale; "-" reads it from standard input, where other users of the machine do not see it.
    #[arg(long, value_name = "CODE", required_unless_present = "code", conflicts_with_all = ["code", "email"])]
    tax_code: Option<String>,
    /// The code of an appointment that was booked without a codice fiscale.
    #[arg(long, value_name = "CODE", requires = "email")]
    code: Option<String>,
    /// The e-mail address it was booked with.
    #[arg(long, value_name = "ADDRESS", requires = "code")]
    email: Option<String>,
    /// The request that is answered, such as its protocol number; kept in the access log.
    #[arg(long, value_name = "TEXT")]
    reference: String,
}

kernel::redacted_debug!(Whom);

pub(super) async fn run(flags: &Flags, command: PrivacyCommand) -> Result<(), CliError> {
    let config = Config::load(flags)?;
    logging::start(&LogConfig { format: LogFormat::Text, level: "warn".to_owned() })?;
    let db = service::open_existing(&config, false).await?;
    let secret = config.secret(db.target())?;
    match command {
        PrivacyCommand::Export { whom, out } => {
            let files = config.documents.open(db.target(), holdings::subjects())?;
            export(&db, secret, &files, whom, &out).await
        }
        PrivacyCommand::Rectify { whom, given_name, family_name, to_email, phone } => {
            let person = whom.reference()?;
            let request_reference = whom.reference.clone();
            let new = NewRectification { person, request_reference, given_name, family_name, email: to_email, phone };
            rectify(&db, secret, &whom.tenant, new).await
        }
        PrivacyCommand::Retain { tenant, dry_run } => retain(&db, &tenant, dry_run).await,
    }
}

impl Whom {
    /// The person, as a request would name them.
    fn reference(&self) -> Result<PersonReference, CliError> {
        let tax_code = self.tax_code.as_deref().map(tax_code).transpose()?;
        Ok(PersonReference { tax_code, code: self.code.clone(), email: self.email.clone() })
    }
}

fn tax_code(text: &str) -> Result<TaxCode, CliError> {
    let read = if text == "-" {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        line.trim().to_owned()
    } else {
        text.to_owned()
    };
    // Why it is none would repeat it.
    TaxCode::parse(&read).map_err(|_error| CliError::Refused("--tax-code is not a codice fiscale".to_owned()))
}

async fn export(
    db: &Db,
    secret: DeploymentSecret,
    files: &dyn KeptFiles,
    whom: Whom,
    out: &Path,
) -> Result<(), CliError> {
    let person = whom.reference()?;
    check(&person)?;
    let named = rules::named(&person)?;
    let tenant = tenant_of(db, &whom.tenant).await?;
    // Made before anything is written down: who cannot keep the archive does not get it.
    let mut file = private_file(out)?;
    let bar = spinner("reading");
    let (scope, reference) = (Scope::system(tenant.tenant_id), whom.reference);
    let outcome = db
        .write(&scope, move |tx| {
            let place = Place { tenant: &tenant, secret: &secret };
            changes::export(tx, &holdings::all(), place, &named, &reference)
        })
        .await;
    bar.set_message("writing");
    let written = match outcome {
        Ok(gathered) => {
            let sections = gathered.document.holdings.iter().flat_map(|holding| &holding.sections);
            let entries: usize = sections.map(|section| section.entries.len()).sum();
            let counted = (entries, gathered.files.len());
            match archive::turn().await {
                Ok(turn) => archive::packed(turn, gathered, files).await.map(|archive| (archive, counted)),
                Err(problem) => Err(problem),
            }
        }
        Err(problem) => Err(problem),
    };
    bar.finish_and_clear();
    match written {
        Ok((mut archive, (entries, count))) => {
            io::copy(&mut archive.file, &mut file)?;
            file.sync_all()?;
            say(&format!("wrote {}: {entries} entries, {count} files", out.display()));
            Ok(())
        }
        Err(problem) => {
            drop(file);
            fs::remove_file(out)?;
            Err(problem.into())
        }
    }
}

/// A new file that nobody else reads.
fn private_file(path: &Path) -> Result<fs::File, CliError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| CliError::Refused(format!("{}: {error}", path.display())))
}

fn check(person: &PersonReference) -> Result<(), CliError> {
    person.validate().map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "the form map_err wants")]
fn refused(errors: validator::ValidationErrors) -> CliError {
    let fields: Vec<String> = errors.errors().keys().map(ToString::to_string).collect();
    CliError::Refused(format!("not as they should be: {}", fields.join(", ")))
}

async fn rectify(db: &Db, secret: DeploymentSecret, slug: &str, new: NewRectification) -> Result<(), CliError> {
    new.validate().map_err(refused)?;
    let (named, correct) = (rules::named(&new.person)?, new.rectification());
    if !rules::says_something(&correct) {
        return Err(CliError::Refused(
            "say what is right: --given-name, --family-name, --to-email, --phone".to_owned(),
        ));
    }
    let tenant = tenant_of(db, slug).await?;
    let scope = Scope::system(tenant.tenant_id);
    let bar = spinner("changing");
    let outcome = db
        .write(&scope, move |tx| {
            let place = Place { tenant: &tenant, secret: &secret };
            changes::rectify(tx, &holdings::all(), place, (&named, &correct), &new.request_reference)
        })
        .await;
    bar.finish_and_clear();
    for changed in outcome?.changed {
        say(&format!("{}\t{}", changed.holding, changed.records));
    }
    Ok(())
}

async fn retain(db: &Db, slug: &str, dry_run: bool) -> Result<(), CliError> {
    let everyone = match slug {
        "all" => db.read(&Scope::platform(), tenants::list).await?,
        slug => vec![tenant_of(db, slug).await?],
    };
    let holdings = holdings::all();
    let bar = bar(everyone.len());
    for tenant in everyone {
        let mut records = 0_u64;
        let watch = |progress: Progress<'_>| {
            if let Progress::Records(more) = progress {
                records = records.saturating_add(more);
            }
            bar.set_message(format!("{}: {records}", tenant.slug));
        };
        let scope = Scope::system(tenant.tenant_id);
        let runs = retention::all_rules(db, &holdings, &scope, dry_run, watch).await;
        let lines = match runs {
            Ok(runs) => lines(&tenant.slug, &runs),
            Err(problem) => {
                bar.finish_and_clear();
                return Err(problem.into());
            }
        };
        bar.suspend(|| lines.iter().for_each(|line| say(line)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn lines(slug: &str, runs: &[RetentionRun]) -> Vec<String> {
    if runs.is_empty() {
        return vec![format!("{slug}\tnothing is due")];
    }
    let line = |run: &RetentionRun| {
        let done = if run.dry_run { "would be disposed of" } else { "disposed of" };
        format!(
            "{slug}\t{}\t{}\t{} due\t{} {done}\t{} held",
            run.record_kind.as_str(),
            run.action.as_str(),
            run.counted,
            run.disposed,
            run.held
        )
    };
    runs.iter().map(line).collect()
}

/// Shown on a terminal only; elsewhere it draws nothing.
fn spinner(doing: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(doing);
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar
}

fn bar(comuni: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(comuni).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    bar.set_style(style.unwrap_or_else(|_error| ProgressStyle::default_bar()));
    bar
}
