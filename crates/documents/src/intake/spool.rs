//! A file while it comes in: on a disk of the gateway's, under no name, so that nothing of it is left when the upload
//! is cut off or the gateway dies.

use std::{fs::File, io, path::Path, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use kernel::Problem;
use platform::problems::MALFORMED_BODY;
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout},
};

use super::types::HEAD;
use crate::problems::{DOCUMENT_TOO_LARGE, unavailable};

/// How long the next piece may be waited for.
const STALLED: Duration = Duration::from_secs(30);

/// How long all of it may take: who sends a byte now and then would otherwise go on for days.
const TAKEN_IN_WITHIN: Duration = Duration::from_secs(15 * 60);

/// How long a body may come as slowly as it likes.
const BEGUN_WITHIN: Duration = Duration::from_secs(30);

/// How many bytes a second it must have come by at least, once it has had that long: a place is not held with a byte now
/// and then. A bad line in the mountains does more.
const LEAST_RATE: u64 = 2048;

/// A file that has come in whole.
#[derive(Debug)]
pub struct Spooled {
    /// The file, at its end.
    pub file: File,
    /// How long it is.
    pub length: u64,
    /// SHA-256 of what came, hexadecimal.
    pub sha256: String,
    /// Its first bytes.
    pub head: Vec<u8>,
}

/// Takes a body in, piece by piece.
///
/// # Errors
/// `document-too-large` as soon as it is; `malformed-body` where it breaks off; `documents-unavailable` where the disk
/// will not take it.
pub async fn receive<E>(
    body: impl Stream<Item = Result<Bytes, E>>,
    folder: &Path,
    most: u64,
) -> Result<Spooled, Problem> {
    let received = timeout(TAKEN_IN_WITHIN, pieces(body, folder, most)).await;
    received.map_err(|_too_slow| Problem::new(&MALFORMED_BODY).detail("the body took too long"))?
}

async fn pieces<E>(body: impl Stream<Item = Result<Bytes, E>>, folder: &Path, most: u64) -> Result<Spooled, Problem> {
    let mut body = std::pin::pin!(body);
    let mut file = tokio::fs::File::from_std(nameless(folder).map_err(|error| disk(&error))?);
    let (mut length, mut head, mut digest) = (0_u64, Vec::new(), Context::new(&SHA256));
    let started = Instant::now();
    let broken_off = |detail: &str| Problem::new(&MALFORMED_BODY).detail(detail);
    while let Some(piece) = timeout(STALLED, body.next()).await.map_err(|_stalled| broken_off("the body stalled"))? {
        let piece = piece.map_err(|_broken_off| broken_off("the body broke off"))?;
        length = length.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if length > most {
            return Err(too_large(most));
        }
        if is_too_slow(length, started.elapsed()) {
            return Err(broken_off("the body came too slowly"));
        }
        head.extend(piece.iter().take(HEAD.saturating_sub(head.len())));
        digest.update(&piece);
        file.write_all(&piece).await.map_err(|error| disk(&error))?;
    }
    file.flush().await.map_err(|error| disk(&error))?;
    let file = file.into_std().await;
    Ok(Spooled { file, length, sha256: hex::encode(digest.finish()), head })
}

fn is_too_slow(length: u64, elapsed: Duration) -> bool {
    elapsed > BEGUN_WITHIN && length < elapsed.as_secs().saturating_mul(LEAST_RATE)
}

/// A file that no folder lists.
///
/// # Errors
/// When the disk will not give one.
pub fn nameless(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

/// The refusal of what is too long.
pub fn too_large(most: u64) -> Problem {
    Problem::new(&DOCUMENT_TOO_LARGE).detail(format!("at most {most} bytes")).with("max_bytes", most)
}

/// The disk of the gateway is full, or not there.
pub fn disk(error: &io::Error) -> Problem {
    tracing::error!(%error, "a file that comes in cannot be kept while it is looked at (documents.spool_folder)");
    unavailable("the file could not be looked at")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_a_byte_now_and_then_is_not_waited_for() {
        let after = Duration::from_secs;
        assert!(!is_too_slow(1, after(29)));
        assert!(is_too_slow(100, after(31)));
        assert!(!is_too_slow(64 * 1024, after(31)));
        assert!(is_too_slow(64 * 1024, after(60)));
    }
}
