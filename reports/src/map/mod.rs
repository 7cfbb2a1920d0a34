//! Where nodes are drawn: a world map, or a circle when positions are not known.

mod labels;
mod land;

pub(crate) use labels::{SIZE as LABEL_SIZE, place};
pub(crate) use land::{Kind, rings};

use libm::{asin, atan2, cos, sin, sqrt};

/// Latitude is drawn this much longer than longitude, which shows middle latitudes in their true shape.
const STRETCH: f64 = 1.2;
/// Pieces of a great circle.
const PIECES: usize = 40;

/// A view of the world: equirectangular, turned so that the widest gap between nodes is at its edges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    /// Longitude in the middle of the turned world.
    center: f64,
    /// Turned longitude at the left edge.
    west: f64,
    /// Latitude at the upper edge.
    north: f64,
    /// Units for a degree of longitude.
    scale: f64,
    /// Where the map lies in the picture: left, top, right, bottom.
    pub(crate) area: (f64, f64, f64, f64),
}

impl View {
    /// Returns a view that holds `points` and lies within the given corner and size; it is at least 50 degrees wide.
    /// `points`: (latitude, longitude), not empty.
    pub(crate) fn over(points: &[(f64, f64)], (left, top): (f64, f64), (width, height): (f64, f64)) -> View {
        let center = opposite_of_widest_gap(points);
        let turned = |lon: f64| wrap(lon - center);
        let span = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
        };
        let (mut west, mut east) = span(&mut points.iter().map(|point| turned(point.1)));
        let (mut south, mut north) = span(&mut points.iter().map(|point| point.0));
        let margin = ((east - west).max((north - south) * 1.5) * 0.09).max(5.0);
        (west, east, south, north) = (west - margin, east + margin, south - margin, north + margin);
        // Both spans grow to the shape of the picture, as far as the world goes.
        let wide = ((north - south) * STRETCH * width / height).max(east - west).clamp(50.0, 360.0);
        let middle = ((west + east) / 2.0).clamp(-180.0 + wide / 2.0, 180.0 - wide / 2.0);
        west = middle - wide / 2.0;
        let scale = width / wide;
        let tall = (height / (scale * STRETCH)).min(142.0);
        let level = ((south + north) / 2.0).clamp(-58.0 + tall / 2.0, 84.0 - tall / 2.0);
        let area = (left, top, left + width, top + tall * scale * STRETCH);
        View { center, west, north: level + tall / 2.0, scale, area }
    }

    /// Returns the place of (latitude, longitude); the longitude may have been unwrapped beyond its usual range.
    pub(crate) fn at(&self, (lat, lon): (f64, f64)) -> (f64, f64) {
        let x = self.area.0 + (lon - self.center - self.west) * self.scale;
        (x, self.area.1 + (self.north - lat) * self.scale * STRETCH)
    }

    /// Returns the place of a node: the copy of the world that lies in the view.
    pub(crate) fn node(&self, (lat, lon): (f64, f64)) -> (f64, f64) {
        self.at((lat, self.center + wrap(lon - self.center)))
    }

    /// Returns the width of the whole world in units.
    pub(crate) fn world(&self) -> f64 {
        360.0 * self.scale
    }

    /// Returns the great circle from `a` to `b`, starting at `a`'s place in the view.
    pub(crate) fn great_circle(&self, a: (f64, f64), b: (f64, f64)) -> Vec<(f64, f64)> {
        let mut points = great_circle(a, b);
        // The first point is turned into the view; the others follow without a jump.
        let mut last = self.center + wrap(a.1 - self.center);
        for point in &mut points {
            point.1 = last + wrap(point.1 - last);
            last = point.1;
        }
        points.into_iter().map(|point| self.at(point)).collect()
    }
}

/// Returns points of the shorter great circle between two places, both included: spherical interpolation.
pub(crate) fn great_circle(a: (f64, f64), b: (f64, f64)) -> Vec<(f64, f64)> {
    let unit = |(lat, lon): (f64, f64)| {
        let (lat, lon) = (lat.to_radians(), lon.to_radians());
        [cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)]
    };
    let (p, q) = (unit(a), unit(b));
    let chord = sqrt((0..3).map(|i| (p[i] - q[i]) * (p[i] - q[i])).sum());
    let angle = 2.0 * asin((chord / 2.0).min(1.0));
    // Antipodes and equal places have no one great circle: a straight line on the map does for them.
    if !(1e-6..std::f64::consts::PI - 1e-5).contains(&angle) {
        return vec![a, b];
    }
    (0..=PIECES)
        .map(|piece| {
            let f = piece as f64 / PIECES as f64;
            let (u, v) = (sin((1.0 - f) * angle) / sin(angle), sin(f * angle) / sin(angle));
            let [x, y, z]: [f64; 3] = std::array::from_fn(|i| u * p[i] + v * q[i]);
            (atan2(z, sqrt(x * x + y * y)).to_degrees(), atan2(y, x).to_degrees())
        })
        .collect()
}

