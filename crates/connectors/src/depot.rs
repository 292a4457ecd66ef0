//! Where the bytes of documents lie: a folder of this machine, or a store that speaks S3.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::{DirBuilderExt, FileExt, PermissionsExt},
    path::{Path as FsPath, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use documents::ports::{Content, Depot, DepotFailure};
use futures_util::{StreamExt, future::BoxFuture};
use jiff::Timestamp;
use object_store::{
    ClientOptions, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig,
    aws::AmazonS3Builder, local::LocalFileSystem, path::Path,
};

use crate::outgoing::{chain, is_this_machine};

/// Files are written in pieces of so many bytes; S3 takes none smaller than five million, but for the last.
const PIECE: usize = 8 * 1024 * 1024;

/// Why a store cannot be used, as it is set.
#[derive(Debug, thiserror::Error)]
pub enum DepotError {
    /// The folder.
    #[error("{0}: {1}")]
    Folder(PathBuf, io::Error),
    /// The address of the store.
    #[error("use https, or http to this machine")]
    Cleartext,
    /// Something else that the library does not take.
    #[error("{0}")]
    Store(String),
}

impl From<Error> for DepotError {
    fn from(error: Error) -> Self {
        Self::Store(chain(&error))
    }
}

/// A bucket of a store that speaks S3.
#[derive(Clone)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// The address of the store; none: Amazon's, in the region.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// Key and secret; none: those of the role that a machine at Amazon's (EC2) has.
    pub credentials: Option<(String, String)>,
}

kernel::redacted_debug!(Bucket);

/// A store of objects.
#[derive(Debug)]
pub struct ObjectDepot {
    store: Arc<dyn ObjectStore>,
    /// Where it is a folder.
    folder: Option<PathBuf>,
}

impl ObjectDepot {
    /// A folder. Where it is missing it is made, and then nobody but the user of the server reads it; one that is there is
    /// somebody's decision, and is told of where others may look into it.
    ///
    /// # Errors
    /// When it cannot be made or used.
    pub fn in_folder(folder: &FsPath) -> Result<Self, DepotError> {
        let wrong = |error| DepotError::Folder(folder.to_owned(), error);
        match fs::metadata(folder) {
            Ok(there) if there.permissions().mode() & 0o077 != 0 => {
                let mode = format!("{:o}", there.permissions().mode() & 0o777);
                tracing::warn!(folder = %folder.display(), mode, "the folder of documents is open to others: chmod 700");
            }
            Ok(_) => {}
            Err(_) => fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrong)?,
        }
        let store = LocalFileSystem::new_with_prefix(folder)?.with_automatic_cleanup(true).with_fsync(true);
        Ok(Self { store: Arc::new(store), folder: Some(folder.to_owned()) })
    }

    /// A bucket. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When what is set cannot be meant.
    pub fn in_bucket(bucket: &Bucket) -> Result<Self, DepotError> {
        let cleartext = match &bucket.endpoint {
            None => false,
            Some(endpoint) => {
                let parsed = reqwest::Url::parse(endpoint).map_err(|error| DepotError::Store(error.to_string()))?;
                let here = parsed.host_str().is_some_and(is_this_machine);
                if parsed.scheme() != "https" && !(parsed.scheme() == "http" && here) {
                    return Err(DepotError::Cleartext);
                }
                parsed.scheme() == "http"
            }
        };
        // A file may take as long as whoever reads it takes; what may not is a store that says nothing.
        let client = ClientOptions::new()
            .with_allow_http(cleartext)
            .with_timeout_disabled()
            .with_connect_timeout(Duration::from_secs(5))
            .with_read_timeout(Duration::from_secs(30));
        let retry = RetryConfig { max_retries: 3, retry_timeout: Duration::from_secs(20), ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&bucket.name)
            .with_region(&bucket.region)
            .with_client_options(client)
            .with_allow_http(cleartext)
            .with_retry(retry);
        if let Some(endpoint) = &bucket.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some((key, secret)) = &bucket.credentials {
            builder = builder.with_access_key_id(key).with_secret_access_key(secret);
        }
        Ok(Self { store: Arc::new(builder.build()?), folder: None })
    }

    async fn write(&self, path: &Path, file: Arc<File>, length: u64) -> Result<(), DepotFailure> {
        let first = piece(Arc::clone(&file), 0, length).await?;
        if u64::try_from(first.content_length()).is_ok_and(|read| read == length) {
            self.store.put(path, first).await.map_err(failure)?;
            return Ok(());
        }
        let mut upload = self.store.put_multipart(path).await.map_err(failure)?;
        let mut next = first;
        let mut offset = 0_u64;
        let outcome = loop {
            offset = offset.saturating_add(u64::try_from(next.content_length()).unwrap_or(u64::MAX));
            if let Err(error) = upload.put_part(next).await {
                break Err(failure(error));
            }
            if offset >= length {
                break Ok(());
            }
            match piece(Arc::clone(&file), offset, length).await {
                Ok(piece) => next = piece,
                Err(error) => break Err(error),
            }
        };
        let outcome = match outcome {
            Ok(()) => upload.complete().await.map(|_| ()).map_err(failure),
            Err(error) => Err(error),
        };
        if outcome.is_err()
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(error = chain(&error), "what was begun in the store could not be taken back");
        }
        outcome
    }
}

