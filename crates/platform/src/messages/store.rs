//! Queries over messages.

use diesel::{prelude::*, sql_types::Text};
use jiff::Timestamp;
use kernel::{Id, PageRequest};
use storage::{
    MultiBackend, Tx, fixed,
    types::{At, Instant, Key, Uid},
};

use super::model::{Content, Message, MessageId, MessageState, NewMessage, Outcome, SubjectId};
use crate::{
    outbox::EventTag,
    schema::{message_contents, messages},
};

/// Adds a message. One that its event has asked for already is not added again: nothing then.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, new: &NewMessage<'_>) -> storage::Result<Option<MessageId>> {
    let (tenant, id, now) = (tx.tenant(), tx.new_id(), tx.now());
    let inserted = fixed(
        "INSERT INTO messages (tenant_id, id, kind, subject_kind, subject_id, person, event_id, send_at, state, \
         attempts, next_attempt_at, version, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'planned', 0, ?, 1, ?) \
         ON CONFLICT (tenant_id, event_id, kind) DO NOTHING",
    )
    .bind::<Uid, _>(Key(tenant))
    .bind::<Uid, _>(Key(id))
    .bind::<Text, _>(new.kind.to_owned())
    .bind::<Text, _>(new.subject_kind.to_owned())
    .bind::<Uid, _>(Key(new.subject))
    .bind::<Text, _>(new.person.to_owned())
    .bind::<Uid, _>(Key(new.event))
    .bind::<Instant, _>(At(new.send_at))
    .bind::<Instant, _>(At(new.send_at))
    .bind::<Instant, _>(At(now))
    .execute(tx.conn())?;
    Ok((inserted == 1).then_some(id))
}

/// Withdraws what still waits of these kinds about a subject, except what this event itself has asked for: how many
/// that were.
///
/// # Errors
/// When the database fails.
pub fn withdraw(
    tx: &mut Tx<'_>,
    subject: SubjectId,
    kinds: &[&str],
    event: Id<EventTag>,
    why: &str,
) -> storage::Result<usize> {
    use messages as m;
    let waiting = m::table
        .filter(m::tenant_id.eq(Key(tx.tenant())))
        .filter(m::subject_id.eq(Key(subject)))
        .filter(m::kind.eq_any(kinds.iter().map(|kind| (*kind).to_owned())))
        .filter(m::event_id.ne(Key(event)))
        .filter(m::state.eq(MessageState::Planned));
    let withdrawn = diesel::update(waiting)
        .set((m::state.eq(MessageState::Withdrawn), m::outcome.eq(Some(why)), m::version.eq(m::version + 1)))
        .execute(tx.conn())?;
    Ok(withdrawn)
}

const WAITING: [MessageState; 2] = [MessageState::Planned, MessageState::Sending];

/// Whether a message is due. One short statement.
///
/// # Errors
/// When the database fails.
pub fn is_any_due(tx: &mut Tx<'_>) -> storage::Result<bool> {
    use messages as m;
    let now = At(tx.now());
    let first: Option<i64> = m::table
        .filter(m::tenant_id.eq(Key(tx.tenant())))
        .filter(m::state.eq_any(WAITING))
        .filter(m::next_attempt_at.le(now))
        .select(m::version)
        .first(tx.conn())
        .optional()?;
    Ok(first.is_some())
}

/// Takes up to so many due messages for a gateway until then: nobody else sends them meanwhile. Those that another
/// gateway has lost are due too.
///
/// # Errors
/// When the database fails.
pub fn lease(tx: &mut Tx<'_>, gateway: &str, until: Timestamp, most: i64) -> storage::Result<Vec<Message>> {
    use messages as m;
    let now = At(tx.now());
    let due: Vec<Message> = m::table
        .filter(m::tenant_id.eq(Key(tx.tenant())))
        .filter(m::state.eq_any(WAITING))
        .filter(m::next_attempt_at.le(now))
        .order((m::next_attempt_at, m::id))
        .limit(most)
        .select(Message::as_select())
        .load(tx.conn())?;
    let mut leased = Vec::with_capacity(due.len());
    for message in due {
        let taken = Message {
            state: MessageState::Sending,
            attempts: message.attempts.saturating_add(1),
            next_attempt_at: until,
            leased_by: Some(gateway.to_owned()),
            version: message.version.saturating_add(1),
            ..message.clone()
        };
        let row = m::table
            .filter(m::tenant_id.eq(Key(tx.tenant())))
            .filter(m::id.eq(Key(message.id)))
            .filter(m::version.eq(message.version));
        let changed = diesel::update(row)
            .set((
                m::state.eq(taken.state),
                m::attempts.eq(taken.attempts),
                m::next_attempt_at.eq(At(until)),
                m::leased_by.eq(&taken.leased_by),
                m::version.eq(taken.version),
            ))
            .execute(tx.conn())?;
        if changed == 1 {
            leased.push(taken);
        }
    }
    Ok(leased)
}

