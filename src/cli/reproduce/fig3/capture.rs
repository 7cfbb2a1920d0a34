//! Packets as they were seen at nodes: in the simulator by a tap at every link, in the lab by playing the nodes' logs back.

use super::super::play::Quiet;
use crate::Registry;
use crate::cli::exit::{self, Failure};
use bellini_core::ids::{HopIndex, NodeId};
use bellini_core::io::{HopKind, Input, Received, Transmit};
use bellini_core::route::Branch;
use bellini_core::time::Instant;
use bellini_core::wire::frame::UDP_IP_BYTES;
use bellini_core::wire::routing::{decode, validate_pathlet};
use bellini_core::wire::{FrameHeader, FrameKind, PacketHeader, RouteLimits, find_packet};
use bellini_live::record::{Ending, LogReader, Record, Watcher, replay};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::record::{Status, Summary};
use bellini_sim::Simulation;
use bellini_sim::tap::{Passing, Place};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A packet where it left a node or reached one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// Seconds of the clock of who saw it; only their order counts.
    pub(super) t_s: f64,
    pub(super) place: Place,
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) flow: u32,
    /// Of the emission, which its copies share.
    pub(super) number: u64,
    pub(super) symbol: u64,
    /// On the wire, UDP and IP included.
    pub(super) bytes: u64,
    /// What its receiver is to do with it.
    pub(super) branch: Branch,
}

/// A run with all packets that were seen in it.
pub(super) struct Captured {
    pub(super) summary: Summary,
    pub(super) packets: Vec<Seen>,
    /// What a reader should know of the recording.
    pub(super) notes: Vec<String>,
}

/// Reads the packet of a frame; `None` when it carries none, or is no frame.
fn read(header: &[u8], payload_len: usize) -> Option<(PacketHeader, Branch)> {
    let (frame, body) = FrameHeader::parse(header).ok()?;
    if frame.kind != FrameKind::Data {
        return None;
    }
    let (packet, rest) = PacketHeader::parse(find_packet(body, payload_len).ok()??).ok()?;
    let length = validate_pathlet(rest, RouteLimits::NONE).ok()?;
    let mut route = decode(&rest[..length]).ok()?;
    Some((packet, route.branches.pop()?))
}

fn seen(
    t_s: f64,
    place: Place,
    (from, to): (NodeId, NodeId),
    header: &[u8],
    payload_len: usize,
) -> Option<Seen> {
    let (packet, branch) = read(header, payload_len)?;
    Some(Seen {
        t_s,
        place,
        from: from.get(),
        to: to.get(),
        flow: u32::from(packet.flow.0),
        number: packet.number,
        symbol: packet.symbol,
        bytes: (header.len() + payload_len + UDP_IP_BYTES) as u64,
        branch,
    })
}

/// Runs a scenario in the simulator and keeps every packet that left or reached a node.
///
/// # Errors
/// When the run fails.
pub(super) fn simulated(registry: &Registry, scenario: &Scenario, seed: u64) -> Result<Captured, Failure> {
    let mut simulation =
        Simulation::new(scenario, seed, registry).map_err(|error| Failure::new(exit::SCENARIO, error))?;
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeper = Arc::clone(&kept);
    simulation.tap(Box::new(move |passing: &Passing<'_>| {
        let at = passing.at.saturating_since(Instant::ZERO).as_secs_f64();
        let ends = (passing.from, passing.to);
        let found = seen(at, passing.place, ends, passing.header, passing.payload_len);
        keeper.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }));
    let outcome = simulation.run(&mut Quiet).map_err(|error| Failure::new(exit::FAILED, error))?;
    if outcome.summary.status != Status::Complete {
        return Err(Failure::new(exit::INTERRUPTED, "stopped before the run was over"));
    }
    let packets = core::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Captured { summary: outcome.summary, packets, notes: Vec::new() })
}

