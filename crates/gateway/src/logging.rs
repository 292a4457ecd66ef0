//! What is logged: one line per request and whatever goes wrong, with the request's id, and no
//! personal data: no query strings, no addresses, no user agents, no tokens.

use std::io::IsTerminal;

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Span, field::Empty};
use tracing_actix_web::{RequestId, RootSpanBuilder};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, filter::filter_fn, fmt, prelude::*};

use crate::{
    config::{Config, LogConfig, LogFormat},
    service::StartError,
    telemetry,
};

/// Starts logging to standard error. Called once, by the program.
///
/// # Errors
/// When the level is no filter.
pub fn start(config: &LogConfig) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(&config.level)?;
    // Somebody who embeds the program may have started logging already.
    drop(tracing_subscriber::registry().with(filter).with(written(config.format)).try_init());
    hush_panics();
    Ok(())
}

/// Starts logging and, where a collector is configured, tracing. Called once, by what serves.
///
/// # Errors
/// When the level is no filter or the collector's address cannot be used.
pub(crate) fn start_traced(config: &Config) -> Result<(), StartError> {
    let level = |error: tracing_subscriber::filter::ParseError| StartError::Log(error.to_string());
    let Some(tracer) = telemetry::start(&config.telemetry).map_err(StartError::Telemetry)? else {
        return start(&config.log).map_err(level);
    };
    let filter = EnvFilter::try_new(&config.log.level).map_err(level)?;
    // What is logged does not decide what is traced.
    let layers = vec![written(config.log.format).with_filter(filter).boxed(), traced(tracer)];
    drop(tracing_subscriber::registry().with(layers).try_init());
    hush_panics();
    Ok(())
}

/// Lines on standard error.
fn written<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'s> tracing_subscriber::registry::LookupSpan<'s>,
{
    match format {
        LogFormat::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
        // Colours are for people at a terminal, not for files and journals.
        LogFormat::Text => {
            fmt::layer().compact().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).boxed()
        }
    }
}

/// Spans of requests and of their transactions, without what is logged in them.
fn traced(tracer: SdkTracer) -> Box<dyn Layer<Registry> + Send + Sync> {
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_filter(filter_fn(|about| about.is_span() && [module_path!(), storage::SPANS].contains(&about.target())))
        .boxed()
}

fn hush_panics() {
    // The default hook prints the message, which may hold anything; the place is enough to find the fault.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}

/// The span of a request.
#[derive(Debug)]
pub(crate) struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
        // The pattern, not the path: `/{comune}/v1/offices/{office_id}`. Asked for here, where refusals that
        // come before the handler have one too.
        let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
        let method = request.method();
        if !telemetry::is_on() {
            return tracing::info_span!("request", request_id = %id, %method, route, status = Empty);
        }
        let name = format!("{method} {route}");
        let span = tracing::info_span!(
            "request",
            request_id = %id,
            %method,
            route,
            status = Empty,
            otel.name = name,
            otel.kind = "server",
            otel.status_code = Empty,
        );
        // Fails only for a span that has begun already.
        drop(span.set_parent(telemetry::parent_of(request.headers())));
        span.set_attribute("http.request.method", method.to_string());
        span.set_attribute("http.route", route);
        span
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status().as_u16(),
            Err(error) => error.as_response_error().status_code().as_u16(),
        };
        span.record("status", status);
        if telemetry::is_on() {
            span.set_attribute("http.response.status_code", i64::from(status));
            if status >= 500 {
                span.record("otel.status_code", "ERROR");
            }
        }
        span.in_scope(|| tracing::info!("answered"));
    }
}
