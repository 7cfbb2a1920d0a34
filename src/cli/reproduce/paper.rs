//! Figures of the paper, measured here on real processes and put beside the paper's values.

use super::{Experiment, Findings, Setting};
use crate::cli::exit::{self, Failure};
use bellini_core::stats::Histogram;
use bellini_live::reproduce::{Load, ReproduceError, SYMBOL_BYTES, Sample, measure};
use bellini_reports::Interval;
use bellini_reports::reproduce::{Curve, Fit, Page, Plot, Row, Shape};
use serde_json::json;
use std::path::PathBuf;

/// Rates of Fig. 6, from idle to saturation.
const RATES: u64 = 10;
/// Sessions among which a load is divided.
const SESSIONS: u32 = 16;
/// Length of each measurement and repetitions, unless told otherwise.
const SECONDS: u64 = 5;
const RUNS: u64 = 3;
/// One packet in so many is timed.
const EVERY: u32 = 64;
/// The search for saturation begins here and doubles, at most up to the second.
const FIRST_PACKETS_PER_S: u64 = 5_000;
const LAST_PACKETS_PER_S: u64 = 2_560_000;
/// Saturated: less than this part of what is offered arrives.
const SATURATED: f64 = 0.9;
/// Clock rate of the paper's machines in GHz: an EC2 m1.medium of 2013 had one virtual core of 2 ECU, each an Opteron
/// or Xeon of 2007 at 1.0 to 1.2 GHz by Amazon's definition, in practice a Xeon E5 at 1.8 to 2.4 GHz.
const PAPER_GHZ: f64 = 2.0;

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "fig6",
        about: "the paper's Fig. 6: packet rate against processor and memory",
        run: |setting| fig6(&Bench::new(setting)?),
    },
    Experiment {
        name: "fig7",
        about: "the paper's Fig. 7: times of routing and flow assignment",
        run: |setting| steps(&Bench::new(setting)?, &FIG7),
    },
    Experiment {
        name: "fig8",
        about: "the paper's Fig. 8: times of dispatching",
        run: |setting| steps(&Bench::new(setting)?, &FIG8),
    },
];

/// What measurements need.
struct Bench {
    binary: PathBuf,
    /// Length of each measurement.
    seconds: u64,
    /// Repetitions, with seeds from 1 on.
    runs: u64,
}

impl Bench {
    fn new(setting: &Setting<'_>) -> Result<Self, Failure> {
        let binary = std::env::current_exe()
            .map_err(|error| Failure::new(exit::ENVIRONMENT, format!("cannot find this program: {error}")))?;
        let options = setting.options;
        let (seconds, runs) = if setting.is_quick() { (1, 1) } else { (SECONDS, RUNS) };
        Ok(Self { binary, seconds: options.seconds.unwrap_or(seconds), runs: options.runs.unwrap_or(runs) })
    }

    fn load(&self, packets_per_s: u64, seed: u64) -> Load {
        let millis = self.seconds * 1_000;
        Load { packets_per_s, sessions: SESSIONS, millis, seed, stopwatch: None }
    }

    fn measure(&self, load: Load) -> Result<Sample, Failure> {
        let wanted = load.packets_per_s;
        let sample = measure(&self.binary, load).map_err(|error| match error {
            ReproduceError::Start(_) => Failure::new(exit::ENVIRONMENT, error),
            other => Failure::new(exit::FAILED, other),
        })?;
        exit::say(format_args!(
            "{wanted:>7} packets/s offered, {:>9.0} at the relay, {:>5.1} % of a core, seed {}",
            sample.packets_per_s,
            sample.cpu * 100.0,
            load.seed
        ));
        Ok(sample)
    }

