//! The application: what the crates serve, wired to what they need.

use std::sync::Arc;

use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    http::header,
    middleware::{Compress, DefaultHeaders, from_fn},
    web::{self, Data},
};
use booking::{BookingSettings, calendars::Availabilities};
use documents::Documents;
use payments::{settling::Cashier, simulated::routes::Simulating};
use platform::{
    access::{Access, identify, pdnd::intact},
    events::{EventTypes, Live, stream::Habits},
    http::MaxBody,
    idempotency::InFlight,
    messages::Composers,
    ports::KeptFiles,
    privacy::Holdings,
    webhooks::routes::MostWebhooks,
};
use protocol::ports::Connectors;
use storage::Db;
use tracing_actix_web::TracingLogger;
use utoipa_actix_web::{AppExt, scope};

use crate::{
    logging::RequestSpan,
    metrics::{Readers, measure},
    middleware::{
        assured::assured,
        catch_panics,
        compression::{around_compression, choose_compression},
        cors, head_as_get,
        limits::{Limits, count_address, count_caller},
        signed_in::signed_in,
        speak_problems,
    },
    openapi, pages,
    pages::SharedContract,
};

/// What the workers share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) db: Db,
    pub(crate) access: Access,
    pub(crate) booking: BookingSettings,
    pub(crate) availabilities: Availabilities,
    pub(crate) composers: Composers,
    pub(crate) max_body: usize,
    pub(crate) in_flight: InFlight,
    pub(crate) holdings: Holdings,
    pub(crate) documents: Documents,
    pub(crate) contract: SharedContract,
    pub(crate) limits: Arc<Limits>,
    pub(crate) metrics: Readers,
    pub(crate) event_types: Data<EventTypes>,
    pub(crate) live: Live,
    pub(crate) streams: Habits,
    pub(crate) most_webhooks: MostWebhooks,
    pub(crate) connectors: Connectors,
    pub(crate) cashier: Cashier,
    pub(crate) simulating: Simulating,
}

/// Builds the application of one worker.
pub(crate) fn build(
    shared: &Shared,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let files: Arc<dyn KeptFiles> = Arc::new(shared.documents.clone());
    let (app, _) = App::new()
        .into_utoipa_app()
        .app_data(Data::new(shared.db.clone()))
        .app_data(Data::new(shared.access.clone()))
        .app_data(Data::new(shared.booking))
        .app_data(Data::new(shared.availabilities.clone()))
        .app_data(Data::new(shared.composers.clone()))
        .app_data(Data::new(shared.in_flight.clone()))
        .app_data(Data::new(shared.holdings.clone()))
        .app_data(Data::new(shared.documents.clone()))
        .app_data(Data::from(files))
        .app_data(Data::new(MaxBody(shared.max_body)))
        .app_data(Data::from(shared.contract.clone()))
        .app_data(Data::from(Arc::clone(&shared.limits)))
        .app_data(Data::new(shared.metrics.clone()))
        .app_data(shared.event_types.clone())
        .app_data(Data::new(shared.live.clone()))
        .app_data(Data::new(shared.streams))
        .app_data(Data::new(shared.most_webhooks))
        .app_data(Data::new(shared.connectors.clone()))
        .app_data(Data::new(shared.cashier.clone()))
        .app_data(Data::new(shared.simulating))
        .map(|app| app.configure(pages::routes))
        .service(
            scope::scope("/{comune}/v1")
                // Personal data is nobody's to keep on the way; what may be kept says so itself.
                .wrap(DefaultHeaders::new().add((header::CACHE_CONTROL, "no-store")))
                .wrap(from_fn(intact))
                .wrap(from_fn(assured))
                .wrap(from_fn(signed_in))
                .wrap(from_fn(count_caller))
                .wrap(from_fn(identify))
                .configure(openapi::routes),
        )
        .map(|app| app.default_service(web::route().to(pages::nothing_here)))
        .split_for_parts();
    app.wrap(from_fn(choose_compression))
        .wrap(Compress::default())
        .wrap(from_fn(head_as_get))
        .wrap(from_fn(around_compression))
        .wrap(DefaultHeaders::new().add((header::X_CONTENT_TYPE_OPTIONS, "nosniff")))
        .wrap(from_fn(count_address))
        .wrap(from_fn(catch_panics))
        .wrap(from_fn(speak_problems))
        .wrap(from_fn(openapi::deprecations::announce))
        .wrap(from_fn(measure))
        .wrap(from_fn(cors))
        .wrap(TracingLogger::<RequestSpan>::new())
}
