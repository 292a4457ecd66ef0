//! `/data-access-entries`: who looked at data about people.

use actix_web::{get, web::Data};
use kernel::{Page, Problem};
use serde::Deserialize;
use storage::Db;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{AccessAction, AccessEntryId, AccessEntryView},
    store::{self, Sought},
};
use crate::{
    access::{Caller, policy},
    http::{Answer, Params, ProblemBody, Reply, days, paging, word},
};

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccessQuery {
    /// By this actor, such as `staff:01980000-…`.
    #[param(min_length = 1, max_length = 200, pattern = "^[!-~]+$")]
    pub actor: Option<String>,
    /// About the person of this pseudonym, as an export tells it.
    #[param(min_length = 1, max_length = 64, pattern = "^[!-~]+$")]
    pub person_key: Option<String>,
    /// Of this sort.
    pub action: Option<AccessAction>,
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

/// Who looked at data about people
///
/// Whole exports and rectifications of a person, searches for somebody, files with people in them, and each record of
/// a service of special categories that staff, a system or a device was shown: who, when, whose where it was one
/// person's, which record, and why. Oldest first. Entries are never changed; how long they are kept a retention rule
/// says, six months at least. For admins.
#[utoipa::path(tag = "privacy", params(AccessQuery), responses(
    (status = 200, description = "A page of entries", body = Page<AccessEntryView>),
    (status = 403, description = "`forbidden`: not an admin", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/data-access-entries")]
async fn list_data_access_entries(caller: Caller, query: Params<AccessQuery>, db: Data<Db>) -> Answer {
    policy::administration(&caller)?;
    let page = paging::<AccessEntryId>(query.limit, query.after.as_deref())?;
    let sought = sought(&query.0)?;
    let rows = db.read(&caller, move |tx| store::list(tx, &sought, &page)).await?;
    Reply::page(Page::cut(rows, &page, |entry| entry.id).map(AccessEntryView::from))
}

fn sought(query: &AccessQuery) -> Result<Sought, Problem> {
    let (from, to) = days(query.from, query.to)?;
    Ok(Sought {
        actor: word("actor", query.actor.as_deref(), 200, |c| c.is_ascii_graphic())?,
        person_key: word("person_key", query.person_key.as_deref(), 64, |c| c.is_ascii_graphic())?,
        action: query.action,
        from,
        to,
    })
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_data_access_entries);
}
