//! Three nodes, source, relay and sink, with hops opened by a real hello exchange; only the relay gets real sockets.

use bellini_core::Node;
use bellini_core::config::NodeConfig;
use bellini_core::content::spec::Content;
use bellini_core::drive::{Drained, Host, Sent, drain};
use bellini_core::ids::{Epoch, HopIndex, Incarnation, NodeId, SessionKey};
use bellini_core::io::{
    Command, DrawMode, Event, HopKind, Input, Install, MeasureWindow, Received, SessionSpec, Transmit,
};
use bellini_core::rng::Seed;
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bytes::Bytes;

/// Headers of a packet on its way to the relay: frame, chunk, packet, Pathlets of relay and sink.
pub(crate) const HEADER_BYTES: usize = bellini_core::wire::DATA_FIXED_BYTES + 12;

fn id(id: u32) -> NodeId {
    NodeId::new(id).expect("small ids are legal")
}

/// Frames that a node handed out, each with the hop it is for.
#[derive(Default)]
pub(crate) struct Frames(Vec<(NodeId, HopKind, Bytes)>);

impl Host for Frames {
    fn transmit(&mut self, _: Instant, frame: Transmit<'_>) -> Sent {
        let mut bytes = frame.header.to_vec();
        bytes.resize(bytes.len() + frame.payload.len(), 0x5A);
        self.0.push((frame.peer, frame.kind, bytes.into()));
        Sent::Taken
    }

    fn event(&mut self, _: Instant, _: Event) {}
}

pub(crate) struct Overlay {
    source: Node,
    pub(crate) relay: Node,
    sink: Node,
    pub(crate) now: Instant,
    kind: HopKind,
    /// The relay's hops from the source and to the sink.
    pub(crate) from: HopIndex,
    pub(crate) to: HopIndex,
}

impl Overlay {
    /// Opens the hops and starts a session whose packets to the relay are frames of `frame_bytes`.
    pub(crate) fn open(kind: HopKind, frame_bytes: usize) -> Self {
        let now = Instant::ZERO + Duration::from_secs(1);
        let node = |number| {
            let config = NodeConfig { report_interval: None, ..NodeConfig::new(id(number)) };
            Node::new(config, Seed(1), now).expect("the defaults work")
        };
        let (source, mut relay, sink) = (node(1), node(2), node(3));
        let (from, to) = (relay.hop(id(1), kind), relay.hop(id(3), kind));
        let mut overlay = Self { source, relay, sink, now, kind, from, to };
        for (this, peer) in [(0, 2), (1, 1), (1, 3), (2, 2)] {
            let node = overlay.node(this);
            let hop = node.hop(id(peer), kind);
            let open = if kind == HopKind::Stream {
                let room = Input::Room { hop, bytes: u64::from(u32::MAX) };
                node.handle_input(now, room).expect("a hop of this node");
                Input::Opened { hop }
            } else {
                Input::Command(Command::OpenHop { peer: id(peer), kind })
            };
            node.handle_input(now, open).expect("a legal command");
        }
        overlay.settle();
        overlay.start((frame_bytes - HEADER_BYTES) as u32);
        overlay.settle();
        overlay
    }

    fn node(&mut self, at: usize) -> &mut Node {
        match at {
            0 => &mut self.source,
            1 => &mut self.relay,
            _ => &mut self.sink,
        }
    }

    /// Hands frames across, a millisecond a turn, until nobody has any.
    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for at in 0..3 {
                let frames = self.frames_of(at);
                let from = self.node(at).id();
                self.now += Duration::from_millis(1);
                for (peer, kind, frame) in frames.0 {
                    moved = true;
                    let now = self.now;
                    let node = self.node(peer.get() as usize - 1);
                    let hop = node.hop(from, kind);
                    let input = if kind == HopKind::Stream {
                        Input::Stream { hop, chunk: frame }
                    } else {
                        Input::Frame { hop, frame: Received::Datagram(frame) }
                    };
                    node.handle_input(now, input).expect("a correct peer's frame");
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn frames_of(&mut self, at: usize) -> Frames {
        let (now, mut frames) = (self.now, Frames::default());
        let Drained::Idle(_) = drain(self.node(at), now, usize::MAX, &mut frames) else {
            panic!("the budget has no end")
        };
        frames
    }

    fn start(&mut self, symbol_bytes: u32) {
        let key = SessionKey::new(1, 1);
        let start = self.now + Duration::from_millis(100);
        let stop = start + Duration::from_secs(1_000_000);
        let spec = SessionSpec {
            key,
            epoch: Epoch(0),
            destinations: vec![id(3)],
            content: Content::Constant {
                rate: BitRate::from_bps(1_000_000_000).expect("not zero"),
                phase: Duration::ZERO,
            },
            symbol_bytes,
            delivery: bellini_core::io::Delivery::BestEffort,
            coding: None,
            seal: None,
            hop_kind: self.kind,
            start,
            stop,
            measure: MeasureWindow { from: start, to: stop },
            draw: DrawMode::Random,
            policy_period: None,
        };
        let flows = vec![(Route::path(&[id(2), id(3)]), 1.0)];
        let install = Install { key, planner: Incarnation(1), version: 1, flows };
        for command in [Command::StartSession(Box::new(spec)), Command::Install(install)] {
            self.source.handle_input(self.now, Input::Command(command)).expect("a legal command");
        }
    }

    /// Lets the source make `packets` frames for the relay. Time passes.
    pub(crate) fn emit(&mut self, packets: usize) -> Vec<Bytes> {
        let mut frames = Vec::with_capacity(packets);
        while frames.len() < packets {
            let deadline = self.source.poll_timeout().expect("a source that is not done");
            self.now = self.now.max(deadline.at);
            self.source.handle_input(self.now, Input::Timeout).expect("a timeout is never refused");
            let made = self.frames_of(0).0.into_iter().filter(|(_, kind, _)| *kind == self.kind);
            frames.extend(made.map(|(_, _, bytes)| bytes));
        }
        if self.kind == HopKind::Stream {
            // What the sockets move is real; the source's room is not in question here.
            let hop = self.source.hop(id(2), HopKind::Stream);
            let bytes = frames.iter().map(Bytes::len).sum::<usize>() as u64;
            self.source.handle_input(self.now, Input::Room { hop, bytes }).expect("a hop of this node");
        }
        frames
    }
}
