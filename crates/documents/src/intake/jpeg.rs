//! A JPEG file without what is not the picture. Nothing is decoded: the picture stays as it is, to the bit.

use std::io::{self, BufRead, Write};

const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

/// Copies what is needed to show the picture: no Exif, no XMP, no comments, no thumbnails, and nothing that follows the
/// end of the picture.
///
/// # Errors
/// `InvalidData` where it is no JPEG file, `UnexpectedEof` where it is cut off.
pub(super) fn strip(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<()> {
    if pair(input)? != [0xff, 0xd8] {
        return Err(broken());
    }
    output.write_all(&[0xff, 0xd8])?;
    let mut marker = next_marker(input)?;
    loop {
        match marker {
            EOI => return output.write_all(&[0xff, EOI]),
            // Markers without a segment.
            0x01 | 0xd0..=0xd7 => output.write_all(&[0xff, marker])?,
            // Not in a file that begins once.
            0x00 | 0xd8 => return Err(broken()),
            _ => {
                let segment = segment(input)?;
                if is_picture(marker, &segment) {
                    let length = u16::try_from(segment.len().saturating_add(2)).map_err(|_long| broken())?;
                    output.write_all(&[0xff, marker])?;
                    output.write_all(&length.to_be_bytes())?;
                    output.write_all(&segment)?;
                }
                if marker == SOS {
                    marker = scan(input, output)?;
                    continue;
                }
            }
        }
        marker = next_marker(input)?;
    }
}

/// Whether a segment is needed to show the picture: of the applications' own, the colour profile and the way colours
/// are written. What is not known is not kept.
fn is_picture(marker: u8, segment: &[u8]) -> bool {
    match marker {
        // With a thumbnail it is longer, and the thumbnail may be of what was cut away.
        0xe0 => segment.starts_with(b"JFIF\0") && segment.len() == 14,
        0xe2 => segment.starts_with(b"ICC_PROFILE\0"),
        0xee => segment.starts_with(b"Adobe"),
        // Frames, tables, scans and what belongs to them.
        0xc0..=0xcf | 0xda..=0xdf => true,
        _ => false,
    }
}

/// Copies the compressed picture after a start of scan; answers the marker that ends it.
fn scan(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<u8> {
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let plain = available.iter().position(|byte| *byte == 0xff).unwrap_or(available.len());
        let (data, rest) = available.split_at_checked(plain).unwrap_or((available, &[]));
        output.write_all(data)?;
        let found = !rest.is_empty();
        input.consume(plain);
        if found {
            match next_marker(input)? {
                // A byte of the picture that looks like a marker, and places to begin anew.
                inner @ (0x00 | 0xd0..=0xd7) => output.write_all(&[0xff, inner])?,
                marker => return Ok(marker),
            }
        }
    }
}

/// The next marker; any number of fill bytes may stand before it.
fn next_marker(input: &mut impl BufRead) -> io::Result<u8> {
    if byte(input)? != 0xff {
        return Err(broken());
    }
    loop {
        let marker = byte(input)?;
        if marker != 0xff {
            return Ok(marker);
        }
    }
}

fn segment(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(pair(input)?)).checked_sub(2).ok_or_else(broken)?;
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn pair(input: &mut impl BufRead) -> io::Result<[u8; 2]> {
    let mut pair = [0; 2];
    input.read_exact(&mut pair)?;
    Ok(pair)
}

fn byte(input: &mut impl BufRead) -> io::Result<u8> {
    let mut one = [0; 1];
    input.read_exact(&mut one)?;
    let [byte] = one;
    Ok(byte)
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a JPEG file")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        strip(&mut &bytes[..], &mut out).map(|()| out)
    }

    #[test]
    fn what_is_not_the_picture_goes() {
        let exif = b"\xff\xe1\x00\x0aExif\0\0GPS";
        let head = b"\xff\xd8";
        let jfif = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
        let comment = b"\xff\xfe\x00\x07Mario";
        let table = b"\xff\xdb\x00\x04ab";
        let scan = b"\xff\xda\x00\x03x\x01\xff\x00\xff\xd0\x02\x03";
        let end = b"\xff\xd9";
        // The length of the Exif segment counts itself and eight bytes more.
        let exif = &exif[..12];
        let extension = b"\xff\xf0\x00\x05GPS";
        let whole =
            [&head[..], jfif, exif, comment, extension, table, scan, b"\xff\xff", &end[1..], b"PK\x03\x04hidden"]
                .concat();
        assert_eq!(stripped(&whole).unwrap(), [&head[..], jfif, table, scan, end].concat());
    }

    #[test]
    fn what_is_cut_off_or_no_picture_is_told() {
        for bytes in [
            &b""[..],
            b"\xff\xd8",
            b"\xff\xd8\xff\xe1\x00\x01",
            b"\xff\xd8\xff\xda\x00\x02abc",
            b"GIF89a",
            b"\xff\xd8ab",
        ] {
            assert!(stripped(bytes).is_err(), "{bytes:?}");
        }
    }
}
