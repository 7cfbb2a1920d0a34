//! A strip of colour for each of many things, in time.

use super::{Axis, Frame, Key, KeyShape, Size, Style, chart, samples_between};
use crate::draw::{Anchor, INK, Svg, text_width};
use crate::error::ReportError;
use crate::faults::Mark;
use crate::format;
use plotters::style::RGBColor;

/// Most cells in a row; finer samples are averaged.
const CELLS_MAX: usize = 90;
/// Height of a row.
const ROW: f64 = 17.0;

/// One strip.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) name: String,
    /// (End of the interval, value).
    pub(crate) values: Vec<(f64, f64)>,
}

/// Classes of a share between 0 and 1, from light to dark, with their lower edges.
pub(crate) const SHARES: [(f64, &str, RGBColor); 6] = [
    (0.0, "unused", RGBColor(238, 238, 238)),
    (0.001, "up to 20 %", RGBColor(198, 219, 239)),
    (0.2, "20 to 50 %", RGBColor(107, 174, 214)),
    (0.5, "50 to 80 %", RGBColor(33, 113, 181)),
    (0.8, "80 to 95 %", RGBColor(253, 141, 60)),
    (0.95, "95 % and more", RGBColor(189, 0, 38)),
];

/// Returns the colour of a share.
pub(crate) fn share_color(share: f64) -> RGBColor {
    SHARES.iter().rev().find(|class| share >= class.0).map_or(SHARES[0].2, |class| class.2)
}

/// Returns the legend of the colours of shares.
fn share_keys() -> Vec<Key> {
    SHARES
        .iter()
        .map(|(_, name, color)| Key {
            name: (*name).to_owned(),
            style: Style { color: *color, dash: &[] },
            shape: KeyShape::Box,
        })
        .collect()
}

/// Draws strips of shares between 0 and 1, from above.
///
/// # Errors
/// [`ReportError::Draw`].
pub(crate) fn heat(
    (title, description): (&str, &str),
    (from, to): (f64, f64),
    rows: &[Row],
    marks: &[Mark],
) -> Result<Svg, ReportError> {
    let labels: Vec<_> = rows.iter().map(|row| format::shorten(&row.name, 30)).collect();
    let left = labels.iter().map(|label| text_width(label, 11.0)).fold(40.0, f64::max) + 22.0;
    let mut y = Axis::new("", "", (0.0, rows.len().max(1) as f64));
    y.ticks = false;
    let frame = Frame { title, description, x: Axis::new("Scenario time", "s", (from, to)), y, marks };
    let size = Size { height: ROW * rows.len().max(2) as f64, left };
    let samples = samples_between((from, to), rows.iter().map(|row| &row.values[..]));
    chart(&frame, &share_keys(), size, |canvas, scale| {
        for (index, row) in rows.iter().enumerate() {
            let bottom = (rows.len() - index - 1) as f64;
            let (x, y) = scale.at((from, bottom + 0.5));
            canvas.text((x - 8.0, y), &labels[index], 11.0, INK, Anchor::End)?;
            let together = samples.div_ceil(CELLS_MAX);
            let cells = samples.div_ceil(together);
            let width = (to - from) * together as f64 / samples as f64;
            let mut sums = vec![(0.0, 0_u32); cells];
            for (t, value) in &row.values {
                let cell = ((t - from) / width - 1e-6).floor().clamp(0.0, (cells - 1) as f64) as usize;
                sums[cell].0 += value;
                sums[cell].1 += 1;
            }
            // Cells of one colour that follow each other are one rectangle: the page stays small.
            let mut start = 0;
            let colors: Vec<_> =
                sums.iter().map(|(sum, n)| (*n > 0).then(|| share_color(sum / f64::from(*n)))).collect();
            for cell in 1..=cells {
                if cell < cells && colors[cell] == colors[start] {
                    continue;
                }
                if let Some(color) = colors[start] {
                    let (x0, y0) = scale.at((from + width * start as f64, bottom + 0.06));
                    let (x1, y1) = scale.at((from + width * cell as f64, bottom + 0.94));
                    canvas.rect((x0, y1), (x1, y0), color)?;
                }
                start = cell;
            }
        }
        Ok(())
    })
}
