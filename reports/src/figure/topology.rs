//! The network on a map: nodes with their roles, links with their use.

use super::{Figure, Material};
use crate::chart::{Key, KeyShape, SHARES, Style, WIDTH, share_color, wrap};
use crate::draw::{Anchor, Canvas, FAINT, FINE, INK, escape, picture};
use crate::error::ReportError;
use crate::format::{number, plural, shorten};
use crate::map::{Kind, LABEL_SIZE, View, circle, great_circle, place, rings, spread};
use bellini_scenarios::record::LinkSummary;
use plotters::style::RGBColor;
use std::collections::{BTreeMap, BTreeSet};

/// Width of the map, or of the circle's picture.
const MAP_WIDTH: f64 = WIDTH - 200.0;
/// Its height at most.
const MAP_HEIGHT: f64 = 430.0;
/// Most links that are drawn.
const LINKS_MAX: usize = 400;
/// Up to so many links have arrows.
const ARROWS_MAX: usize = 120;
/// Most nodes that are named.
const NAMES_MAX: usize = 60;
/// Links without a rate limit.
const UNLIMITED: RGBColor = RGBColor(90, 90, 90);
/// Colours of nodes: sources, destinations, both, relays, others.
pub(crate) const ROLES: [(Role, &str, RGBColor); 5] = [
    (Role::Source, "source", RGBColor(213, 94, 0)),
    (Role::Destination, "destination", RGBColor(0, 114, 178)),
    (Role::Both, "source and destination", RGBColor(204, 121, 167)),
    (Role::Relay, "relay", RGBColor(0, 158, 115)),
    (Role::Idle, "carries nothing", RGBColor(200, 200, 200)),
];

/// What a node does in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It sends.
    Source,
    /// It receives.
    Destination,
    /// It does both.
    Both,
    /// It passes on.
    Relay,
    /// Nothing of the run passes it.
    Idle,
}

/// A link as drawn.
struct Drawn<'a> {
    link: &'a LinkSummary,
    path: Vec<(f64, f64)>,
}

/// Makes the figure; none without nodes.
pub(super) fn figure(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let nodes = &material.first.nodes;
    if nodes.is_empty() {
        return Ok(None);
    }
    let index: BTreeMap<u32, usize> = nodes.iter().enumerate().map(|(i, node)| (node.id, i)).collect();
    let mut links: Vec<_> = material
        .first
        .links
        .iter()
        .filter(|link| index.contains_key(&link.from) && index.contains_key(&link.to))
        .collect();
    links.sort_by_key(|link| std::cmp::Reverse(link.sent_bytes));
    let known: Option<Vec<(f64, f64)>> =
        nodes.iter().map(|node| node.position.map(|[lat, lon]| (lat, lon))).collect();
    let title = title(material, &links);
    let head = wrap(&title, 15.0, WIDTH - 24.0);
    let top = 20.0 + 20.0 * head.len() as f64;
    let view = known.as_ref().map(|known| {
        let arcs = links
            .iter()
            .filter(|link| link.sent_packets > 0)
            .take(LINKS_MAX)
            .flat_map(|link| great_circle(known[index[&link.from]], known[index[&link.to]]));
        let points: Vec<_> = known.iter().copied().chain(arcs).collect();
        View::over(&points, (12.0, top), (MAP_WIDTH, MAP_HEIGHT))
    });
    let area = view.map_or((12.0, top, 12.0 + MAP_WIDTH, top + MAP_HEIGHT), |view| view.area);
    let mut places: Vec<_> = match (&known, &view) {
        (Some(known), Some(view)) => known.iter().map(|position| view.node(*position)).collect(),
        _ => {
            let (cx, cy) = ((area.0 + area.2) / 2.0, (area.1 + area.3) / 2.0);
            circle(nodes.len(), (cx, cy), (MAP_WIDTH * 0.36, MAP_HEIGHT * 0.40))
        }
    };
    let radius = if nodes.len() > 100 { 3.0 } else { 6.5 };
    spread(&mut places, radius * 2.6);
    let drawn = paths(&links, &places, &index, known.as_deref().zip(view.as_ref()));
    let shown = drawn.len();
    let caption = caption(material, links.len(), shown, view.is_some());
    let height = (area.3 + 26.0).max(top + 19.0 * 14.0 + 40.0);
    let svg = picture((WIDTH as u32, height as u32), &title, &caption, |canvas| {
        for (row, line) in head.iter().enumerate() {
            canvas.heading((12.0, 18.0 + 20.0 * row as f64), line, 15.0)?;
        }
        clipped(canvas, area, || {
            if let Some(view) = &view {
                world(canvas, view)?;
            }
            draw_links(canvas, material, &drawn, view.as_ref())
        })?;
        let middle = view.is_none().then_some(((area.0 + area.2) / 2.0, (area.1 + area.3) / 2.0));
        draw_nodes(canvas, material, &places, radius, area, middle)?;
        draw_legend(canvas, (area.2 + 16.0, top + 6.0))?;
        if view.is_some() {
            canvas.text((area.0, area.3 + 12.0), "Land: Natural Earth", 10.0, FAINT, Anchor::Start)?;
        }
        Ok(())
    })?;
    Ok(Some(Figure { name: "topology", heading: "The network", title, caption, svg }))
}

