//! The gain taken apart: everything on, then one thing off at a time, each simulated.

use super::super::cities::backbone;
use super::super::common::row;
use super::super::{Setting, bins, parallel};
use super::network::{DESTINATION, Hop, Measured, Network, Window, in_a_row, loss_for};
use super::{CAP_MBPS, Pair};
use crate::cli::exit::Failure;
use bellini_reports::Interval;
use bellini_reports::reproduce::{Bars, Ratio, RatioMap, Row};
use serde_json::{Value, json};

/// A rung of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rung {
    /// No relay: the P2P column, which the loss is fitted to.
    Direct,
    /// Relays in several regions, a loop to and from each of them.
    AllOn,
    /// One loop over each relay's whole path.
    NoSplit,
    /// One uplink to the nearest relay, which sends on over the others.
    OneUplink,
    /// As many relays, all of them in the fastest region.
    OneRegion,
    /// One relay, the fastest.
    OneRelay,
    /// Everything, and a source that can send without limit.
    NoLimit,
    /// Everything, and a source that can send half.
    HalfLimit,
}

pub(super) const RUNGS: [Rung; 8] = [
    Rung::Direct,
    Rung::AllOn,
    Rung::NoSplit,
    Rung::OneUplink,
    Rung::OneRegion,
    Rung::OneRelay,
    Rung::NoLimit,
    Rung::HalfLimit,
];

impl Rung {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct (P2P)",
            Self::AllOn => "all on",
            Self::NoSplit => "loops not split",
            Self::OneUplink => "one uplink",
            Self::OneRegion => "one region",
            Self::OneRelay => "one relay",
            Self::NoLimit => "no limit assumed",
            Self::HalfLimit => "limit halved",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::Direct => "fitted: one loop at the paper's delay",
            Self::AllOn => "a relay in each region, a TFRC loop to it and one from it",
            Self::NoSplit => "off: split loops; one loop over each relay's whole path",
            Self::OneUplink => {
                "off: uplink multiplicity; one loop to the nearest relay, which sends on over the others"
            }
            Self::OneRegion => "off: path diversity; as many relays, all in the fastest region",
            Self::OneRelay => "off: multiplicity and diversity; split loops are left",
            Self::NoLimit => "off: the assumed capacity of the source",
            Self::HalfLimit => "the assumed capacity of the source halved",
        }
    }

    /// Returns the network of this rung. Each hop loses in proportion to its round trip what the direct path loses:
    /// the cloud's network is no better.
    pub(super) fn network(self, pair: &Pair) -> Result<Network, Failure> {
        let whole = pair.rtt_ms();
        let loss = loss_for(pair.paper.direct_mbps, whole);
        let hop = |to: u32, rtt_ms: f64| Hop { to, rtt_ms, loss: loss * rtt_ms / whole };
        let relayed = |id: u32, (first, second): (f64, f64)| vec![hop(id, first), hop(DESTINATION, second)];
        let ids = || pair.relays.iter().zip(RELAYS..);
        let (_, fastest) = pair.fastest();
        let ways = match self {
            Self::Direct => vec![vec![hop(DESTINATION, whole)]],
            Self::AllOn | Self::NoLimit | Self::HalfLimit => {
                ids().map(|(relay, id)| relayed(id, pair.hops(relay))).collect()
            }
            // The loop ends at a node that stands beside the destination, so that it has each path to itself.
            Self::NoSplit => ids()
                .map(|(relay, id)| {
                    let (first, second) = pair.hops(relay);
                    let loss = in_a_row([first, second].map(|rtt| hop(id, rtt).loss).into_iter());
                    let beside = Hop { to: DESTINATION, rtt_ms: 0.2, loss: 0.0 };
                    vec![Hop { to: id, rtt_ms: first + second, loss }, beside]
                })
                .collect(),
            Self::OneUplink => {
                let nearest = pair.nearest();
                let mut ways = Vec::new();
                for (relay, id) in ids() {
                    let (first, second) = (pair.hops(nearest).0, pair.hops(relay).1);
                    let mut way = vec![hop(RELAYS - 1, first)];
                    if relay.region != nearest.region {
                        way.push(hop(id, backbone(nearest.region, relay.region)?));
                    }
                    way.push(hop(DESTINATION, second));
                    ways.push(way);
                }
                ways
            }
            Self::OneRegion => ids().map(|(_, id)| relayed(id, pair.hops(fastest))).collect(),
            Self::OneRelay => vec![relayed(RELAYS, pair.hops(fastest))],
        };
        let cap_mbps = match self {
            Self::NoLimit => None,
            Self::HalfLimit => Some(CAP_MBPS / 2.0),
            _ => Some(CAP_MBPS),
        };
        Ok(Network { ways, cap_mbps })
    }
}

