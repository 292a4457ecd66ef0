//! `/exports`: appointments as a file, written while it is read.

use actix_web::{
    HttpResponse, get,
    http::header,
    web::{Bytes, Data},
};
use futures_util::stream;
use jiff::civil::Date;
use kernel::{Lang, Problem, civil};
use platform::{
    access::{
        Caller,
        policy::{self, Rows},
    },
    audit::{self, Change},
    http::{Answer, Language, Params, ProblemBody, bad_query, sane_date},
    privacy::access_log::{self, AccessAction, Looked},
};
use serde_json::json;
use storage::Db;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    model::{CsvFile, CsvQuery, ExportedAppointment, Filter, JsonLinesQuery},
    rules::{self, Format},
    store,
};
use crate::appointments::AppointmentId;

/// How many rows are read at a time, each time in a transaction of its own.
const CHUNK: i64 = 500;

/// Appointments as comma-separated values
///
/// For spreadsheets: UTF-8, a header line, CRLF, columns in a fixed order (new ones come last), times with
/// Italy's offset. `separator=semicolon` is for Excel in Italian. Values that a spreadsheet would take for a
/// formula get an apostrophe before them. Staff get their offices' appointments, the URP and admins
/// all, other systems need `appointments:read`. The file is read from the database while it is sent, by identifier:
/// what changes meanwhile is told as it is when its turn comes.
#[utoipa::path(tag = "appointments", operation_id = "export_appointments_csv", params(CsvQuery), responses(
    (status = 200, description = "The file", body = CsvFile, content_type = "text/csv"),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/exports/appointments.csv")]
async fn export_appointments_csv(caller: Caller, lang: Language, query: Params<CsvQuery>, db: Data<Db>) -> Answer {
    let separator = query.separator.unwrap_or_default();
    let format = Format::Csv { separator, personal: query.include.is_some() };
    export(&caller, lang.0, query.0, format, &db).await
}

/// Appointments as JSON lines
///
/// For programs: one JSON object a line, otherwise as the comma-separated file.
#[utoipa::path(tag = "appointments", operation_id = "export_appointments_jsonl", params(JsonLinesQuery), responses(
    (status = 200, description = "The file; each line is such an object", body = ExportedAppointment, content_type = "application/x-ndjson"),
    (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = ProblemBody, content_type = "application/problem+json"),
    (status = 422, description = "`invalid-query`", body = ProblemBody, content_type = "application/problem+json"),
))]
#[get("/exports/appointments.jsonl")]
async fn export_appointments_jsonl(
    caller: Caller,
    lang: Language,
    query: Params<JsonLinesQuery>,
    db: Data<Db>,
) -> Answer {
    export(&caller, lang.0, query.0.into(), Format::JsonLines, &db).await
}

async fn export(caller: &Caller, lang: Lang, query: CsvQuery, format: Format, db: &Data<Db>) -> Answer {
    let personal = query.include.is_some();
    let rows = policy::exports(caller, personal)?;
    let filter = filter(&query)?;
    let (ending, media_type) = match format {
        Format::Csv { .. } => ("csv", "text/csv; charset=utf-8"),
        Format::JsonLines => ("jsonl", "application/x-ndjson"),
    };
    // That somebody takes data away is written down before they get any.
    let particulars = json!({ "format": ending, "personal": personal, "filter": filter });
    db.write(caller, move |tx| {
        let id = tx.new_id::<Filter>();
        if personal {
            access_log::record(tx, Looked::around(AccessAction::Taken))?;
        }
        audit::record(
            tx,
            Change {
                action: "appointments.exported",
                subject_kind: "export",
                subject: id,
                before: None,
                after: Some(&particulars),
            },
        )
    })
    .await?;
    let name = rules::file_name(&caller.tenant.slug, civil::date_of(db.clock().now()), ending);
    let file =
        File { db: Data::clone(db), caller: caller.clone(), rows, filter, lang, format, personal, next: Next::Head };
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .streaming(stream::try_unfold(file, File::more)))
}

/// A file that is being written. The server asks for more when the client has taken what there was, and
/// between two chunks nothing of the database is held.
struct File {
    db: Data<Db>,
    caller: Caller,
    rows: Rows,
    filter: Filter,
    lang: Lang,
    format: Format,
    personal: bool,
    next: Next,
}

enum Next {
    Head,
    After(AppointmentId),
    Nothing,
}

impl File {
    /// The next part. A failure breaks the transfer off, so that half a file cannot be taken for a whole one.
    async fn more(mut self) -> Result<Option<(Bytes, Self)>, std::io::Error> {
        let (mut bytes, after) = match self.next {
            Next::Nothing => return Ok(None),
            Next::Head => (self.format.head()?, None),
            Next::After(id) => (Vec::new(), Some(id)),
        };
        let (rows, filter, lang, personal) = (self.rows.clone(), self.filter.clone(), self.lang, self.personal);
        let chunk = self
            .db
            .read(&self.caller, move |tx| {
                let found = store::after(tx, &rows, &filter, after, CHUNK)?;
                store::told(tx, found, lang, personal)
            })
            .await
            .map_err(|problem: Problem| std::io::Error::other(problem.kind.slug))?;
        for row in &chunk {
            bytes.extend(self.format.line(row)?);
        }
        let whole = i64::try_from(chunk.len()).is_ok_and(|rows| rows == CHUNK);
        self.next = match chunk.last() {
            Some(last) if whole => Next::After(last.id),
            _ => Next::Nothing,
        };
        // Only the last part can hold nothing, and an empty part would be written as the end.
        Ok((!bytes.is_empty()).then(|| (bytes.into(), self)))
    }
}

fn filter(query: &CsvQuery) -> Result<Filter, Problem> {
    let day = |name: &str, date: Option<Date>| date.map(|date| sane_date(name, date)).transpose();
    let (from, to) = (day("from", query.from)?, day("to", query.to)?);
    if matches!((from, to), (Some(from), Some(to)) if to < from) {
        return Err(bad_query("to", "before-from", "not before `from`"));
    }
    Ok(Filter {
        from: from.map(|date| civil::day_bounds(date).0),
        before: to.map(|date| civil::day_bounds(date).1),
        office_id: query.office_id,
        calendar_id: query.calendar_id,
        service_id: query.service_id,
        state: query.state,
    })
}

/// Registers what this module serves.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(export_appointments_csv).service(export_appointments_jsonl);
}
