//! Trees of flows: who sends what to whom, with counts at the edges.

mod layout;

use crate::draw::{Anchor, Canvas, FAINT, FINE, INK, PALETTE, Svg, picture, text_width};
use crate::error::ReportError;
use crate::figure::topology::{ROLES, mark};
use crate::png::Rasteriser;
use layout::layout;
use plotters::style::RGBColor;

pub use crate::figure::topology::Role;

/// Width of a column, and what is left of the first and right of the last.
const COLUMN: f64 = 300.0;
const SIDES: f64 = 90.0;
/// Height of a row, of the title, and of a line of the legend.
const ROW: f64 = 112.0;
const HEAD: f64 = 40.0;
const LINE: f64 = 20.0;
/// Size of a node, and of the texts at edges.
const NODE: f64 = 15.0;
const LABEL: f64 = 11.0;
/// Points of a curve from column to column.
const PIECES: usize = 24;

/// A tree, or several on the same nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowTree {
    /// What it shows.
    pub title: String,
    /// A sentence or two below it, which also stands for it where it cannot be seen.
    pub caption: String,
    /// The nodes.
    pub nodes: Vec<TreeNode>,
    /// The edges.
    pub edges: Vec<TreeEdge>,
    /// Names of the flows in the legend; each has a colour of its own.
    pub flows: Vec<String>,
}

/// A node of a tree.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeNode {
    /// What stands inside its mark: a number.
    pub mark: String,
    /// What stands below it, line by line.
    pub names: Vec<String>,
    /// What it does.
    pub role: Role,
}

/// An edge of a tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TreeEdge {
    /// Its start, by index.
    pub from: usize,
    /// Its end, by index.
    pub to: usize,
    /// The flow that it belongs to, by index.
    pub flow: usize,
    /// What its width follows, such as packets; the greatest is the widest.
    pub weight: f64,
    /// Whether it carries further copies of packets that go elsewhere, too; it is dashed.
    pub is_copy: bool,
    /// What stands at it, line by line.
    pub label: Vec<String>,
}

/// A box that must stay free: corners.
type Area = ((f64, f64), (f64, f64));

impl FlowTree {
    /// Returns the name of the drawing's files: its title in small letters, digits and hyphens.
    #[must_use]
    pub fn slug(&self) -> String {
        super::slug(&self.title)
    }

    /// Returns the drawing as an SVG document.
    ///
    /// # Errors
    /// [`ReportError::Draw`]: a defect.
    pub fn svg(&self) -> Result<String, ReportError> {
        Ok(self.draw()?.text)
    }

