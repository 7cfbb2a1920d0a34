//! Measuring the network between running nodes as a black box.
//!
//! Nothing but the ordinary protocol is used: for each ordered pair of nodes, two sessions of direct routes. One that is
//! faster than the way gives its rate by what arrives, and the size of its queue by how much longer packets then take.
//! One of half that rate, which nothing waits for, gives the delay of an empty way and the loss without congestion. The
//! result is a topology for the simulator.

mod topology;

pub use topology::to_scenario;

use crate::client::{Client, ClientError};
use crate::console::{Addresses, Answer, Order};
use bellini_core::content::spec::Content;
use bellini_core::ids::{Epoch, Incarnation, NodeId, SessionKey};
use bellini_core::io::{Command, DrawMode, HopKind, Install, MeasureWindow, SessionSpec, SinkSpec};
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bellini_core::wire::frame::{CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES, UDP_IP_BYTES};
use bellini_core::wire::packet::PACKET_FIXED_BYTES;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::Duration as HostDuration;
use thiserror::Error;

/// Payload of a measuring packet in bytes: that of a default symbol.
pub const PROBE_BYTES: u32 = 1_200;
/// Bytes of such a packet on a direct way: headers, one Pathlet, payload.
pub const PROBE_WIRE_BYTES: u32 =
    (UDP_IP_BYTES + FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES + PACKET_FIXED_BYTES) as u32 + 6 + PROBE_BYTES;
/// The conference of measuring sessions; no listing server gives out ids so high.
const CONFERENCE: u32 = 0xFFFF_FFFE;
/// Rate of the second session over what the first one showed the way to carry: it must not queue, and the more packets
/// it has, the finer is the loss that it sees.
const UNHURRIED: f64 = 0.5;
/// Packets a second of the second session at most: more would only wear out the hosts.
const UNHURRIED_MAX: f64 = 1_000.0;
/// From a session's announcement to its first packet, for hops to open.
const ANNOUNCED: Duration = Duration::from_millis(1_000);
/// How long a fast session runs before the rate is read: queues have filled by then.
const FILLING: HostDuration = HostDuration::from_millis(700);
/// From the last packet of a session to the reading: what waits arrives.
const TAIL: HostDuration = HostDuration::from_millis(1_000);
/// A way that delivers this much of what is offered, losses at random aside, has not shown its rate.
const UNSATURATED: f64 = 0.97;

/// What to measure, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The nodes, each with the Unix socket of its console.
    pub nodes: Vec<(NodeId, PathBuf)>,
    /// Length of each of the two sessions of a pair.
    pub length: HostDuration,
    /// Wire rate that is offered to find a way's rate; faster ways are taken as unlimited.
    pub rate_max: BitRate,
    /// Both directions of a pair get half of the round trip: for nodes whose clocks do not agree.
    pub symmetric: bool,
}

/// What was found out about the way from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Way {
    /// Where it begins.
    pub from: NodeId,
    /// Where it ends.
    pub to: NodeId,
    /// Least delay of a packet in nanoseconds by both nodes' clocks, serialisation included.
    pub delay_ns: u64,
    /// Packets that were sent without congestion, and those of them that arrived.
    pub unhurried: (u64, u64),
    /// Wire rate in bit/s, where the way has shown it.
    pub rate_bps: Option<f64>,
    /// Bytes that wait in its queue at most, likewise.
    pub queue_bytes: Option<u64>,
}

