//! What a file is called. A name is told and given back, and never part of a path; and yet it ends up in one, on the
//! disk of whoever downloads it.

use unicode_normalization::UnicodeNormalization;

use crate::files::model::MediaType;

/// The longest name that is kept, in characters.
pub const LONGEST: usize = 120;
/// And in bytes: file systems count those, and allow 255.
const MOST_BYTES: usize = 200;
/// What a file without a name is called.
const NAMELESS: &str = "documento";
/// Names that are devices on Windows, whatever follows their first dot.
const RESERVED: &[&str] = &["con", "prn", "aux", "nul", "com", "lpt", "conin$", "conout$"];

/// The name as it is kept: without the folders before it, without what is not seen or turns the reading around, and
/// with an extension that fits what the file is.
pub fn safe(raw: &str, media_type: MediaType) -> String {
    let last = raw.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen: String = last.nfc().filter(|sign| !is_hidden(*sign)).map(harmless).collect();
    let trimmed = seen.trim_matches(|sign: char| sign == '.' || sign.is_whitespace());
    let (stem, extension) = apart(trimmed, media_type);
    let stem = stem.trim_end_matches(|sign: char| sign == '.' || sign.is_whitespace());
    let stem = if stem.is_empty() { NAMELESS } else { stem };
    let room = LONGEST.saturating_sub(extension.len()).saturating_sub(2);
    let most = MOST_BYTES.saturating_sub(extension.len()).saturating_sub(2);
    let mut cut = String::new();
    for sign in stem.chars().take(room) {
        if cut.len().saturating_add(sign.len_utf8()) > most {
            break;
        }
        cut.push(sign);
    }
    let mark = if is_reserved(&cut) { "_" } else { "" };
    format!("{mark}{}.{extension}", cut.trim_end())
}

/// Stem and extension; one that does not fit the type stays part of the stem, and the type's own follows it.
fn apart(name: &str, media_type: MediaType) -> (&str, String) {
    let own = media_type.extensions();
    if let Some((stem, extension)) = name.rsplit_once('.') {
        let extension = extension.to_lowercase();
        if own.contains(&extension.as_str()) {
            return (stem, extension);
        }
    }
    (name, own.first().copied().unwrap_or("bin").to_owned())
}

/// Signs that are not seen, or that say in which direction to read.
fn is_hidden(sign: char) -> bool {
    sign.is_control()
        || matches!(sign,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e007f}')
}

/// Signs that one file system or another takes for something else.
fn harmless(sign: char) -> char {
    match sign {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' | '%' | '~' | '$' | '`' => '_',
        sign if sign.is_whitespace() => ' ',
        sign => sign,
    }
}

fn is_reserved(stem: &str) -> bool {
    let first = stem.split('.').next().unwrap_or_default().trim().to_lowercase();
    let numbered = |device: &str| {
        let digit =
            |rest: &str| matches!(rest, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³");
        first.strip_prefix(device).is_some_and(|rest| rest.is_empty() || (device.len() == 3 && digit(rest)))
    };
    RESERVED.iter().any(|device| numbered(device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_harmless() {
        for (raw, expected) in [
            ("Ricevuta.pdf", "Ricevuta.pdf"),
            ("../../etc/passwd", "passwd.pdf"),
            ("..\\..\\Windows\\win.ini", "win.ini.pdf"),
            ("/", "documento.pdf"),
            ("", "documento.pdf"),
            ("...", "documento.pdf"),
            (".pdf", "pdf.pdf"),
            ("a\0b\r\nc.pdf", "abc.pdf"),
            // The right-to-left override shows this as `fatturaexe.pdf`.
            ("fattura\u{202e}fdp.exe", "fatturafdp.exe.pdf"),
            ("zero\u{200b}width\u{feff}.PDF", "zerowidth.pdf"),
            ("CON", "_CON.pdf"),
            ("con.txt", "_con.txt.pdf"),
            ("LPT1.pdf", "_LPT1.pdf"),
            ("nul .pdf", "_nul.pdf"),
            ("Console.pdf", "Console.pdf"),
            ("a<b>:c|d?.pdf", "a_b__c_d_.pdf"),
            ("fine. . .pdf", "fine.pdf"),
            // One letter however it was written.
            ("citta\u{300}.pdf", "città.pdf"),
        ] {
            assert_eq!(safe(raw, MediaType::Pdf), expected, "{raw:?}");
        }
        assert_eq!(safe("foto.JPEG", MediaType::Jpeg), "foto.jpeg");
        assert_eq!(safe("contratto.pdf.p7m", MediaType::P7m), "contratto.pdf.p7m");
    }

    #[test]
    fn names_are_short() {
        for raw in ["a".repeat(5000), "à".repeat(5000), "🏛".repeat(5000), format!("{}.pdf", "é".repeat(300))] {
            let name = safe(&raw, MediaType::Pdf);
            assert!(name.chars().count() <= LONGEST && name.len() <= MOST_BYTES, "{name}");
            assert!(name.ends_with(".pdf"), "{name}");
            // Made safe twice, it is the same.
            assert_eq!(safe(&name, MediaType::Pdf), name);
        }
    }
}
