//! What an office file, which is a ZIP file, unpacks into. It is unpacked here, into nothing and no further than a limit:
//! what its directory says about sizes is what whoever packed it wanted to be believed.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

use zip::{CompressionMethod, ZipArchive, result::ZipError};

use crate::files::model::MediaType;

/// How many parts a document may have.
const MOST_PARTS: usize = 5000;
/// How many bytes a document may unpack into.
const MOST_UNPACKED: u64 = 256 * 1024 * 1024;
/// How many times its own length it may unpack into, once that is more than a little.
const MOST_RATIO: u64 = 150;
/// How much is read of the list of parts that office files have. It is short, and says what the others are.
const MOST_LISTED: u64 = 1024 * 1024;
/// What is little.
const LITTLE: u64 = 8 * 1024 * 1024;

/// The part that lists the others of an office file.
const CONTENT_TYPES: &str = "[Content_Types].xml";
/// What an office file with macros is told as.
const WITH_MACROS: &str = "an office file with macros";

/// Why a container was not taken.
#[derive(Debug)]
pub enum Fault {
    /// It unpacks into too much, or is packed as no office program packs. The text says which.
    Refused(&'static str),
    /// It is damaged.
    Damaged,
    /// It is another kind of container, under the name that it is told by.
    Other(&'static str),
    /// The disk of the gateway.
    Disk(io::Error),
}

/// What kind of office file it is, once it was unpacked to its end.
///
/// # Errors
/// [`Fault`] says why it is not taken.
pub fn look(file: &File, length: u64) -> Result<MediaType, Fault> {
    few_parts(file, length)?;
    let mut start = file;
    start.seek(SeekFrom::Start(0)).map_err(Fault::Disk)?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(of_zip)?;
    if archive.len() > MOST_PARTS {
        return Err(Fault::Refused("too many parts"));
    }
    let names: Result<Vec<String>, ZipError> =
        archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect();
    let names = names.map_err(of_zip)?;
    if names.iter().any(|name| name.starts_with('/') || name.contains('\\') || name.split('/').any(|part| part == ".."))
    {
        return Err(Fault::Refused("a part that leads outside"));
    }
    let mut mimetype = String::new();
    let mut listed = Vec::new();
    let mut unpacked: u64 = 0;
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).map_err(of_zip)?;
        if !matches!(part.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(Fault::Refused("a part that is packed in an unusual way"));
        }
        if part.name().map_err(of_zip)? == "mimetype" {
            let mut first = part.by_ref().take(200);
            first.read_to_string(&mut mimetype).map_err(of_reading)?;
            unpacked = unpacked.saturating_add(u64::try_from(mimetype.len()).unwrap_or(u64::MAX));
        } else if part.name().map_err(of_zip)?.eq_ignore_ascii_case(CONTENT_TYPES) {
            let before = listed.len();
            part.by_ref().take(MOST_LISTED).read_to_end(&mut listed).map_err(of_reading)?;
            let read = listed.len().saturating_sub(before);
            unpacked = unpacked.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
        unpacked = drained(&mut part, unpacked, length)?;
    }
    if lists_macros(&listed) {
        return Err(Fault::Other(WITH_MACROS));
    }
    kind(&names, mimetype.trim())
}

/// Whether the list of parts has macros in it, under whatever names they lie. Letters of two bytes are read as well.
fn lists_macros(listed: &[u8]) -> bool {
    let text: Vec<u8> = listed.iter().filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).collect();
    [b"macroenabled".as_slice(), b"vbaproject", b"macrosheet"]
        .iter()
        .any(|word| text.windows(word.len()).any(|window| window == *word))
}

/// Reads a part to its end; answers how much there was in all.
fn drained(part: &mut impl Read, before: u64, length: u64) -> Result<u64, Fault> {
    let mut unpacked = before;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = part.read(&mut buffer).map_err(of_reading)?;
        if read == 0 {
            return Ok(unpacked);
        }
        unpacked = unpacked.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if unpacked > MOST_UNPACKED || (unpacked > LITTLE && unpacked > length.saturating_mul(MOST_RATIO)) {
            return Err(Fault::Refused("it unpacks into too much"));
        }
    }
}

/// Looks at the end of the file before the library does, which makes room for as many parts as are claimed there.
fn few_parts(file: &File, length: u64) -> Result<(), Fault> {
    // The end itself with the longest comment, and before it the twenty bytes that lead to another end.
    const LONGEST_END: u64 = 22 + 65_535 + 20;
    let mut file = file;
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_END))).map_err(Fault::Disk)?;
    let mut tail = Vec::new();
    file.take(LONGEST_END).read_to_end(&mut tail).map_err(Fault::Disk)?;
    if tail.windows(4).any(|window| window == b"PK\x06\x07") {
        return Err(Fault::Refused("a container for more than a document"));
    }
    let end = tail.windows(4).rposition(|window| window == b"PK\x05\x06").ok_or(Fault::Damaged)?;
    let claimed = tail.get(end.saturating_add(10)..end.saturating_add(12)).ok_or(Fault::Damaged)?;
    let claimed = claimed
        .iter()
        .rev()
        .fold(0_usize, |number, byte| number.saturating_mul(256).saturating_add(usize::from(*byte)));
    if claimed > MOST_PARTS { Err(Fault::Refused("too many parts")) } else { Ok(()) }
}

