//! Charts: a frame with title, axes, fault marks and legend, and what is drawn in it.

mod bars;
mod heat;
mod lines;

pub(crate) use bars::{Stack, across, in_time};
pub(crate) use heat::{Row, SHARES, heat, share_color};
pub(crate) use lines::{Line, Reference, extent, lines, y_axis};

use crate::draw::{
    Anchor, Canvas, FAINT, FINE, GRID, INK, PALETTE, Svg, escape, failed, font, picture, text_width,
};
use crate::error::ReportError;
use crate::faults::Mark;
use crate::format;
use plotters::prelude::*;

/// Width of every chart in units.
pub(crate) const WIDTH: f64 = 980.0;
/// Height of the plotting area.
const PLOT_HEIGHT: f64 = 300.0;
/// Space left of the plotting area for numbers and the axis' name.
const LEFT: f64 = 74.0;
/// Space below it.
const BELOW: f64 = 50.0;
/// Height of a legend entry.
const ENTRY: f64 = 19.0;
/// Longest legend text in characters.
const ENTRY_CHARS: usize = 30;
/// Height of one row of fault labels.
const MARK_ROW: f64 = 15.0;
/// Most rows of fault labels.
const MARK_ROWS: usize = 4;

/// How a series looks. Colours repeat after seven series, then with another dash pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Style {
    /// Colour.
    pub(crate) color: RGBColor,
    /// `stroke-dasharray` in units, empty for a solid line.
    pub(crate) dash: &'static [f64],
}

impl Style {
    /// Returns the style of the `index`-th series.
    pub(crate) fn nth(index: usize) -> Style {
        const DASHES: [&[f64]; 4] = [&[], &[7.0, 3.0], &[2.0, 2.5], &[9.0, 3.0, 2.0, 3.0]];
        Style { color: PALETTE[index % PALETTE.len()], dash: DASHES[(index / PALETTE.len()) % DASHES.len()] }
    }

    /// The style of what is gathered from many series.
    pub(crate) fn others() -> Style {
        Style { color: RGBColor(130, 130, 130), dash: &[4.0, 2.0] }
    }

    /// Returns the attributes of a group whose lines have the dash pattern.
    pub(crate) fn attributes(self) -> String {
        if self.dash.is_empty() {
            return String::new();
        }
        let lengths: Vec<_> = self.dash.iter().map(|length| (length * FINE).to_string()).collect();
        format!("stroke-dasharray=\"{}\"", lengths.join(" "))
    }
}

/// Words and ranges of a chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frame<'a> {
    /// What the chart shows, as a statement.
    pub(crate) title: &'a str,
    /// The sentence for those who cannot see it.
    pub(crate) description: &'a str,
    /// Name and unit of the horizontal axis.
    pub(crate) x: Axis<'a>,
    /// Name and unit of the vertical axis.
    pub(crate) y: Axis<'a>,
    /// Faults in time; empty when the horizontal axis is not time.
    pub(crate) marks: &'a [Mark],
}

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its unit; empty for plain numbers.
    pub(crate) unit: &'a str,
    /// From and to; widened when empty.
    pub(crate) range: (f64, f64),
    /// Whether it has numbers.
    pub(crate) ticks: bool,
}

impl<'a> Axis<'a> {
    /// An axis with numbers.
    pub(crate) fn new(name: &'a str, unit: &'a str, (from, to): (f64, f64)) -> Axis<'a> {
        let to = if to > from { to } else { from + 1.0 };
        Axis { name, unit, range: (from, to), ticks: true }
    }

    /// An axis from zero to a little above the greatest of `values`.
    pub(crate) fn from_zero(name: &'a str, unit: &'a str, values: impl IntoIterator<Item = f64>) -> Axis<'a> {
        let top = values.into_iter().fold(0.0, f64::max);
        Axis::new(name, unit, (0.0, if top > 0.0 { top * 1.06 } else { 1.0 }))
    }

    fn label(&self) -> String {
        if self.unit.is_empty() { self.name.to_owned() } else { format!("{} ({})", self.name, self.unit) }
    }
}

/// A legend entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    /// Text.
    pub(crate) name: String,
    /// How it looks.
    pub(crate) style: Style,
    /// A line or a filled box.
    pub(crate) shape: KeyShape,
}

/// What stands before a legend text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyShape {
    /// A piece of line.
    Line,
    /// A box.
    Box,
}

/// From data to places in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    x: (f64, f64),
    y: (f64, f64),
    /// Left, top, right, bottom of the plotting area.
    pub(crate) area: (f64, f64, f64, f64),
}

impl Scale {
    /// Returns the place of a point, held within the plotting area.
    pub(crate) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (left, top, right, bottom) = self.area;
        let part = |value: f64, (from, to): (f64, f64)| ((value - from) / (to - from)).clamp(0.0, 1.0);
        (left + part(x, self.x) * (right - left), bottom - part(y, self.y) * (bottom - top))
    }
}

