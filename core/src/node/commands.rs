//! Commands of the application and the planner.

use crate::flow::FlowList;
use crate::header::SYMBOL_BYTES_MAX;
use crate::ids::{HopIndex, NodeId, SessionKey};
use crate::io::{Command, CommandError, Delivery, Event, Install, PolicyReason, SessionSpec, SinkSpec};
use crate::node::Node;
use crate::reliable::DESTINATIONS_MAX;
use crate::seal::TAG_BYTES;
use crate::session::{SinkSession, SourceSession};
use crate::time::{Duration, Instant};
use crate::wire::control::ControlBody;
use crate::wire::routing;

impl Node {
    pub(super) fn handle_command(&mut self, now: Instant, command: Command) -> Result<(), CommandError> {
        match command {
            Command::ConfigureConference { conference, weight, priority } => {
                self.conference_settings.insert(conference, (weight.max(1), priority));
                for feeder in self.hops.iter_mut().filter_map(|hop| hop.feeder.as_mut()) {
                    feeder.configure(conference, weight.max(1), priority);
                }
                Ok(())
            }
            Command::StartSession(spec) => self.start_session(now, &spec),
            Command::StopSession(key) => {
                let index = self.known_session(key)?;
                self.stop_source(index);
                Ok(())
            }
            Command::JoinSession(spec) => self.join_session(now, &spec),
            Command::Offer { key, data } => {
                let index = self.known_session(key)?;
                let source = self.sessions.get_mut(index).source.as_mut();
                let source = source.ok_or(CommandError::UnknownSession(key))?;
                source.content.offer(now, data).map_err(|fault| CommandError::Offer(key, fault))?;
                self.run_source(now, index);
                Ok(())
            }
            Command::EndOffers(key) => {
                let index = self.known_session(key)?;
                let source = self.sessions.get_mut(index).source.as_mut();
                source.ok_or(CommandError::UnknownSession(key))?.content.end_offers();
                self.run_source(now, index);
                Ok(())
            }
            Command::LeaveSession(key) => self.leave_session(now, key),
            Command::ForgetSession(key) => {
                let index = self.known_session(key)?;
                self.stop_source(index);
                self.forget(index);
                Ok(())
            }
            Command::EndConference(conference) => {
                self.end_conference(now, conference, None);
                Ok(())
            }
            Command::Install(install) => self.install(now, install),
            Command::ReloadSessionPolicies(key) => {
                let index = self.known_session(key)?;
                self.ask_policy(now, index, PolicyReason::Reload);
                Ok(())
            }
            Command::OpenHop { peer, kind } => {
                if peer == self.config.id {
                    return Err(CommandError::OwnHop(peer));
                }
                let hop = self.hop(peer, kind);
                self.open_hop(now, hop);
                Ok(())
            }
            Command::SendControl { route, body } => {
                let info = routing::encode(&route).map_err(CommandError::BadRoute)?;
                routing::validate(&info, self.config.id, self.route_limits)
                    .map_err(CommandError::BadRoute)?;
                let mut sent = Ok(());
                for branch in &route.branches {
                    let single = crate::route::Route { branches: vec![branch.clone()] };
                    let pathlet = routing::encode(&single).map_err(CommandError::BadRoute)?;
                    let branch = self.send_along(now, &pathlet, &body);
                    sent = sent.and(branch);
                }
                sent
            }
            Command::HoldListing(held) => {
                self.hold_listing(now, *held);
                Ok(())
            }
            Command::Register(registration) => self.register(now, &registration),
            Command::ClockCorrection { session, ahead_ns } => {
                let index = self.known_session(session)?;
                let estimates = self.config.clock_probes.is_some();
                if let Some(sink) = self.sessions.get_mut(index).sink.as_mut().filter(|_| !estimates) {
                    sink.correct_clock(ahead_ns);
                }
                Ok(())
            }
            Command::Admit { key, node } => {
                if node == self.config.id {
                    return Err(CommandError::OwnHop(node));
                }
                self.known_session(key)?;
                self.change_membership(now, key, node, PolicyReason::Joined);
                Ok(())
            }
            Command::Dismiss { key, node } => {
                self.known_session(key)?;
                self.change_membership(now, key, node, PolicyReason::Left);
                Ok(())
            }
        }
    }

    fn known_session(&self, key: SessionKey) -> Result<u32, CommandError> {
        self.sessions.find(key).ok_or(CommandError::UnknownSession(key))
    }

    /// Returns the entry of a session, made if it is not there.
    fn own_session(&mut self, key: SessionKey) -> Result<u32, CommandError> {
        if self.ended.contains(key.conference) {
            return Err(CommandError::ConferenceEnded(key.conference));
        }
        if let Some(index) = self.sessions.find(key) {
            return Ok(index);
        }
        let max = self.config.limits.sessions_max;
        if self.sessions.len() >= max {
            return Err(CommandError::TooManySessions(max));
        }
        Ok(self.sessions.insert(key))
    }

