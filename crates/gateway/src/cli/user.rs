//! `sportello user`: people who work for a Comune, known by the subject of their identity provider.

use clap::{Args, Subcommand};
use kernel::PageRequest;
use platform::{
    access::{
        sessions,
        staff::{
            StaffRole, changes,
            model::{NewStaffMember, StaffPatch, StaffState},
            store,
        },
    },
    directory::{OfficeId, store as directory},
};
use storage::{Db, Scope, Tx};
use validator::Validate;

use super::{CliError, Needs, Of, scope_of};
use crate::terminal::say;

#[derive(Debug, Args)]
pub(super) struct Who {
    #[command(flatten)]
    of: Of,
    /// The identity provider, by its name in the configuration.
    #[arg(long, value_name = "NAME")]
    provider: String,
    /// Who they are there: `sub` of their token.
    #[arg(long, value_name = "SUB")]
    subject: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Enrol somebody.
    Add {
        #[command(flatten)]
        who: Who,
        /// What colleagues call them.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// operator, manager or admin.
        #[arg(long, value_name = "ROLE")]
        role: StaffRole,
        /// An office, by slug. Repeatable.
        #[arg(long = "office", value_name = "SLUG")]
        offices: Vec<String>,
    },
    /// Change somebody's name, role or offices.
    Set {
        #[command(flatten)]
        who: Who,
        /// What colleagues call them.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// operator, manager or admin.
        #[arg(long, value_name = "ROLE")]
        role: Option<StaffRole>,
        /// An office, by slug; all of them together replace those there were. Repeatable.
        #[arg(long = "office", value_name = "SLUG", conflicts_with = "no_office")]
        offices: Vec<String>,
        /// No office at all.
        #[arg(long)]
        no_office: bool,
    },
    /// Let somebody in no more.
    Disable {
        #[command(flatten)]
        who: Who,
    },
    /// Let somebody in again.
    Enable {
        #[command(flatten)]
        who: Who,
    },
    /// Make a code with which somebody sets a password; it is printed once, and answers once and for a day.
    Password {
        #[command(flatten)]
        of: Of,
        /// Their user name: the subject they were enrolled with, under the provider `password`.
        username: String,
    },
    /// List everybody.
    List {
        #[command(flatten)]
        of: Of,
    },
}

impl UserCommand {
    /// Listing changes nothing.
    pub(super) const fn needs(&self) -> Needs {
        if matches!(self, Self::List { .. }) { Needs::Reading } else { Needs::Secret }
    }
}

pub(super) async fn run(db: &Db, command: UserCommand) -> Result<(), CliError> {
    match command {
        UserCommand::Add { who, name, role, offices } => {
            let scope = comune(db, &who.of).await?;
            let new = NewStaffMember {
                provider: who.provider,
                subject: who.subject,
                display_name: name,
                role,
                office_ids: Vec::new(),
            };
            new.validate().map_err(refused)?;
            let (new, said) = (new, "enrolled");
            db.write(&scope, move |tx| {
                let office_ids = offices_of(tx, &offices)?;
                changes::enrol(tx, &NewStaffMember { office_ids, ..new.clone() }).map(drop)
            })
            .await?;
            say(said);
        }
        UserCommand::Set { who, name, role, offices, no_office } => {
            let patch = StaffPatch { display_name: name, role, ..StaffPatch::default() };
            patch.validate().map_err(refused)?;
            let named = (no_office || !offices.is_empty()).then_some(offices);
            change(db, who, patch, named).await?;
            say("changed");
        }
        UserCommand::Disable { who } => {
            change(db, who, StaffPatch { state: Some(StaffState::Disabled), ..StaffPatch::default() }, None).await?;
            say("disabled");
        }
        UserCommand::Enable { who } => {
            change(db, who, StaffPatch { state: Some(StaffState::Active), ..StaffPatch::default() }, None).await?;
            say("enabled");
        }
        UserCommand::Password { of, username } => {
            let scope = comune(db, &of).await?;
            let made = db
                .write(&scope, move |tx| {
                    let entry = store::entry_of(tx, sessions::PROVIDER, &username)?;
                    sessions::enrolment(tx, entry.ok_or_else(|| nothing("no such person"))?.id)
                })
                .await?;
            say(&made.enrolment_code);
        }
        UserCommand::List { of } => list(db, &of).await?,
    }
    Ok(())
}

/// The deployment itself employs nobody.
async fn comune(db: &Db, of: &Of) -> Result<Scope, CliError> {
    if of.tenant == "platform" {
        return Err(CliError::Refused("people work for a Comune".to_owned()));
    }
    scope_of(db, &of.tenant).await
}

#[expect(clippy::needless_pass_by_value, reason = "the form map_err wants")]
fn refused(errors: validator::ValidationErrors) -> CliError {
    let fields: Vec<String> = errors.errors().keys().map(ToString::to_string).collect();
    CliError::Refused(format!("not as they should be: {}", fields.join(", ")))
}

/// Offices by their slugs. An unknown one is named.
fn offices_of(tx: &mut Tx<'_>, slugs: &[String]) -> storage::Result<Vec<OfficeId>> {
    let mut ids = Vec::new();
    for slug in slugs {
        let office = directory::office_by_slug(tx, slug)?.ok_or_else(|| nothing(&format!("no office {slug}")))?;
        ids.push(office.id);
    }
    Ok(ids)
}

fn nothing(what: &str) -> storage::Failure {
    platform::http::not_found().detail(what).into()
}

async fn change(db: &Db, who: Who, patch: StaffPatch, offices: Option<Vec<String>>) -> Result<(), CliError> {
    let scope = comune(db, &who.of).await?;
    db.write(&scope, move |tx| {
        let entry = store::entry_of(tx, &who.provider, &who.subject)?.ok_or_else(|| nothing("no such person"))?;
        let office_ids = offices.as_deref().map(|slugs| offices_of(tx, slugs)).transpose()?;
        let patch = StaffPatch { office_ids, ..patch.clone() };
        changes::change(tx, entry.id, &patch, None, |_any| Ok(())).map(drop)
    })
    .await?;
    Ok(())
}

async fn list(db: &Db, of: &Of) -> Result<(), CliError> {
    let scope = comune(db, of).await?;
    let mut after = None;
    loop {
        let page = PageRequest { limit: kernel::page::MAX_LIMIT, after };
        let rows = db
            .read(&scope, move |tx| {
                let entries = store::list(tx, &page)?;
                let mut lines = Vec::new();
                for entry in entries {
                    let offices = directory::offices_with_places(tx, &entry.office_ids)?;
                    let slugs: Vec<String> = offices.into_iter().map(|(office, _)| office.slug).collect();
                    lines.push((entry, slugs.join(",")));
                }
                Ok(lines)
            })
            .await?;
        let more = rows.len() > usize::try_from(page.limit).unwrap_or(usize::MAX);
        let shown = if more { rows.len().saturating_sub(1) } else { rows.len() };
        for (entry, offices) in rows.iter().take(shown) {
            say(&format!(
                "{}\t{}\t{}\t{}\t{}\t{offices}",
                entry.provider,
                entry.subject,
                entry.role.as_str(),
                entry.state().as_str(),
                entry.display_name,
            ));
            after = Some(entry.id);
        }
        if !more {
            return Ok(());
        }
    }
}
