//! Entries of the register, as served.

use jiff::{Timestamp, civil::Date};
use kernel::civil;
use platform::{directory::OfficeId, http::Link};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    model::{Direction, DocumentRef, Entry, EntryChannel, EntryId, Party},
    rules,
};
use crate::registrations::{RegistrationId, RegistrationState};

kernel::redacted_debug!(EntryView, EntryItem, AnnulmentView);

/// How an entry was annulled
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ProtocolAnnulment, example = json!({
    "annulled_at": "2026-11-24T09:00:00+01:00", "reason": "Registrato due volte", "act": "Determinazione n. 12 del 23/11/2026"
}))]
pub struct AnnulmentView {
    /// When.
    #[serde(with = "civil::rfc3339")]
    pub annulled_at: Timestamp,
    /// Why.
    #[schema(max_length = 500)]
    pub reason: String,
    /// By which act.
    #[schema(max_length = 200)]
    pub act: String,
}

/// An entry of the register, in short
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ProtocolEntryItem, example = json!({
    "id": "01980000-0000-7000-8000-0000000000a0", "aoo_code": "SPORTELLO", "register_code": "RACC", "year": 2026,
    "number": 42, "display": "0000042/2026", "registered_at": "2026-11-23T10:15:00+01:00", "direction": "inbound",
    "subject": "Richiesta di occupazione di suolo pubblico", "office_id": "01980000-0000-7000-8000-000000000002",
    "confidential": false, "annulled": false
}))]
pub struct EntryItem {
    /// Identifier.
    pub id: EntryId,
    /// The organisational area.
    #[schema(max_length = 16)]
    pub aoo_code: String,
    /// The register.
    #[schema(max_length = 16)]
    pub register_code: String,
    /// The year of the number.
    #[schema(minimum = 1900, maximum = 9999)]
    pub year: i64,
    /// The number.
    #[schema(minimum = 1)]
    pub number: i64,
    /// Number and year as people write them.
    #[schema(max_length = 30)]
    pub display: String,
    /// When.
    #[serde(with = "civil::rfc3339")]
    pub registered_at: Timestamp,
    /// Which way it goes.
    pub direction: Direction,
    /// What it is about; null where it is confidential.
    #[schema(max_length = 500)]
    pub subject: Option<String>,
    /// The office it is for, or from.
    pub office_id: OfficeId,
    /// Whether its subject is kept out of lists.
    pub confidential: bool,
    /// Whether it was annulled.
    pub annulled: bool,
}

impl From<Entry> for EntryItem {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            display: rules::display(entry.number, entry.year),
            aoo_code: entry.aoo_code,
            register_code: entry.register_code,
            year: entry.year,
            number: entry.number,
            registered_at: entry.registered_at,
            direction: entry.direction,
            subject: (!entry.confidential).then_some(entry.subject),
            office_id: entry.office_id,
            confidential: entry.confidential,
            annulled: entry.annulled_at.is_some(),
        }
    }
}

