//! From the words people have for a need to the services meant, and from there to a place and a time.
//!
//! A Comune gives some hundreds of services at most, and their names change a few times a year. So the
//! whole list is read and ranked here, by one function that is the same on both databases, rather than by the
//! full-text search of each: that would be two rankings, and neither forgives typing.

mod guide;
mod rules;
mod store;
mod words;

use jiff::SignedDuration;
use kernel::{Lang, Page, Problem};
use platform::{
    access::Caller,
    http::{Answer, Reply, bad_query, paging},
};
use serde::Deserialize;
use storage::Db;
use utoipa::IntoParams;

pub use guide::Guide;
pub use store::{keywords, set_keywords};

use super::{AppointmentServiceId, store as services};

/// How many services a search tells.
const FOUND: usize = 20;
/// How far ahead the next free time is looked for.
const LOOK_AHEAD: SignedDuration = SignedDuration::from_hours(62 * 24);
/// How many calendars are asked for their next free time in one request.
const LOOK_UPS: usize = 40;

/// Which services.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ServiceQuery {
    /// What one needs, in one's own words: accents, capitals, plurals and slips of the pen are forgiven, in
    /// Italian, English and German.
    #[param(min_length = 1, max_length = 100)]
    pub q: Option<String>,
    /// How many items at most; 20 when absent, and 20 at most with `q`.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before; not with `q`.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

/// What the words may mean, the best first.
pub(super) async fn answer(db: &Db, caller: &Caller, lang: Lang, words: &str, query: &ServiceQuery) -> Answer {
    let asked = asked(words)?;
    let page = paging::<AppointmentServiceId>(query.limit, None)?;
    if query.after.is_some() {
        return Err(bad_query("after", "not-with-q", "what is found is all on one page").into());
    }
    let most = usize::try_from(page.limit).unwrap_or(FOUND).min(FOUND);
    let holidays = caller.tenant.holidays();
    let items = db
        .read(caller, move |tx| {
            let candidates = store::candidates(tx)?;
            let ids: Vec<_> = rules::rank(&candidates, &asked, lang).into_iter().take(most).collect();
            let services = services::by_ids(tx, &ids)?;
            let mut guide = Guide::new(lang, &holidays);
            let mut views = Vec::new();
            for (position, id) in (1_i64..).zip(&ids) {
                let Some(service) = services.iter().find(|service| service.id == *id) else { continue };
                let offices = guide.offices(tx, service)?;
                let mut view = service.clone().view(lang);
                view.position = Some(position);
                view.offices = Some(offices);
                views.push(view);
            }
            Ok(views)
        })
        .await?;
    Reply::page(Page::whole(items))
}

/// The words of a search.
fn asked(text: &str) -> Result<Vec<String>, Problem> {
    if text.chars().count() > 100 {
        return Err(bad_query("q", "too-long", "at most 100 characters"));
    }
    let asked = words::words(text);
    if asked.is_empty() {
        return Err(bad_query("q", "no-words", "at least one word that says something"));
    }
    Ok(asked)
}
