//! Which answers are compressed.
//!
//! Only what is read (`GET`), when the caller asks for it, and when it is worth it. An attacker who can make
//! somebody's browser send requests and see how long the answers are can guess a secret that stands beside
//! something the attacker chose (BREACH). Here no answer to a `GET` repeats what the caller chose but the cursor of
//! a page, the credential travels in a header that browsers do not add by themselves, and what is booked, with its
//! manage token, is the answer to a `POST`, which is never compressed.

use actix_web::{
    Error, HttpMessage,
    body::{BodySize, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
};

/// Fewer bytes fit into the packet that is sent anyway.
const WORTH_IT: u64 = 1024;
/// What tells the `ETag` of a compressed answer from that of the same in plain (RFC 9110 §8.8.3.3).
const MARK: &str = ".gzip\"";
/// For the compressor: leave it as it is. Nobody else sees it.
const AS_IT_IS: &str = "identity";

/// What the caller has said about compression, before others change the request.
#[derive(Clone, Copy)]
struct Asked {
    reads: bool,
}

/// Stands outside the compressor: hears what is asked, and tells strong validators apart.
pub(crate) async fn around_compression(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let asked = Asked { reads: req.method() == Method::GET };
    req.extensions_mut().insert(asked);
    // `identity;q=0` would be refused with 406; the header is a wish, and plain is always an answer (RFC 9110 §12.5.3).
    if !wants_gzip(req.headers()) {
        req.headers_mut().remove(header::ACCEPT_ENCODING);
    } else {
        req.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    // A copy that was kept compressed is as current as one that was kept in plain.
    for name in [header::IF_NONE_MATCH, header::IF_MATCH] {
        let plain = req.headers().get(&name).and_then(|value| value.to_str().ok()).filter(|v| v.contains(MARK));
        if let Some(Ok(plain)) = plain.map(|value| HeaderValue::from_str(&value.replace(MARK, "\""))) {
            req.headers_mut().insert(name, plain);
        }
    }
    let mut response = next.call(req).await?;
    let headers = response.headers_mut();
    if is(headers, AS_IT_IS) {
        headers.remove(header::CONTENT_ENCODING);
    } else if is(headers, "gzip")
        && let Some(Ok(marked)) = headers.get(header::ETAG).and_then(marked)
    {
        headers.insert(header::ETAG, marked);
    }
    Ok(response)
}

/// Stands inside the compressor: says what is left as it is, and what depends on the wish.
pub(crate) async fn choose_compression(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let reads = req.extensions().get::<Asked>().is_some_and(|asked| asked.reads);
    let mut response = next.call(req).await?;
    let worth_it = match response.response().body().size() {
        BodySize::None => false,
        BodySize::Sized(bytes) => bytes >= WORTH_IT,
        BodySize::Stream => true,
    };
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // An event must not wait until enough others have come.
    let compressible =
        reads && worth_it && status != StatusCode::NOT_MODIFIED && !kind.starts_with("text/event-stream");
    let headers = response.headers_mut();
    if compressible {
        // For whoever keeps copies: also where this one was left in plain.
        headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    } else if !headers.contains_key(header::CONTENT_ENCODING) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(AS_IT_IS));
    }
    Ok(response)
}

/// Whether gzip is among what the caller takes.
fn wants_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|wish| {
        let mut parts = wish.split(';').map(str::trim);
        let named = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("gzip") || coding == "*");
        let refused = parts.filter_map(|part| part.strip_prefix("q=")).any(|q| q.parse().is_ok_and(|q: f32| q <= 0.0));
        named && !refused
    })
}

fn is(headers: &HeaderMap, coding: &str) -> bool {
    headers.get(header::CONTENT_ENCODING).is_some_and(|value| value == coding)
}

fn marked(etag: &HeaderValue) -> Option<Result<HeaderValue, header::InvalidHeaderValue>> {
    let plain = etag.to_str().ok().filter(|etag| !etag.starts_with("W/"))?.strip_suffix('"')?;
    Some(HeaderValue::from_str(&format!("{plain}{MARK}")))
}