    /// Returns the measurement with the most packets a second at the relay: rates are doubled until less arrives than
    /// is offered. Offering far more at once would only show how a source drowns.
    fn saturation(&self) -> Result<Sample, Failure> {
        exit::say("looking for saturation");
        let mut best: Option<Sample> = None;
        let mut rate = FIRST_PACKETS_PER_S;
        loop {
            let sample = self.measure(Load { millis: 1_000, ..self.load(rate, 1) })?;
            let reached = sample.packets_per_s;
            if best.as_ref().is_none_or(|best| reached > best.packets_per_s) {
                best = Some(sample);
            }
            match best {
                Some(best) if reached < SATURATED * rate as f64 || rate >= LAST_PACKETS_PER_S => {
                    return Ok(best);
                }
                _ => rate *= 2,
            }
        }
    }
}

/// Fig. 6: processor time and memory against the packet rate.
fn fig6(bench: &Bench) -> Result<Findings, Failure> {
    let saturation = bench.saturation()?;
    let mut samples = Vec::new();
    for run in 1..=bench.runs {
        for step in 0..RATES {
            let rate = (saturation.packets_per_s * step as f64 / (RATES - 1) as f64) as u64;
            samples.push(bench.measure(bench.load(rate, run))?);
        }
    }
    let threads = |sessions| bench.measure(Load { sessions, millis: 1_000, ..bench.load(2_000, 1) });
    let (few, many) = (threads(1)?.threads, threads(1_000)?.threads);
    let cpu: Vec<_> = samples.iter().map(|sample| (sample.packets_per_s / 1e3, sample.cpu * 100.0)).collect();
    let memory: Vec<_> =
        samples.iter().map(|sample| (sample.packets_per_s / 1e3, sample.peak_rss_mib)).collect();
    let per_packet: Vec<_> = samples
        .iter()
        .map(|sample| (sample.packets_per_s / 1e3, sample.cpu / sample.packets_per_s * 1e6))
        .collect();
    let fit = Fit::of(&cpu).ok_or_else(|| {
        Failure::new(exit::FAILED, "the relay received nothing at any rate: there is no line to fit")
    })?;
    let row = |quantity: &str, unit: &str, ours: Option<f64>, interval, remark: &str| Row {
        quantity: quantity.to_owned(),
        unit: unit.to_owned(),
        reference: None,
        ours,
        interval,
        remark: remark.to_owned(),
        ..Row::default()
    };
    // One percent of a core for a thousand packets a second is 10 us a packet.
    let (slope, half) = (fit.slope * 10.0, fit.slope_half * 10.0);
    let around = |value: f64, half: f64| Some((value - half, value + half));
    let (idle, full) = memory_range(&samples);
    let memory_remark = "the paper: \"reasonably low even at a high processing rate\"";
    let mut rows = vec![
        row(
            "processor time per packet (slope)",
            "us",
            Some(slope),
            around(slope, half),
            "a relay's whole cost with the kernel's; the paper shows the line of its Fig. 6 but no numbers",
        ),
        row(
            "processor use when idle (intercept)",
            "% of a core",
            Some(fit.intercept),
            around(fit.intercept, fit.intercept_half),
            "the straight line at no packets",
        ),
        row("R^2 of the line", "", Some(fit.r_squared), None, "the paper: \"a strong linear correlation\""),
        row(
            "saturation",
            "packets/s",
            Some(saturation.packets_per_s),
            None,
            "the most that the relay received while offered rates were doubled; all three processes share this machine",
        ),
        row("peak memory, idle", "MiB", idle.map(|it| it.mean), interval(idle), memory_remark),
        row("peak memory, saturated", "MiB", full.map(|it| it.mean), interval(full), memory_remark),
        row("threads, 1 session", "", Some(few as f64), None, "a fixed number"),
        row("threads, 1,000 sessions", "", Some(many as f64), None, "the same number, however many sessions"),
    ];
    rows[3].reference = Some(135_870.0);
    rows[3]
        .remark
        .push_str("; the paper's value is derived: one core, 1.89 + 5.47 us a packet, without the kernel");
    let most = cpu.iter().map(|point| point.0).fold(0.0, f64::max);
    let x = ("packets at the relay".to_owned(), "thousands/s".to_owned());
    let runs = |points: &[(f64, f64)]| -> Vec<Curve> {
        let runs = points.chunks(RATES as usize).zip(1..);
        runs.map(|(points, run)| Curve {
            name: format!("run {run}"),
            shape: Shape::Dots,
            points: points.to_vec(),
            ..Curve::default()
        })
        .collect()
    };
    let mut curves = runs(&cpu);
    let line = vec![(0.0, fit.intercept.max(0.0)), (most, fit.intercept + fit.slope * most)];
    curves.push(Curve {
        name: "least squares".to_owned(),
        shape: Shape::Line,
        points: line,
        ..Curve::default()
    });
    let page = Page {
        title: "Fig. 6: packet rate against processor and memory".to_owned(),
        reference: "paper".to_owned(),
        lead: format!(
            "A relay between a source and a sink, real processes on the loopback interface, at {RATES} rates from idle \
             to saturation, {} runs of {} s each, processes started anew for each.",
            bench.runs, bench.seconds
        ),
        rows,
        overlays: Vec::new(),
        maps: Vec::new(),
        plots: vec![
            Plot {
                title: "Processor use against packet rate".to_owned(),
                caption: "User and system time of the relay's process; 100 % is one core.".to_owned(),
                x: x.clone(),
                y: ("processor".to_owned(), "% of a core".to_owned()),
                curves,
                ..Plot::default()
            },
            Plot {
                title: "Processor time per packet against packet rate".to_owned(),
                caption: "Where it falls, packets share wake-ups and system calls; on a straight line through zero it \
                          would be level."
                    .to_owned(),
                x: x.clone(),
                y: ("processor time per packet".to_owned(), "us".to_owned()),
                curves: runs(&per_packet),
                ..Plot::default()
            },
            Plot {
                title: "Memory against packet rate".to_owned(),
                caption: "Largest resident memory of the relay's process.".to_owned(),
                x,
                y: ("peak memory".to_owned(), "MiB".to_owned()),
                curves: runs(&memory),
                ..Plot::default()
            },
        ],
        bars: Vec::new(),
        inputs: inputs(bench, None),
        notes: notes(
            "The paper plots averages over 5 minutes of video messages in seven EC2 regions; here the load is steady, its packets are of equal size, and the network is the loopback interface: what is compared is the shape of the line, not a wide-area network.",
        ),
    };
    let digests: Vec<_> = samples.iter().map(|sample| sample.load.digest()).collect();
    let detail = json!({
        "fit": { "slope_us_per_packet": slope, "slope_half": half, "intercept_percent": fit.intercept,
            "intercept_half": fit.intercept_half, "r_squared": fit.r_squared },
        "samples": samples, "digests": digests,
    });
    Ok(Findings { page, seeds: bench.runs, detail })
}