/// Reads the logs that the nodes of a lab run left in `logs`. Each is played back to a fresh core, which must do byte by
/// byte what the recorded one did: what came in is in the log, what went out comes out of the core again.
///
/// # Errors
/// When a log cannot be read, or the core does something else.
pub(super) fn recorded(logs: &Path, summary: Summary) -> Result<Captured, Failure> {
    let wrong = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::new(exit::FAILED, format!("{}: {error}", path.display()))
    };
    let listing = std::fs::read_dir(logs).map_err(|error| wrong(logs, &error))?;
    let mut paths: Vec<_> = listing.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    let mut packets = Vec::new();
    let mut notes = Vec::new();
    for path in &paths {
        let log = LogReader::open(path).map_err(|error| wrong(path, &error))?;
        let mut witness =
            Witness { node: log.header().config.id, peers: BTreeMap::new(), packets: Vec::new(), unknown: 0 };
        let replayed = replay(log, &mut witness).map_err(|error| wrong(path, &error))?;
        match replayed.ending {
            Ending::Complete => {}
            Ending::Stopped(reason) => {
                notes.push(format!("The log of node {} stops early: {reason}.", witness.node))
            }
            Ending::Cut(_) => notes.push(format!("The log of node {} has no end.", witness.node)),
        }
        if witness.unknown > 0 {
            notes.push(format!(
                "{} packets came to node {} over hops without a known peer.",
                witness.unknown, witness.node
            ));
        }
        packets.append(&mut witness.packets);
    }
    packets.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
    Ok(Captured { summary, packets, notes })
}

/// Keeps the packets of one node's log.
struct Witness {
    node: NodeId,
    peers: BTreeMap<HopIndex, NodeId>,
    packets: Vec<Seen>,
    /// Packets that came over hops whose peer is not known.
    unknown: u64,
}

impl Witness {
    fn take(&mut self, at: Instant, hop: HopIndex, header: &[u8], payload_len: usize) {
        let Some(&peer) = self.peers.get(&hop) else {
            self.unknown += u64::from(read(header, payload_len).is_some());
            return;
        };
        let at = at.saturating_since(Instant::ZERO).as_secs_f64();
        self.packets.extend(seen(at, Place::Arrived, (peer, self.node), header, payload_len));
    }
}

impl Watcher for Witness {
    fn record(&mut self, _: u64, at: Instant, record: &Record<'_>) {
        match record {
            Record::Hop { peer, index, .. } => drop(self.peers.insert(*index, *peer)),
            Record::Input(Input::Frame { hop, frame: Received::Datagram(bytes) }) => {
                self.take(at, *hop, bytes, 0);
            }
            Record::Input(Input::Frame { hop, frame: Received::Split { header, payload } }) => {
                self.take(at, *hop, header, payload.len());
            }
            _ => {}
        }
    }

    fn transmit(&mut self, at: Instant, frame: &Transmit<'_>) {
        self.peers.insert(frame.hop, frame.peer);
        if frame.kind == HopKind::Stream {
            return;
        }
        let at = at.saturating_since(Instant::ZERO).as_secs_f64();
        let ends = (self.node, frame.peer);
        self.packets.extend(seen(at, Place::Sent, ends, frame.header, frame.payload.len()));
    }
}

/// Returns packets as a file for programs, one line each.
pub(super) fn csv(packets: &[Seen]) -> String {
    let mut text = String::from("t_s,place,from,to,flow,number,symbol,wire_bytes,pathlet\n");
    for it in packets {
        let place = if it.place == Place::Sent { "sent" } else { "arrived" };
        let Seen { t_s, from, to, flow, number, symbol, bytes, branch, .. } = it;
        let route = bellini_core::route::Route { branches: vec![branch.clone()] };
        text.push_str(&format!(
            "{t_s:.9},{place},{from},{to},{flow},{number},{symbol},{bytes},\"{route}\"\n"
        ));
    }
    text
}
