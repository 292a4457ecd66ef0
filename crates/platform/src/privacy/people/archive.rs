//! Everything about a person as one file: a JSON document, and the files that go with it.
//!
//! It is put together on a disk, one file after another, and given out from there: what somebody has sent in over the
//! years is more than a gateway has memory for.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    time::Duration,
};

use actix_web::web::Bytes;
use futures_util::{Stream, stream};
use kernel::Problem;
use storage::problems::INTERNAL_ERROR;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::spawn_blocking,
    time::timeout,
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{changes::Gathered, model::PersonalDataExport};
use crate::{ports::KeptFiles, privacy::FileContent, problems::FILES_UNAVAILABLE};

/// The document's name in the archive.
pub const DOCUMENT: &str = "personal-data.json";

/// Where the files are named that are not in the archive, each with the reason.
pub const LEFT_OUT: &str = "files-left-out.txt";

/// How many bytes of files from the store an archive holds. The others are downloaded one by one.
const MOST_KEPT: u64 = 256 * 1024 * 1024;

/// How many archives are put together at once: each holds one file in memory.
static TURNS: Semaphore = Semaphore::const_new(2);

/// How long one waits for a turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// An archive is given out in pieces of so many bytes.
const PIECE: usize = 64 * 1024;

/// The right to put one archive together.
#[derive(Debug)]
pub struct Turn {
    _permit: SemaphorePermit<'static>,
}

/// An archive, complete.
#[derive(Debug)]
pub struct Archive {
    /// The file, at its beginning.
    pub file: File,
    /// How long it is.
    pub length: u64,
}

/// Waits for a turn.
///
/// # Errors
/// `files-unavailable` when too many are waiting.
pub async fn turn() -> Result<Turn, Problem> {
    match timeout(PATIENCE, TURNS.acquire()).await {
        Ok(Ok(permit)) => Ok(Turn { _permit: permit }),
        Ok(Err(_)) | Err(_) => Err(unavailable("too many archives are being put together")),
    }
}

/// Puts an archive together, the same bytes for the same things: its entries carry no time of their own. Files from the
/// store are fetched one after another, as many as there is room for. Not inside a transaction.
///
/// # Errors
/// `files-unavailable` when a file cannot be had now, or the disk takes no more. One that is lost is named in the archive
/// and refuses nobody the others.
pub async fn packed(turn: Turn, gathered: Gathered, files: &dyn KeptFiles) -> Result<Archive, Problem> {
    let Gathered { document, files: held } = gathered;
    let file = files.scratch().map_err(|error| failed(&error))?;
    let packing = Packing { archive: Box::new(ZipWriter::new(file)), _turn: turn };
    let mut packing = packing.go_on(move |archive| described(archive, &document)).await?;
    let (mut room, mut left_out) = (MOST_KEPT, Vec::new());
    for (name, content) in held {
        let bytes = match content {
            FileContent::Made(bytes) => bytes,
            FileContent::Kept { key, length } => {
                let Some(left) = room.checked_sub(length) else {
                    left_out.push(format!("{name}: no room for it here; download it by itself"));
                    continue;
                };
                let Some(bytes) = files.read(&key, length).await.map_err(|error| failed(&error))? else {
                    tracing::error!(key, "a file that is held is lost");
                    left_out.push(format!("{name}: lost"));
                    continue;
                };
                room = left;
                bytes
            }
        };
        packing = packing.go_on(move |archive| added(archive, &name, &bytes)).await?;
    }
    if !left_out.is_empty() {
        packing = packing.go_on(move |archive| added(archive, LEFT_OUT, left_out.join("\n").as_bytes())).await?;
    }
    on_disk(move || packing.finished()).await
}

/// An archive that is being written. It keeps its turn also while nobody waits for it any more.
struct Packing {
    /// Some kilobytes of tables, which no future should carry from one step to the next.
    archive: Box<ZipWriter<File>>,
    _turn: Turn,
}

impl Packing {
    /// Writes something more.
    async fn go_on(
        mut self,
        write: impl FnOnce(&mut ZipWriter<File>) -> io::Result<()> + Send + 'static,
    ) -> Result<Self, Problem> {
        on_disk(move || write(&mut self.archive).map(|()| self)).await
    }

    fn finished(self) -> io::Result<Archive> {
        let mut file = self.archive.finish()?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(0))?;
        Ok(Archive { file, length })
    }
}

/// On a thread that may take its time.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Problem> {
    let done = spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "an archive was not written to its end");
        Problem::new(&INTERNAL_ERROR)
    })?;
    done.map_err(|error| failed(&error))
}

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
}

fn described(archive: &mut ZipWriter<File>, document: &PersonalDataExport) -> io::Result<()> {
    added(archive, DOCUMENT, &serde_json::to_vec_pretty(document)?)
}

fn added(archive: &mut ZipWriter<File>, name: &str, bytes: &[u8]) -> io::Result<()> {
    archive.start_file(name, options())?;
    archive.write_all(bytes)
}

fn failed(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "an archive could not be put together");
    unavailable("the archive cannot be put together now")
}

fn unavailable(detail: &'static str) -> Problem {
    Problem::new(&FILES_UNAVAILABLE).detail(detail).retry_after(30)
}

impl Archive {
    /// The archive, piece by piece.
    pub fn pieces(self) -> impl Stream<Item = io::Result<Bytes>> + use<> {
        stream::try_unfold(self.file, |mut file| async move {
            let read = spawn_blocking(move || {
                let mut piece = vec![0; PIECE];
                let read = file.read(&mut piece)?;
                piece.truncate(read);
                Ok::<_, io::Error>((Bytes::from(piece), file))
            });
            let (piece, file) = read.await.map_err(io::Error::other)??;
            Ok((!piece.is_empty()).then_some((piece, file)))
        })
    }
}
