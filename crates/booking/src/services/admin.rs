//! Services, made, changed and deleted, and the calendars that give them.

use actix_web::{HttpResponse, delete, http::StatusCode, patch, post, put, web::Data};
use kernel::{Lang, Problem};
use platform::{
    access::{Caller, policy},
    changes::{Done, state, tell},
    directory::{LocalizedName, LocalizedText, texts::slug},
    http::{
        Answer, Body, IdPair, IdPath, IdempotencyKeyHeader, IfMatch, IfMatchHeader, Language, MaybeIdempotencyKey,
        MergePatch, ProblemBody, Reply, not_found,
    },
    idempotency::{self, InFlight},
    problems::{IN_USE, INVALID_BODY},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::{Db, Failure, Tx};
use utoipa::{
    ToSchema,
    openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type},
};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::{Validate, ValidationError};

use super::{
    model::{AppointmentService, AppointmentServiceId, AppointmentServiceView},
    search, store,
};
use crate::calendars::{Calendar, CalendarId, admin::store as calendars, store as hours, ticks, views};

/// A service, as it is to be.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "slug": "carta-identita", "name": { "it": "Carta d'identità elettronica", "en": "Electronic identity card" },
    "description": { "it": "Rilascio e rinnovo" }, "required_documents": [{ "it": "Una fototessera recente", "en": "A recent photograph" }],
    "duration_minutes": 20, "extra_person_minutes": 15, "max_persons": 4, "buffer_after_minutes": 5, "max_per_person": 2,
    "anonymous_allowed": true, "special_category": false, "keywords": ["cie", "documento d'identità"]
}))]
pub struct NewAppointmentService {
    /// Short name for addresses, unique in the Comune.
    #[validate(length(min = 2, max = 63), custom(function = slug))]
    #[schema(min_length = 2, max_length = 63, pattern = "^[a-z][a-z0-9-]*$")]
    pub slug: String,
    /// What people call it.
    #[validate(nested)]
    pub name: LocalizedName,
    /// What it is for.
    #[validate(nested)]
    pub description: Option<LocalizedText>,
    /// What to bring; nothing when absent.
    #[validate(nested, length(max = 50))]
    #[schema(max_items = 50)]
    pub required_documents: Option<Vec<LocalizedName>>,
    /// The visit of one person, in minutes.
    #[validate(range(min = 1, max = 1440))]
    #[schema(minimum = 1, maximum = 1440)]
    pub duration_minutes: i64,
    /// Added for each further person, in minutes; nothing when absent.
    #[validate(range(min = 0, max = 1440))]
    #[schema(minimum = 0, maximum = 1440)]
    pub extra_person_minutes: Option<i64>,
    /// How many may come in one appointment; 1 when absent.
    #[validate(range(min = 1, max = 100))]
    #[schema(minimum = 1, maximum = 100)]
    pub max_persons: Option<i64>,
    /// Preparation before the visit, in minutes: the counter is busy, the visitor not there yet.
    #[validate(range(min = 0, max = 1440))]
    #[schema(minimum = 0, maximum = 1440)]
    pub buffer_before_minutes: Option<i64>,
    /// Clearing after the visit, in minutes: the visitor has left, the counter is busy still.
    #[validate(range(min = 0, max = 1440))]
    #[schema(minimum = 0, maximum = 1440)]
    pub buffer_after_minutes: Option<i64>,
    /// Open appointments one person may have for it; as many as they like when absent.
    #[validate(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000)]
    pub max_per_person: Option<i64>,
    /// Whether it can be booked without signing in; so when absent.
    pub anonymous_allowed: Option<bool>,
    /// Whether coming for it tells of special categories of data (GDPR, article 9), such as health;
    /// not so when absent. It is then written down who reads whose appointment for it, past ones included.
    pub special_category: Option<bool>,
    /// Other words people have for it, by which it is found; none when absent.
    #[validate(length(max = 50), custom(function = speakable))]
    #[schema(schema_with = keywords_schema)]
    pub keywords: Option<Vec<String>>,
}