/// Gives up everything that is due, where there is no way to anybody: it need not be written first.
///
/// # Errors
/// When the database fails.
pub fn fail_due(tx: &mut Tx<'_>, why: &str) -> storage::Result<usize> {
    use messages as m;
    let due = m::table
        .filter(m::tenant_id.eq(Key(tx.tenant())))
        .filter(m::state.eq_any(WAITING))
        .filter(m::next_attempt_at.le(At(tx.now())));
    let failed = (m::state.eq(MessageState::Failed), m::outcome.eq(Some(why)), m::version.eq(m::version + 1));
    Ok(diesel::update(due).set(failed).execute(tx.conn())?)
}

/// Writes what became of an attempt, when the message is still the one that was leased: `false` when another gateway
/// has taken it over meanwhile.
///
/// # Errors
/// When the database fails.
pub fn settle(tx: &mut Tx<'_>, leased: &Message, outcome: &Outcome) -> storage::Result<bool> {
    use messages as m;
    let now = tx.now();
    let (state, word) = match outcome {
        Outcome::Sent { note, .. } => (MessageState::Sent, note.clone()),
        Outcome::Withdrawn(why) => (MessageState::Withdrawn, Some(why.clone())),
        Outcome::Again { reason, .. } => (MessageState::Planned, Some(reason.clone())),
        Outcome::Parked(why) => (MessageState::Parked, Some(why.clone())),
        Outcome::Failed(why) => (MessageState::Failed, Some(why.clone())),
    };
    let next = if let Outcome::Again { at, .. } = outcome { *at } else { now };
    let (channel, language, sent_at) = match outcome {
        Outcome::Sent { channel, language, .. } => (Some(*channel), Some(*language), Some(At(now))),
        _ => (None, None, None),
    };
    // It is theirs to whom it was written, whoever it was planned for.
    let person = if let Outcome::Sent { person, .. } = outcome { Some(m::person.eq(person.clone())) } else { None };
    let row = m::table
        .filter(m::tenant_id.eq(Key(tx.tenant())))
        .filter(m::id.eq(Key(leased.id)))
        .filter(m::version.eq(leased.version));
    let changed = diesel::update(row)
        .set((
            m::state.eq(state),
            m::next_attempt_at.eq(At(next)),
            m::leased_by.eq(None::<String>),
            m::channel.eq(channel),
            m::outcome.eq(word),
            m::language.eq(language),
            m::sent_at.eq(sent_at),
            person,
            m::version.eq(m::version + 1),
        ))
        .execute(tx.conn())?;
    if changed == 0 {
        return Ok(false);
    }
    if let Outcome::Sent { content, .. } = outcome {
        write_content(tx, leased.id, content)?;
    }
    Ok(true)
}

fn write_content(tx: &mut Tx<'_>, id: MessageId, content: &Content) -> storage::Result<()> {
    use message_contents as c;
    // What was replayed was never sent before, so there is nothing to be replaced.
    diesel::insert_into(c::table)
        .values((
            c::tenant_id.eq(Key(tx.tenant())),
            c::message_id.eq(Key(id)),
            c::recipient.eq(&content.recipient),
            c::subject.eq(&content.subject),
            c::body.eq(&content.body),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Lets a message be tried afresh, now.
///
/// # Errors
/// When the database fails.
pub fn replay(tx: &mut Tx<'_>, message: &Message) -> storage::Result<Message> {
    use messages as m;
    let now = tx.now();
    let again = Message {
        state: MessageState::Planned,
        attempts: 0,
        next_attempt_at: now,
        outcome: None,
        version: message.version.saturating_add(1),
        ..message.clone()
    };
    let row = m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::id.eq(Key(message.id)));
    diesel::update(row.filter(m::version.eq(message.version)))
        .set((
            m::state.eq(again.state),
            m::attempts.eq(again.attempts),
            m::next_attempt_at.eq(At(now)),
            m::outcome.eq(None::<String>),
            m::version.eq(again.version),
        ))
        .execute(tx.conn())?;
    Ok(again)
}

/// One message.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut Tx<'_>, id: MessageId) -> storage::Result<Option<Message>> {
    let mine = messages::table.filter(messages::tenant_id.eq(Key(tx.tenant())));
    Ok(mine.filter(messages::id.eq(Key(id))).select(Message::as_select()).first(tx.conn()).optional()?)
}

/// What was written, by message, of those that were sent.
///
/// # Errors
/// When the database fails.
pub fn contents(tx: &mut Tx<'_>, ids: &[MessageId]) -> storage::Result<Vec<(MessageId, Content)>> {
    use message_contents as c;
    let rows: Vec<(MessageId, String, String, String)> = c::table
        .filter(c::tenant_id.eq(Key(tx.tenant())))
        .filter(c::message_id.eq_any(ids.iter().copied().map(Key)))
        .select((c::message_id, c::recipient, c::subject, c::body))
        .load(tx.conn())?;
    let content = |(id, recipient, subject, body)| (id, Content { recipient, subject, body });
    Ok(rows.into_iter().map(content).collect())
}

/// Everything that was planned for a person, in the order of planning.
///
/// # Errors
/// When the database fails.
pub fn to(tx: &mut Tx<'_>, person: &str) -> storage::Result<Vec<Message>> {
    use messages as m;
    let of = m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).filter(m::person.eq(person.to_owned()));
    Ok(of.order(m::id).select(Message::as_select()).load(tx.conn())?)
}