    /// Returns the drawing as a PNG picture.
    ///
    /// # Errors
    /// [`ReportError::Draw`]: a defect.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        Rasteriser::new().png(&self.draw()?)
    }

    fn draw(&self) -> Result<Svg, ReportError> {
        let ends: Vec<(usize, usize)> = self.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let laid = layout(self.nodes.len(), &ends);
        let body = (COLUMN * (laid.columns - 1) as f64, ROW * laid.rows as f64);
        let legend = self.legend();
        let width = [
            body.0 + 2.0 * SIDES,
            text_width(&self.title, 15.0) * 1.1 + 24.0,
            legend.iter().map(|line| line.width()).fold(0.0, f64::max) + 40.0,
        ];
        let width = width.into_iter().fold(0.0, f64::max);
        let left = (width - body.0) / 2.0;
        let height = HEAD + body.1 + 20.0 + LINE * legend.len() as f64 + 8.0;
        let place = |(x, y): (f64, f64)| (left + x * body.0, HEAD + y * body.1);
        let nodes: Vec<_> = laid.nodes.iter().copied().map(place).collect();
        let paths: Vec<Vec<(f64, f64)>> = laid
            .ways
            .iter()
            .enumerate()
            .map(|(i, way)| {
                let mut way: Vec<_> = way.iter().copied().map(place).collect();
                // Ends of several edges at one node stand beside each other.
                let (start, end) = self.fans(i, &laid.ways);
                if let Some(first) = way.first_mut() {
                    first.1 += start;
                }
                if let Some(last) = way.last_mut() {
                    last.1 += end;
                }
                curve(&way, self.offset(i))
            })
            .collect();
        picture((width.ceil() as u32, height.ceil() as u32), &self.title, &self.caption, |canvas| {
            canvas.heading((12.0, 20.0), &self.title, 15.0)?;
            for (edge, path) in self.edges.iter().zip(&paths) {
                self.edge(canvas, edge, path)?;
            }
            let mut taken: Vec<Area> = nodes.iter().map(|at| around(*at, (NODE * 1.6, NODE * 1.6))).collect();
            for (node, at) in self.nodes.iter().zip(&nodes) {
                mark(canvas, *at, NODE, node.role)?;
                canvas.group("font-weight=\"bold\"", || {
                    canvas.text(*at, &node.mark, 13.0, RGBColor(255, 255, 255), Anchor::Middle)
                })?;
                for (i, line) in node.names.iter().enumerate() {
                    let under = (at.0, at.1 + NODE * 1.3 + 9.0 + 13.0 * i as f64);
                    halo(canvas, || canvas.text(under, line, LABEL, INK, Anchor::Middle))?;
                    taken.push(around(under, (text_width(line, LABEL) / 2.0, 7.0)));
                }
            }
            for (edge, path) in self.edges.iter().zip(&paths) {
                let size = (
                    edge.label.iter().map(|line| text_width(line, LABEL)).fold(0.0, f64::max) / 2.0 + 3.0,
                    6.5 * edge.label.len() as f64 + 2.0,
                );
                let at = free_place(path, size, &taken);
                taken.push(around(at, size));
                let (low, high) = around(at, (size.0, size.1 - 1.0));
                canvas.rect(low, high, RGBColor(255, 255, 255))?;
                for (i, line) in edge.label.iter().enumerate() {
                    let y = at.1 + 13.0 * (i as f64 - (edge.label.len() as f64 - 1.0) / 2.0);
                    canvas.text((at.0, y), line, LABEL, dark(color(edge.flow)), Anchor::Middle)?;
                }
            }
            for (row, line) in legend.iter().enumerate() {
                line.draw(canvas, (20.0, HEAD + body.1 + 24.0 + LINE * row as f64))?;
            }
            Ok(())
        })
    }

    /// Returns how far an edge is moved aside, since others join the same nodes.
    fn offset(&self, index: usize) -> f64 {
        let pair = |edge: &TreeEdge| (edge.from.min(edge.to), edge.from.max(edge.to));
        let own = pair(&self.edges[index]);
        let all = self.edges.iter().filter(|edge| pair(edge) == own).count();
        let before = self.edges[..index].iter().filter(|edge| pair(edge) == own).count();
        18.0 * (before as f64 - (all as f64 - 1.0) / 2.0)
    }

    /// Returns how far the start and the end of an edge are moved along the node's height: edges leave and reach a node
    /// in the order of the heights that they come from and go to.
    fn fans(&self, index: usize, ways: &[layout::Way]) -> (f64, f64) {
        let slope = |way: &layout::Way, at_start: bool| {
            let (near, far) =
                if at_start { (way.first(), way.get(1)) } else { (way.last(), way.iter().rev().nth(1)) };
            near.zip(far).map_or(0.0, |(near, far)| far.1 - near.1)
        };
        let fan = |at_start: bool| {
            let node = |edge: &TreeEdge| if at_start { edge.from } else { edge.to };
            let mut beside: Vec<usize> =
                (0..self.edges.len()).filter(|i| node(&self.edges[*i]) == node(&self.edges[index])).collect();
            beside.sort_by(|a, b| slope(&ways[*a], at_start).total_cmp(&slope(&ways[*b], at_start)));
            let place = beside.iter().position(|i| *i == index).unwrap_or(0);
            (place as f64 - (beside.len() as f64 - 1.0) / 2.0) * (2.0 * NODE / beside.len() as f64).min(11.0)
        };
        (fan(true), fan(false))
    }

    fn edge(&self, canvas: &Canvas<'_>, edge: &TreeEdge, path: &[(f64, f64)]) -> Result<(), ReportError> {
        let most = self.edges.iter().map(|edge| edge.weight).fold(0.0, f64::max);
        let least = self.edges.iter().map(|edge| edge.weight).fold(f64::INFINITY, f64::min);
        // Where all weigh the same, width says nothing.
        let width = if most > least { 1.2 + 6.8 * (edge.weight / most).clamp(0.0, 1.0) } else { 3.0 };
        let color = color(edge.flow);
        let dash = if edge.is_copy {
            format!("stroke-dasharray=\"{} {}\"", 9.0 * FINE, 5.0 * FINE)
        } else {
            "stroke-linecap=\"butt\"".to_owned()
        };
        // The arrow's tip touches the node, the line ends inside the arrow.
        let size = 6.0 + width * 0.9;
        let Some(&end) = path.last() else { return Ok(()) };
        let away = |point: &(f64, f64)| libm::hypot(point.0 - end.0, point.1 - end.1);
        let tip = path.iter().copied().rev().find(|point| away(point) >= NODE * 1.35).unwrap_or(end);
        let line: Vec<_> =
            path.iter().copied().take_while(|point| away(point) > NODE * 1.35 + size).collect();
        let base = line.last().copied().unwrap_or(tip);
        canvas.group(&dash, || canvas.line(line, color, width))?;
        let length = libm::hypot(tip.0 - base.0, tip.1 - base.1).max(1e-6);
        let (ux, uy) = ((tip.0 - base.0) / length, (tip.1 - base.1) / length);
        let side = |sign: f64| (base.0 - sign * uy * size * 0.7, base.1 + sign * ux * size * 0.7);
        canvas.polygon([tip, side(1.0), side(-1.0)], color, 1.0)
    }

    fn legend(&self) -> Vec<LegendLine> {
        let flows = self.flows.iter().enumerate().map(|(i, name)| LegendLine::Flow(i, name.clone()));
        let roles: Vec<Role> = ROLES
            .iter()
            .map(|known| known.0)
            .filter(|role| self.nodes.iter().any(|node| node.role == *role))
            .collect();
        let mut lines: Vec<_> = flows.collect();
        if self.edges.iter().any(|edge| edge.is_copy) {
            lines.push(LegendLine::Copies);
        }
        lines.push(LegendLine::Roles(roles));
        lines
    }
}

