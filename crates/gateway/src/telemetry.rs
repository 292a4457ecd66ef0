//! Traces for an OpenTelemetry collector, when one is configured: a span for each request, with its route and no
//! more of its address, and none of what was said.

use std::sync::OnceLock;

use actix_web::http::header::{HeaderMap, HeaderName};
use connectors::TraceSender;
use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};

use crate::config::TelemetryConfig;

/// The one provider of the process; there is none when nothing is sent.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// What makes the spans that are sent; nothing when no collector is configured.
///
/// # Errors
/// With the reason, when the collector's address cannot be used.
pub(crate) fn start(config: &TelemetryConfig) -> Result<Option<SdkTracer>, String> {
    let Some(endpoint) = config.otlp_endpoint.as_deref() else { return Ok(None) };
    let endpoint = endpoint.trim_end_matches('/');
    if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
        return Err("it is neither https nor http".to_owned());
    }
    let sender = TraceSender::new(endpoint).map_err(|error| error.to_string())?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(sender)
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .build()
        .map_err(|error| error.to_string())?;
    let resource = Resource::builder_empty()
        .with_service_name(config.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio))))
        .with_resource(resource)
        .build();
    let tracer = provider.tracer("sportello");
    if PROVIDER.set(provider).is_err() {
        return Err("traces are being sent already".to_owned());
    }
    Ok(Some(tracer))
}

/// Whether spans are sent.
pub(crate) fn is_on() -> bool {
    PROVIDER.get().is_some()
}

/// Sends what has not been sent yet, for a few seconds at most.
pub(crate) async fn stop() {
    let Some(provider) = PROVIDER.get() else { return };
    // Beside the runtime, which does the sending.
    let stopped = tokio::task::spawn_blocking(|| provider.shutdown()).await;
    if !matches!(stopped, Ok(Ok(()))) {
        tracing::warn!("the last traces could not be sent");
    }
}

/// The trace that a caller says their request belongs to (W3C `traceparent`).
pub(crate) fn parent_of(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract(&Carrier(headers))
}

struct Carrier<'h>(&'h HeaderMap);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
