//! What of an image is not the image.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use tests::{Client, Server, both_databases};

use super::{path, send};

both_databases!(where_it_was_taken_is_removed, it_is_turned_the_right_way_up);

/// Wider than high, red on the left and blue on the right.
fn picture(format: ImageFormat) -> Vec<u8> {
    let paint = |x: u32, _: u32| if x < 32 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) };
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_fn(64, 32, paint).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A photograph with Exif that says how the camera was held, and who held it.
fn photograph(orientation: u8) -> Vec<u8> {
    let plain = picture(ImageFormat::Jpeg);
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x02".to_vec();
    tiff.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    tiff.extend([0x01, 0x3b, 0, 2, 0, 0, 0, 12, 0, 0, 0, 38]);
    tiff.extend([0, 0, 0, 0]);
    tiff.extend(b"Anna Gps441\0");
    let exif = [b"Exif\0\0".as_slice(), &tiff].concat();
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], b"\xff\xe1", &length, &exif, &plain[2..], b"PK\x03\x04hidden behind"].concat()
}

async fn content(client: &Client, media_type: &str, bytes: Vec<u8>) -> Vec<u8> {
    let made = send(client, media_type, "foto", bytes).await.expect(201);
    let (status, _, bytes) = client.get(&path(&made, "/content")).bytes().await;
    assert_eq!((status, made.at("/size_bytes").as_u64()), (200, u64::try_from(bytes.len()).ok()));
    bytes
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

async fn where_it_was_taken_is_removed(server: Server) {
    let anna = server.client("citizen_a");
    let sent = photograph(1);
    assert!(holds(&sent, "Anna Gps441") && holds(&sent, "hidden"));
    let kept = content(&anna, "image/jpeg", sent).await;
    assert!(!holds(&kept, "Anna") && !holds(&kept, "Exif") && !holds(&kept, "hidden"));
    // To the bit what it was without.
    let plain = picture(ImageFormat::Jpeg);
    let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().to_rgb8();
    assert_eq!(pixels(&kept), pixels(&plain));

    let plain = picture(ImageFormat::Png);
    // The header chunk ends after 33 bytes.
    let text = [&24_u32.to_be_bytes()[..], b"tEXt", b"Author\0Anna Gps441......", b"\0\0\0\0"].concat();
    let sent = [&plain[..33], &text, &plain[33..], b"hidden behind"].concat();
    assert_eq!(content(&anna, "image/png", sent).await, plain);
}

async fn it_is_turned_the_right_way_up(server: Server) {
    let anna = server.client("citizen_a");
    // Held with its left side down: what is on the left is to be at the top.
    let kept = content(&anna, "image/jpeg", photograph(6)).await;
    assert!(!holds(&kept, "Anna") && !holds(&kept, "Exif"));
    let turned = image::load_from_memory(&kept).unwrap().to_rgb8();
    assert_eq!(turned.dimensions(), (32, 64));
    let (top, bottom) = (turned.get_pixel(16, 8), turned.get_pixel(16, 56));
    assert!(top.0[0] > 200 && top.0[2] < 50, "{top:?}");
    assert!(bottom.0[2] > 200 && bottom.0[0] < 50, "{bottom:?}");
}
