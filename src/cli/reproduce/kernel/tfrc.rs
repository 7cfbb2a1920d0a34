//! `tfrc-kernel`: four TFRC hops beside four TCP connections through one bottleneck, simulated and the kernel's.

use super::super::play::{self, Measured, is_valid, lateness, simulate};
use super::{AFTER_S, Findings, SEGMENT_BYTES, Setting, curve, ends, input, shown};
use crate::cli::exit::Failure;
use crate::cli::reproduce::parallel;
use bellini_core::rng::Seed;
use bellini_core::time::Duration;
use bellini_reports::Interval;
use bellini_reports::reproduce::{Page, Plot, Row, Shape};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::Summary;
use serde_json::{Value, json};

const SCENARIO: &str = include_str!("../../../../scenarios/transports/kernel-tfrc.json");
/// Rate of the bottleneck in Mbit/s, and connections of each kind.
const RATE_MBPS: f64 = 15.0;
const PAIRS: usize = 4;
/// Wire bytes of a symbol's packet, and what of them is payload.
const SYMBOL_BYTES: (f64, f64) = (1_484.0, 1_374.0);
const CONTROLLERS: [(&str, &str); 2] = [("reno", "Reno"), ("cubic", "CUBIC")];
const WARM_UP_S: u64 = 10;
/// Simulated connections start within this time.
const START_SPREAD: Duration = Duration::from_secs(1);

/// One run: rates on the wire over the fair share, connection by connection.
#[derive(Clone, Debug, Default)]
struct Shares {
    tfrc: Vec<f64>,
    tcp: Vec<f64>,
}

impl Shares {
    fn of(summary: &Summary) -> Self {
        let fair = RATE_MBPS / (2 * PAIRS) as f64;
        let goodputs = summary.sessions.iter().flat_map(|session| &session.destinations);
        let wire = |goodput: Option<f64>, (whole, payload): (f64, f64)| {
            goodput.map(|goodput| goodput * whole / payload / fair)
        };
        Self {
            tfrc: goodputs.filter_map(|it| wire(it.goodput_mbps, SYMBOL_BYTES)).collect(),
            tcp: summary.cross_flows.iter().filter_map(|it| wire(it.goodput_mbps, SEGMENT_BYTES)).collect(),
        }
    }

    fn has_tcp(&self) -> bool {
        self.tcp.iter().any(|share| *share > 0.0)
    }
}

/// One seed beside one congestion control, in both.
struct Sample {
    controller: usize,
    seed: u64,
    kernel: Shares,
    simulated: Shares,
    valid: bool,
    late_us: f64,
}

pub(super) fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let quick = setting.is_quick();
    let seconds = setting.options.seconds.unwrap_or(if quick { 5 } else { 30 });
    let runs = setting.options.runs.unwrap_or(if quick { 1 } else { 10 });
    let mut lab = Measured::open(setting)?;
    let mut measured = Vec::new();
    for seed in 1..=runs {
        for (controller, (word, name)) in CONTROLLERS.iter().enumerate() {
            let scenario = scenario(word, seconds)?;
            let summary = lab.run(&scenario, seed, &format!("TFRC beside {name}"))?;
            measured.push((controller, seed, scenario, summary));
        }
    }
    let simulated = parallel::each("simulator", &measured, |(_, seed, scenario, _)| {
        simulate(setting.registry, &staggered(scenario, *seed), *seed)
    })?;
    let samples: Vec<Sample> = measured
        .iter()
        .zip(&simulated)
        .map(|((controller, seed, _, kernel), simulated)| Sample {
            controller: *controller,
            seed: *seed,
            kernel: Shares::of(kernel),
            simulated: Shares::of(simulated),
            valid: is_valid(kernel),
            late_us: lateness(kernel),
        })
        .collect();
    let mut notes = vec![
        "Normalised throughput is the rate on the wire over the fair share, an eighth of the bottleneck: 1 is what each of \
         eight connections gets when all get the same. Rates on the wire are goodputs times whole packets over payload."
            .to_owned(),
        "Nothing in the scenario is random. Lab runs differ by what the machine does; simulated connections start at times \
         drawn from the seed, within the first second."
            .to_owned(),
    ];
    if !samples.iter().any(|sample| sample.simulated.has_tcp()) {
        notes.push(
            "The simulator plays no TCP as cross traffic in this version: its side is TFRC alone.".to_owned(),
        );
    }
    notes.extend(lab.notes(measured.len() as u64));
    let page = Page {
        bars: Vec::new(),
        title: "TFRC beside TCP: simulated and the kernel's".to_owned(),
        lead: format!(
            "Four TFRC hops and four TCP connections share a bottleneck of 15 Mbit/s with a drop-tail queue of one \
             bandwidth-delay product, round trips of 48 to 52 ms: {runs} runs of {seconds} s after {WARM_UP_S} s of \
             warm-up beside Reno and beside CUBIC, in the lab with the kernel's TCP and in the simulator."
        ),
        reference: "kernel".to_owned(),
        rows: (0..CONTROLLERS.len()).flat_map(|controller| rows(controller, &samples)).collect(),
        overlays: Vec::new(),
        maps: Vec::new(),
        plots: (0..CONTROLLERS.len()).map(|controller| plot(controller, &samples)).collect(),
        inputs: vec![
            input("version", env!("CARGO_PKG_VERSION").to_owned(), "measured"),
            input("kernel", play::system(), "measured"),
            input("bottleneck", "15 Mbit/s, drop-tail, 94 KB".to_owned(), "assumed"),
            input("measuring window", format!("{seconds} s"), "assumed"),
            input("runs beside each control", runs.to_string(), "assumed"),
        ],
        notes,
    };
    let detail = json!({ "samples": samples.iter().map(json).collect::<Vec<_>>() });
    Ok(Findings { page, seeds: runs, detail })
}

