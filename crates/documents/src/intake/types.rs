//! What type of file it is. The bytes say so; the name and what the caller declares are only held against them.
//!
//! A table of our own and no library's: the list is short, the signed files of Italian offices (`.p7m`) are in none
//! of them, and a library that knows hundreds of types finds one in files that are none.

use crate::files::model::MediaType;

/// How many bytes from the beginning are looked at.
pub const HEAD: usize = 4096;

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sniffed {
    /// It is this.
    Known(MediaType),
    /// A ZIP file: what is in it says what it is.
    Container,
    /// Text, as far as can be seen.
    Text,
    /// Something else, under the name that it is told by.
    Other(&'static str),
}

/// What the first bytes of a file say it is.
pub fn sniff(head: &[u8]) -> Sniffed {
    const MAGIC: &[(&[u8], Sniffed)] = &[
        (b"%PDF-", Sniffed::Known(MediaType::Pdf)),
        (b"\xff\xd8\xff", Sniffed::Known(MediaType::Jpeg)),
        (b"\x89PNG\r\n\x1a\n", Sniffed::Known(MediaType::Png)),
        (b"PK\x03\x04", Sniffed::Container),
        (b"PK\x05\x06", Sniffed::Other("application/zip")),
        (b"MZ", Sniffed::Other("application/vnd.microsoft.portable-executable")),
        (b"\x7fELF", Sniffed::Other("application/x-elf")),
        (b"#!", Sniffed::Other("application/x-sh")),
        (b"GIF8", Sniffed::Other("image/gif")),
        (b"II*\0", Sniffed::Other("image/tiff")),
        (b"MM\0*", Sniffed::Other("image/tiff")),
        (b"BM", Sniffed::Other("image/bmp")),
        (b"\x1f\x8b", Sniffed::Other("application/gzip")),
        (b"BZh", Sniffed::Other("application/x-bzip2")),
        (b"7z\xbc\xaf\x27\x1c", Sniffed::Other("application/x-7z-compressed")),
        (b"Rar!", Sniffed::Other("application/vnd.rar")),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Sniffed::Other("application/x-ole-storage")),
        (b"{\\rtf", Sniffed::Other("application/rtf")),
    ];
    let magic = MAGIC.iter().find(|(magic, _)| head.starts_with(magic));
    // Two letters may begin a text as well.
    if let Some((magic, sniffed)) = magic
        && (magic.len() > 2 || !is_text(head) || magic == b"#!")
    {
        return *sniffed;
    }
    if is_signed(head) {
        return Sniffed::Known(MediaType::P7m);
    }
    if head.get(4..8) == Some(b"ftyp") {
        return Sniffed::Other("image/heif");
    }
    if is_text(head) { text(head) } else { Sniffed::Other("application/octet-stream") }
}

/// CMS SignedData (RFC 5652) in DER or BER: a sequence that begins with its object identifier.
fn is_signed(head: &[u8]) -> bool {
    const SIGNED_DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
    let Some((&0x30, rest)) = head.split_first() else { return false };
    let Some((&length, rest)) = rest.split_first() else { return false };
    let more = if length < 0x80 { 0 } else { usize::from(length & 0x7f) };
    more <= 4 && rest.get(more..).is_some_and(|rest| rest.starts_with(SIGNED_DATA))
}

/// Whether bytes may be those of a text: no byte stands in them that none has. Offices still write Latin-1.
pub fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| !matches!(byte, 0x00..=0x08 | 0x0b | 0x0e..=0x1f | 0x7f))
}

fn text(head: &[u8]) -> Sniffed {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let lower = head.to_ascii_lowercase();
    let has = |word: &[u8]| lower.windows(word.len()).any(|window| window == word);
    // What a browser would run must not be kept as a text, wherever it is opened later.
    if has(b"<svg") {
        return Sniffed::Other("image/svg+xml");
    }
    if has(b"<html") || has(b"<!doctype html") || has(b"<script") {
        return Sniffed::Other("text/html");
    }
    if lower.starts_with(b"<?xml") { Sniffed::Known(MediaType::Xml) } else { Sniffed::Text }
}

