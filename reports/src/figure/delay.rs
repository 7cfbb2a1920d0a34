//! Delay: its distribution at each destination, and its mean in time.

use super::{Figure, Material, line, split_rest};
use crate::chart::{Axis, Frame, Line, Reference, Style, extent, lines, y_axis};
use crate::curves::Curves;
use crate::error::ReportError;
use crate::format::number;
use bellini_scenarios::record::{DelayRow, DestinationSummary, Run, Scope, SessionSummary};
use std::collections::BTreeMap;

/// Delays at which distributions over several runs are compared.
const GRID: usize = 240;

/// The distribution of one destination in one run: (delay in ms, share), rising.
pub(crate) type Distribution = Vec<(f64, f64)>;
/// Distributions by (session, destination), one for each run that has it.
pub(crate) type Distributions = BTreeMap<(String, u32), Vec<Distribution>>;

/// Returns the distributions of all destinations in runs.
pub(crate) fn distributions(runs: &[Run]) -> Distributions {
    let mut all: Distributions = BTreeMap::new();
    for run in runs {
        for ((session, node), points) in by_destination(&run.delays) {
            all.entry((session.to_owned(), node)).or_default().push(points);
        }
    }
    all
}

/// Makes the cumulative distribution of each destination's delay.
pub(super) fn distribution(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let all = distributions(material.runs);
    let mut ranked: Vec<_> = material
        .destinations()
        .filter(|(session, d)| d.delay_ms.is_some() && all.contains_key(&(session.id(), d.node)))
        .collect();
    if ranked.is_empty() {
        return Ok(None);
    }
    ranked.sort_by(|(_, a), (_, b)| p95(b).total_cmp(&p95(a)));
    let (mut named, rest) = split_rest(ranked);
    named.sort_by_key(|(session, d)| (session.conference, session.session, d.node));
    let mut drawn = Vec::new();
    for (index, (session, d)) in named.iter().enumerate() {
        let curves = over_runs(&all[&(session.id(), d.node)]);
        drawn.push(Line {
            steps: true,
            reference: d.base_delay_ms.map(|x| Reference { x }),
            ..line(material.destination(session, d.node), Style::nth(index), curves)
        });
    }
    if !rest.is_empty() {
        let pooled = rest.iter().flat_map(|(session, d)| {
            all[&(session.id(), d.node)].iter().map(|points| (points, d.delivered_packets as f64))
        });
        let points = pool(&pooled.collect::<Vec<_>>());
        let curves = Curves { mean: points, ..Curves::default() };
        drawn.push(Line {
            steps: true,
            ..line(format!("{} others together", rest.len()), Style::others(), curves)
        });
    }
    let title = title(material);
    let caption = format!(
        "Share of the delivered symbols that took at most so long from the source's offer to delivery. Dotted vertical \
         lines: the least delay that the routes allow without any queueing.{}{}",
        if rest.is_empty() {
            ""
        } else {
            " Shown by name are the destinations with the largest 95th percentile."
        },
        material.bands()
    );
    let references = drawn.iter().filter_map(|line| line.reference).map(|reference| reference.x);
    let (from, to) = extent(&drawn);
    let (from, to) = (references.fold(from, f64::min), to);
    let margin = ((to - from) * 0.04).max(0.02 * to).max(0.01);
    let frame = Frame {
        title: &title,
        description: &caption,
        x: Axis::new("Delay", "ms", ((from - margin).max(0.0), to + margin)),
        y: Axis::new("Share of delivered symbols", "", (0.0, 1.0)),
        marks: &[],
    };
    let svg = lines(&frame, &drawn)?;
    Ok(Some(Figure { name: "delay-cdf", heading: "Delay distribution", title, caption, svg }))
}

/// Makes the mean delay in time.
pub(super) fn in_time(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let mut ranked: Vec<_> = material.destinations().filter(|(_, d)| d.delay_ms.is_some()).collect();
    ranked.sort_by(|(_, a), (_, b)| p95(b).total_cmp(&p95(a)));
    let (mut named, rest) = split_rest(ranked);
    named.sort_by_key(|(session, d)| (session.conference, session.session, d.node));
    let mut drawn = Vec::new();
    for (index, (session, d)) in named.iter().enumerate() {
        let id = format!("{}@{}", session.id(), d.node);
        let curves = Curves::of(material.runs, Scope::Destination, &id, "delay_mean_ms");
        drawn.push(line(material.destination(session, d.node), Style::nth(index), curves));
    }
    if drawn.iter().all(|line| line.points.is_empty()) {
        return Ok(None);
    }
    let peak = drawn
        .iter()
        .flat_map(|line| line.points.iter().map(move |point| (point.1, point.0, &line.name)))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let title = match peak {
        Some((delay, t, name)) => {
            format!("Mean delay peaked at {} ms ({name}), at {} s", number(delay), number(t))
        }
        None => "Mean delay in time".to_owned(),
    };
    let caption = format!(
        "Mean delay of the symbols that were delivered in each interval; a gap means that none was.{}{}",
        if rest.is_empty() { "" } else { " Shown are the destinations with the largest 95th percentile." },
        material.bands()
    );
    let frame = Frame {
        title: &title,
        description: &caption,
        x: Axis::new("Scenario time", "s", material.span()),
        y: y_axis("Mean delay", "ms", &drawn),
        marks: &material.marks,
    };
    let svg = lines(&frame, &drawn)?;
    Ok(Some(Figure { name: "delay-time", heading: "Delay in time", title, caption, svg }))
}

