//! Sessions and their destinations: rates, delays, losses, what came in time.

use super::{Draft, PAIRED, Spread, absent, around_one, blank, gather, ratio, samples, values};
use crate::compare::line::{Kind, Line, Measure, Verdict};
use crate::compare::sample::{Effect, Sample};
use crate::compare::tolerance::Tolerances;
use bellini_scenarios::record::{DelayMs, DestinationSummary, Run, SessionSummary, Summary};

/// Fewest loss runs of a side, over all its runs, whose mean length is judged.
const LOSS_RUNS_MIN: u64 = 30;
/// Relative spread of a figure over seeds from which on it counts as drawn at random.
const DRAWN: f64 = 1e-3;

/// What one run says of a destination.
type Figures<'a> = (&'a SessionSummary, &'a DestinationSummary);
type Sides<'a> = [Vec<(u64, Figures<'a>)>; 2];

/// Adds the lines of what sessions offered.
pub(super) fn sessions(
    drafts: &mut Vec<Draft>,
    names: &Summary,
    sides: [&[Run]; 2],
    tolerances: &Tolerances,
) {
    let both = gather(sides, |summary| {
        summary.sessions.iter().map(|session| ((session.conference, session.session), session))
    });
    for (_, both) in both {
        let Some((_, first)) = both[0].first().or(both[1].first()) else { continue };
        let (id, name) = (first.id(), session_name(names, first));
        if let Some(line) = absent(&both, &id, &name, "session") {
            drafts.push(Draft::Done(line));
            continue;
        }
        let offered = |session: &&SessionSummary| session.offered_mbps;
        let mut line = blank(Kind::Offered, &id, &name, "offered_mbps", "Mbit/s", Measure::Ratio);
        let (a, b) = (values(&both[0], offered), values(&both[1], offered));
        match samples(&mut line, &a, &b) {
            Ok((a, b)) => {
                let pairs = if is_drawn(&a, &b) { paired(&both, offered, log_ratio) } else { None };
                drafts.push(ratio(line, (&a, &b), pairs, around_one(tolerances.offered), Draft::Differs));
            }
            Err(true) => drafts.push(Draft::Done(line)),
            Err(false) => {}
        }
    }
}

/// Adds the lines of destinations.
pub(super) fn destinations(
    drafts: &mut Vec<Draft>,
    names: &Summary,
    sides: [&[Run]; 2],
    tolerances: &Tolerances,
) {
    let both = gather(sides, |summary| {
        summary.sessions.iter().flat_map(|session| {
            let key = move |d: &DestinationSummary| (session.conference, session.session, d.node);
            session.destinations.iter().map(move |d| (key(d), (session, d)))
        })
    });
    for (_, both) in both {
        let Some((_, (session, d))) = both[0].first().or(both[1].first()) else { continue };
        let thing = Thing {
            id: format!("{}@{}", session.id(), d.node),
            name: format!("{} \u{2192} {}", session_name(names, session), names.node_name(d.node)),
        };
        // Where the session itself is missing, its line has said so.
        let is_missing = |side: usize| {
            both[side].is_empty()
                && !sides[side].iter().any(|run| run.summary.sessions.iter().any(|s| s.id() == session.id()))
        };
        if is_missing(0) || is_missing(1) {
            continue;
        }
        if let Some(line) = absent(&both, &thing.id, &thing.name, "destination") {
            drafts.push(Draft::Done(line));
            continue;
        }
        goodput(drafts, &thing, &both, tolerances);
        delays(drafts, &thing, &both, tolerances);
        loss(drafts, &thing, &both, tolerances);
        loss_runs(drafts, &thing, &both, tolerances);
        on_time(drafts, &thing, &both, tolerances);
        complete(drafts, &thing, &both, tolerances);
    }
}

/// Id and name of what lines are about.
struct Thing {
    id: String,
    name: String,
}

impl Thing {
    fn line(&self, kind: Kind, metric: &str, unit: &'static str, measure: Measure) -> Line {
        blank(kind, &self.id, &self.name, metric, unit, measure)
    }
}

fn goodput(drafts: &mut Vec<Draft>, thing: &Thing, both: &Sides<'_>, tolerances: &Tolerances) {
    let of = |(_, d): &Figures<'_>| d.goodput_mbps;
    let mut line = thing.line(Kind::Goodput, "goodput_mbps", "Mbit/s", Measure::Ratio);
    match samples(&mut line, &values(&both[0], of), &values(&both[1], of)) {
        Ok((a, b)) => {
            let pairs = if is_drawn(&a, &b) { paired(both, of, log_ratio) } else { None };
            drafts.push(ratio(line, (&a, &b), pairs, around_one(tolerances.goodput), Draft::Agrees));
        }
        Err(true) => drafts.push(Draft::Done(line)),
        Err(false) => {}
    }
}

