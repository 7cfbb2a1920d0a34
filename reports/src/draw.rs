//! The only module that knows plotters' backend: a canvas on which charts and maps are drawn.
//!
//! Coordinates are in units of the finished picture. plotters has whole-numbered coordinates and no groups, so the
//! canvas draws [`FINE`] times larger than it says, and raw SVG (groups, clips, titles) is put in through
//! placeholder texts that are replaced when the picture is finished.

use crate::error::ReportError;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::cell::RefCell;
use std::fmt::Write;

/// Drawing units per unit of the picture.
pub(crate) const FINE: f64 = 4.0;
/// Text colour.
pub(crate) const INK: RGBColor = RGBColor(34, 34, 34);
/// Secondary text.
pub(crate) const FAINT: RGBColor = RGBColor(100, 100, 100);
/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(228, 228, 228);
/// Font family of all plots; the page's style sheet and the PNG writer know it, too.
pub(crate) const FONT: &str = "DejaVu Sans, Verdana, sans-serif";

/// The colours of Okabe and Ito (2008), which people with any kind of colour vision tell apart, without the yellow
/// that is too faint for lines on white.
pub(crate) const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// A finished picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Svg {
    /// The SVG document.
    pub(crate) text: String,
    /// Width in units (pixels at 96 dpi).
    pub(crate) width: u32,
    /// Height in units.
    pub(crate) height: u32,
}

/// Which side of a text its position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// The text starts there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// plotters' area that pictures are drawn on.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Something to draw on.
pub(crate) struct Canvas<'a> {
    area: Area<'a>,
    raw: RefCell<Vec<String>>,
}

/// Marks the number of a raw piece within the text that plotters writes.
const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';

/// Draws a picture. `title` and `description`: for those who cannot see it.
///
/// # Errors
/// [`ReportError::Draw`] when `paint` fails.
pub(crate) fn picture(
    (width, height): (u32, u32),
    title: &str,
    description: &str,
    paint: impl FnOnce(&Canvas<'_>) -> Result<(), ReportError>,
) -> Result<Svg, ReportError> {
    let mut text = String::new();
    let raw = {
        let size = (width * FINE as u32, height * FINE as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        let canvas = Canvas { area, raw: RefCell::default() };
        paint(&canvas)?;
        canvas.area.present().map_err(failed)?;
        canvas.raw.into_inner()
    };
    // plotters' own head and foot make way for ours, which have the picture's size, a role and a title.
    let from = text.find('>').map_or(0, |at| at + 1);
    let to = text.rfind("</svg>").unwrap_or(text.len());
    let body = with_raw(text.get(from..to).unwrap_or_default(), &raw);
    let mut svg = String::with_capacity(body.len() + 512);
    write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
         role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n{body}</svg>\n",
        width * FINE as u32,
        height * FINE as u32,
        escape(title),
        escape(description),
    )
    .expect("writing to a string cannot fail");
    Ok(Svg { text: svg, width, height })
}

impl<'a> Canvas<'a> {
    /// Returns a part of the canvas, for plotters' charts.
    pub(crate) fn part(&self, (x0, y0): (f64, f64), (x1, y1): (f64, f64)) -> Area<'a> {
        self.area.clone().shrink((fine(x0), fine(y0)), ((x1 - x0) * FINE, (y1 - y0) * FINE).map_round())
    }

    /// Draws a line through points. `width`: in units.
    pub(crate) fn line(
        &self,
        points: impl IntoIterator<Item = (f64, f64)>,
        color: RGBColor,
        width: f64,
    ) -> Result<(), ReportError> {
        let points: Vec<_> = points.into_iter().map(whole).collect();
        self.area
            .draw(&PathElement::new(points, color.stroke_width(fine(width).max(1) as u32)))
            .map_err(failed)
    }

    /// Fills a polygon. `alpha`: 0 invisible to 1 opaque.
    pub(crate) fn polygon(
        &self,
        points: impl IntoIterator<Item = (f64, f64)>,
        color: RGBColor,
        alpha: f64,
    ) -> Result<(), ReportError> {
        let points: Vec<_> = points.into_iter().map(whole).collect();
        self.area.draw(&Polygon::new(points, color.mix(alpha).filled())).map_err(failed)
    }

    /// Fills a rectangle between two corners.
    pub(crate) fn rect(&self, a: (f64, f64), b: (f64, f64), color: RGBColor) -> Result<(), ReportError> {
        self.area.draw(&Rectangle::new([whole(a), whole(b)], color.filled())).map_err(failed)
    }

    /// Draws a disc with a rim.
    pub(crate) fn disc(
        &self,
        at: (f64, f64),
        radius: f64,
        fill: RGBColor,
        rim: RGBColor,
    ) -> Result<(), ReportError> {
        self.area.draw(&Circle::new(whole(at), fine(radius), fill.filled())).map_err(failed)?;
        self.area
            .draw(&Circle::new(whole(at), fine(radius), rim.stroke_width(fine(1.2) as u32)))
            .map_err(failed)
    }

    /// Writes text whose vertical middle is at `at`. `size`: of the font, in units.
    pub(crate) fn text(
        &self,
        at: (f64, f64),
        text: &str,
        size: f64,
        color: RGBColor,
        anchor: Anchor,
    ) -> Result<(), ReportError> {
        let h = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let style = font(size).color(&color).pos(Pos::new(h, VPos::Center));
        self.area.draw(&Text::new(clean(text), whole(at), style)).map_err(failed)
    }

    /// Writes text that runs upwards, centred at `at`.
    pub(crate) fn text_upwards(&self, (x, y): (f64, f64), text: &str, size: f64) -> Result<(), ReportError> {
        // Not by plotters: viewers disagree on where its shifted and turned text goes.
        let (x, y, size) = (x * FINE, y * FINE, size * FINE);
        self.raw(format!(
            "<text transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"middle\" font-family=\"{FONT}\" \
             font-size=\"{size}\" fill=\"#222222\">{}</text>",
            escape(text)
        ))
    }

    /// Writes bold text as [`Canvas::text`] does.
    pub(crate) fn heading(&self, at: (f64, f64), text: &str, size: f64) -> Result<(), ReportError> {
        self.group("font-weight=\"bold\"", || self.text(at, text, size, INK, Anchor::Start))
    }

    /// Puts raw SVG in at this point of the drawing order.
    pub(crate) fn raw(&self, svg: impl Into<String>) -> Result<(), ReportError> {
        let index = {
            let mut raw = self.raw.borrow_mut();
            raw.push(svg.into());
            raw.len() - 1
        };
        let marker = Text::new(format!("{OPEN}{index}{CLOSE}"), (0, 0), font(10.0));
        self.area.draw(&marker).map_err(failed)
    }

    /// Draws what `paint` draws inside a group with these attributes (already escaped).
    pub(crate) fn group(
        &self,
        attributes: &str,
        paint: impl FnOnce() -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        self.raw(format!("<g {attributes}>"))?;
        paint()?;
        self.raw("</g>")
    }
}

