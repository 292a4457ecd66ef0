//! What a paper consists of, and how much of it.

use jiff::Timestamp;
use kernel::{Lang, redacted_debug};
use sha2::{Digest, Sha256};

/// Characters that are kept of a text that stands for one line: title, heading, label, caption,
/// footer, line of the letterhead. Whoever writes more meant something else.
pub const MAX_LINE: usize = 500;
/// Characters that are kept of a longer text: a paragraph, a value, an item of a list.
pub const MAX_TEXT: usize = 20_000;
/// Characters that are kept of an address on paper.
pub const MAX_URL: usize = 2_000;
/// Bytes of an address up to which it gets a QR code. A longer one would need modules of less than
/// half a millimetre, which telephones do not read off ordinary paper.
pub const MAX_SYMBOL: usize = 250;
/// Blocks, rows, items and lines of the letterhead of one paper.
pub const MAX_PARTS: usize = 10_000;
/// Characters of one paper that are kept, all texts together.
pub const MAX_CHARACTERS: usize = 1_000_000;

/// A paper: a letterhead, a title, what it says, and a footer on every page.
///
/// Texts are anybody's: of what they contain, control characters and invisible format characters are
/// dropped, characters that the font has not become U+FFFD, and what goes beyond the limits of this
/// crate is cut off with an ellipsis. `Debug` shows nothing of a paper, which is about a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Paper {
    /// The language all of it is written in.
    pub language: Lang,
    /// Title, shown above the text, in the window's title and first in the outline.
    /// One that is blank is replaced by the author.
    pub title: String,
    /// Who issues the paper, such as `Comune di Bugliano`: the letterhead's first line.
    pub author: String,
    /// Further lines of the letterhead: the office, its address. May be empty.
    pub letterhead: Vec<String>,
    /// Short text at the foot of every page, beside the page's number. May be empty.
    pub footer: String,
    /// When the paper was made, for the file's properties. They know whole seconds, in UTC.
    pub at: Timestamp,
    /// What the paper says, in reading order.
    pub blocks: Vec<Block>,
}

/// A part of what a paper says. One without any text leaves no trace.
#[derive(Clone, PartialEq, Eq)]
pub enum Block {
    /// A heading, also an entry of the outline. It never stands alone at the foot of a page.
    ///
    /// Below the title a document may not skip levels (ISO 14289-1 §7.4.2), so a heading that would
    /// is written as the next level there is.
    Heading(Level, String),
    /// A paragraph. A line break in it is kept, two or more are one empty line.
    Paragraph(String),
    /// Facts by name, as a table of two columns whose rows are headed by the names.
    /// A row that lacks a name or a value shows a dash in its place.
    Facts(Vec<(String, String)>),
    /// A bulleted list.
    List(Vec<String>),
    /// An address to be read off the paper by a telephone, with words beside it.
    Code(Symbol),
}

/// An address as a QR code.
#[derive(Clone, PartialEq, Eq)]
pub struct Symbol {
    /// The address. It also stands in letters beside the code, as a link if it is one of the web.
    /// Longer than [`MAX_SYMBOL`], it stands in letters only.
    pub url: String,
    /// What the code is, for whoever does not see it: `Codice QR dell'indirizzo …`.
    /// The caption takes the place of one that is blank.
    pub alternative: String,
    /// What one finds at the address. May be empty.
    pub caption: String,
}

/// The rank of a heading below the title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Directly below the title.
    One,
    /// Below a heading of level one.
    Two,
    /// Below a heading of level two.
    Three,
}

redacted_debug!(Paper, Block, Symbol);

/// Why a paper was not rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PdfError {
    /// More than [`MAX_PARTS`] blocks, rows, items and lines of the letterhead.
    #[error("a paper has at most {MAX_PARTS} blocks, rows and items; this one has {0}")]
    TooManyParts(usize),
    /// More than [`MAX_CHARACTERS`] characters, of each text those that would be kept.
    #[error("a paper has at most {MAX_CHARACTERS} characters; this one has {0}")]
    TooMuchText(usize),
    /// A font in this crate cannot be read.
    #[error("a built-in font cannot be read")]
    Font,
    /// The writer refused the document, with its reason.
    #[error("the PDF writer refused the document: {0}")]
    Writer(String),
}

impl Paper {
    /// Counts before any work is done.
    pub(crate) fn check(&self) -> Result<(), PdfError> {
        let (mut parts, mut characters) = (0_usize, 0_usize);
        self.visit(&mut |part| match part {
            Part::Mark(_) => parts += 1,
            Part::Text(text, most) => characters += text.chars().take(most).count(),
        });
        if parts > MAX_PARTS {
            return Err(PdfError::TooManyParts(parts));
        }
        if characters > MAX_CHARACTERS {
            return Err(PdfError::TooMuchText(characters));
        }
        Ok(())
    }

    /// A name for the content: equal for equal papers, and for no others.
    pub(crate) fn identity(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.language.tag());
        digest.update(self.at.as_nanosecond().to_be_bytes());
        self.visit(&mut |part| match part {
            Part::Mark(mark) => digest.update([mark]),
            Part::Text(text, _) => {
                // With its length, so that no text can pass for two.
                digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
                digest.update(text);
            }
        });
        digest.finalize().into()
    }

    /// Goes through all texts in the order of their fields, with a mark before each repeated part.
    fn visit<'a>(&'a self, f: &mut impl FnMut(Part<'a>)) {
        f(Part::Text(&self.title, MAX_LINE));
        f(Part::Text(&self.author, MAX_LINE));
        f(Part::Text(&self.footer, MAX_LINE));
        for line in &self.letterhead {
            f(Part::Mark(b'l'));
            f(Part::Text(line, MAX_LINE));
        }
        for block in &self.blocks {
            match block {
                Block::Heading(level, text) => {
                    f(Part::Mark(match level {
                        Level::One => b'1',
                        Level::Two => b'2',
                        Level::Three => b'3',
                    }));
                    f(Part::Text(text, MAX_LINE));
                }
                Block::Paragraph(text) => {
                    f(Part::Mark(b'p'));
                    f(Part::Text(text, MAX_TEXT));
                }
                Block::Facts(rows) => {
                    f(Part::Mark(b'f'));
                    for (label, value) in rows {
                        f(Part::Mark(b'r'));
                        f(Part::Text(label, MAX_LINE));
                        f(Part::Text(value, MAX_TEXT));
                    }
                }
                Block::List(items) => {
                    f(Part::Mark(b'u'));
                    for item in items {
                        f(Part::Mark(b'i'));
                        f(Part::Text(item, MAX_TEXT));
                    }
                }
                Block::Code(symbol) => {
                    f(Part::Mark(b'c'));
                    f(Part::Text(&symbol.url, MAX_URL));
                    f(Part::Text(&symbol.alternative, MAX_LINE));
                    f(Part::Text(&symbol.caption, MAX_LINE));
                }
            }
        }
    }
}

/// What [`Paper::visit`] comes across.
enum Part<'a> {
    /// A block, a row, an item.
    Mark(u8),
    /// A text, and how many characters of it are kept.
    Text(&'a str, usize),
}
