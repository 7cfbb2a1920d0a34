//! Sessions of this node's programs: what waits to be sent, and what has arrived.

use super::super::slot::{Reply, Waiting};
use super::{Agent, Error};
use bellini_core::Node;
use bellini_core::content::spec::Unit;
use bellini_core::ids::{ConferenceId, Incarnation, NodeId, SessionId, SessionKey};
use bellini_core::io::Command;
use bellini_core::listing::Member;
use bellini_core::payload::{self, Payload};
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::conduct::SessionPolicies;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Pieces that wait to be offered to the node, and their bytes; who sends more waits.
const PIECES_MAX: usize = 64;
const PIECES_BYTES_MAX: usize = 256 << 10;
/// Payloads that wait to be received, and their bytes.
const INBOX_MAX: usize = 4_096;
const INBOX_BYTES_MAX: usize = 16 << 20;
/// How long packets of a session that has ended may still arrive.
const LINGER: Duration = Duration::from_secs(1);
/// How long a source whose lease ended has to take part again: packets may reach this node all the while.
const GONE_LINGER: Duration = Duration::from_secs(10);

/// A session whose source is here.
pub(in super::super) struct Source {
    pub(in super::super) policies: Arc<Mutex<SessionPolicies>>,
    /// `None`: the node makes its content.
    pub(in super::super) unit: Option<Unit>,
    pub(in super::super) symbol_bytes: u32,
    /// Whether the program chose how packets are spread.
    pub(in super::super) has_own_shares: bool,
    pub(in super::super) outbox: VecDeque<Bytes>,
    pub(in super::super) waiting: Waiting,
    pub(in super::super) end: End,
    pub(in super::super) is_finished: bool,
    pub(in super::super) is_completed: bool,
    /// As the node says.
    pub(in super::super) destinations: Vec<NodeId>,
    /// For whom flows were installed last.
    pub(in super::super) routed: Vec<NodeId>,
    /// Why policies had no answer last.
    pub(in super::super) problem: Option<Error>,
    pub(in super::super) overflow_packets: u64,
    pub(in super::super) refused_pieces: u64,
    pub(super) reloads: Vec<Reply<()>>,
}

/// Whether the program brings nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum End {
    /// It may.
    Open,
    /// It said that it does not.
    Due,
    /// The node knows.
    Told,
}

impl Source {
    pub(in super::super) fn new(
        policies: SessionPolicies,
        unit: Option<Unit>,
        symbol_bytes: u32,
        destinations: Vec<NodeId>,
    ) -> Self {
        Self {
            policies: Arc::new(Mutex::new(policies)),
            unit,
            symbol_bytes,
            has_own_shares: false,
            outbox: VecDeque::new(),
            waiting: Waiting::default(),
            end: End::Open,
            is_finished: false,
            is_completed: false,
            destinations,
            routed: Vec::new(),
            problem: None,
            overflow_packets: 0,
            refused_pieces: 0,
            reloads: Vec::new(),
        }
    }

    /// Whether another piece may wait.
    pub(in super::super) fn has_room(&self) -> bool {
        self.outbox.len() < PIECES_MAX && self.outbox.iter().map(Bytes::len).sum::<usize>() < PIECES_BYTES_MAX
    }

    /// Takes whoever waits for policies to be asked again.
    pub(super) fn take_reloads(&mut self) -> Vec<Reply<()>> {
        std::mem::take(&mut self.reloads)
    }

    pub(super) fn is_end_due(&self) -> bool {
        self.end == End::Due
    }
}

