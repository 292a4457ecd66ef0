//! Papers that a Comune gives to people, as PDF files: receipts, notices, outcomes.
//!
//! [`render`] makes a file of a [`Paper`] and of nothing else. It reads no clock, draws no random
//! numbers and looks at no file, so the same paper gives the same bytes wherever it is rendered: a
//! stored digest still fits when the file is made again.
//!
//! Every file is tagged and keeps to PDF/UA-1 (ISO 14289-1), by which a PDF can be as accessible as
//! L. 9 January 2004, n. 4 asks of the administration's documents, and to PDF/A-2a (ISO 19005-2), a
//! format that annex 2 of AgID's guidelines on electronic documents recommends for preservation. The
//! writer checks what a program can check of both and refuses the rest.
//!
//! | file | what it knows |
//! |---|---|
//! | `model.rs` | what a paper consists of, and how much of it |
//! | `clean.rs` | which characters of somebody's text reach the paper |
//! | `fonts.rs`, `lines.rs` | letters, and lines of them |
//! | `layout.rs`, `code.rs`, `pages.rs` | what stands where |
//! | `tags.rs`, `outline.rs` | what a screen reader is told |
//! | `write.rs` | the file |

mod clean;
mod code;
mod fonts;
mod layout;
mod lines;
mod model;
mod outline;
mod pages;
mod tags;
mod write;

#[cfg(test)]
mod tests;

// krilla compresses with flate2, whose results depend on which of its back ends was compiled in. The
// workspace's other crates ask for zlib-rs; by asking too, this crate writes the same bytes when it
// is built without them.
use flate2 as _;

pub use model::{
    Block, Level, MAX_CHARACTERS, MAX_LINE, MAX_PARTS, MAX_SYMBOL, MAX_TEXT, MAX_URL, Paper, PdfError, Symbol,
};

/// The PDF file of a paper.
///
/// Takes some milliseconds for a page in a release build; the limits in this crate keep the largest
/// paper within seconds, so a caller under a deadline gives it a thread of its own.
///
/// # Errors
/// [`PdfError::TooManyParts`] and [`PdfError::TooMuchText`] for a paper beyond the limits; no text
/// within them is refused. [`PdfError::Font`] and [`PdfError::Writer`] tell of a fault in this crate.
pub fn render(paper: &Paper) -> Result<Vec<u8>, PdfError> {
    paper.check()?;
    let layout = layout::lay_out(paper)?;
    write::write(paper, layout)
}