#[cfg(test)]
mod tests {
    use ::core::prelude::v1::test;
    use actix_web::{
        App, HttpRequest, HttpResponse,
        middleware::{Compress, from_fn},
        test::{self, TestRequest},
        web::{self, Bytes},
    };

    use super::*;

    #[actix_web::test]
    async fn what_is_worth_it_is_compressed_and_nothing_else() {
        async fn long() -> HttpResponse {
            HttpResponse::Ok().insert_header((header::ETAG, "\"1.it\"")).body("x".repeat(2000))
        }
        async fn stream() -> HttpResponse {
            let parts = ["a", "b"].map(|part| Ok::<_, Error>(Bytes::from(part)));
            HttpResponse::Ok().content_type("text/csv").streaming(futures_util::stream::iter(parts))
        }
        async fn events() -> HttpResponse {
            let parts = ["data: 1"].map(|part| Ok::<_, Error>(Bytes::from(part)));
            HttpResponse::Ok().content_type("text/event-stream").streaming(futures_util::stream::iter(parts))
        }
        async fn kept(req: HttpRequest) -> HttpResponse {
            let asked = req.headers().get(header::IF_NONE_MATCH).unwrap().to_str().unwrap();
            assert_eq!(asked, "\"1.it\"");
            HttpResponse::NotModified().finish()
        }
        let app = test::init_service(
            App::new()
                .wrap(from_fn(choose_compression))
                .wrap(Compress::default())
                .wrap(from_fn(around_compression))
                .route("/long", web::route().to(long))
                .route("/short", web::get().to(|| async { "short" }))
                .route("/stream", web::get().to(stream))
                .route("/events", web::get().to(events))
                .route("/kept", web::get().to(kept)),
        )
        .await;
        for (method, path, wish, compressed) in [
            (Method::GET, "/long", "gzip", true),
            (Method::GET, "/long", "identity;q=0, gzip", true),
            (Method::GET, "/long", "br, identity;q=0", false),
            (Method::GET, "/long", "", false),
            (Method::POST, "/long", "gzip", false),
            (Method::HEAD, "/long", "gzip", false),
            (Method::GET, "/short", "gzip", false),
            (Method::GET, "/stream", "gzip", true),
            (Method::GET, "/events", "gzip", false),
            (Method::GET, "/kept", "gzip", false),
        ] {
            let request = test::TestRequest::default().method(method.clone()).uri(path);
            let request = request
                .insert_header((header::ACCEPT_ENCODING, wish))
                .insert_header((header::IF_NONE_MATCH, "\"1.it.gzip\""));
            let response = test::call_service(&app, request.to_request()).await;
            let told = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let case = format!("{method} {path} {wish}");
            assert_eq!(told(header::CONTENT_ENCODING).as_deref(), compressed.then_some("gzip"), "{case}");
            if compressed {
                assert_eq!(told(header::VARY).unwrap().to_lowercase(), "accept-encoding", "{case}");
            }
            if path == "/long" {
                let etag = if compressed { "\"1.it.gzip\"" } else { "\"1.it\"" };
                assert_eq!(told(header::ETAG).as_deref(), Some(etag), "{case}");
            }
            let body = test::read_body(response).await;
            assert_eq!(body.starts_with(&[0x1f, 0x8b]), compressed, "{case}");
        }
    }

    #[test]
    fn gzip_is_asked_for_or_not() {
        let wants = |value: &str| {
            let request = TestRequest::default().insert_header((header::ACCEPT_ENCODING, value)).to_http_request();
            wants_gzip(request.headers())
        };
        assert!(["gzip", "GZIP", "br, gzip;q=0.5", "*", "gzip, identity;q=0"].into_iter().all(wants));
        assert!(!["", "br", "identity", "gzip;q=0", "gzip;q=0.0", "deflate, *;q=0"].into_iter().any(wants));
    }

    #[test]
    fn a_strong_validator_is_marked_and_a_weak_one_is_not() {
        let of = |etag: &'static str| marked(&HeaderValue::from_static(etag)).map(|marked| marked.unwrap());
        assert_eq!(of("\"3.it\"").unwrap(), "\"3.it.gzip\"");
        assert_eq!(of("W/\"3\""), None);
        assert_eq!(of("3"), None);
    }
}