fn scenario(controller: &str, seconds: u64) -> Result<Scenario, Failure> {
    let end = WARM_UP_S + seconds;
    let mut set = vec![
        ("duration".to_owned(), format!("\"{} s\"", end + AFTER_S)),
        ("measure".to_owned(), format!("{{\"from\": \"{WARM_UP_S} s\", \"to\": \"{end} s\"}}")),
    ];
    let of = |i| (format!("cross_traffic[{i}].controller"), format!("\"{controller}\""));
    set.extend((0..PAIRS).map(of));
    play::scenario(SCENARIO, set)
}

/// Returns the scenario with connections that start at times drawn from the seed. Nothing else in it is random: a lab has
/// its own disorder, all runs of a simulator would be the same.
fn staggered(scenario: &Scenario, seed: u64) -> Scenario {
    let mut scenario = scenario.clone();
    let mut draws = Seed(seed).stream("tfrc-kernel:starts");
    for cross in &mut scenario.cross_traffic {
        cross.start += Duration::from_nanos(draws.below(START_SPREAD.as_nanos()));
    }
    scenario
}

fn mean(shares: &[f64]) -> Option<f64> {
    Interval::of(shares).map(|it| it.mean)
}

/// What is read off a run.
type Figure = (&'static str, fn(&Shares) -> Option<f64>);

fn rows(controller: usize, samples: &[Sample]) -> Vec<Row> {
    const FIGURES: [Figure; 4] = [
        ("TFRC, normalised throughput", |shares| mean(&shares.tfrc)),
        ("TCP, normalised throughput", |shares| mean(&shares.tcp)),
        ("TFRC / TCP", |shares| Some(mean(&shares.tfrc)? / mean(&shares.tcp)?)),
        ("bottleneck in use", |shares| {
            Some((shares.tfrc.iter().sum::<f64>() + shares.tcp.iter().sum::<f64>()) / (2 * PAIRS) as f64)
        }),
    ];
    let here = || samples.iter().filter(|sample| sample.controller == controller);
    let over = |of: &dyn Fn(&Sample) -> Option<f64>| Interval::of(&here().filter_map(of).collect::<Vec<_>>());
    let valid = here().filter(|sample| sample.valid).count();
    let row = |(name, of): Figure| {
        let kernel = over(&|sample| of(&sample.kernel));
        let simulated =
            over(&|sample| Some(&sample.simulated).filter(|shares| shares.has_tcp()).and_then(of));
        Row {
            quantity: format!("beside {}: {name}", CONTROLLERS[controller].1),
            unit: String::new(),
            reference: kernel.map(|it| it.mean),
            ours: simulated.map(|it| it.mean),
            interval: ends(simulated),
            band: None,
            remark: format!("lab {}; {valid} of {} lab runs valid", shown(kernel, 3), here().count()),
        }
    };
    FIGURES.into_iter().map(row).collect()
}

fn plot(controller: usize, samples: &[Sample]) -> Plot {
    let name = CONTROLLERS[controller].1;
    let here = || samples.iter().filter(|sample| sample.controller == controller);
    let dots = |of: &dyn Fn(&Sample) -> Option<f64>| -> Vec<(f64, f64)> {
        here().filter_map(|sample| Some((sample.seed as f64, of(sample)?))).collect()
    };
    let simulated = |sample: &Sample| Some(sample.simulated.clone()).filter(Shares::has_tcp);
    let most = here().map(|sample| sample.seed).max().unwrap_or(1) as f64;
    Plot {
        y_range: None,
        title: format!("Normalised throughput beside {name}"),
        caption: "Means over the four connections of a kind, run by run; 1 is the fair share.".to_owned(),
        x: ("run".to_owned(), String::new()),
        y: ("normalised throughput".to_owned(), String::new()),
        curves: vec![
            curve("TFRC, lab", Shape::Dots, dots(&|sample| mean(&sample.kernel.tfrc))),
            curve(&format!("{name}, lab"), Shape::Dots, dots(&|sample| mean(&sample.kernel.tcp))),
            curve("TFRC, simulated", Shape::Dots, dots(&|sample| mean(&simulated(sample)?.tfrc))),
            curve(&format!("{name}, simulated"), Shape::Dots, dots(&|sample| mean(&simulated(sample)?.tcp))),
            curve("fair share", Shape::Line, vec![(0.0, 1.0), (most, 1.0)]),
        ],
    }
}

fn json(sample: &Sample) -> Value {
    let side = |shares: &Shares| json!({ "tfrc": shares.tfrc, "tcp": shares.tcp });
    json!({
        "controller": CONTROLLERS[sample.controller].0, "seed": sample.seed, "kernel": side(&sample.kernel),
        "simulated": side(&sample.simulated), "lab_valid": sample.valid, "emulator_late_p99_us": sample.late_us,
    })
}
