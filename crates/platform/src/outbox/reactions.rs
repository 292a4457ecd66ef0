//! What the domains do upon events, in the database alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use storage::{DbError, Failure, Tx};

use super::{ParkedReaction, StoredEvent, store};

/// What a domain does upon an event. It runs once for each event, in the order of each object's events, in the
/// transaction that publishes it. Where it fails, what it wrote is undone, the event is published all the same, and
/// the failure is kept for somebody to look at.
#[derive(Debug, Clone, Copy)]
pub struct Reaction {
    /// Whose it is and what it does: `booking.messages`.
    pub name: &'static str,
    /// Does it. Most events concern most reactions not at all.
    pub run: fn(&mut Tx<'_>, &StoredEvent) -> storage::Result<()>,
}

/// Lets every reaction meet events that have just got their places; answers how many failed.
pub(super) fn meet(tx: &mut Tx<'_>, reactions: &[Reaction], events: &[StoredEvent]) -> storage::Result<usize> {
    // Nearly always all goes well, and hundreds of savepoints in one transaction are dear on both databases: only
    // where something fails is the failure looked for.
    let together = tx.savepoint(|tx| {
        events.iter().try_for_each(|event| reactions.iter().try_for_each(|reaction| guarded(tx, *reaction, event)))
    });
    match together {
        Ok(()) => return Ok(0),
        // Trouble of the moment: the whole is tried again.
        Err(failure @ Failure::Database(DbError::Retry(_) | DbError::Busy(_) | DbError::Closed(_))) => {
            return Err(failure);
        }
        Err(_) => {}
    }
    let mut failed: usize = 0;
    for event in events {
        for reaction in reactions {
            let Err(failure) = run(tx, *reaction, event) else { continue };
            park(tx, *reaction, event, failure)?;
            failed = failed.saturating_add(1);
        }
    }
    Ok(failed)
}

fn park(tx: &mut Tx<'_>, reaction: Reaction, event: &StoredEvent, failure: Failure) -> storage::Result<()> {
    let error = reason(failure)?;
    tracing::error!(reaction = reaction.name, event = %event.id, error, "a reaction failed and is parked");
    let (id, event_id, failed_at) = (tx.new_id(), event.id, tx.now());
    let reaction = reaction.name.to_owned();
    store::park(tx, &ParkedReaction { id, event_id, reaction, error, attempts: 1, failed_at })
}

/// Tries a parked reaction again; `None` when it went well, and is parked no more.
///
/// # Errors
/// When the database fails.
pub fn retry(
    tx: &mut Tx<'_>,
    reactions: &[Reaction],
    mut parked: ParkedReaction,
) -> storage::Result<Option<ParkedReaction>> {
    let reaction = reactions.iter().find(|reaction| reaction.name == parked.reaction);
    let event = store::get(tx, parked.event_id)?;
    let Err(failure) = (match reaction.zip(event) {
        Some((reaction, event)) => run(tx, *reaction, &event),
        None => Err(DbError::Check("this version has no such reaction".to_owned()).into()),
    }) else {
        store::unpark(tx, parked.id)?;
        return Ok(None);
    };
    parked.error = reason(failure)?;
    parked.attempts = parked.attempts.saturating_add(1);
    parked.failed_at = tx.now();
    store::park_again(tx, &parked)?;
    Ok(Some(parked))
}

fn run(tx: &mut Tx<'_>, reaction: Reaction, event: &StoredEvent) -> storage::Result<()> {
    tx.savepoint(|tx| guarded(tx, reaction, event))
}

/// A panic would end the whole batch, and each one after it.
fn guarded(tx: &mut Tx<'_>, reaction: Reaction, event: &StoredEvent) -> storage::Result<()> {
    let ran = catch_unwind(AssertUnwindSafe(|| (reaction.run)(tx, event)));
    ran.unwrap_or_else(|_panic| Err(DbError::Panicked.into()))
}

/// What is kept of a failure. Trouble of the moment is none of the reaction's: the whole is tried again then.
fn reason(failure: Failure) -> storage::Result<String> {
    match &failure {
        Failure::Refused(problem) => Ok(problem.kind.slug.to_owned()),
        Failure::Database(DbError::Retry(_) | DbError::Busy(_) | DbError::Closed(_)) => Err(failure),
        Failure::Database(DbError::Unique { table, .. }) => Ok(format!("a unique key of {table} was taken")),
        // What a database says of a row may quote it.
        Failure::Database(DbError::ForeignKey(_)) => Ok("it points at what there is not".to_owned()),
        Failure::Database(DbError::Check(_)) => Ok("a row was not as its table wants it".to_owned()),
        Failure::Database(DbError::Panicked) => Ok("it panicked; the message is in the log".to_owned()),
        Failure::Database(DbError::Nested | DbError::Other(_)) => {
            tracing::error!(?failure, "the database failed in a reaction");
            Ok("the database failed; the message is in the log".to_owned())
        }
    }
}
