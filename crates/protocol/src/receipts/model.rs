//! Receipts, as asked for, stored and served.

use diesel::prelude::*;
use jiff::{Timestamp, civil::Date};
use kernel::{Localized, civil};
use platform::settings::rules::one_line;
use serde::{Deserialize, Serialize};
use storage::Json;
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    entries::{EntryId, rules::sane},
    schema::protocol_receipts,
};

storage::text_enum! {
    /// What it means when no answer comes in time.
    pub enum Silence {
        /// What was asked for counts as granted (silenzio assenso, L. 241/1990, articolo 20).
        Assent = "assent",
        /// What was asked for counts as refused (silenzio diniego), where a law says so.
        Refusal = "refusal",
    }
}

/// What whoever filed something is told of the answer
#[derive(Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProtocolAnswering, example = json!({
    "due_on": "2026-12-23", "silence": "assent", "responsible": "Ufficio Tributi, dott.ssa Carla Esempio",
    "remedy": "Potere sostitutivo: segretario comunale (L. 241/1990, art. 2, comma 9-bis)"
}))]
pub struct Answering {
    /// The day by which the Comune has to answer (termine di conclusione), where there is one.
    #[validate(custom(function = sane))]
    pub due_on: Option<Date>,
    /// What it means when no answer comes by then; needs `due_on`.
    pub silence: Option<Silence>,
    /// Who answers (responsabile del procedimento), in one line; the office where absent.
    #[validate(length(min = 1, max = 200), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub responsible: Option<String>,
    /// What can be done when no answer comes, in one line.
    #[validate(length(min = 1, max = 500), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub remedy: Option<String>,
}

/// A receipt, as it is stored: what could be otherwise tomorrow; the rest is in its entry, which stays as it is.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = protocol_receipts)]
pub struct Receipt {
    /// Of which entry.
    pub entry_id: EntryId,
    /// What it is verified by: four times four symbols.
    pub code: String,
    /// What the Comune was called.
    pub comune: String,
    /// What the office was called.
    pub office: Json<Localized>,
    /// Where the office was written to.
    pub office_email: Option<String>,
    /// Where the office was telephoned.
    pub office_phone: Option<String>,
    /// The day by which the Comune has to answer.
    pub due_on: Option<Date>,
    /// What it means when no answer comes by then.
    pub silence: Option<Silence>,
    /// Who answers.
    pub responsible: Option<String>,
    /// What can be done when no answer comes.
    pub remedy: Option<String>,
    /// Where it is verified; none where the Comune had named no page.
    pub verification_url: Option<String>,
    /// When it was issued.
    pub issued_at: Timestamp,
}

/// The number in the Comune's own protocol system
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = GeneralProtocolNumber, example = json!({
    "register": "PG", "number": "12345", "year": 2026, "registered_at": "2026-11-23T10:16:00+01:00"
}))]
pub struct ExternalNumber {
    /// The register there.
    #[schema(max_length = 100)]
    pub register: Option<String>,
    /// The number there.
    #[schema(max_length = 100)]
    pub number: String,
    /// The year of the number.
    #[schema(minimum = 1900, maximum = 9999)]
    pub year: i64,
    /// When it was registered there.
    #[serde(with = "civil::rfc3339::option")]
    pub registered_at: Option<Timestamp>,
}

/// A file that was filed, by what it weighs
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ReceiptDocument, example = json!({
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size_bytes": 48213
}))]
pub struct FiledDocument {
    /// SHA-256 of its bytes, in lower-case hexadecimal (impronta).
    #[schema(max_length = 64)]
    pub sha256: String,
    /// How many bytes it has.
    #[schema(minimum = 0)]
    pub size_bytes: i64,
}

/// What a receipt says, without who filed what
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ProtocolReceipt, example = json!({
    "code": "K7M2-PQ4X-9BCD-FGHJ", "comune": "Comune di Bugliano", "office": "Ufficio Tributi",
    "ipa_code": "c_h501", "aoo_code": "SPORTELLO", "register_code": "RACC", "year": 2026, "number": 42,
    "display": "0000042/2026", "registered_at": "2026-11-23T10:15:00+01:00", "received_on": null,
    "due_on": "2026-12-23", "silence": "assent", "documents": [], "annulled": false, "general_protocol": null,
    "recovered_as": null
}))]
pub struct ReceiptView {
    /// Its code.
    #[schema(max_length = 19)]
    pub code: String,
    /// What the Comune was called.
    #[schema(max_length = 200)]
    pub comune: String,
    /// What the office was called, in the reader's language.
    #[schema(max_length = 200)]
    pub office: String,
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
    /// The number.
    #[schema(minimum = 1)]
    pub number: i64,
    /// Number and year as people write them.
    #[schema(max_length = 30)]
    pub display: String,
    /// When it was registered.
    #[serde(with = "civil::rfc3339")]
    pub registered_at: Timestamp,
    /// The day on which it arrived, where that was before.
    pub received_on: Option<Date>,
    /// The day by which the Comune has to answer.
    pub due_on: Option<Date>,
    /// What it means when no answer comes by then.
    pub silence: Option<Silence>,
    /// The files that were filed, without their names.
    #[schema(max_items = 50)]
    pub documents: Vec<FiledDocument>,
    /// Whether the entry was annulled since, also under its ordinary number.
    pub annulled: bool,
    /// The number in the Comune's own protocol system, once there is one.
    pub general_protocol: Option<ExternalNumber>,
    /// The ordinary number, of what was registered in an emergency register that has been closed.
    #[schema(max_length = 30)]
    pub recovered_as: Option<String>,
}

/// A receipt of one's own
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = MyProtocolReceipt, example = json!({
    "code": "K7M2-PQ4X-9BCD-FGHJ", "display": "0000042/2026", "registered_at": "2026-11-23T10:15:00+01:00",
    "office": "Ufficio Tributi", "due_on": "2026-12-23"
}))]
pub struct ReceiptItem {
    /// Its code.
    #[schema(max_length = 19)]
    pub code: String,
    /// Number and year as people write them.
    #[schema(max_length = 30)]
    pub display: String,
    /// When it was registered.
    #[serde(with = "civil::rfc3339")]
    pub registered_at: Timestamp,
    /// What the office was called, in the reader's language.
    #[schema(max_length = 200)]
    pub office: String,
    /// The day by which the Comune has to answer.
    pub due_on: Option<Date>,
}

/// A PDF document
#[derive(Debug, ToSchema)]
#[schema(value_type = String, max_length = 2_000_000, example = "%PDF-1.7")]
pub struct PdfFile(pub String);

kernel::redacted_debug!(Answering, Receipt, ReceiptView, ReceiptItem, FiledDocument, ExternalNumber);
