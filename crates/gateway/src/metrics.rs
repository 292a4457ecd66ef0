//! What is measured, for Prometheus to read at `/metrics`.
//!
//! Labels are bounded: routes are patterns, slugs come from the tables of refusals, tenants are those there are.
//! No label says who called or what about.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Instant,
};

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode},
    middleware::Next,
};
use kernel::Problem;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use platform::access::Caller;

use crate::{
    config::{Config, Network},
    middleware::{address::Proxies, slug_of},
};

#[derive(Debug, Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    /// With these upper bounds.
    Histogram(&'static [f64]),
}
use Kind::{Counter, Gauge, Histogram};

const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const SHORT_SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Everything that is measured here; docs/operations.md tells each with its labels. What the process itself is
/// asked (`process_…`) comes from `metrics-process`.
const MEASURED: [(&str, Kind, &str); 21] = [
    ("sportello_build_info", Gauge, "The version that runs; always 1"),
    ("sportello_http_requests_total", Counter, "Requests answered"),
    ("sportello_http_request_duration_seconds", Histogram(SECONDS), "From the request to the head of its answer"),
    ("sportello_http_requests_in_flight", Gauge, "Requests being answered"),
    ("sportello_refusals_total", Counter, "Refusals by kind"),
    ("sportello_rate_limited_total", Counter, "Requests refused because there were too many"),
    ("sportello_idempotency_replays_total", Counter, "Repeated requests that got the stored answer"),
    ("sportello_bookings_total", Counter, "Attempts to book an appointment, by outcome"),
    ("sportello_db_transactions_total", Counter, "Transactions, by how they ended"),
    ("sportello_db_transaction_duration_seconds", Histogram(SHORT_SECONDS), "A transaction, waiting included"),
    ("sportello_db_wait_seconds", Histogram(SHORT_SECONDS), "Waiting for a connection or for the writer"),
    ("sportello_db_connections_in_use", Gauge, "Pooled connections in use"),
    ("sportello_db_retries_total", Counter, "Transactions run again after a conflict (PostgreSQL)"),
    ("sportello_db_writer_queue", Gauge, "Writes waiting for the writer (SQLite)"),
    ("sportello_events_published_total", Counter, "Events that got their place"),
    ("sportello_event_lag_seconds", Histogram(SECONDS), "From what happened to its event being published"),
    ("sportello_event_streams_open", Gauge, "Event streams being read"),
    ("sportello_webhook_attempts_total", Counter, "Attempts to deliver an event to a webhook, by outcome"),
    ("sportello_protocol_attempts_total", Counter, "Attempts to hand a protocol entry on, by how far it is then"),
    ("sportello_parked_total", Counter, "Deliveries and reactions that were given up until somebody looks"),
    ("sportello_db_writer_batch_size", Histogram(SIZES), "Writes committed together (SQLite)"),
];

/// Starts collecting. Called once, by the program.
pub(crate) fn start() -> PrometheusHandle {
    let mut builder = PrometheusBuilder::new();
    for (name, kind, _) in MEASURED {
        if let Histogram(bounds) = kind {
            builder = match builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds) {
                Ok(builder) => builder,
                Err(error) => {
                    tracing::error!(%error, name, "a histogram without bounds");
                    PrometheusBuilder::new()
                }
            };
        }
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("somebody else collects metrics already: /metrics stays empty");
    }
    for (name, kind, about) in MEASURED {
        match kind {
            Counter => describe_counter!(name, about),
            Gauge => describe_gauge!(name, about),
            Histogram(_) => describe_histogram!(name, about),
        }
    }
    Collector::default().describe();
    gauge!("sportello_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    // What has not happened yet is 0 and not absent.
    counter!("sportello_idempotency_replays_total").absolute(0);
    counter!("sportello_db_retries_total").absolute(0);
    counter!("sportello_webhook_attempts_total", "outcome" => "delivered").absolute(0);
    counter!("sportello_protocol_attempts_total", "state" => "registered").absolute(0);
    handle
}

/// Who may read what was measured.
#[derive(Clone)]
pub(crate) struct Readers {
    allowed: Vec<Network>,
    proxies: Proxies,
    exporter: PrometheusHandle,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Readers {
    pub(crate) fn new(config: &Config, exporter: PrometheusHandle) -> Self {
        Self { allowed: config.metrics.allowed_addresses.clone(), proxies: Proxies::new(config), exporter }
    }

    fn allow(&self, req: &HttpRequest) -> bool {
        let peer = req.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let client = self.proxies.client(peer, req.headers());
        // A proxy on this machine makes everybody look local.
        !self.proxies.is_forwarded_by_a_stranger(peer, req.headers())
            && self.allowed.iter().any(|network| network.0.contains(&client))
    }

    /// What was measured, for whoever may read it.
    pub(crate) fn read(&self, req: &HttpRequest) -> Option<String> {
        self.allow(req).then(|| {
            Collector::default().collect();
            self.exporter.render()
        })
    }
}

/// Counts every request and its answer, whoever gave it.
pub(crate) async fn measure(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let _in_flight = InFlight::new();
    let started = Instant::now();
    let method = method_of(req.method());
    let route = req.match_pattern().unwrap_or_else(|| "none".to_owned());
    let outcome = next.call(req).await;
    let (status, slug) = match &outcome {
        Ok(response) => {
            let refused = response.response().extensions().get::<Problem>().map(|problem| problem.kind.slug);
            (response.status(), refused)
        }
        Err(error) => (error.as_response_error().status_code(), slug_of(error)),
    };
    if let Ok(response) = &outcome {
        let replayed = response.headers().contains_key("idempotency-replayed");
        if replayed {
            counter!("sportello_idempotency_replays_total").increment(1);
        }
        let caller = response.request().extensions().get::<Caller>().map(|caller| caller.tenant.slug.clone());
        if let (Some(tenant), "POST", true) = (caller, method, route.ends_with("/v1/appointments")) {
            let outcome = if replayed { "replayed" } else { slug.unwrap_or("made") };
            counter!("sportello_bookings_total", "tenant" => tenant, "outcome" => outcome).increment(1);
        }
    }
    if let Some(slug) = slug {
        counter!("sportello_refusals_total", "slug" => slug).increment(1);
    }
    let labels = [("method", method.to_owned()), ("route", route.clone()), ("status", class_of(status).to_owned())];
    counter!("sportello_http_requests_total", &labels).increment(1);
    histogram!("sportello_http_request_duration_seconds", "method" => method, "route" => route)
        .record(started.elapsed());
    outcome
}

/// A request being answered, until dropped: also one that was given up.
struct InFlight;

impl InFlight {
    fn new() -> Self {
        gauge!("sportello_http_requests_in_flight").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("sportello_http_requests_in_flight").decrement(1.0);
    }
}

/// A client may invent methods.
fn method_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page that people read names every measure, and no other.
    #[test]
    fn every_measure_is_documented_and_no_other() {
        let page = include_str!("../../../docs/operations.md");
        for (name, ..) in MEASURED {
            assert!(page.contains(&format!("`{name}`")), "docs/operations.md lacks {name}");
        }
        for name in page.split('`').skip(1).step_by(2).filter(|word| word.starts_with("sportello_")) {
            assert!(MEASURED.iter().any(|(known, ..)| *known == name), "docs/operations.md names {name}");
        }
    }

    #[test]
    fn an_invented_method_is_no_label() {
        assert_eq!(method_of(&Method::from_bytes(b"BREW").unwrap()), "other");
        assert_eq!(class_of(StatusCode::TOO_MANY_REQUESTS), "4xx");
    }
}
