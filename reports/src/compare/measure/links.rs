//! Flows and links: which way packets went.

use super::{Draft, Spread, absent, blank, gather, samples, values};
use crate::compare::line::{Kind, Measure};
use crate::compare::sample::Effect;
use crate::compare::tolerance::Tolerances;
use bellini_scenarios::record::{LinkSummary, Run, SessionSummary, Summary};
use std::collections::BTreeSet;

/// Adds the lines of the shares of flows.
pub(super) fn flows(drafts: &mut Vec<Draft>, names: &Summary, sides: [&[Run]; 2], tolerances: &Tolerances) {
    let both = gather(sides, |summary| {
        summary.sessions.iter().map(|session| ((session.conference, session.session), session))
    });
    for (_, both) in both {
        let routes: BTreeSet<&str> = both
            .iter()
            .flatten()
            .flat_map(|(_, session)| session.flows.iter().map(|flow| flow.route.as_str()))
            .collect();
        // The only flow has every packet.
        if routes.len() < 2 {
            continue;
        }
        for route in routes {
            let drawn = |side: usize| -> (u64, u64) {
                both[side].iter().fold((0, 0), |(part, whole), (_, session)| {
                    let (own, all) = packets(session, route);
                    (part + own, whole + all)
                })
            };
            let share = |session: &&SessionSummary| {
                let (own, all) = packets(session, route);
                (all > 0).then(|| own as f64 / all as f64)
            };
            let id = both.iter().flatten().next().map(|(_, session)| session.id()).unwrap_or_default();
            let name = format!("{id} by {}", named(names, route));
            let id = format!("{id}#{route}");
            let mut line = blank(Kind::Shares, &id, &name, "share of packets", "", Measure::Difference);
            let (a, b) = (values(&both[0], share), values(&both[1], share));
            let Ok((a, b)) = samples(&mut line, &a, &b) else { continue };
            let ((own_a, all_a), (own_b, all_b)) = (drawn(0), drawn(1));
            let (part_a, part_b) = (own_a as f64 / all_a as f64, own_b as f64 / all_b as f64);
            (line.a, line.b) = (Some(part_a), Some(part_b));
            let common = (own_a + own_b) as f64 / (all_a + all_b) as f64;
            let error = (common * (1.0 - common) * (1.0 / all_a as f64 + 1.0 / all_b as f64)).sqrt();
            let binomial = Effect { value: part_b - part_a, spread: Some((error, f64::INFINITY)) };
            let effect = wider(binomial, Effect::difference(&a, &b));
            drafts.push(Draft::Differs(line, effect, [-tolerances.shares, tolerances.shares]));
        }
    }
}

/// Returns the binomial effect, with the spread of the runs where that is larger: policies that react make shares
/// differ by more than the draw of each packet.
fn wider(binomial: Effect, runs: Effect) -> Effect {
    match (binomial.spread, runs.spread) {
        (Some((drawn, _)), Some((seen, freedom))) if seen > drawn => {
            Effect { value: binomial.value, spread: Some((seen, freedom)) }
        }
        _ => binomial,
    }
}

/// Returns the packets of a session on a route, and on all of its routes.
fn packets(session: &SessionSummary, route: &str) -> (u64, u64) {
    let own = session.flows.iter().filter(|flow| flow.route == route).map(|flow| flow.packets).sum();
    (own, session.flows.iter().map(|flow| flow.packets).sum())
}

/// Writes a route's numbers as names.
fn named(names: &Summary, route: &str) -> String {
    let mut text = String::new();
    let mut digits = String::new();
    for c in route.chars().chain(['\n']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            text.push_str(&digits.parse().map_or_else(|_| digits.clone(), |id| names.node_name(id)));
            digits.clear();
        }
        if c != '\n' {
            text.push(c);
        }
    }
    text
}

/// Adds the lines of packets sent on links.
pub(super) fn links(drafts: &mut Vec<Draft>, names: &Summary, sides: [&[Run]; 2], tolerances: &Tolerances) {
    let both = gather(sides, |summary| summary.links.iter().map(|link| ((link.from, link.to), link)));
    for ((from, to), both) in both {
        let id = format!("{from}>{to}");
        let name = format!("{} \u{2192} {}", names.node_name(from), names.node_name(to));
        if let Some(line) = absent(&both, &id, &name, "link") {
            drafts.push(Draft::Done(line));
            continue;
        }
        let sent = |link: &&LinkSummary| Some(link.sent_packets as f64);
        let mut line = blank(Kind::LinkPackets, &id, &name, "sent_packets", "packets", Measure::Difference);
        let Ok((a, b)) = samples(&mut line, &values(&both[0], sent), &values(&both[1], sent)) else {
            continue;
        };
        if a.mean == 0.0 && b.mean == 0.0 {
            continue;
        }
        let spread = if a.n == 1 {
            line.why = "one run of A: its range is that of a count of independent packets".to_owned();
            Spread::Known(a.mean.sqrt())
        } else {
            Spread::Runs
        };
        let floor = (tolerances.link_packets * a.mean).max(tolerances.link_packets_count);
        drafts.push(Draft::Outside(line, a, b, spread, floor));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::sample::Sample;

    /// Aim: the wider of two uncertainties counts, the value stays.
    #[test]
    fn the_wider_uncertainty_counts() {
        let binomial = Effect { value: 0.01, spread: Some((0.002, f64::INFINITY)) };
        let runs = |error| Effect { value: 0.02, spread: Some((error, 7.0)) };
        assert_eq!(wider(binomial, runs(0.001)), binomial);
        assert_eq!(wider(binomial, runs(0.003)), Effect { value: 0.01, spread: Some((0.003, 7.0)) });
        let one = Sample::of(&[0.5]).expect("a value");
        assert_eq!(wider(binomial, Effect::difference(&one, &one)), binomial);
    }
}
