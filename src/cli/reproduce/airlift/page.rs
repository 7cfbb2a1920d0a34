//! The page of `airlift`: rows, curves and what they do and do not say.

use super::{CASES, Figures, HALVED_LOAD, Halved, JUDGED, NO_PROBES, TRANSPORTS, Times, VIEWS, Way};
use crate::cli::reproduce::Findings;
use crate::cli::reproduce::bins;
use crate::cli::reproduce::common::{axis, curve, input, row};
use bellini_core::ids::SessionKey;
use bellini_reports::reproduce::{Curve, Input, Page, Plot, Row, Shape};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Part of what is sent that has to come at the judged load, and part of the bound that 99 % of it may take.
const DELIVERED_MIN: f64 = 0.99;
/// Most that probes may cost, as a part of all other bytes.
const COST_MAX: f64 = 0.02;
/// Seconds after a link was halved from which on the new plan is judged.
const SETTLED_S: f64 = 10.0;

/// Everything that was found.
pub(super) struct Results<'a> {
    pub(super) seeds: u64,
    pub(super) times: Times,
    pub(super) loads: &'a [f64],
    /// The runs of each way, seed by seed.
    pub(super) ways: Vec<(Way, &'a [Figures])>,
    /// What probes cost, by case.
    pub(super) costs: &'a [f64],
    pub(super) plans: &'a [BTreeMap<SessionKey, f64>],
    pub(super) halved: Halved,
    /// The runs in which a link was halved, by view.
    pub(super) after: Vec<&'a [Figures]>,
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    bins::mean(&values.collect::<Vec<_>>()).unwrap_or(0.0)
}

fn label(way: &Way) -> String {
    format!("{}, {}, {}", CASES[way.case].name, TRANSPORTS[way.transport].1, VIEWS[way.view])
}

