//! `bellini fidelity`: the same scenarios in the simulator and in the lab, and how far the prediction was off.

mod plant;

use super::args::{FidelityOptions, LabNetwork};
use super::check::ScenarioText;
use super::exit::{self, Failure};
use super::interrupt;
use super::lab::Lab;
use super::report::load;
use super::runs::{Player, play_one};
use super::sim::Simulator;
use crate::Registry;
use bellini_live::lab::LabOptions as LabSettings;
use bellini_reports::Options;
use bellini_reports::compare::{Comparison, Kind, Tolerances, Verdict, compare, obstacles};
use bellini_scenarios::emit;
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{Run, Status, file};
use plant::PLANTS;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A lab run that is not valid is repeated so often; the machine may have been busy.
const REPEATS: u64 = 3;

/// What the columns of the table are. Delays and losses are those of the line that is farthest off.
const HEADER: &str = "| scenario | goodput, lab / sim (95 %) | queueing delay p50, lab - sim, ms | p95, ms | p99, ms | \
    lost share, lab - sim | valid lab runs | emulator late, p95 of the worst run, us | verdict |\n\
    |---|---|---|---|---|---|---|---|---|\n";

pub(super) fn run(registry: &Registry, options: &FidelityOptions) -> Result<u8, Failure> {
    bellini_live::lab::Privilege::obtain().map_err(|error| Failure::new(exit::ENVIRONMENT, error))?;
    // Everything is read before anything is run.
    let read = |path: &PathBuf| {
        let options = options.scenario_options(path);
        let text = ScenarioText::read(registry, &options)?;
        Ok(text.resolve(None)?.scenario)
    };
    let scenarios: Vec<Scenario> = options.scenarios.iter().map(read).collect::<Result<_, Failure>>()?;
    for (i, scenario) in scenarios.iter().enumerate() {
        if scenarios[..i].iter().any(|other| other.name == scenario.name) {
            let message =
                format!("two scenarios are called `{}`: their runs would share a place", scenario.name);
            return Err(Failure::new(exit::USAGE, message));
        }
    }
    interrupt::catch();
    let kernel_shaper = options.network == LabNetwork::Kernel;
    let lab = Lab {
        registry,
        record: false,
        edges: &[],
        options: LabSettings { kernel_shaper, ..LabSettings::default() },
    };
    let campaign = Campaign { registry, options, lab };
    let mut holds = true;
    let mut document = Vec::new();
    if options.controls.is_none() {
        exit::print(HEADER);
    }
    for scenario in &scenarios {
        let outcome = match options.controls {
            None => campaign.compare(scenario)?,
            Some(trials) => campaign.controls(scenario, trials)?,
        };
        holds &= outcome.holds;
        exit::print(&outcome.text);
        document.push(outcome.json);
    }
    let path = options.out().join(if options.controls.is_some() { "controls.json" } else { "fidelity.json" });
    let text = format!("{:#}\n", Value::Array(document));
    std::fs::write(&path, text)
        .map_err(|error| Failure::new(exit::ENVIRONMENT, format!("{}: {error}", path.display())))?;
    exit::say(format_args!("Figures: {}", path.display()));
    Ok(if holds { exit::DONE } else { exit::CHECK })
}

struct Campaign<'r> {
    registry: &'r Registry,
    options: &'r FidelityOptions,
    lab: Lab<'r>,
}

/// What came of one scenario.
struct Outcome {
    holds: bool,
    text: String,
    json: Value,
}

