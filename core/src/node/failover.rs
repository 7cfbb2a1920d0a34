//! Failover: neighbours are watched, what fails is told to the sources, and flows leave hops that are down.
//!
//! Each pair of nodes between which packets go watches each other ([`Watch`]). The node at the sending end of a hop that
//! is down tells the nodes that packets came from, they tell theirs, and so on to the sources; as long as the hop is down
//! it says so again and again, so that whoever comes later hears of it, and whoever heard of a node that has died since
//! forgets it. A source gives the shares of flows over such hops to their backups ([`shares_now`]), and asks for
//! its policies again. Backups cost no packets: [`ControlBody::Setup`] messages keep their hops open, and let the nodes on the way
//! remember where to send what they have to tell.

use crate::config::FailoverConfig;
use crate::flow::{FlowList, is_up, shares_now};
use crate::hop::{Arrivals, Watch, WatchChange};
use crate::ids::{HopIndex, NodeId};
use crate::io::{Event, HopKind, PolicyReason};
use crate::node::Node;
use crate::node::timers::Timer;
use crate::time::{Duration, Instant};
use crate::wire::control::{ControlBody, Watching};
use std::collections::{BTreeMap, BTreeSet};

/// Distance of what is told again while a hop is down.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
/// What another node told is forgotten after so long without being told again.
const FORGET_AFTER: Duration = Duration::from_millis(3_500);
/// Distance of the setup messages that keep the ways of flows known.
const SETUP_INTERVAL: Duration = Duration::from_secs(10);
/// Hops of others that are remembered as down.
const DOWN_MAX: usize = 4_096;

/// What a node knows of hops that are down.
#[derive(Clone, Debug, Default)]
pub(super) struct DownHops {
    /// By sending and receiving end: until when it is believed; `None`: it is a hop of this node, which knows.
    hops: BTreeMap<(NodeId, NodeId), Option<Instant>>,
    is_timed: bool,
}

impl DownHops {
    fn contains(&self, from: NodeId, to: NodeId) -> bool {
        self.hops.contains_key(&(from, to))
    }

    /// Whether that was new.
    fn insert(&mut self, hop: (NodeId, NodeId), until: Option<Instant>) -> bool {
        if until.is_some() && self.hops.len() >= DOWN_MAX && !self.hops.contains_key(&hop) {
            return false;
        }
        self.hops.insert(hop, until).is_none()
    }
}

impl Node {
    /// Begins to watch the peer of a hop that carries packets, unless it is watched.
    #[cold]
    pub(super) fn watch_peer(&mut self, now: Instant, peer: NodeId) {
        let Some(config) = self.config.failover else { return };
        let Some(index) = self.try_hop(peer, HopKind::Control) else { return };
        self.open_hop(now, index);
        let hop = self.hop_mut(index);
        if hop.watch.is_none() {
            hop.watch = Some(Box::new(Watch::new(now)));
            self.arm_watch(now, index, &config);
        }
    }

    /// The peer of a control hop was heard.
    #[inline]
    pub(super) fn heard(&mut self, now: Instant, index: HopIndex, watching: Watching) {
        let Some(config) = self.config.failover else { return };
        let hop = self.hop_mut(index);
        let Some(watch) = &mut hop.watch else {
            if watching.is_on {
                // A node that has started again knows of nobody who packets come from.
                let peer = hop.peer;
                self.watch_peer(now, peer);
            }
            return;
        };
        let change = watch.on_heard(now, watching.is_unheard, &config);
        self.on_watch_change(now, index, change);
    }

    pub(super) fn on_watch_timer(&mut self, now: Instant, index: HopIndex) {
        let Some(config) = self.config.failover else { return };
        let Some(watch) = &mut self.hop_mut(index).watch else { return };
        let (is_due, change) = watch.on_timer(now, &config);
        if is_due {
            let arrivals = self.arrivals_from(index);
            let hop = self.hop_mut(index);
            if let (Some(watch), Some(control)) = (&mut hop.watch, &mut hop.control) {
                watch.on_arrivals(now, arrivals);
                control.keep_alive();
                self.mark_ready(index);
            }
        }
        self.on_watch_change(now, index, change);
        self.arm_watch(now, index, &config);
    }

