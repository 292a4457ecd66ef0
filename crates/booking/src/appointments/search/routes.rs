//! `/appointments` and `/appointment-searches`: finding appointments.

use actix_web::{get, post, web::Data};
use jiff::Timestamp;
use kernel::{Cursor, Page, PageRequest, Problem, PublicCode, civil};
use platform::{
    access::{Caller, CallerKind, policy},
    http::{Answer, Body, Language, Params, ProblemBody, Reply, bad_query, paging, sane_date},
    privacy::{
        self, Person,
        access_log::{self, AccessAction, Looked},
    },
    problems::{FORBIDDEN, INVALID_BODY},
};
use storage::{Db, Tx};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    super::{
        find::must_say_who,
        model::{Appointment, AppointmentId, AppointmentView},
        views::Reader,
    },
    model::{
        AppointmentQuery, AppointmentSearch, Filter, LONGEST_CODE, Place, SHORTEST_CODE, SHORTEST_NAME, Seen, Whom,
    },
    store,
    words::folded,
};

/// Appointments
///
/// Those that the caller may see, by start: staff those of their offices, the URP, admins and systems with the
/// scope all, a device those of its office, a citizen their own. Without `from`, `to` and `code` from today on.
/// Who comes is named for staff and systems. To find a person, use `POST /appointment-searches`: what
/// identifies somebody does not belong into an address.
#[utoipa::path(tag = "appointments", params(AppointmentQuery), responses(
    (status = 200, description = "A page of appointments", body = Page<AppointmentView>),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: this key lists no appointments", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/appointments")]
async fn list_appointments(caller: Caller, lang: Language, query: Params<AppointmentQuery>, db: Data<Db>) -> Answer {
    let rows = listable(&caller)?;
    let page = paging::<(Timestamp, AppointmentId)>(query.limit, query.after.as_deref())?;
    page.after.map(|(at, _)| sane_date("after", civil::date_of(at))).transpose()?;
    let filter = filter(&query, db.clock().now())?;
    let who = caller.clone();
    let page = access_log::read(&db, &caller, move |tx| {
        let found = store::list(tx, &rows, &filter, &page)?;
        let Page { items, next } = Page::cut(found, &page, |row| (row.starts_at, row.id));
        let shown = Reader { caller: &who, lang: lang.0, holds_token: false }.named(tx, items)?;
        Ok(shown.map(|items| Page { items, next }))
    })
    .await?;
    Reply::page(page)
}

fn filter(query: &AppointmentQuery, now: Timestamp) -> Result<Filter, Problem> {
    if let Some(text) = &query.code
        && !(SHORTEST_CODE..=LONGEST_CODE).contains(&text.chars().count())
    {
        return Err(bad_query("code", "length", "from 8 to 40 characters"));
    }
    // What is no code names nothing.
    let code = query.code.as_deref().map(|text| match PublicCode::parse(text) {
        Ok(code) => code.as_str().to_owned(),
        Err(_no_code) => String::new(),
    });
    let from = query.from.map(|from| sane_date("from", from)).transpose()?;
    let to = query.to.map(|to| sane_date("to", to)).transpose()?;
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        return Err(bad_query("to", "before-from", "not before `from`"));
    }
    let today = || (query.code.is_none() && to.is_none()).then(|| civil::date_of(now));
    Ok(Filter {
        code,
        states: query.state.clone().unwrap_or_default(),
        office: query.office_id,
        calendar: query.calendar_id,
        service: query.service_id,
        from: from.or_else(today).map(|date| civil::day_bounds(date).0),
        until: to.map(|date| civil::day_bounds(date).1),
    })
}

/// Appointments of a person
///
/// For staff and systems with the scope: those of a person, by name, codice fiscale or e-mail address, past
/// ones too, in the order of names and of booking; those of one person in the order of booking. A page may hold fewer items than asked for and still have a
/// `next`; the last one has none. The access log keeps who looked, and for whose codice fiscale as a pseudonym; the words
/// that were looked for it does not keep.
#[utoipa::path(tag = "appointments", request_body = AppointmentSearch, responses(
    (status = 200, description = "A page of appointments", body = Page<AppointmentView>),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: only staff and systems search for people", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/appointment-searches")]