impl Campaign<'_> {
    /// Compares simulator and lab on one scenario.
    fn compare(&self, scenario: &Scenario) -> Result<Outcome, Failure> {
        let base = self.options.out().join(&scenario.name);
        let simulated = self.simulate(scenario, 1, self.options.seeds, &base.join("sim"))?;
        let (measured, invalid) = self.measure(scenario, self.options.runs, &base.join("lab"))?;
        let (a, b) = (load(&simulated)?, load(&measured)?);
        if let Some(obstacle) = obstacles(&a, &b).first() {
            return Err(Failure::new(exit::FAILED, obstacle.text()));
        }
        let comparison =
            compare(&a, &b, Tolerances::default()).map_err(|error| Failure::new(exit::FAILED, error))?;
        comparison
            .write(&base.join("compare"), Options::default())
            .map_err(|error| Failure::new(exit::FAILED, error))?;
        let mut outcome = row(scenario, &comparison, &b, invalid);
        if (b.len() as u64) < self.options.runs {
            outcome.holds = false;
            exit::say(format_args!(
                "{}: only {} of {} lab runs were valid",
                scenario.name,
                b.len(),
                self.options.runs
            ));
        }
        Ok(outcome)
    }

    /// Plants errors in the simulator's side and counts how often they are caught; lab against lab must pass.
    fn controls(&self, scenario: &Scenario, trials: u64) -> Result<Outcome, Failure> {
        let base = self.options.out().join(&scenario.name);
        let runs = self.options.runs;
        let (measured, invalid) = self.measure(scenario, trials * runs, &base.join("lab"))?;
        let lab = load(&measured)?;
        let groups: Vec<&[Run]> =
            lab.chunks(runs as usize).filter(|group| group.len() == runs as usize).collect();
        if groups.len() < 2 {
            return Err(Failure::new(exit::FAILED, "fewer than two groups of valid lab runs"));
        }
        let mut text = format!("{}: {} trials of {runs} lab runs each\n", scenario.name, groups.len());
        let mut found = Vec::new();
        let mut holds = groups.len() as u64 == trials;
        let enough = |good: usize, all: usize| good * 20 >= all * 19;
        let pairs = (0..groups.len()).map(|i| (groups[i], groups[(i + 1) % groups.len()]));
        let passed = pairs.filter(|(a, b)| judge(a, b)).count();
        holds &= enough(passed, groups.len());
        let _ = writeln!(text, "  lab against lab: {passed} of {} pass", groups.len());
        found.push(json!({"control": "lab against lab", "passed": passed, "trials": groups.len()}));
        for (name, plant) in
            [("nothing", None)].into_iter().chain(PLANTS.map(|(name, plant)| (name, Some(plant))))
        {
            let mut planted = scenario.clone();
            if let Some(plant) = plant {
                plant(&mut planted);
                if planted == *scenario {
                    let _ = writeln!(text, "  {name}: nothing in the scenario to plant it in");
                    holds = false;
                    continue;
                }
            }
            let mut caught = 0;
            for (trial, group) in groups.iter().enumerate() {
                // The seeds of the group are among them, so that runs can be compared in pairs.
                let first = group.iter().map(|run| run.summary.seed).min().unwrap_or(1);
                let place =
                    base.join(format!("planted-{}", name.replace(' ', "-"))).join(format!("trial-{trial}"));
                let runs = load(&self.simulate(&planted, first, self.options.seeds, &place)?)?;
                caught += usize::from(!judge(&runs, group));
            }
            let all = groups.len();
            let (good, word) =
                if plant.is_some() { (caught, "caught in") } else { (all - caught, "passes in") };
            holds &= enough(good, all);
            let _ = writeln!(text, "  {name}: {word} {good} of {all}");
            found.push(json!({"planted": name, "caught": caught, "trials": all}));
        }
        let json = json!({"scenario": scenario.name, "invalid_runs": invalid, "controls": found});
        Ok(Outcome { holds, text, json })
    }

    fn simulate(
        &self,
        scenario: &Scenario,
        first: u64,
        seeds: u64,
        base: &Path,
    ) -> Result<Vec<PathBuf>, Failure> {
        let simulator = Simulator { registry: self.registry };
        let mut done = Vec::new();
        for seed in first..first + seeds {
            let path = base.join(format!("seed-{seed}"));
            self.play(&simulator, scenario, seed, &path)?;
            done.push(path);
        }
        Ok(done)
    }

    /// Runs in the lab until `runs` of them are valid; returns them, and how many were not.
    fn measure(&self, scenario: &Scenario, runs: u64, base: &Path) -> Result<(Vec<PathBuf>, u64), Failure> {
        let (mut valid, mut invalid) = (Vec::new(), 0);
        let mut seed = 0;
        while (valid.len() as u64) < runs && invalid < REPEATS * runs {
            seed += 1;
            let path = base.join(format!("run-{seed}"));
            self.play(&self.lab, scenario, seed, &path)?;
            let summary = Run::load(&path).map_err(|error| Failure::new(exit::FAILED, error))?.summary;
            match summary.lab.filter(|lab| !lab.valid) {
                None => valid.push(path),
                Some(lab) => {
                    invalid += 1;
                    exit::say(format_args!(
                        "{} run {seed} is not valid: {}",
                        scenario.name,
                        lab.reasons.join("; ")
                    ));
                }
            }
        }
        if valid.is_empty() {
            return Err(Failure::new(
                exit::FAILED,
                "no run in the lab was valid: this machine is too slow or too busy",
            ));
        }
        Ok((valid, invalid))
    }

    /// Plays one run, unless an earlier campaign has left it complete and it may be kept. Nothing is replaced.
    fn play(&self, player: &impl Player, scenario: &Scenario, seed: u64, path: &Path) -> Result<(), Failure> {
        let interrupted = || {
            Failure::rendered(exit::INTERRUPTED, "Interrupted; --keep goes on where this ended.".to_owned())
        };
        if interrupt::was_pressed() {
            return Err(interrupted());
        }
        // What populations drew is the same for all: seeds are to differ in what happens, not in what is built.
        let scenario = Scenario { seed, ..scenario.clone() };
        if self.options.keep && path.join(file::SUMMARY).is_file() {
            let kept = Run::load(path).map_err(|error| Failure::new(exit::FAILED, error))?;
            let text = std::fs::read_to_string(path.join(file::SCENARIO)).unwrap_or_default();
            if text != emit::to_text(&scenario) {
                let message = format!("{} is a run of another scenario; use --out DIR", path.display());
                return Err(Failure::new(exit::USAGE, message));
            }
            if kept.summary.status == Status::Complete {
                return Ok(());
            }
            std::fs::remove_dir_all(path)
                .map_err(|error| Failure::new(exit::ENVIRONMENT, format!("{}: {error}", path.display())))?;
        }
        match play_one(player, &scenario, seed, path)?.status {
            Status::Interrupted => Err(interrupted()),
            _ => Ok(()),
        }
    }
}

