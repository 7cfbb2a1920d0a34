//! Overlays: nodes at given places and what flows between them, one session highlighted.

use crate::draw::{Anchor, Canvas, FAINT, FINE, INK, PALETTE, Svg, picture, text_width};
use crate::error::ReportError;
use crate::png::Rasteriser;
use plotters::style::RGBColor;

/// Size of the picture without title and legend.
const BODY: (f64, f64) = (760.0, 400.0);
const HEAD: f64 = 48.0;
const LEGEND: f64 = 30.0;
/// What stays free around the outermost nodes.
const MARGIN: (f64, f64) = (90.0, 44.0);
/// Radius of a node.
const NODE: f64 = 15.0;
/// Distance of an edge from the line between the centres, so that both directions are seen.
const ASIDE: f64 = 5.0;
/// Size of labels at edges.
const LABEL: f64 = 11.0;
const OTHER: RGBColor = RGBColor(150, 150, 150);
const RELAY: RGBColor = RGBColor(0, 114, 178);

/// Nodes at their places and what flows between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// What it shows.
    pub title: String,
    /// A sentence or two below it, which also stands for it where it cannot be seen.
    pub caption: String,
    /// The nodes.
    pub nodes: Vec<OverlayNode>,
    /// What flows between them, each direction by itself.
    pub edges: Vec<OverlayEdge>,
    /// What the highlighted edges are, in the legend.
    pub highlight: String,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OverlayNode {
    /// What stands in it: its number.
    pub mark: String,
    /// What stands beside it.
    pub name: String,
    /// Its place: from 0 at the left and top to 1.
    pub at: (f64, f64),
    /// Whether it is a relay, drawn as a square; members are discs.
    pub is_relay: bool,
}

/// What flows from one node to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OverlayEdge {
    /// Its start, by index.
    pub from: usize,
    /// Its end, by index.
    pub to: usize,
    /// What stands at it.
    pub label: String,
    /// Whether the highlighted session uses it.
    pub is_highlighted: bool,
}

impl Overlay {
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
        let place = |node: &OverlayNode| {
            let inside = (BODY.0 - 2.0 * MARGIN.0, BODY.1 - 2.0 * MARGIN.1);
            (MARGIN.0 + node.at.0 * inside.0, HEAD + MARGIN.1 + node.at.1 * inside.1)
        };
        let places: Vec<_> = self.nodes.iter().map(place).collect();
        let size = (BODY.0 as u32, (HEAD + BODY.1 + LEGEND) as u32);
        picture(size, &self.title, &self.caption, |canvas| {
            canvas.heading((12.0, 22.0), &self.title, 15.0)?;
            // Highlighted ones on top of the others.
            let mut order: Vec<_> = self.edges.iter().collect();
            order.sort_by_key(|edge| edge.is_highlighted);
            let lines: Vec<_> = order.iter().filter_map(|edge| aside(&places, edge)).collect();
            for (edge, (a, b)) in order.iter().zip(&lines) {
                let (color, width) = if edge.is_highlighted { (PALETTE[1], 3.0) } else { (OTHER, 1.2) };
                canvas.line([*a, *b], color, width)?;
                head(canvas, *a, *b, color, if edge.is_highlighted { 10.0 } else { 7.0 })?;
            }
            let mut taken: Vec<((f64, f64), (f64, f64))> =
                places.iter().map(|at| (*at, (NODE + 4.0, NODE + 4.0))).collect();
            for (index, (node, (x, y))) in self.nodes.iter().zip(&places).enumerate() {
                let is_used = self.edges.iter().any(|edge| edge.from == index || edge.to == index);
                self.node(canvas, node, (*x, *y), is_used)?;
                let under = (*x, below(node, *y));
                taken.push((under, (text_width(&node.name, 12.0) / 2.0, 8.0)));
            }
            for (edge, (a, b)) in order.iter().zip(&lines).rev() {
                let half = (text_width(&edge.label, LABEL) / 2.0 + 2.0, 7.0);
                let at = free(*a, *b, half, &taken);
                taken.push((at, half));
                let color = if edge.is_highlighted { INK } else { FAINT };
                halo(canvas, || canvas.text(at, &edge.label, LABEL, color, Anchor::Middle))?;
            }
            let y = HEAD + BODY.1 + LEGEND / 2.0;
            canvas.line([(20.0, y), (48.0, y)], PALETTE[1], 3.0)?;
            canvas.text((56.0, y), &self.highlight, 12.0, INK, Anchor::Start)?;
            let x = 76.0 + text_width(&self.highlight, 12.0);
            canvas.line([(x, y), (x + 28.0, y)], OTHER, 1.2)?;
            canvas.text((x + 36.0, y), "other sessions", 12.0, INK, Anchor::Start)
        })
    }

    fn node(
        &self,
        canvas: &Canvas<'_>,
        node: &OverlayNode,
        (x, y): (f64, f64),
        is_used: bool,
    ) -> Result<(), ReportError> {
        const RIM: RGBColor = RGBColor(255, 255, 255);
        if node.is_relay {
            canvas.rect((x - NODE, y - NODE), (x + NODE, y + NODE), if is_used { RELAY } else { OTHER })?;
        } else {
            canvas.disc((x, y), NODE, if is_used { INK } else { OTHER }, RIM)?;
        }
        canvas
            .group("font-weight=\"bold\"", || canvas.text((x, y), &node.mark, 13.0, RIM, Anchor::Middle))?;
        halo(canvas, || canvas.text((x, below(node, y)), &node.name, 12.0, INK, Anchor::Middle))
    }
}

