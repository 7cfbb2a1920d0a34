//! `ablations`: what the paper asserts of its design and never shows, each part against its absence.

use super::simulated::{Watched, quantile, simulate};
use super::{Bench, Failure, exit, interval};
use bellini_reports::Interval;
use bellini_reports::reproduce::{Bars, Page, Row};
use serde_json::{Value, json};

const MULTIPLEXED: &str = include_str!("../../../scenarios/transports/ablation-multiplexed.json");
const PER_SESSION: &str = include_str!("../../../scenarios/transports/ablation-per-session.json");
const HEAD_OF_LINE: &str = include_str!("../../../scenarios/transports/ablation-head-of-line.json");
const QUEUES: &str = include_str!("../../../scenarios/transports/ablation-queues.json");

const TRANSPORT: &str = "defaults.session.transport";
const SCHEDULER: &str = "defaults.node.feeder.scheduler";

/// One part of the design with and without it.
struct Ablation {
    name: &'static str,
    title: &'static str,
    remark: &'static str,
    /// Symbols of a message.
    symbols: u64,
    /// Whether only the messages of conference 1 count, or those of all.
    only_first: bool,
    variants: &'static [Variant],
}

struct Variant {
    name: &'static str,
    file: &'static str,
    text: &'static str,
    set: &'static [(&'static str, &'static str)],
}

const ABLATIONS: [Ablation; 3] = [
    Ablation {
        name: "multiplexing",
        title: "Messages of 24 kB complete sooner over one warm hop than over a connection each",
        remark: "20 sessions, one message of 24 kB a second each, 20 Mbit/s, RTT 80 ms",
        symbols: 20,
        only_first: false,
        variants: &[
            Variant {
                name: "one hop, TFRC",
                file: "ablation-multiplexed.json",
                text: MULTIPLEXED,
                set: &[(TRANSPORT, "udp")],
            },
            Variant {
                name: "a connection each, TFRC",
                file: "ablation-per-session.json",
                text: PER_SESSION,
                set: &[(TRANSPORT, "udp")],
            },
            Variant {
                name: "one hop, TCP",
                file: "ablation-multiplexed.json",
                text: MULTIPLEXED,
                set: &[(TRANSPORT, "tcp")],
            },
            Variant {
                name: "a connection each, TCP",
                file: "ablation-per-session.json",
                text: PER_SESSION,
                set: &[(TRANSPORT, "tcp")],
            },
        ],
    },
    Ablation {
        name: "head-of-line",
        title: "On TCP hops another conference's losses delay messages; on datagram hops they do not",
        remark: "one packet a message, 4 Mbit/s of another conference on the same hop, 1 % loss, RTT 80 ms",
        symbols: 1,
        only_first: true,
        variants: &[
            Variant {
                name: "TCP hop",
                file: "ablation-head-of-line.json",
                text: HEAD_OF_LINE,
                set: &[(TRANSPORT, "tcp")],
            },
            Variant {
                name: "datagram hop, TFRC",
                file: "ablation-head-of-line.json",
                text: HEAD_OF_LINE,
                set: &[(TRANSPORT, "udp")],
            },
            Variant {
                name: "datagram hop, unpaced",
                file: "ablation-head-of-line.json",
                text: HEAD_OF_LINE,
                set: &[(TRANSPORT, "udp-unpaced")],
            },
        ],
    },
    Ablation {
        name: "queues",
        title: "With a queue for each conference a message does not wait for another's burst",
        remark: "one packet a message, bursts of 9 Mbit/s of another conference, a hop of 5 Mbit/s, RTT 80 ms",
        symbols: 1,
        only_first: true,
        variants: &[
            Variant {
                name: "a queue for each conference",
                file: "ablation-queues.json",
                text: QUEUES,
                set: &[(SCHEDULER, "round-robin")],
            },
            Variant {
                name: "one queue for all",
                file: "ablation-queues.json",
                text: QUEUES,
                set: &[(SCHEDULER, "fifo")],
            },
        ],
    },
];