fn judge(a: &[Run], b: &[Run]) -> bool {
    compare(a, b, Tolerances::default()).is_ok_and(|comparison| comparison.holds())
}

/// One row of the table: the worst line of each kind.
fn row(scenario: &Scenario, comparison: &Comparison<'_>, lab: &[Run], invalid: u64) -> Outcome {
    let worst = |kind: Kind, metric: Option<&str>| {
        let lines = comparison.lines.iter().filter(|line| line.kind == kind);
        let lines = lines.filter(|line| metric.is_none_or(|metric| line.metric.contains(metric)));
        let off = |line: &&bellini_reports::compare::Line| {
            let distance = line.value.map_or(0.0, |value| match line.measure {
                bellini_reports::compare::Measure::Ratio => value.max(1e-12).ln().abs(),
                bellini_reports::compare::Measure::Difference => value.abs(),
            });
            (distance * 1e9) as u64
        };
        lines.max_by_key(off)
    };
    let goodput = worst(Kind::Goodput, None);
    let shown = |line: Option<&bellini_reports::compare::Line>| {
        line.and_then(|line| line.value).map_or("-".to_owned(), |value| format!("{value:+.3}"))
    };
    let interval = goodput.and_then(|line| line.interval);
    let goodput_text = match interval {
        Some([low, high]) => format!("{low:.4} to {high:.4}"),
        None => goodput.and_then(|line| line.value).map_or("-".to_owned(), |value| format!("{value:.4}")),
    };
    let [p50, p95, p99] = ["p50", "p95", "p99"].map(|metric| worst(Kind::Delay, Some(metric)));
    let holds = comparison.holds();
    let exceeded = comparison.count(Verdict::Exceeded);
    let late: Vec<f64> = lab
        .iter()
        .filter_map(|run| run.summary.lab.as_ref().and_then(|lab| lab.emulator_late_p95_us))
        .collect();
    let late = late.iter().copied().fold(0.0, f64::max);
    let text = format!(
        "| {} | {goodput_text} | {} | {} | {} | {} | {}{} | {late:.0} | {} |\n",
        scenario.name,
        shown(p50),
        shown(p95),
        shown(p99),
        shown(worst(Kind::Loss, None)),
        lab.len(),
        if invalid > 0 { format!(" (+{invalid} invalid)") } else { String::new() },
        if holds { "holds".to_owned() } else { format!("{exceeded} lines exceeded") },
    );
    let failing: Vec<Value> = comparison
        .lines
        .iter()
        .filter(|line| line.verdict == Verdict::Exceeded)
        .map(|line| json!({"id": line.id, "metric": line.metric, "a": line.a, "b": line.b}))
        .collect();
    let json = json!({
        "scenario": scenario.name,
        "sim_runs": comparison.a.len(),
        "lab_runs": lab.len(),
        "invalid_runs": invalid,
        "goodput_ratio_worst": goodput.and_then(|line| line.value),
        "goodput_ratio_interval": interval,
        "queueing_p50_worst_ms": p50.and_then(|line| line.value),
        "queueing_p95_worst_ms": p95.and_then(|line| line.value),
        "queueing_p99_worst_ms": p99.and_then(|line| line.value),
        "emulator_late_p95_us_max": late,
        "holds": holds,
        "exceeded": failing,
    });
    Outcome { holds, text, json }
}