/// Why nothing could be measured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CalibrateError {
    /// Nobody listens where a console should be.
    #[error("node {node}: cannot connect to {}: {cause}", .path.display())]
    Console {
        /// Whose console.
        node: NodeId,
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A node does not do what it is told.
    #[error(transparent)]
    Node(#[from] ClientError),
}

/// Measures all ordered pairs of the plan's nodes, one after the other. `say` hears of each way as it is found, or
/// that there is none.
///
/// # Errors
/// When a node cannot be reached or does not do what it is told.
pub fn calibrate(plan: &Plan, mut say: impl FnMut(&str)) -> Result<Vec<Way>, CalibrateError> {
    let mut nodes = connect(plan)?;
    let mut ways = Vec::new();
    let mut session = 0;
    for from in 0..nodes.len() {
        for to in (0..nodes.len()).filter(|to| *to != from) {
            let (source, sink) = (plan.nodes[from].0, plan.nodes[to].0);
            let way =
                Pair { nodes: &mut nodes, ends: [(from, source), (to, sink)], plan }.measure(&mut session)?;
            match way {
                Some(way) => {
                    say(&describe(&way));
                    ways.push(way);
                }
                None => say(&format!("{source} > {sink}: nothing arrives")),
            }
        }
    }
    if plan.symmetric {
        halve(&mut ways);
    }
    Ok(ways)
}

/// Connects to all nodes and tells them of each other.
fn connect(plan: &Plan) -> Result<Vec<Client>, CalibrateError> {
    let mut nodes = Vec::new();
    let mut peers: BTreeMap<NodeId, Addresses> = BTreeMap::new();
    for (node, path) in &plan.nodes {
        let failed = |cause| CalibrateError::Console { node: *node, path: path.clone(), cause };
        let mut client = Client::connect(format!("node {node}"), path).map_err(failed)?;
        let (says, addresses) = client.wait(|answer| match answer {
            Answer::Ready { node, addresses, .. } => Some((node, addresses)),
            _ => None,
        })?;
        if says != *node {
            return Err(client.problem(format!("{} is the console of node {says}", path.display())).into());
        }
        forget(&mut client)?;
        peers.insert(*node, addresses);
        nodes.push(client);
    }
    for (client, (node, _)) in nodes.iter_mut().zip(&plan.nodes) {
        let mut others = peers.clone();
        others.remove(node);
        client.order(&Order::Peers(others))?;
    }
    Ok(nodes)
}

/// Has a node forget what a calibration that was interrupted left there.
fn forget(client: &mut Client) -> Result<(), ClientError> {
    let left = client.look(false)?.figures.counts.into_iter().map(|counts| counts.key);
    for key in left.filter(|key| key.conference.0 == CONFERENCE) {
        client.order(&Order::Command(Box::new(Command::ForgetSession(key))))?;
    }
    Ok(())
}

/// Two nodes, source first, by position and id.
struct Pair<'a> {
    nodes: &'a mut [Client],
    ends: [(usize, NodeId); 2],
    plan: &'a Plan,
}

/// What a measuring session left.
struct Probe {
    sent: u64,
    arrived: u64,
    /// Least and median delay in nanoseconds.
    delays: Option<(u64, u64)>,
    /// Packets a second that arrived while it ran.
    packets_per_s: f64,
}

impl Pair<'_> {
    fn measure(&mut self, session: &mut u32) -> Result<Option<Way>, CalibrateError> {
        let [(_, from), (_, to)] = self.ends;
        let offered = (self.plan.rate_max.as_bps() / 8 / u64::from(PROBE_WIRE_BYTES)).max(1);
        let fast = self.probe(session, offered)?;
        let packets_per_s = (UNHURRIED * fast.packets_per_s).clamp(1.0, UNHURRIED_MAX);
        let calm = self.probe(session, packets_per_s as u64)?;
        let Some((least, _)) = calm.delays else { return Ok(None) };
        let mut way = Way {
            from,
            to,
            delay_ns: least,
            unhurried: (calm.sent, calm.arrived),
            rate_bps: None,
            queue_bytes: None,
        };
        let kept = calm.arrived as f64 / calm.sent.max(1) as f64;
        if (fast.arrived as f64) < UNSATURATED * kept * fast.sent as f64 && fast.packets_per_s > 0.0 {
            // What is lost at random has taken up the rate all the same.
            let rate = fast.packets_per_s / kept * f64::from(PROBE_WIRE_BYTES) * 8.0;
            // The queue was full nearly all the time: each packet took the place that another had just left. Half of
            // them waited longer than the median, which no stall of a host moves as it does the maximum.
            let usual = fast.delays.map_or(0, |(_, median)| median.saturating_sub(least));
            let ahead = rate / 8.0 * usual as f64 * 1e-9;
            way.rate_bps = Some(rate);
            way.queue_bytes = Some((ahead + f64::from(PROBE_WIRE_BYTES)).round() as u64);
        }
        Ok(Some(way))
    }

    /// Runs a session over the way.
    fn probe(&mut self, session: &mut u32, packets_per_s: u64) -> Result<Probe, CalibrateError> {
        *session += 1;
        let [(source, _), (sink, _)] = self.ends;
        let key = SessionKey::new(CONFERENCE, *session);
        let length = Duration::from_nanos(u64::try_from(self.plan.length.as_nanos()).unwrap_or(u64::MAX));
        let start = self.nodes[source].look(false)?.at + ANNOUNCED;
        let (at_source, at_sink) = commands(key, self.ends, packets_per_s, start, start + length);
        self.nodes[sink].order(&Order::Command(Box::new(at_sink)))?;
        for command in at_source {
            self.nodes[source].order(&Order::Command(Box::new(command)))?;
        }
        thread::sleep(HostDuration::from_nanos(ANNOUNCED.as_nanos()) + FILLING.min(self.plan.length / 3));
        let early = self.arrived(sink, key)?;
        thread::sleep(self.plan.length / 2);
        let late = self.arrived(sink, key)?;
        thread::sleep(self.plan.length / 2 + TAIL);
        let received = self.nodes[sink].harvest(key)?.and_then(|figures| figures.sink);
        let offered = self.nodes[source].harvest(key)?.and_then(|figures| figures.source);
        for node in [source, sink] {
            self.nodes[node].order(&Order::Command(Box::new(Command::ForgetSession(key))))?;
        }
        let seconds = late.0.saturating_since(early.0).as_secs_f64().max(1e-9);
        Ok(Probe {
            sent: offered.map_or(0, |source| source.content.measured_symbols),
            arrived: received.as_ref().map_or(0, |sink| sink.stats.measured_packets),
            delays: received.and_then(|sink| sink.delays.min().zip(sink.delays.quantile(0.5))),
            packets_per_s: late.1.saturating_sub(early.1) as f64 / seconds,
        })
    }

    /// Returns how many packets of a session a sink has, and when that was.
    fn arrived(&mut self, sink: usize, key: SessionKey) -> Result<(Instant, u64), CalibrateError> {
        let look = self.nodes[sink].look(false)?;
        let counts = look.figures.counts.iter().find(|counts| counts.key == key);
        let packets = counts.and_then(|counts| counts.sink.as_ref()).map_or(0, |sink| sink.measured_packets);
        Ok((look.at, packets))
    }
}

