//! The shipped scenario by real processes beside the simulator: the same split, the same bill.

use crate::cli::exit::{self, Failure};
use crate::cli::reproduce::common::{curve, input, row};
use crate::cli::reproduce::play::{self, Measured};
use crate::cli::reproduce::{Findings, Setting};
use bellini_reports::reproduce::{Page, Plot, Row, Shape};
use bellini_scenarios::record::{Cost, Summary};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const VIDEOS: &str = include_str!("../../../../scenarios/policies/jetway.json");

/// A way of billing.
type Bill = fn(&Cost) -> Option<f64>;

pub(super) fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let mut lab = Measured::open(setting)?;
    let seeds = setting.seeds(3, 1);
    let mut videos: Value =
        serde_json::from_str(VIDEOS).map_err(|error| Failure::new(exit::FAILED, error))?;
    if setting.is_quick() {
        shorten(&mut videos);
    }
    // A packet more or less in an interval of some 50 to 300, or a tenth of that.
    let packet = if setting.is_quick() { 0.2 } else { 0.02 };
    let scenario = play::scenario(&videos.to_string(), Vec::new())?;
    let mut apart: f64 = 0.0;
    let bills: [(&str, f64, Bill); 3] = [
        ("by volume", 0.005, |cost| cost.traffic_usd),
        ("by the 95th percentile", packet, |cost| cost.percentile_usd),
        ("by the maximum", packet, |cost| cost.max_usd),
    ];
    let mut ratios = vec![Vec::new(); bills.len()];
    let (mut links, mut points, mut detail) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 1..=seeds {
        let simulated = play::simulate(setting.registry, &scenario, seed)?;
        let measured = lab.run(&scenario, seed, "the shipped videos")?;
        let (here, there) = (shares(&simulated), shares(&measured));
        for key in here.keys().chain(there.keys()) {
            let of = |all: &BTreeMap<_, f64>| all.get(key).copied().unwrap_or(0.0);
            apart = apart.max((of(&here) - of(&there)).abs());
        }
        let (here, there) = (bill(&simulated)?, bill(&measured)?);
        for ((.., pick), ratios) in bills.iter().zip(&mut ratios) {
            ratios.extend(pick(there).zip(pick(here)).map(|(there, here)| there / here));
        }
        let mut worst: f64 = 0.0;
        for line in &here.links {
            let same = there.links.iter().find(|it| (it.from, it.to) == (line.from, line.to));
            let charged = same.map_or(0.0, |it| it.charged_mbps);
            points.push((line.charged_mbps, charged));
            worst = worst.max((charged - line.charged_mbps).abs() * 1e3);
        }
        links.push(worst);
        detail.push(json!({ "seed": seed, "simulated": here, "lab": there }));
    }
    let mut rows = vec![Row {
        quantity: "largest difference of a path's share of a video".to_owned(),
        unit: "%".to_owned(),
        ours: Some(apart * 100.0),
        band: Some((0.0, 0.0)),
        remark: "what the policy decided; it sees the same in both".to_owned(),
        ..Row::default()
    }];
    for ((name, band, _), ratios) in bills.iter().zip(&ratios) {
        rows.push(Row {
            band: Some((1.0 - band, 1.0 + band)),
            remark: "band: a packet more or less in an interval of some 50 to 300".to_owned(),
            ..row(format!("bill {name}, lab over simulator"), "", None, ratios)
        });
    }
    rows[1].remark = "band: the same packets, but for control messages".to_owned();
    rows.push(row("largest difference of a link's charged rate".to_owned(), "kbit/s", None, &links));
    let end = points.iter().map(|(here, there)| here.max(*there)).fold(0.0, f64::max);
    let mut notes = lab.notes(seeds);
    notes.push(
        "A period of 60 intervals of a second stands for a month: three intervals are free for each link."
            .to_owned(),
    );
    let page = Page {
        title: "Jetway in the lab".to_owned(),
        reference: "simulator".to_owned(),
        lead: format!(
            "Sixteen videos between seven datacenters over a minute (scenarios/policies/jetway.json), {seeds} seeds: simulated, and by \
             real processes with sockets over an emulated network. The policy splits videos in the same way, and the accountant, \
             who counts bytes on links, has nearly the same bill."
        ),
        rows,
        plots: vec![Plot {
            title: "Charged rate of links".to_owned(),
            caption: "The 95th percentile of one-second rates, each link and seed.".to_owned(),
            x: ("simulated".to_owned(), "Mbit/s".to_owned()),
            y: ("in the lab".to_owned(), "Mbit/s".to_owned()),
            curves: vec![
                curve("links", Shape::Dots, points),
                curve("equal", Shape::Line, vec![(0.0, 0.0), (end, end)]),
            ],
            ..Plot::default()
        }],
        inputs: vec![
            input("kernel", play::system(), "measured: this machine"),
            input("videos, prices, delays", "scenarios/policies/jetway.json", "assumed: made up"),
        ],
        notes,
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({ "bills": detail }) })
}

/// Makes what takes a second take 100 ms, at the same rates.
fn shorten(value: &mut Value) {
    match value {
        Value::Object(entries) => entries.values_mut().for_each(shorten),
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::String(text) => {
            let seconds = text.strip_suffix(" s").and_then(|number| number.parse::<u32>().ok());
            if let Some(seconds) = seconds {
                *value = json!(format!("{} ms", seconds * 100));
            }
        }
        _ => {}
    }
}

/// By session and route.
fn shares(summary: &Summary) -> BTreeMap<(u64, u64, String), f64> {
    let sessions = summary.sessions.iter();
    let flows = sessions.flat_map(|it| {
        it.flows
            .iter()
            .map(|flow| ((it.conference.into(), it.session.into(), flow.route.clone()), flow.share))
    });
    flows.collect()
}

fn bill(summary: &Summary) -> Result<&Cost, Failure> {
    summary.cost.as_ref().ok_or_else(|| Failure::new(exit::FAILED, "the run has no bill"))
}
