//! Levels of adaptive sources.

use super::{Figure, Material, line, split_rest};
use crate::chart::{Axis, Frame, Style, lines, y_axis};
use crate::curves::{Curves, ids};
use crate::error::ReportError;
use crate::format::{number, plural};
use bellini_scenarios::record::Scope;

/// Makes the figure; none without adaptive content.
pub(super) fn figure(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let runs = material.runs;
    let found = ids(runs, Scope::Session, "level_mbps");
    if found.is_empty() {
        return Ok(None);
    }
    let all = found.len();
    let mut curves: Vec<_> =
        found.into_iter().map(|id| (Curves::of(runs, Scope::Session, &id, "level_mbps"), id)).collect();
    let mean = curves.iter().map(|(level, _)| level.average()).sum::<f64>() / all as f64;
    // Those that change most come first.
    let changes = |curves: &Curves| curves.mean.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    curves.sort_by_key(|(level, _)| core::cmp::Reverse(changes(level)));
    let (named, rest) = split_rest(curves);
    let drawn: Vec<_> = named
        .into_iter()
        .enumerate()
        .map(|(index, (level, id))| {
            let mut level = line(format!("session {id}"), Style::nth(index), level);
            // With several seeds the mean is no level: it is drawn from point to point.
            level.steps = runs.len() == 1;
            level
        })
        .collect();
    let title = format!(
        "{} followed the network, at {} Mbit/s on average",
        plural(all, "adaptive source"),
        number(mean)
    );
    let caption = format!(
        "Rate of the level of its ladder that each adaptive source was at. It goes down after overflow notices and \
         where its first hops do not keep up, and up after a quiet time into what they grant.{}{}",
        if rest.is_empty() {
            String::new()
        } else {
            format!(" {} others, which changed their level less often, are left out.", rest.len())
        },
        material.bands()
    );
    let frame = Frame {
        title: &title,
        description: &caption,
        x: Axis::new("Scenario time", "s", material.span()),
        y: y_axis("Rate of the level", "Mbit/s", &drawn),
        marks: &material.marks,
    };
    let svg = lines(&frame, &drawn)?;
    Ok(Some(Figure { name: "levels", heading: "Levels of adaptive sources", title, caption, svg }))
}
