//! An address as a QR code (ISO/IEC 18004).

use krilla::geom::{Path, PathBuilder, Rect};
use qrcode::{Color, EcLevel, QrCode};

use crate::MAX_SYMBOL;

/// Modules that stay white around a code; a reader needs them to find it.
const QUIET: u8 = 4;

/// The modules of a code, row by row from the top.
#[derive(Debug)]
pub(crate) struct Modules {
    dark: Vec<bool>,
    /// Modules in a row.
    width: usize,
}

impl Modules {
    /// The code of an address, or none if it is empty or longer than [`MAX_SYMBOL`].
    ///
    /// Errors are corrected up to level M, which survives a fold or a stamp over 15 % of the code.
    pub(crate) fn of(url: &str) -> Option<Self> {
        if url.is_empty() || url.len() > MAX_SYMBOL {
            return None;
        }
        let code = QrCode::with_error_correction_level(url, EcLevel::M).ok()?;
        let width = code.width();
        Some(Self { dark: code.into_colors().into_iter().map(|color| color == Color::Dark).collect(), width })
    }

    /// How wide the quiet zone is in a square of `side` points.
    pub(crate) fn quiet(&self, side: f32) -> f32 {
        f32::from(QUIET) * self.module(side)
    }

    fn module(&self, side: f32) -> f32 {
        side / number(self.width + 2 * usize::from(QUIET))
    }

    /// The dark modules as one shape, in a square of `side` points that includes the quiet zone.
    ///
    /// One shape, because viewers that smooth edges leave hairlines between two that touch.
    pub(crate) fn path(&self, x: f32, y: f32, side: f32) -> Option<Path> {
        let module = self.module(side);
        let mut path = PathBuilder::new();
        for (row, modules) in self.dark.chunks(self.width.max(1)).enumerate() {
            let top = y + module * number(row + usize::from(QUIET));
            let mut column = 0;
            for run in modules.chunk_by(|a, b| a == b) {
                if run.first() == Some(&true) {
                    let left = x + module * number(column + usize::from(QUIET));
                    path.push_rect(Rect::from_xywh(left, top, module * number(run.len()), module)?);
                }
                column += run.len();
            }
        }
        path.finish()
    }
}

/// A code has at most 177 modules a side.
fn number(modules: usize) -> f32 {
    u16::try_from(modules).map_or(f32::from(u16::MAX), f32::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The modules as a picture of four pixels a module, read by another library.
    fn read(modules: &Modules) -> String {
        const SCALE: usize = 4;
        let quiet = usize::from(QUIET);
        let side = (modules.width + 2 * quiet) * SCALE;
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
            let (x, y) = ((x / SCALE).checked_sub(quiet), (y / SCALE).checked_sub(quiet));
            let module = x.zip(y).filter(|(x, y)| *x < modules.width && *y < modules.width);
            if module.is_some_and(|(x, y)| modules.dark[y * modules.width + x]) { 0 } else { 255 }
        });
        let grids = picture.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn a_code_says_its_address() {
        let long = format!("https://servizi.comune.bugliano.pi.it/ricevute/{}", "k7m2-pq4x/".repeat(20));
        for url in ["https://servizi.comune.bugliano.pi.it/c/K7M2-PQ4X", "http://a.it", "x", &long] {
            assert_eq!(read(&Modules::of(url).unwrap()), url);
        }
    }

    #[test]
    fn an_address_that_telephones_could_not_read_has_no_code() {
        assert!(Modules::of("").is_none());
        assert!(Modules::of(&"a".repeat(MAX_SYMBOL)).is_some());
        assert!(Modules::of(&"a".repeat(MAX_SYMBOL + 1)).is_none());
    }

    #[test]
    fn the_shape_keeps_its_quiet_zone() {
        let modules = Modules::of("https://a.it").unwrap();
        assert_eq!(modules.width, 21);
        // 21 modules and twice four: with 29 points a side, a module is a point.
        assert_eq!(modules.quiet(29.0), 4.0);
        assert!(modules.path(100.0, 200.0, 29.0).is_some());
    }
}