/// Position of [`Rung::AllOn`] in [`RUNGS`].
const ALL_ON: usize = 1;
/// Id of the first relay.
const RELAYS: u32 = 11;

/// What is found for all pairs.
pub(super) struct Found {
    pub(super) rows: Vec<Row>,
    pub(super) map: RatioMap,
    pub(super) bars: Vec<Bars>,
    pub(super) detail: Value,
}

pub(super) fn climb(
    setting: &Setting<'_>,
    pairs: &[Pair],
    seeds: u64,
    window: Window,
) -> Result<Found, Failure> {
    let mut jobs = Vec::new();
    for pair in pairs {
        for rung in RUNGS {
            let network = rung.network(pair)?;
            jobs.extend((1..=seeds).map(|seed| (network.clone(), seed)));
        }
    }
    let all =
        parallel::each("table2 ladder", &jobs, |(network, seed)| network.measure(setting, *seed, window))?;
    let mut runs = all.chunks(seeds as usize);
    let (mut rows, mut bars, mut detail) = (Vec::new(), Vec::new(), Vec::new());
    let mut cells = vec![None; RUNGS.len() * pairs.len()];
    for (column, pair) in pairs.iter().enumerate() {
        let mut direct: Vec<f64> = Vec::new();
        let (mut lengths, mut by_rung) = (Vec::new(), Vec::new());
        for rung in RUNGS {
            let runs: &[Measured] = runs.next().unwrap_or_default();
            let values: Vec<_> = runs.iter().map(|run| run.mbps).collect();
            if rung == Rung::Direct {
                direct.clone_from(&values);
            }
            // Runs of two rungs have nothing random in common, seed or not: the mean of P2P is what they are held against.
            let base = bins::mean(&direct).unwrap_or(f64::NAN);
            let gains: Vec<_> = values.iter().map(|value| value / base).collect();
            let network = rung.network(pair)?;
            let expected = network.expected_mbps();
            let paper = match rung {
                Rung::Direct => Some(pair.paper.direct_mbps),
                Rung::AllOn => Some(pair.paper.cloud_mbps),
                _ => None,
            };
            rows.push(Row {
                remark: format!("{}; {expected:.2} by the equation", rung.explanation()),
                ..row(format!("{}, {}", pair.name, rung.name()), "Mbit/s", paper, &values)
            });
            rows.push(Row {
                remark: format!("{} over the mean of direct", rung.name()),
                ..row(
                    format!("{}, {}: gain", pair.name, rung.name()),
                    "times",
                    paper.map(|it| it / pair.paper.direct_mbps),
                    &gains,
                )
            });
            lengths.push(bins::mean(&values).unwrap_or(0.0));
            by_rung.push(values);
            detail.push(json!({ "pair": pair.name, "rung": rung.name(), "equation_mbps": expected, "cap_mbps": network.cap_mbps,
                "ways": network.ways.iter().map(|way| way.iter().map(|hop| json!({ "rtt_ms": hop.rtt_ms, "loss": hop.loss })).collect::<Vec<_>>()).collect::<Vec<_>>(),
                "runs": runs.iter().map(Measured::json).collect::<Vec<_>>() }));
        }
        let whole = lengths[ALL_ON];
        for (line, values) in by_rung.iter().enumerate() {
            let over = Interval::of(&values.iter().map(|value| value / whole).collect::<Vec<_>>());
            cells[line * pairs.len() + column] = over.map(|it| Ratio {
                mean: it.mean,
                interval: it.half.map(|half| (it.mean - half, it.mean + half)),
            });
        }
        bars.push(Bars {
            title: format!("Throughput of {} with one thing off at a time", pair.name),
            caption: format!(
                "Simulated payload, mean of the seeds; the paper has {} Mbit/s P2P, which the loss is fitted to, and {} by way of the cloud, which nothing is fitted to.",
                pair.paper.direct_mbps, pair.paper.cloud_mbps
            ),
            x: ("delivered".to_owned(), "Mbit/s".to_owned()),
            things: RUNGS.iter().map(|rung| rung.name().to_owned()).collect(),
            parts: vec![("delivered".to_owned(), lengths)],
        });
    }
    let map = RatioMap {
        title: "What is left of the throughput with one thing off".to_owned(),
        caption: "Simulated, over the mean with everything on; below it 95 % intervals over the seeds. Hops of the cloud lose by the millisecond what the direct path does."
            .to_owned(),
        rows: RUNGS.iter().map(|rung| rung.name().to_owned()).collect(),
        columns: pairs.iter().map(|pair| pair.name.clone()).collect(),
        cells,
    };
    Ok(Found { rows, map, bars, detail: detail.into() })
}
