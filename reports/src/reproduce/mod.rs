//! Pages that put reference values, such as the paper's, beside ours.

mod fit;
mod index;
mod input;
mod map;
mod overlay;
mod tree;

pub use fit::Fit;
pub use index::{Index, IndexPart};
pub use input::{Input, Origin};
pub use map::{Ratio, RatioMap};
pub use overlay::{Overlay, OverlayEdge, OverlayNode};
pub use tree::{FlowTree, Role, TreeEdge, TreeNode};

use crate::chart::{Axis, Frame, Key, KeyShape, Size, Stack, Style, across, chart};
use crate::draw::{Svg, escape};
use crate::error::ReportError;
use crate::format::number;
use crate::png::Rasteriser;
use minijinja::{Environment, Value, context};

const TEMPLATE: &str = include_str!("../../assets/reproduce.html");
const STYLE: &str = include_str!("../../assets/report.css");

/// A page: what was reproduced, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// A paragraph on what was done.
    pub lead: String,
    /// Where the reference values are from, as the title of their column: `paper`, `ns-2`, `closed form`.
    pub reference: String,
    /// Reference values beside ours.
    pub rows: Vec<Row>,
    /// The plots.
    pub plots: Vec<Plot>,
    /// Overlays with what flows in them; they stand before maps and plots.
    pub overlays: Vec<Overlay>,
    /// Maps of ratios; they stand before the plots.
    pub maps: Vec<RatioMap>,
    /// Bars, shown after the plots.
    pub bars: Vec<Bars>,
    /// Trees of flows; they stand before everything else that is drawn.
    pub trees: Vec<FlowTree>,
    /// Tables of text, such as byte strings side by side; they stand above the drawings.
    pub tables: Vec<TextTable>,
    /// What went in, and where it is from.
    pub inputs: Vec<Input>,
    /// What a reader should know before comparing.
    pub notes: Vec<String>,
}

/// One reference value beside ours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// What it is.
    pub quantity: String,
    /// Its unit; empty for plain numbers.
    pub unit: String,
    /// The reference's value; `None`: there is none in numbers.
    pub reference: Option<f64>,
    /// Ours.
    pub ours: Option<f64>,
    /// The 95 % interval of ours, where there is one.
    pub interval: Option<(f64, f64)>,
    /// Least and greatest value that ours may have, stated beforehand; `None`: it is shown and not judged.
    pub band: Option<(f64, f64)>,
    /// How to read it.
    pub remark: String,
    /// Digests of the runs behind it; empty: of all runs of the page.
    pub digests: Vec<String>,
    /// Their seeds; empty: all of the page.
    pub seeds: Vec<u64>,
}

/// A table of text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextTable {
    /// What it shows.
    pub title: String,
    /// A sentence or two above it.
    pub caption: String,
    /// Names of the columns.
    pub head: Vec<String>,
    /// The rows; a cell may have several lines.
    pub rows: Vec<Vec<String>>,
}

impl Row {
    /// Returns whether our value lies in its band, limits included; `None` without a band. No value is outside.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        let (low, high) = self.band?;
        Some(self.ours.is_some_and(|ours| (low..=high).contains(&ours)))
    }
}

/// A plot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// A sentence or two below it, which also stands for it where it cannot be seen.
    pub caption: String,
    /// Name and unit of the horizontal axis.
    pub x: (String, String),
    /// Name and unit of the vertical axis.
    pub y: (String, String),
    /// Lower and upper end of the vertical axis; `None`: from zero to above the greatest value.
    pub y_range: Option<(f64, f64)>,
    /// What is drawn.
    pub curves: Vec<Curve>,
}

/// A bar for each of several things, which may have parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// What they show.
    pub title: String,
    /// A sentence or two below them, which also stands for them where they cannot be seen.
    pub caption: String,
    /// Name and unit of the horizontal axis.
    pub x: (String, String),
    /// Names of the things, from above.
    pub things: Vec<String>,
    /// The parts: a name, and a length for each thing.
    pub parts: Vec<(String, Vec<f64>)>,
}

