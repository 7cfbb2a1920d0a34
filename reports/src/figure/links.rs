//! Use of links in time.

use super::{Figure, Material, NAMED_MAX, line};
use crate::chart::{Axis, Frame, Row, Style, heat, lines, y_axis};
use crate::curves::{Curves, ids};
use crate::error::ReportError;
use crate::format::{number, plural};
use bellini_scenarios::record::Scope;

/// Up to so many links are lines; more are strips of colour.
const LINES_MAX: usize = 6;
/// Most strips.
const STRIPS_MAX: usize = 32;

/// Makes the figure; without any limited link it shows rates.
pub(super) fn figure(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let limited = ids(material.runs, Scope::Link, "utilisation");
    let (metric, name, unit) = if limited.is_empty() {
        ("throughput_mbps", "Throughput", "Mbit/s")
    } else {
        ("utilisation", "Utilisation", "")
    };
    let mut links: Vec<_> = ids(material.runs, Scope::Link, metric)
        .into_iter()
        .map(|id| (Curves::of(material.runs, Scope::Link, &id, metric), id))
        .filter(|(curves, _)| curves.peak() > 0.0)
        .collect();
    if links.is_empty() {
        return Ok(None);
    }
    links.sort_by(|a, b| b.0.average().total_cmp(&a.0.average()));
    let used = links.len();
    let busiest = material.pair(&links[0].1);
    let most = links[0].0.average();
    let peak = links[0].0.peak();
    if limited.is_empty() {
        links.truncate(NAMED_MAX);
        let title = format!(
            "Links carried at most {} Mbit/s on average ({busiest}); none has a rate limit",
            number(most)
        );
        let caption = format!(
            "Wire bytes that left each link's sending end, as a rate; {} carried traffic, the busiest are shown.{}",
            plural(used, "link"),
            material.bands()
        );
        return draw_lines(material, links, (name, unit), title, caption);
    }
    let title = format!(
        "The busiest link, {busiest}, was busy {} of the time (at its peak {})",
        share(most),
        share(peak)
    );
    let meaning = "Share of each interval in which the link's serialiser was busy, cross traffic included";
    if used <= LINES_MAX {
        let caption = format!("{meaning}.{}", material.bands());
        return draw_lines(material, links, (name, unit), title, caption);
    }
    links.truncate(STRIPS_MAX);
    let rows: Vec<_> =
        links.into_iter().map(|(curves, id)| Row { name: material.pair(&id), values: curves.mean }).collect();
    let caption = format!(
        "{meaning}: one row a link, the busiest above{}.{}",
        if used > STRIPS_MAX {
            format!("; {STRIPS_MAX} of {used} links with traffic")
        } else {
            String::new()
        },
        if material.runs.len() > 1 { " Means over all seeds." } else { "" }
    );
    let svg = heat((&title, &caption), material.span(), &rows, &material.marks)?;
    Ok(Some(Figure { name: "links", heading: "Link utilisation", title, caption, svg }))
}

fn draw_lines(
    material: &Material<'_>,
    links: Vec<(Curves, String)>,
    (name, unit): (&str, &str),
    title: String,
    caption: String,
) -> Result<Option<Figure>, ReportError> {
    let drawn: Vec<_> = links
        .into_iter()
        .enumerate()
        .map(|(index, (curves, id))| line(material.pair(&id), Style::nth(index), curves))
        .collect();
    let y = if unit.is_empty() { Axis::new(name, unit, (0.0, 1.03)) } else { y_axis(name, unit, &drawn) };
    let x = Axis::new("Scenario time", "s", material.span());
    let frame = Frame { title: &title, description: &caption, x, y, marks: &material.marks };
    let svg = lines(&frame, &drawn)?;
    Ok(Some(Figure { name: "links", heading: "Link utilisation", title, caption, svg }))
}

fn share(value: f64) -> String {
    format!("{} %", number(value * 100.0))
}