    fn start_session(&mut self, now: Instant, spec: &SessionSpec) -> Result<(), CommandError> {
        let symbol_bytes = spec.symbol_bytes.saturating_add(spec.seal.map_or(0, |_| TAG_BYTES));
        if spec.symbol_bytes == 0 || symbol_bytes > SYMBOL_BYTES_MAX {
            return Err(CommandError::BadSymbolSize(spec.symbol_bytes));
        }
        if spec.policy_period == Some(Duration::ZERO) {
            return Err(CommandError::NoPeriod);
        }
        let is_reliable = spec.delivery == Delivery::Reliable;
        if let Some(fault) = spec.coding.and_then(|coding| coding.fault(is_reliable, symbol_bytes)) {
            return Err(CommandError::BadCoding(fault));
        }
        let index = self.own_session(spec.key)?;
        if self.sessions.get(index).source.is_some() {
            return Err(CommandError::DuplicateSession(spec.key));
        }
        let count = spec.destinations.len();
        if is_reliable && count > DESTINATIONS_MAX {
            return Err(CommandError::TooManyDestinations(count));
        }
        let bounds = (self.config.reliable, self.config.limits.dedup_symbols_max);
        let source = SourceSession::new(now, spec, self.config.id, self.seed, bounds);
        self.sessions.get_mut(index).source = Some(Box::new(source));
        self.ask_policy(now, index, PolicyReason::Start);
        // The first poll only says when the first symbol is due, unless the session has begun already.
        self.run_source(now, index);
        Ok(())
    }

    fn join_session(&mut self, now: Instant, spec: &SinkSpec) -> Result<(), CommandError> {
        let index = self.own_session(spec.key)?;
        let sink = SinkSession::new(spec, self.seed, self.config.limits.dedup_symbols_max);
        self.drop_ack_timer(index);
        // One that nobody announced may have begun to decode.
        let before = self.sessions.get_mut(index).sink.replace(Box::new(sink));
        self.account_coding(before.map_or(0, |sink| sink.coding_counted), 0);
        self.watch_clock(now, index, spec.source);
        Ok(())
    }

    fn leave_session(&mut self, now: Instant, key: SessionKey) -> Result<(), CommandError> {
        let index = self.known_session(key)?;
        let entry = self.sessions.get_mut(index);
        if let Some(sink) = &mut entry.sink {
            sink.leave(now);
        }
        // Who has left acknowledges nothing any more.
        self.drop_ack_timer(index);
        let entry = self.sessions.get_mut(index);
        if let Some(sink) = &mut entry.sink {
            sink.receiver = None;
            sink.arrived = None;
        }
        let back = entry.relay.ways_back().next();
        let node = self.config.id;
        if let Some(back) = back {
            let peer = self.hops[back.0 as usize].peer;
            return self.send_control(now, peer, Vec::new(), ControlBody::Leave { key, node });
        }
        Ok(())
    }

    /// A destination joins or leaves a session of which this node is the source.
    pub(super) fn change_membership(
        &mut self,
        now: Instant,
        key: SessionKey,
        node: NodeId,
        reason: PolicyReason,
    ) {
        let Some(index) = self.sessions.find(key) else { return };
        let Some(source) = &mut self.sessions.get_mut(index).source else { return };
        let place = source.destinations.binary_search(&node);
        let event = match (place, reason) {
            (Err(at), PolicyReason::Joined) => {
                source.destinations.insert(at, node);
                if let Some(sender) = &mut source.reliable {
                    sender.join(now, node);
                }
                source.begin_again(now, node);
                Event::Joined { key, node }
            }
            (Ok(at), PolicyReason::Left) => {
                source.destinations.remove(at);
                if let Some(sender) = &mut source.reliable {
                    sender.leave(node);
                }
                if let Some(coded) = &mut source.coded {
                    coded.repairs.forget(node);
                }
                if source.destinations.is_empty() {
                    source.drop_flows();
                }
                Event::Left { key, node }
            }
            _ => return,
        };
        // What waited for a destination that has left goes on.
        let is_reliable = source.reliable.is_some();
        self.emit_event(event);
        self.ask_policy(now, index, reason);
        if is_reliable {
            self.kicked.push(index);
        }
    }

    /// Installs flows, unless a later decision is there already.
    pub(super) fn install(&mut self, now: Instant, install: Install) -> Result<(), CommandError> {
        let Install { key, planner, version, flows } = install;
        let index = self.known_session(key)?;
        let Some(mut source) = self.sessions.get_mut(index).source.take() else {
            return Err(CommandError::UnknownSession(key));
        };
        let result = self.install_into(now, index, &mut source, (planner, version), &flows);
        self.sessions.get_mut(index).source = Some(source);
        if let Ok(true) = result {
            self.emit_event(Event::Installed { key, version });
            // Who decided may not know yet what is down.
            self.reroute(now, index);
            // A source that waited for a route goes on.
            self.kicked.push(index);
        }
        result.map(|_| ())
    }

    fn install_into(
        &mut self,
        now: Instant,
        index: u32,
        source: &mut SourceSession,
        decided: (crate::ids::Incarnation, u32),
        flows: &[(crate::route::Route, f64)],
    ) -> Result<bool, CommandError> {
        if source.installed.is_some_and(|installed| decided <= installed) {
            self.stats.stale_installs += 1;
            return Ok(false);
        }
        let (id, limits, kind) = (self.config.id, self.route_limits, source.hop_kind);
        let list = FlowList::new(id, flows, source.draw, limits, |peer| self.hop(peer, kind))?;
        source.installed = Some(decided);
        let same = source.flows.as_ref().is_some_and(|old| old.is_same(&list));
        if same {
            return Ok(false);
        }
        let key = self.sessions.get(index).key;
        let mut used: Vec<HopIndex> = Vec::new();
        for flow in list.flows() {
            for branch in &flow.branches {
                self.open_hop(now, branch.hop);
                // Without it the first packet opens the hops, a hello exchange later.
                let setup = ControlBody::Setup { key, kind };
                let _ = self.send_along(now, &branch.pathlet, &setup);
                used.push(branch.hop);
            }
        }
        self.add_conference_hops(index, &used);
        source.replace_flows(list);
        Ok(true)
    }
}