/// Points of a plot that belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// How it is drawn.
    pub shape: Shape,
    /// Its points.
    pub points: Vec<(f64, f64)>,
    /// Position of the curve that this one is a reference for: it has that one's colour, and is dashed.
    pub beside: Option<usize>,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// A dot for each point.
    Dots,
    /// A line through the points.
    #[default]
    Line,
    /// A line through the points, and a dot for each.
    DottedLine,
}

impl Curve {
    /// Returns how the curve at `index` looks.
    fn style(&self, index: usize) -> Style {
        match self.beside {
            Some(other) => Style { dash: &[7.0, 3.0], ..Style::nth(other) },
            None => Style::nth(index),
        }
    }
}

impl Page {
    /// Makes the page: one HTML file that needs nothing else.
    ///
    /// # Errors
    /// [`ReportError::Draw`]: a defect.
    pub fn render(&self) -> Result<String, ReportError> {
        let failed = |error: minijinja::Error| ReportError::Draw {
            what: "the page of a reproduction",
            problem: format!("{error:#}"),
        };
        let mut environment = Environment::new();
        environment.add_template("reproduce.html", TEMPLATE).map_err(failed)?;
        let mut plots = Vec::new();
        for tree in &self.trees {
            let svg = tree.svg()?;
            plots.push(
                context! { heading => tree.title.as_str(), caption => tree.caption.as_str(), svg => svg },
            );
        }
        for overlay in &self.overlays {
            let svg = overlay.svg()?;
            plots.push(
                context! { heading => overlay.title.as_str(), caption => overlay.caption.as_str(), svg => svg },
            );
        }
        for map in &self.maps {
            let svg = map.svg()?;
            plots.push(
                context! { heading => map.title.as_str(), caption => map.caption.as_str(), svg => svg },
            );
        }
        for plot in &self.plots {
            let svg = plot.draw()?.text;
            plots.push(
                context! { heading => plot.title.as_str(), caption => plot.caption.as_str(), svg => svg },
            );
        }
        for bars in &self.bars {
            let svg = bars.draw()?.text;
            plots.push(
                context! { heading => bars.title.as_str(), caption => bars.caption.as_str(), svg => svg },
            );
        }
        let rows: Vec<_> = self.rows.iter().map(context_of).collect();
        let inputs: Vec<_> = self
            .inputs
            .iter()
            .map(|input| {
                context! {
                    name => input.name.as_str(), value => input.value.as_str(),
                    origin => input.origin.as_str(), source => input.source.as_str(),
                }
            })
            .collect();
        let tables: Vec<_> = self
            .tables
            .iter()
            .map(|table| {
                context! {
                    title => table.title.as_str(), caption => table.caption.as_str(), head => table.head.clone(),
                    rows => table.rows.clone(),
                }
            })
            .collect();
        let template = environment.get_template("reproduce.html").map_err(failed)?;
        template
            .render(context! {
                style => STYLE, title => self.title.as_str(), lead => self.lead.as_str(), rows => rows,
                reference => self.reference.as_str(), judged => self.rows.iter().any(|row| row.band.is_some()),
                plots => plots, tables => tables, inputs => inputs, notes => self.notes.clone(),
            })
            .map_err(failed)
    }
}

/// Returns a row as templates show it.
fn context_of(row: &Row) -> Value {
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let interval = row
        .interval
        .map_or_else(|| "-".to_owned(), |(low, high)| format!("{} to {}", number(low), number(high)));
    let range = |(low, high): (f64, f64)| {
        let (low, high) = (number(low), number(high));
        if low == high { low } else { format!("{low} to {high}") }
    };
    let band = row.band.map(range);
    let verdict = row.holds().map_or("", |holds| if holds { "holds" } else { "misses" });
    context! {
        quantity => row.quantity.as_str(), unit => row.unit.as_str(), reference => value(row.reference),
        ours => value(row.ours), interval => interval, band => band.unwrap_or_default(),
        verdict => verdict, remark => row.remark.as_str(),
    }
}

impl Page {
    /// Returns the table of the page for programs, one line a row; empty fields where there is no value.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text =
            String::from("quantity,unit,reference,ours,low_95,high_95,band_low,band_high,verdict\n");
        let field = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        for row in &self.rows {
            let ends = |pair: Option<(f64, f64)>| {
                let ends = pair.unzip();
                format!("{},{}", field(ends.0), field(ends.1))
            };
            let verdict = row.holds().map_or("", |holds| if holds { "holds" } else { "misses" });
            text.push_str(&format!(
                "{},{},{},{},{},{},{verdict}\n",
                quoted(&row.quantity),
                quoted(&row.unit),
                field(row.reference),
                field(row.ours),
                ends(row.interval),
                ends(row.band),
            ));
        }
        text
    }
}

