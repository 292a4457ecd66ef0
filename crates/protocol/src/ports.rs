//! What is asked of the Comune's own protocol system, as a trait: `connectors` implements it over the network.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use documents::files::DocumentId;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::{
    connections::ConnectorKind,
    entries::{DocumentRef, Whole},
};

storage::text_enum! {
    /// Something that a connector does. What is not listed, it does not do, and says so.
    pub enum Capability {
        /// Has a document registered.
        Register = "register",
        /// Finds what was registered under a key, where nobody knows what came of an attempt.
        Lookup = "lookup",
        /// Refuses to register the same key twice.
        Idempotency = "idempotency",
        /// Hands on the files themselves, not only their names and digests.
        Contents = "contents",
        /// Has a registration annulled.
        Annulment = "annulment",
        /// Assigns documents to offices.
        Assignment = "assignment",
        /// Puts documents into dossiers (fascicoli).
        Dossiers = "dossiers",
    }
}

/// Where the protocol system is, and how one gets in.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Its address.
    pub base_url: String,
    /// Whether its host is one that the Comune names as its own: it may be in a private network.
    pub own: bool,
    /// The user.
    pub username: Option<String>,
    /// The code of the Comune in that system (codice ente).
    pub entity_code: Option<String>,
    /// Password or token.
    pub credential: Option<String>,
}

/// The first registration of something that got its ordinary number later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// The emergency register.
    pub register_code: String,
    /// The number there.
    pub number: i64,
    /// Its year.
    pub year: i64,
    /// When.
    pub registered_at: Timestamp,
}

/// What is to be registered.
#[derive(Clone)]
pub struct Submission {
    /// The same however often it is tried.
    pub key: String,
    /// What the Comune is called.
    pub comune: String,
    /// What the office is called.
    pub office: String,
    /// The entry in the register here.
    pub whole: Whole,
    /// Where it was registered first, of what was registered in an emergency.
    pub first: Option<First>,
    /// What is in those of its files that are kept here, where the connector hands it on.
    pub contents: BTreeMap<DocumentId, Bytes>,
}

impl Submission {
    /// What is in a file, where that is handed on.
    pub fn content(&self, file: &DocumentRef) -> Option<&Bytes> {
        self.contents.get(&file.document_id?)
    }
}

kernel::redacted_debug!(Target, Submission);

/// What was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The register, where the system names it.
    pub register: Option<String>,
    /// The number, as the system writes it.
    pub number: String,
    /// Its year.
    pub year: i64,
    /// When, where the system says so.
    pub registered_at: Option<Timestamp>,
    /// How the system itself knows the document.
    pub reference: Option<String>,
}

/// Why nothing was registered, or why nobody knows. The codes are ours: no text of another system is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Nothing was done; the same may do later.
    #[error("not now: {0}")]
    Retryable(&'static str),
    /// Nothing was done, and the same will not do.
    #[error("refused: {0}")]
    Permanent(&'static str),
    /// It was sent, and nobody knows what came of it.
    #[error("nobody knows: {0}")]
    UnknownOutcome(&'static str),
}

/// A protocol system.
pub trait ProtocolConnector: fmt::Debug + Send + Sync {
    /// What it can do; nothing else is asked of it.
    fn capabilities(&self) -> &'static [Capability];

    /// Has a document registered, once.
    ///
    /// The implementation bounds size and time, follows no redirect and connects to no address that
    /// [`may_connect`](platform::webhooks::addresses::may_connect) does not allow. The document is given away, so that
    /// its contents need not be kept beside what is sent of them.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] says whether it may be tried again.
    fn register<'a>(&'a self, target: &'a Target, what: Submission) -> BoxFuture<'a, Result<Receipt, ProtocolError>>;

    /// Finds what was registered under a key.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Permanent`] where the system cannot look up.
    fn find_by_key<'a>(
        &'a self,
        target: &'a Target,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Receipt>, ProtocolError>>;
}

/// The register here, as a protocol system: what is entered has its number already.
#[derive(Debug, Clone, Copy)]
pub struct Internal;

impl ProtocolConnector for Internal {
    fn capabilities(&self) -> &'static [Capability] {
        // Nothing is sent, so there is nothing to look up; an entry is annulled where it is.
        &[Capability::Register, Capability::Idempotency]
    }

    fn register<'a>(&'a self, _: &'a Target, what: Submission) -> BoxFuture<'a, Result<Receipt, ProtocolError>> {
        let entry = &what.whole.entry;
        let receipt = Receipt {
            register: Some(entry.register_code.clone()),
            number: format!("{:07}", entry.number),
            year: entry.year,
            registered_at: Some(entry.registered_at),
            reference: Some(entry.id.to_string()),
        };
        Box::pin(async move { Ok(receipt) })
    }

    fn find_by_key<'a>(&'a self, _: &'a Target, _: &'a str) -> BoxFuture<'a, Result<Option<Receipt>, ProtocolError>> {
        Box::pin(async { Err(ProtocolError::Permanent("cannot-look-up")) })
    }
}

/// The connectors there are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Connectors(Arc<BTreeMap<ConnectorKind, Arc<dyn ProtocolConnector>>>);

impl Connectors {
    /// The register here alone.
    pub fn internal() -> Self {
        let internal: Arc<dyn ProtocolConnector> = Arc::new(Internal);
        Self(Arc::new(BTreeMap::from([(ConnectorKind::Internal, internal)])))
    }

    /// These, and another.
    #[must_use]
    pub fn with(self, kind: ConnectorKind, connector: impl ProtocolConnector + 'static) -> Self {
        let mut all: BTreeMap<_, _> = self.0.iter().map(|(kind, one)| (*kind, Arc::clone(one))).collect();
        all.insert(kind, Arc::new(connector));
        Self(Arc::new(all))
    }

    /// The connector of a kind.
    pub fn of(&self, kind: ConnectorKind) -> Option<&Arc<dyn ProtocolConnector>> {
        self.0.get(&kind)
    }

    /// What the connector of a kind can do; nothing where there is none.
    pub fn capabilities(&self, kind: ConnectorKind) -> &'static [Capability] {
        self.of(kind).map_or(&[], |connector| connector.capabilities())
    }
}