/// What was declared: the type of a `Content-Type`, without its parameters, in lower case.
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether what was declared leaves it to the bytes. Browsers on machines with Excel call every table in text Excel's.
pub fn says_nothing(essence: &str, name: Option<&str>) -> bool {
    match essence {
        "application/octet-stream" => true,
        "application/vnd.ms-excel" => is_called_csv(name),
        _ => false,
    }
}

fn is_called_csv(name: Option<&str>) -> bool {
    name.is_some_and(|name| name.to_lowercase().ends_with(".csv"))
}

/// The type that is meant, where it is one of ours; types have had other names.
pub fn declared(essence: &str) -> Option<MediaType> {
    match essence {
        "image/jpg" | "image/pjpeg" => Some(MediaType::Jpeg),
        "text/xml" => Some(MediaType::Xml),
        "application/csv" => Some(MediaType::Csv),
        "application/x-pkcs7-mime" | "application/pkcs7-signature" => Some(MediaType::P7m),
        other => other.parse().ok(),
    }
}

/// What a text is: what it was declared as, if that is a text; else what its name says.
pub fn of_text(declared: Option<MediaType>, name: Option<&str>) -> MediaType {
    match declared {
        Some(MediaType::Csv) => MediaType::Csv,
        None if is_called_csv(name) => MediaType::Csv,
        _ => MediaType::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_say_what_it_is() {
        let der = b"\x30\x82\x10\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0";
        let ber = b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80";
        let cases: &[(&[u8], Sniffed)] = &[
            (b"%PDF-1.7\n", Sniffed::Known(MediaType::Pdf)),
            (b"\xff\xd8\xff\xe1\0\0", Sniffed::Known(MediaType::Jpeg)),
            (b"\x89PNG\r\n\x1a\n\0\0\0\x0d", Sniffed::Known(MediaType::Png)),
            (der, Sniffed::Known(MediaType::P7m)),
            (ber, Sniffed::Known(MediaType::P7m)),
            (b"PK\x03\x04\x14\0", Sniffed::Container),
            (b"MZ\x90\0\x03", Sniffed::Other("application/vnd.microsoft.portable-executable")),
            (b"MZIO;IMPORTO\n1;2\n", Sniffed::Text),
            (b"#!/bin/sh\n", Sniffed::Other("application/x-sh")),
            (b"\xef\xbb\xbf<?xml version='1.0'?><a/>", Sniffed::Known(MediaType::Xml)),
            (b"<?xml version='1.0'?><svg xmlns='x'>", Sniffed::Other("image/svg+xml")),
            (b"  <!DOCTYPE HTML><p>", Sniffed::Other("text/html")),
            (b"ciao <ScRiPt>alert(1)</script>", Sniffed::Other("text/html")),
            (b"citt\xe0;Pisa\r\n", Sniffed::Text),
            (b"\0\0\0\x18ftypheic", Sniffed::Other("image/heif")),
            (b"\x01\x02\x03", Sniffed::Other("application/octet-stream")),
            (b"\x30\x85\x06", Sniffed::Other("application/octet-stream")),
        ];
        for (head, expected) in cases {
            assert_eq!(sniff(head), *expected, "{head:?}");
        }
    }

    #[test]
    fn types_are_known_by_their_other_names() {
        assert_eq!(essence("Image/JPG; q=1"), "image/jpg");
        assert_eq!(declared("image/jpg"), Some(MediaType::Jpeg));
        assert_eq!(declared("application/pdf"), Some(MediaType::Pdf));
        assert_eq!(declared("application/x-msdownload"), None);
        assert_eq!(of_text(None, Some("Elenco.CSV")), MediaType::Csv);
        assert!(says_nothing("application/octet-stream", None));
        assert!(says_nothing("application/vnd.ms-excel", Some("Elenco.CSV")));
        for name in [None, Some("elenco.xls"), Some("csv")] {
            assert!(!says_nothing("application/vnd.ms-excel", name), "{name:?}");
        }
        assert_eq!(of_text(Some(MediaType::Text), Some("elenco.csv")), MediaType::Text);
        assert_eq!(of_text(Some(MediaType::Csv), None), MediaType::Csv);
    }
}