/// Returns peak memory over runs at the lowest and the highest rate.
fn memory_range(samples: &[Sample]) -> (Option<Interval>, Option<Interval>) {
    let at = |step: usize| {
        let values: Vec<_> =
            samples.iter().skip(step).step_by(RATES as usize).map(|it| it.peak_rss_mib).collect();
        Interval::of(&values)
    };
    (at(0), at(RATES as usize - 1))
}

fn interval(of: Option<Interval>) -> Option<(f64, f64)> {
    of.and_then(|it| it.half.map(|half| (it.mean - half, it.mean + half)))
}

/// A figure of times of single packets.
struct StepFigure {
    title: &'static str,
    what: &'static str,
    paper_us: f64,
    paper_deviation_us: Option<f64>,
    pick: fn(&Sample) -> Option<(&Histogram, &Histogram)>,
}

const FIG7: StepFigure = StepFigure {
    title: "Fig. 7: routing and flow assignment, packet by packet",
    what: "at the source, from a symbol to its packet in the feeder of the next hop: the flow is drawn, headers are written, the packet is queued",
    paper_us: 1.89,
    paper_deviation_us: Some(0.1),
    pick: |sample| sample.steps.as_ref().map(|(source, _)| (&source.routing, &source.clock)),
};
const FIG8: StepFigure = StepFigure {
    title: "Fig. 8: dispatching, packet by packet",
    what: "at the relay, from a received frame to the packet in the feeder of its next hop: headers are parsed and checked, the session is found, the packet is queued",
    paper_us: 5.47,
    paper_deviation_us: None,
    pick: |sample| sample.steps.as_ref().map(|(_, relay)| (&relay.dispatch, &relay.clock)),
};