fn speakable(keywords: &[String]) -> Result<(), ValidationError> {
    let fits =
        |word: &String| !word.trim().is_empty() && word.chars().count() <= 100 && !word.chars().any(char::is_control);
    if keywords.iter().all(fits) {
        return Ok(());
    }
    Err(ValidationError::new("keyword").with_message("each of 1 to 100 characters, without control characters".into()))
}

fn keywords_schema() -> Schema {
    let word = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .min_length(Some(1))
        .max_length(Some(100))
        .pattern(Some(r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"));
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(word)
        .max_items(Some(50))
        .description(Some("Other words people have for it, by which it is found; none when absent."))
        .into()
}

impl NewAppointmentService {
    /// What a service is now, to be changed.
    fn of(service: AppointmentService, keywords: &[String]) -> Self {
        Self { keywords: Some(keywords.to_vec()), ..service.into() }
    }

    /// Its keywords, without the space around them.
    fn keywords(&self) -> Vec<String> {
        self.keywords.iter().flatten().map(|word| word.trim().to_owned()).collect()
    }

    fn service(self, id: AppointmentServiceId, version: i64) -> AppointmentService {
        AppointmentService {
            id,
            slug: self.slug,
            name: self.name.into(),
            description: self.description.map(Into::into),
            required_documents: self.required_documents.into_iter().flatten().map(Into::into).collect(),
            duration_minutes: self.duration_minutes,
            extra_person_minutes: self.extra_person_minutes.unwrap_or(0),
            max_persons: self.max_persons.unwrap_or(1),
            buffer_before_minutes: self.buffer_before_minutes.unwrap_or(0),
            buffer_after_minutes: self.buffer_after_minutes.unwrap_or(0),
            max_per_person: self.max_per_person,
            anonymous_allowed: self.anonymous_allowed.unwrap_or(true),
            special_category: self.special_category.unwrap_or(false),
            version,
        }
    }
}

impl From<AppointmentService> for NewAppointmentService {
    fn from(service: AppointmentService) -> Self {
        Self {
            slug: service.slug,
            name: service.name.into(),
            description: service.description.map(Into::into),
            required_documents: Some(service.required_documents.into_iter().map(Into::into).collect()),
            duration_minutes: service.duration_minutes,
            extra_person_minutes: Some(service.extra_person_minutes),
            max_persons: Some(service.max_persons),
            buffer_before_minutes: Some(service.buffer_before_minutes),
            buffer_after_minutes: Some(service.buffer_after_minutes),
            max_per_person: service.max_per_person,
            anonymous_allowed: Some(service.anonymous_allowed),
            special_category: Some(service.special_category),
            keywords: None,
        }
    }
}

/// What is to be different about a service.
type AppointmentServicePatch = MergePatch<NewAppointmentService>;

/// Add a service
///
/// What one can come to a counter for; which calendars give it is said by
/// `/appointment-services/{service_id}/calendars/{calendar_id}`. For admins and for systems with the scope
/// `directory:write`.
#[utoipa::path(tag = "booking", request_body = NewAppointmentService, params(IdempotencyKeyHeader), responses(
    (status = 201, description = "Added. `Location` and `ETag` are set.", body = AppointmentServiceView),
))]
#[post("/appointment-services")]
async fn create_appointment_service(
    caller: Caller,
    lang: Language,
    key: MaybeIdempotencyKey,
    body: Body<NewAppointmentService>,
    db: Data<Db>,
    in_flight: Data<InFlight>,
) -> Answer {
    policy::directory(&caller)?;
    let (new, digest) = body.into_parts();
    let comune = caller.tenant.slug.clone();
    idempotency::once(&db, &in_flight, &caller, key.0.as_ref(), &digest, move |tx| {
        let keywords = new.keywords();
        let service = new.clone().service(tx.new_id(), 1);
        fits_a_day(&service)?;
        store::insert(tx, &service).map_err(taken)?;
        search::set_keywords(tx, service.id, &keywords)?;
        tell_of(tx, "appointment_service.created", None, Some((&service, &keywords)))?;
        let location = format!("/{comune}/v1/appointment-services/{}", service.id);
        Ok(Reply::created(service.whole(keywords, lang.0)).at(location).etag(views::etag(1, lang.0)))
    })
    .await
}

