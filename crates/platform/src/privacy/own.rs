//! What the platform itself holds about people: what they did here, and who looked at what is theirs.

use jiff::Timestamp;
use kernel::civil;
use serde_json::{Map, Value, json};
use storage::Tx;

use super::{
    Disposal, Due, Held, Overdue, Person, PersonalData, Place, RecordId, RecordKind, Rectification, Reference, Section,
    access_log::{Look, model::AccessEntry, store},
    written,
};
use crate::{
    access::integration::kind_of,
    audit::{self, Entry},
    messages::preferences::store as preferences,
};

/// The platform's own holding.
#[derive(Debug)]
pub struct Own;

impl PersonalData for Own {
    fn name(&self) -> &'static str {
        "platform"
    }

    fn kinds(&self) -> &'static [RecordKind] {
        &[RecordKind::DataAccessEntry]
    }

    fn identify(&self, _: &mut Tx<'_>, _: Place<'_>, _: &Reference) -> storage::Result<Option<Person>> {
        Ok(None)
    }

    fn export(&self, tx: &mut Tx<'_>, _: Place<'_>, person: &Person) -> storage::Result<Held> {
        let actions = audit::by_actor(tx, &person.actor())?.iter().map(action).collect();
        let accesses = store::about(tx, &person.key)?.iter().map(access).collect();
        let wishes = written(&preferences::of(tx, &person.key)?)?;
        let section = |name, entries| Section { name, entries };
        let sections = vec![
            section("actions", actions),
            section("accesses", accesses),
            section("message_preferences", vec![wishes]),
        ];
        Ok(Held { sections, files: Vec::new() })
    }

    fn rectify(&self, _: &mut Tx<'_>, _: Place<'_>, _: &Person, _: &Rectification) -> storage::Result<i64> {
        // Pseudonyms alone: nothing here can be wrong about a name.
        Ok(0)
    }

    fn has_service(&self, _: &mut Tx<'_>, _: RecordKind, _: RecordId) -> storage::Result<bool> {
        Ok(false)
    }

    fn has_record(&self, tx: &mut Tx<'_>, _: RecordKind, id: RecordId) -> storage::Result<bool> {
        store::exists(tx, id)
    }

    fn special(&self, _: &mut Tx<'_>, _: RecordKind, _: &[RecordId]) -> storage::Result<Vec<Look>> {
        // Who looked at whose records is not what is in them.
        Ok(Vec::new())
    }

    fn overdue(
        &self,
        tx: &mut Tx<'_>,
        due: &Due,
        after: Option<(Timestamp, RecordId)>,
        limit: i64,
    ) -> storage::Result<Vec<Overdue>> {
        let entries = store::before(tx, due.before, after, limit)?;
        let record =
            |entry: AccessEntry| Overdue { id: entry.id.cast(), at: entry.occurred_at, person_key: entry.person_key };
        Ok(entries.into_iter().map(record).collect())
    }

    fn dispose(&self, tx: &mut Tx<'_>, _: RecordKind, _: Disposal, ids: &[RecordId]) -> storage::Result<usize> {
        store::delete(tx, ids)
    }
}

/// What they did, as the audit has it.
fn action(entry: &Entry) -> Map<String, Value> {
    members(json!({
        "occurred_at": civil::format_rfc3339(entry.occurred_at), "action": entry.action,
        "subject_kind": entry.subject_kind, "subject_id": entry.subject_id,
    }))
}

/// Who looked: what kind of caller, since the name of a colleague is not theirs to know.
fn access(entry: &AccessEntry) -> Map<String, Value> {
    let by = kind_of(&entry.actor);
    members(json!({
        "occurred_at": civil::format_rfc3339(entry.occurred_at), "action": entry.action, "by": by,
        "record_kind": entry.record_kind, "record_id": entry.record_id, "reference": entry.reference,
    }))
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
