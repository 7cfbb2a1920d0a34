//! What congestion control allows hops, and what they use of it.

use super::{Figure, Material, line, split_rest};
use crate::chart::{Axis, Frame, Style, lines, y_axis};
use crate::curves::{Curves, ids};
use crate::error::ReportError;
use crate::format::{number, plural};
use bellini_scenarios::record::Scope;

/// Hops that are drawn by name: each has two lines.
const HOPS_MAX: usize = 4;

/// Makes the figure; none without hops that follow the network.
pub(super) fn figure(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let runs = material.runs;
    let mut ranked: Vec<_> = ids(runs, Scope::Hop, "hop_sent_mbps")
        .into_iter()
        .map(|id| (Curves::of(runs, Scope::Hop, &id, "hop_sent_mbps"), id))
        .filter(|(used, _)| used.peak() > 0.0)
        .collect();
    if ranked.is_empty() {
        return Ok(None);
    }
    let all = ranked.len();
    ranked.sort_by(|a, b| b.0.average().total_cmp(&a.0.average()));
    let (top, top_id) = &ranked[0];
    let title = format!(
        "{} {} the rate that the network allows: {} used {} Mbit/s on average",
        plural(all, "hop"),
        if all == 1 { "follows" } else { "follow" },
        material.pair(top_id),
        number(top.average())
    );
    ranked.truncate(HOPS_MAX);
    let (named, _) = split_rest(ranked);
    let mut drawn = Vec::new();
    let mut greatest: f64 = 0.0;
    for (index, (used, id)) in named.into_iter().enumerate() {
        let Style { color, .. } = Style::nth(index);
        greatest = greatest.max(used.peak());
        drawn.push(line(format!("{} used", material.pair(&id)), Style { color, dash: &[] }, used));
        let allowed = Curves::of(runs, Scope::Hop, &id, "hop_allowed_mbps");
        let mut allowed =
            line(format!("{} allowed", material.pair(&id)), Style { color, dash: &[2.0, 2.0] }, allowed);
        // The bands of what was allowed would hide those of what was used.
        (allowed.interval, allowed.range) = (Vec::new(), Vec::new());
        drawn.push(allowed);
    }
    // A hop that is hardly used may be allowed many times as much: what is used must stay visible.
    for point in drawn.iter_mut().flat_map(|line| &mut line.points) {
        point.1 = point.1.min(greatest * 4.0);
    }
    let caption = format!(
        "Rate of frames that each hop's congestion control allowed (dotted; cut off at four times the greatest use) \
         and that the hop sent.{}{}",
        if all > HOPS_MAX {
            format!(" Shown are the {HOPS_MAX} of {all} hops that sent most.")
        } else {
            String::new()
        },
        material.bands()
    );
    let frame = Frame {
        title: &title,
        description: &caption,
        x: Axis::new("Scenario time", "s", material.span()),
        y: y_axis("Rate", "Mbit/s", &drawn),
        marks: &material.marks,
    };
    let svg = lines(&frame, &drawn)?;
    Ok(Some(Figure { name: "hops", heading: "Allowed and used rates of hops", title, caption, svg }))
}