/// Change a service
///
/// A merge patch (RFC 7396): what is not mentioned stays, `null` takes away. What is booked keeps the time it has.
#[utoipa::path(tag = "booking", params(("service_id" = AppointmentServiceId, Path, description = "The service"), IfMatchHeader),
    request_body(content = AppointmentServicePatch, content_type = "application/merge-patch+json"), responses(
    (status = 200, description = "Changed. `ETag` is set.", body = AppointmentServiceView),
))]
#[patch("/appointment-services/{service_id}")]
async fn update_appointment_service(
    caller: Caller,
    lang: Language,
    id: IdPath<AppointmentService>,
    if_match: IfMatch,
    patch: AppointmentServicePatch,
    db: Data<Db>,
) -> Answer {
    policy::directory(&caller)?;
    let (service, keywords) = db
        .write(&caller, move |tx| {
            let before = store::service(tx, id.0)?.ok_or_else(not_found)?;
            if_match.check(before.version, true)?;
            let known_by = search::keywords(tx, id.0)?;
            let wanted = patch.apply(&NewAppointmentService::of(before.clone(), &known_by))?;
            let keywords = wanted.keywords();
            let service = wanted.service(before.id, before.version.saturating_add(1));
            fits_a_day(&service)?;
            store::save(tx, &service).map_err(taken)?;
            search::set_keywords(tx, service.id, &keywords)?;
            let (before, after) = (Some((&before, known_by.as_slice())), Some((&service, keywords.as_slice())));
            tell_of(tx, "appointment_service.updated", before, after)?;
            Ok((service, keywords))
        })
        .await?;
    reply(service, keywords, lang.0)
}

/// Delete a service
///
/// Refused when it is held or was ever booked; to end it, take it from the calendars that give it.
#[utoipa::path(tag = "booking", params(("service_id" = AppointmentServiceId, Path, description = "The service"), IfMatchHeader), responses(
    (status = 204, description = "Deleted"),
    (status = 409, description = "`in-use`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/appointment-services/{service_id}")]
