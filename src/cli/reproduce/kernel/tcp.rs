//! `tcp-kernel`: goodput of simulated TCP and of the kernel's over loss, round trip and buffer.
//!
//! Both play the same scenario with the same seed, so that links lose the same packets of each path as far as both send
//! alike; ratios are taken path by path.

use super::super::play::{self, Measured, is_valid, lateness, simulate};
use super::{AFTER_S, Findings, Setting, curve, ends, input, ratio, shown};
use crate::cli::exit::Failure;
use crate::cli::reproduce::parallel;
use bellini_reports::Interval;
use bellini_reports::reproduce::{Page, Plot, RatioMap, Row, Shape};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::Summary;
use serde_json::{Value, json};

const SCENARIO: &str = include_str!("../../../../scenarios/transports/kernel-tcp.json");
/// Rate of the links in the scenario, in bit/s.
const RATE_BPS: f64 = 20e6;
/// Seconds before the measuring window: slow start is over and its losses are repaired.
const WARM_UP_S: u64 = 5;
/// Paths in the scenario, and whose controls they are in turn.
const PATHS: usize = 4;
const CONTROLLERS: [&str; 2] = ["reno", "cubic"];

const LOSSES: [f64; 3] = [0.0, 0.001, 0.01];
const ROUND_TRIPS_MS: [f64; 2] = [20.0, 80.0];
const BUFFERS_BDP: [f64; 2] = [0.25, 1.0];
/// How far from one a ratio may be.
const BAND: (f64, f64) = (0.9, 1.1);

/// A place in the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    loss: f64,
    rtt_ms: f64,
    buffer_bdp: f64,
}

impl Place {
    fn row(&self, controller: &str) -> String {
        format!("{controller}, loss {} %", self.loss * 100.0)
    }

    fn column(&self) -> String {
        format!("{} ms, {} BDP", self.rtt_ms, self.buffer_bdp)
    }

    fn scenario(&self, seconds: u64) -> Result<Scenario, Failure> {
        let text = |value: &str| format!("\"{value}\"");
        let queue = (RATE_BPS / 8e3 * self.rtt_ms * self.buffer_bdp).round();
        let end = WARM_UP_S + seconds;
        let mut set = vec![
            ("name".to_owned(), text("kernel-tcp")),
            ("duration".to_owned(), text(&format!("{} s", end + AFTER_S))),
            ("measure".to_owned(), format!("{{\"from\": \"{WARM_UP_S} s\", \"to\": \"{end} s\"}}")),
            ("defaults.link.delay".to_owned(), text(&format!("{} ms", self.rtt_ms / 2.0))),
        ];
        for path in 0..PATHS {
            set.push((format!("links[{path}].queue"), text(&format!("{queue} B"))));
            set.push((format!("links[{path}].loss"), self.loss.to_string()));
        }
        play::scenario(SCENARIO, set)
    }
}

/// One connection in one run: goodput in Mbit/s and segments that were sent again.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Flow {
    goodput: f64,
    again: Option<u64>,
}

/// One path of one run, in both.
#[derive(Clone, Copy, Debug)]
struct Sample {
    place: Place,
    seed: u64,
    path: usize,
    simulated: Option<Flow>,
    kernel: Flow,
    valid: bool,
    late_us: f64,
}

impl Sample {
    fn controller(&self) -> &'static str {
        CONTROLLERS[self.path % CONTROLLERS.len()]
    }

    fn ratio(&self) -> Option<f64> {
        self.simulated.filter(|_| self.kernel.goodput > 0.0).map(|flow| flow.goodput / self.kernel.goodput)
    }
}