/// A session that a program here receives.
pub(in super::super) struct Sink {
    pub(in super::super) unit: Option<Unit>,
    pub(in super::super) inbox: VecDeque<Delivered>,
    inbox_bytes: usize,
    /// Payloads that were dropped because nobody received them in time.
    pub(in super::super) dropped: u64,
    pub(in super::super) waiting: Waiting,
    /// Its source, and which start of it.
    source: (NodeId, Incarnation),
    /// Whether each symbol follows the one before: a reliable stream.
    is_whole: bool,
    /// The symbol that follows the last one.
    next: Option<u64>,
    /// Whether symbols are missing: this node was no destination for a while.
    has_jumped: bool,
    /// When the listing server is asked again to take this node in as its destination.
    pub(super) subscribe_at: Option<Instant>,
    /// When nothing more is expected, because it has ended.
    closes_at: Option<Instant>,
    /// When nothing more is expected, because its source takes no part any more.
    gone_at: Option<Instant>,
    pub(in super::super) is_closed: bool,
}

/// A payload that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Counts the symbols of the session from 0 on; of datagrams, each is one.
    pub symbol: u64,
    /// When it came into being, on the source's clock.
    pub created: Instant,
    /// When it arrived, on this node's clock.
    pub at: Instant,
    /// What it is.
    pub bytes: Bytes,
}

/// A delivery that the node has said.
pub(super) struct Arrived {
    pub(super) key: SessionKey,
    pub(super) symbol: u64,
    pub(super) created: Instant,
    pub(super) payload: Payload,
}

impl Sink {
    pub(in super::super) fn new(unit: Option<Unit>, source: (NodeId, Incarnation), is_whole: bool) -> Self {
        Self {
            unit,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            dropped: 0,
            waiting: Waiting::default(),
            source,
            is_whole,
            next: None,
            has_jumped: false,
            subscribe_at: None,
            closes_at: None,
            gone_at: None,
            is_closed: false,
        }
    }

    pub(super) fn closes_at(&self) -> Option<Instant> {
        self.closes_at.into_iter().chain(self.gone_at).min().filter(|_| !self.is_closed)
    }

    /// Whether a stream has lost bytes here.
    pub(in super::super) fn has_hole(&self) -> bool {
        self.has_jumped || self.dropped > 0 && self.unit == Some(Unit::Stream)
    }

    pub(in super::super) fn take(&mut self) -> Option<Delivered> {
        let first = self.inbox.pop_front()?;
        self.inbox_bytes -= first.bytes.len();
        Some(first)
    }

    fn put(&mut self, delivered: Delivered) {
        self.inbox_bytes += delivered.bytes.len();
        self.inbox.push_back(delivered);
        while self.inbox.len() > INBOX_MAX || self.inbox_bytes > INBOX_BYTES_MAX {
            self.take();
            self.dropped += 1;
        }
        self.waiting.wake();
    }

    pub(in super::super) fn close(&mut self) {
        self.is_closed = true;
        self.waiting.wake();
    }
}

impl Agent {
    /// A destination has come or gone at the source.
    pub(super) fn on_destination(&mut self, key: SessionKey, node: NodeId, is_there: bool) {
        let Some(source) = self.sources.get_mut(&key) else { return };
        match (source.destinations.binary_search(&node), is_there) {
            (Err(place), true) => source.destinations.insert(place, node),
            (Ok(place), false) => _ = source.destinations.remove(place),
            _ => {}
        }
        source.waiting.wake();
    }

    pub(super) fn on_progress(&mut self, key: SessionKey, note: impl FnOnce(&mut Source)) {
        if let Some(source) = self.sources.get_mut(&key) {
            note(source);
            source.waiting.wake();
        }
    }

    /// Flows were installed, or refused.
    pub(super) fn on_installed(
        &mut self,
        key: SessionKey,
        destinations: Vec<NodeId>,
        done: &Result<(), Error>,
    ) {
        self.on_progress(key, |source| match done {
            Ok(()) => (source.routed, source.problem) = (destinations, None),
            Err(error) => source.problem = Some(error.clone()),
        });
    }

