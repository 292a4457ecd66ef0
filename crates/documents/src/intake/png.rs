//! A PNG file without what is not the picture. Nothing is decoded: the picture stays as it is, to the bit.

use std::io::{self, BufRead, Read, Write};

const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

/// The chunks that are needed to show the picture. Texts, Exif and the time of the last change are not among them, nor
/// is what is not known.
const KEPT: &[&[u8; 4]] = &[
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"bKGD", b"pHYs",
];

/// Copies what is needed to show the picture, and nothing that follows its end.
///
/// # Errors
/// `InvalidData` where it is no PNG file, `UnexpectedEof` where it is cut off.
pub(super) fn strip(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<()> {
    let mut signature = [0; 8];
    input.read_exact(&mut signature)?;
    if &signature != SIGNATURE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a PNG file"));
    }
    output.write_all(SIGNATURE)?;
    loop {
        let (mut length, mut kind) = ([0; 4], [0; 4]);
        input.read_exact(&mut length)?;
        input.read_exact(&mut kind)?;
        // The checksum follows the data.
        let rest = u64::from(u32::from_be_bytes(length)).saturating_add(4);
        let mut chunk = input.by_ref().take(rest);
        let copied = if KEPT.contains(&&kind) {
            output.write_all(&length)?;
            output.write_all(&kind)?;
            io::copy(&mut chunk, output)?
        } else {
            io::copy(&mut chunk, &mut io::sink())?
        };
        if copied < rest {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if &kind == b"IEND" {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], kind, data, b"crc!"].concat()
    }

    #[test]
    fn what_is_not_the_picture_goes() {
        let (head, data, end) = (chunk(b"IHDR", b"head"), chunk(b"IDAT", b"data"), chunk(b"IEND", b""));
        let extra = [chunk(b"tEXt", b"Author\0Mario"), chunk(b"eXIf", b"GPS"), chunk(b"abCd", b"x")].concat();
        let whole = [SIGNATURE.as_slice(), &head, &extra, &data, &end, b"hidden"].concat();
        let mut out = Vec::new();
        strip(&mut whole.as_slice(), &mut out).unwrap();
        assert_eq!(out, [SIGNATURE.as_slice(), &head, &data, &end].concat());
        for cut in [0, 7, 12, 30, whole.len() - 20] {
            assert!(strip(&mut &whole[..cut], &mut io::sink()).is_err(), "{cut}");
        }
    }
}