/// A line of the legend.
enum LegendLine {
    Flow(usize, String),
    Copies,
    Roles(Vec<Role>),
}

const COPIES: &str = "dashed: further copies of packets that the node sends elsewhere, too (duplicated)";

impl LegendLine {
    fn width(&self) -> f64 {
        match self {
            Self::Flow(_, name) => 36.0 + text_width(name, 12.0),
            Self::Copies => 36.0 + text_width(COPIES, 12.0),
            Self::Roles(roles) => roles.iter().map(|role| 40.0 + text_width(role_name(*role), 12.0)).sum(),
        }
    }

    fn draw(&self, canvas: &Canvas<'_>, (left, y): (f64, f64)) -> Result<(), ReportError> {
        let text = |x: f64, text: &str| canvas.text((x, y), text, 12.0, INK, Anchor::Start);
        match self {
            Self::Flow(flow, name) => {
                canvas.line([(left, y), (left + 26.0, y)], color(*flow), 5.0)?;
                text(left + 36.0, name)
            }
            Self::Copies => {
                let dash = format!("stroke-dasharray=\"{} {}\"", 9.0 * FINE, 5.0 * FINE);
                canvas.group(&dash, || canvas.line([(left, y), (left + 26.0, y)], FAINT, 3.0))?;
                text(left + 36.0, COPIES)
            }
            Self::Roles(roles) => {
                let mut x = left;
                for role in roles {
                    mark(canvas, (x + 8.0, y), 6.0, *role)?;
                    text(x + 20.0, role_name(*role))?;
                    x += 40.0 + text_width(role_name(*role), 12.0);
                }
                Ok(())
            }
        }
    }
}

