//! Rate of delivered payload in time.

use super::{Figure, Material, line, split_rest};
use crate::chart::{Axis, Frame, Style, lines, y_axis};
use crate::curves::Curves;
use crate::error::ReportError;
use crate::format::{number, percent, plural};
use bellini_scenarios::record::{DestinationSummary, Scope, SessionSummary};

/// Sessions whose offered rate is drawn, too: more would hide what was delivered.
const OFFERED_MAX: usize = 3;

/// Makes the figure.
pub(super) fn figure(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let runs = material.runs;
    // Those that lost the largest share come first: they are what a reader looks for among a thousand.
    let mut ranked: Vec<_> = material.destinations().collect();
    ranked.sort_by(|(_, a), (_, b)| {
        let kept = |d: &DestinationSummary| {
            if d.sent_packets == 0 { 1.0 } else { d.delivered_packets as f64 / d.sent_packets as f64 }
        };
        kept(a).total_cmp(&kept(b))
    });
    if ranked.is_empty() {
        return Ok(None);
    }
    let (mut named, rest) = split_rest(ranked);
    named.sort_by_key(|(session, d)| (session.conference, session.session, d.node));
    let mut drawn = Vec::new();
    for (index, (session, d)) in named.iter().enumerate() {
        let id = format!("{}@{}", session.id(), d.node);
        let curves = Curves::of(runs, Scope::Destination, &id, "goodput_mbps");
        drawn.push(line(material.destination(session, d.node), Style::nth(index), curves));
    }
    if !rest.is_empty() {
        let ids: Vec<_> = rest.iter().map(|(session, d)| format!("{}@{}", session.id(), d.node)).collect();
        let mut curves = Curves::sum(runs, Scope::Destination, &ids, "goodput_mbps");
        scale(&mut curves, 1.0 / ids.len() as f64);
        drawn.push(line(format!("mean of {} others", ids.len()), Style::others(), curves));
    }
    if material.first.sessions.len() <= OFFERED_MAX {
        for session in &material.first.sessions {
            let curves = Curves::of(runs, Scope::Session, &session.id(), "offered_mbps");
            // The colour of the session's first destination, dotted.
            let same = |(other, _): &(&SessionSummary, _)| other.id() == session.id();
            let color = Style::nth(named.iter().position(same).unwrap_or(0)).color;
            let style = Style { dash: &[2.0, 2.0], color };
            let mut offered = line(format!("{} offered", session.id()), style, curves);
            // The bands of what was offered would hide those of what came.
            (offered.interval, offered.range) = (Vec::new(), Vec::new());
            drawn.push(offered);
        }
    }
    let title = title(material);
    let caption = format!(
        "Payload that each destination received per second, every symbol counted once and headers left out.{}{} Red \
         lines are faults.",
        if rest.is_empty() {
            String::new()
        } else {
            format!(" Shown by name are the {} destinations that lost the largest share.", named.len())
        },
        material.bands()
    );
    let frame = Frame {
        title: &title,
        description: &caption,
        x: Axis::new("Scenario time", "s", material.span()),
        y: y_axis("Goodput", "Mbit/s", &drawn),
        marks: &material.marks,
    };
    let svg = lines(&frame, &drawn)?;
    Ok(Some(Figure { name: "throughput", heading: "Throughput in time", title, caption, svg }))
}

fn title(material: &Material<'_>) -> String {
    let (mut sent, mut delivered, mut worst) = (0, 0, None::<(f64, String)>);
    for (session, d) in material.destinations() {
        sent += d.sent_packets;
        delivered += d.delivered_packets;
        let share =
            if d.sent_packets == 0 { 1.0 } else { d.delivered_packets as f64 / d.sent_packets as f64 };
        if worst.as_ref().is_none_or(|(least, _)| share < *least) {
            worst = Some((share, material.destination(session, d.node)));
        }
    }
    let rate: f64 = material.first.sessions.iter().filter_map(|session| session.offered_mbps).sum();
    let what =
        format!("{} offered {} Mbit/s", plural(material.first.sessions.len(), "session"), number(rate));
    match worst {
        _ if sent == 0 => format!("{what}; nothing was sent in the measuring window"),
        Some((share, name)) if share < 1.0 && material.destinations().count() > 1 => format!(
            "{what}; destinations received {} of it, the worst ({name}) {}",
            percent(delivered, sent),
            percent((share * 1e6) as u64, 1_000_000)
        ),
        _ => format!("{what}; {} of it was delivered", percent(delivered, sent)),
    }
}

/// Multiplies a curve and its bands.
fn scale(curves: &mut Curves, factor: f64) {
    curves.mean.iter_mut().for_each(|point| point.1 *= factor);
    for (_, low, high) in curves.interval.iter_mut().chain(&mut curves.range) {
        *low *= factor;
        *high *= factor;
    }
}
