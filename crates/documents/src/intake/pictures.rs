//! What of an image is not the image: where it was taken, when, with what, and which way up the camera was held.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Seek, SeekFrom, Write},
};

use image::{
    DynamicImage, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader, Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    metadata::Orientation,
};

use super::{jpeg, png};
use crate::files::model::MediaType;

/// An image of more pixels is not taken: a few kilobytes can claim to be a wall.
const MOST_PIXELS: u64 = 50_000_000;
/// How much memory an image may take while it is turned: as it is and as it will be, side by side.
const MOST_MEMORY: u64 = 512 * 1024 * 1024;
/// How well a photograph is written again, of 100.
const QUALITY: u8 = 92;

/// Why an image was not taken.
#[derive(Debug)]
pub enum Fault {
    /// It is damaged.
    Damaged,
    /// It has too many pixels.
    TooManyPixels,
    /// The disk of the gateway.
    Disk(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Disk(error),
        }
    }
}

impl From<ImageError> for Fault {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::IoError(error) => error.into(),
            ImageError::Limits(_) => Self::TooManyPixels,
            _ => Self::Damaged,
        }
    }
}

/// Writes the image into `clean`, the right way up and without anything else. One that is the right way up already is
/// copied and not compressed anew.
///
/// # Errors
/// [`Fault`] says why it is not taken.
pub fn cleaned(file: &File, media_type: MediaType, clean: &File) -> Result<(), Fault> {
    let format = if media_type == MediaType::Png { ImageFormat::Png } else { ImageFormat::Jpeg };
    let mut start = file;
    start.seek(SeekFrom::Start(0))?;
    let mut reader = ImageReader::with_format(BufReader::new(file), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width).saturating_mul(u64::from(height)) > MOST_PIXELS {
        return Err(Fault::TooManyPixels);
    }
    // What says it badly says nothing.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut out = BufWriter::new(clean);
    if orientation == Orientation::NoTransforms {
        drop(decoder);
        start.seek(SeekFrom::Start(0))?;
        let mut input = BufReader::new(file);
        match media_type {
            MediaType::Png => png::strip(&mut input, &mut out)?,
            _ => jpeg::strip(&mut input, &mut out)?,
        }
    } else {
        // Few pixels of many bytes are as much.
        if decoder.total_bytes() > MOST_MEMORY / 2 {
            return Err(Fault::TooManyPixels);
        }
        let profile = decoder.icc_profile().ok().flatten();
        let mut turned = DynamicImage::from_decoder(decoder)?;
        turned.apply_orientation(orientation);
        written(&turned, media_type, profile, &mut out)?;
    }
    out.flush()?;
    Ok(())
}

fn written(
    image: &DynamicImage,
    media_type: MediaType,
    profile: Option<Vec<u8>>,
    out: &mut impl Write,
) -> Result<(), Fault> {
    if media_type == MediaType::Png {
        let mut encoder = PngEncoder::new(out);
        keep(&mut encoder, profile);
        return Ok(image.write_with_encoder(encoder)?);
    }
    let mut encoder = JpegEncoder::new_with_quality(out, QUALITY);
    keep(&mut encoder, profile);
    Ok(image.write_with_encoder(encoder)?)
}

/// Without its profile the colours would be others; an encoder that knows none leaves it out.
fn keep(encoder: &mut impl ImageEncoder, profile: Option<Vec<u8>>) {
    if let Some(Err(error)) = profile.map(|profile| encoder.set_icc_profile(profile)) {
        tracing::debug!(%error, "a colour profile was left out");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
        let named = [kind, data].concat();
        let bit = |sum: u32, _: u8| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
        let check = named.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), bit));
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], &named, &(!check).to_be_bytes()].concat()
    }

    #[test]
    fn few_pixels_of_many_bytes_are_not_turned() {
        let side = 6000_u32.to_be_bytes();
        // Sixteen bits of each of four colours, and held on its side.
        let head = [&side[..], &side, &[16, 6, 0, 0, 0]].concat();
        let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let [head, exif] = [chunk(b"IHDR", &head), chunk(b"eXIf", exif)];
        let whole =
            [b"\x89PNG\r\n\x1a\n".as_slice(), &head, &exif, &chunk(b"IDAT", b"x"), &chunk(b"IEND", b"")].concat();
        let (mut file, clean) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        file.write_all(&whole).unwrap();
        let outcome = cleaned(&file, MediaType::Png, &clean);
        assert!(matches!(outcome, Err(Fault::TooManyPixels)), "{outcome:?}");
    }
}
