//! A testbed without packets: it writes down what it is told, and counts in whole numbers that can be worked out.

use crate::conduct::{
    CrossFlowFigures, Degrade, LinkFigures, NodeFigures, SessionFigures, SinkTally, SourceCounts,
    SourceTally, Testbed, TestbedError,
};
use bellini_core::content::SourceStats;
use bellini_core::ids::{ConferenceId, NodeId, SessionKey};
use bellini_core::io::{Command, CommandError, Registration};
use bellini_core::seal::SealSpec;
use bellini_core::session::SinkSessionStats;
use bellini_core::time::{Duration, Instant};
use std::collections::BTreeMap;

/// Payload of a symbol.
pub(super) const SYMBOL_BYTES: u64 = 1_000;
/// Symbols of the measuring window that every destination gets in each life of its process.
pub(super) const DELIVERED: u64 = 30;

/// Node *i* has the id *i* + 1. Sources make ten symbols a second from when they are told to start.
#[derive(Default)]
pub(super) struct Bed {
    pub(super) now: Instant,
    /// What happened: seconds since the start, and what.
    pub(super) log: Vec<String>,
    pub(super) down: Vec<u32>,
    /// Looks taken.
    pub(super) looks: u32,
    /// The next look fails.
    pub(super) is_lost: bool,
    /// What each node knows of sessions: when its source started, whether it is a destination.
    pub(super) sessions: BTreeMap<(u32, SessionKey), Known>,
    pub(super) cut: Vec<u32>,
    /// Which nodes were told how a session is sealed, and how.
    pub(super) seals: Vec<(u32, Option<SealSpec>)>,
    /// What the testbed makes keys of, if not the seed.
    pub(super) secret: Option<[u8; 32]>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    source_since: Option<Instant>,
    is_sink: bool,
}

impl Bed {
    fn note(&mut self, what: String) {
        self.log.push(format!("{:.1} {what}", self.now.as_secs_f64()));
    }

    fn figures(&self, known: Known) -> SessionFigures {
        let source = known.source_since.map(|since| {
            let symbols = self.now.saturating_since(since).as_millis_f64() as u64 / 100;
            let bytes = symbols * SYMBOL_BYTES;
            let content = SourceStats {
                symbols,
                bytes,
                measured_symbols: symbols,
                measured_bytes: bytes,
                ..SourceStats::default()
            };
            SourceTally { content, bytes, ..SourceTally::default() }
        });
        let stats = SinkSessionStats {
            delivered_packets: DELIVERED,
            measured_packets: DELIVERED,
            delivered_bytes: DELIVERED * SYMBOL_BYTES,
            ..SinkSessionStats::default()
        };
        SessionFigures { source, sink: known.is_sink.then(|| SinkTally { stats, ..SinkTally::default() }) }
    }

    fn of_node(&self, node: u32) -> Vec<(SessionKey, SessionFigures)> {
        let own = self.sessions.iter().filter(|((at, _), _)| *at == node);
        own.map(|((_, key), known)| (*key, self.figures(*known))).collect()
    }
}

impl Testbed for Bed {
    fn has_real_bytes(&self) -> bool {
        false
    }

    fn secret(&self) -> Option<[u8; 32]> {
        self.secret
    }

    fn now(&self) -> Instant {
        self.now
    }

    /// The clock of node 1 (by index) is an hour ahead.
    fn local(&self, node: u32, at: Instant) -> Instant {
        if node == 1 { at + Duration::from_secs(3_600) } else { at }
    }

    fn clock_ahead_ns(&self, _: u32, _: u32) -> Option<i64> {
        None
    }

    fn node_is_up(&self, node: u32) -> bool {
        !self.down.contains(&node)
    }

    fn link_is_up(&self, link: u32) -> bool {
        !self.cut.contains(&link)
    }

