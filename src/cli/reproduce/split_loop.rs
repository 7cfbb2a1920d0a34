//! `split-loop`: one long TFRC path, cut into equal hops, against the equation.

use super::common::{PACKET_BYTES, SEEDS, SYMBOL_BYTES, axis, curve, greedy, input, row};
use super::{Experiment, Findings, Setting, bins, equation, parallel};
use crate::cli::exit::Failure;
use bellini_reports::reproduce::{Curve, Page, Plot, Row, Shape};
use bellini_scenarios::record::Scope;
use serde_json::{Value, json};

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "split-loop",
    about: "a long TFRC path cut into 1 to 4 hops: the gain against the equation",
    run,
}];

/// Round trip of the whole path in milliseconds.
const RTT_MS: f64 = 240.0;
/// Loss of each link.
const LOSS: f64 = 0.002;
/// Most links.
const LINKS: u32 = 4;
/// Time of a packet and a report on a line of 100 Mbit/s, in seconds.
const LINE_S: f64 = (PACKET_BYTES as f64 + 82.0) * 8.0 / 100e6;

/// A path over `links` links: one hop over all of them, or a relay between any two.
#[derive(Clone, Copy, Debug)]
struct Path {
    links: u32,
    is_cut: bool,
}

impl Path {
    /// Returns the hops, and the loss and round trip (s) of each.
    fn hops(self) -> (u32, f64, f64) {
        let h = f64::from(self.links);
        if self.is_cut {
            (self.links, LOSS, RTT_MS / 1e3 / h + LINE_S)
        } else {
            (1, 1.0 - (1.0 - LOSS).powi(self.links as i32), RTT_MS / 1e3 + LINE_S)
        }
    }

    /// Returns packets a second by the equation at the rate of loss events.
    fn expected(self) -> f64 {
        let (_, loss, rtt) = self.hops();
        equation::at_event_rate(loss, rtt)
    }

    fn scenario(self, (from, to): (u64, u64)) -> Value {
        let (hops, loss, _) = self.hops();
        let delay = format!("{} us", RTT_MS * 500.0 / f64::from(hops));
        let links: Vec<_> = (1..=hops)
            .flat_map(|a| {
                [
                    json!({ "from": a, "to": a + 1, "delay": delay, "rate": "100 Mbit/s", "loss": loss }),
                    json!({ "from": a + 1, "to": a, "delay": delay, "rate": "100 Mbit/s" }),
                ]
            })
            .collect();
        let route: Vec<_> = (1..=hops + 1).map(|id| id.to_string()).collect();
        json!({
            "bellini": 1, "name": "split-loop", "duration": format!("{to} s"), "sample_interval": "1 s",
            "measure": { "from": format!("{from} s"), "to": format!("{to} s") },
            "nodes": (1..=hops + 1).map(|id| json!({ "id": id, "feeder": { "bulk": "4 MiB" } })).collect::<Vec<_>>(),
            "links": links,
            "conferences": [{ "id": 1, "sessions": [{
                "id": 1, "source": 1, "destinations": [hops + 1], "transport": "udp",
                "routing": { "policy": "static", "flows": [{ "route": route.join(">") }] },
                "symbol_bytes": format!("{SYMBOL_BYTES} B"),
                "content": greedy()
            }] }]
        })
    }
}

/// Packets a second of one run.
#[derive(Clone, Copy, Debug)]
struct Rates {
    /// On the last hop.
    last: f64,
    /// On the first hop.
    first: f64,
    /// Delivered.
    delivered: f64,
}

const METRICS: &[(Scope, &str)] = &[(Scope::Destination, "goodput_mbps")];

fn measure(setting: &Setting<'_>, path: Path, seed: u64, window: (u64, u64)) -> Result<Rates, Failure> {
    let run = super::simulate(setting.registry, &path.scenario(window), seed, METRICS)?;
    let hops = path.hops().0;
    let rate = |from: u32| run.link(from, from + 1).map(|link| link.sent_packets as f64 / run.window_s());
    // What arrived in each second: the summary's goodput judges symbols by when they were read, and thousands wait.
    let seconds = run.bins("goodput_mbps", &format!("1/1@{}", hops + 1), (window.0 as f64, window.1 as f64));
    let goodput = bins::mean(&seconds).unwrap_or(0.0);
    Ok(Rates { last: rate(hops)?, first: rate(1)?, delivered: goodput * 1e6 / 8.0 / f64::from(SYMBOL_BYTES) })
}

fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(10, 1);
    let window = if setting.is_quick() { (20, 100) } else { (100, 1_100) };
    let paths: Vec<_> =
        (1..=LINKS).flat_map(|links| [false, true].map(|is_cut| Path { links, is_cut })).collect();
    let jobs: Vec<_> = paths.iter().flat_map(|path| (1..=seeds).map(move |seed| (*path, seed))).collect();
    let rates = parallel::each("split-loop", &jobs, |(path, seed)| measure(setting, *path, *seed, window))?;
    let of = |path: usize| &rates[path * seeds as usize..(path + 1) * seeds as usize];
    let mut rows = Vec::new();
    let (mut ours, mut closed, mut law) = (Vec::new(), Vec::new(), Vec::new());
    for links in 1..=LINKS {
        let at = 2 * (links as usize - 1);
        let (whole, cut) = (of(at), of(at + 1));
        let h = f64::from(links);
        let figure = |what: &str, path: Path, runs: &[Rates]| {
            let values: Vec<_> = runs.iter().map(|it| it.last).collect();
            let means = [|it: &Rates| it.first, |it: &Rates| it.delivered]
                .map(|pick| bins::mean(&runs.iter().map(pick).collect::<Vec<_>>()).unwrap_or(0.0));
            Row {
                remark: format!("first hop {:.1}, delivered {:.1} packets/s", means[0], means[1]),
                ..row(format!("h = {links}: {what}"), "packets/s", Some(path.expected()), &values)
            }
        };
        rows.push(figure("one hop over all links", paths[at], whole));
        rows.push(figure("a relay between any two", paths[at + 1], cut));
        let gain = paths[at + 1].expected() / paths[at].expected();
        let gains: Vec<_> = whole.iter().zip(cut).map(|(whole, cut)| cut.last / whole.last).collect();
        rows.push(Row {
            band: Some((0.9 * gain, 1.1 * gain)),
            remark: format!("h^1.5 = {:.2}", h.powf(1.5)),
            ..row(format!("h = {links}: gain"), "", Some(gain), &gains)
        });
        ours.push((h, bins::mean(&gains).unwrap_or(0.0)));
        closed.push((h, gain));
        law.push((h, h.powf(1.5)));
    }
    let page = Page {
        title: "A long path cut into hops".to_owned(),
        reference: "equation".to_owned(),
        lead: format!(
            "A path of h links, {RTT_MS} ms there and back and {} % loss on each link: one TFRC hop over all of them, \
             and a relay between any two. Packets a second on the last hop, {} to {} s, mean of {seeds} seeds; the \
             reference is RFC 5348's equation at the rate of loss events.",
            LOSS * 100.0,
            window.0,
            window.1
        ),
        rows,
        plots: vec![Plot {
            title: "Gain of cutting a path into h hops".to_owned(),
            caption: "Rate of the cut path over that of one hop over the same links.".to_owned(),
            x: axis("links", ""),
            y: axis("gain", ""),
            y_range: None,
            curves: vec![
                curve("measured", Shape::DottedLine, ours),
                Curve { beside: Some(0), ..curve("equation at event rates", Shape::Line, closed) },
                curve("h^1.5", Shape::Line, law),
            ],
        }],
        inputs: vec![
            input("packet on the last link", format!("{PACKET_BYTES} B"), "assumed: that of ns-2's runs"),
            input("rate of the lines", "100 Mbit/s", "assumed: far above what TFRC reaches, so that only loss limits"),
            input("feeders of relays", "4 MiB a conference", "assumed: so that relays drop nothing"),
            input("seeds", format!("1 to {seeds}"), SEEDS),
        ],
        notes: vec![
            "Rate falls as one over round trip and root of loss: a hop over one of h links has an h-th of the round trip and of the loss, hence h^1.5 in rate.".to_owned(),
            "The rates of hops in a row vary independently; a relay's feeder evens it out, and what a faster hop before it brings in excess is dropped there.".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({}) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: at small loss the closed form is h^1.5, so a wrong round trip or loss would show.
    #[test]
    fn the_law_follows_from_the_equation() {
        for links in 1..=LINKS {
            let [whole, cut] = [false, true].map(|is_cut| Path { links, is_cut }.expected());
            let law = f64::from(links).powf(1.5);
            assert!((cut / whole / law - 1.0).abs() < 0.06, "{links}: {} against {law}", cut / whole);
        }
    }
}
