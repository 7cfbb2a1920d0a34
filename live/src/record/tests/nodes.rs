//! Three nodes that are recorded: their frames, in order and with losses, and their logs in memory.

use super::super::*;
use bellini_core::coding::CodingSpec;
use bellini_core::config::NodeConfig;
use bellini_core::content::spec::Content;
use bellini_core::drive::{Drained, Host, Sent};
use bellini_core::ids::{Epoch, HopIndex, Incarnation, NodeId, SessionKey};
use bellini_core::io::{
    Command, DrawMode, Event, HopKind, Input, Install, MeasureWindow, Received, SessionSpec, SinkSpec,
    Transmit,
};
use bellini_core::payload::{self, Payload};
use bellini_core::rng::{Seed, Stream};
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bytes::Bytes;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

pub(super) const SEED: Seed = Seed(7);

/// A log in memory, on a disk of limited size.
#[derive(Clone, Default)]
pub(super) struct Memory {
    pub(super) bytes: Arc<Mutex<Vec<u8>>>,
    pub(super) limit: Option<usize>,
}

impl Memory {
    pub(super) fn log(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.bytes.lock().unwrap();
        let room = self.limit.map_or(bytes.len(), |limit| limit.saturating_sub(log.len()).min(bytes.len()));
        log.extend_from_slice(&bytes[..room]);
        if room == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(room) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LogSink for Memory {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.bytes.lock().unwrap().truncate(length as usize);
        Ok(())
    }
}

pub(super) fn id(node: usize) -> NodeId {
    NodeId::new(node as u32 + 1).unwrap()
}

pub(super) fn ms(ms: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(ms)
}

/// A frame on its way: header and payload still apart.
pub(super) struct Frame {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: HopKind,
    pub(super) header: Vec<u8>,
    pub(super) payload: Payload,
}

pub(super) struct Outbox<'a> {
    pub(super) from: usize,
    pub(super) draws: &'a mut Stream,
    pub(super) sent: &'a mut Vec<Frame>,
    pub(super) kept: &'a mut Vec<(HopIndex, Frame)>,
    pub(super) seen: &'a mut Vec<String>,
}

impl Host for Outbox<'_> {
    fn transmit(&mut self, now: Instant, frame: Transmit<'_>) -> Sent {
        self.seen.push(format!("{} {now} {frame:?}", self.from));
        let (hop, to, kind) = (frame.hop, frame.peer.get() as usize - 1, frame.kind);
        let frame =
            Frame { from: self.from, to, kind, header: frame.header.to_vec(), payload: frame.payload };
        if self.draws.chance(0.05) {
            self.kept.push((hop, frame));
            return Sent::Kept;
        }
        self.sent.push(frame);
        Sent::Taken
    }

    fn event(&mut self, now: Instant, event: Event) {
        self.seen.push(format!("{} {now} {event:?}", self.from));
    }
}

/// What a run left.
pub(super) struct Run {
    pub(super) logs: Vec<Memory>,
    pub(super) seen: Vec<String>,
    pub(super) statuses: Vec<Option<RecordStatus>>,
    /// Packets that nodes made by recoding.
    pub(super) recoded: u64,
}

pub(super) fn run(options: Option<RecordOptions>, limit: Option<usize>, is_ended: bool) -> Run {
    run_coded(None, options, limit, is_ended)
}