    fn command(&mut self, node: u32, command: Command) -> Result<(), CommandError> {
        match &command {
            Command::StartSession(spec) => self.seals.push((node, spec.seal)),
            Command::JoinSession(spec) => self.seals.push((node, spec.seal)),
            _ => {}
        }
        let (word, known) = match command {
            Command::StartSession(spec) => {
                let entry = self.sessions.entry((node, spec.key)).or_default();
                // Started early, so that routes are there; content begins at its own time.
                entry.source_since = Some(spec.start);
                let members: Vec<String> = spec.destinations.iter().map(NodeId::to_string).collect();
                (format!("start epoch {} to {}", spec.epoch.0, members.join(",")), None)
            }
            Command::JoinSession(spec) => ("join".to_owned(), Some((spec.key, true))),
            Command::LeaveSession(_) => ("leave".to_owned(), None),
            Command::ForgetSession(key) => ("forget".to_owned(), Some((key, false))),
            Command::ConfigureConference { weight, .. } => (format!("weight {weight}"), None),
            Command::EndConference(_) => ("end".to_owned(), None),
            Command::Install(install) => (format!("install {}", install.flows[0].0), None),
            Command::SendControl { route, .. } => (format!("control by {route}"), None),
            Command::HoldListing(held) => {
                let count = held.list.conferences[&ConferenceId(1)].members.len();
                (format!("hold a listing of {count} members, {} lost", held.lost.len()), None)
            }
            Command::Register(Registration { way: Some((there, back)), .. }) => {
                (format!("register by {there}, back {back}"), None)
            }
            Command::Register(_) => ("register here".to_owned(), None),
            other => panic!("nobody gives {other:?} here"),
        };
        match known {
            Some((key, true)) => self.sessions.entry((node, key)).or_default().is_sink = true,
            Some((key, false)) => drop(self.sessions.remove(&(node, key))),
            None => {}
        }
        self.note(format!("node {}: {word}", node + 1));
        Ok(())
    }

    fn look(&mut self) -> Result<(), TestbedError> {
        self.looks += 1;
        if self.is_lost { Err(TestbedError("node 2 does not answer".into())) } else { Ok(()) }
    }

    fn node(&self, _: u32) -> NodeFigures {
        NodeFigures {
            cpu_s: Some(self.now.as_secs_f64() / 2.0),
            host_dropped_packets: 7,
            ..NodeFigures::default()
        }
    }

    fn link(&mut self, link: u32) -> LinkFigures {
        let sent = self.now.as_secs_f64() as u64 * 10 * (u64::from(link) + 1);
        let dropped_other = [("cut".to_owned(), sent / 10)].into();
        LinkFigures { sent_packets: sent, sent_bytes: sent * 100, dropped_other, ..LinkFigures::default() }
    }

    /// Connection *i* (from 0) delivers *i* + 1 kB in each second and repeats one segment in it.
    fn cross_flows(&mut self) -> Vec<CrossFlowFigures> {
        let seconds = self.now.as_secs_f64() as u64;
        (1..=3)
            .map(|i| CrossFlowFigures {
                delivered_bytes: i * 1_000 * seconds,
                retransmitted_segments: Some(seconds),
            })
            .collect()
    }

    fn source_counts(&self, node: u32, key: SessionKey) -> Option<SourceCounts> {
        let source = self.figures(*self.sessions.get(&(node, key))?).source?;
        Some(SourceCounts { bytes: source.bytes, ..SourceCounts::default() })
    }

    fn sink_counts(&self, node: u32, key: SessionKey) -> Option<SinkSessionStats> {
        Some(self.figures(*self.sessions.get(&(node, key))?).sink?.stats)
    }

    fn harvest(&mut self, node: u32, key: SessionKey, _: bool) -> Option<SessionFigures> {
        Some(self.figures(*self.sessions.get(&(node, key))?))
    }

    fn finish(&mut self) -> Result<Vec<Vec<(SessionKey, SessionFigures)>>, TestbedError> {
        Ok((0..3).map(|node| self.of_node(node)).collect())
    }

    fn in_flight(&self) -> BTreeMap<(SessionKey, NodeId), u64> {
        BTreeMap::new()
    }

    fn cut(&mut self, link: u32) {
        self.cut.push(link);
        self.note(format!("cut {link}"));
    }

    fn heal(&mut self, link: u32) {
        self.cut.retain(|cut| *cut != link);
        self.note(format!("heal {link}"));
    }

    fn degrade(&mut self, link: u32, degrade: Degrade) {
        self.note(format!("degrade {link} {:?}", degrade.rate_factor));
    }

    fn crash(&mut self, node: u32) -> Vec<(SessionKey, SessionFigures)> {
        self.note(format!("crash {}", node + 1));
        self.down.push(node);
        let figures = self.of_node(node);
        self.sessions.retain(|(at, _), _| *at != node);
        figures
    }

    fn restart(&mut self, node: u32) -> Result<(), TestbedError> {
        self.note(format!("restart {}", node + 1));
        self.down.retain(|down| *down != node);
        Ok(())
    }
}