/// An entry of the register
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ProtocolEntry, example = json!({
    "id": "01980000-0000-7000-8000-0000000000a0", "ipa_code": "c_h501", "aoo_code": "SPORTELLO",
    "register_code": "RACC", "year": 2026, "number": 42, "display": "0000042/2026",
    "mark": "c_h501 - SPORTELLO - RACC - 0000042 - 23/11/2026", "registered_at": "2026-11-23T10:15:00+01:00",
    "direction": "inbound", "subject": "Richiesta di occupazione di suolo pubblico", "classification": "VI.3",
    "office_id": "01980000-0000-7000-8000-000000000002", "channel": "counter", "sender_reference": null,
    "received_on": null, "confidential": false,
    "parties": [{ "role": "sender", "kind": "person", "given_name": "Anna", "family_name": "Prova" }],
    "documents": [], "segnatura_signed": false, "previous_hash": "", "hash":
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "recovers_entry_id": null,
    "recovered_entry_id": null, "receipt_code": "K7M2-PQ4X-9BCD-FGHJ", "registration_id": "01980000-0000-7000-8000-0000000000b0",
    "registration_state": "registered", "annulment": null, "version": 1, "links": []
}))]
pub struct EntryView {
    /// Identifier.
    pub id: EntryId,
    /// The Comune in the index of public administrations.
    #[schema(max_length = 16)]
    pub ipa_code: String,
    /// Its organisational area (AOO).
    #[schema(max_length = 16)]
    pub aoo_code: String,
    /// The register.
    #[schema(max_length = 16)]
    pub register_code: String,
    /// The year of the number.
    #[schema(minimum = 1900, maximum = 9999)]
    pub year: i64,
    /// The number: without a gap in its register and year.
    #[schema(minimum = 1)]
    pub number: i64,
    /// Number and year as people write them.
    #[schema(max_length = 30)]
    pub display: String,
    /// The line that marks the document (articolo 55).
    #[schema(max_length = 120)]
    pub mark: String,
    /// When; never before the entry before it.
    #[serde(with = "civil::rfc3339")]
    pub registered_at: Timestamp,
    /// Which way it goes.
    pub direction: Direction,
    /// What it is about.
    #[schema(max_length = 500)]
    pub subject: String,
    /// Its place in the filing plan.
    #[schema(max_length = 50)]
    pub classification: Option<String>,
    /// The office it is for, or from.
    pub office_id: OfficeId,
    /// The way by which it came or goes.
    pub channel: EntryChannel,
    /// The protocol of whoever sent it.
    #[schema(max_length = 100)]
    pub sender_reference: Option<String>,
    /// The day on which it arrived.
    pub received_on: Option<Date>,
    /// Whether its subject is kept out of lists.
    pub confidential: bool,
    /// Who sent it and whom it is for.
    #[schema(max_items = 50)]
    pub parties: Vec<Party>,
    /// Its files; the first is the principal one.
    #[schema(max_items = 50)]
    pub documents: Vec<DocumentRef>,
    /// Whether the segnatura is signed. It never is: this server has no seal of the Comune.
    pub segnatura_signed: bool,
    /// The hash of the entry before it in the register; empty for the first.
    #[schema(max_length = 64)]
    pub previous_hash: String,
    /// SHA-256 of the hash before it and of what was registered.
    #[schema(max_length = 64)]
    pub hash: String,
    /// The entry of an emergency register that has its ordinary number here.
    pub recovers_entry_id: Option<EntryId>,
    /// The entry with the ordinary number, of one of an emergency register.
    pub recovered_entry_id: Option<EntryId>,
    /// The code of its receipt, for whoever filed it: `/receipts/{code}`. Null for what did not come in.
    #[schema(max_length = 19)]
    pub receipt_code: Option<String>,
    /// How it is handed on to the Comune's own protocol system; null in an emergency register.
    pub registration_id: Option<RegistrationId>,
    /// How far that is.
    pub registration_state: Option<RegistrationState>,
    /// How it was annulled; null where it was not.
    pub annulment: Option<AnnulmentView>,
    /// 2 once it was annulled, else 1.
    #[schema(minimum = 1, maximum = 2)]
    pub version: i64,
    /// What the caller may do with it now.
    #[schema(max_items = 5)]
    pub links: Vec<Link>,
}

impl Entry {
    /// 2 once it was annulled, else 1.
    pub const fn version(&self) -> i64 {
        if self.annulled_at.is_some() { 2 } else { 1 }
    }

    /// How it was annulled.
    pub fn annulment(&self) -> Option<AnnulmentView> {
        Some(AnnulmentView {
            annulled_at: self.annulled_at?,
            reason: self.annulment_reason.clone().unwrap_or_default(),
            act: self.annulment_act.clone().unwrap_or_default(),
        })
    }
}

/// An XML document
#[derive(Debug, ToSchema)]
#[schema(value_type = String, max_length = 8_000_000, example = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")]
pub struct XmlFile(pub String);
