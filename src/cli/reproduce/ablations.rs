//! `ablations`: what the paper asserts of its design and never shows, each part against its absence.

use super::simulated::{Watched, interval, quantile, simulate};
use super::{Experiment, Findings, Setting, parallel};
use crate::cli::exit::Failure;
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
        remark: "one packet a message, 0.8 Mbit/s of another conference on the same hop, 0.5 % loss, RTT 80 ms",
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

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "ablations",
    about: "parts of the design, each against its absence: message completion times (simulated)",
    run,
}];

/// Plays every variant with each seed.
fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(10, 2);
    let duration = setting.is_quick().then_some("20 s");
    let mut jobs = Vec::new();
    for ablation in &ABLATIONS {
        for variant in ablation.variants {
            jobs.extend((1..=seeds).map(|seed| (ablation, variant, seed)));
        }
    }
    let all = parallel::each("ablations", &jobs, |(ablation, variant, seed)| {
        play(ablation, variant, *seed, duration)
    })?;
    let mut by_variant = all.chunks(seeds.max(1) as usize);
    let (mut rows, mut bars, mut detail) = (Vec::new(), Vec::new(), Vec::new());
    for ablation in &ABLATIONS {
        let mut lengths = [Vec::new(), Vec::new(), Vec::new()];
        for variant in ablation.variants {
            let runs = by_variant.next().unwrap_or_default();
            let mut means = Vec::new();
            let figures: [(&str, &str, Pick); 5] = [
                ("median", "ms", |run| run.p50),
                ("95 % below", "ms", |run| run.p95),
                ("99 % below", "ms", |run| run.p99),
                ("complete", "%", |run| run.complete),
                ("wire bytes for an offered byte", "", |run| run.wire),
            ];
            for (what, unit, pick) in figures {
                let over = Interval::of(&runs.iter().map(pick).collect::<Vec<_>>());
                means.push(over.map_or(0.0, |it| it.mean));
                rows.push(Row {
                    quantity: format!("{}, {}: {what}", ablation.name, variant.name),
                    unit: unit.to_owned(),
                    ours: over.map(|it| it.mean),
                    interval: interval(over),
                    remark: ablation.remark.to_owned(),
                    ..Row::default()
                });
            }
            lengths[0].push(means[0]);
            lengths[1].push((means[1] - means[0]).max(0.0));
            lengths[2].push((means[2] - means[1]).max(0.0));
            detail.push(json!({
                "ablation": ablation.name, "variant": variant.name, "scenario": variant.file, "set": variant.set,
                "runs": runs.iter().map(Figures::json).collect::<Vec<_>>(),
            }));
        }
        let [median, p95, p99] = lengths;
        bars.push(Bars {
            title: ablation.title.to_owned(),
            caption: format!("Time from a message's creation to its last symbol: {}.", ablation.remark),
            x: ("completion time".to_owned(), "ms".to_owned()),
            things: ablation.variants.iter().map(|variant| variant.name.to_owned()).collect(),
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
            "The scenarios scenarios/transports/ablation-*.json in the simulator, {seeds} seeds; intervals are over \
             seeds, percentiles over all messages of a run."
        ),
        reference: "paper".to_owned(),
        rows,
        bars,
        notes: vec![
            "The paper asserts these parts of its design and shows no figure of them: there is no value to compare \
             with."
                .to_owned(),
            "Percentiles are of messages that came completely; how many that were stands beside them.".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({ "variants": detail }) })
}

/// Reads one figure.
type Pick = fn(&Figures) -> f64;

/// Figures of one run.
struct Figures {
    seed: u64,
    p50: f64,
    p95: f64,
    p99: f64,
    complete: f64,
    wire: f64,
    digest: Option<String>,
}

impl Figures {
    fn json(&self) -> Value {
        json!({
            "seed": self.seed, "p50_ms": self.p50, "p95_ms": self.p95, "p99_ms": self.p99,
            "complete_percent": self.complete, "wire_bytes_per_byte": self.wire, "digest": self.digest,
        })
    }
}

fn play(
    ablation: &Ablation,
    variant: &Variant,
    seed: u64,
    duration: Option<&str>,
) -> Result<Figures, Failure> {
    let own = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let mut set: Vec<_> = variant.set.iter().map(|(key, value)| own(key, value)).collect();
    set.extend(duration.map(|duration| own("duration", duration)));
    let run = simulate(variant.file, variant.text, &set, seed, Some(ablation.symbols))?;
    let (times, offered) = completions(&run, ablation);
    let at = |q| quantile(&times, q).unwrap_or(f64::NAN);
    let wire: u64 = run.summary.links.iter().map(|link| link.sent_bytes).sum();
    let seconds = run.summary.measure_s[1] - run.summary.measure_s[0];
    let mbps: f64 = run.summary.sessions.iter().filter_map(|session| session.offered_mbps).sum();
    Ok(Figures {
        seed,
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        complete: times.len() as f64 * 100.0 / offered.max(1) as f64,
        wire: wire as f64 * 8e-6 / (mbps * seconds),
        digest: run.summary.digest.clone(),
    })
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