/// The next piece of a file.
async fn piece(file: Arc<File>, offset: u64, length: u64) -> Result<PutPayload, DepotFailure> {
    let read = tokio::task::spawn_blocking(move || {
        let left = usize::try_from(length.saturating_sub(offset)).unwrap_or(PIECE).min(PIECE);
        let mut bytes = vec![0; left];
        file.read_exact_at(&mut bytes, offset).map(|()| Bytes::from(bytes))
    });
    let read = read.await.map_err(|error| DepotFailure::Unavailable(error.to_string()))?;
    read.map(PutPayload::from).map_err(|error| DepotFailure::Unavailable(format!("the file to be written: {error}")))
}

fn failure(error: Error) -> DepotFailure {
    match error {
        Error::NotFound { .. } => DepotFailure::Missing,
        other => DepotFailure::Unavailable(chain(&other)),
    }
}

fn parsed(key: &str) -> Result<Path, DepotFailure> {
    Path::parse(key).map_err(|error| DepotFailure::Unavailable(error.to_string()))
}

impl Depot for ObjectDepot {
    fn put<'a>(&'a self, key: &'a str, file: Arc<File>, length: u64) -> BoxFuture<'a, Result<(), DepotFailure>> {
        Box::pin(async move { self.write(&parsed(key)?, file, length).await })
    }