pub(super) fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let quick = setting.is_quick();
    let seconds = setting.options.seconds.unwrap_or(if quick { 3 } else { 15 });
    let runs = setting.options.runs.unwrap_or(if quick { 1 } else { 3 });
    let places = grid(quick);
    let mut lab = Measured::open(setting)?;
    let mut measured = Vec::new();
    // Round by round, so that what disturbs the machine for a while does not fall on one place.
    for seed in 1..=runs {
        for place in &places {
            let label = format!("{}, loss {} %", place.column(), place.loss * 100.0);
            let scenario = place.scenario(seconds)?;
            let summary = lab.run(&scenario, seed, &label)?;
            measured.push((*place, seed, scenario, summary));
        }
    }
    let simulated = parallel::each("simulator", &measured, |(_, seed, scenario, _)| {
        simulate(setting.registry, scenario, *seed)
    })?;
    let samples: Vec<Sample> = measured
        .iter()
        .zip(&simulated)
        .flat_map(|((place, seed, _, kernel), simulated)| samples(*place, *seed, simulated, kernel))
        .collect();
    let rows: Vec<Row> = cells(&places).map(|(place, controller)| row(place, controller, &samples)).collect();
    let mut notes = vec![
        "Simulator and lab play one scenario with one seed: links draw the same losses, and as long as both send alike \
         the same packets are lost. Ratios are taken path by path."
            .to_owned(),
        "A ratio's interval speaks of the seeds and paths that were run. Where losses are rare in the window it is wide \
         for that reason alone."
            .to_owned(),
    ];
    if samples.iter().all(|sample| sample.simulated.is_none()) {
        notes.push(
            "The simulator plays no TCP as cross traffic in this version: there are no ratios.".to_owned(),
        );
    }
    notes.extend(lab.notes(measured.len() as u64));
    let page = Page {
        bars: Vec::new(),
        title: "Simulated TCP against the kernel's".to_owned(),
        lead: format!(
            "One connection that always has something to send, over one link of 20 Mbit/s: goodput over {seconds} s after \
             {WARM_UP_S} s of warm-up, in the simulator and of the kernel's own TCP over emulated links of the same \
             model, {runs} runs of two paths for each place of the grid."
        ),
        reference: "kernel".to_owned(),
        rows,
        overlays: Vec::new(),
        maps: vec![map(&places, &samples)],
        plots: vec![scatter(&places, &samples)],
        inputs: vec![
            input("version", env!("CARGO_PKG_VERSION").to_owned(), "measured"),
            input("kernel", play::system(), "measured"),
            input("rate", "20 Mbit/s".to_owned(), "assumed"),
            input("measuring window", format!("{seconds} s"), "assumed"),
            input("lab runs for each place of the grid", runs.to_string(), "assumed"),
        ],
        notes,
    };
    let detail = json!({ "samples": samples.iter().map(json).collect::<Vec<_>>() });
    Ok(Findings { page, seeds: runs, detail })
}

fn grid(quick: bool) -> Vec<Place> {
    let (losses, trips, buffers): (&[f64], &[f64], &[f64]) =
        if quick { (&[0.0, 0.01], &[20.0], &[1.0]) } else { (&LOSSES, &ROUND_TRIPS_MS, &BUFFERS_BDP) };
    let mut all = Vec::new();
    for &loss in losses {
        for &rtt_ms in trips {
            all.extend(buffers.iter().map(|&buffer_bdp| Place { loss, rtt_ms, buffer_bdp }));
        }
    }
    all
}

fn cells(places: &[Place]) -> impl Iterator<Item = (&Place, &'static str)> {
    CONTROLLERS.into_iter().flat_map(move |controller| places.iter().map(move |place| (place, controller)))
}

/// Reads the connections of one run.
fn samples(place: Place, seed: u64, simulated: &Summary, kernel: &Summary) -> Vec<Sample> {
    let flow = |summary: &Summary, path: usize| {
        let flow = summary.cross_flows.get(path)?;
        Some(Flow { goodput: flow.goodput_mbps?, again: flow.retransmitted_segments })
    };
    let (valid, late_us) = (is_valid(kernel), lateness(kernel));
    let sample = |path| {
        // A simulator without TCP delivers nothing.
        let simulated = flow(simulated, path).filter(|flow| flow.goodput > 0.0);
        Some(Sample { place, seed, path, simulated, kernel: flow(kernel, path)?, valid, late_us })
    };
    (0..PATHS).filter_map(sample).collect()
}

/// The samples of one cell of the map.
struct Cell {
    ratio: Option<Interval>,
    simulated: Option<Interval>,
    kernel: Option<Interval>,
}

fn cell(place: &Place, controller: &str, samples: &[Sample]) -> Cell {
    let here: Vec<_> =
        samples.iter().filter(|it| it.place == *place && it.controller() == controller).collect();
    let over = |of: &dyn Fn(&Sample) -> Option<f64>| {
        Interval::of(&here.iter().filter_map(|sample| of(sample)).collect::<Vec<_>>())
    };
    Cell {
        ratio: over(&Sample::ratio),
        simulated: over(&|sample| sample.simulated.map(|flow| flow.goodput)),
        kernel: over(&|sample| Some(sample.kernel.goodput)),
    }
}

fn row(place: &Place, controller: &str, samples: &[Sample]) -> Row {
    let found = cell(place, controller, samples);
    let here = || samples.iter().filter(|it| it.place == *place && it.controller() == controller);
    let again = |of: fn(&Sample) -> Option<u64>| here().filter_map(of).sum::<u64>();
    let valid = here().filter(|sample| sample.valid).count();
    Row {
        quantity: format!("{}, {}", place.row(controller), place.column()),
        unit: "simulated / kernel".to_owned(),
        reference: found.ratio.map(|_| 1.0),
        ours: found.ratio.map(|it| it.mean),
        interval: ends(found.ratio),
        band: found.ratio.map(|_| BAND),
        remark: format!(
            "goodput {} Mbit/s simulated, {} the kernel's; sent again {} and {} segments; {valid} of {} paths in valid \
             lab runs",
            shown(found.simulated, 2),
            shown(found.kernel, 2),
            again(|sample| sample.simulated.and_then(|flow| flow.again)),
            again(|sample| sample.kernel.again),
            here().count(),
        ),
    }
}