/// Plays every variant with each seed.
pub(super) fn run(bench: &Bench<'_>) -> Result<(Page, Value), Failure> {
    let (mut rows, mut bars, mut detail) = (Vec::new(), Vec::new(), Vec::new());
    for ablation in &ABLATIONS {
        let (things, mut lengths) = (ablation.variants, [Vec::new(), Vec::new(), Vec::new()]);
        for variant in things {
            let figures = play(bench, ablation, variant)?;
            let mut means = Vec::new();
            for (what, unit, values) in [
                ("median", "ms", &figures.p50),
                ("95 % below", "ms", &figures.p95),
                ("99 % below", "ms", &figures.p99),
                ("complete", "%", &figures.complete),
                ("wire bytes for a message byte", "", &figures.wire),
            ] {
                let over = Interval::of(values);
                means.push(over.map_or(0.0, |it| it.mean));
                rows.push(Row {
                    quantity: format!("{}: {what}", variant.name),
                    unit: unit.to_owned(),
                    paper: None,
                    ours: over.map(|it| it.mean),
                    interval: interval(over),
                    remark: ablation.remark.to_owned(),
                });
            }
            lengths[0].push(means[0]);
            lengths[1].push((means[1] - means[0]).max(0.0));
            lengths[2].push((means[2] - means[1]).max(0.0));
            exit::say(format_args!("{}: {}", ablation.name, variant.name));
            detail.push(json!({
                "ablation": ablation.name, "variant": variant.name, "scenario": variant.file, "set": variant.set,
                "p50_ms": figures.p50, "p95_ms": figures.p95, "p99_ms": figures.p99,
                "complete_percent": figures.complete, "wire_bytes_per_byte": figures.wire, "digests": figures.digests,
            }));
        }
        let [median, p95, p99] = lengths;
        bars.push(Bars {
            title: ablation.title.to_owned(),
            caption: format!("Time from a message's creation to its last symbol: {}.", ablation.remark),
            x: ("completion time".to_owned(), "ms".to_owned()),
            things: things.iter().map(|variant| variant.name.to_owned()).collect(),
            parts: vec![
                ("median".to_owned(), median),
                ("to 95 %".to_owned(), p95),
                ("to 99 %".to_owned(), p99),
            ],
        });
    }
    let page = Page {
        title: "Ablations: parts of the design, each against its absence".to_owned(),
        lead: format!(
            "The scenarios scenarios/transports/ablation-*.json in the simulator, {} seeds; intervals are over seeds, \
             percentiles over all messages of a run.",
            bench.options.runs
        ),
        rows,
        plots: Vec::new(),
        bars,
        inputs: Vec::new(),
        notes: vec![
            "The paper asserts these parts of its design and shows no figure of them: there is no value to compare \
             with."
                .to_owned(),
            "Percentiles are of messages that came completely; how many that were stands beside them.".to_owned(),
        ],
    };
    Ok((page, json!({ "variants": detail })))
}

/// Figures of one variant, by seed.
#[derive(Default)]
struct Figures {
    p50: Vec<f64>,
    p95: Vec<f64>,
    p99: Vec<f64>,
    complete: Vec<f64>,
    wire: Vec<f64>,
    digests: Vec<Option<String>>,
}

fn play(bench: &Bench<'_>, ablation: &Ablation, variant: &Variant) -> Result<Figures, Failure> {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let set: Vec<_> = variant.set.iter().map(own).collect();
    let mut figures = Figures::default();
    for seed in 1..=bench.options.runs {
        let run = simulate(variant.file, variant.text, &set, seed, Some(ablation.symbols))?;
        let (times, offered) = completions(&run, ablation);
        let at = |q| quantile(&times, q).unwrap_or(f64::NAN);
        figures.p50.push(at(0.5));
        figures.p95.push(at(0.95));
        figures.p99.push(at(0.99));
        figures.complete.push(times.len() as f64 * 100.0 / offered.max(1) as f64);
        let wire: u64 = run.summary.links.iter().map(|link| link.sent_bytes).sum();
        let seconds = run.summary.measure_s[1] - run.summary.measure_s[0];
        let mbps: f64 = run.summary.sessions.iter().filter_map(|session| session.offered_mbps).sum();
        figures.wire.push(wire as f64 * 8e-6 / (mbps * seconds));
        figures.digests.push(run.summary.digest.clone());
    }
    Ok(figures)
}

/// Returns the times of complete messages of the measuring window, sorted, and how many were offered.
fn completions(run: &Watched, ablation: &Ablation) -> (Vec<f64>, u64) {
    let counts = |conference: u32| !ablation.only_first || conference == 1;
    let [from, to] = run.summary.measure_s;
    let mut times: Vec<f64> = run
        .messages
        .iter()
        .filter(|message| {
            counts(message.session.conference.0) && message.made_s >= from && message.made_s < to
        })
        .map(|message| message.took_ms)
        .collect();
    times.sort_by(f64::total_cmp);
    let sessions = run.summary.sessions.iter().filter(|session| counts(session.conference));
    let offered =
        sessions.flat_map(|session| &session.destinations).filter_map(|there| there.messages_sent).sum();
    (times, offered)
}
