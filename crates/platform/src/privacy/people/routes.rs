//! `/me/personal-data`, `/personal-data-exports`, `/personal-data-archives`, `/personal-data-rectifications`.

use actix_web::{HttpResponse, body::SizedStream, get, http::header, post, web::Data};
use kernel::{Problem, civil};
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    archive::{self, Turn},
    changes::{self, Gathered},
    model::{ArchiveFile, NewExport, NewRectification, Person, PersonalDataExport, RectificationView},
    rules,
};
use crate::{
    access::{Caller, policy},
    http::{Answer, Body, ProblemBody, Reply},
    ports::KeptFiles,
    privacy::{Holdings, Place},
    problems::INVALID_BODY,
};

impl<'a> Place<'a> {
    /// Where a caller asks.
    pub fn of(caller: &'a Caller) -> Self {
        Self { tenant: &caller.tenant, secret: caller.secret() }
    }
}

/// What is held about oneself
///
/// Everything the Comune holds here about the citizen who asks, machine-readable (GDPR, articles 15 and 20): by their
/// codice fiscale, so without what was booked by people who had not signed in, and without what others who had booked for
/// them. Colleagues who did something are told as roles, without names.
#[utoipa::path(tag = "privacy", responses(
    (status = 200, description = "Everything there is", body = PersonalDataExport),
    (status = 403, description = "`forbidden`: not a citizen", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/me/personal-data")]
async fn show_own_personal_data(caller: Caller, db: Data<Db>, holdings: Data<Holdings>) -> Answer {
    Reply::ok(own(&caller, &db, &holdings).await?.document)
}

/// What is held about oneself, as an archive
///
/// The same as a ZIP file: `personal-data.json`, and the files that the document names.
#[utoipa::path(tag = "privacy", responses(
    (status = 200, description = "The archive", body = ArchiveFile, content_type = "application/zip"),
    (status = 403, description = "`forbidden`: not a citizen", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`files-unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/me/personal-data-archive")]
async fn show_own_personal_data_archive(
    caller: Caller,
    db: Data<Db>,
    holdings: Data<Holdings>,
    files: Data<dyn KeptFiles>,
) -> Answer {
    let turn = archive::turn().await?;
    let gathered = own(&caller, &db, &holdings).await?;
    packed(&caller, &db, &**files, (turn, gathered)).await
}

async fn own(caller: &Caller, db: &Db, holdings: &Holdings) -> Result<Gathered, Problem> {
    let person = Person::of_citizen(caller.citizen()?);
    let (who, holdings) = (caller.clone(), holdings.clone());
    db.read(caller, move |tx| changes::gather(tx, &holdings, Place::of(&who), &person)).await
}

/// Everything about a person
///
/// For whoever answers a person's request (GDPR, articles 15 and 20): admins, and managers of the central office. The
/// person stands in the body, by codice fiscale, or by code and e-mail address of an appointment that was booked
/// without one; then everything under the same e-mail address and name is theirs. The access log keeps who asked, for
/// whom and for which request.
#[utoipa::path(tag = "privacy", request_body = NewExport, responses(
    (status = 200, description = "Everything there is; a codice fiscale that nobody gave has no entries", body = PersonalDataExport),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/personal-data-exports")]
async fn export_personal_data(caller: Caller, body: Body<NewExport>, db: Data<Db>, holdings: Data<Holdings>) -> Answer {
    policy::personal_data(&caller)?;
    Reply::ok(of_person(&caller, body.into_inner(), &db, &holdings).await?.document)
}

/// Everything about a person, as an archive
///
/// The same as a ZIP file: `personal-data.json`, and the files that the document names.
#[utoipa::path(tag = "privacy", request_body = NewExport, responses(
    (status = 200, description = "The archive", body = ArchiveFile, content_type = "application/zip"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, description = "`files-unavailable`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/personal-data-archives")]
async fn archive_personal_data(
    caller: Caller,
    body: Body<NewExport>,
    db: Data<Db>,
    holdings: Data<Holdings>,
    files: Data<dyn KeptFiles>,
) -> Answer {
    policy::personal_data(&caller)?;
    let turn = archive::turn().await?;
    let gathered = of_person(&caller, body.into_inner(), &db, &holdings).await?;
    packed(&caller, &db, &**files, (turn, gathered)).await
}

async fn of_person(caller: &Caller, new: NewExport, db: &Db, holdings: &Holdings) -> Result<Gathered, Problem> {
    let named = rules::named(&new.person)?;
    let (who, holdings) = (caller.clone(), holdings.clone());
    db.write(caller, move |tx| changes::export(tx, &holdings, Place::of(&who), &named, &new.request_reference)).await
}

/// Puts the archive together, and gives it out from the disk.
async fn packed(caller: &Caller, db: &Db, files: &dyn KeptFiles, (turn, gathered): (Turn, Gathered)) -> Answer {
    let archive = archive::packed(turn, gathered, files).await?;
    let name = rules::archive_name(&caller.tenant.slug, civil::date_of(db.clock().now()));
    Ok(HttpResponse::Ok()
        .content_type("application/zip")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(SizedStream::new(archive.length, archive.pieces())))
}

/// Put right what is held about a person
///
/// Changes name, e-mail address and telephone number wherever they are held about this person, in past records too
/// (GDPR, article 16), and answers where. For admins, and managers of the central office. What was changed is told as
/// events without the data; the access log keeps who asked and for which request. Repeating it changes nothing more.
#[utoipa::path(tag = "privacy", request_body = NewRectification, responses(
    (status = 200, description = "Done; how many records were changed", body = RectificationView),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-body`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[post("/personal-data-rectifications")]
async fn rectify_personal_data(
    caller: Caller,
    body: Body<NewRectification>,
    db: Data<Db>,
    holdings: Data<Holdings>,
) -> Answer {
    policy::personal_data(&caller)?;
    let new = body.into_inner();
    let (named, correct) = (rules::named(&new.person)?, new.rectification());
    if !rules::says_something(&correct) {
        let words = "one of given_name, family_name, email and phone";
        return Err(Problem::new(&INVALID_BODY).field("", "incomplete", words).into());
    }
    let (who, holdings) = (caller.clone(), Holdings::clone(&holdings));
    let changed = db
        .write(&caller, move |tx| {
            changes::rectify(tx, &holdings, Place::of(&who), (&named, &correct), &new.request_reference)
        })
        .await?;
    Reply::ok(changed)
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(show_own_personal_data)
        .service(show_own_personal_data_archive)
        .service(export_personal_data)
        .service(archive_personal_data)
        .service(rectify_personal_data);
}