fn role_name(role: Role) -> &'static str {
    ROLES.iter().find(|known| known.0 == role).map_or("", |known| known.1)
}

fn color(flow: usize) -> RGBColor {
    PALETTE[flow % PALETTE.len()]
}

/// Returns a colour dark enough for text.
fn dark(RGBColor(r, g, b): RGBColor) -> RGBColor {
    let part = |value: u8| (f64::from(value) * 0.72) as u8;
    RGBColor(part(r), part(g), part(b))
}

fn around((x, y): (f64, f64), (w, h): (f64, f64)) -> Area {
    ((x - w, y - h), (x + w, y + h))
}

/// Draws text with a white rim, so that lines below it do not disturb.
fn halo(canvas: &Canvas<'_>, paint: impl FnOnce() -> Result<(), ReportError>) -> Result<(), ReportError> {
    let rim = format!(
        "paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"{}\" stroke-linejoin=\"round\"",
        4.0 * FINE
    );
    canvas.group(&rim, paint)
}

/// Returns a smooth curve through places of columns, level at each; `aside`: how far its middle is moved down.
fn curve(way: &[(f64, f64)], aside: f64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let legs = way.len().saturating_sub(1);
    for (leg, pair) in way.windows(2).enumerate() {
        let (a, b) = (pair[0], pair[1]);
        for i in usize::from(leg > 0)..=PIECES {
            let t = i as f64 / PIECES as f64;
            let smooth = t * t * (3.0 - 2.0 * t);
            let whole = (leg as f64 + t) / legs as f64;
            let lift = aside * 4.0 * whole * (1.0 - whole);
            points.push((a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * smooth + lift));
        }
    }
    points
}

/// Returns where on a path a label of half size `size` meets nothing, or least.
fn free_place(path: &[(f64, f64)], size: (f64, f64), taken: &[Area]) -> (f64, f64) {
    let at = |part: f64| path[((path.len() - 1) as f64 * part) as usize];
    let overlap = |place: (f64, f64)| -> f64 {
        let ((x0, y0), (x1, y1)) = around(place, size);
        let meets = taken.iter().map(|((a0, b0), (a1, b1))| {
            (x1.min(*a1) - x0.max(*a0)).max(0.0) * (y1.min(*b1) - y0.max(*b0)).max(0.0)
        });
        meets.sum()
    };
    if path.is_empty() {
        return (0.0, 0.0);
    }
    let parts = [0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72];
    let places = parts.into_iter().map(at);
    let best = places.min_by(|a, b| overlap(*a).total_cmp(&overlap(*b)));
    best.unwrap_or((0.0, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: every node, count and name stands in the drawing, a copy is dashed, the busiest edge is the widest.
    #[test]
    fn a_tree_shows_what_it_was_given() {
        let node = |mark: &str, role| TreeNode {
            mark: mark.to_owned(),
            names: vec![format!("place <{mark}>")],
            role,
        };
        let edge = |from, to, weight: f64, is_copy| TreeEdge {
            from,
            to,
            weight,
            is_copy,
            label: vec![format!("{weight} packets")],
            ..TreeEdge::default()
        };
        let tree = FlowTree {
            title: "Traffic".to_owned(),
            caption: "Counts.".to_owned(),
            nodes: vec![node("1", Role::Source), node("3", Role::Relay), node("2", Role::Destination)],
            edges: vec![edge(0, 1, 700.0, false), edge(1, 2, 350.0, true)],
            flows: vec!["flow 1: 1>3>2".to_owned()],
        };
        let svg = tree.svg().expect("it draws");
        for piece in [
            "700 packets",
            "350 packets",
            "place &lt;3&gt;",
            "flow 1: 1&gt;3&gt;2",
            "stroke-dasharray",
            "destination",
        ] {
            assert!(svg.contains(piece), "no {piece:?}");
        }
        let wide = format!("stroke-width=\"{}\"", 8 * FINE as u32);
        assert!(svg.contains(&wide), "no {wide}");
        assert!(tree.png().expect("it draws").starts_with(b"\x89PNG"));
    }
}
