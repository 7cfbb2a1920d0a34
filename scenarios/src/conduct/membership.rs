//! Sessions of a run: announced to their nodes, joined, left, forgotten, and counted over all starts of processes.

use super::conductor::Conductor;
use super::error::ConductError;
use super::observer::Observer;
use super::testbed::Testbed;
use crate::model::{FlowDraw, Membership, Session};
use crate::record::kind;
use bellini_core::coding::CodingSpec;
use bellini_core::ids::{Epoch, NodeId, SessionKey};
use bellini_core::io::{Command, CommandError, DrawMode, SessionSpec, SinkSpec};
use bellini_core::rng::Seed;
use bellini_core::seal::{SealSpec, SymbolKey};
use bellini_core::wire::control::ControlBody;

impl Conductor<'_> {
    /// Tells a session's nodes of it. `session`: its place in the roster, here and below.
    pub(super) fn announce(&mut self, bed: &mut dyn Testbed, session: usize) {
        let spec = self.roster.sessions[session].spec;
        let conference = self.roster.sessions[session].key().conference;
        self.roster.sessions[session].tally.is_known = true;
        self.roster.changes += 1;
        for node in &spec.destinations {
            if self.listing.as_ref().is_some_and(|listing| listing.is_lost(conference, *node)) {
                continue;
            }
            self.roster.sessions[session].tally.join(bed.now(), *node, 0);
            // Refused only when the node's table is full: it then gets nothing, which the summary shows.
            let _ = self.join_at(bed, session, *node);
        }
        self.start_source(bed, session);
    }

    /// Starts a session's source; after a restart its content begins now, in a new epoch.
    pub(super) fn start_source(&mut self, bed: &mut dyn Testbed, session: usize) {
        let (roster, session) = (&self.roster, &self.roster.sessions[session]);
        let source = session.source;
        let start = (roster.zero + session.spec.start).max(bed.now());
        let spec = SessionSpec {
            key: session.key(),
            epoch: Epoch(session.tally.epoch),
            destinations: session.tally.members.keys().copied().collect(),
            content: session.spec.content.clone(),
            symbol_bytes: session.spec.symbol_bytes,
            hop_kind: session.spec.transport.hop_kind(),
            delivery: session.spec.delivery.of_session(),
            coding: coding(bed, session.spec),
            seal: self.seal(bed, session.spec, session.key()),
            start: bed.local(source, start),
            stop: bed.local(source, roster.zero + session.spec.stop),
            measure: roster.measure(bed, source),
            draw: match session.spec.draw {
                FlowDraw::Random => DrawMode::Random,
                FlowDraw::Stride => DrawMode::Stride,
            },
            policy_period: Some(self.planner.period(session.key(), roster.scenario.planner.period)),
        };
        // Refused only when the conference has ended at that node, or its table is full: the session then has no
        // packets, which the summary shows.
        let _ = bed.command(source, Command::StartSession(Box::new(spec)));
    }

    /// Sets up a destination.
    ///
    /// # Errors
    /// When the node refuses, as far as the testbed tells.
    pub(super) fn join_at(
        &mut self,
        bed: &mut dyn Testbed,
        session: usize,
        node: NodeId,
    ) -> Result<(), CommandError> {
        let (roster, session) = (&self.roster, &self.roster.sessions[session]);
        let (source, sink) = (session.source, roster.node_index(node));
        let mut measure = roster.measure(bed, source);
        if let Some(joined) = session.tally.joined_at.get(&node) {
            measure.from = measure.from.max(bed.local(source, *joined));
        }
        let spec = SinkSpec {
            key: session.key(),
            source: session.spec.source,
            content: session.spec.content.clone(),
            symbol_bytes: session.spec.symbol_bytes,
            delivery: session.spec.delivery.of_session(),
            coding: coding(bed, session.spec),
            seal: self.seal(bed, session.spec, session.key()),
            start: bed.local(source, roster.zero + session.spec.start),
            stop: bed.local(source, roster.zero + session.spec.stop),
            measure,
            // An event for each delivery costs time; without a hook nobody would hear it.
            deliver_events: !self.hooks.is_empty(),
        };
        let answer = bed.command(sink, Command::JoinSession(Box::new(spec)));
        correct_clock(bed, session.key(), source, sink);
        answer
    }

    /// Returns how a session is sealed from end to end on this testbed, if it is.
    fn seal(&self, bed: &dyn Testbed, session: &Session, key: SessionKey) -> Option<SealSpec> {
        let secret = bed.secret().unwrap_or_else(|| {
            let mut secret = [0; 32];
            Seed(self.seed).stream("session keys").bytes_at(0, &mut secret);
            secret
        });
        session.sealed.then(|| SealSpec {
            key: SymbolKey::of(&secret, key, session.source),
            real_bytes: bed.has_real_bytes(),
        })
    }

    /// Where the testbed knows all clocks, delays are corrected by their true difference.
    pub(super) fn correct_clocks(&self, bed: &mut dyn Testbed) {
        for session in self.roster.sessions.iter().filter(|session| session.tally.is_known) {
            for node in session.tally.members.keys() {
                correct_clock(bed, session.key(), session.source, self.roster.node_index(*node));
            }
        }
    }

    /// A session has been over for a while: its nodes forget it.
    pub(super) fn retire(&mut self, bed: &mut dyn Testbed, session: usize) {
        let made = self.roster.made(bed, session);
        let key = self.roster.sessions[session].key();
        let spec = self.roster.sessions[session].spec;
        let tally = &mut self.roster.sessions[session].tally;
        let members: Vec<NodeId> = tally.members.keys().copied().collect();
        members.into_iter().for_each(|node| tally.leave(node, made));
        // Those that left earlier know of it still.
        let mut nodes: Vec<NodeId> = tally.all_members().chain(tally.sinks.keys()).copied().collect();
        nodes.push(spec.source);
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            let index = self.roster.node_index(node);
            if let Some(figures) = bed.harvest(index, key, true) {
                self.roster.sessions[session].tally.add(node, figures);
            }
            let _ = bed.command(index, Command::ForgetSession(key));
        }
        self.roster.sessions[session].tally.is_known = false;
        self.roster.changes += 1;
    }

    /// A destination comes or goes.
    pub(super) fn churn(
        &mut self,
        bed: &mut dyn Testbed,
        conference: usize,
        i: usize,
        observer: &mut dyn Observer,
    ) -> Result<(), ConductError> {
        let conference = &self.roster.scenario.conferences[conference];
        let churn = &conference.churn[i];
        let key = SessionKey { conference: conference.id, session: churn.session };
        let Some(session) = self.roster.find(key) else { return Ok(()) };
        let made = self.roster.made(bed, session);
        self.roster.changes += 1;
        match churn.membership {
            Membership::Join => self.join(bed, session, churn.node, made),
            Membership::Leave => {
                self.roster.sessions[session].tally.leave(churn.node, made);
                let _ = bed.command(self.roster.node_index(churn.node), Command::LeaveSession(key));
                self.tell_listing(bed, churn.node, ControlBody::Leave { key, node: churn.node });
            }
        }
        let (kind, text) = match churn.membership {
            Membership::Join => (kind::JOINED, format!("Node {} joins session {key}.", churn.node)),
            Membership::Leave => (kind::LEFT, format!("Node {} leaves session {key}.", churn.node)),
        };
        self.record_session(bed, observer, kind, key, churn.node, text)
    }

    /// Sessions came or went, or their destinations: policies that plan for all of them are asked anew.
    pub(super) fn ask_who_minds_others(&mut self, bed: &mut dyn Testbed) {
        for key in self.planner.minding_others() {
            let Some(session) = self.roster.find(key) else { continue };
            let session = &self.roster.sessions[session];
            if session.tally.is_known {
                // A source that has gone meanwhile has nothing to ask.
                let _ = bed.command(session.source, Command::ReloadSessionPolicies(key));
            }
        }
    }

    /// A node becomes a destination while the session is going on.
    fn join(&mut self, bed: &mut dyn Testbed, session: usize, node: NodeId, made: u64) {
        let key = self.roster.sessions[session].key();
        self.take_in(bed, session, node, made);
        // The request travels to the source as a control message, over the shortest path.
        let source = self.roster.sessions[session].spec.source;
        self.send_control(bed, node, source, ControlBody::Join { key, node });
        self.tell_listing(bed, node, ControlBody::Join { key, node });
    }

    /// A node becomes a destination, as far as it and the tally are concerned.
    pub(super) fn take_in(&mut self, bed: &mut dyn Testbed, session: usize, node: NodeId, made: u64) {
        let key = self.roster.sessions[session].key();
        // One that comes back starts anew; what it counted in its earlier stay is kept here, unless it is refused
        // (its conference has ended there) and goes on counting.
        let earlier = bed.harvest(self.roster.node_index(node), key, false).and_then(|figures| figures.sink);
        self.roster.sessions[session].tally.join(bed.now(), node, made);
        let answer = self.join_at(bed, session, node);
        if let (Ok(()), Some(sink)) = (answer, earlier) {
            self.roster.sessions[session].tally.add_sink(node, sink);
        }
    }

    /// Ends a conference, by index, for all its nodes.
    pub(super) fn end_conference(&mut self, bed: &mut dyn Testbed, conference: usize) {
        let conference = &self.roster.scenario.conferences[conference];
        // Whoever offers the first session created the conference, and ends it.
        if let Some(session) = conference.sessions.first() {
            let creator = self.roster.node_index(session.source);
            let _ = bed.command(creator, Command::EndConference(conference.id));
            self.end_listed(bed, conference.id, session.source);
        }
    }
}

fn correct_clock(bed: &mut dyn Testbed, key: SessionKey, source: u32, sink: u32) {
    if let Some(ahead_ns) = bed.clock_ahead_ns(source, sink) {
        let _ = bed.command(sink, Command::ClockCorrection { session: key, ahead_ns });
    }
}

/// Returns how a session is coded on this testbed.
fn coding(bed: &dyn Testbed, session: &Session) -> Option<CodingSpec> {
    session
        .coding
        .map(|coding| CodingSpec { real_bytes: coding.real_bytes || bed.has_real_bytes(), ..coding })
}
