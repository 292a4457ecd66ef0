//! Rules of retention and their runs, as stored, asked for and served.

use diesel::{Queryable, Selectable};
use jiff::Timestamp;
use kernel::{Id, civil};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{http::Link, http::typed_patch::kept, privacy::RecordId, schema::retention_runs};

/// The identifier of a rule.
pub type RetentionRuleId = Id<RetentionRule>;
/// The identifier of a run.
pub type RetentionRunId = Id<RetentionRun>;

storage::text_enum! {
    /// Kinds of records that rules are made for.
    pub enum RecordKind {
        /// Appointments, from the day they are for.
        Appointment = "appointment",
        /// Entries of the access log, from the day they were written.
        DataAccessEntry = "data_access_entry",
        /// Payments that are over, from the day they were paid; else that until which they could be, or were called off.
        Payment = "payment",
    }
}

storage::text_enum! {
    /// What becomes of records.
    pub enum RetentionAction {
        /// Who they are about is taken out; what is counted stays.
        Anonymise = "anonymise",
        /// They are deleted.
        Delete = "delete",
        /// They are kept whatever other rules say.
        Hold = "hold",
    }
}

/// How a record is disposed of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposal {
    /// Who it is about is taken out.
    Anonymise,
    /// It is deleted.
    Delete,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRule {
    /// Identifier.
    pub id: RetentionRuleId,
    /// For which records.
    pub record_kind: RecordKind,
    /// Of which service; without one, of all that have no rule of their own.
    pub service_id: Option<RecordId>,
    /// What becomes of them.
    pub action: RetentionAction,
    /// How many whole days after the day they are about.
    pub after_days: i64,
    /// Counts changes.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Of which services records are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Services {
    /// Of this one.
    One(RecordId),
    /// Of all but these.
    AllBut(Vec<RecordId>),
}

/// What is to be done: a rule, or a default, as it applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The rule; none for the default.
    pub rule_id: Option<RetentionRuleId>,
    /// For which records.
    pub record_kind: RecordKind,
    /// Of which services.
    pub services: Services,
    /// What becomes of them.
    pub action: RetentionAction,
    /// How many whole days after the day they are about.
    pub after_days: i64,
}

/// What a run of one step did, or would have done.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = retention_runs)]
pub struct RetentionRun {
    /// Identifier.
    pub id: RetentionRunId,
    /// The rule; none for the default.
    pub rule_id: Option<RetentionRuleId>,
    /// For which records.
    pub record_kind: RecordKind,
    /// Of which service.
    pub service_id: Option<RecordId>,
    /// What became of them.
    pub action: RetentionAction,
    /// Records about days before this instant were due.
    pub due_before: Timestamp,
    /// What the first that was met is about.
    pub oldest_at: Timestamp,
    /// What the last is about.
    pub newest_at: Timestamp,
    /// How many were due.
    pub counted: i64,
    /// How many were disposed of.
    pub disposed: i64,
    /// How many were held.
    pub held: i64,
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Who had it run.
    pub actor: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// How long records of a kind are kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RetentionRule, example = json!({
    "id": "01980000-0000-7000-8000-000000000070", "record_kind": "appointment", "service_id": null, "action": "anonymise",
    "after_days": 730, "version": 1, "created_at": "2026-11-28T10:00:00+01:00", "links": []
}))]
pub struct RetentionRuleView {
    /// Identifier.
    pub id: RetentionRuleId,
    /// For which records.
    pub record_kind: RecordKind,
    /// Of which service; null: of all that have no rule of their own.
    pub service_id: Option<RecordId>,
    /// What becomes of them.
    pub action: RetentionAction,
    /// How many whole days after the day they are about.
    #[schema(minimum = 30, maximum = 36500)]
    pub after_days: i64,
    /// Counts changes.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When it was made.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// What the caller may do with it now.
    #[schema(max_items = 5)]
    pub links: Vec<Link>,
}

impl RetentionRule {
    /// What the API serves of it, in the Comune of this slug.
    pub fn view(self, slug: &str) -> RetentionRuleView {
        let Self { id, record_kind, service_id, action, after_days, version, created_at } = self;
        let href = format!("/{slug}/v1/retention-rules/{id}");
        let link =
            |rel: &str, method: &str| Link { rel: rel.to_owned(), method: method.to_owned(), href: href.clone() };
        let links = vec![link("change", "PATCH"), link("delete", "DELETE")];
        RetentionRuleView { id, record_kind, service_id, action, after_days, version, created_at, links }
    }
}

