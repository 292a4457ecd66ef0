//! `sportello event`: what could not be done upon events, and doing it after all.

use std::process::ExitCode;

use clap::Subcommand;
use kernel::{Id, PageRequest};
use platform::outbox::{self, ParkedReaction};
use storage::{Db, Scope};

use super::{CliError, Needs, Of, scope_of};
use crate::{service, terminal::say};

#[derive(Debug, Subcommand)]
pub(super) enum EventCommand {
    /// List reactions that failed and wait for somebody to look; exit code 1 when there are any.
    Parked {
        #[command(flatten)]
        of: Of,
    },
    /// Try parked reactions again; exit code 1 when one fails again.
    Replay {
        #[command(flatten)]
        of: Of,
        /// Only this one, as `event parked` lists it.
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
}

impl EventCommand {
    pub(super) const fn needs(&self) -> Needs {
        if matches!(self, Self::Parked { .. }) { Needs::Reading } else { Needs::Secret }
    }
}

pub(super) async fn run(db: &Db, command: EventCommand) -> Result<ExitCode, CliError> {
    let mut sound = true;
    match command {
        EventCommand::Parked { of } => {
            for parked in all(db, &scope_of(db, &of.tenant).await?).await? {
                sound = false;
                let ParkedReaction { id, event_id, reaction, error, attempts, failed_at } = parked;
                say(&format!("{id}  {reaction}  event {event_id}  {attempts} attempts, last at {failed_at}: {error}"));
            }
        }
        EventCommand::Replay { of, id } => {
            let scope = scope_of(db, &of.tenant).await?;
            let mut parked = all(db, &scope).await?;
            if let Some(id) = id {
                let id: Id<ParkedReaction> =
                    id.parse().map_err(|_not_an_id| CliError::Refused(format!("{id} is no id")))?;
                parked.retain(|parked| parked.id == id);
                if parked.is_empty() {
                    return Err(CliError::Refused(format!("no parked reaction has the id {id}")));
                }
            }
            for parked in parked {
                let (id, name) = (parked.id, parked.reaction.clone());
                let again = db.write(&scope, move |tx| outbox::retry(tx, service::REACTIONS, parked.clone())).await?;
                sound &= again.is_none();
                say(&format!("{id}  {name}  {}", again.map_or_else(|| "done".to_owned(), |parked| parked.error)));
            }
        }
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn all(db: &Db, scope: &Scope) -> Result<Vec<ParkedReaction>, CliError> {
    let mut all: Vec<ParkedReaction> = Vec::new();
    loop {
        let page = PageRequest { limit: 100, after: all.last().map(|parked| parked.id) };
        let mut found = db.read(scope, move |tx| outbox::store::parked(tx, &page)).await?;
        let whole = found.len() > 100;
        found.truncate(100);
        all.extend(found);
        if !whole {
            return Ok(all);
        }
    }
}
