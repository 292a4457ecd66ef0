//! Legal holds, as stored, asked for and served.

use diesel::{Queryable, Selectable};
use jiff::Timestamp;
use kernel::{Id, TaxCode, civil};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    http::Link,
    privacy::{RecordId, RecordKind},
    schema::legal_holds,
    settings::rules::one_line,
};

/// The identifier of a legal hold.
pub type LegalHoldId = Id<LegalHold>;

/// A legal hold.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = legal_holds)]
pub struct LegalHold {
    /// Identifier.
    pub id: LegalHoldId,
    /// Pseudonym of the person about whom everything is kept.
    pub person_key: Option<String>,
    /// What kind of record is kept.
    pub record_kind: Option<RecordKind>,
    /// Which record is kept.
    pub record_id: Option<RecordId>,
    /// Why.
    pub reason: String,
    /// Who said so: kind and pseudonymous id.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// A legal hold to be laid: on a person, by `tax_code`, or on a record, by `record_kind` and `record_id`.
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "record_kind": "appointment", "record_id": "01980000-0000-7000-8000-000000000030", "reason": "Ricorso al TAR n. 12/2026"
}))]
pub struct NewLegalHold {
    /// The codice fiscale of the person about whom everything is kept; it is not stored.
    pub tax_code: Option<TaxCode>,
    /// What kind of record is kept.
    pub record_kind: Option<RecordKind>,
    /// Which record is kept.
    pub record_id: Option<RecordId>,
    /// Why, such as the number of the proceedings. Not a name.
    #[validate(length(min = 1, max = 500), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub reason: String,
}

kernel::redacted_debug!(NewLegalHold);

/// What is kept whatever the rules say.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LegalHold, example = json!({
    "id": "01980000-0000-7000-8000-000000000090", "person_key": null, "record_kind": "appointment",
    "record_id": "01980000-0000-7000-8000-000000000030", "reason": "Ricorso al TAR n. 12/2026",
    "created_by": "staff:01980000-0000-7000-8000-000000000040", "created_at": "2026-11-28T10:00:00+01:00", "links": []
}))]
pub struct LegalHoldView {
    /// Identifier.
    pub id: LegalHoldId,
    /// Pseudonym of the person about whom everything is kept.
    #[schema(max_length = 64)]
    pub person_key: Option<String>,
    /// What kind of record is kept.
    pub record_kind: Option<RecordKind>,
    /// Which record is kept.
    pub record_id: Option<RecordId>,
    /// Why.
    #[schema(max_length = 500)]
    pub reason: String,
    /// Who said so: kind and pseudonymous id.
    #[schema(max_length = 200)]
    pub created_by: String,
    /// When.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// What the caller may do with it now.
    #[schema(max_items = 5)]
    pub links: Vec<Link>,
}

impl LegalHold {
    /// What the API serves of it, in the Comune of this slug.
    pub fn view(self, slug: &str) -> LegalHoldView {
        let Self { id, person_key, record_kind, record_id, reason, created_by, created_at } = self;
        let href = format!("/{slug}/v1/legal-holds/{id}");
        let links = vec![Link { rel: "delete".to_owned(), method: "DELETE".to_owned(), href }];
        LegalHoldView { id, person_key, record_kind, record_id, reason, created_by, created_at, links }
    }
}
