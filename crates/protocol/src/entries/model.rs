//! Entries of the register, as stored and asked for.

use diesel::prelude::*;
use documents::files::{Document, DocumentId};
use jiff::{Timestamp, civil::Date};
use kernel::{Id, TaxCode};
use platform::{directory::OfficeId, settings::rules::one_line};
use serde::{Deserialize, Serialize};
use storage::Json;
use utoipa::ToSchema;
use validator::Validate;

use super::rules;
use crate::{
    emergencies::EmergencyRegisterId,
    receipts::Answering,
    schema::{protocol_entries, protocol_parties},
};

/// The identifier of an entry.
pub type EntryId = Id<Entry>;

storage::text_enum! {
    /// Which way a document goes.
    pub enum Direction {
        /// It came in: whoever sent it is named (articolo 53, mittente).
        Inbound = "inbound",
        /// It goes out: whom it is for is named (articolo 53, destinatario).
        Outbound = "outbound",
        /// It stays within the Comune.
        Internal = "internal",
    }
}

storage::text_enum! {
    /// The way by which a document came or goes.
    pub enum EntryChannel {
        /// Over this platform.
        Online = "online",
        /// Handed in at a counter.
        Counter = "counter",
        /// Certified e-mail (PEC).
        Pec = "pec",
        /// E-mail.
        Email = "email",
        /// By post or courier.
        Post = "post",
        /// Another way.
        Other = "other",
    }
}

storage::text_enum! {
    /// What somebody is to a document.
    pub enum PartyRole {
        /// Who sent it.
        Sender = "sender",
        /// Whom it is for.
        Recipient = "recipient",
    }
}

storage::text_enum! {
    /// What kind of party somebody is.
    pub enum PartyKind {
        /// A natural person: `given_name` and `family_name`.
        Person = "person",
        /// A company or association: `denomination`.
        Organisation = "organisation",
        /// A public administration: `denomination` and `ipa_code`.
        Administration = "administration",
    }
}

/// Who sent a document, or whom it is for
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProtocolParty, example = json!({ "role": "sender", "kind": "person", "given_name": "Anna", "family_name": "Prova", "tax_code": "PRVNNA80A41Z998F" }))]
pub struct Party {
    /// What they are to it.
    pub role: PartyRole,
    /// What kind of party they are.
    pub kind: PartyKind,
    /// Given name, of a person.
    #[validate(length(min = 1, max = 100), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub given_name: Option<String>,
    /// Family name, of a person.
    #[validate(length(min = 1, max = 100), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub family_name: Option<String>,
    /// What an organisation or administration is called.
    #[validate(length(min = 1, max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub denomination: Option<String>,
    /// Codice fiscale, of a person.
    pub tax_code: Option<TaxCode>,
    /// Partita IVA or numeric codice fiscale, of an organisation.
    #[validate(custom(function = rules::vat_number))]
    #[schema(min_length = 11, max_length = 11, pattern = "^[0-9]{11}$")]
    pub vat_number: Option<String>,
    /// Code in the index of public administrations (IPA), of an administration.
    #[validate(custom(function = rules::code))]
    #[schema(min_length = 1, max_length = 16, pattern = "^[A-Za-z0-9_.-]{1,16}$")]
    pub ipa_code: Option<String>,
    /// Where they are written to.
    #[validate(email, length(max = 254), custom(function = one_line))]
    #[schema(format = "email", max_length = 254)]
    pub email: Option<String>,
}

/// A file that is kept elsewhere: its name, what it is, and what it weighs
#[derive(Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProtocolDocument, example = json!({
    "file_name": "istanza.pdf", "media_type": "application/pdf",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size_bytes": 48213
}))]
pub struct NewDocumentRef {
    /// What the file is called; no path.
    #[validate(length(min = 1, max = 200), custom(function = rules::file_name))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f/\\]([^\x00-\x1f\x7f-\x9f/\\]*[^\s\x00-\x1f\x7f-\x9f/\\])?$"
    )]
    pub file_name: String,
    /// Its media type.
    #[validate(length(min = 3, max = 100), custom(function = rules::media_type))]
    #[schema(min_length = 3, max_length = 100, pattern = "^[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*$")]
    pub media_type: String,
    /// SHA-256 of its bytes, in lower-case hexadecimal (impronta).
    #[validate(custom(function = rules::sha256))]
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// How many bytes it has.
    #[validate(range(min = 0, max = 1_099_511_627_776_i64))]
    #[schema(minimum = 0, maximum = 1_099_511_627_776_i64)]
    pub size_bytes: i64,
}

