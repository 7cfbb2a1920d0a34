//! Maps of ratios: a table whose cells are coloured by how far they are from one.

use crate::draw::{Anchor, FAINT, INK, Svg, picture, text_width};
use crate::error::ReportError;
use crate::png::Rasteriser;
use plotters::style::RGBColor;

/// Sizes of a cell in units.
const CELL: (f64, f64) = (132.0, 40.0);
/// Height of the title and of the columns' names.
const HEAD: f64 = 62.0;
/// Height of a line of the legend.
const LEGEND: f64 = 26.0;

/// Classes of a ratio's distance from one, by their upper edges; a ratio of 0.9 is as far as one of 1.1. With the
/// colour of those below and of those above one.
const CLASSES: [(f64, &str, RGBColor, RGBColor); 4] = [
    (0.05, "within 5 %", RGBColor(224, 239, 224), RGBColor(224, 239, 224)),
    (0.10, "within 10 %", RGBColor(186, 222, 190), RGBColor(186, 222, 190)),
    (0.25, "within 25 %", RGBColor(198, 219, 239), RGBColor(253, 208, 162)),
    (f64::INFINITY, "farther", RGBColor(107, 174, 214), RGBColor(241, 140, 70)),
];
const EMPTY: RGBColor = RGBColor(244, 244, 244);

/// A table of ratios with their intervals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RatioMap {
    /// What it shows.
    pub title: String,
    /// A sentence or two below it, which also stands for it where it cannot be seen.
    pub caption: String,
    /// Names of the rows, from above.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Cells, row by row: a ratio, and the ends of its interval where there are some.
    pub cells: Vec<Option<Ratio>>,
}

/// A ratio and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Its mean.
    pub mean: f64,
    /// The ends of its interval; `None` for one value.
    pub interval: Option<(f64, f64)>,
}

impl RatioMap {
    /// Returns the name of the map's files: its title in small letters, digits and hyphens.
    #[must_use]
    pub fn slug(&self) -> String {
        super::slug(&self.title)
    }

    /// Returns the map as an SVG document.
    ///
    /// # Errors
    /// [`ReportError::Draw`]: a defect.
    pub fn svg(&self) -> Result<String, ReportError> {
        Ok(self.draw()?.text)
    }

    /// Returns the map as a PNG picture.
    ///
    /// # Errors
    /// [`ReportError::Draw`]: a defect.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        Rasteriser::new().png(&self.draw()?)
    }

    fn draw(&self) -> Result<Svg, ReportError> {
        let left = self.rows.iter().map(|row| text_width(row, 12.0)).fold(40.0, f64::max) + 24.0;
        let grid = (CELL.0 * self.columns.len() as f64, CELL.1 * self.rows.len() as f64);
        let legend: f64 = CLASSES.iter().map(|class| 28.0 + text_width(class.1, 11.0) + 20.0).sum();
        let width = (left + grid.0.max(legend) + 16.0).max(text_width(&self.title, 15.0) * 1.1 + 24.0);
        let height = HEAD + grid.1 + LEGEND + 8.0;
        picture((width.ceil() as u32, height.ceil() as u32), &self.title, &self.caption, |canvas| {
            canvas.heading((12.0, 20.0), &self.title, 15.0)?;
            for (i, column) in self.columns.iter().enumerate() {
                let x = left + CELL.0 * (i as f64 + 0.5);
                canvas.text((x, HEAD - 12.0), column, 11.0, INK, Anchor::Middle)?;
            }
            for (r, row) in self.rows.iter().enumerate() {
                let y = HEAD + CELL.1 * r as f64;
                canvas.text((left - 10.0, y + CELL.1 / 2.0), row, 12.0, INK, Anchor::End)?;
                for c in 0..self.columns.len() {
                    let x = left + CELL.0 * c as f64;
                    let cell = self.cells.get(r * self.columns.len() + c).copied().flatten();
                    let color = cell.map_or(EMPTY, |cell| color(cell.mean));
                    canvas.rect((x + 1.0, y + 1.0), (x + CELL.0 - 1.0, y + CELL.1 - 1.0), color)?;
                    let middle = (x + CELL.0 / 2.0, y + CELL.1 / 2.0);
                    let Some(Ratio { mean, interval }) = cell else {
                        canvas.text(middle, "-", 12.0, FAINT, Anchor::Middle)?;
                        continue;
                    };
                    let lift = if interval.is_some() { 8.0 } else { 0.0 };
                    canvas.text(
                        (middle.0, middle.1 - lift),
                        &format!("{mean:.3}"),
                        13.0,
                        INK,
                        Anchor::Middle,
                    )?;
                    if let Some((low, high)) = interval {
                        let text = format!("{low:.3} to {high:.3}");
                        canvas.text((middle.0, middle.1 + 9.0), &text, 10.0, FAINT, Anchor::Middle)?;
                    }
                }
            }
            let y = HEAD + grid.1 + LEGEND / 2.0 + 2.0;
            let mut x = left;
            for (_, name, below, above) in CLASSES {
                for color in [below, above] {
                    canvas.rect((x, y - 6.0), (x + 12.0, y + 6.0), color)?;
                    x += 14.0;
                }
                canvas.text((x + 4.0, y), name, 11.0, INK, Anchor::Start)?;
                x += text_width(name, 11.0) + 20.0;
            }
            Ok(())
        })
    }
}

fn color(ratio: f64) -> RGBColor {
    // As far below one as above it, up to rounding.
    let distance = (ratio - 1.0).abs() - 1e-9;
    let class = CLASSES.iter().find(|class| distance <= class.0);
    class.map_or(EMPTY, |class| if ratio < 1.0 { class.2 } else { class.3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: every value stands in its cell with its interval, what is missing is a dash, and the colour is that of the
    /// class.
    #[test]
    fn a_map_shows_what_it_was_given() {
        let ratio = |mean, interval| Some(Ratio { mean, interval });
        let map = RatioMap {
            title: "Goodput <ratios>".to_owned(),
            caption: "Simulated by kernel.".to_owned(),
            rows: vec!["reno".to_owned(), "cubic".to_owned()],
            columns: vec!["20 ms".to_owned(), "80 ms".to_owned()],
            cells: vec![ratio(0.987, Some((0.95, 1.02))), None, ratio(1.3, None), ratio(0.7, None)],
        };
        let svg = map.svg().expect("it draws");
        for piece in
            ["0.987", "0.950 to 1.020", "1.300", "Goodput &lt;ratios&gt;", "80 ms", "cubic", "within 10 %"]
        {
            assert!(svg.contains(piece), "no {piece:?}");
        }
        assert!(svg.contains("#F18C46") && svg.contains("#6BAED6"), "far above and far below look different");
        assert!(map.png().expect("it draws").starts_with(b"\x89PNG"));
        assert_eq!((color(1.1), color(0.9)), (CLASSES[1].3, CLASSES[1].2));
    }
}