/// Queueing delay: delay less A's base delay, on both sides, so that a longer way shows, too.
fn delays(drafts: &mut Vec<Draft>, thing: &Thing, both: &Sides<'_>, tolerances: &Tolerances) {
    type Quantile = fn(&DelayMs) -> f64;
    let base = Sample::of(&values(&both[0], |(_, d)| d.base_delay_ms)).map_or(0.0, |base| base.mean);
    let quantiles: [(&str, Quantile, bool); 4] = [
        ("queueing delay, least", |delay| delay.min, true),
        ("queueing delay, p50", |delay| delay.p50, true),
        ("queueing delay, p95", |delay| delay.p95, true),
        ("queueing delay, p99", |delay| delay.p99, false),
    ];
    for (metric, of, is_required) in quantiles {
        let of = |(_, d): &Figures<'_>| d.delay_ms.as_ref().map(|delay| of(delay) - base);
        let mut line = thing.line(Kind::Delay, metric, "ms", Measure::Difference);
        match samples(&mut line, &values(&both[0], of), &values(&both[1], of)) {
            Ok((a, b)) => {
                let most = (tolerances.delay * a.mean).max(tolerances.delay_ms);
                let pairs = if is_drawn(&a, &b) { paired(both, of, difference) } else { None };
                if pairs.is_some() {
                    line.why = PAIRED.to_owned();
                }
                let effect = pairs.unwrap_or_else(|| Effect::difference(&a, &b));
                if is_required {
                    drafts.push(Draft::Differs(line, effect, [-most, most]));
                } else {
                    line.value = Some(effect.value);
                    let level = 1.0 - tolerances.confidence;
                    line.interval = effect.half(level).map(|half| [effect.value - half, effect.value + half]);
                    drafts.push(Draft::Done(line));
                }
            }
            // Where nothing came on one side, goodput and the median have said so.
            Err(true) if metric.ends_with("p50") => drafts.push(Draft::Done(line)),
            Err(_) => {}
        }
    }
}

fn loss(drafts: &mut Vec<Draft>, thing: &Thing, both: &Sides<'_>, tolerances: &Tolerances) {
    let of =
        |(_, d): &Figures<'_>| (d.sent_packets > 0).then(|| d.lost_packets as f64 / d.sent_packets as f64);
    let mut line = thing.line(Kind::Loss, "lost share", "", Measure::Difference);
    match samples(&mut line, &values(&both[0], of), &values(&both[1], of)) {
        Ok((a, b)) => {
            let spread = match both[0].as_slice() {
                [(_, (_, only))] if a.n == 1 => {
                    line.why =
                        "one run of A: its range is that of losses in independent runs of its own lengths"
                            .to_owned();
                    Spread::Known(deviation(only))
                }
                _ => Spread::Runs,
            };
            drafts.push(Draft::Outside(line, a, b, spread, tolerances.loss));
        }
        Err(true) => drafts.push(Draft::Done(line)),
        Err(false) => {}
    }
}

/// Standard deviation of the share of lost symbols, as one run tells it: a binomial count whose variance is multiplied by
/// E[L^2] / E[L] for losses in runs of length L (a compound Poisson process).
fn deviation(d: &DestinationSummary) -> f64 {
    if d.sent_packets == 0 {
        return 0.0;
    }
    let (n, share) = (d.sent_packets as f64, d.lost_packets as f64 / d.sent_packets as f64);
    let lengths = d.loss_runs.as_ref().map(|runs| runs.lengths.as_slice()).unwrap_or_default();
    let sum =
        |power: i32| lengths.iter().map(|[l, count]| (*l as f64).powi(power) * *count as f64).sum::<f64>();
    let clumped = if lengths.is_empty() { 1.0 } else { sum(2) / sum(1) };
    (share * (1.0 - share) / n * clumped).sqrt()
}

fn loss_runs(drafts: &mut Vec<Draft>, thing: &Thing, both: &Sides<'_>, tolerances: &Tolerances) {
    let of = |(_, d): &Figures<'_>| d.loss_runs.as_ref().and_then(|runs| runs.mean);
    let mut line = thing.line(Kind::LossRuns, "mean loss run", "symbols", Measure::Ratio);
    let Ok((a, b)) = samples(&mut line, &values(&both[0], of), &values(&both[1], of)) else {
        // Losses on one side only are for the line of losses to judge.
        return;
    };
    let count = |side: usize| -> u64 {
        both[side].iter().filter_map(|(_, (_, d))| d.loss_runs.as_ref()).map(|runs| runs.count).sum()
    };
    let allowed = [1.0 / (1.0 + tolerances.loss_runs), 1.0 + tolerances.loss_runs];
    if count(0).min(count(1)) < LOSS_RUNS_MIN {
        line.value = (a.mean > 0.0).then(|| b.mean / a.mean);
        line.why = format!("fewer than {LOSS_RUNS_MIN} loss runs on a side: not judged");
        drafts.push(Draft::Done(line));
    } else {
        drafts.push(ratio(line, (&a, &b), None, allowed, Draft::Differs));
    }
}