/// Returns what source and sink of a measuring session are told.
fn commands(
    key: SessionKey,
    [(_, source), (_, sink)]: [(usize, NodeId); 2],
    packets_per_s: u64,
    start: Instant,
    stop: Instant,
) -> ([Command; 2], Command) {
    let rate =
        BitRate::from_bps(packets_per_s * u64::from(PROBE_BYTES) * 8).expect("at least one packet a second");
    let content = Content::Constant { rate, phase: Duration::ZERO };
    let measure = MeasureWindow { from: start, to: stop };
    let spec = SessionSpec {
        key,
        epoch: Epoch(0),
        destinations: vec![sink],
        content: content.clone(),
        symbol_bytes: PROBE_BYTES,
        delivery: bellini_core::io::Delivery::BestEffort,
        coding: None,
        seal: None,
        hop_kind: HopKind::Datagram,
        start,
        stop,
        measure,
        draw: DrawMode::Random,
        policy_period: None,
    };
    let flows = vec![(Route::path(&[sink]), 1.0)];
    let install = Install { key, planner: Incarnation(1), version: 1, flows };
    let joined = SinkSpec {
        key,
        source,
        content,
        symbol_bytes: PROBE_BYTES,
        delivery: bellini_core::io::Delivery::BestEffort,
        coding: None,
        seal: None,
        start,
        stop,
        measure,
        deliver_events: false,
    };
    debug_assert_ne!(source, sink, "a way has two ends");
    (
        [Command::StartSession(Box::new(spec)), Command::Install(install)],
        Command::JoinSession(Box::new(joined)),
    )
}

/// Gives both directions of each pair half of their round trip.
fn halve(ways: &mut [Way]) {
    let delays: BTreeMap<(NodeId, NodeId), u64> =
        ways.iter().map(|way| ((way.from, way.to), way.delay_ns)).collect();
    for way in ways {
        if let Some(back) = delays.get(&(way.to, way.from)) {
            way.delay_ns = way.delay_ns.midpoint(*back);
        }
    }
}

fn describe(way: &Way) -> String {
    let rate = way.rate_bps.map_or_else(
        || "faster than was offered".to_owned(),
        |rate| format!("{:.3} Mbit/s, queue of {} B", rate / 1e6, way.queue_bytes.unwrap_or(0)),
    );
    let (sent, arrived) = way.unhurried;
    let delay = way.delay_ns as f64 / 1e6;
    format!(
        "{} > {}: {delay:.3} ms, {rate}, {} of {sent} packets lost",
        way.from,
        way.to,
        sent.saturating_sub(arrived)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_is_halved() {
        let id = |node| NodeId::new(node).expect("legal");
        let way = |from, to, delay_ns| Way {
            from: id(from),
            to: id(to),
            delay_ns,
            unhurried: (1, 1),
            rate_bps: None,
            queue_bytes: None,
        };
        let mut ways = vec![way(1, 2, 70), way(2, 1, 30), way(1, 3, 5)];
        halve(&mut ways);
        assert_eq!(ways.iter().map(|way| way.delay_ns).collect::<Vec<_>>(), [50, 50, 5]);
    }

    #[test]
    fn a_probe_is_as_large_as_on_the_wire() {
        assert_eq!(PROBE_WIRE_BYTES, 28 + 24 + 3 + 49 + 6 + 1_200);
    }
}