/// Runs both sessions coded, or not.
pub(super) fn run_coded(
    coding: Option<CodingSpec>,
    options: Option<RecordOptions>,
    limit: Option<usize>,
    is_ended: bool,
) -> Run {
    let mut logs = vec![Memory { limit, ..Memory::default() }; 3];
    for log in &mut logs {
        log.bytes = Arc::default();
    }
    let mut nodes: Vec<_> = (0..3)
        .map(|node| {
            let config =
                NodeConfig { report_interval: Some(Duration::from_millis(300)), ..NodeConfig::new(id(node)) };
            match options {
                None => RecordedNode::unrecorded(config, SEED, ms(3)).unwrap(),
                Some(options) => {
                    RecordedNode::recorded(config, SEED, ms(3), Box::new(logs[node].clone()), options)
                        .unwrap()
                }
            }
        })
        .collect();
    let mut draws = SEED.stream("test:driver");
    let (mut seen, mut sent) = (Vec::new(), Vec::new());
    let mut kept: Vec<(HopIndex, Frame)> = Vec::new();
    for (session, kind) in [(1, HopKind::Datagram), (2, HopKind::Stream)] {
        begin(&mut nodes, SessionKey::new(1, session), kind, coding);
    }
    for step in 4..800 {
        let now = ms(step);
        for (hop, frame) in std::mem::take(&mut kept) {
            let bytes = if frame.kind == HopKind::Stream { 20_000 } else { 1 };
            let from = frame.from;
            sent.push(frame);
            nodes[from].handle_input(now, Input::Room { hop, bytes }).unwrap();
        }
        if step == 400 {
            let hop = nodes[0].hop(id(1), HopKind::Stream);
            nodes[0].handle_input(now, Input::Closed { hop }).unwrap();
            nodes[0].handle_input(now, Input::Opened { hop }).unwrap();
            nodes[0].handle_input(now, Input::Room { hop, bytes: 60_000 }).unwrap();
            let datagram = nodes[0].hop(id(1), HopKind::Datagram);
            nodes[0].handle_input(now, Input::Blocked { hop: datagram }).unwrap();
        }
        if step == 420 {
            let hop = nodes[0].hop(id(1), HopKind::Datagram);
            nodes[0].handle_input(now, Input::Room { hop, bytes: 0 }).unwrap();
            // What is refused is an input too.
            let unknown = Input::Command(Command::StopSession(SessionKey::new(9, 9)));
            assert!(nodes[0].handle_input(now, unknown).is_err());
        }
        for frame in std::mem::take(&mut sent) {
            deliver(&mut nodes, now, frame, &mut draws);
        }
        for (from, node) in nodes.iter_mut().enumerate() {
            if node.poll_timeout().is_some_and(|deadline| deadline.at <= now) {
                node.handle_input(now, Input::Timeout).unwrap();
            }
            let (sent, kept, seen) = (&mut sent, &mut kept, &mut seen);
            let mut outbox = Outbox { from, draws: &mut draws, sent, kept, seen };
            while node.drain(now, 3, &mut outbox) == Drained::MoreWork {}
        }
    }
    for node in &mut nodes {
        node.finish_session(ms(800), SessionKey::new(1, 1));
        node.finish(ms(800));
        seen.push(format!("{:?}", node.stats()));
    }
    let end = |node: RecordedNode| if is_ended { node.end(ms(801)) } else { node.status().cloned() };
    let recoded = nodes.iter().map(|node| node.stats().recoded_packets).sum();
    let statuses = nodes.into_iter().map(end).collect();
    Run { logs, seen, statuses, recoded }
}

pub(super) fn begin(nodes: &mut [RecordedNode], key: SessionKey, kind: HopKind, coding: Option<CodingSpec>) {
    let content = Content::Constant { rate: BitRate::from_bps(960_000).unwrap(), phase: Duration::ZERO };
    let (start, stop, measure) = (ms(50), ms(700), MeasureWindow { from: ms(0), to: ms(700) });
    let sink = SinkSpec {
        key,
        source: id(1),
        content: content.clone(),
        symbol_bytes: 1_200,
        delivery: bellini_core::io::Delivery::BestEffort,
        coding,
        seal: None,
        start,
        stop,
        measure,
        deliver_events: true,
    };
    let source = SessionSpec {
        key,
        epoch: Epoch(1),
        destinations: vec![id(2)],
        content,
        symbol_bytes: 1_200,
        delivery: bellini_core::io::Delivery::BestEffort,
        coding,
        seal: None,
        hop_kind: kind,
        start,
        stop,
        measure,
        draw: DrawMode::Random,
        policy_period: None,
    };
    let flows = vec![(Route::parse("2>3d").unwrap(), 1.0)];
    let install = Install { key, planner: Incarnation(1), version: 1, flows };
    let now = ms(3);
    nodes[2].handle_input(now, Input::Command(Command::JoinSession(Box::new(sink)))).unwrap();
    nodes[0].handle_input(now, Input::Command(Command::StartSession(Box::new(source)))).unwrap();
    nodes[0].handle_input(now, Input::Command(Command::Install(install))).unwrap();
    if kind == HopKind::Stream {
        for (from, to) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
            let hop = nodes[from].hop(id(to), kind);
            nodes[from].handle_input(now, Input::Opened { hop }).unwrap();
            nodes[from].handle_input(now, Input::Room { hop, bytes: 1 << 30 }).unwrap();
        }
    }
}

pub(super) fn deliver(nodes: &mut [RecordedNode], now: Instant, frame: Frame, draws: &mut Stream) {
    let Frame { from, to, kind, mut header, payload } = frame;
    if kind == HopKind::Datagram && draws.chance(0.02) {
        return;
    }
    let hop = nodes[to].hop(id(from), kind);
    if kind == HopKind::Datagram && draws.chance(0.2) {
        let frame = Received::Split { header: &header, payload };
        let _ = nodes[to].handle_input(now, Input::Frame { hop, frame });
        return;
    }
    match payload {
        Payload::Bytes(bytes) => header.extend_from_slice(&bytes),
        Payload::Coded { .. } => panic!("real bytes are coded"),
        Payload::Synthetic(what) => {
            let start = header.len();
            header.resize(start + what.len as usize, 0);
            payload::fill(SEED, what, &mut header[start..]);
        }
    }
    let bytes = Bytes::from(header);
    if kind == HopKind::Stream {
        let cut = draws.below(bytes.len() as u64) as usize;
        for chunk in [bytes.slice(..cut), bytes.slice(cut..)] {
            let _ = nodes[to].handle_input(now, Input::Stream { hop, chunk });
        }
    } else {
        let _ = nodes[to].handle_input(now, Input::Frame { hop, frame: Received::Datagram(bytes) });
    }
}
