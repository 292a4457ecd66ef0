//! All that is looked at before a file is kept, in order. Reads and writes the gateway's own disk and takes its time:
//! to be called on a thread that may.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

use aws_lc_rs::digest::{Context, SHA256};
use kernel::Problem;

use super::{
    archives, names, pictures,
    spool::{self, Spooled},
    types::{self, Sniffed},
};
use crate::{
    files::model::MediaType,
    problems::{ARCHIVE_NOT_ACCEPTED, DOCUMENT_TYPE_MISMATCH, DOCUMENT_TYPE_NOT_ALLOWED, DOCUMENT_UNREADABLE},
};

/// What the caller says of a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Declared {
    /// What type it is; none where they leave that to its bytes.
    pub media_type: Option<MediaType>,
    /// What it is called.
    pub name: Option<String>,
}

/// A file that may be kept.
pub struct Looked {
    /// The file as it is kept.
    pub file: Arc<File>,
    /// How long that is.
    pub length: u64,
    /// SHA-256 of it, hexadecimal.
    pub sha256: String,
    /// What it is.
    pub media_type: MediaType,
    /// What it is called.
    pub name: String,
}

kernel::redacted_debug!(Declared, Looked);

/// Looks at a file.
///
/// # Errors
/// `document-unreadable`, `document-type-not-allowed`, `document-type-mismatch`, `archive-not-accepted`, or
/// `documents-unavailable` where the disk fails.
pub fn look(spooled: Spooled, declared: &Declared, allowed: &[MediaType], folder: &Path) -> Result<Looked, Problem> {
    if spooled.length == 0 {
        return Err(unreadable("the file is empty"));
    }
    let media_type = found(&spooled, declared).map_err(|other| not_taken(&other, declared, allowed))?;
    match declared.media_type {
        Some(said) if said != media_type => return Err(mismatch(said, media_type.as_str())),
        _ => {}
    }
    if !allowed.contains(&media_type) {
        return Err(not_allowed(media_type.as_str(), allowed));
    }
    let name = names::safe(declared.name.as_deref().unwrap_or_default(), media_type);
    let (file, length, sha256) = match media_type {
        MediaType::Jpeg | MediaType::Png => picture(&spooled.file, media_type, folder)?,
        _ => (spooled.file, spooled.length, spooled.sha256),
    };
    Ok(Looked { file: Arc::new(file), length, sha256, media_type, name })
}

/// Why a file is of none of our types.
enum Other {
    /// It is something else, under this name.
    Type(&'static str),
    /// It is refused whatever it is.
    Refused(Problem),
}

fn found(spooled: &Spooled, declared: &Declared) -> Result<MediaType, Other> {
    match types::sniff(&spooled.head) {
        Sniffed::Known(media_type) => Ok(media_type),
        Sniffed::Other(name) => Err(Other::Type(name)),
        Sniffed::Text => match is_text(&spooled.file) {
            Ok(true) => Ok(types::of_text(declared.media_type, declared.name.as_deref())),
            Ok(false) => Err(Other::Type("application/octet-stream")),
            Err(error) => Err(Other::Refused(spool::disk(&error))),
        },
        Sniffed::Container => archives::look(&spooled.file, spooled.length).map_err(|fault| match fault {
            archives::Fault::Other(name) => Other::Type(name),
            archives::Fault::Refused(why) => Other::Refused(Problem::new(&ARCHIVE_NOT_ACCEPTED).detail(why)),
            archives::Fault::Damaged => Other::Refused(unreadable("the container is damaged")),
            archives::Fault::Disk(error) => Other::Refused(spool::disk(&error)),
        }),
    }
}

/// Whether a file is text to its end, and not only where it begins.
fn is_text(file: &File) -> io::Result<bool> {
    let mut file = file;
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { return Ok(true) };
        if !types::is_text(piece) {
            return Ok(false);
        }
    }
}

fn picture(file: &File, media_type: MediaType, folder: &Path) -> Result<(File, u64, String), Problem> {
    let disk = |error: io::Error| spool::disk(&error);
    let clean = spool::nameless(folder).map_err(disk)?;
    pictures::cleaned(file, media_type, &clean).map_err(|fault| match fault {
        pictures::Fault::Damaged => unreadable("the image is damaged"),
        pictures::Fault::TooManyPixels => unreadable("the image has too many pixels"),
        pictures::Fault::Disk(error) => spool::disk(&error),
    })?;
    let (length, sha256) = measured(&clean).map_err(disk)?;
    Ok((clean, length, sha256))
}

fn measured(file: &File) -> io::Result<(u64, String)> {
    let (mut file, mut digest, mut length) = (file, Context::new(&SHA256), 0_u64);
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            return Ok((length, hex::encode(digest.finish())));
        };
        digest.update(piece);
        length = length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
}

/// What is none of ours was perhaps declared as one: then that is what is amiss.
fn not_taken(other: &Other, declared: &Declared, allowed: &[MediaType]) -> Problem {
    match (other, declared.media_type) {
        (Other::Refused(problem), _) => problem.clone(),
        (Other::Type(name), Some(said)) => mismatch(said, name),
        (Other::Type(name), None) => not_allowed(name, allowed),
    }
}

/// The refusal of a type that is not taken.
pub fn not_allowed(name: &str, allowed: &[MediaType]) -> Problem {
    let allowed: Vec<&str> = allowed.iter().map(|media_type| media_type.as_str()).collect();
    Problem::new(&DOCUMENT_TYPE_NOT_ALLOWED).detail(format!("not taken here: {name}")).with("allowed_types", allowed)
}

fn mismatch(said: MediaType, name: &str) -> Problem {
    Problem::new(&DOCUMENT_TYPE_MISMATCH)
        .detail(format!("declared {}, found {name}", said.as_str()))
        .with("declared", said.as_str())
        .with("found", name)
}

fn unreadable(detail: &str) -> Problem {
    Problem::new(&DOCUMENT_UNREADABLE).detail(detail)
}
