//! Spans of scenario time in which the same sessions send and the same others' traffic flows.

use crate::model::Scenario;
use bellini_core::time::Duration;

/// Most spans that are looked at one by one.
const SLICES_MAX: usize = 64;

/// A span of scenario time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slice {
    /// Its length in seconds.
    pub(super) seconds: f64,
    /// Which sessions send, in order of sessions.
    pub(super) active: Vec<bool>,
    /// Wire rate of others' traffic on each link, by index.
    pub(super) others_bps: Vec<f64>,
    /// Whether it stands for no time: it counts for sessions that send in no other span.
    pub(super) is_fallback: bool,
}

/// Cuts the measuring window where a session or others' traffic starts or stops. With more than [`SLICES_MAX`] cuts
/// there is one span in which everybody sends and others' traffic is at its mean; so there is for sessions that do not
/// send in the window.
pub(super) fn slices(scenario: &Scenario) -> Vec<Slice> {
    let (from, to) = (scenario.measure.from, scenario.measure.to);
    let inside = |at: Duration| at > from && at < to;
    let sessions: Vec<_> = scenario
        .conferences
        .iter()
        .flat_map(|conference| {
            let end = conference.end.unwrap_or(scenario.duration);
            conference.sessions.iter().map(move |it| (it.start.max(conference.start), it.stop.min(end)))
        })
        .collect();
    let cross: Vec<_> = scenario.cross_traffic.iter().map(|it| (it.start, it.stop)).collect();
    let mut cuts: Vec<Duration> = sessions
        .iter()
        .chain(&cross)
        .flat_map(|(start, stop)| [*start, *stop])
        .filter(|at| inside(*at))
        .collect();
    cuts.extend([from, to]);
    cuts.sort_unstable();
    cuts.dedup();
    let others = |from: Duration, to: Duration| {
        let mut bps = vec![0.0; scenario.links.len()];
        for cross in &scenario.cross_traffic {
            let Some(load) = cross.pattern.load() else { continue };
            let overlap = cross.stop.min(to).saturating_sub(cross.start.max(from)).as_secs_f64();
            let span = to.saturating_sub(from).as_secs_f64();
            bps[cross.link] += load.rate.as_bps() as f64 * overlap / span.max(1e-9);
        }
        bps
    };
    let whole = Slice {
        seconds: to.saturating_sub(from).as_secs_f64(),
        active: vec![true; sessions.len()],
        others_bps: others(from, to),
        is_fallback: false,
    };
    if cuts.len() > SLICES_MAX || to <= from {
        return vec![whole];
    }
    let mut slices: Vec<Slice> = cuts
        .windows(2)
        .map(|pair| Slice {
            seconds: pair[1].saturating_sub(pair[0]).as_secs_f64(),
            active: sessions.iter().map(|(start, stop)| *start <= pair[0] && *stop >= pair[1]).collect(),
            others_bps: others(pair[0], pair[1]),
            is_fallback: false,
        })
        .collect();
    let never = (0..sessions.len()).any(|index| !slices.iter().any(|slice| slice.active[index]));
    if never {
        slices.push(Slice { is_fallback: true, ..whole });
    }
    slices
}
