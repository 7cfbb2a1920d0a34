//! Fig. 3 of the paper: a session over several flows, drawn from packets that were recorded.

mod capture;
mod drawing;
mod rows;
mod tally;

use super::common::{SEEDS, input};
use super::play::{Quiet, failure, is_valid, scenario};
use super::{Experiment, Findings, Setting, parallel};
use crate::cli::exit::{self, Failure};
use crate::cli::interrupt;
use bellini_core::route::Route;
use bellini_live::lab::{Lab, LabOptions, Privilege};
use bellini_reports::reproduce::{Page, TextTable};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{Status, Summary};
use capture::{Captured, Seen};
use drawing::recorded;
use rows::{conserved, same_draws, shares};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tally::{Count, Tally};

const SCENARIO: &str = include_str!("../../../../scenarios/fig3.json");
/// Seeds in the simulator.
const SIM_SEEDS: u64 = 20;

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "fig3",
    about: "the paper's Fig. 3: the tree of traffic, drawn from recorded packets",
    run: fig3,
}];

/// What the scenario says of the session.
struct Configured {
    source: u32,
    destinations: Vec<u32>,
    /// Routes with the part of packets that each is to get, and words for its rate.
    flows: Vec<(Route, f64, String)>,
    /// Names of nodes by id.
    names: Vec<(u32, String)>,
}

impl Configured {
    fn of(scenario: &Scenario) -> Self {
        let session = &scenario.conferences[0].sessions[0];
        let rate = |flow: &bellini_scenarios::model::StaticFlow| {
            flow.share.or_else(|| flow.rate.map(|rate| rate.as_bps() as f64)).unwrap_or(0.0)
        };
        let whole: f64 = session.routing.flows.iter().map(rate).sum();
        let words = |flow: &bellini_scenarios::model::StaticFlow| {
            flow.rate.map_or_else(String::new, |rate| format!("{} Mbit/s", rate.as_bps() as f64 / 1e6))
        };
        let flow = |flow: &bellini_scenarios::model::StaticFlow| {
            (flow.route.clone(), rate(flow) / whole, words(flow))
        };
        Self {
            source: session.source.get(),
            destinations: session.destinations.iter().map(|node| node.get()).collect(),
            flows: session.routing.flows.iter().map(flow).collect(),
            names: scenario.nodes.iter().map(|node| (node.id.get(), node.name.clone())).collect(),
        }
    }

    fn name(&self, id: u32) -> &str {
        self.names.iter().find(|known| known.0 == id).map_or("", |known| known.1.as_str())
    }
}

/// One run, counted.
struct Run {
    seed: u64,
    tally: Tally,
    summary: Summary,
    digest: String,
}

/// Runs of one mode.
struct Mode {
    name: &'static str,
    runs: Vec<Run>,
}