    /// Returns what came on the other hops of a control hop's peer since the last look.
    fn arrivals_from(&mut self, index: HopIndex) -> Arrivals {
        let peer = self.hops[index.0 as usize].peer;
        let mut sum = Arrivals::default();
        for kind in [HopKind::Datagram, HopKind::Paced] {
            let name = u64::from(peer.get()) << 2 | kind as u64;
            let Some(at) = self.hop_index.get(&name) else { continue };
            let hop = &mut self.hops[*at as usize];
            let now = (hop.received_number, hop.missing_runs, hop.stats.missing_frames);
            let before = core::mem::replace(&mut hop.watched, now);
            // Numbers begin again with each connection.
            sum.numbers += now.0.saturating_sub(before.0);
            sum.runs += now.1 - before.1;
            sum.missing = sum.missing.saturating_add(now.2.wrapping_sub(before.2).cast_signed());
        }
        sum
    }

    fn arm_watch(&mut self, now: Instant, index: HopIndex, config: &FailoverConfig) {
        if let Some(watch) = &self.hops[index.0 as usize].watch {
            self.timers.set(watch.deadline(config).max(now), Timer::Watch(index));
        }
    }

    fn on_watch_change(&mut self, now: Instant, index: HopIndex, change: Option<WatchChange>) {
        let (from, to) = (self.config.id, self.hops[index.0 as usize].peer);
        match change {
            None => return,
            Some(WatchChange::Down(fault)) => {
                self.down.insert((from, to), None);
                self.stats.hops_down += 1;
                self.emit_event(Event::HopDown { peer: to, fault });
                self.time_down_hops(now);
            }
            Some(WatchChange::Up) => {
                self.down.hops.remove(&(from, to));
                self.emit_event(Event::HopUp { peer: to });
            }
        }
        let is_down = change != Some(WatchChange::Up);
        self.tell_upstream(now, &ControlBody::HopState { from, to, is_down }, &[to]);
        self.reroute_all(now, !is_down);
    }

    /// Tells the nodes that packets come from, but none of `except`.
    pub(super) fn tell_upstream(&mut self, now: Instant, body: &ControlBody, except: &[NodeId]) {
        for peer in self.upstream_peers(except) {
            // What cannot go is counted as dropped, and told again soon.
            let _ = self.send_control(now, peer, Vec::new(), body.clone());
        }
    }

    pub(super) fn upstream_peers(&self, except: &[NodeId]) -> BTreeSet<NodeId> {
        let ways = self.sessions.iter().filter(|(_, entry)| entry.source.is_none());
        let hops: BTreeSet<HopIndex> = ways.flat_map(|(_, entry)| entry.relay.all_ways_back()).collect();
        let peers = hops.into_iter().map(|hop| self.hops[hop.0 as usize].peer);
        peers.filter(|peer| !except.contains(peer)).collect()
    }

    /// Another node tells of a hop; the message is new here.
    pub(super) fn hear_of_hop(
        &mut self,
        now: Instant,
        sender: NodeId,
        message: &crate::wire::control::ControlMessage,
    ) {
        let ControlBody::HopState { from, to, is_down } = message.body else { return };
        // Of its own hops a node knows best.
        if self.config.failover.is_none() || from == self.config.id || !self.is_first_pass(message) {
            return;
        }
        let is_new = if is_down {
            let is_new = self.down.insert((from, to), Some(now + FORGET_AFTER));
            self.time_down_hops(now);
            is_new
        } else {
            self.down.hops.remove(&(from, to)).is_some()
        };
        for peer in self.upstream_peers(&[sender, message.origin]) {
            let _ = self.push_control(now, peer, message);
        }
        if is_new {
            self.reroute_all(now, !is_down);
        }
    }

    fn time_down_hops(&mut self, now: Instant) {
        if !self.down.is_timed {
            self.down.is_timed = true;
            self.timers.set(now + TELL_INTERVAL, Timer::DownHops);
        }
    }

