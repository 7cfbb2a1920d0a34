//! SVG to PNG, with the embedded font, so that plots look the same on every machine.

use crate::draw::Svg;
use crate::error::ReportError;
use resvg::{tiny_skia, usvg};
use std::sync::Arc;

/// The embedded font: DejaVu Sans, reduced to Latin and Greek (see `assets/README.md`).
const FONT: &[u8] = include_bytes!("../assets/fonts/DejaVuSans-Latin.ttf");
/// Its family name.
const FAMILY: &str = "DejaVu Sans";
/// Pixels of the PNG per unit of the SVG: sharp on paper.
const DENSITY: f32 = 2.0;

/// Draws SVG as PNG.
pub(crate) struct Rasteriser {
    options: usvg::Options<'static>,
}

impl Rasteriser {
    /// Loads the embedded font; fonts of the machine are not looked at.
    pub(crate) fn new() -> Rasteriser {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(FONT.to_vec());
        fonts.set_sans_serif_family(FAMILY);
        let options = usvg::Options {
            fontdb: Arc::new(fonts),
            font_family: FAMILY.to_owned(),
            ..usvg::Options::default()
        };
        Rasteriser { options }
    }

    /// Returns the PNG of `svg`, twice its size in pixels.
    ///
    /// # Errors
    /// [`ReportError::Draw`] when the SVG is not well-formed.
    pub(crate) fn png(&self, svg: &Svg) -> Result<Vec<u8>, ReportError> {
        let failed = |problem: String| ReportError::Draw { what: "a PNG", problem };
        let tree =
            usvg::Tree::from_str(&svg.text, &self.options).map_err(|error| failed(error.to_string()))?;
        let (width, height) = (svg.width as f32 * DENSITY, svg.height as f32 * DENSITY);
        let mut picture = tiny_skia::Pixmap::new(width as u32, height as u32)
            .ok_or_else(|| failed(format!("{width} x {height} pixels")))?;
        resvg::render(&tree, tiny_skia::Transform::from_scale(DENSITY, DENSITY), &mut picture.as_mut());
        picture.encode_png().map_err(|error| failed(error.to_string()))
    }
}