/// Returns where a node's name stands: away from the middle of the picture.
fn below(node: &OverlayNode, y: f64) -> f64 {
    if node.at.1 < 0.4 { y - NODE - 12.0 } else { y + NODE + 12.0 }
}

/// Returns the ends of an edge, at the rims of its nodes and right of the line between them.
fn aside(places: &[(f64, f64)], edge: &OverlayEdge) -> Option<((f64, f64), (f64, f64))> {
    let (a, b) = (places.get(edge.from)?, places.get(edge.to)?);
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx.hypot(dy).max(1.0);
    let (ux, uy) = (dx / length, dy / length);
    let shift =
        |at: &(f64, f64), along: f64| (at.0 + ux * along - uy * ASIDE, at.1 + uy * along + ux * ASIDE);
    Some((shift(a, NODE + 2.0), shift(b, -NODE - 3.0)))
}

/// Draws the head of an arrow from `a` to `b`.
fn head(
    canvas: &Canvas<'_>,
    a: (f64, f64),
    b: (f64, f64),
    color: RGBColor,
    size: f64,
) -> Result<(), ReportError> {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx.hypot(dy).max(1.0);
    let (ux, uy) = (dx / length * size, dy / length * size);
    let wing = |side: f64| (b.0 - ux - uy * 0.5 * side, b.1 - uy + ux * 0.5 * side);
    canvas.polygon([b, wing(1.0), wing(-1.0)], color, 1.0)
}

/// A rectangle: its middle, and half of its sides.
type Area = ((f64, f64), (f64, f64));

/// Returns a place for a label right of an edge that covers nothing so far, as near to its first third as can be.
fn free(a: (f64, f64), b: (f64, f64), half: (f64, f64), taken: &[Area]) -> (f64, f64) {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx.hypot(dy).max(1.0);
    let (nx, ny) = (-dy / length, dx / length);
    let out = 3.0 + half.0 * nx.abs() + half.1 * ny.abs();
    let at = |along: f64| (a.0 + dx * along + nx * out, a.1 + dy * along + ny * out);
    let covers = |at: (f64, f64)| {
        taken.iter().any(|(other, size)| {
            (at.0 - other.0).abs() < half.0 + size.0 && (at.1 - other.1).abs() < half.1 + size.1
        })
    };
    [0.33, 0.26, 0.4, 0.2, 0.47, 0.14, 0.54, 0.62, 0.7, 0.78]
        .map(at)
        .into_iter()
        .find(|at| !covers(*at))
        .unwrap_or_else(|| at(0.33))
}

/// Draws text with a white rim, so that it can be read over lines.
fn halo(canvas: &Canvas<'_>, text: impl FnOnce() -> Result<(), ReportError>) -> Result<(), ReportError> {
    let rim = format!(
        "paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"{}\" stroke-linejoin=\"round\"",
        3.0 * FINE
    );
    canvas.group(&rim, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: every node and label stands in the drawing, and the two directions between two nodes do not lie on each
    /// other.
    #[test]
    fn both_directions_are_seen() {
        let node = |name: &str, x| OverlayNode {
            mark: "7".to_owned(),
            name: name.to_owned(),
            at: (x, 0.5),
            is_relay: false,
        };
        let edge = |from, to, label: &str| OverlayEdge {
            from,
            to,
            label: label.to_owned(),
            is_highlighted: from == 0,
        };
        let overlay = Overlay {
            title: "Who sends <what>".to_owned(),
            nodes: vec![node("left", 0.0), node("right", 1.0)],
            edges: vec![edge(0, 1, "1.25"), edge(1, 0, "0.75")],
            highlight: "session of left".to_owned(),
            ..Overlay::default()
        };
        let svg = overlay.svg().expect("it draws");
        for piece in
            ["left", "right", "1.25", "0.75", "Who sends &lt;what&gt;", "session of left", "other sessions"]
        {
            assert!(svg.contains(piece), "{piece}");
        }
        let places = [(0.0, 0.0), (100.0, 0.0)];
        let there = aside(&places, &overlay.edges[0]).expect("both ends are known");
        let back = aside(&places, &overlay.edges[1]).expect("both ends are known");
        assert!((there.0.1 - back.0.1).abs() >= 2.0 * ASIDE - 1e-9, "{there:?} {back:?}");
        assert!(aside(&places, &edge(0, 9, "")).is_none());
    }
}