    /// Tells again of own hops that are down, and forgets those of others that nobody tells of any more.
    pub(super) fn on_down_timer(&mut self, now: Instant) {
        self.down.is_timed = false;
        let count = self.down.hops.len();
        self.down.hops.retain(|_, until| until.is_none_or(|until| now < until));
        let is_changed = self.down.hops.len() != count;
        let own: Vec<_> =
            self.down.hops.iter().filter(|(_, until)| until.is_none()).map(|(hop, _)| *hop).collect();
        for (from, to) in own {
            self.tell_upstream(now, &ControlBody::HopState { from, to, is_down: true }, &[to]);
        }
        if !self.down.hops.is_empty() {
            self.time_down_hops(now);
        }
        if is_changed {
            self.reroute_all(now, true);
        }
    }

    /// Gives every session of this node the shares that go with the hops that are down now; `is_up`: one came back.
    fn reroute_all(&mut self, now: Instant, is_up: bool) {
        let own: Vec<u32> = self
            .sessions
            .iter()
            .filter(|(_, entry)| entry.source.as_ref().is_some_and(|source| source.flows.is_some()))
            .map(|(index, _)| index)
            .collect();
        let is_over = self.down.hops.is_empty();
        for index in own {
            let is_changed = self.reroute(now, index);
            let Some(source) = &mut self.sessions.get_mut(index).source else { continue };
            // Policies may have decided for what was left; now there is more again.
            let is_back = source.is_diverted && is_up;
            source.is_diverted = (source.is_diverted || is_changed) && !is_over;
            if is_changed || is_back {
                self.ask_policy(now, index, PolicyReason::Topology);
            }
        }
    }

    /// Does so for one session. Returns whether its shares have changed.
    pub(super) fn reroute(&mut self, now: Instant, index: u32) -> bool {
        let (id, down) = (self.config.id, &self.down);
        let entry = self.sessions.get_mut(index);
        let (key, Some(source)) = (entry.key, &mut entry.source) else { return false };
        let Some(list) = &mut source.flows else { return false };
        let up: Vec<bool> = list
            .flows()
            .iter()
            .map(|flow| is_up(&flow.route, id, |from, to| down.contains(from, to)))
            .collect();
        let before: Vec<f64> = list.flows().iter().map(|flow| flow.share).collect();
        if !list.reshare(&shares_now(list.flows(), &up)) {
            return false;
        }
        if let Some(sender) = &mut source.reliable {
            for (place, up) in up.iter().enumerate() {
                if !up {
                    sender.give_up(now, place);
                } else if before[place] == 0.0 {
                    sender.revive(place);
                }
            }
        }
        let some = list.flows().iter().position(|flow| flow.share > 0.0);
        if let (Some((_, flow)), Some(some)) = (&mut source.pending, some)
            && list.flows().get(*flow).is_none_or(|flow| flow.share == 0.0)
        {
            *flow = some;
        }
        let shares = list.flows().iter().filter(|flow| flow.share > 0.0);
        let flows = shares.map(|flow| (flow.route.clone(), flow.share)).collect();
        let is_backup = list.flows().iter().any(|flow| flow.share > 0.0 && flow.decided == 0.0);
        self.stats.reroutes += 1;
        self.emit_event(Event::Rerouted { key, flows, is_backup });
        self.kicked.push(index);
        true
    }

    /// Tells the nodes on all ways of the sessions of this node that packets may come.
    pub(super) fn on_setup_timer(&mut self, now: Instant) {
        if self.config.failover.is_none() {
            return;
        }
        let ways: Vec<_> = self
            .sessions
            .iter()
            .filter_map(|(_, entry)| {
                let source = entry.source.as_ref().filter(|source| !source.is_done())?;
                Some((entry.key, source.hop_kind, source.flows.as_ref()?))
            })
            .flat_map(|(key, kind, list)| {
                pathlets(list).map(move |way| (ControlBody::Setup { key, kind }, way))
            })
            .collect();
        for (setup, pathlet) in ways {
            let _ = self.send_along(now, &pathlet, &setup);
        }
        self.timers.set(now + SETUP_INTERVAL, Timer::Setup);
    }
}

/// Returns the Pathlets of all branches of a flow list.
fn pathlets(list: &FlowList) -> impl Iterator<Item = Box<[u8]>> + '_ {
    list.flows().iter().flat_map(|flow| &flow.branches).map(|branch| branch.pathlet.clone())
}

/// Distance of setup messages, for the first timer.
pub(super) const fn setup_interval() -> Duration {
    SETUP_INTERVAL
}
