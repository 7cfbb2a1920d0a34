//! Lines over time or delay, with bands over seeds.

use super::{Axis, Frame, Key, KeyShape, Scale, Size, Style, chart, remark};
use crate::curves::thin;
use crate::draw::{Canvas, Svg, escape};
use crate::error::ReportError;

/// Most points that are drawn of a line.
const POINTS_MAX: usize = 420;
/// Most points that are drawn of a band.
const BAND_POINTS_MAX: usize = 160;

/// One line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// Its name in the legend.
    pub(crate) name: String,
    /// How it looks.
    pub(crate) style: Style,
    /// Points in order of x.
    pub(crate) points: Vec<(f64, f64)>,
    /// 95 % interval over seeds: x, low, high; empty for one seed.
    pub(crate) interval: Vec<(f64, f64, f64)>,
    /// Range over seeds: x, low, high; empty for one seed.
    pub(crate) range: Vec<(f64, f64, f64)>,
    /// Drawn in steps (a distribution) or straight from point to point.
    pub(crate) steps: bool,
    /// A place on the horizontal axis that belongs to the line.
    pub(crate) reference: Option<Reference>,
}

/// A marked place on the horizontal axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reference {
    /// Where.
    pub(crate) x: f64,
}

/// Draws lines.
///
/// # Errors
/// [`ReportError::Draw`].
pub(crate) fn lines(frame: &Frame<'_>, lines: &[Line]) -> Result<Svg, ReportError> {
    let keys: Vec<_> = lines
        .iter()
        .map(|line| Key { name: line.name.clone(), style: line.style, shape: KeyShape::Line })
        .collect();
    chart(frame, &keys, Size::default(), |canvas, scale| {
        if lines.iter().all(|line| line.points.is_empty()) {
            return remark(canvas, scale, "nothing was recorded");
        }
        for (index, line) in lines.iter().enumerate() {
            let name = escape(&line.name);
            canvas.group(&format!("class=\"series\" data-i=\"{index}\" data-n=\"{name}\""), || {
                band(canvas, scale, line, &line.range, 0.10)?;
                band(canvas, scale, line, &line.interval, 0.22)?;
                if let Some(Reference { x }) = line.reference {
                    let ((x, _), (_, top, _, bottom)) = (scale.at((x, 0.0)), scale.area);
                    canvas.group("stroke-dasharray=\"8 10\"", || {
                        canvas.line([(x, top), (x, bottom)], line.style.color, 1.2)
                    })?;
                }
                canvas.group(&format!("class=\"line\" {}", line.style.attributes()), || {
                    for piece in pieces(line) {
                        let places = piece.into_iter().map(|point| scale.at(point)).collect::<Vec<_>>();
                        match places[..] {
                            // A value with nothing beside it is a dot.
                            [(x, y)] => canvas.line([(x - 1.2, y), (x + 1.2, y)], line.style.color, 2.4)?,
                            _ => canvas.line(places, line.style.color, 1.8)?,
                        }
                    }
                    Ok(())
                })
            })?;
        }
        Ok(())
    })
}

/// Returns the range of x over all lines.
pub(crate) fn extent(lines: &[Line]) -> (f64, f64) {
    let xs = || lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
    (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max))
}

/// Returns a vertical axis that holds all lines and bands.
pub(crate) fn y_axis<'a>(name: &'a str, unit: &'a str, lines: &[Line]) -> Axis<'a> {
    let tops = lines.iter().flat_map(|line| {
        line.points.iter().map(|point| point.1).chain(line.range.iter().map(|point| point.2))
    });
    Axis::from_zero(name, unit, tops)
}

fn band(
    canvas: &Canvas<'_>,
    scale: &Scale,
    line: &Line,
    points: &[(f64, f64, f64)],
    alpha: f64,
) -> Result<(), ReportError> {
    if points.len() < 2 {
        return Ok(());
    }
    let step = points.len().div_ceil(BAND_POINTS_MAX);
    let kept: Vec<_> =
        points.iter().enumerate().filter(|(i, _)| i % step == 0 || i + 1 == points.len()).collect();
    let upper = kept.iter().map(|(_, (x, _, high))| (*x, *high));
    let lower = kept.iter().rev().map(|(_, (x, low, _))| (*x, *low));
    canvas.polygon(upper.chain(lower).map(|point| scale.at(point)), line.style.color, alpha)
}

/// Splits a line where samples are missing, and thins it to what can be seen. A distribution has no gaps.
fn pieces(line: &Line) -> Vec<Vec<(f64, f64)>> {
    if line.steps {
        return vec![stairs(&thin(&line.points, POINTS_MAX))];
    }
    let steps = line.points.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let sample = steps.filter(|step| *step > 0.0).fold(f64::INFINITY, f64::min);
    let whole = line.points.len().max(1);
    line.points
        .chunk_by(|a, b| b.0 - a.0 < 1.8 * sample)
        .map(|piece| thin(piece, (POINTS_MAX * piece.len() / whole).max(4)))
        .collect()
}

/// Turns points into a staircase: each value holds until the next point.
fn stairs(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut out = Vec::with_capacity(points.len() * 2);
    for (index, point) in points.iter().enumerate() {
        if let Some(before) = index.checked_sub(1).and_then(|before| points.get(before)) {
            out.push((point.0, before.1));
        }
        out.push(*point);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line breaks where samples are missing, and nowhere else.
    #[test]
    fn gaps_stay_gaps() {
        let mut line = Line {
            name: String::new(),
            style: Style::nth(0),
            points: [1.0, 2.0, 3.0, 7.0, 9.0, 10.0].map(|t| (t, t)).to_vec(),
            interval: Vec::new(),
            range: Vec::new(),
            steps: false,
            reference: None,
        };
        let starts: Vec<_> = pieces(&line).iter().map(|piece| (piece[0].0, piece.len())).collect();
        assert_eq!(starts, [(1.0, 3), (7.0, 1), (9.0, 2)]);
        line.points = (0..10_000).map(|t| (f64::from(t) * 0.1, 1.0)).collect();
        assert_eq!(pieces(&line).len(), 1);
        assert!(pieces(&line)[0].len() <= POINTS_MAX + 2);
    }
}