/// Returns the plots' font; `size` in units of the picture.
pub(crate) fn font(size: f64) -> TextStyle<'static> {
    // plotters' SVG backend divides sizes by 1.24; this undoes it.
    (FONT, size * FINE * 1.24).into_font().color(&INK)
}

/// Estimates the width of a text in units: DejaVu Sans is 0.6 em wide on average.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    text.chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | ' ' | '!' | '/' | 'I' => 0.36,
            'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.96,
            'A'..='Z' | '>' | '<' | '=' | '+' | '#' => 0.74,
            _ => 0.62,
        })
        .sum::<f64>()
        * size
}

/// Turns plotters' errors into ours.
pub(crate) fn failed<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> ReportError {
    ReportError::Draw { what: "a plot", problem: error.to_string() }
}

/// Escapes text for SVG content and attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Replaces what XML cannot hold, and our own markers, by a space.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, OPEN | CLOSE | '\u{FFFE}' | '\u{FFFF}') { ' ' } else { c })
        .collect()
}

/// Replaces each placeholder text by its raw piece.
fn with_raw(text: &str, raw: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find(OPEN) {
        let start = rest[..open].rfind("<text").expect("a marker is inside a text element");
        let close = open + rest[open..].find(CLOSE).expect("a marker is closed");
        let end = close + rest[close..].find("</text>").expect("a text element is closed") + "</text>".len();
        let index: usize = rest[open + OPEN.len_utf8()..close].parse().expect("a marker holds its number");
        out.push_str(&rest[..start]);
        out.push_str(&raw[index]);
        rest = &rest[end..];
    }
    out.push_str(rest);
    // Viewers differ in what an `ex` is; a third of an em centres text in all of them.
    out.replace(" opacity=\"1\"", "").replace(" \"/>", "\"/>").replace("dy=\"0.5ex\"", "dy=\"0.35em\"")
}

fn fine(value: f64) -> i32 {
    (value * FINE).round() as i32
}

fn whole((x, y): (f64, f64)) -> (i32, i32) {
    (fine(x), fine(y))
}

/// Rounds both parts of a size.
trait MapRound {
    fn map_round(self) -> (u32, u32);
}

impl MapRound for (f64, f64) {
    fn map_round(self) -> (u32, u32) {
        (self.0.round().max(1.0) as u32, self.1.round().max(1.0) as u32)
    }
}
