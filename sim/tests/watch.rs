//! Running a scenario, and looking at what it left.

use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{DestinationSummary, EventRow, LinkSummary, Scope, Summary};
use bellini_scenarios::registry::Registry;
use bellini_sim::{NoObserver, Observer, Simulation};

/// Bytes around the payload of a packet on its last hop: UDP and IP, frame, chunk and packet header, and a Pathlet.
/// Written out here, so that a change of the wire format is noticed. Each further node ahead costs [`PATHLET`].
pub(crate) const LAST_HOP: u64 = 28 + 24 + 3 + 49 + PATHLET;
/// Bytes of one Pathlet without what is nested in it.
pub(crate) const PATHLET: u64 = 6;

/// Everything that an observer is told.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Watch {
    /// Samples: end of the interval in seconds, scope, id, metric, value.
    pub(crate) samples: Vec<(f64, Scope, String, String, f64)>,
    /// Events.
    pub(crate) events: Vec<EventRow>,
}

impl Observer for Watch {
    fn sample(&mut self, t_s: f64, scope: Scope, id: &str, metric: &str, value: f64) -> Result<(), String> {
        self.samples.push((t_s, scope, id.to_owned(), metric.to_owned(), value));
        Ok(())
    }

    fn event(&mut self, event: EventRow) -> Result<(), String> {
        self.events.push(event);
        Ok(())
    }
}

impl Watch {
    /// The values of one metric of one thing, in order of time.
    pub(crate) fn series<'a>(
        &'a self,
        scope: Scope,
        id: &'a str,
        metric: &'a str,
    ) -> impl Iterator<Item = (f64, f64)> + 'a {
        self.samples
            .iter()
            .filter(move |(_, of, whose, what, _)| *of == scope && whose == id && what == metric)
            .map(|(t_s, .., value)| (*t_s, *value))
    }

    /// Events of a kind.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a EventRow> + 'a {
        self.events.iter().filter(move |event| event.kind == kind)
    }
}

/// Runs a scenario; the ledger is checked on the way.
pub(crate) fn run(scenario: &Scenario, seed: u64) -> Summary {
    let simulation = Simulation::new(scenario, seed, &Registry::builtin()).expect("it starts");
    simulation.run(&mut NoObserver).expect("packets add up").summary
}

/// Runs a scenario and writes down all that an observer is told.
pub(crate) fn run_watched(scenario: &Scenario, seed: u64) -> (Summary, Watch) {
    let mut watch = Watch::default();
    let simulation = Simulation::new(scenario, seed, &Registry::builtin()).expect("it starts");
    let outcome = simulation.run(&mut watch).expect("packets add up");
    (outcome.summary, watch)
}

/// The figures of destination `node` of the `session`-th session in the order of the scenario.
pub(crate) fn destination(summary: &Summary, session: usize, node: u32) -> &DestinationSummary {
    summary.sessions[session].destinations.iter().find(|found| found.node == node).expect("a destination")
}

/// The figures of a link.
pub(crate) fn link_of(summary: &Summary, from: u32, to: u32) -> &LinkSummary {
    summary.links.iter().find(|link| (link.from, link.to) == (from, to)).expect("a link")
}

/// Milliseconds of a summary in whole nanoseconds.
pub(crate) fn nanos(ms: f64) -> u64 {
    (ms * 1e6).round() as u64
}
