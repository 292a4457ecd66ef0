//! What documents ask of the outside, as traits: `connectors` implements them, tests implement them in memory.

use std::{fmt, fs::File, io, ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{future::BoxFuture, stream::BoxStream};
use jiff::Timestamp;

/// The bytes of a file, piece by piece.
pub type Content = BoxStream<'static, io::Result<Bytes>>;

/// Where the bytes of documents lie: a folder, or a store that speaks S3. Objects are written once and never changed.
pub trait Depot: fmt::Debug + Send + Sync {
    /// Writes an object: all of the file, of this length, from its beginning. It is there when this ends well, also
    /// after a power cut, and not at all otherwise.
    ///
    /// # Errors
    /// [`DepotFailure`] says why it could not be written.
    fn put<'a>(&'a self, key: &'a str, file: Arc<File>, length: u64) -> BoxFuture<'a, Result<(), DepotFailure>>;

    /// Reads these bytes of an object.
    ///
    /// # Errors
    /// [`DepotFailure`] says why there are none.
    fn get<'a>(&'a self, key: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Content, DepotFailure>>;

    /// Deletes an object. One that is not there is deleted already.
    ///
    /// # Errors
    /// [`DepotFailure`] says why it could not be deleted.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), DepotFailure>>;

    /// Removes what was begun before this instant and never came to be an object: a gateway died while it wrote.
    /// Answers how much there was.
    ///
    /// # Errors
    /// [`DepotFailure`] says why it could not be looked for.
    fn tidy(&self, before: Timestamp) -> BoxFuture<'_, Result<usize, DepotFailure>>;
}

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepotFailure {
    /// There is no such object.
    #[error("there is no such object")]
    Missing,
    /// It cannot be reached, is full, or answered that it will not. The text is for the log.
    #[error("the store of documents: {0}")]
    Unavailable(String),
}

/// What looks for malware.
pub trait Scanner: fmt::Debug + Send + Sync {
    /// Looks through the bytes.
    ///
    /// # Errors
    /// [`ScanFailure`] says why it is not known.
    fn scan(&self, content: Content) -> BoxFuture<'_, Result<Verdict, ScanFailure>>;
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Clean,
    /// Malware, under the name that the scanner has for it.
    Infected(String),
}

/// Why a scan came to no end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanFailure {
    /// No connection, or one that broke. The text is for the log.
    #[error("the scanner could not be reached: {0}")]
    Unreachable(String),
    /// No answer within the time allowed.
    #[error("the scanner did not answer in time")]
    TimedOut,
    /// It answered something else than a verdict, such as that the file is too long for it. The text is for the log.
    #[error("the scanner refused: {0}")]
    Refused(String),
}
