//! Bytes waiting in feeders.

use super::{Figure, Material, line, split_rest};
use crate::chart::{Axis, Frame, Style, lines, y_axis};
use crate::curves::{Curves, ids};
use crate::error::ReportError;
use crate::format::{bytes, number};
use bellini_scenarios::record::Scope;

/// Makes the figure; none when no feeder ever held anything.
pub(super) fn figure(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let runs = material.runs;
    let mut ranked: Vec<_> = ids(runs, Scope::Feeder, "queued_bytes")
        .into_iter()
        .map(|id| (Curves::of(runs, Scope::Feeder, &id, "queued_bytes"), id))
        .filter(|(curves, _)| curves.peak() > 0.0)
        .collect();
    if ranked.is_empty() {
        return Ok(None);
    }
    ranked.sort_by(|a, b| b.0.peak().total_cmp(&a.0.peak()));
    let top = &ranked[0];
    let when = top.0.mean.iter().find(|point| point.1 >= top.0.peak()).map_or(0.0, |point| point.0);
    let title = format!(
        "Feeders held up to {} at once: {} at {} s",
        bytes(top.0.peak()),
        material.pair(&top.1),
        number(when)
    );
    let (named, rest) = split_rest(ranked);
    let mut drawn: Vec<_> = named
        .into_iter()
        .enumerate()
        .map(|(index, (mut curves, id))| {
            kib(&mut curves);
            line(material.pair(&id), Style::nth(index), curves)
        })
        .collect();
    if !rest.is_empty() {
        let ids: Vec<_> = rest.into_iter().map(|(_, id)| id).collect();
        let mut curves = Curves::sum(runs, Scope::Feeder, &ids, "queued_bytes");
        kib(&mut curves);
        drawn.push(line(format!("{} others together", ids.len()), Style::others(), curves));
    }
    let caption = format!(
        "Bytes that waited at each sampling time in the feeder of one node for its next hop, all conferences together. \
         A feeder that is full drops packets.{}",
        material.bands()
    );
    let frame = Frame {
        title: &title,
        description: &caption,
        x: Axis::new("Scenario time", "s", material.span()),
        y: y_axis("Waiting in feeder", "KiB", &drawn),
        marks: &material.marks,
    };
    let svg = lines(&frame, &drawn)?;
    Ok(Some(Figure { name: "feeders", heading: "Feeder occupancy", title, caption, svg }))
}

/// Turns bytes into KiB.
fn kib(curves: &mut Curves) {
    curves.mean.iter_mut().for_each(|point| point.1 /= 1024.0);
    for (_, low, high) in curves.interval.iter_mut().chain(&mut curves.range) {
        *low /= 1024.0;
        *high /= 1024.0;
    }
}