impl Results<'_> {
    pub(super) fn findings(&self) -> Findings {
        let mut rows = self.judged();
        rows.extend(self.cost());
        rows.extend(self.after_halving());
        let mut plots = Vec::new();
        for case in 0..CASES.len() {
            plots.extend(self.curves(case));
        }
        plots.push(self.start());
        plots.push(self.halving());
        let page = Page {
            title: "Airlift: what arrives of the plan".to_owned(),
            reference: "plan".to_owned(),
            lead: self.lead(),
            rows,
            plots,
            inputs: self.inputs(),
            notes: notes(),
            ..Page::default()
        };
        Findings { page, seeds: self.seeds, detail: self.detail() }
    }

    fn lead(&self) -> String {
        format!(
            "A linear program says what rates the sessions of two scenarios can have, net of all headers, codes and repairs. \
             Each then sends a part of that, over hops without congestion control or with TFRC, planned by a policy that knows \
             the network (oracle) or what its nodes have measured of it (measured: trains of probes and round trips; nothing is \
             assumed). Sessions start {} s after the nodes; figures are of {} to {} s, at the destination where they are worst, \
             mean of {} seeds with 95 % intervals. To hold at 0.9 of the plan: 99 % delivered, and the 99th percentile of the \
             delay, queues and decoding included, within the bound.",
            self.times.start,
            self.times.from,
            self.times.end - 1.0,
            self.seeds,
        )
    }

    /// What is asked of each way at the judged load.
    fn judged(&self) -> Vec<Row> {
        let judged = self.ways.iter().filter(|(way, _)| way.load == JUDGED);
        judged
            .flat_map(|(way, runs)| {
                let delivered: Vec<_> = runs.iter().map(|it| it.delivered).collect();
                let late: Vec<_> = runs.iter().map(|it| it.late).collect();
                let name = label(way);
                let is_judged = way.view != NO_PROBES;
                [
                    Row {
                        band: is_judged.then_some((DELIVERED_MIN, 1.0)),
                        ..row(format!("{name}: delivered at {JUDGED}"), "of sent", None, &delivered)
                    },
                    Row {
                        band: is_judged.then_some((0.0, 1.0)),
                        ..row(format!("{name}: p99 delay at {JUDGED}"), "of the bound", None, &late)
                    },
                ]
            })
            .collect()
    }

    fn cost(&self) -> impl Iterator<Item = Row> {
        CASES.iter().zip(self.costs).map(|(case, cost)| Row {
            quantity: format!("{}: bytes of probes", case.name),
            unit: "of all others".to_owned(),
            ours: Some(*cost),
            band: Some((0.0, COST_MAX)),
            remark: "all links, from the start of the nodes on, the trains before the sessions included"
                .to_owned(),
            ..Row::default()
        })
    }

    /// Delivered before, from when on all is well again, and what is delivered then.
    fn after_halving(&self) -> Vec<Row> {
        let at = self.halved.at;
        let mut rows = Vec::new();
        for (view, runs) in VIEWS.iter().zip(&self.after) {
            let part = |from: f64, to: f64| -> Vec<f64> {
                let inside = |it: &&(f64, f64)| it.0 > from && it.0 <= to;
                runs.iter().map(|run| mean(run.seconds.iter().filter(inside).map(|it| it.1))).collect()
            };
            let (from, end) = (at + SETTLED_S, self.halved.end - 1.0);
            let before = part(self.times.start + 1.0, at);
            rows.push(row(format!("a link is halved, {view}: delivered before"), "of sent", None, &before));
            let after = if from < end { part(from, end) } else { part(at, end) };
            rows.push(Row {
                band: (*view == "measured").then_some((DELIVERED_MIN, 1.01)),
                remark: format!("from {from} s on; halved at {at} s"),
                ..row(format!("a link is halved, {view}: delivered after"), "of sent", None, &after)
            });
            let back = runs.iter().map(|run| {
                let bad = run.seconds.iter().rev().find(|it| it.0 > at && it.1 < DELIVERED_MIN);
                bad.map_or(0.0, |it| it.0 - at)
            });
            let back: Vec<_> = back.collect();
            rows.push(Row {
                remark: "end of the last second in which some destination got less than 99 %".to_owned(),
                ..row(format!("a link is halved, {view}: time until all is delivered"), "s", None, &back)
            });
        }
        rows
    }

    fn curves(&self, case: usize) -> [Plot; 2] {
        let name = CASES[case].name;
        let of = |pick: fn(&Figures) -> f64| -> Vec<Curve> {
            let mut curves = Vec::new();
            for (at, transport) in TRANSPORTS.iter().enumerate() {
                for (view, seen) in VIEWS.iter().enumerate().filter(|it| it.0 != NO_PROBES) {
                    let mine = self
                        .ways
                        .iter()
                        .filter(|(way, _)| (way.case, way.transport, way.view) == (case, at, view));
                    let points = mine.map(|(way, runs)| (way.load, mean(runs.iter().map(pick)))).collect();
                    curves.push(curve(format!("{}, {seen}", transport.1), Shape::DottedLine, points));
                }
            }
            curves
        };
        let ends = (self.loads.first().copied().unwrap_or(0.0), self.loads.last().copied().unwrap_or(1.0));
        let mut late = of(|it| it.late);
        late.push(curve("bound", Shape::Line, vec![(ends.0, 1.0), (ends.1, 1.0)]));
        [
            Plot {
                title: format!("Delivered of the plan, {name}"),
                caption: "Part of the packets sent that came to the destination where fewest did, by what was sent as a part of the plan. Mean of the seeds.".to_owned(),
                x: axis("load", "of the plan"),
                y: axis("delivered", "of sent"),
                y_range: Some((0.8, 1.02)),
                curves: of(|it| it.delivered.max(0.8)),
            },
            Plot {
                title: format!("Delay over the bound, {name}"),
                caption: format!("99th percentile of the delay, queues and decoding included, at the destination where it is greatest, as a part of the bound of {} ms. More than 3 is drawn as 3.", CASES[case].bound_ms),
                x: axis("load", "of the plan"),
                y: axis("p99 delay", "of the bound"),
                y_range: Some((0.0, 3.1)),
                curves: late.into_iter().map(|it| Curve { points: it.points.iter().map(|(x, y)| (*x, y.min(3.0))).collect(), ..it }).collect(),
            },
        ]
    }

    /// Mean over the runs of what came in each second.
    fn seconds(runs: &[Figures]) -> Vec<(f64, f64)> {
        let mut all: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for (t, part) in runs.iter().flat_map(|run| &run.seconds) {
            all.entry(*t as u64).or_default().push(*part);
        }
        all.into_iter().map(|(t, parts)| (t as f64, mean(parts.into_iter()))).collect()
    }

    fn start(&self) -> Plot {
        let judged = self.ways.iter().filter(|(way, _)| way.load == JUDGED && way.transport == 1);
        Plot {
            title: format!("The first seconds at {JUDGED} of the plan"),
            caption: "What came in each second, in the worst place, as a part of what is to come; TFRC. It begins with a window of a few packets, and without probes overruns queues until there are losses, from which it recovers slowly; with them it stops at the rate that trains have measured. Above 1 it makes up for the start.".to_owned(),
            x: axis("time", "s"),
            y: axis("delivered", "of sent"),
            y_range: Some((0.0, 1.4)),
            curves: judged
                .map(|(way, runs)| {
                    let name = format!("{}, {}", CASES[way.case].name, VIEWS[way.view]);
                    curve(name, Shape::Line, Self::seconds(runs))
                })
                .collect(),
        }
    }

    fn halving(&self) -> Plot {
        let (from, to) = self.halved.link;
        let at = self.halved.at;
        Plot {
            title: "A link is halved, and nobody is told".to_owned(),
            caption: format!(
                "What came in each second, in the worst place, as a part of what was sent: trees, unpaced, at {HALVED_LOAD} of the plan. {from} > {to} has half its rate from {at} s on. The oracle sees what is configured."
            ),
            x: axis("time", "s"),
            y: axis("delivered", "of sent"),
            y_range: Some((0.0, 1.2)),
            curves: VIEWS
                .iter()
                .zip(&self.after)
                .map(|(view, runs)| curve(*view, Shape::Line, Self::seconds(runs)))
                .collect(),
        }
    }

    fn inputs(&self) -> Vec<Input> {
        let mut all = vec![
            input("delays of coded", "6 to 38 ms", "assumed: made up, as a butterfly needs them"),
            input(
                "delays of trees",
                "half of the round trips of aws-2013",
                "measured: scenarios/data/aws-2013-rtt-ms.csv",
            ),
            input(
                "rates of links",
                "8 and 1 Mbit/s (coded), 12 Mbit/s (trees)",
                "assumed: no data set has them",
            ),
            input(
                "probing",
                "default: 3 trains to each neighbour at the start, 2 % of the bytes of packets",
                "assumed: defaults of the software",
            ),
            input(
                "planner",
                "asked each second in the view measured",
                "assumed: so that changes are found within seconds",
            ),
            input("seeds", format!("1 to {}", self.seeds), "assumed: by the command line"),
        ];
        all.extend(CASES.iter().map(|case| {
            let origin = format!("derived: from {}, the product of rate and longest round trip", case.why);
            input(&format!("queues of links, {}", case.name), case.queue, &origin)
        }));
        all.extend(CASES.iter().zip(self.plans).map(|(case, plan)| {
            let rates: Vec<_> = plan.values().map(|rate| format!("{:.2}", rate * 1e-6)).collect();
            let origin = "derived: from the linear program on the scenario's own rates";
            input(&format!("plan of {}", case.name), format!("{} Mbit/s", rates.join(", ")), origin)
        }));
        all
    }

    fn detail(&self) -> Value {
        let runs = self.ways.iter().map(|(way, runs)| {
            json!({ "scenario": CASES[way.case].name, "transport": TRANSPORTS[way.transport].0, "view": VIEWS[way.view],
                "load": way.load, "delivered": runs.iter().map(|it| it.delivered).collect::<Vec<_>>(),
                "p99_of_bound": runs.iter().map(|it| it.late).collect::<Vec<_>>() })
        });
        let halved = VIEWS.iter().zip(&self.after).map(|(view, runs)| {
            json!({ "view": view, "delivered_by_second": runs.iter().map(|run| &run.seconds).collect::<Vec<_>>() })
        });
        json!({ "runs": runs.collect::<Vec<_>>(), "halved": halved.collect::<Vec<_>>(), "probing_cost": self.costs })
    }
}

fn notes() -> Vec<String> {
    vec![
        "The plan is that of the oracle in all runs: what is sent is a part of it, whatever the planner of the run knows.".to_owned(),
        "A hop without congestion control keeps to no rate but its session's: that is for networks of one's own, whose planner is the only one to admit traffic.".to_owned(),
        "Nodes probe in all runs but those that say otherwise, and probes are on top of the plan: at 1.0 of it links get up to 2 % more than they carry.".to_owned(),
        "TFRC of a hop whose path trains have measured ends its slow start at that rate, less the share of probes. RFC 5348 allows any sender to send less. Rows without probes show TFRC as the RFC has it: with queues of one bandwidth-delay product, its start overruns them.".to_owned(),
        "The cost of probes is that of runs at 0.9, unpaced, planned by the oracle with and without probes: the packets are the same.".to_owned(),
    ]
}