    fn get<'a>(&'a self, key: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Content, DepotFailure>> {
        Box::pin(async move {
            let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
            let found = self.store.get_opts(&parsed(key)?, options).await.map_err(failure)?;
            let content: Content = found.into_stream().map(|piece| piece.map_err(io::Error::other)).boxed();
            Ok(content)
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), DepotFailure>> {
        Box::pin(async move {
            match self.store.delete(&parsed(key)?).await.map_err(failure) {
                Ok(()) | Err(DepotFailure::Missing) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    fn tidy(&self, before: Timestamp) -> BoxFuture<'_, Result<usize, DepotFailure>> {
        let Some(folder) = self.folder.clone() else { return Box::pin(async { Ok(0) }) };
        Box::pin(async move {
            let before = SystemTime::from(before);
            let tidied = tokio::task::spawn_blocking(move || tidied(&folder, before));
            let tidied = tidied.await.map_err(|error| DepotFailure::Unavailable(error.to_string()))?;
            tidied.map_err(|error| DepotFailure::Unavailable(error.to_string()))
        })
    }
}

/// Folders and files come and go while they are looked at: what is gone is passed over.
fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Deletes files that the library had begun: what it writes is called `NAME#NUMBER` until it is complete.
fn tidied(folder: &FsPath, before: SystemTime) -> io::Result<usize> {
    let mut gone = 0_usize;
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let Some(entries) = if_there(fs::read_dir(next))? else { continue };
        for entry in entries {
            let Some(entry) = if_there(entry)? else { continue };
            let Some(kind) = if_there(entry.file_type())? else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && entry.file_name().to_string_lossy().contains('#') {
                // Another gateway may have been faster.
                let old = entry.metadata().and_then(|data| data.modified()).is_ok_and(|at| at < before);
                if old && fs::remove_file(entry.path()).is_ok() {
                    gone = gone.saturating_add(1);
                }
            }
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    async fn read(depot: &ObjectDepot, range: Range<u64>) -> Vec<u8> {
        let mut content = depot.get("t/ab/cd", range).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = content.next().await {
            bytes.extend_from_slice(&piece.unwrap());
        }
        bytes
    }

    #[tokio::test]
    async fn what_is_written_is_read_whole_and_in_part_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let depot = ObjectDepot::in_folder(&folder.path().join("documents")).unwrap();
        for length in [1, PIECE, PIECE + 1] {
            let bytes: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let whole = u64::try_from(length).unwrap();
            depot.put("t/ab/cd", Arc::new(file), whole).await.unwrap();
            assert!(read(&depot, 0..whole).await == bytes);
            assert_eq!(read(&depot, whole - 1..whole).await, &bytes[length - 1..]);
            depot.delete("t/ab/cd").await.unwrap();
            depot.delete("t/ab/cd").await.unwrap();
            assert_eq!(depot.get("t/ab/cd", 0..1).await.err(), Some(DepotFailure::Missing));
            // The folders it lay in are gone with it.
            assert_eq!(fs::read_dir(folder.path().join("documents")).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_folder_is_made_for_its_owner_and_left_as_it_is_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let (new, open) = (folder.path().join("new"), folder.path().join("open"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o750)).unwrap();
        for (path, mode) in [(&new, 0o700), (&open, 0o750)] {
            ObjectDepot::in_folder(path).unwrap();
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[tokio::test]
    async fn what_was_begun_and_never_finished_is_tidied_away() {
        let folder = tempfile::tempdir().unwrap();
        let depot = ObjectDepot::in_folder(folder.path()).unwrap();
        fs::create_dir(folder.path().join("t")).unwrap();
        fs::write(folder.path().join("t/abc#1"), b"half").unwrap();
        fs::write(folder.path().join("t/abc"), b"whole").unwrap();
        assert_eq!(depot.tidy(in_hours(-1)).await, Ok(0));
        assert_eq!(depot.tidy(in_hours(1)).await, Ok(1));
        assert!(folder.path().join("t/abc").exists() && !folder.path().join("t/abc#1").exists());
    }

    fn in_hours(hours: i64) -> Timestamp {
        let now = Timestamp::try_from(fs::metadata("/proc/self").unwrap().modified().unwrap()).unwrap();
        Timestamp::from_second(now.as_second() + hours * 3600).unwrap()
    }

    #[test]
    fn a_store_elsewhere_is_spoken_to_over_tls() {
        let with = |endpoint: Option<&str>| {
            crate::install_crypto_provider();
            let bucket = Bucket {
                name: "documents".to_owned(),
                endpoint: endpoint.map(str::to_owned),
                region: "eu-south-1".to_owned(),
                credentials: Some(("key".to_owned(), "secret".to_owned())),
            };
            ObjectDepot::in_bucket(&bucket).is_ok()
        };
        assert!(with(None) && with(Some("https://s3.example")) && with(Some("http://127.0.0.1:9000")));
        assert!(!with(Some("http://s3.example")) && !with(Some("nonsense")));
    }
}