/// Draws a chart: `paint` draws the data between grid and fault marks. `height`: of the plotting area; `left`: space
/// for what stands left of it.
///
/// # Errors
/// [`ReportError::Draw`].
pub(crate) fn chart(
    frame: &Frame<'_>,
    keys: &[Key],
    size: Size,
    paint: impl FnOnce(&Canvas<'_>, &Scale) -> Result<(), ReportError>,
) -> Result<Svg, ReportError> {
    let legend = legend_width(keys);
    let title = wrap(frame.title, 15.0, WIDTH - 24.0);
    let (left, right) = (size.left, WIDTH - legend - 14.0);
    let placed = place_marks(frame.marks, frame.x.range, (left, right));
    let rows = placed.iter().map(|mark| mark.row + 1).max().unwrap_or(0);
    let top = 14.0 + 20.0 * title.len() as f64 + MARK_ROW * rows as f64 + 8.0;
    let bottom = top + size.height;
    let height = (bottom + BELOW).max(top + ENTRY * keys.len() as f64 + 12.0);
    let scale = Scale { x: frame.x.range, y: frame.y.range, area: (left, top, right, bottom) };
    picture((WIDTH as u32, height.ceil() as u32), frame.title, frame.description, |canvas| {
        for (row, line) in title.iter().enumerate() {
            canvas.heading((12.0, 18.0 + 20.0 * row as f64), line, 15.0)?;
        }
        axes(canvas, frame, &scale)?;
        canvas.group(&interaction(frame, &scale), || paint(canvas, &scale))?;
        draw_marks(canvas, &placed, &scale)?;
        draw_legend(canvas, keys, (right + 18.0, top))
    })
}

/// Sizes of a chart's parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    /// Height of the plotting area.
    pub(crate) height: f64,
    /// Space left of it.
    pub(crate) left: f64,
}

impl Default for Size {
    fn default() -> Self {
        Size { height: PLOT_HEIGHT, left: LEFT }
    }
}