fn fig3(setting: &Setting<'_>) -> Result<Findings, Failure> {
    // Before any thread is started: user namespaces are for processes of one thread.
    let privilege = Privilege::obtain();
    let set = if setting.is_quick() {
        vec![("duration".to_owned(), "2 s".to_owned()), ("cross_traffic".to_owned(), "[]".to_owned())]
    } else {
        Vec::new()
    };
    let scenario = scenario(SCENARIO, set)?;
    let configured = Configured::of(&scenario);
    let count = setting.seeds(SIM_SEEDS, 2);
    let mut notes = vec![
        "The paper's Fig. 3(a) is not legible in the text that survives: what it says in words is a session from node 1 to nodes 2 and 4 with two routing policies and their rates. Routes and rates here are a reconstruction, and so is everything that follows from them.".to_owned(),
        "Counts are of packets that were seen: where one left a node and where one reached it, over the whole run. Flow and number of a packet are read from its header, what is owed from its routing header.".to_owned(),
        "A copy (dashed) is a packet that its sender sent to another next hop just before. What is sent and does not arrive was lost on the link: at random, or in a queue that cross traffic fills.".to_owned(),
    ];
    let mut modes = Vec::new();
    interrupt::catch();
    let privilege = privilege.map_err(|error| Failure::new(exit::ENVIRONMENT, error));
    match privilege.and_then(|_| lab(setting, &scenario, configured.source)) {
        Ok((run, said)) => {
            notes.extend(said);
            modes.push(Mode { name: "lab", runs: vec![run] });
        }
        // What the machine does not allow is no failure of the experiment.
        Err(refused) if refused.code == exit::ENVIRONMENT => {
            let reason = refused.message.trim_start_matches("error: ");
            exit::say(format_args!("fig3: no lab: {reason}"));
            notes.push(format!("The lab did not run here, so that there is only the simulator: {reason}"));
        }
        Err(failed) => return Err(failed),
    }
    let seeds: Vec<u64> = (1..=count).collect();
    let runs = parallel::each("fig3", &seeds, |seed| {
        let captured = capture::simulated(setting.registry, &scenario, *seed)?;
        if *seed == 1 {
            keep(setting, "packets-sim.csv", &captured.packets)?;
        }
        let digest = captured.summary.digest.clone().unwrap_or_default();
        Ok(run(*seed, captured, configured.source, digest))
    })?;
    modes.insert(0, Mode { name: "simulator", runs });
    let mut rows = Vec::new();
    for mode in &modes {
        rows.extend(shares(&configured, mode));
        rows.extend(conserved(&configured, mode));
    }
    if let [sim, lab] = &modes[..] {
        rows.push(same_draws(&sim.runs[0], &lab.runs[0]));
    }
    let mut trees = vec![drawing::configured(&configured)];
    trees.extend(modes.iter().map(|mode| recorded(&configured, mode.name, &mode.runs[0])));
    let page = Page {
        title: "Fig. 3: flows of a session, from recorded packets".to_owned(),
        lead: format!(
            "The scenario fig3.json: node 1 sends to nodes 2 and 4 over two flows, one of which is duplicated at a relay, \
             the other at the source. Run in the simulator with {count} seeds{}; each packet was recorded where it left and \
             where it reached a node, and the tree is drawn from these records, beside what the configuration says.",
            if modes.len() > 1 { " and by real processes in the lab with seed 1" } else { "" }
        ),
        reference: "configuration".to_owned(),
        rows,
        tables: vec![edges_table(&configured, &modes)],
        trees,
        inputs: vec![
            input("scenario", "fig3.json", "assumed: a reconstruction, since the paper's Fig. 3(a) is lost"),
            input("source and destinations", "1 to 2 and 4", "reference: the paper, caption of Fig. 3"),
            input("number of routing policies", "2, each with a rate", "reference: the paper, section II"),
            input(
                "routes",
                "1>3>{2,4} and 1>{2,5>4}",
                "assumed: multi-hop, multi-path and duplicated, as the paper's words say",
            ),
            input(
                "rates",
                "6 and 3 Mbit/s",
                "assumed: shares unlike one half, so that a wrong draw would show",
            ),
            input(
                "delays",
                "EC2 regions of 2013",
                "measured: round trips between regions, data set aws-2013 (scenarios/data/SOURCES.md)",
            ),
            input("links", "10 Mbit/s, 128 KiB, loss 0.1 %", "assumed: so that queues and losses show"),
            input("seeds", format!("1 to {count}"), SEEDS),
        ],
        notes,
        ..Page::default()
    };
    let detail = json!({ "runs": modes.iter().flat_map(|mode| mode.runs.iter().map(|run| document(mode.name, run))).collect::<Vec<_>>() });
    Ok(Findings { page, seeds: count, detail })
}

fn run(seed: u64, captured: Captured, source: u32, digest: String) -> Run {
    Run { seed, tally: Tally::of(&captured.packets, source), summary: captured.summary, digest }
}