/// A file of an entry: its name, what it is, and what it weighs
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProtocolDocument, example = json!({
    "file_name": "istanza.pdf", "media_type": "application/pdf",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size_bytes": 48213,
    "document_id": "01980000-0000-7000-8000-0000000000f0"
}))]
pub struct DocumentRef {
    /// What the file is called.
    #[schema(max_length = 255)]
    pub file_name: String,
    /// Its media type.
    #[schema(max_length = 100)]
    pub media_type: String,
    /// SHA-256 of its bytes, in lower-case hexadecimal (impronta).
    #[schema(max_length = 64)]
    pub sha256: String,
    /// How many bytes it has.
    #[schema(minimum = 0)]
    pub size_bytes: i64,
    /// The document, where it was sent in here: its content is at `/documents/{document_id}/content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_id: Option<DocumentId>,
}

impl From<NewDocumentRef> for DocumentRef {
    fn from(NewDocumentRef { file_name, media_type, sha256, size_bytes }: NewDocumentRef) -> Self {
        Self { file_name, media_type, sha256, size_bytes, document_id: None }
    }
}

impl From<&Document> for DocumentRef {
    fn from(document: &Document) -> Self {
        Self {
            file_name: document.name.clone(),
            media_type: document.media_type.as_str().to_owned(),
            sha256: document.sha256.clone(),
            size_bytes: document.size_bytes,
            document_id: Some(document.id),
        }
    }
}

/// A document to be registered
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "direction": "inbound", "subject": "Richiesta di occupazione di suolo pubblico", "classification": "VI.3",
    "office_id": "01980000-0000-7000-8000-000000000002", "channel": "counter",
    "parties": [{ "role": "sender", "kind": "person", "given_name": "Anna", "family_name": "Prova" }],
    "document_ids": ["01980000-0000-7000-8000-0000000000f0"],
    "answering": { "due_on": "2026-12-23", "silence": "assent" }
}))]
pub struct NewProtocolEntry {
    /// Which way it goes.
    pub direction: Direction,
    /// What it is about (oggetto), in one line.
    #[validate(length(min = 1, max = 500), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub subject: String,
    /// Its place in the Comune's filing plan (classificazione, titolario).
    #[validate(length(min = 1, max = 50), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 50,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub classification: Option<String>,
    /// The office it is for, or from.
    pub office_id: OfficeId,
    /// The way by which it came or goes.
    pub channel: EntryChannel,
    /// The protocol number and date of whoever sent it.
    #[validate(length(min = 1, max = 100), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub sender_reference: Option<String>,
    /// The day on which it arrived, where that was before it is registered.
    #[validate(custom(function = rules::sane))]
    pub received_on: Option<Date>,
    /// Whether its subject is kept out of lists (riservato).
    #[serde(default)]
    pub confidential: bool,
    /// The emergency register it is written to, while the ordinary one is interrupted.
    pub emergency_register_id: Option<EmergencyRegisterId>,
    /// Who sent it and whom it is for; needed for what comes in and for what goes out.
    #[serde(default)]
    #[validate(length(max = 50), nested)]
    #[schema(max_items = 50)]
    pub parties: Vec<Party>,
    /// Its files that the caller sent in here (`POST /documents`): they become the entry's, and are read by whoever may
    /// read it. The first is the principal one. There are 50 files at most, and one at least, here or in `documents`.
    #[serde(default)]
    #[validate(length(max = 50))]
    #[schema(max_items = 50)]
    pub document_ids: Vec<DocumentId>,
    /// Its files that are kept elsewhere; the first is the principal one where there is none in `document_ids`.
    #[serde(default)]
    #[validate(length(max = 50), nested)]
    #[schema(max_items = 50)]
    pub documents: Vec<NewDocumentRef>,
    /// What the receipt says of the answer; for what comes in.
    #[validate(nested)]
    pub answering: Option<Answering>,
}

/// What an entry is made of, whoever asks for it.
#[derive(Clone)]
pub struct Registration {
    /// Which way it goes.
    pub direction: Direction,
    /// What it is about.
    pub subject: String,
    /// Its place in the filing plan.
    pub classification: Option<String>,
    /// The office it is for, or from.
    pub office_id: OfficeId,
    /// The way by which it came or goes.
    pub channel: EntryChannel,
    /// The protocol of whoever sent it.
    pub sender_reference: Option<String>,
    /// The day on which it arrived.
    pub received_on: Option<Date>,
    /// Whether its subject is kept out of lists.
    pub confidential: bool,
    /// Who sent it and whom it is for.
    pub parties: Vec<Party>,
    /// Its files that whoever acts has sent in and that belong to nothing yet: they become the entry's. They come
    /// first.
    pub attach: Vec<DocumentId>,
    /// Its other files: what is kept elsewhere, or belongs to what is filed. The first of all is the principal one.
    pub documents: Vec<DocumentRef>,
    /// What it is registered for, such as `case:…`: the same twice is one entry.
    pub source_key: Option<String>,
    /// What the receipt says of the answer; for what comes in.
    pub answering: Option<Answering>,
}