fn on_time(drafts: &mut Vec<Draft>, thing: &Thing, both: &Sides<'_>, tolerances: &Tolerances) {
    type Counts = fn(&DestinationSummary) -> (Option<u64>, Option<u64>);
    let counts: [(&str, Counts); 3] = [
        ("frames on time", |d| (d.frames_on_time, d.frames_sent)),
        ("messages on time", |d| (d.messages_on_time, d.messages_sent)),
        ("messages complete", |d| (d.messages_complete, d.messages_sent)),
    ];
    for (metric, counts) in counts {
        let of = |(_, d): &Figures<'_>| match counts(d) {
            (Some(part), Some(whole)) if whole > 0 => Some(part as f64 / whole as f64),
            _ => None,
        };
        let mut line = thing.line(Kind::OnTime, metric, "", Measure::Difference);
        match samples(&mut line, &values(&both[0], of), &values(&both[1], of)) {
            Ok((a, b)) => {
                let most = tolerances.on_time;
                drafts.push(Draft::Differs(line, Effect::difference(&a, &b), [-most, most]));
            }
            Err(true) => drafts.push(Draft::Done(line)),
            Err(false) => {}
        }
    }
}

fn complete(drafts: &mut Vec<Draft>, thing: &Thing, both: &Sides<'_>, tolerances: &Tolerances) {
    let done = |(_, d): &Figures<'_>| d.complete.map(|done| f64::from(u8::from(done)));
    let mut line = thing.line(Kind::Complete, "complete files", "", Measure::Difference);
    let Ok((a, b)) = samples(&mut line, &values(&both[0], done), &values(&both[1], done)) else { return };
    // A file that comes always on one side must always come on the other.
    let certain = a.variance == 0.0 && b.variance == 0.0;
    line.value = Some(b.mean - a.mean);
    if certain {
        line.allowed = Some([0.0, 0.0]);
        line.verdict = if a.mean == b.mean { Verdict::Holds } else { Verdict::Exceeded };
        drafts.push(Draft::Done(line));
    } else {
        drafts.push(Draft::Differs(line, Effect::difference(&a, &b), [0.0, 0.0]));
    }
    let seconds = |(_, d): &Figures<'_>| d.complete_s;
    let mut line = thing.line(Kind::Complete, "complete_s", "s", Measure::Ratio);
    if let Ok((a, b)) = samples(&mut line, &values(&both[0], seconds), &values(&both[1], seconds)) {
        drafts.push(ratio(line, (&a, &b), None, around_one(tolerances.complete), Draft::Differs));
    }
}

/// Whether a figure differs between seeds, so that runs of one seed have more in common than others.
fn is_drawn(a: &Sample, b: &Sample) -> bool {
    [a, b].iter().any(|side| side.variance.sqrt() > DRAWN * side.mean.abs())
}

fn log_ratio(a: f64, b: f64) -> Option<f64> {
    (a > 0.0 && b > 0.0).then(|| libm::log(b / a))
}

fn difference(a: f64, b: f64) -> Option<f64> {
    Some(b - a)
}

/// Returns the mean of what `apart` makes of runs of the same seeds: what the seed draws for both (content, losses,
/// flows) then cancels. `None` unless every run of the smaller side has a partner. Source: A. M. Law, Simulation
/// Modeling and Analysis (5th ed., 2015), 11.2, common random numbers.
fn paired<T>(
    both: &[Vec<(u64, T)>; 2],
    of: impl Fn(&T) -> Option<f64>,
    apart: fn(f64, f64) -> Option<f64>,
) -> Option<Effect> {
    let smaller = both[0].len().min(both[1].len());
    let pairs: Vec<f64> = both[0]
        .iter()
        .filter_map(|(seed, a)| {
            let (_, b) = both[1].iter().find(|(other, _)| other == seed)?;
            apart(of(a)?, of(b)?)
        })
        .collect();
    if pairs.len() < smaller.max(2) { None } else { Effect::paired(&pairs) }
}

fn session_name(names: &Summary, session: &SessionSummary) -> String {
    let named = names.sessions.iter().find(|other| other.id() == session.id()).unwrap_or(session);
    let id = named.id();
    if named.name.is_empty() || named.name == id { id } else { format!("{id} {}", named.name) }
}