async fn remove_appointment_service(
    caller: Caller,
    id: IdPath<AppointmentService>,
    if_match: IfMatch,
    db: Data<Db>,
) -> Answer {
    policy::directory(&caller)?;
    db.write(&caller, move |tx| {
        let service = store::service(tx, id.0)?.ok_or_else(not_found)?;
        if_match.check(service.version, true)?;
        let keywords = search::keywords(tx, id.0)?;
        store::delete(tx, service.id, service.version)?;
        tell_of(tx, "appointment_service.deleted", Some((&service, &keywords)), None)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Give a service at a calendar
///
/// From now on it can be booked there. Saying it again changes nothing, so no version is asked for.
#[utoipa::path(tag = "booking", params(
    ("service_id" = AppointmentServiceId, Path, description = "The service"), ("calendar_id" = CalendarId, Path, description = "The calendar")), responses(
    (status = 204, description = "It is given there"),
))]
#[put("/appointment-services/{service_id}/calendars/{calendar_id}")]
async fn give_appointment_service(caller: Caller, ids: IdPair<AppointmentService, Calendar>, db: Data<Db>) -> Answer {
    policy::directory(&caller)?;
    db.write(&caller, move |tx| {
        let service = of_both(tx, &ids)?;
        if store::is_given(tx, ids.0, ids.1)? {
            return Ok(());
        }
        let calendar = calendars::next_version(tx, ids.1)?.ok_or_else(not_found)?;
        if !store::give_again(tx, service.id, calendar.id)? {
            store::link(tx, service.id, calendar.id)?;
        }
        tell_of_link(tx, &service, &calendar, true)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Take a service from a calendar
///
/// From now on it cannot be booked there. Refused while somebody has an appointment for it there, or holds a
/// time. Saying it again changes nothing, so no version is asked for.
#[utoipa::path(tag = "booking", params(
    ("service_id" = AppointmentServiceId, Path, description = "The service"), ("calendar_id" = CalendarId, Path, description = "The calendar")), responses(
    (status = 204, description = "It is not given there"),
    (status = 409, description = "`in-use`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[delete("/appointment-services/{service_id}/calendars/{calendar_id}")]
async fn withdraw_appointment_service(
    caller: Caller,
    ids: IdPair<AppointmentService, Calendar>,
    db: Data<Db>,
) -> Answer {
    policy::directory(&caller)?;
    db.write(&caller, move |tx| {
        let service = of_both(tx, &ids)?;
        if !store::is_given(tx, ids.0, ids.1)? {
            return Ok(());
        }
        // Who is booking there meanwhile has found the service given: they see another calendar then, and look again.
        let calendar = calendars::next_version(tx, ids.1)?.ok_or_else(not_found)?;
        if store::is_awaited(tx, service.id, calendar.id)? {
            return Err(Problem::new(&IN_USE).detail("appointments or holds for it are still to come there").into());
        }
        store::stop_giving(tx, service.id, calendar.id)?;
        tell_of_link(tx, &service, &calendar, false)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A service by itself, with its `ETag`.
pub(super) fn reply(service: AppointmentService, keywords: Vec<String>, lang: Lang) -> Answer {
    let etag = views::etag(service.version, lang);
    Reply::with(StatusCode::OK, service.whole(keywords, lang)).etag(etag).answer()
}

/// The service of a link whose ends are both there.
fn of_both(tx: &mut Tx<'_>, ids: &IdPair<AppointmentService, Calendar>) -> storage::Result<AppointmentService> {
    hours::calendar(tx, ids.1)?.ok_or_else(not_found)?;
    Ok(store::service(tx, ids.0)?.ok_or_else(not_found)?)
}

fn fits_a_day(service: &AppointmentService) -> Result<(), Problem> {
    let extra = service.max_persons.saturating_sub(1).saturating_mul(service.extra_person_minutes);
    if service.duration_minutes.saturating_add(extra) > ticks::LONGEST_VISIT_MINUTES {
        let words = "the visit of as many persons as may come would not fit in a day";
        return Err(Problem::new(&INVALID_BODY).field("/max_persons", "too-many", words));
    }
    Ok(())
}

fn taken(failure: Failure) -> Failure {
    if failure.is_unique("appointment_services", &["tenant_id", "slug"]) {
        return Problem::new(&INVALID_BODY).field("/slug", "taken", "another service has it").into();
    }
    failure
}

fn tell_of(
    tx: &mut Tx<'_>,
    action: &str,
    before: Option<(&AppointmentService, &[String])>,
    after: Option<(&AppointmentService, &[String])>,
) -> storage::Result<()> {
    let Some((service, _)) = after.or(before) else { return Ok(()) };
    let version = after.map_or_else(|| service.version.saturating_add(1), |(service, _)| service.version);
    let state = |(service, keywords): (&AppointmentService, &[String])| {
        state(service.id, service.version, &NewAppointmentService::of(service.clone(), keywords))
    };
    let (before, after) = (before.map(state).transpose()?, after.map(state).transpose()?);
    tell(tx, Done { action, kind: "appointment_service", subject: service.id, version, before, after })
}

fn tell_of_link(
    tx: &mut Tx<'_>,
    service: &AppointmentService,
    calendar: &Calendar,
    given: bool,
) -> storage::Result<()> {
    let state = |given: bool| json!({ "service_id": service.id, "calendar_id": calendar.id, "given": given });
    // It is the calendar that changes: its version orders what is told of it.
    let action = if given { "calendar.service_given" } else { "calendar.service_withdrawn" };
    let (before, after) = (Some(state(!given)), Some(state(given)));
    let (subject, version) = (calendar.id, calendar.version);
    tell(tx, Done { action, kind: "calendar", subject, version, before, after })
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create_appointment_service)
        .service(update_appointment_service)
        .service(remove_appointment_service)
        .service(give_appointment_service)
        .service(withdraw_appointment_service);
}