async fn search_appointments(caller: Caller, lang: Language, body: Body<AppointmentSearch>, db: Data<Db>) -> Answer {
    let rows = listable(&caller)?;
    if !policy::knows_people(&caller) {
        return Err(Problem::new(&FORBIDDEN).detail("only staff and systems search for people").into());
    }
    let search = body.into_inner();
    let whom = whom(&search)?;
    let filter = Filter {
        states: search.states.clone(),
        office: search.office_id,
        service: search.service_id,
        from: search.from.map(|date| civil::day_bounds(date).0),
        until: search.to.map(|date| civil::day_bounds(date).1),
        ..Filter::default()
    };
    let unknown = || Problem::new(&INVALID_BODY).field("/after", "unknown-cursor", "not a `next` of this search");
    let seen = search.after.as_deref().map(|text| seen(&caller, text).ok_or_else(unknown)).transpose()?;
    let limit = search.limit.unwrap_or(kernel::page::DEFAULT_LIMIT);
    // That somebody looked is written down before they see anything; further pages are of the same search.
    if seen.is_none() {
        let key = match &whom {
            Whom::TaxCode(tax_code) => Some(Person::of_tax_code(privacy::Place::of(&caller), tax_code).key),
            Whom::Named(_) | Whom::Email(_) => None,
        };
        let write = move |tx: &mut Tx<'_>| {
            let looked = Looked { person_key: key.as_deref(), ..Looked::around(AccessAction::Searched) };
            access_log::record(tx, looked)
        };
        db.write(&caller, write).await?;
    }
    let who = caller.clone();
    let page = access_log::read(&db, &caller, move |tx| {
        let after = match seen {
            None => None,
            Some(seen) => Some(store::place(tx, seen)?.ok_or_else(unknown)?),
        };
        let page = PageRequest { limit, after };
        let (found, next) = matching(tx, &rows, &filter, &whom, &page)?;
        let next = next.map(|place| concealed(&who, place.seen())).transpose()?;
        let shown = Reader { caller: &who, lang: lang.0, holds_token: false }.named(tx, found)?;
        Ok(shown.map(|items| Page { items, next }))
    })
    .await?;
    Reply::ok(page)
}

/// The cursor of a search. It may name an appointment that the caller may not know of, the last one that was
/// looked at, so only we can read it.
fn concealed(caller: &Caller, seen: Seen) -> Result<String, Problem> {
    caller.secret().conceal(&purpose(caller), Cursor::encode(&seen).as_bytes())
}

fn seen(caller: &Caller, text: &str) -> Option<Seen> {
    Cursor::decode(&String::from_utf8(caller.secret().reveal(&purpose(caller), text)?).ok()?)
}

fn purpose(caller: &Caller) -> String {
    format!("search cursor of {}", caller.tenant.tenant_id)
}

fn whom(search: &AppointmentSearch) -> Result<Whom, Problem> {
    let refuse = |pointer: &str, code: &'static str, words: &str| {
        Problem::new(&INVALID_BODY).field(pointer.to_owned(), code, words.to_owned())
    };
    let out_of_range = |date: &jiff::civil::Date| !(1900..=2200).contains(&date.year());
    for (pointer, date) in [("/from", search.from), ("/to", search.to)] {
        if date.as_ref().is_some_and(out_of_range) {
            return Err(refuse(pointer, "out-of-range", "a date from 1900 to 2200"));
        }
    }
    match (&search.name, &search.tax_code, &search.email) {
        (Some(name), None, None) => {
            let name = folded(name);
            if name.chars().count() < SHORTEST_NAME {
                return Err(refuse("/name", "too-short", "at least two letters"));
            }
            Ok(Whom::Named(name))
        }
        (None, Some(tax_code), None) => Ok(Whom::TaxCode(tax_code.clone())),
        (None, None, Some(email)) => Ok(Whom::Email(email.to_lowercase())),
        _ => Err(refuse("", "one-of", "one of name, tax_code and email")),
    }
}

/// How many people are looked at for one page before it is answered as it is: a name that many bear elsewhere must
/// not keep the desk waiting.
const BATCH: i64 = 200;
const BATCHES: usize = 10;

fn matching(
    tx: &mut Tx<'_>,
    rows: &policy::Rows,
    filter: &Filter,
    whom: &Whom,
    page: &PageRequest<Place>,
) -> storage::Result<(Vec<Appointment>, Option<Place>)> {
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let (mut found, mut after) = (Vec::new(), page.after.clone());
    for _ in 0..BATCHES {
        let places = store::people(tx, whom, after.as_ref(), BATCH)?;
        let ids: Vec<_> = places.iter().map(|place| place.id).collect();
        let mut fitting = store::among(tx, rows, filter, &ids)?;
        let whole = i64::try_from(places.len()).unwrap_or(i64::MAX) < BATCH;
        for place in places {
            if let Some(appointment) = fitting.remove(&place.id) {
                if found.len() >= limit {
                    return Ok((found, after));
                }
                found.push(appointment);
            }
            after = Some(place);
        }
        if whole {
            return Ok((found, None));
        }
    }
    Ok((found, after))
}

/// Which appointments this caller may list.
fn listable(caller: &Caller) -> Result<policy::Rows, Problem> {
    must_say_who(caller)?;
    match policy::appointments(caller, policy::Wish::Read) {
        policy::Rows::None if matches!(caller.kind, CallerKind::Integration(_)) => {
            Err(Problem::new(&FORBIDDEN).detail("the caller lacks the scope appointments:read"))
        }
        policy::Rows::None => Err(Problem::new(&FORBIDDEN).detail("this key lists no appointments")),
        rows => Ok(rows),
    }
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_appointments).service(search_appointments);
}