/// Fig. 7 and 8: the distribution of times of single packets under load.
fn steps(bench: &Bench, figure: &StepFigure) -> Result<Findings, Failure> {
    let saturation = bench.saturation()?;
    let rate = (saturation.packets_per_s / 2.0) as u64;
    let mut curves = Vec::new();
    let mut runs = Vec::new();
    let mut figures: [Vec<f64>; 6] = Default::default();
    for run in 1..=bench.runs {
        let sample = bench.measure(Load { stopwatch: Some(EVERY), ..bench.load(rate, run) })?;
        let times = (figure.pick)(&sample).filter(|(times, _)| !times.is_empty());
        let Some((times, clock)) = times else {
            return Err(Failure::new(exit::FAILED, "no packet was timed: nothing reached the node"));
        };
        let cost = clock.quantile(0.5).unwrap_or(0) as f64;
        let net = |nanos: f64| (nanos - cost).max(0.0) / 1e3;
        let at = |q: f64| net(times.quantile(q).unwrap_or(0) as f64);
        let count = times.count();
        let points: Vec<_> =
            times.cdf_points().map(|(nanos, seen)| (net(nanos as f64), seen as f64 / count as f64)).collect();
        let mean = net(times.mean().unwrap_or(0.0));
        let values = [mean, deviation(&points), at(0.5), at(0.95), at(0.99), cost / 1e3];
        figures.iter_mut().zip(values).for_each(|(all, value)| all.push(value));
        let shown = at(0.999);
        curves.push(Curve {
            name: format!("run {run}"),
            shape: Shape::Line,
            points: points.iter().filter(|(x, _)| *x <= shown).map(|(x, y)| (*x, y * 100.0)).collect(),
            ..Curve::default()
        });
        runs.push(json!({
            "seed": run, "digest": sample.load.digest(), "packets_per_s": sample.packets_per_s, "timed_packets": count,
            "clock_cost_ns": cost, "mean_us": mean, "max_us": at(1.0), "cdf_us": points,
        }));
    }
    let row = |quantity: &str, unit: &str, paper, values: &[f64], remark: &str| {
        let over = Interval::of(values);
        Row {
            quantity: quantity.to_owned(),
            unit: unit.to_owned(),
            reference: paper,
            ours: over.map(|it| it.mean),
            interval: interval(over),
            remark: remark.to_owned(),
            ..Row::default()
        }
    };
    let [means, deviations, medians, p95, p99, costs] = &figures;
    let ghz = clock_ghz();
    let mut rows = vec![
        row("mean", "us", Some(figure.paper_us), means, figure.what),
        row(
            "standard deviation of single packets",
            "us",
            figure.paper_deviation_us,
            deviations,
            "here of single packets, with whatever interrupted them; the paper does not say what it is taken over",
        ),
        row("median", "us", None, medians, "single packets"),
        row("95 % are below", "us", None, p95, "single packets"),
        row("99 % are below", "us", None, p99, "single packets"),
        row(
            "cost of a clock reading",
            "us",
            None,
            costs,
            "median of two readings with nothing in between; taken off every time above",
        ),
    ];
    if let Some(ghz) = ghz {
        let cycles: Vec<_> = means.iter().map(|us| us * ghz * 1e3).collect();
        rows.push(row(
            "mean, in clock cycles",
            "cycles",
            Some(figure.paper_us * PAPER_GHZ * 1e3),
            &cycles,
            "by the clock rates under Inputs: machines of 2013 and of today do not differ by clock alone",
        ));
    }
    curves.push(Curve {
        name: "the paper's mean".to_owned(),
        shape: Shape::Line,
        points: vec![(figure.paper_us, 0.0), (figure.paper_us, 100.0)],
        ..Curve::default()
    });
    let page = Page {
        title: figure.title.to_owned(),
        reference: "paper".to_owned(),
        lead: format!(
            "Times of single packets {}. One packet in {EVERY} was timed, at half the rate that this machine saturates at, \
             in {} runs of {} s.",
            figure.what, bench.runs, bench.seconds
        ),
        rows,
        overlays: Vec::new(),
        maps: Vec::new(),
        plots: vec![Plot {
            title: "Times of single packets".to_owned(),
            caption: "Cumulative distribution up to 99.9 % of the packets, the cost of reading the clock taken off.".to_owned(),
            x: ("time".to_owned(), "us".to_owned()),
            y: ("packets at most so long".to_owned(), "%".to_owned()),
            curves,
            ..Plot::default()
        }],
        bars: Vec::new(),
        inputs: inputs(bench, ghz),
        notes: notes("Our step takes more in than the paper's words ask for: the packet is in its feeder when the clock is read again. The clock is read three times around each timed packet; gaps between timed packets vary, so that they do not keep step with batches."),
    };
    Ok(Findings { page, seeds: bench.runs, detail: json!({ "runs": runs }) })
}