impl From<NewProtocolEntry> for Registration {
    fn from(new: NewProtocolEntry) -> Self {
        let NewProtocolEntry {
            direction,
            subject,
            classification,
            office_id,
            channel,
            sender_reference,
            received_on,
            confidential,
            emergency_register_id: _,
            parties,
            document_ids,
            documents,
            answering,
        } = new;
        Self {
            direction,
            subject,
            classification,
            office_id,
            channel,
            sender_reference,
            received_on,
            confidential,
            parties,
            attach: document_ids,
            documents: documents.into_iter().map(DocumentRef::from).collect(),
            source_key: None,
            answering,
        }
    }
}

/// An entry as it is stored.
#[derive(Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = protocol_entries)]
pub struct Entry {
    /// Identifier.
    pub id: EntryId,
    /// The Comune in the index of public administrations.
    pub ipa_code: String,
    /// Its organisational area.
    pub aoo_code: String,
    /// The register.
    pub register_code: String,
    /// The year of the number, in Italy.
    pub year: i64,
    /// The number.
    pub number: i64,
    /// Its place in the chain of the register.
    pub seq: i64,
    /// When.
    pub registered_at: Timestamp,
    /// Kind and pseudonymous id of who had it registered.
    pub registered_by: String,
    /// Which way it goes.
    pub direction: Direction,
    /// What it is about.
    pub subject: String,
    /// Its place in the filing plan.
    pub classification: Option<String>,
    /// The office it is for, or from.
    pub office_id: OfficeId,
    /// The way by which it came or goes.
    pub channel: EntryChannel,
    /// The protocol of whoever sent it.
    pub sender_reference: Option<String>,
    /// The day on which it arrived.
    pub received_on: Option<Date>,
    /// Whether its subject is kept out of lists.
    pub confidential: bool,
    /// Its files.
    pub documents: Json<Vec<DocumentRef>>,
    /// What it was registered for.
    pub source_key: Option<String>,
    /// The entry of an emergency register that has its ordinary number here.
    pub recovers_id: Option<EntryId>,
    /// The hash of the entry before it; empty for the first.
    pub previous_hash: String,
    /// Its own hash.
    pub hash: String,
    /// When it was annulled.
    pub annulled_at: Option<Timestamp>,
    /// By whom.
    pub annulled_by: Option<String>,
    /// Why.
    pub annulment_reason: Option<String>,
    /// By which act.
    pub annulment_act: Option<String>,
    /// The hash of the annulment.
    pub annulment_hash: Option<String>,
}

/// A party as it is stored.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = protocol_parties)]
pub struct PartyRow {
    /// Of which entry.
    pub entry_id: EntryId,
    /// Its place among those of the entry.
    pub place: i64,
    /// What they are to it.
    pub role: PartyRole,
    /// What kind of party they are.
    pub kind: PartyKind,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// What an organisation is called.
    pub denomination: Option<String>,
    /// Codice fiscale.
    pub tax_code: Option<String>,
    /// Partita IVA.
    pub vat_number: Option<String>,
    /// Code in the index of public administrations.
    pub ipa_code: Option<String>,
    /// Where they are written to.
    pub email: Option<String>,
}

impl From<PartyRow> for Party {
    fn from(row: PartyRow) -> Self {
        Self {
            role: row.role,
            kind: row.kind,
            given_name: row.given_name,
            family_name: row.family_name,
            denomination: row.denomination,
            tax_code: row.tax_code.and_then(|code| TaxCode::parse(&code).ok()),
            vat_number: row.vat_number,
            ipa_code: row.ipa_code,
            email: row.email,
        }
    }
}

/// An entry with its parties.
#[derive(Clone, PartialEq)]
pub struct Whole {
    /// The entry.
    pub entry: Entry,
    /// Who sent it and whom it is for.
    pub parties: Vec<Party>,
}

/// An annulment to be written (articolo 54): the entry stays, marked
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "Registrato due volte", "act": "Determinazione n. 12 del 23/11/2026" }))]
pub struct NewProtocolAnnulment {
    /// Why; not a name.
    #[validate(length(min = 1, max = 500), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub reason: String,
    /// The act that authorises it.
    #[validate(length(min = 1, max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub act: String,
}

kernel::redacted_debug!(
    Party,
    NewDocumentRef,
    DocumentRef,
    NewProtocolEntry,
    Registration,
    Entry,
    PartyRow,
    Whole,
    NewProtocolAnnulment
);