/// Leaves recorded packets beside the page.
fn keep(setting: &Setting<'_>, name: &str, packets: &[Seen]) -> Result<String, Failure> {
    let text = capture::csv(packets);
    let path = setting.out.join(name);
    std::fs::write(&path, &text).map_err(|error| super::unwritable(&path, &error))?;
    Ok(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Runs the scenario by real processes that record, and reads their logs; with what is to be said of it.
fn lab(setting: &Setting<'_>, scenario: &Scenario, source: u32) -> Result<(Run, Vec<String>), Failure> {
    let logs = setting.out.join("logs");
    if logs.is_dir() {
        std::fs::remove_dir_all(&logs).map_err(|error| super::unwritable(&logs, &error))?;
    }
    // Nodes have other working directories.
    let logs = std::path::absolute(&logs).map_err(|error| super::unwritable(&logs, &error))?;
    exit::say("fig3: lab, seed 1");
    let options = LabOptions { record: Some(logs.clone()), ..LabOptions::default() };
    let lab = Lab::new(scenario, 1, setting.registry, options).map_err(failure)?;
    let summary = lab.run(&mut Quiet).map_err(failure)?.summary;
    if summary.status != Status::Complete {
        return Err(Failure::new(exit::INTERRUPTED, "stopped before the run was over"));
    }
    let mut captured = capture::recorded(&logs, summary)?;
    let mut notes = core::mem::take(&mut captured.notes);
    notes.push("Of the lab, the logs of the nodes (`logs`) were played back to fresh cores, each of which did byte by byte what the recorded one had done: what came in is in the log, what went out came out again.".to_owned());
    if !is_valid(&captured.summary) {
        let reasons = captured.summary.lab.as_ref().map(|lab| lab.reasons.join("; ")).unwrap_or_default();
        notes.push(format!("The lab run passed a limit of validity, since the machine was busy: {reasons}. Counts hold, times would not."));
    }
    let digest = keep(setting, "packets-lab.csv", &captured.packets)?;
    Ok((run(1, captured, source, digest), notes))
}

/// Counts per edge, expected and recorded.
fn edges_table(configured: &Configured, modes: &[Mode]) -> TextTable {
    let mut head: Vec<String> = ["flow", "edge", "expected part"].map(str::to_owned).to_vec();
    for mode in modes {
        head.extend(
            ["sent", "of them copies", "kB sent", "arrived", "lost on the link"]
                .map(|it| format!("{}: {it}", mode.name)),
        );
    }
    let mut rows = Vec::new();
    for (flow, (route, p, _)) in configured.flows.iter().enumerate() {
        let source = bellini_core::ids::NodeId::new(configured.source);
        let mut edges = Vec::new();
        if let Some(source) = source {
            route.for_each_edge(source, &mut |from, to| edges.push((from.get(), to.get())));
        }
        for (from, to) in edges {
            let first = if from == configured.source { format!("{p:.4}") } else { "what arrived".to_owned() };
            let mut row = vec![(flow + 1).to_string(), format!("{from}>{to}"), first];
            for mode in modes {
                let at = mode.runs[0].tally.edges.get(&(flow as u32, from, to)).copied().unwrap_or_default();
                let Count { sent, sent_bytes, arrived, copies, .. } = at;
                let lost = sent.saturating_sub(arrived);
                row.extend([sent, copies, sent_bytes / 1_000, arrived, lost].map(|value| value.to_string()));
            }
            rows.push(row);
        }
    }
    TextTable {
        title: "Packets on each edge".to_owned(),
        caption: "Of seed 1, from the recorded packets; bytes on the wire with UDP and IP.".to_owned(),
        head,
        rows,
    }
}

fn document(mode: &str, run: &Run) -> Value {
    let edges = run.tally.edges.iter().map(|((flow, from, to), count)| {
        json!({ "flow": flow + 1, "from": from, "to": to, "sent_packets": count.sent, "sent_bytes": count.sent_bytes,
            "arrived_packets": count.arrived, "arrived_bytes": count.arrived_bytes, "copies": count.copies })
    });
    let drawn: Vec<u64> = run.tally.drawn().into_values().collect();
    json!({ "mode": mode, "seed": run.seed, "digest": run.digest, "drawn_packets": drawn, "edges": edges.collect::<Vec<_>>() })
}
