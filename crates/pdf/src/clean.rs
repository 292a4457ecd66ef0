//! Which characters of somebody's text reach the paper.
//!
//! Names and subjects come from people and from other systems: with tabulators, in decomposed form,
//! with marks piled on marks, in scripts that the font has not. None of that may stop a receipt.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// What stands for a character that cannot be shown.
const REPLACEMENT: char = '\u{fffd}';
/// Marks that one letter may carry. Vietnamese and polytonic Greek, composed, need none; piles of
/// them would run over the neighbouring lines.
const MARKS: usize = 3;

/// A text of one line: at most `most` characters, line breaks as spaces.
pub(crate) fn line(text: &str, most: usize, has: impl Fn(char) -> bool) -> String {
    tidy(text.chars().map(|c| if breaks(c) { ' ' } else { c }), most, has)
}

/// A text of several lines: at most `most` characters, with its line breaks as `\n`.
pub(crate) fn lines(text: &str, most: usize, has: impl Fn(char) -> bool) -> String {
    // A carriage return is a control character, so of CR LF only the line feed is left.
    tidy(text.chars().map(|c| if breaks(c) { '\n' } else { c }), most, has)
}

fn breaks(c: char) -> bool {
    matches!(c, '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn tidy(text: impl Iterator<Item = char>, most: usize, has: impl Fn(char) -> bool) -> String {
    let mut out = Tidy { text: String::new(), count: 0, breaks: 0, space: false, marks: 0 };
    for c in text.filter_map(visible).nfc() {
        if out.count >= most {
            out.text.push('…');
            break;
        }
        match c {
            '\n' => out.breaks += 1,
            ' ' => out.space = true,
            c => out.push(if has(c) && !unsettable(c) { c } else { REPLACEMENT }),
        }
    }
    out.text
}

/// A text that grows by visible characters; what is between them waits until one follows.
struct Tidy {
    text: String,
    count: usize,
    breaks: usize,
    space: bool,
    marks: usize,
}

impl Tidy {
    fn push(&mut self, c: char) {
        if is_combining_mark(c) {
            self.marks += 1;
            if self.marks > MARKS {
                return;
            }
        } else {
            self.marks = 0;
        }
        if !self.text.is_empty() {
            match (self.breaks, self.space) {
                (0, false) => {}
                (0, true) => self.between(" "),
                (1, _) => self.between("\n"),
                _ => self.between("\n\n"),
            }
        }
        (self.breaks, self.space) = (0, false);
        self.text.push(c);
        self.count += 1;
    }

    fn between(&mut self, gap: &str) {
        self.text.push_str(gap);
        self.count += gap.len();
    }
}

/// The character, a plain space for any that lines may break at, or nothing for one that shows nothing.
fn visible(c: char) -> Option<char> {
    match c {
        '\n' => Some('\n'),
        '\t' => Some(' '),
        // These are spaces too, but a line must not end at them.
        '\u{a0}' | '\u{2007}' | '\u{202f}' => Some('\u{a0}'),
        // Soft hyphens, joiners, directions, selectors, tags: instructions to a text engine.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => None,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => None,
        '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' => None,
        '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => None,
        '\u{e0000}'..='\u{e0fff}' => None,
        c if c.is_control() => None,
        c if c.is_whitespace() => Some(' '),
        c => Some(c),
    }
}

/// Characters that the font has and this crate cannot set: Devanagari, whose vowels move, and those
/// for private use, which mean nothing to a reader (and which PDF/A-2a forbids).
fn unsettable(c: char) -> bool {
    matches!(c,
        '\u{900}'..='\u{97f}' | '\u{1cd0}'..='\u{1cff}' | '\u{a830}'..='\u{a83f}' | '\u{a8e0}'..='\u{a8ff}'
        | '\u{11b00}'..='\u{11b5f}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(_: char) -> bool {
        true
    }

    #[test]
    fn white_space_is_one_space_and_none_at_the_ends() {
        assert_eq!(line("  a\t b\u{3000}c \r\n d\u{a0}e ", 50, all), "a b c d\u{a0}e");
        assert_eq!(line(" \n\t ", 50, all), "");
    }

    #[test]
    fn line_breaks_are_kept_up_to_an_empty_line() {
        assert_eq!(lines("\r\na \r\n b\n\n\n\nc\u{2028}d\n", 50, all), "a\nb\n\nc\nd");
    }

    #[test]
    fn what_shows_nothing_is_dropped() {
        assert_eq!(line("a\0b\u{7}c\u{200b}d\u{202e}e\u{ad}f\u{feff}\u{fe0f}", 50, all), "abcdef");
    }

    #[test]
    fn letters_are_composed_and_marks_do_not_pile_up() {
        assert_eq!(line("citta\u{300}", 50, all), "città");
        let pile = format!("x{}y", "\u{323}".repeat(10_000));
        assert_eq!(line(&pile, 50, all), format!("x{}y", "\u{323}".repeat(MARKS)));
    }

    #[test]
    fn what_cannot_be_shown_has_a_stand_in() {
        assert_eq!(line("aक\u{e000}b", 50, all), "a\u{fffd}\u{fffd}b");
        assert_eq!(line("a漢b", 50, |c| c.is_ascii()), "a\u{fffd}b");
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_visibly() {
        assert_eq!(line("abc", 3, all), "abc");
        assert_eq!(line("abcd", 3, all), "abc…");
        assert_eq!(line("abc  ", 4, all), "abc");
    }
}