/// Lets what waits of these kinds about a subject go to another person, whose it is now: what they are written is
/// kept as theirs. What is being sent is settled as theirs to whom it was written.
///
/// # Errors
/// When the database fails.
pub fn readdress(tx: &mut Tx<'_>, subject: SubjectId, kinds: &[&str], person: &str) -> storage::Result<()> {
    use messages as m;
    let waiting = m::table
        .filter(m::tenant_id.eq(Key(tx.tenant())))
        .filter(m::subject_id.eq(Key(subject)))
        .filter(m::kind.eq_any(kinds.iter().map(|kind| (*kind).to_owned())))
        .filter(m::state.eq_any([MessageState::Planned, MessageState::Parked, MessageState::Failed]));
    diesel::update(waiting).set((m::person.eq(person), m::version.eq(m::version + 1))).execute(tx.conn())?;
    Ok(())
}

/// Lets everything about a subject that is a person's follow them to the pseudonym they have now.
///
/// # Errors
/// When the database fails.
pub fn rekey(tx: &mut Tx<'_>, subject: SubjectId, before: &str, person: &str) -> storage::Result<()> {
    use messages as m;
    let theirs = m::table
        .filter(m::tenant_id.eq(Key(tx.tenant())))
        .filter(m::subject_id.eq(Key(subject)))
        .filter(m::person.eq(before.to_owned()));
    diesel::update(theirs).set(m::person.eq(person)).execute(tx.conn())?;
    Ok(())
}

/// Takes out what was written about a subject and to whom, and puts a pseudonym that is nobody's in the person's place.
/// What still waits is withdrawn.
///
/// # Errors
/// When the database fails.
pub fn forget(tx: &mut Tx<'_>, subject: SubjectId, nobody: &str) -> storage::Result<()> {
    use message_contents as c;
    use messages as m;
    let tenant = Key(tx.tenant());
    let of = m::table.filter(m::tenant_id.eq(tenant)).filter(m::subject_id.eq(Key(subject)));
    let ids: Vec<MessageId> = of.select(m::id).load(tx.conn())?;
    let ids: Vec<_> = ids.into_iter().map(Key).collect();
    diesel::delete(c::table.filter(c::tenant_id.eq(tenant)).filter(c::message_id.eq_any(ids))).execute(tx.conn())?;
    diesel::update(of).set(m::person.eq(nobody)).execute(tx.conn())?;
    // Whoever is sending one meanwhile finds another version, and does not write down what it said.
    let waiting = [MessageState::Planned, MessageState::Sending, MessageState::Parked];
    diesel::update(of.filter(m::state.eq_any(waiting)))
        .set((m::state.eq(MessageState::Withdrawn), m::outcome.eq(Some("anonymised")), m::version.eq(m::version + 1)))
        .execute(tx.conn())?;
    Ok(())
}

/// Whose messages are listed.
#[derive(Debug, Clone)]
pub enum Listed {
    /// The Comune's, of one state or of all.
    All(Option<MessageState>),
    /// Those to a person, by their pseudonym.
    To(String),
    /// Those about something.
    About(SubjectId),
}

/// A page of messages, the latest first.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut Tx<'_>, of: &Listed, page: &PageRequest<MessageId>) -> storage::Result<Vec<Message>> {
    use messages as m;
    let mut query =
        m::table.filter(m::tenant_id.eq(Key(tx.tenant()))).select(Message::as_select()).into_boxed::<MultiBackend>();
    query = match of {
        Listed::All(None) => query,
        Listed::All(Some(state)) => query.filter(m::state.eq(*state)),
        Listed::To(person) => query.filter(m::person.eq(person.clone())),
        Listed::About(subject) => query.filter(m::subject_id.eq(Key(*subject))),
    };
    if let Some(after) = page.after {
        query = query.filter(m::id.lt(Key(after)));
    }
    Ok(query.order(m::id.desc()).limit(page.fetch()).load(tx.conn())?)
}