/// Returns places on an ellipse for `n` nodes, clockwise from above.
pub(crate) fn circle(n: usize, (cx, cy): (f64, f64), (rx, ry): (f64, f64)) -> Vec<(f64, f64)> {
    (0..n)
        .map(|index| {
            let angle = std::f64::consts::TAU * index as f64 / n.max(1) as f64;
            if n == 1 { (cx, cy) } else { (cx + rx * sin(angle), cy - ry * cos(angle)) }
        })
        .collect()
}

/// Moves nodes that lie on each other apart, onto a small ring around their common place.
pub(crate) fn spread(places: &mut [(f64, f64)], closest: f64) {
    let mut done = vec![false; places.len()];
    for first in 0..places.len() {
        if done[first] {
            continue;
        }
        let (x, y) = places[first];
        let near = |place: &(f64, f64)| (place.0 - x).abs() + (place.1 - y).abs() < closest;
        let group: Vec<_> = (first..places.len()).filter(|i| !done[*i] && near(&places[*i])).collect();
        let radius = closest.max(group.len() as f64 * closest / std::f64::consts::TAU) * 0.75;
        if group.len() > 1 {
            for (index, place) in group.iter().zip(circle(group.len(), (x, y), (radius, radius))) {
                places[*index] = place;
                done[*index] = true;
            }
        }
    }
}

/// Returns the longitude opposite to the widest stretch without any point.
fn opposite_of_widest_gap(points: &[(f64, f64)]) -> f64 {
    let mut lons: Vec<f64> = points.iter().map(|point| wrap(point.1)).collect();
    lons.sort_by(f64::total_cmp);
    let Some(first) = lons.first().copied() else { return 0.0 };
    let next = lons.iter().copied().skip(1).chain([first + 360.0]);
    let gap = lons.iter().copied().zip(next).max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
    gap.map_or(0.0, |(from, to)| wrap((from + to) / 2.0 + 180.0))
}

/// Brings a longitude into -180 to 180.
fn wrap(lon: f64) -> f64 {
    lon - 360.0 * ((lon + 180.0) / 360.0).floor()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKYO: (f64, f64) = (35.68, 139.69);
    const OREGON: (f64, f64) = (45.8, -119.7);
    const DUBLIN: (f64, f64) = (53.3, -6.3);

    /// A great circle starts and ends at its ends and crosses the Pacific north of both.
    #[test]
    fn great_circles() {
        let points = great_circle(TOKYO, OREGON);
        let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 1e-6 && wrap(a.1 - b.1).abs() < 1e-6;
        assert!(near(points[0], TOKYO) && near(points[PIECES], OREGON));
        assert!(points[PIECES / 2].0 > 50.0, "{:?}", points[PIECES / 2]);
        assert_eq!(great_circle(TOKYO, TOKYO).len(), 2);
    }

    /// Every node lies within the view, and a line over the Pacific does not jump across the picture.
    #[test]
    fn views_hold_their_nodes() {
        for points in
            [vec![TOKYO, OREGON], vec![TOKYO, OREGON, DUBLIN], vec![DUBLIN], vec![(-33.9, 151.2), DUBLIN]]
        {
            let view = View::over(&points, (10.0, 20.0), (780.0, 420.0));
            let (left, top, right, bottom) = view.area;
            for point in &points {
                let (x, y) = view.node(*point);
                assert!((left..=right).contains(&x) && (top..=bottom).contains(&y), "{points:?}: {x} {y}");
            }
        }
        let view = View::over(&[TOKYO, OREGON], (0.0, 0.0), (780.0, 420.0));
        let line = view.great_circle(TOKYO, OREGON);
        assert!(line.windows(2).all(|pair| (pair[0].0 - pair[1].0).abs() < 50.0), "{line:?}");
    }

    /// Nodes at one place end up apart from each other.
    #[test]
    fn crowds_spread() {
        let mut places = vec![(100.0, 100.0); 5];
        spread(&mut places, 16.0);
        for (i, a) in places.iter().enumerate() {
            for b in &places[..i] {
                assert!((a.0 - b.0).abs() + (a.1 - b.1).abs() > 8.0, "{places:?}");
            }
        }
    }
}
