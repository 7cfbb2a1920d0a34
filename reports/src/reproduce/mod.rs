//! Pages that put figures of the paper beside ours.

mod fit;

pub use fit::Fit;

use crate::chart::{Axis, Frame, Key, KeyShape, Size, Stack, Style, across, chart};
use crate::draw::{Svg, escape};
use crate::error::ReportError;
use crate::format::number;
use minijinja::{Environment, context};

const TEMPLATE: &str = include_str!("../../assets/reproduce.html");
const STYLE: &str = include_str!("../../assets/report.css");

/// A page: what was reproduced, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// A paragraph on what was done.
    pub lead: String,
    /// The paper's values beside ours.
    pub rows: Vec<Row>,
    /// The plots.
    pub plots: Vec<Plot>,
    /// Bars, shown after the plots.
    pub bars: Vec<Bars>,
    /// Inputs: name, value, and whether it was measured, assumed, or taken from the paper.
    pub inputs: Vec<(String, String, String)>,
    /// What a reader should know before comparing.
    pub notes: Vec<String>,
}

/// One value of the paper beside ours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// What it is.
    pub quantity: String,
    /// Its unit; empty for plain numbers.
    pub unit: String,
    /// The paper's value; `None`: the paper gives none in numbers.
    pub paper: Option<f64>,
    /// Ours.
    pub ours: Option<f64>,
    /// The 95 % interval of ours, where there is one.
    pub interval: Option<(f64, f64)>,
    /// How to read it.
    pub remark: String,
}

/// A plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// A sentence or two below it, which also stands for it where it cannot be seen.
    pub caption: String,
    /// Name and unit of the horizontal axis.
    pub x: (String, String),
    /// Name and unit of the vertical axis.
    pub y: (String, String),
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
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// How it is drawn.
    pub shape: Shape,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A dot for each point.
    Dots,
    /// A line through the points.
    Line,
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
        let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                let interval = row.interval.map_or_else(
                    || "-".to_owned(),
                    |(low, high)| format!("{} to {}", number(low), number(high)),
                );
                context! {
                    quantity => row.quantity.as_str(), unit => row.unit.as_str(), paper => value(row.paper),
                    ours => value(row.ours), interval => interval, remark => row.remark.as_str(),
                }
            })
            .collect();
        let inputs: Vec<_> = self
            .inputs
            .iter()
            .map(|(name, value, origin)| context! { name => name, value => value, origin => origin })
            .collect();
        let template = environment.get_template("reproduce.html").map_err(failed)?;
        template
            .render(context! {
                style => STYLE, title => self.title.as_str(), lead => self.lead.as_str(), rows => rows,
                plots => plots, inputs => inputs, notes => self.notes.clone(),
            })
            .map_err(failed)
    }
}

impl Bars {
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

impl Plot {
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
            y: Axis::from_zero(&self.y.0, &self.y.1, values(|point| point.1)),
            marks: &[],
        };
        let keys: Vec<_> = self
            .curves
            .iter()
            .enumerate()
            .map(|(index, curve)| {
                let shape = match curve.shape {
                    Shape::Dots => KeyShape::Box,
                    Shape::Line => KeyShape::Line,
                };
                Key { name: curve.name.clone(), style: Style::nth(index), shape }
            })
            .collect();
        chart(&frame, &keys, Size::default(), |canvas, scale| {
            for (index, curve) in self.curves.iter().enumerate() {
                let color = Style::nth(index).color;
                let name = escape(&curve.name);
                let points = curve.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
                canvas.group(&format!("class=\"series\" data-i=\"{index}\" data-n=\"{name}\""), || {
                    match curve.shape {
                        Shape::Dots => {
                            for point in points {
                                canvas.disc(scale.at(*point), 3.0, color, color)?;
                            }
                            Ok(())
                        }
                        Shape::Line => canvas.line(points.map(|point| scale.at(*point)), color, 1.8),
                    }
                })?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: everything that is given stands on the page, escaped, and nothing is loaded from elsewhere.
    #[test]
    fn a_page_holds_what_it_was_given() {
        let page = Page {
            title: "Fig. 7".to_owned(),
            lead: "Times <of> packets.".to_owned(),
            rows: vec![Row {
                quantity: "mean".to_owned(),
                unit: "us".to_owned(),
                paper: Some(1.89),
                ours: Some(0.25),
                interval: Some((0.24, 0.26)),
                remark: "single packets".to_owned(),
            }],
            plots: vec![Plot {
                title: "Distribution".to_owned(),
                caption: "Of times.".to_owned(),
                x: ("time".to_owned(), "us".to_owned()),
                y: ("packets".to_owned(), "%".to_owned()),
                curves: vec![
                    Curve {
                        name: "ours".to_owned(),
                        shape: Shape::Line,
                        points: vec![(0.1, 0.0), (0.3, 100.0)],
                    },
                    Curve {
                        name: "dots".to_owned(),
                        shape: Shape::Dots,
                        points: vec![(0.2, 50.0), (f64::NAN, 1.0)],
                    },
                ],
            }],
            bars: vec![Bars {
                title: "Bars".to_owned(),
                caption: "Of waits.".to_owned(),
                x: ("wait".to_owned(), "ms".to_owned()),
                things: vec!["shared queue".to_owned(), "own queue".to_owned()],
                parts: vec![("median".to_owned(), vec![20.0, 3.0]), ("to 95 %".to_owned(), vec![9.0, 0.0])],
            }],
            inputs: vec![("clock".to_owned(), "2.4 GHz".to_owned(), "assumed".to_owned())],
            notes: vec!["Read this.".to_owned()],
        };
        let html = page.render().expect("a page");
        for piece in [
            "Fig. 7",
            "&lt;of&gt;",
            "1.89",
            "0.24 to 0.26",
            "time (us)",
            "shared queue",
            "wait (ms)",
            "assumed",
            "Read this.",
            "<svg",
        ] {
            assert!(html.contains(piece), "no {piece:?}");
        }
        assert!(!html.contains("src=") && !html.contains("href="), "something is loaded");
    }
}
