//! Stacked bars: in time, and across things.

use super::{Axis, Frame, Key, KeyShape, Size, Style, chart, remark, samples_between};
use crate::draw::{Anchor, Canvas, INK, Svg, escape, text_width};
use crate::error::ReportError;
use crate::faults::Mark;
use crate::format;

/// Most bars in time; finer samples are added up.
const BARS_MAX: usize = 90;
/// Height of a bar across, with its gap.
const BAR: f64 = 24.0;

/// One kind of stacked value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stack {
    /// Its name in the legend.
    pub(crate) name: String,
    /// How it looks.
    pub(crate) style: Style,
    /// In time: (end of the interval, value). Across: (any, value of each thing).
    pub(crate) values: Vec<(f64, f64)>,
}

/// Draws stacked bars in time. `unit`: of the values, as in "12 packets".
///
/// # Errors
/// [`ReportError::Draw`].
pub(crate) fn in_time(
    (title, description): (&str, &str),
    (name, unit): (&str, &str),
    (from, to): (f64, f64),
    stacks: &[Stack],
    marks: &[Mark],
) -> Result<Svg, ReportError> {
    let samples = samples_between((from, to), stacks.iter().map(|stack| &stack.values[..]));
    // Each bar holds the same number of samples: others would make a pattern that is not in the data.
    let together = samples.div_ceil(BARS_MAX).max(1);
    let bars = samples.div_ceil(together).max(1);
    let width = (to - from) * together as f64 / samples.max(1) as f64;
    let mut heights = vec![vec![0.0; stacks.len()]; bars];
    for (kind, stack) in stacks.iter().enumerate() {
        for (t, value) in &stack.values {
            // A sample at `t` covers the time before `t`: one that ends on an edge belongs to the bar before it.
            let bar = ((t - from) / width - 1e-6).floor().clamp(0.0, (bars - 1) as f64) as usize;
            heights[bar][kind] += value;
        }
    }
    let tops = heights.iter().map(|bar| bar.iter().sum::<f64>());
    let label = format!("{name} in {} s", format::number(width));
    let frame = Frame {
        title,
        description,
        x: Axis::new("Scenario time", "s", (from, to)),
        y: Axis::from_zero(&label, unit, tops),
        marks,
    };
    chart(&frame, &keys(stacks), Size::default(), |canvas, scale| {
        if samples == 0 {
            return remark(canvas, scale, "nothing was recorded");
        }
        for (kind, stack) in stacks.iter().enumerate() {
            canvas.group(&series(kind, &stack.name), || {
                for (bar, parts) in heights.iter().enumerate() {
                    let below: f64 = parts[..kind].iter().sum();
                    if parts[kind] <= 0.0 {
                        continue;
                    }
                    let (start, end) = (from + width * bar as f64, (from + width * (bar + 1) as f64).min(to));
                    let (x0, y0) = scale.at((start, below));
                    let (x1, y1) = scale.at((end, below + parts[kind]));
                    let words = format!(
                        "{} s to {} s: {} {unit}, {}",
                        format::number(start),
                        format::number(end),
                        format::number(parts[kind]),
                        stack.name
                    );
                    titled(canvas, &words, || {
                        canvas.rect((x0 + 0.4, y1), (x1 - 0.4, y0), stack.style.color)
                    })?;
                }
                Ok(())
            })?;
        }
        Ok(())
    })
}

/// Draws one horizontal stacked bar for each of `things`, from above.
///
/// # Errors
/// [`ReportError::Draw`].
pub(crate) fn across(
    (title, description): (&str, &str),
    (name, unit): (&str, &str),
    things: &[String],
    stacks: &[Stack],
) -> Result<Svg, ReportError> {
    let value = |stack: &Stack, thing: usize| stack.values.get(thing).map_or(0.0, |(_, value)| *value);
    let total = |thing: usize| stacks.iter().map(|stack| value(stack, thing)).sum::<f64>();
    let labels: Vec<_> = things.iter().map(|thing| format::shorten(thing, 30)).collect();
    let left = labels.iter().map(|label| text_width(label, 12.0)).fold(40.0, f64::max) + 22.0;
    let mut y = Axis::new("", "", (0.0, things.len().max(1) as f64));
    y.ticks = false;
    let frame = Frame {
        title,
        description,
        x: if unit == "%" {
            Axis::new(name, unit, (0.0, 100.0))
        } else {
            Axis::from_zero(name, unit, (0..things.len()).map(total))
        },
        y,
        marks: &[],
    };
    let size = Size { height: BAR * things.len().max(2) as f64, left };
    chart(&frame, &keys(stacks), size, |canvas, scale| {
        for (row, label) in labels.iter().enumerate() {
            let middle = (things.len() - row) as f64 - 0.5;
            let (x, y) = scale.at((0.0, middle));
            canvas.text((x - 8.0, y), label, 12.0, INK, Anchor::End)?;
        }
        for (kind, stack) in stacks.iter().enumerate() {
            canvas.group(&series(kind, &stack.name), || {
                for (row, thing) in things.iter().enumerate() {
                    let below: f64 = stacks[..kind].iter().map(|stack| value(stack, row)).sum();
                    let own = value(stack, row);
                    if own <= 0.0 {
                        continue;
                    }
                    let middle = (things.len() - row) as f64 - 0.5;
                    let ((x0, y), (x1, _)) = (scale.at((below, middle)), scale.at((below + own, middle)));
                    let words = format!("{thing}: {} {unit}, {}", format::number(own), stack.name);
                    titled(canvas, &words, || canvas.rect((x0, y - 8.0), (x1, y + 8.0), stack.style.color))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    })
}

fn keys(stacks: &[Stack]) -> Vec<Key> {
    stacks
        .iter()
        .map(|stack| Key { name: stack.name.clone(), style: stack.style, shape: KeyShape::Box })
        .collect()
}

fn series(kind: usize, name: &str) -> String {
    format!("class=\"series bars\" data-i=\"{kind}\" data-n=\"{}\"", escape(name))
}

/// Draws something that shows `words` when pointed at, also without a script.
fn titled(
    canvas: &Canvas<'_>,
    words: &str,
    paint: impl FnOnce() -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    canvas.raw(format!("<g><title>{}</title>", escape(words)))?;
    paint()?;
    canvas.raw("</g>")
}