/// Splits a text into at most three lines that fit.
pub(crate) fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    // A number and its unit stay together.
    let text = [" %", " ms", " s", " Mbit/s"].iter().fold(format!("{text} "), |text, unit| {
        text.replace(&format!("{unit} "), &format!("\u{a0}{} ", &unit[1..]))
    });
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let line = lines.last_mut().expect("there is at least one line");
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        // Headings are bold: a tenth wider.
        if line.is_empty() || text_width(&longer, size) * 1.1 <= width || lines.len() == 3 {
            *lines.last_mut().expect("there is at least one line") = longer;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Tells the page's script where the data is, so that it can read values off the drawing.
fn interaction(frame: &Frame<'_>, scale: &Scale) -> String {
    let (left, top, right, bottom) = scale.area;
    format!(
        "class=\"plot\" data-box=\"{} {} {} {}\" data-x=\"{} {}\" data-y=\"{} {}\" data-xn=\"{}\" data-xu=\"{}\" \
         data-yu=\"{}\"",
        left * FINE,
        top * FINE,
        right * FINE,
        bottom * FINE,
        scale.x.0,
        scale.x.1,
        scale.y.0,
        scale.y.1,
        escape(frame.x.name),
        escape(frame.x.unit),
        escape(frame.y.unit),
    )
}

/// Draws grid, numbers and names of the axes.
fn axes(canvas: &Canvas<'_>, frame: &Frame<'_>, scale: &Scale) -> Result<(), ReportError> {
    let (left, top, right, bottom) = scale.area;
    let space = |units: f64| (units * FINE) as i32;
    let area = canvas.part((0.0, top), (right, bottom + BELOW));
    let mut chart = ChartBuilder::on(&area)
        .set_label_area_size(LabelAreaPosition::Left, space(left))
        .set_label_area_size(LabelAreaPosition::Bottom, space(BELOW))
        .build_cartesian_2d(frame.x.range.0..frame.x.range.1, frame.y.range.0..frame.y.range.1)
        .map_err(failed)?;
    let x_label = frame.x.label();
    let mut mesh = chart.configure_mesh();
    mesh.x_labels(10)
        .y_labels(6)
        .x_label_formatter(&|value| format::tick(*value))
        .y_label_formatter(&|value| format::tick(*value))
        .bold_line_style(GRID.stroke_width(FINE as u32))
        .light_line_style(TRANSPARENT)
        .axis_style(RGBColor(140, 140, 140).stroke_width(FINE as u32))
        .label_style(font(12.0))
        .axis_desc_style(font(13.0))
        .x_desc(&x_label)
        .set_all_tick_mark_size(space(4.0));
    if !frame.y.ticks {
        mesh.disable_y_mesh().y_labels(0);
    }
    if !frame.x.ticks {
        mesh.disable_x_mesh().x_labels(0);
    }
    mesh.draw().map_err(failed)?;
    if frame.y.ticks {
        canvas.text_upwards((22.0, (top + bottom) / 2.0), &frame.y.label(), 13.0)?;
    }
    Ok(())
}

fn legend_width(keys: &[Key]) -> f64 {
    if keys.is_empty() {
        return 6.0;
    }
    let widest = keys.iter().map(|key| text_width(&format::shorten(&key.name, ENTRY_CHARS), 12.0));
    widest.fold(60.0, f64::max) + 50.0
}

fn draw_legend(canvas: &Canvas<'_>, keys: &[Key], (x, top): (f64, f64)) -> Result<(), ReportError> {
    for (index, key) in keys.iter().enumerate() {
        let y = top + 8.0 + ENTRY * index as f64;
        canvas.group(&format!("class=\"key\" data-i=\"{index}\""), || {
            match key.shape {
                KeyShape::Line => canvas.group(&key.style.attributes(), || {
                    canvas.line([(x, y), (x + 26.0, y)], key.style.color, 2.2)
                })?,
                KeyShape::Box => canvas.rect((x + 6.0, y - 6.0), (x + 20.0, y + 6.0), key.style.color)?,
            }
            if key.name.chars().count() > ENTRY_CHARS {
                canvas.raw(format!("<title>{}</title>", escape(&key.name)))?;
            }
            canvas.text((x + 33.0, y), &format::shorten(&key.name, ENTRY_CHARS), 12.0, INK, Anchor::Start)
        })?;
    }
    Ok(())
}

/// A fault label with its place.
struct Placed {
    x: f64,
    row: usize,
    text: String,
    anchor: Anchor,
    /// From where to where the text goes.
    span: (f64, f64),
}

/// Finds places for fault labels above the plotting area, so that none covers another nor is crossed by another's
/// line: tag and text where they fit, else the tag alone, else only the line.
fn place_marks(marks: &[Mark], (from, to): (f64, f64), (left, right): (f64, f64)) -> Vec<Placed> {
    let mut placed: Vec<Placed> = Vec::new();
    // From right to left: a label stands right of its line, above the labels and lines that begin within it.
    for mark in marks.iter().rev().filter(|mark| (from..=to).contains(&mark.t_s)) {
        let x = left + (mark.t_s - from) / (to - from) * (right - left);
        let full = format!("{} {}", mark.tag, mark.short);
        let found = [full.as_str(), mark.tag.as_str()].into_iter().find_map(|text| {
            let width = text_width(text, 11.0);
            let after = x + 3.0 + width < WIDTH - 4.0;
            let start = if after { x + 3.0 } else { x - 3.0 - width };
            let span = (start, start + width);
            let free = |row: &usize| {
                placed.iter().all(|other| {
                    let apart = span.1 + 5.0 < other.span.0 || other.span.1 + 5.0 < span.0;
                    let crossed = other.row >= *row && (span.0 - 2.0..=span.1 + 2.0).contains(&other.x);
                    let crosses = *row >= other.row && (other.span.0 - 2.0..=other.span.1 + 2.0).contains(&x);
                    (other.row != *row || apart) && !crossed && !crosses
                })
            };
            let row = (0..MARK_ROWS).find(free)?;
            let anchor = if after { Anchor::Start } else { Anchor::End };
            Some(Placed { x, row, text: text.to_owned(), anchor, span })
        });
        placed.push(found.unwrap_or(Placed {
            x,
            row: 0,
            text: String::new(),
            anchor: Anchor::Start,
            span: (x, x),
        }));
    }
    placed
}

fn draw_marks(canvas: &Canvas<'_>, placed: &[Placed], scale: &Scale) -> Result<(), ReportError> {
    let (_, top, _, bottom) = scale.area;
    let color = RGBColor(170, 30, 30);
    for mark in placed {
        let y = top - 8.0 - MARK_ROW * mark.row as f64;
        let head = if mark.text.is_empty() { top } else { y - 6.0 };
        canvas.group(&format!("stroke-dasharray=\"{} {}\"", 3.0 * FINE, 3.0 * FINE), || {
            canvas.line([(mark.x, head), (mark.x, bottom)], color, 1.0)
        })?;
        let x = if mark.anchor == Anchor::Start { mark.x + 3.0 } else { mark.x - 3.0 };
        canvas.text((x, y), &mark.text, 11.0, color, mark.anchor)?;
    }
    Ok(())
}

/// Writes a remark in the plotting area, for charts without data.
pub(crate) fn remark(canvas: &Canvas<'_>, scale: &Scale, text: &str) -> Result<(), ReportError> {
    let (left, top, right, bottom) = scale.area;
    canvas.text(((left + right) / 2.0, (top + bottom) / 2.0), text, 13.0, FAINT, Anchor::Middle)
}

/// Returns how many samples fit between `from` and `to`, by the smallest distance of two in any of `curves`: a curve
/// that lacks samples (nothing happened there) must not have wider ones.
fn samples_between<'a>(
    (from, to): (f64, f64),
    curves: impl Iterator<Item = &'a [(f64, f64)]> + Clone,
) -> usize {
    let steps = curves.clone().flat_map(|curve| curve.windows(2).map(|pair| pair[1].0 - pair[0].0));
    let sample = steps.filter(|step| *step > 0.0).fold(f64::INFINITY, f64::min);
    let most = curves.map(<[_]>::len).max().unwrap_or(0).max(1);
    if sample.is_finite() { (((to - from) / sample).round() as usize).max(most) } else { most }
}