fn title(material: &Material<'_>, links: &[&LinkSummary]) -> String {
    let used = links.iter().filter(|link| link.sent_packets > 0).count();
    let nodes = plural(material.first.nodes.len(), "node");
    let busiest = links
        .iter()
        .filter(|link| link.utilisation.is_some())
        .max_by(|a, b| a.utilisation.unwrap_or(0.0).total_cmp(&b.utilisation.unwrap_or(0.0)));
    let all = links.len();
    match busiest.and_then(|link| link.utilisation.map(|utilisation| (link, utilisation))) {
        Some((link, utilisation)) if used > 0 => format!(
            "{nodes}; {used} of {} carried traffic, the busiest ({}) for {} % of the time",
            plural(all, "link"),
            material.pair(&link.id()),
            number(utilisation * 100.0)
        ),
        _ => format!("{nodes}; {used} of {} carried traffic", plural(all, "link")),
    }
}

fn caption(material: &Material<'_>, all: usize, shown: usize, map: bool) -> String {
    let mut text = String::from(
        "Links are as wide as their mean rate and coloured by the share of the measuring window in which they were busy; \
         an arrow gives the direction.",
    );
    if shown < all {
        text.push_str(&format!(" Drawn are the {shown} busiest of {all} links."));
    }
    if !map {
        text.push_str(" Nodes stand on a circle because not all of them have a position.");
    }
    if material.runs.len() > 1 {
        text.push_str(" Means over all seeds.");
    }
    text
}

/// Returns the links with their paths: busiest first, unused ones only where there are few.
fn paths<'a>(
    links: &[&'a LinkSummary],
    places: &[(f64, f64)],
    index: &BTreeMap<u32, usize>,
    map: Option<(&[(f64, f64)], &View)>,
) -> Vec<Drawn<'a>> {
    let unused_too = links.len() <= LINKS_MAX / 4;
    let wanted = links.iter().filter(|link| link.sent_packets > 0 || unused_too).take(LINKS_MAX);
    wanted
        .map(|link| {
            let (a, b) = (index[&link.from], index[&link.to]);
            let straight = vec![places[a], places[b]];
            let path = match map {
                Some((known, view)) => {
                    let mut arc = view.great_circle(known[a], known[b]);
                    // Nodes that were moved apart take their links' ends along.
                    let (start, end) = (view.node(known[a]), view.node(known[b]));
                    let moved = |arc: &mut [(f64, f64)], from: (f64, f64), to: (f64, f64), last: bool| {
                        let at = if last { arc.len() - 1 } else { 0 };
                        arc[at] = (arc[at].0 + to.0 - from.0, arc[at].1 + to.1 - from.1);
                    };
                    moved(&mut arc, start, places[a], false);
                    moved(&mut arc, end, places[b], true);
                    if arc.len() > 2 { arc } else { straight }
                }
                None => straight,
            };
            Drawn { link, path: bend(&path) }
        })
        .collect()
}

/// Moves a path to its right-hand side, so that the two directions of a link do not cover each other.
fn bend(path: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const PIECES: usize = 24;
    let fine: Vec<_> = if let [a, b] = path {
        (0..=PIECES)
            .map(|i| i as f64 / PIECES as f64)
            .map(|f| (a.0 + (b.0 - a.0) * f, a.1 + (b.1 - a.1) * f))
            .collect()
    } else {
        path.to_vec()
    };
    let (Some(first), Some(last)) = (fine.first(), fine.last()) else { return fine };
    let length = libm::hypot(last.0 - first.0, last.1 - first.1).max(1.0);
    let normal = (-(last.1 - first.1) / length, (last.0 - first.0) / length);
    let count = (fine.len() - 1).max(1) as f64;
    fine.iter()
        .enumerate()
        .map(|(i, (x, y))| {
            let f = i as f64 / count;
            let off = (4.0 + 0.05 * length.min(300.0)) * 4.0 * f * (1.0 - f);
            (x + normal.0 * off, y + normal.1 * off)
        })
        .collect()
}

fn clipped(
    canvas: &Canvas<'_>,
    (left, top, right, bottom): (f64, f64, f64, f64),
    paint: impl FnOnce() -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    let (x, y, width, height) = (left * FINE, top * FINE, (right - left) * FINE, (bottom - top) * FINE);
    canvas.raw(format!(
        "<clipPath id=\"map-area\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/></clipPath>"
    ))?;
    canvas.group("clip-path=\"url(#map-area)\"", paint)
}

