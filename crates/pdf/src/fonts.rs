//! The two typefaces, and text as their glyphs.

use std::sync::LazyLock;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Direction, Face, UnicodeBuffer};

use crate::PdfError;

/// How heavy the letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// How a text is set. Sizes in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Style {
    pub(crate) weight: Weight,
    pub(crate) size: f32,
    /// From one baseline to the next.
    pub(crate) leading: f32,
    pub(crate) ink: Ink,
}

impl Style {
    /// From a line's upper edge to its baseline. Half of what the leading leaves free is above the
    /// letters, which rise and fall by 1.069 and 0.293 of their size.
    pub(crate) fn baseline(&self) -> f32 {
        (self.leading - 1.362 * self.size) / 2.0 + 1.069 * self.size
    }
}

/// The colours of a paper. Each has a contrast of at least 7 to 1 on white (WCAG 2.1 §1.4.6), rules
/// excepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Text,
    Aside,
    Link,
    Rule,
}

/// One typeface, as the shaper and as the writer know it.
pub(crate) struct Typeface {
    shaper: Face<'static>,
    font: Font,
    units_per_em: f32,
}

static REGULAR: LazyLock<Option<Typeface>> =
    LazyLock::new(|| Typeface::read(include_bytes!("../fonts/NotoSans-Regular.ttf")));
static BOLD: LazyLock<Option<Typeface>> =
    LazyLock::new(|| Typeface::read(include_bytes!("../fonts/NotoSans-Bold.ttf")));

impl Typeface {
    fn read(bytes: &'static [u8]) -> Option<Self> {
        let font = Font::new(bytes.into(), 0)?;
        let units_per_em = font.units_per_em();
        Some(Self { shaper: Face::from_slice(bytes, 0)?, font, units_per_em })
    }

    pub(crate) fn of(weight: Weight) -> Result<&'static Self, PdfError> {
        match weight {
            Weight::Regular => REGULAR.as_ref(),
            Weight::Bold => BOLD.as_ref(),
        }
        .ok_or(PdfError::Font)
    }

    /// The font as the writer takes it; cheap.
    pub(crate) fn font(&self) -> Font {
        self.font.clone()
    }

    fn has(&self, c: char) -> bool {
        self.shaper.glyph_index(c).is_some_and(|glyph| glyph.0 != 0)
    }

    /// The glyphs of a text, from left to right, with advances in ems.
    ///
    /// Glyphs of the same cluster name the same range of the text: a letter with its marks, or the
    /// letters of a ligature. A cluster is never less than what a reader takes for one character.
    pub(crate) fn shape(&self, text: &str) -> Vec<KrillaGlyph> {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        buffer.set_direction(Direction::LeftToRight);
        let shaped = rustybuzz::shape(&self.shaper, &[], buffer);
        // Backwards, because a cluster ends where the next one starts.
        let (mut current, mut end) = (text.len(), text.len());
        let mut glyphs: Vec<KrillaGlyph> = shaped
            .glyph_infos()
            .iter()
            .zip(shaped.glyph_positions())
            .rev()
            .map(|(info, position)| {
                let start = usize::try_from(info.cluster).unwrap_or_default();
                if start != current {
                    (end, current) = (current, start);
                }
                KrillaGlyph::new(
                    GlyphId::new(info.glyph_id),
                    self.ems(position.x_advance),
                    self.ems(position.x_offset),
                    self.ems(position.y_offset),
                    self.ems(position.y_advance),
                    start..end,
                    None,
                )
            })
            .collect();
        glyphs.reverse();
        glyphs
    }

    /// Advances are far below the 32 768 units that fit here: an em has a thousand of them.
    fn ems(&self, units: i32) -> f32 {
        f32::from(i16::try_from(units).unwrap_or_default()) / self.units_per_em
    }
}

/// Which characters both typefaces have, so that a text may be set in either.
pub(crate) struct Repertoire {
    regular: &'static Typeface,
    bold: &'static Typeface,
}

impl Repertoire {
    pub(crate) fn new() -> Result<Self, PdfError> {
        Ok(Self { regular: Typeface::of(Weight::Regular)?, bold: Typeface::of(Weight::Bold)? })
    }

    /// A text of one line, as it reaches the paper.
    pub(crate) fn line(&self, text: &str, most: usize) -> String {
        crate::clean::line(text, most, |c| self.regular.has(c) && self.bold.has(c))
    }

    /// A text of several lines, as it reaches the paper.
    pub(crate) fn lines(&self, text: &str, most: usize) -> String {
        crate::clean::lines(text, most, |c| self.regular.has(c) && self.bold.has(c))
    }
}