/// What the parts are those of.
fn kind(names: &[String], mimetype: &str) -> Result<MediaType, Fault> {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let office = |main: &str| has(CONTENT_TYPES) && has(main);
    let macros = names.iter().any(|name| {
        let name = name.to_ascii_lowercase();
        name.ends_with("vbaproject.bin") || name.starts_with("basic/") || name.starts_with("scripts/")
    });
    if macros {
        return Err(Fault::Other(WITH_MACROS));
    }
    match mimetype.parse() {
        Ok(found @ (MediaType::Odt | MediaType::Ods)) => Ok(found),
        _ if office("word/document.xml") => Ok(MediaType::Docx),
        _ if office("xl/workbook.xml") => Ok(MediaType::Xlsx),
        _ => Err(Fault::Other("application/zip")),
    }
}

fn of_zip(error: ZipError) -> Fault {
    match error {
        ZipError::Io(error) => of_reading(error),
        // Encryption, and ways of packing that are not built in.
        ZipError::UnsupportedArchive(_) | ZipError::InvalidPassword => {
            Fault::Refused("a part that is encrypted or packed in an unusual way")
        }
        _ => Fault::Damaged,
    }
}

/// A file that lies beside us breaks off only when it is damaged.
fn of_reading(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::PermissionDenied => Fault::Disk(error),
        _ => Fault::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn packed(parts: &[(&str, &[u8])]) -> (File, u64) {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        let mut archive = ZipWriter::new(tempfile::tempfile().unwrap());
        for (name, bytes) in parts {
            archive.start_file(*name, options).unwrap();
            archive.write_all(bytes).unwrap();
        }
        let file = archive.finish().unwrap();
        let length = file.metadata().unwrap().len();
        (file, length)
    }

    fn told(parts: &[(&str, &[u8])]) -> String {
        let (file, length) = packed(parts);
        match look(&file, length) {
            Ok(found) => found.as_str().rsplit('.').next().unwrap().to_owned(),
            Err(Fault::Refused(why) | Fault::Other(why)) => why.to_owned(),
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn parts_say_what_it_is() {
        let types: (&str, &[u8]) = ("[Content_Types].xml", b"<Types/>");
        assert_eq!(told(&[types, ("word/document.xml", b"<w/>")]), "document");
        assert_eq!(told(&[types, ("xl/workbook.xml", b"<w/>")]), "sheet");
        assert_eq!(told(&[("mimetype", b"application/vnd.oasis.opendocument.text"), ("content.xml", b"<o/>")]), "text");
        assert_eq!(told(&[("malware.exe", b"MZ")]), "application/zip");
        let with_macros = [types, ("word/document.xml", b"<w/>"), ("word/vbaProject.bin", b"x")];
        assert_eq!(told(&with_macros), "an office file with macros");
        assert_eq!(told(&[types, ("word/document.xml", b"<w/>"), ("../../x", b"x")]), "a part that leads outside");
    }

    #[test]
    fn macros_are_found_under_any_name() {
        for word in ["application/vnd.ms-word.document.macroEnabled.main+xml", "vbaProject", "ms-excel.macrosheet+xml"]
        {
            let text = format!("<Types><Override PartName='/x' ContentType='{word}'/></Types>");
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            for listed in [text.as_bytes(), &wide] {
                let parts = [("[Content_Types].xml", listed), ("word/document.xml", b"<w/>".as_slice())];
                assert_eq!(told(&parts), WITH_MACROS, "{word}");
            }
        }
    }

    #[test]
    fn another_end_is_found_behind_the_longest_comment() {
        let (mut file, _) = packed(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w/>")]);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let (parts, end) = bytes.split_at(bytes.len() - 22);
        let locator = [b"PK\x06\x07".as_slice(), &[0; 16]].concat();
        for (between, refused) in [(&b""[..], false), (&locator, true)] {
            let whole = [parts, between, &end[..20], b"\xff\xff", &[b'c'; 65_535]].concat();
            let mut commented = tempfile::tempfile().unwrap();
            commented.write_all(&whole).unwrap();
            let found = look(&commented, u64::try_from(whole.len()).unwrap());
            assert_eq!(
                matches!(found, Err(Fault::Refused("a container for more than a document"))),
                refused,
                "{found:?}"
            );
            assert_eq!(found.is_ok(), !refused);
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked_to_its_end() {
        let zeros = vec![0; 20 * 1024 * 1024];
        let types: (&str, &[u8]) = ("[Content_Types].xml", b"<Types/>");
        assert_eq!(told(&[types, ("word/document.xml", &zeros)]), "it unpacks into too much");
        let names: Vec<String> = (0..=MOST_PARTS).map(|n| format!("{n}.xml")).collect();
        let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        assert_eq!(told(&many), "too many parts");
    }

    #[test]
    fn what_lies_about_itself_is_found_out() {
        let text = b"<w/>".repeat(1000);
        let (mut file, length) = packed(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", &text)]);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        // Not as long as its directory says, and cut off.
        for cut in [bytes.len() / 2, bytes.len() - 10] {
            let mut cut_off = tempfile::tempfile().unwrap();
            cut_off.write_all(&bytes[..cut]).unwrap();
            assert!(look(&cut_off, u64::try_from(cut).unwrap()).is_err(), "{cut}");
        }
        assert!(look(&file, length).is_ok());
    }
}
