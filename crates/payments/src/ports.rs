//! What payments ask of a provider (prestatore, partner tecnologico): `connectors` speaks with pagoPA, and
//! [`simulated`](crate::simulated) plays a provider that takes no money.
//!
//! No call is made inside a transaction. Each is made once: whoever calls decides whether to try again.

use std::{fmt, time::Duration};

use futures_util::{future::BoxFuture, stream::BoxStream};
use jiff::Timestamp;
use storage::TenantId;

use crate::debts::address::Address;

/// The Comune, as the provider knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Creditor {
    /// The Comune here.
    pub tenant: TenantId,
    /// Its codice fiscale: eleven digits.
    pub tax_code: String,
    /// What it is called on notices.
    pub company_name: String,
    /// The subscription key.
    pub key: String,
}

/// Who pays.
#[derive(Clone, PartialEq, Eq)]
pub struct Payer {
    /// Whether it is an organisation.
    pub is_organisation: bool,
    /// The codice fiscale.
    pub tax_code: String,
    /// The whole name.
    pub full_name: String,
    /// The e-mail address, for the pay page.
    pub email: Option<String>,
    /// Where they live, for the printed notice.
    pub address: Option<Address>,
}

/// Where money goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To an account.
    Iban(String),
    /// To the State, as a revenue stamp (marca da bollo) for a document.
    Stamp {
        /// SHA-256 of the document, base64.
        document_digest: String,
        /// Province of residence: two letters.
        province: String,
    },
}

/// One part of a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// How much, in cents.
    pub amount_cents: i64,
    /// What for.
    pub description: String,
    /// Its code in pagoPA's taxonomy.
    pub taxonomy_code: String,
    /// Where it goes.
    pub destination: Destination,
}

/// A debt, as the provider is told of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Position {
    /// What we call it there (IUPD): the same whenever it is sent again.
    pub id: String,
    /// IUV.
    pub iuv: String,
    /// Notice number.
    pub notice_number: String,
    /// How much, in cents.
    pub amount_cents: i64,
    /// What for.
    pub description: String,
    /// Until when it can be paid.
    pub due_at: Timestamp,
    /// Who pays.
    pub payer: Payer,
    /// What it consists of.
    pub transfers: Vec<Transfer>,
}

/// Where the pay page sends people back to.
#[derive(Clone, PartialEq, Eq)]
pub struct ReturnUrls {
    /// After it said that all went well; which proves nothing.
    pub ok: String,
    /// After they gave up.
    pub cancel: String,
    /// After something went wrong.
    pub error: String,
}

// They hold names, keys, or addresses with tokens of the front end.
kernel::redacted_debug!(Creditor, Payer, Position, ReturnUrls);

/// How a position stands with the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Known, and not yet to be paid.
    Unpublished,
    /// To be paid.
    Open,
    /// Past its date.
    Expired,
    /// Withdrawn.
    Withdrawn,
    /// Paid.
    Paid(Settlement),
}

/// What was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// How much of what is owed, in cents: without what the provider has people pay on top.
    pub amount_cents: i64,
    /// When, where the provider says.
    pub paid_at: Option<Timestamp>,
    /// What the provider calls the receipt (IUR).
    pub receipt: Option<String>,
}

/// A position as the provider has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Notice number.
    pub notice_number: String,
    /// How much is asked, in cents, without what the provider adds.
    pub amount_cents: i64,
    /// How it stands.
    pub standing: Standing,
}

/// A file on its way through.
pub struct Document {
    /// Its media type.
    pub media_type: String,
    /// Its bytes, as they come. An error breaks the answer off.
    pub body: BoxStream<'static, Result<Vec<u8>, std::io::Error>>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("media_type", &self.media_type).finish_non_exhaustive()
    }
}

/// Why a provider did not do it. The texts are words for the log: they hold nothing of the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderDenied {
    /// It did nothing, and will later; after so long, where it said so.
    #[error("not now: {reason}")]
    Temporary {
        /// Why.
        reason: String,
        /// How long to wait.
        retry_after: Option<Duration>,
    },
    /// Nobody knows whether it did: the answer got lost.
    #[error("perhaps done: {0}")]
    Unknown(String),
    /// There is one already.
    #[error("there is one already")]
    Exists,
    /// There is none.
    #[error("there is none")]
    Missing,
    /// The key is not accepted, or not for this.
    #[error("the key is not accepted (status {0})")]
    Key(u16),
    /// It takes no such thing.
    #[error("not accepted: {0}")]
    Refused(String),
}

/// A provider of payments.
pub trait PaymentProvider: fmt::Debug + Send + Sync {
    /// Makes a position that can be paid at once.
    ///
    /// # Errors
    /// [`ProviderDenied`] says whether it may have been made.
    fn create<'a>(&'a self, of: &'a Creditor, position: &'a Position) -> BoxFuture<'a, Result<(), ProviderDenied>>;

    /// Puts a position that is not yet to be paid in the place of the one of the same name.
    ///
    /// # Errors
    /// [`ProviderDenied`] says whether it may have been done.
    fn update<'a>(&'a self, of: &'a Creditor, position: &'a Position) -> BoxFuture<'a, Result<(), ProviderDenied>>;

    /// Has a position paid that was not yet to be.
    ///
    /// # Errors
    /// [`ProviderDenied`] says whether it may have been done.
    fn publish<'a>(&'a self, of: &'a Creditor, id: &'a str) -> BoxFuture<'a, Result<(), ProviderDenied>>;

    /// Has a position no longer paid.
    ///
    /// # Errors
    /// [`ProviderDenied`]; `Refused` where it was paid.
    fn withdraw<'a>(&'a self, of: &'a Creditor, id: &'a str) -> BoxFuture<'a, Result<(), ProviderDenied>>;

    /// How a position stands; nothing where there is none.
    ///
    /// # Errors
    /// [`ProviderDenied`] says whether asking again makes sense.
    fn status<'a>(&'a self, of: &'a Creditor, id: &'a str) -> BoxFuture<'a, Result<Option<Found>, ProviderDenied>>;

    /// Opens a pay page for one position: its address, which is given to the person and never followed here.
    ///
    /// # Errors
    /// [`ProviderDenied`] says whether asking again makes sense.
    fn cart<'a>(
        &'a self,
        of: &'a Creditor,
        position: &'a Position,
        back: &'a ReturnUrls,
    ) -> BoxFuture<'a, Result<String, ProviderDenied>>;

    /// The notice to pay with (avviso di pagamento), as PDF.
    ///
    /// # Errors
    /// [`ProviderDenied`] says whether asking again makes sense.
    fn notice<'a>(
        &'a self,
        of: &'a Creditor,
        position: &'a Position,
    ) -> BoxFuture<'a, Result<Document, ProviderDenied>>;

    /// The receipt of what was paid (ricevuta telematica).
    ///
    /// # Errors
    /// [`ProviderDenied`] says whether asking again makes sense.
    fn receipt<'a>(
        &'a self,
        of: &'a Creditor,
        position: &'a Position,
    ) -> BoxFuture<'a, Result<Document, ProviderDenied>>;
}
