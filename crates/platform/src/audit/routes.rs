//! `/audit-entries`: who changed what, for the admins of the Comune.

use actix_web::{get, web::Data};
use jiff::Timestamp;
use kernel::{Id, Page, Problem, civil};
use serde::{Deserialize, Serialize};
use storage::Db;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::{
    model::{Entry, EntryId},
    store::{self, Sought},
};
use crate::{
    access::{Caller, policy},
    http::{Answer, Params, ProblemBody, Reply, days, paging, word},
};

/// The identifier of what was changed, of whatever kind.
pub type SubjectId = Id<Uuid>;

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// About this object.
    pub subject_id: Option<SubjectId>,
    /// By this actor, such as `staff:01980000-…`.
    #[param(min_length = 1, max_length = 200, pattern = "^[!-~]+$")]
    pub actor: Option<String>,
    /// Actions that begin with this, such as `appointment.`.
    #[param(min_length = 1, max_length = 100, pattern = "^[a-z._-]+$")]
    pub action: Option<String>,
    /// From this day on.
    pub from: Option<jiff::civil::Date>,
    /// Up to this day, included.
    pub to: Option<jiff::civil::Date>,
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

/// A change that was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry, example = json!({
    "id": "01980000-0000-7000-8000-000000000050", "occurred_at": "2026-11-25T10:00:00+01:00",
    "actor": "staff:01980000-0000-7000-8000-000000000040", "action": "appointment.cancelled", "subject_kind": "appointment",
    "subject_id": "01980000-0000-7000-8000-000000000030", "before": null, "after": null, "lane": 7, "seq": 12,
    "hash": "8f14e45fceea167a5a36dedd4bea2543b7b2a1f7d1f1c8e0a7b1d0a3c9e8f7a6"
}))]
pub struct AuditEntryView {
    /// Identifier.
    pub id: EntryId,
    /// When.
    #[serde(with = "civil::rfc3339")]
    pub occurred_at: Timestamp,
    /// Who: kind and pseudonymous id.
    #[schema(max_length = 200)]
    pub actor: String,
    /// What was done.
    #[schema(max_length = 100)]
    pub action: String,
    /// To what kind of object.
    #[schema(max_length = 100)]
    pub subject_kind: String,
    /// To which one.
    pub subject_id: SubjectId,
    /// Keyed digest of its state before.
    #[schema(max_length = 64)]
    pub before: Option<String>,
    /// Keyed digest of its state after.
    #[schema(max_length = 64)]
    pub after: Option<String>,
    /// The chain it stands in.
    #[schema(minimum = 0)]
    pub lane: i64,
    /// Its place there, from 1.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// Keyed digest over all of this and the hash before it in the chain.
    #[schema(max_length = 64)]
    pub hash: String,
}

impl From<Entry> for AuditEntryView {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            occurred_at: entry.occurred_at,
            actor: entry.actor,
            action: entry.action,
            subject_kind: entry.subject_kind,
            subject_id: entry.subject_id,
            before: entry.before,
            after: entry.after,
            lane: entry.lane,
            seq: entry.seq,
            hash: entry.hash,
        }
    }
}

/// Who changed what
///
/// The changes made in the Comune, oldest first. What was changed is there as digests only: they tell whether a state
/// is the one that was, not what it was. Whether the record is whole is checked where the installation runs
/// (`sportello audit verify`). For admins.
#[utoipa::path(tag = "staff", params(AuditQuery), responses(
    (status = 200, description = "A page of entries", body = Page<AuditEntryView>),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/audit-entries")]
async fn list_audit_entries(caller: Caller, query: Params<AuditQuery>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let page = paging::<EntryId>(query.limit, query.after.as_deref())?;
    let sought = sought(&query.0)?;
    let rows = db.read(&caller, move |tx| store::list(tx, &sought, &page)).await?;
    Reply::page(Page::cut(rows, &page, |entry| entry.id).map(AuditEntryView::from))
}

fn sought(query: &AuditQuery) -> Result<Sought, Problem> {
    let (from, to) = days(query.from, query.to)?;
    Ok(Sought {
        subject_id: query.subject_id,
        actor: word("actor", query.actor.as_deref(), 200, |c| c.is_ascii_graphic())?,
        action: word("action", query.action.as_deref(), 100, |c| {
            c.is_ascii_lowercase() || matches!(c, '.' | '-' | '_')
        })?,
        from,
        to,
    })
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_audit_entries);
}
