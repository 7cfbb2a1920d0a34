//! Flows through one bottleneck, without nodes: what theory says of TCP is measured here.
//!
//! ```text
//! sender k --- queue + rate (shared) --- delay, loss of k ---> receiver k
//!          <------------- delay of k, never full -------------
//! ```

use super::endpoint::Endpoint;
use super::options::Options;
use super::segment::Segment;
use super::sender::SenderStats;
use crate::agenda::{Agenda, Class};
use crate::link::{Admit, LinkModel, LinkSpec, LinkStreams, Polled};
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bellini_scenarios::model::{Jitter, Loss, Queue, Rate};

/// One flow.
#[derive(Clone, Debug)]
pub struct FlowSpec {
    /// How both ends behave.
    pub options: Options,
    /// Round trip without waiting and serialisation.
    pub rtt: Duration,
    /// When it connects.
    pub start: Instant,
    /// Bytes to send; `None`: as many as go.
    pub bytes: Option<u64>,
    /// What is lost behind the bottleneck, towards the receiver.
    pub loss: Loss,
    /// What varies of the delay towards the receiver.
    pub jitter: Option<Jitter>,
}

impl FlowSpec {
    /// Returns a greedy flow that starts at once, over a path that neither loses nor varies.
    #[must_use]
    pub const fn greedy(options: Options, rtt: Duration) -> Self {
        Self { options, rtt, start: Instant::ZERO, bytes: None, loss: Loss::None, jitter: None }
    }
}

/// What became of a flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowFigures {
    /// Payload that came in order within the window of time that was measured.
    pub bytes: u64,
    /// The same as a rate, in Mbit/s.
    pub goodput_mbps: f64,
    /// What its sender counted in all.
    pub sender: SenderStats,
}

/// A flow's two ends, and the wires behind the bottleneck.
struct Flow {
    ends: [Endpoint; 2],
    has_begun: bool,
    spec: FlowSpec,
    /// Towards the receiver, and back.
    wires: [LinkModel<Segment>; 2],
    /// In order at the beginning of the measurement.
    marked: u64,
}

/// The bottleneck and its flows.
pub struct Dumbbell {
    bottleneck: LinkModel<(u32, Segment)>,
    flows: Vec<Flow>,
    agenda: Agenda,
    now: Instant,
    marked_at: Instant,
    marked_busy: Duration,
}

/// Bytes that a greedy flow has written ahead of what was sent.
const AHEAD: u64 = 1 << 20;

impl Dumbbell {
    /// Builds it: a bottleneck of `rate` with `queue`, and flows whose random draws are of `seed`.
    #[must_use]
    pub fn new(rate: BitRate, queue: Queue, flows: Vec<FlowSpec>, seed: Seed) -> Self {
        let spec = LinkSpec::serialiser(Rate::Constant(rate), queue);
        let mut agenda = Agenda::new();
        let flows: Vec<Flow> = flows
            .into_iter()
            .enumerate()
            .map(|(k, spec)| {
                let one_way = Duration::from_nanos(spec.rtt.as_nanos() / 2);
                let wire = |delay, loss, jitter, name: &str| {
                    let free =
                        LinkSpec { delay, loss, jitter, ..LinkSpec::serialiser(Rate::Unlimited, queue) };
                    LinkModel::new(&free, LinkStreams::named(seed, &format!("flow:{k}:{name}")))
                };
                let back = spec.rtt.saturating_sub(one_way);
                let wires = [
                    wire(one_way, spec.loss.clone(), spec.jitter, "there"),
                    wire(back, Loss::None, None, "back"),
                ];
                agenda.schedule(entity(k, 0), spec.start, Class(1));
                let ends = [
                    Endpoint::connect(&spec.options, spec.start),
                    Endpoint::accept(&spec.options, spec.start),
                ];
                Flow { ends, has_begun: false, spec, wires, marked: 0 }
            })
            .collect();
        Self {
            bottleneck: LinkModel::new(&spec, LinkStreams::named(seed, "bottleneck")),
            flows,
            agenda,
            now: Instant::ZERO,
            marked_at: Instant::ZERO,
            marked_busy: Duration::ZERO,
        }
    }

    /// Returns the time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Returns the sending end of a flow.
    #[must_use]
    pub fn sender(&self, flow: usize) -> &Endpoint {
        &self.flows[flow].ends[0]
    }

    /// Returns the receiving end of a flow.
    #[must_use]
    pub fn receiver(&self, flow: usize) -> &Endpoint {
        &self.flows[flow].ends[1]
    }

    /// Begins the measurement: what came before does not count.
    pub fn mark(&mut self) {
        self.marked_at = self.now;
        self.marked_busy = self.bottleneck.stats(self.now).busy;
        for flow in &mut self.flows {
            flow.marked = flow.ends[1].receiver().next();
        }
    }

