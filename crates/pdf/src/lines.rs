//! Lines of text no wider than their column.

use krilla::text::KrillaGlyph;

use crate::{
    PdfError,
    fonts::{Style, Typeface},
};

/// A line, set in one style.
pub(crate) struct Line {
    /// Its text, with the space at which it was broken: what is read aloud has to know where words end.
    pub(crate) text: String,
    /// Its glyphs, in ems.
    pub(crate) glyphs: Vec<KrillaGlyph>,
    /// Its width in points, without a space at the end.
    pub(crate) width: f32,
}

/// Breaks a text into lines of at most `width` points: at `\n`, between words, and within a word only
/// if it is longer than a line. An empty line is one without glyphs.
pub(crate) fn break_lines(text: &str, style: &Style, width: f32) -> Result<Vec<Line>, PdfError> {
    let face = Typeface::of(style.weight)?;
    let mut lines = Vec::new();
    let mut parts = text.split('\n').peekable();
    while let Some(part) = parts.next() {
        // A line that ends where it was typed to end needs the space too.
        let gap = if part.is_empty() || parts.peek().is_none() { "" } else { " " };
        let part = format!("{part}{gap}");
        let glyphs = face.shape(&part);
        let clusters = clusters(&part, &glyphs);
        for clusters in fit(&clusters, width / style.size) {
            lines.push(line(&part, &glyphs, clusters, style.size));
        }
    }
    Ok(lines)
}

/// A text of one line, however wide it is.
pub(crate) fn single(text: &str, style: &Style) -> Result<Line, PdfError> {
    let glyphs = Typeface::of(style.weight)?.shape(text);
    Ok(line(text, &glyphs, &clusters(text, &glyphs), style.size))
}

/// Glyphs that belong together; nothing may come between them.
struct Cluster {
    /// How many glyphs precede its own, and the number of its own.
    first: usize,
    count: usize,
    /// Its bytes in the text.
    start: usize,
    end: usize,
    /// In ems.
    advance: f32,
    space: bool,
}

fn clusters(text: &str, glyphs: &[KrillaGlyph]) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = Vec::new();
    for (first, glyph) in glyphs.iter().enumerate() {
        match clusters.last_mut() {
            Some(last) if last.start == glyph.text_range.start => {
                last.count += 1;
                last.advance += glyph.x_advance;
            }
            _ => clusters.push(Cluster {
                first,
                count: 1,
                start: glyph.text_range.start,
                end: glyph.text_range.end,
                advance: glyph.x_advance,
                space: text.get(glyph.text_range.clone()) == Some(" "),
            }),
        }
    }
    clusters
}

/// The clusters line by line, each at most `width` ems wide.
fn fit(clusters: &[Cluster], width: f32) -> Vec<&[Cluster]> {
    let mut lines = Vec::new();
    let (mut rest, mut used, mut at, mut word) = (clusters, 0.0, 0, 0);
    while let Some(cluster) = rest.get(at) {
        // Spaces hang over the edge, where nobody sees them.
        if !cluster.space && used + cluster.advance > width && at > 0 {
            let end = if word > 0 { word } else { at };
            let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            lines.push(line);
            (rest, used, at, word) = (after, 0.0, 0, 0);
            continue;
        }
        used += cluster.advance;
        at += 1;
        if cluster.space {
            word = at;
        }
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest);
    }
    lines
}

fn line(text: &str, glyphs: &[KrillaGlyph], clusters: &[Cluster], size: f32) -> Line {
    let (Some(first), Some(last)) = (clusters.first(), clusters.last()) else {
        return Line { text: String::new(), glyphs: Vec::new(), width: 0.0 };
    };
    let shown = clusters.iter().rev().skip_while(|cluster| cluster.space);
    let glyphs = glyphs.get(first.first..last.first + last.count).unwrap_or_default();
    Line {
        text: text.get(first.start..last.end).unwrap_or_default().to_owned(),
        glyphs: glyphs
            .iter()
            .map(|glyph| {
                let range = &glyph.text_range;
                let text_range = range.start.saturating_sub(first.start)..range.end.saturating_sub(first.start);
                KrillaGlyph { text_range, ..glyph.clone() }
            })
            .collect(),
        width: shown.map(|cluster| cluster.advance).sum::<f32>() * size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fonts::{Ink, Weight};

    const STYLE: Style = Style { weight: Weight::Regular, size: 10.0, leading: 14.0, ink: Ink::Text };

    fn texts(text: &str, width: f32) -> Vec<String> {
        break_lines(text, &STYLE, width).unwrap().into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_break_between_words_and_keep_the_space() {
        assert_eq!(texts("nel mezzo del cammin", 60.0), ["nel mezzo ", "del cammin"]);
        assert_eq!(texts("nel\n\nmezzo", 60.0), ["nel ", "", "mezzo"]);
        assert_eq!(texts("nel\u{a0}mezzo del", 60.0), ["nel\u{a0}mezzo ", "del"]);
        assert_eq!(texts("", 60.0), [""]);
    }

    #[test]
    fn a_word_longer_than_the_line_is_broken_between_characters() {
        let word = "x\u{323}\u{302}".repeat(50);
        let lines = texts(&format!("di {word}"), 60.0);
        assert_eq!(lines.first().unwrap(), "di ");
        assert!(lines.len() > 3, "{lines:?}");
        assert_eq!(lines.concat(), format!("di {word}"));
        assert!(lines.iter().skip(1).all(|line| line.starts_with('x')), "{lines:?}");
        // Even where not one character fits.
        assert_eq!(texts("abc", 1.0), ["a", "b", "c"]);
    }

    #[test]
    fn no_line_is_wider_than_its_column() {
        for width in [30.0, 77.0, 200.0] {
            let text =
                "La ricevuta è rilasciata ai sensi dell'art. 18-bis della legge 7 agosto 1990, n. 241 ".repeat(20);
            let lines = break_lines(&text, &STYLE, width).unwrap();
            for line in &lines {
                assert!(line.width <= width + 0.01 || line.glyphs.len() == 1, "{} in {width}", line.width);
            }
            assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<String>(), text);
        }
    }
}
