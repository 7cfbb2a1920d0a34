//! Places for labels beside nodes, so that they cover neither each other nor a node.

use crate::draw::{Anchor, text_width};

/// Font size of labels.
pub(crate) const SIZE: f64 = 12.0;
/// Half height of a label.
const HALF: f64 = 8.0;

/// A label with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    /// Where its text is anchored (vertical middle).
    pub(crate) at: (f64, f64),
    /// Which side of the text that is.
    pub(crate) anchor: Anchor,
    /// The node that it names.
    pub(crate) node: usize,
    /// Whether it is so far off that a thin line must lead to the node.
    pub(crate) far: bool,
}

/// Returns a place for the label of each node in `order`, most important first; a node without a free place gets none.
/// `places`: of all nodes. `radius`: of a node's mark. `area`: what the labels stay within.
/// `middle`: away from where labels stand when they can; `None`: right of their nodes first.
pub(crate) fn place(
    places: &[(f64, f64)],
    names: &[String],
    order: &[usize],
    radius: f64,
    area: (f64, f64, f64, f64),
    middle: Option<(f64, f64)>,
) -> Vec<Label> {
    let (left, top, right, bottom) = area;
    let marks = places.iter().map(|(x, y)| (x - radius, y - radius, x + radius, y + radius));
    let mut taken: Vec<(f64, f64, f64, f64)> = marks.collect();
    let mut labels = Vec::new();
    for node in order {
        let (Some((x, y)), Some(name)) = (places.get(*node), names.get(*node)) else { continue };
        let width = text_width(name, SIZE);
        for ring in 0..4 {
            let gap = radius + 4.0 + 15.0 * f64::from(ring);
            let slant = gap * 0.75 + 3.0;
            let mut tries = [
                (x + gap, *y, Anchor::Start),
                (x - gap, *y, Anchor::End),
                (*x, y - gap - 6.0, Anchor::Middle),
                (*x, y + gap + 6.0, Anchor::Middle),
                (x + slant, y - slant, Anchor::Start),
                (x + slant, y + slant, Anchor::Start),
                (x - slant, y - slant, Anchor::End),
                (x - slant, y + slant, Anchor::End),
            ];
            if let Some((mx, my)) = middle {
                let outward = |(lx, ly, _): &(f64, f64, Anchor)| (lx - x) * (x - mx) + (ly - y) * (y - my);
                tries.sort_by(|a, b| outward(b).total_cmp(&outward(a)));
            }
            let free = tries.into_iter().find_map(|(lx, ly, anchor)| {
                let start = match anchor {
                    Anchor::Start => lx,
                    Anchor::Middle => lx - width / 2.0,
                    Anchor::End => lx - width,
                };
                let own = (start, ly - HALF, start + width, ly + HALF);
                let inside = own.0 >= left && own.1 >= top && own.2 <= right && own.3 <= bottom;
                let clear = taken.iter().all(|other| apart(own, *other));
                (inside && clear).then_some((own, (lx, ly), anchor))
            });
            if let Some((own, at, anchor)) = free {
                taken.push(own);
                labels.push(Label { at, anchor, node: *node, far: ring > 0 });
                break;
            }
        }
    }
    labels
}

fn apart(a: (f64, f64, f64, f64), b: (f64, f64, f64, f64)) -> bool {
    a.2 < b.0 || b.2 < a.0 || a.3 < b.1 || b.3 < a.1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels of a crowd do not cover each other, and what has no place is left out rather than drawn over.
    #[test]
    fn labels_stay_apart() {
        let places: Vec<_> =
            (0..40).map(|i| (200.0 + f64::from(i % 8) * 22.0, 100.0 + f64::from(i / 8) * 22.0)).collect();
        let names: Vec<_> = (0..40).map(|i| format!("node number {i}")).collect();
        let order: Vec<_> = (0..40).collect();
        let labels = place(&places, &names, &order, 6.0, (0.0, 0.0, 600.0, 400.0), None);
        assert!(labels.len() > 10, "{}", labels.len());
        let span = |label: &Label| {
            let width = text_width(&names[label.node], SIZE);
            let start = match label.anchor {
                Anchor::Start => label.at.0,
                Anchor::Middle => label.at.0 - width / 2.0,
                Anchor::End => label.at.0 - width,
            };
            (start, label.at.1 - HALF, start + width, label.at.1 + HALF)
        };
        for (i, a) in labels.iter().enumerate() {
            for b in &labels[..i] {
                assert!(apart(span(a), span(b)), "{a:?} covers {b:?}");
            }
        }
    }
}