fn p95(d: &DestinationSummary) -> f64 {
    d.delay_ms.map_or(0.0, |delay| delay.p95)
}

fn title(material: &Material<'_>) -> String {
    let name = |(session, d): &(&SessionSummary, &DestinationSummary)| material.destination(session, d.node);
    let with: Vec<_> =
        material.destinations().filter_map(|(s, d)| d.delay_ms.map(|delay| ((s, d), delay))).collect();
    let least = with.iter().min_by(|a, b| a.1.p50.total_cmp(&b.1.p50));
    let most = with.iter().max_by(|a, b| a.1.p50.total_cmp(&b.1.p50));
    match (least, most) {
        (Some((who, delay)), Some(_)) if with.len() == 1 => {
            let base = who
                .1
                .base_delay_ms
                .map_or(String::new(), |base| format!("; the route alone takes {} ms", number(base)));
            let (p50, p95) = (number(delay.p50), number(delay.p95));
            format!("Half of the symbols took at most {p50} ms, 95 % at most {p95} ms{base}")
        }
        (Some((near, low)), Some((far, high))) => format!(
            "Median delay is {} ms at the nearest destination ({}) and {} ms at the farthest ({})",
            number(low.p50),
            name(near),
            number(high.p50),
            name(far)
        ),
        _ => "Delay distributions".to_owned(),
    }
}

/// Splits the rows of `delays.csv` into distributions. Points that do not rise are left out, so that a curve never
/// turns back, whatever a file says.
fn by_destination(rows: &[DelayRow]) -> BTreeMap<(&str, u32), Distribution> {
    let mut all: BTreeMap<(&str, u32), Distribution> = BTreeMap::new();
    for row in rows {
        let points = all.entry((&row.session, row.destination)).or_default();
        let rises = points.last().is_none_or(|last| row.delay_ms > last.0 && row.cumulative >= last.1);
        if rises {
            points.push((row.delay_ms, row.cumulative));
        }
    }
    all
}

/// Returns mean and bands of distributions; with one run the distribution itself, starting at zero.
pub(crate) fn over_runs(runs: &[Distribution]) -> Curves {
    if let [one] = runs {
        let start = one.first().map(|point| (point.0, 0.0));
        return Curves { mean: start.into_iter().chain(one.iter().copied()).collect(), ..Curves::default() };
    }
    let grid = grid(runs.iter());
    let sampled: Vec<Distribution> =
        runs.iter().map(|points| grid.iter().map(|x| (*x, share_at(points, *x))).collect()).collect();
    let mut curves = Curves::over(sampled.iter().map(Vec::as_slice));
    for (_, low, high) in curves.interval.iter_mut().chain(&mut curves.range) {
        (*low, *high) = (low.clamp(0.0, 1.0), high.clamp(0.0, 1.0));
    }
    curves
}

/// Returns the distribution of several together, each with its weight.
fn pool(parts: &[(&Distribution, f64)]) -> Distribution {
    let total: f64 = parts.iter().map(|part| part.1).sum();
    let share =
        |x: f64| parts.iter().map(|(points, weight)| share_at(points, x) * weight).sum::<f64>() / total;
    if total <= 0.0 {
        Vec::new()
    } else {
        grid(parts.iter().map(|part| part.0)).into_iter().map(|x| (x, share(x))).collect()
    }
}

/// Returns delays at equal distances over all distributions.
fn grid<'a>(all: impl Iterator<Item = &'a Distribution> + Clone) -> Vec<f64> {
    let from =
        all.clone().filter_map(|points| points.first()).map(|point| point.0).fold(f64::INFINITY, f64::min);
    let to = all.filter_map(|points| points.last()).map(|point| point.0).fold(0.0, f64::max);
    if from > to {
        return Vec::new();
    }
    (0..=GRID).map(|step| from + (to - from) * step as f64 / GRID as f64).collect()
}

/// Returns the share of a distribution that took at most `x`.
fn share_at(points: &[(f64, f64)], x: f64) -> f64 {
    match points.partition_point(|point| point.0 <= x + 1e-9) {
        0 => 0.0,
        n => points[n - 1].1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(delay_ms: f64, cumulative: f64) -> DelayRow {
        DelayRow { session: "1/1".into(), destination: 2, delay_ms, cumulative }
    }

    /// A distribution rises from 0 to 1 whatever the file says, alone, over runs and pooled.
    #[test]
    fn distributions_rise() {
        let rows = [row(10.0, 0.2), row(9.0, 0.3), row(12.0, 0.1), row(12.0, 0.5), row(20.0, 1.0)];
        let one = by_destination(&rows).remove(&("1/1", 2)).expect("it is there");
        assert_eq!(one, [(10.0, 0.2), (12.0, 0.5), (20.0, 1.0)]);
        let other = vec![(15.0, 0.5), (30.0, 1.0)];
        let curves = over_runs(&[one.clone(), other.clone()]);
        let pooled = pool(&[(&one, 3.0), (&other, 1.0)]);
        for points in [&over_runs(std::slice::from_ref(&one)).mean, &curves.mean, &pooled] {
            assert!(
                points.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1),
                "{points:?}"
            );
            assert!((points.last().expect("not empty").1 - 1.0).abs() < 1e-9);
        }
        assert!((pooled.iter().find(|point| point.0 >= 20.0).expect("in range").1 - 0.875).abs() < 1e-9);
    }
}
