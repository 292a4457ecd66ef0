//! Places for what is committed.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use kernel::Id;
use storage::Tx;

use super::{Reaction, StoredEvent, reactions, store};
use crate::webhooks;

/// How many events are looked for at once.
const BATCH: i64 = 200;

/// What was published in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// How many events.
    pub events: usize,
    /// How many deliveries were queued.
    pub deliveries: usize,
    /// How many reactions failed.
    pub parked: usize,
    /// When the first of them happened.
    pub oldest: Option<Timestamp>,
    /// The last place given.
    pub last: i64,
    /// Whether more may be waiting.
    pub more: bool,
}

/// Publishes what is committed: gives the events their places, queues them for the webhooks that want them and lets
/// the domains react. All of it or nothing; done by several gateways at once, they take turns.
///
/// The events of one object are in the order of its versions. Who changes an object holds its row, so of two
/// changes the first is committed before the second is begun: whoever sees the second sees the first.
///
/// # Errors
/// When the database fails; nothing is published then.
pub fn publish(tx: &mut Tx<'_>, reactions: &[Reaction]) -> storage::Result<Published> {
    // Most often somebody else was faster; asking needs no lock.
    if !store::is_waiting(tx)? {
        let last = store::last_position(tx)?;
        return Ok(Published { events: 0, deliveries: 0, parked: 0, oldest: None, last, more: false });
    }
    let mut last = store::lock_stream(tx)?;
    let batch = store::unpublished(tx, BATCH)?;
    let more = i64::try_from(batch.len()).is_ok_and(|found| found == BATCH);
    let subjects: Vec<Id<()>> = batch.iter().map(|event| event.subject_id).collect();
    // Ids are in the order in which transactions began: an earlier version may lie beyond the batch.
    let mut events = in_order(store::unpublished_of(tx, &subjects)?);
    let listeners = webhooks::store::listeners(tx)?;
    let mut deliveries: usize = 0;
    for event in &mut events {
        last = last.saturating_add(1);
        event.position = Some(last);
        store::place(tx, event.id, last)?;
        deliveries = deliveries.saturating_add(webhooks::store::queue(tx, &listeners, event, last)?);
    }
    let parked = reactions::meet(tx, reactions, &events)?;
    store::keep_last(tx, last)?;
    let oldest = events.iter().map(|event| event.occurred_at).min();
    Ok(Published { events: events.len(), deliveries, parked, oldest, last, more })
}

/// Puts the events of each object into the order of its versions, and leaves everything else as it is: the places
/// that an object's events have among the others stay its own.
fn in_order(events: Vec<StoredEvent>) -> Vec<StoredEvent> {
    let places: Vec<Id<()>> = events.iter().map(|event| event.subject_id).collect();
    let mut of: HashMap<Id<()>, Vec<StoredEvent>> = HashMap::new();
    for event in events {
        of.entry(event.subject_id).or_default().push(event);
    }
    let mut of: HashMap<Id<()>, VecDeque<StoredEvent>> = of
        .into_iter()
        .map(|(subject, mut events)| {
            events.sort_by_key(|event| (event.subject_version, event.id));
            (subject, events.into())
        })
        .collect();
    places.iter().filter_map(|subject| of.get_mut(subject)?.pop_front()).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;
    use storage::Json;
    use uuid::Uuid;

    use super::*;

    fn event(id: u128, subject: u128, version: i64) -> StoredEvent {
        StoredEvent {
            id: Id::from_uuid(Uuid::from_u128(id)),
            kind: "thing.changed".to_owned(),
            subject_kind: "thing".to_owned(),
            subject_id: Id::from_uuid(Uuid::from_u128(subject)),
            subject_version: version,
            actor: "system".to_owned(),
            payload: Json(json!({})),
            occurred_at: Timestamp::UNIX_EPOCH,
            position: None,
            office_id: None,
        }
    }

    #[test]
    fn an_objects_events_come_by_version_and_others_stay_where_they_are() {
        let given = vec![event(1, 10, 2), event(2, 20, 1), event(3, 10, 1), event(4, 30, 5), event(5, 10, 3)];
        let ordered: Vec<(u128, i64)> =
            in_order(given).iter().map(|event| (event.subject_id.uuid().as_u128(), event.subject_version)).collect();
        assert_eq!(ordered, [(10, 1), (20, 1), (10, 2), (30, 5), (10, 3)]);
    }

    #[test]
    fn of_one_version_the_one_told_first_comes_first() {
        let ordered: Vec<u128> =
            in_order(vec![event(1, 10, 1), event(2, 10, 1)]).iter().map(|event| event.id.uuid().as_u128()).collect();
        assert_eq!(ordered, [1, 2]);
    }
}