impl Bars {
    /// Returns the name of the picture's files, as [`Plot::slug`] does.
    #[must_use]
    pub fn slug(&self) -> String {
        slug(&self.title)
    }

    /// Returns the bars as pictures of their own: SVG and PNG.
    ///
    /// # Errors
    /// [`ReportError::Draw`]: a defect.
    pub fn pictures(&self) -> Result<(String, Vec<u8>), ReportError> {
        let svg = self.draw()?;
        let png = Rasteriser::new().png(&svg)?;
        Ok((svg.text, png))
    }

    fn draw(&self) -> Result<Svg, ReportError> {
        let stack = |(index, (name, lengths)): (usize, &(String, Vec<f64>))| Stack {
            name: name.clone(),
            style: Style::nth(index),
            values: lengths.iter().map(|length| (0.0, *length)).collect(),
        };
        let stacks: Vec<_> = self.parts.iter().enumerate().map(stack).collect();
        across((&self.title, &self.caption), (&self.x.0, &self.x.1), &self.things, &stacks)
    }
}

/// Returns the name of a picture's files: its title in small letters, digits and hyphens.
fn slug(title: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
    let words: String = title.chars().map(plain).collect();
    words.split_whitespace().collect::<Vec<_>>().join("-")
}

impl Plot {
    /// Returns the name of the plot's files: its title in small letters, digits and hyphens.
    #[must_use]
    pub fn slug(&self) -> String {
        slug(&self.title)
    }

    /// Returns the plot as pictures of its own: SVG and PNG.
    ///
    /// # Errors
    /// [`ReportError::Draw`]: a defect.
    pub fn pictures(&self) -> Result<(String, Vec<u8>), ReportError> {
        let svg = self.draw()?;
        let png = Rasteriser::new().png(&svg)?;
        Ok((svg.text, png))
    }

    /// Returns what is drawn, tidy: one line a point, `curve,x,y`.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = String::from("curve,x,y\n");
        for curve in &self.curves {
            for (x, y) in &curve.points {
                text.push_str(&format!("{},{x},{y}\n", quoted(&curve.name)));
            }
        }
        text
    }

    fn draw(&self) -> Result<Svg, ReportError> {
        let values = |of: fn(&(f64, f64)) -> f64| {
            self.curves
                .iter()
                .flat_map(move |curve| curve.points.iter().map(of))
                .filter(|value| value.is_finite())
        };
        let frame = Frame {
            title: &self.title,
            description: &self.caption,
            x: Axis::from_zero(&self.x.0, &self.x.1, values(|point| point.0)),
            y: match self.y_range {
                Some(range) => Axis::new(&self.y.0, &self.y.1, range),
                None => Axis::from_zero(&self.y.0, &self.y.1, values(|point| point.1)),
            },
            marks: &[],
        };
        let key = |(index, curve): (usize, &Curve)| Key {
            name: curve.name.clone(),
            style: curve.style(index),
            shape: if curve.shape == Shape::Dots { KeyShape::Box } else { KeyShape::Line },
        };
        let keys: Vec<_> = self.curves.iter().enumerate().map(key).collect();
        chart(&frame, &keys, Size::default(), |canvas, scale| {
            for (index, curve) in self.curves.iter().enumerate() {
                let style = curve.style(index);
                let name = escape(&curve.name);
                let points = curve.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
                let places: Vec<_> = points.map(|point| scale.at(*point)).collect();
                canvas.group(&format!("class=\"series\" data-i=\"{index}\" data-n=\"{name}\""), || {
                    if curve.shape != Shape::Dots {
                        canvas.group(&style.attributes(), || {
                            canvas.line(places.iter().copied(), style.color, 1.8)
                        })?;
                    }
                    if curve.shape != Shape::Line {
                        for place in &places {
                            canvas.disc(*place, 3.0, style.color, style.color)?;
                        }
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })
    }
}

/// Returns a text as one field of a CSV file.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests;