fn map(places: &[Place], samples: &[Sample]) -> RatioMap {
    let mut columns: Vec<String> = Vec::new();
    let mut rows: Vec<String> = Vec::new();
    for (place, controller) in cells(places) {
        let names = [(&mut rows, place.row(controller)), (&mut columns, place.column())];
        for (known, name) in names {
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }
    let mut cells_of = vec![None; rows.len() * columns.len()];
    for (place, controller) in cells(places) {
        let at = |known: &[String], name: &str| known.iter().position(|it| it == name);
        if let (Some(r), Some(c)) = (at(&rows, &place.row(controller)), at(&columns, &place.column())) {
            cells_of[r * columns.len() + c] = ratio(cell(place, controller, samples).ratio);
        }
    }
    RatioMap {
        title: "Goodput of simulated TCP / the kernel's".to_owned(),
        caption:
            "Mean of the ratios and their 95 % interval over runs and paths; columns: round trip and buffer."
                .to_owned(),
        rows,
        columns,
        cells: cells_of,
    }
}

fn scatter(places: &[Place], samples: &[Sample]) -> Plot {
    let points = |controller: &str| -> Vec<(f64, f64)> {
        let both = |place| {
            let cell = cell(place, controller, samples);
            Some((cell.kernel?.mean, cell.simulated?.mean))
        };
        places.iter().filter_map(both).collect()
    };
    Plot {
        y_range: None,
        title: "Goodput, place by place".to_owned(),
        caption: "Each dot is a place of the grid; on the line both agree.".to_owned(),
        x: ("the kernel's".to_owned(), "Mbit/s".to_owned()),
        y: ("simulated".to_owned(), "Mbit/s".to_owned()),
        curves: vec![
            curve("Reno", Shape::Dots, points("reno")),
            curve("CUBIC", Shape::Dots, points("cubic")),
            curve("equal", Shape::Line, vec![(0.0, 0.0), (20.0, 20.0)]),
        ],
    }
}

fn json(sample: &Sample) -> Value {
    let flow = |flow: Flow| json!({ "goodput_mbps": flow.goodput, "retransmitted_segments": flow.again });
    json!({
        "controller": sample.controller(), "loss": sample.place.loss, "rtt_ms": sample.place.rtt_ms,
        "buffer_bdp": sample.place.buffer_bdp, "seed": sample.seed, "path": sample.path,
        "simulated": sample.simulated.map(flow), "kernel": flow(sample.kernel), "ratio": sample.ratio(),
        "lab_valid": sample.valid, "emulator_late_p99_us": sample.late_us,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: every place of the grid makes a scenario with its loss, delay and buffer on the data's links only.
    #[test]
    fn places_become_scenarios() {
        for place in grid(false) {
            let scenario = place.scenario(15).expect("it is sound");
            assert_eq!(scenario.cross_flows().len(), PATHS);
            for (path, flow) in scenario.cross_flows().iter().enumerate() {
                assert_eq!(flow.controller.as_str(), CONTROLLERS[path % 2]);
                let link = &scenario.links[flow.link];
                assert_eq!(link.delay.as_millis_f64() * 2.0, place.rtt_ms);
                let bdp = 20e6 / 8.0 * place.rtt_ms * 1e-3;
                assert!((link.queue.bytes as f64 - bdp * place.buffer_bdp).abs() < 1.0);
            }
            let lossy =
                scenario.links.iter().filter(|link| link.loss != bellini_scenarios::model::Loss::None);
            assert_eq!(lossy.count(), if place.loss > 0.0 { PATHS } else { 0 });
        }
        assert_eq!((grid(false).len(), grid(true).len()), (12, 2));
    }

    /// Aim: ratios are taken path by path, and cells hold only their own controller and place.
    #[test]
    fn cells_are_told_apart() {
        let place = grid(true)[0];
        let flow = |goodput| Flow { goodput, again: Some(1) };
        let sample = |path, simulated, kernel| Sample {
            place,
            seed: 1,
            path,
            simulated: Some(flow(simulated)),
            kernel: flow(kernel),
            valid: true,
            late_us: 1.0,
        };
        let samples = [sample(0, 1.0, 2.0), sample(2, 3.0, 2.0), sample(1, 9.0, 3.0)];
        let reno = cell(&place, "reno", &samples);
        assert_eq!(reno.ratio.map(|it| (it.mean, it.n)), Some((1.0, 2)));
        assert_eq!(cell(&place, "cubic", &samples).ratio.map(|it| it.mean), Some(3.0));
        assert_eq!(row(&place, "cubic", &samples).holds(), Some(false));
        let map = map(&grid(true), &samples);
        assert_eq!((map.rows.len(), map.columns.len()), (4, 1));
        assert_eq!(map.cells.iter().flatten().count(), 2);
    }
}
