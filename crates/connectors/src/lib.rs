//! Adapters behind the ports that `platform` and the shared services declare: everything that calls another system over the network.
//! A call is made with a time limit and a size limit, and never inside a database transaction.
//!
//! * [`HttpKeySource`]: public keys of identity providers
//! * [`SmtpMailer`]: e-mail; [`AppIo`]: messages of App IO
//! * [`PagoPa`]: payments over pagoPA
//! * [`TraceSender`]: traces to an OpenTelemetry collector
//! * [`HttpWebhookSender`]: events to webhooks
//! * [`ObjectDepot`]: the bytes of documents, in a folder or in S3; [`Clamd`]: what scans them
//! * [`HttpJson`], [`DocareaSoap`]: documents to the Comune's protocol system

pub mod app_io;
pub mod clamd;
pub mod depot;
pub mod jwks;
mod outgoing;
pub mod pagopa;
mod protocol;
pub mod smtp;
mod traces;
mod webhooks;

pub use self::protocol::{DocareaSoap, HttpJson};
pub use app_io::AppIo;
pub use clamd::Clamd;
pub use depot::ObjectDepot;
pub use jwks::HttpKeySource;
pub use pagopa::PagoPa;
pub use smtp::SmtpMailer;
pub use traces::TraceSender;
pub use webhooks::HttpWebhookSender;

/// Makes AWS-LC the cryptography of every TLS connection of the process. To be called at the start of `main`; calling
/// it again changes nothing.
pub fn install_crypto_provider() {
    // An error would mean that a provider is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
