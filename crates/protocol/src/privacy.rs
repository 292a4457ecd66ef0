//! What the register holds about people: who sent what was registered, and whom it was for.
//!
//! It is told and never changed. What was registered cannot be modified (DPR 445/2000, article 53), and is kept as an
//! archive in the public interest (GDPR, articles 17(3)(d) and 89): a wrong name is put right by annulling the entry and
//! registering anew, and no rule of retention is made for it.

use jiff::Timestamp;
use kernel::civil;
use platform::privacy::{
    Disposal, Due, Held, Overdue, Person, PersonalData, Place, RecordId, RecordKind, Rectification, Reference, Section,
    access_log::Look,
};
use serde_json::{Map, Value, json};
use storage::Tx;

use crate::entries::{Whole, rules, store};

/// The holding of the register.
#[derive(Debug)]
pub struct ProtocolEntries;

impl PersonalData for ProtocolEntries {
    fn name(&self) -> &'static str {
        "protocol"
    }

    fn kinds(&self) -> &'static [RecordKind] {
        &[]
    }

    fn identify(&self, _: &mut Tx<'_>, _: Place<'_>, _: &Reference) -> storage::Result<Option<Person>> {
        Ok(None)
    }

    fn export(&self, tx: &mut Tx<'_>, _: Place<'_>, person: &Person) -> storage::Result<Held> {
        let entries = store::naming(tx, &person.key)?;
        let entries = store::whole(tx, entries)?.iter().map(|whole| told(whole, person)).collect();
        Ok(Held { sections: vec![Section { name: "protocol_entries", entries }], files: Vec::new() })
    }

    fn rectify(&self, _: &mut Tx<'_>, _: Place<'_>, _: &Person, _: &Rectification) -> storage::Result<i64> {
        Ok(0)
    }

    fn has_service(&self, _: &mut Tx<'_>, _: RecordKind, _: RecordId) -> storage::Result<bool> {
        Ok(false)
    }

    fn has_record(&self, _: &mut Tx<'_>, _: RecordKind, _: RecordId) -> storage::Result<bool> {
        Ok(false)
    }

    fn special(&self, _: &mut Tx<'_>, _: RecordKind, _: &[RecordId]) -> storage::Result<Vec<Look>> {
        Ok(Vec::new())
    }

    fn overdue(
        &self,
        _: &mut Tx<'_>,
        _: &Due,
        _: Option<(Timestamp, RecordId)>,
        _: i64,
    ) -> storage::Result<Vec<Overdue>> {
        Ok(Vec::new())
    }

    fn dispose(&self, _: &mut Tx<'_>, _: RecordKind, _: Disposal, _: &[RecordId]) -> storage::Result<usize> {
        Ok(0)
    }
}

/// An entry as it is told to one of those it names: nobody else's data.
fn told(whole: &Whole, person: &Person) -> Map<String, Value> {
    let entry = &whole.entry;
    let is_them = |party: &&crate::entries::Party| match &person.known_by {
        platform::privacy::people::model::KnownBy::TaxCode(code) => party.tax_code.as_ref() == Some(code),
        platform::privacy::people::model::KnownBy::Contact { .. } => false,
    };
    let own: Vec<Value> = whole.parties.iter().filter(is_them).filter_map(|it| serde_json::to_value(it).ok()).collect();
    let value = json!({
        "id": entry.id,
        "register_code": entry.register_code,
        "display": rules::display(entry.number, entry.year),
        "registered_at": civil::format_rfc3339(entry.registered_at),
        "direction": entry.direction,
        "subject": entry.subject,
        "office_id": entry.office_id,
        "parties": own,
        "annulled_at": entry.annulled_at.map(civil::format_rfc3339),
    });
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