    /// Returns the part of the measured time in which the bottleneck was sending.
    pub fn utilisation(&mut self) -> f64 {
        let busy = self.bottleneck.stats(self.now).busy.saturating_sub(self.marked_busy);
        busy.as_secs_f64() / self.now.saturating_since(self.marked_at).as_secs_f64()
    }

    /// Returns what became of each flow since the beginning of the measurement.
    #[must_use]
    pub fn figures(&self) -> Vec<FlowFigures> {
        let seconds = self.now.saturating_since(self.marked_at).as_secs_f64();
        let figures = self.flows.iter().map(|flow| {
            let bytes = flow.ends[1].receiver().next() - flow.marked;
            let goodput_mbps = bytes as f64 * 8.0 / 1e6 / seconds;
            FlowFigures { bytes, goodput_mbps, sender: flow.ends[0].sender().stats() }
        });
        figures.collect()
    }

    /// Runs up to `until`.
    pub fn run(&mut self, until: Instant) {
        self.run_watched(until, &mut |_| {});
    }

    /// Runs up to `until`, and shows itself to `watch` after each event.
    pub fn run_watched(&mut self, until: Instant, watch: &mut dyn FnMut(&Self)) {
        while let Some(at) = self.agenda.peek_time()
            && at <= until
        {
            let Some((at, _, number)) = self.agenda.pop() else { break };
            self.now = at;
            if number == 0 {
                self.poll_bottleneck();
            } else {
                let (k, what) = (((number - 1) / 4) as usize, (number - 1) % 4);
                match what {
                    0 | 1 => {
                        let flow = &mut self.flows[k];
                        flow.has_begun = true;
                        flow.ends[what as usize].on_timer(at);
                        self.pump(k, what as usize);
                    }
                    _ => self.poll_wire(k, what as usize - 2),
                }
            }
            watch(self);
        }
        self.now = until;
    }

    fn poll_bottleneck(&mut self) {
        while let Some(polled) = self.bottleneck.poll(self.now) {
            if let Polled::Arrived((k, segment)) = polled {
                self.launch(k as usize, 0, segment);
            }
        }
        self.schedule_bottleneck();
    }

    fn poll_wire(&mut self, k: usize, towards: usize) {
        while let Some(polled) = self.flows[k].wires[towards].poll(self.now) {
            let Polled::Arrived(segment) = polled else { continue };
            let end = 1 - towards;
            self.flows[k].ends[end].on_segment(self.now, &segment);
            self.pump(k, end);
        }
        self.schedule_wire(k, towards);
    }

    /// Sends what an end has to send.
    fn pump(&mut self, k: usize, end: usize) {
        let now = self.now;
        if end == 0 {
            let flow = &mut self.flows[k];
            let sender = flow.ends[0].sender();
            let written = sender.nxt() + sender.unsent();
            let wanted = flow.spec.bytes.unwrap_or(u64::MAX).min(sender.nxt() + AHEAD);
            if written + AHEAD / 2 < wanted || (written < wanted && flow.spec.bytes.is_some()) {
                flow.ends[0].write(now, wanted - written);
            }
        }
        while let Some(segment) = self.flows[k].ends[end].poll(now) {
            if end == 0 {
                let handle = (k as u32, segment);
                match self.bottleneck.admit(now, segment.wire_bytes(), handle) {
                    Admit::Accepted | Admit::Dropped { .. } | Admit::Lost { .. } => {}
                }
                self.schedule_bottleneck();
            } else {
                self.launch(k, 1, segment);
            }
        }
        let flow = &self.flows[k];
        let at = flow.ends[end].deadline().filter(|_| end == 0 || flow.has_begun);
        self.reschedule(entity(k, end), at.map(|at| at.max(now)));
    }

    fn launch(&mut self, k: usize, towards: usize, segment: Segment) {
        match self.flows[k].wires[towards].admit(self.now, segment.wire_bytes(), segment) {
            Admit::Accepted | Admit::Dropped { .. } | Admit::Lost { .. } => {}
        }
        self.schedule_wire(k, towards);
    }

    fn schedule_bottleneck(&mut self) {
        let at = self.bottleneck.next_event();
        self.reschedule(0, at);
    }

    fn schedule_wire(&mut self, k: usize, towards: usize) {
        let at = self.flows[k].wires[towards].next_event();
        self.reschedule(entity(k, 2 + towards), at);
    }

    fn reschedule(&mut self, entity: u32, at: Option<Instant>) {
        match at {
            Some(at) => self.agenda.schedule(entity, at, Class(0)),
            None => {
                self.agenda.cancel(entity);
            }
        }
    }
}

/// Returns the number of an end (0, 1) or wire (2, 3) of flow `k` in the agenda.
fn entity(k: usize, what: usize) -> u32 {
    (1 + 4 * k + what) as u32
}