/// A rule to be made.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "record_kind": "appointment", "action": "anonymise", "after_days": 730 }))]
pub struct NewRetentionRule {
    /// For which records.
    pub record_kind: RecordKind,
    /// Of which service; absent: of all that have no rule of their own.
    pub service_id: Option<RecordId>,
    /// What becomes of them. Appointments are anonymised or held, entries of the access log deleted or held.
    pub action: RetentionAction,
    /// How many whole days after the day they are about; entries of the access log 183 at least.
    #[validate(range(min = 30, max = 36500))]
    #[schema(minimum = 30, maximum = 36500)]
    pub after_days: i64,
}

/// What to change. An absent member stays as it is.
#[derive(Debug, Clone, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "after_days": 365 }))]
pub struct RetentionRulePatch {
    /// What becomes of them.
    #[serde(default, deserialize_with = "kept")]
    #[schema(value_type = RetentionAction)]
    pub action: Option<RetentionAction>,
    /// How many whole days after the day they are about.
    #[serde(default, deserialize_with = "kept")]
    #[validate(range(min = 30, max = 36500))]
    #[schema(value_type = i64, minimum = 30, maximum = 36500)]
    pub after_days: Option<i64>,
}

/// What a run did, or what one would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RetentionRun, example = json!({
    "id": "01980000-0000-7000-8000-000000000080", "rule_id": null, "record_kind": "appointment", "service_id": null,
    "action": "anonymise", "due_before": "2024-11-28T00:00:00+01:00", "oldest_at": "2024-11-20T09:00:00+01:00",
    "newest_at": "2024-11-27T12:00:00+01:00", "counted": 42, "disposed": 40, "held": 2, "dry_run": false, "actor": "system",
    "started_at": "2026-11-28T03:00:00+01:00", "ended_at": "2026-11-28T03:00:02+01:00"
}))]
pub struct RetentionRunView {
    /// Identifier.
    pub id: RetentionRunId,
    /// The rule, which may be gone by now; null: the default.
    pub rule_id: Option<RetentionRuleId>,
    /// For which records.
    pub record_kind: RecordKind,
    /// Of which service; null: of all that had no rule of their own.
    pub service_id: Option<RecordId>,
    /// What became of them.
    pub action: RetentionAction,
    /// Records about days before this instant were due.
    #[serde(with = "civil::rfc3339")]
    pub due_before: Timestamp,
    /// What the first record that was due is about.
    #[serde(with = "civil::rfc3339")]
    pub oldest_at: Timestamp,
    /// What the last one is about.
    #[serde(with = "civil::rfc3339")]
    pub newest_at: Timestamp,
    /// How many were due.
    #[schema(minimum = 0)]
    pub counted: i64,
    /// How many were disposed of; in a dry run, how many would have been.
    #[schema(minimum = 0)]
    pub disposed: i64,
    /// How many were held, by a rule or by a legal hold.
    #[schema(minimum = 0)]
    pub held: i64,
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Who had it run.
    #[schema(max_length = 200)]
    pub actor: String,
    /// When it began.
    #[serde(with = "civil::rfc3339")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(with = "civil::rfc3339")]
    pub ended_at: Timestamp,
}

impl From<RetentionRun> for RetentionRunView {
    fn from(run: RetentionRun) -> Self {
        let RetentionRun { id, rule_id, record_kind, service_id, action, due_before, oldest_at, newest_at, .. } = run;
        let RetentionRun { counted, disposed, held, dry_run, actor, started_at, ended_at, .. } = run;
        Self {
            id,
            rule_id,
            record_kind,
            service_id,
            action,
            due_before,
            oldest_at,
            newest_at,
            counted,
            disposed,
            held,
            dry_run,
            actor,
            started_at,
            ended_at,
        }
    }
}

/// What a run would do now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "items": [] }))]
pub struct RetentionPreview {
    /// A run for each rule and default that meets records; none when nothing is due.
    #[schema(max_items = 1000)]
    pub items: Vec<RetentionRunView>,
}
