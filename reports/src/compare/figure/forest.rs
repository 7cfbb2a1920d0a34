//! All judged lines in one picture, each on the scale of its own tolerance.

use super::Figure;
use crate::compare::table::{amount, sentence};
use crate::compare::{Comparison, Line, Verdict};
use crate::draw::{Anchor, Canvas, FAINT, GRID, INK, escape, picture};
use crate::error::ReportError;
use crate::format::shorten;
use plotters::style::RGBColor;

/// Most lines in the picture.
const LINES_MAX: usize = 48;
/// How many tolerances the axis reaches to both sides.
const REACH: f64 = 3.0;
const WIDTH: f64 = 980.0;
const LEFT: f64 = 400.0;
const RIGHT: f64 = 150.0;
const ROW: f64 = 20.0;
const TOP: f64 = 34.0;
const BAND: RGBColor = RGBColor(226, 240, 233);
const GOOD: RGBColor = RGBColor(0, 122, 90);
const CHANCE: RGBColor = RGBColor(190, 120, 0);
const BAD: RGBColor = RGBColor(179, 0, 0);

/// Makes the figure; `None` when nothing was judged by a value.
pub(super) fn figure(comparison: &Comparison<'_>) -> Result<Option<Figure>, ReportError> {
    let mut rows: Vec<(&Line, f64)> = comparison
        .lines
        .iter()
        .filter(|line| line.verdict != Verdict::Reported)
        .filter_map(|line| Some((line, line.in_tolerances(line.value?)?)))
        .collect();
    let all = rows.len();
    if all == 0 {
        return Ok(None);
    }
    if all > LINES_MAX {
        rows.sort_by(|(one, x), (two, y)| one.verdict.cmp(&two.verdict).then(y.abs().total_cmp(&x.abs())));
        rows.truncate(LINES_MAX);
        rows.sort_by(|(one, _), (two, _)| {
            (one.kind, &one.id, &one.metric).cmp(&(two.kind, &two.id, &two.metric))
        });
    }
    let which = match all - rows.len() {
        0 => String::new(),
        n => format!(" Shown are the {LINES_MAX} lines farthest apart; {n} more are nearer."),
    };
    let caption = format!(
        "B against A for every judged line, on the scale of the line's own tolerance: 0 is no difference, the shaded band \
         is what is allowed, bars are intervals over the runs. Arrows lead out of the picture.{which}"
    );
    let height = TOP + ROW * rows.len() as f64 + 46.0;
    let svg = picture((WIDTH as u32, height as u32), &sentence(comparison), &caption, |canvas| {
        axis(canvas, height - 46.0)?;
        for (index, (line, value)) in rows.iter().enumerate() {
            row(canvas, TOP + ROW * (index as f64 + 0.5), line, *value)?;
        }
        Ok(())
    })?;
    Ok(Some(Figure { name: "forest", heading: "Every line against its tolerance", caption, svg }))
}

fn x(tolerances: f64) -> f64 {
    let share = (tolerances.clamp(-REACH, REACH) + REACH) / (2.0 * REACH);
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn axis(canvas: &Canvas<'_>, bottom: f64) -> Result<(), ReportError> {
    canvas.rect((x(-1.0), TOP - 4.0), (x(1.0), bottom), BAND)?;
    let reach = REACH as i32;
    for tolerances in -reach..=reach {
        let at = x(f64::from(tolerances));
        let color = if tolerances == 0 { FAINT } else { GRID };
        canvas.line([(at, TOP - 4.0), (at, bottom)], color, 1.0)?;
        let text = if tolerances == 0 { "0".to_owned() } else { format!("{tolerances:+}") };
        canvas.text((at, bottom + 14.0), &text, 12.0, INK, Anchor::Middle)?;
    }
    let middle = x(0.0);
    canvas.text((middle, bottom + 34.0), "B against A, in tolerances", 13.0, INK, Anchor::Middle)?;
    canvas.text((x(-REACH), TOP - 18.0), "B is less", 12.0, FAINT, Anchor::Start)?;
    canvas.text((x(REACH), TOP - 18.0), "B is more", 12.0, FAINT, Anchor::End)?;
    canvas.text((middle, TOP - 18.0), "allowed", 12.0, GOOD, Anchor::Middle)
}

fn row(canvas: &Canvas<'_>, y: f64, line: &Line, value: f64) -> Result<(), ReportError> {
    let color = match line.verdict {
        Verdict::Exceeded => BAD,
        Verdict::Undecided => CHANCE,
        Verdict::Holds | Verdict::Reported => GOOD,
    };
    let name = shorten(&line.name, 34);
    let figure = shorten(&line.metric, 24);
    canvas.text((LEFT - 176.0, y), &name, 12.0, INK, Anchor::End)?;
    canvas.text((LEFT - 166.0, y), &figure, 12.0, FAINT, Anchor::Start)?;
    let shown = line.value.map_or(String::new(), |value| amount(value, line.measure, line.unit));
    let unit = if line.unit == "ms" { " ms" } else { "" };
    let text = match line.verdict {
        Verdict::Holds => format!("{shown}{unit}"),
        other => format!("{shown}{unit} {}", other.as_str()),
    };
    canvas.text((WIDTH - RIGHT + 12.0, y), &text, 12.0, color, Anchor::Start)?;
    let tip = escape(&format!("{} {}: {shown}{unit}", line.name, line.metric));
    canvas.group(&format!("class=\"line\" data-n=\"{tip}\""), || {
        if let Some([low, high]) = line.interval
            && let (Some(low), Some(high)) = (line.in_tolerances(low), line.in_tolerances(high))
        {
            let (from, to) = (x(low), x(high));
            canvas.line([(from, y), (to, y)], color, 1.6)?;
            for (end, at) in [(low, from), (high, to)] {
                if end.abs() <= REACH {
                    canvas.line([(at, y - 3.5), (at, y + 3.5)], color, 1.4)?;
                }
            }
        }
        let at = x(value);
        if value.abs() > REACH {
            let tip = at + 7.0 * value.signum();
            return canvas.polygon([(at, y - 5.0), (tip, y), (at, y + 5.0)], color, 1.0);
        }
        canvas.disc((at, y), 3.2, color, color)
    })
}