/// Draws sea and land; the world is repeated to both sides, so that a turned map has no seam.
fn world(canvas: &Canvas<'_>, view: &View) -> Result<(), ReportError> {
    const SEA: RGBColor = RGBColor(244, 248, 251);
    const LAND: RGBColor = RGBColor(226, 226, 218);
    let (left, top, right, bottom) = view.area;
    canvas.rect((left, top), (right, bottom), SEA)?;
    for (kind, ring) in rings() {
        let color = if kind == Kind::Land { LAND } else { SEA };
        let ring: Vec<_> = ring.into_iter().map(|point| view.at(point)).collect();
        for shift in [-view.world(), 0.0, view.world()] {
            let inside = |point: &(f64, f64)| {
                (left..=right).contains(&(point.0 + shift)) && (top..=bottom).contains(&point.1)
            };
            if ring.iter().any(inside) {
                canvas.polygon(ring.iter().map(|(x, y)| (x + shift, *y)), color, 1.0)?;
            }
        }
    }
    Ok(())
}

fn draw_links(
    canvas: &Canvas<'_>,
    material: &Material<'_>,
    drawn: &[Drawn<'_>],
    view: Option<&View>,
) -> Result<(), ReportError> {
    let most = drawn.iter().map(|d| d.link.mean_mbps.unwrap_or(0.0)).fold(0.0, f64::max);
    // The busiest are drawn last, on top.
    for d in drawn.iter().rev() {
        let used = d.link.sent_packets > 0;
        let color = match d.link.utilisation {
            Some(share) => share_color(share),
            None if used => UNLIMITED,
            None => SHARES[0].2,
        };
        let color = if used { color } else { RGBColor(205, 205, 205) };
        let width = if used && most > 0.0 {
            1.4 + 4.6 * (d.link.mean_mbps.unwrap_or(0.0) / most).sqrt()
        } else {
            0.8
        };
        let busy = d
            .link
            .utilisation
            .map_or_else(|| "no rate limit".to_owned(), |u| format!("busy {} %", number(u * 100.0)));
        let words = format!(
            "{}: {} Mbit/s, {busy}, {} packets sent, {} dropped",
            material.pair(&d.link.id()),
            number(d.link.mean_mbps.unwrap_or(0.0)),
            d.link.sent_packets,
            d.link.dropped()
        );
        let shifts: &[f64] = match view {
            Some(view) => &[0.0, -view.world(), view.world()],
            None => &[0.0],
        };
        canvas.raw(format!("<g class=\"link\"><title>{}</title>", escape(&words)))?;
        for shift in shifts {
            let path: Vec<_> = d.path.iter().map(|(x, y)| (x + shift, *y)).collect();
            let outside =
                view.is_some_and(|view| path.iter().all(|p| p.0 < view.area.0 || p.0 > view.area.2));
            if outside {
                continue;
            }
            canvas.group("stroke-linecap=\"round\"", || canvas.line(path.iter().copied(), color, width))?;
            if used && drawn.len() <= ARROWS_MAX {
                arrow(canvas, &path, color, width)?;
            }
        }
        canvas.raw("</g>")?;
    }
    Ok(())
}

/// Draws an arrow head at 60 % of a path.
fn arrow(canvas: &Canvas<'_>, path: &[(f64, f64)], color: RGBColor, width: f64) -> Result<(), ReportError> {
    let at = path.len() * 6 / 10;
    let (Some(tail), Some(head)) = (at.checked_sub(1).and_then(|i| path.get(i)), path.get(at)) else {
        return Ok(());
    };
    let (dx, dy) = (head.0 - tail.0, head.1 - tail.1);
    let length = libm::hypot(dx, dy);
    if length < 1e-6 {
        return Ok(());
    }
    let (ux, uy, size) = (dx / length, dy / length, 3.5 + width * 1.1);
    let tip = (head.0 + ux * size, head.1 + uy * size);
    let side = |sign: f64| {
        (head.0 - ux * size * 0.6 - sign * uy * size * 0.8, head.1 - uy * size * 0.6 + sign * ux * size * 0.8)
    };
    // Dark enough to be seen on the lightest link.
    let RGBColor(r, g, b) = color;
    let dark = RGBColor((f64::from(r) * 0.6) as u8, (f64::from(g) * 0.6) as u8, (f64::from(b) * 0.6) as u8);
    canvas.polygon([tip, side(1.0), side(-1.0)], dark, 1.0)
}

fn roles(material: &Material<'_>) -> Vec<Role> {
    let sessions = &material.first.sessions;
    let sources: BTreeSet<_> = sessions.iter().map(|session| session.source).collect();
    let sinks: BTreeSet<_> = material.destinations().map(|(_, d)| d.node).collect();
    let carrying: BTreeSet<_> =
        material.first.links.iter().filter(|l| l.sent_packets > 0).flat_map(|l| [l.from, l.to]).collect();
    let role = |id: &u32| match (sources.contains(id), sinks.contains(id)) {
        (true, true) => Role::Both,
        (true, false) => Role::Source,
        (false, true) => Role::Destination,
        _ if carrying.contains(id) => Role::Relay,
        _ => Role::Idle,
    };
    material.first.nodes.iter().map(|node| role(&node.id)).collect()
}

fn draw_nodes(
    canvas: &Canvas<'_>,
    material: &Material<'_>,
    places: &[(f64, f64)],
    radius: f64,
    area: (f64, f64, f64, f64),
    middle: Option<(f64, f64)>,
) -> Result<(), ReportError> {
    let nodes = &material.first.nodes;
    let roles = roles(material);
    for ((node, at), role) in nodes.iter().zip(places).zip(&roles) {
        let region = node.region.as_deref().map_or(String::new(), |region| format!(" ({region})"));
        let words = format!(
            "{}{region}, node {}: {} forwarded, {} delivered",
            node.name, node.id, node.forwarded_packets, node.delivered_packets
        );
        canvas.raw(format!("<g class=\"node\"><title>{}</title>", escape(&words)))?;
        mark(canvas, *at, radius, *role)?;
        canvas.raw("</g>")?;
    }
    let mut order: Vec<_> = (0..nodes.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(nodes[*i].forwarded_packets + nodes[*i].delivered_packets));
    order.truncate(NAMES_MAX);
    let names: Vec<_> = nodes.iter().map(|node| shorten(&node.name, 24)).collect();
    let halo = format!(
        "paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"{}\" stroke-linejoin=\"round\"",
        3.0 * FINE
    );
    for label in place(places, &names, &order, radius, area, middle) {
        if label.far {
            canvas.line([places[label.node], label.at], FAINT, 0.6)?;
        }
        canvas.group(&halo, || canvas.text(label.at, &names[label.node], LABEL_SIZE, INK, label.anchor))?;
    }
    Ok(())
}

/// Draws a node: shape and colour tell its role.
pub(crate) fn mark(canvas: &Canvas<'_>, (x, y): (f64, f64), r: f64, role: Role) -> Result<(), ReportError> {
    let color = ROLES.iter().find(|known| known.0 == role).map_or(FAINT, |known| known.2);
    const RIM: RGBColor = RGBColor(255, 255, 255);
    let shape = |grow: f64| -> Vec<(f64, f64)> {
        let s = r + grow;
        match role {
            Role::Source => vec![(x - s, y - s), (x + s, y - s), (x + s, y + s), (x - s, y + s)],
            Role::Relay => vec![(x, y - s * 1.25), (x + s * 1.25, y), (x, y + s * 1.25), (x - s * 1.25, y)],
            _ => Vec::new(),
        }
    };
    match role {
        Role::Source | Role::Relay => {
            canvas.polygon(shape(1.2), RIM, 1.0)?;
            canvas.polygon(shape(0.0), color, 1.0)
        }
        Role::Destination => canvas.disc((x, y), r, color, RIM),
        Role::Idle => canvas.disc((x, y), r * 0.7, color, FAINT),
        Role::Both => {
            canvas.polygon([(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)], color, 1.0)?;
            canvas.disc((x, y), r * 0.55, RIM, RIM)
        }
    }
}

fn draw_legend(canvas: &Canvas<'_>, (x, top): (f64, f64)) -> Result<(), ReportError> {
    let mut y = top + 6.0;
    for (role, name, _) in ROLES {
        mark(canvas, (x + 8.0, y), 6.0, role)?;
        canvas.text((x + 22.0, y), name, 12.0, INK, Anchor::Start)?;
        y += 19.0;
    }
    y += 10.0;
    canvas.text((x, y), "Link busy for", 12.0, FAINT, Anchor::Start)?;
    let limited = SHARES.iter().skip(1).map(|(_, name, color)| (*name, *color));
    for (name, color) in limited.chain([("no rate limit", UNLIMITED), ("unused", RGBColor(205, 205, 205))]) {
        y += 19.0;
        let key = Key { name: name.to_owned(), style: Style { color, dash: &[] }, shape: KeyShape::Line };
        canvas.line([(x, y), (x + 16.0, y)], key.style.color, if name == "unused" { 0.8 } else { 4.0 })?;
        canvas.text((x + 22.0, y), &key.name, 12.0, INK, Anchor::Start)?;
    }
    Ok(())
}