/// Returns the standard deviation of a distribution given by its points (value, part at or below).
fn deviation(points: &[(f64, f64)]) -> f64 {
    let mut before = 0.0;
    let (mut mean, mut square) = (0.0, 0.0);
    for (value, part) in points {
        mean += value * (part - before);
        square += value * value * (part - before);
        before = *part;
    }
    (square - mean * mean).max(0.0).sqrt()
}

fn inputs(bench: &Bench, ghz: Option<f64>) -> Vec<(String, String, String)> {
    let input = |name: &str, value: String, origin: &str| (name.to_owned(), value, origin.to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut inputs = vec![
        input("version", env!("CARGO_PKG_VERSION").to_owned(), "measured"),
        input("processor", model_name(), "measured"),
        input("cores, shared by three processes", cores.to_string(), "measured"),
        input("payload of a packet", format!("{SYMBOL_BYTES} B"), "assumed"),
        input("sessions", SESSIONS.to_string(), "assumed"),
        input("network", "loopback interface, UDP".to_owned(), "assumed"),
        input("length of a measurement", format!("{} s", bench.seconds), "assumed"),
        input("seeds", format!("1 to {}", bench.runs), "assumed"),
        input("the paper's machines", "medium instances of EC2, 2013".to_owned(), "from the paper"),
    ];
    if let Some(ghz) = ghz {
        inputs.push(input("clock rate here", format!("{ghz:.2} GHz"), "measured"));
        inputs.push(input("clock rate of the paper's machines", format!("{PAPER_GHZ} GHz"), "assumed"));
    }
    inputs
}

fn notes(own: &str) -> Vec<String> {
    let mut notes = vec![own.to_owned()];
    notes.push("Source, relay and sink share one machine and its caches; what else ran on it meanwhile is in the figures, too.".to_owned());
    if cfg!(debug_assertions) {
        notes.push("This is a build for debugging: its times say nothing. Build with --release.".to_owned());
    }
    notes
}

/// Returns the first value of a key in the system's description of its processors.
fn processor(key: &str) -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn model_name() -> String {
    processor("model name").unwrap_or_else(|| "unknown".to_owned())
}

fn clock_ghz() -> Option<f64> {
    processor("cpu MHz")?.parse::<f64>().ok().map(|mhz| mhz / 1e3)
}