    /// Hands deliveries to whoever receives them. A stream's end is not one of its bytes.
    pub(super) fn hand_over(&mut self, now: Instant, node: &Node, seed: Seed) {
        for Arrived { key, symbol, created, payload } in std::mem::take(&mut self.delivered) {
            let Some(sink) = self.sinks.get_mut(&key).filter(|sink| !sink.is_closed) else { continue };
            if sink.is_whole && sink.next.replace(symbol + 1).is_some_and(|next| next != symbol) {
                sink.has_jumped = true;
                sink.waiting.wake();
            }
            let end = node.session(key).and_then(|entry| entry.sink.as_ref()?.stream_end());
            if end == Some(symbol) {
                sink.close();
                continue;
            }
            let bytes = match payload {
                // What comes from sockets is a part of a larger piece of memory, which would be held.
                Payload::Bytes(bytes) => Bytes::copy_from_slice(&bytes),
                Payload::Synthetic(what) => {
                    let mut bytes = BytesMut::zeroed(what.len as usize);
                    payload::fill(seed, what, &mut bytes);
                    bytes.freeze()
                }
                Payload::Coded { .. } => continue,
            };
            sink.put(Delivered { symbol, created, at: now, bytes });
        }
    }

    /// A session that is received here has ended: what is on its way may still arrive.
    pub(super) fn expect_end(&mut self, now: Instant, key: SessionKey) {
        if let Some(sink) = self.sinks.get_mut(&key) {
            sink.closes_at.get_or_insert(now + LINGER);
        }
    }

    /// A member is gone: what it sent ends here, unless it soon takes part again.
    pub(super) fn expect_source(&mut self, now: Instant, conference: ConferenceId, node: NodeId) {
        for (_, sink) in self.sinks.iter_mut().filter(|(key, _)| key.conference == conference) {
            if sink.source.0 == node {
                sink.gone_at.get_or_insert(now + GONE_LINGER);
            }
        }
    }

    /// A member takes part: the same start of it goes on with its sessions, a later one does not.
    pub(super) fn meet_source(&mut self, now: Instant, conference: ConferenceId, member: &Member) {
        for (_, sink) in self.sinks.iter_mut().filter(|(key, _)| key.conference == conference) {
            if sink.source == (member.node, member.incarnation) {
                sink.gone_at = None;
            } else if sink.source.0 == member.node {
                sink.closes_at.get_or_insert(now + LINGER);
            }
        }
    }

    pub(super) fn close_sinks(&mut self, now: Instant) {
        for sink in self.sinks.values_mut().filter(|sink| sink.closes_at().is_some_and(|at| at <= now)) {
            sink.close();
        }
    }

    /// A conference is over for this node.
    pub(in super::super) fn end_conference(&mut self, conference: ConferenceId) {
        let Some(membership) = self.conferences.get_mut(&conference).filter(|membership| !membership.is_over)
        else {
            return;
        };
        membership.is_over = true;
        membership.waiting.wake();
        for (_, sink) in self.sinks.iter_mut().filter(|(key, _)| key.conference == conference) {
            sink.close();
        }
        for (_, source) in self.sources.iter_mut().filter(|(key, _)| key.conference == conference) {
            source.is_finished = true;
            source.outbox.clear();
            source.waiting.wake();
        }
        self.watch_no_more();
    }

    /// Returns the sessions of a conference whose source is here.
    pub(in super::super) fn own_sessions(&self, conference: ConferenceId) -> Vec<SessionId> {
        let own = self.sources.keys().filter(|key| key.conference == conference);
        own.map(|key| key.session).collect()
    }

    /// This node leaves a conference: its sessions stop, and what it received is over.
    pub(in super::super) fn leave(&mut self, conference: ConferenceId) {
        let keys = |keys: Vec<&SessionKey>| -> Vec<SessionKey> {
            keys.into_iter().filter(|key| key.conference == conference).copied().collect()
        };
        for key in keys(self.sources.keys().collect()) {
            self.push_command(Command::StopSession(key));
        }
        for key in keys(self.sinks.keys().collect()) {
            self.push_command(Command::LeaveSession(key));
        }
        self.end_conference(conference);
    }
}
