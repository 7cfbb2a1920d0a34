//! Failover: neighbours are watched, what fails is told to the sources, and flows leave hops that are down.
//!
//! Each pair of nodes between which packets go watches each other ([`Watch`]). The node at the sending end of a hop that
//! is down tells the nodes that packets came from, they tell theirs, and so on to the sources; as long as the hop is down
//! it says so again and again, so that whoever comes later hears of it, and whoever heard of a node that has died since
//! forgets it. A source gives the shares of flows over such hops to their backups ([`shares_now`]), and asks for
//! its policies again. Backups cost no packets: [`ControlBody::Setup`] messages keep their hops open, and let the nodes on the way
//! remember where to send what they have to tell.

use crate::config::FailoverConfig;
use crate::flow::{FlowList, reached, shares_now};
use crate::hop::{Arrivals, Watch, WatchChange, Watched};
use crate::ids::{HopIndex, NodeId};
use crate::io::{Event, HopKind, PolicyReason};
use crate::node::Node;
use crate::node::timers::Timer;
use crate::time::{Duration, Instant};
use crate::wire::control::{ControlBody, ControlMessage, Watching};
use std::collections::{BTreeMap, BTreeSet};

/// Distance of what is told again while a hop is down.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
/// What another node told is forgotten after so long without being told again.
const FORGET_AFTER: Duration = Duration::from_millis(3_500);
/// Distance of the setup messages that keep the ways of flows known.
const SETUP_INTERVAL: Duration = Duration::from_secs(10);
/// Hops of others that are remembered as down.
const DOWN_MAX: usize = 4_096;

/// Setup messages of a session's flows go out in one of so many parts of that time, so that not all sessions' go at once.
const SETUP_PARTS: u32 = 10;

/// What a node knows of hops that are down.
#[derive(Clone, Debug, Default)]
pub(super) struct DownHops {
    /// The newest word of each, by sending and receiving end.
    hops: BTreeMap<(NodeId, NodeId), HopWord>,
    is_timed: bool,
    /// What this node has told, counted.
    told: u32,
    /// The part of the sessions whose setup messages go next.
    setup_part: u32,
}

/// The newest word of a hop.
#[derive(Clone, Copy, Debug)]
struct HopWord {
    version: u64,
    is_down: bool,
    /// Until when it is believed; `None`: it is a hop of this node, which knows.
    until: Option<Instant>,
}

impl DownHops {
    fn contains(&self, from: NodeId, to: NodeId) -> bool {
        self.hops.get(&(from, to)).is_some_and(|word| word.is_down)
    }

    fn are_any_down(&self) -> bool {
        self.hops.values().any(|word| word.is_down)
    }
}

impl Node {
    /// Packets go to a peer, come from it, or are about to: it is watched from now on, unless it is already.
    #[cold]
    pub(super) fn watch_peer(&mut self, now: Instant, peer: NodeId) {
        let Some(config) = self.config.failover else { return };
        let Some(index) = self.try_hop(peer, HopKind::Control) else { return };
        self.open_hop(now, index);
        let hop = self.hop_mut(index);
        if let Some(watch) = &mut hop.watch {
            watch.want(now);
        } else {
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
        let change = watch.on_heard(now, watching, &config);
        self.on_watch_change(now, index, change);
    }

    pub(super) fn on_watch_timer(&mut self, now: Instant, index: HopIndex) {
        let Some(config) = self.config.failover else { return };
        let Some(watch) = &mut self.hop_mut(index).watch else { return };
        let (is_due, change) = watch.on_timer(now, &config);
        if is_due {
            let (arrivals, is_used) = self.use_of_hops_to(index);
            let idle = self.config.limits.relay_idle;
            let hop = self.hop_mut(index);
            if let (Some(watch), Some(control)) = (&mut hop.watch, &mut hop.control) {
                if is_used {
                    watch.want(now);
                }
                if !watch.is_needed(now, idle) {
                    self.end_watch(now, index);
                    return;
                }
                watch.on_arrivals(now, arrivals);
                control.keep_alive();
                self.mark_ready(index);
            }
        }
        self.on_watch_change(now, index, change);
        self.arm_watch(now, index, &config);
    }

    /// Nobody has anything to do with the peer any more: what was known of the hop to it is forgotten.
    fn end_watch(&mut self, now: Instant, index: HopIndex) {
        let (from, to) = (self.config.id, self.hops[index.0 as usize].peer);
        self.hop_mut(index).watch = None;
        if self.down.hops.remove(&(from, to)).is_some() {
            self.tell_hop(now, to, false);
            self.reroute_all(now, true);
        }
    }

    /// Returns what came on the other hops of a control hop's peer since the last look, and whether packets came or went.
    fn use_of_hops_to(&mut self, index: HopIndex) -> (Arrivals, bool) {
        let peer = self.hops[index.0 as usize].peer;
        let mut sum = Arrivals::default();
        let mut is_used = false;
        for kind in [HopKind::Datagram, HopKind::Paced, HopKind::Stream] {
            let name = u64::from(peer.get()) << 2 | kind as u64;
            let Some(at) = self.hop_index.get(&name) else { continue };
            let hop = &mut self.hops[*at as usize];
            let stats = &hop.stats;
            let now = Watched {
                number: hop.received_number,
                runs: hop.missing_runs,
                missing: stats.missing_frames,
                packets: stats.sent_packets + stats.received_packets,
            };
            let before = core::mem::replace(&mut hop.watched, now);
            is_used |= now.packets != before.packets;
            if kind == HopKind::Stream {
                continue;
            }
            // The count begins anew when a peer starts again.
            sum.numbers += now.number.saturating_sub(before.number);
            sum.runs += now.runs - before.runs;
            sum.missing = sum.missing.saturating_add(now.missing.wrapping_sub(before.missing).cast_signed());
        }
        (sum, is_used)
    }

    fn arm_watch(&mut self, now: Instant, index: HopIndex, config: &FailoverConfig) {
        if let Some(watch) = &self.hops[index.0 as usize].watch {
            self.timers.set(watch.deadline(config).max(now), Timer::Watch(index));
        }
    }

    fn on_watch_change(&mut self, now: Instant, index: HopIndex, change: Option<WatchChange>) {
        let (from, to) = (self.config.id, self.hops[index.0 as usize].peer);
        let is_down = match change {
            None => return,
            Some(WatchChange::Down(fault)) => {
                self.down.hops.insert((from, to), HopWord { version: 0, is_down: true, until: None });
                self.stats.hops_down += 1;
                self.emit_event(Event::HopDown { peer: to, fault });
                self.time_down_hops(now);
                true
            }
            Some(WatchChange::Up) => {
                self.down.hops.remove(&(from, to));
                self.emit_event(Event::HopUp { peer: to });
                false
            }
        };
        self.tell_hop(now, to, is_down);
        self.reroute_all(now, !is_down);
    }

    /// Tells of the hop to `to`.
    fn tell_hop(&mut self, now: Instant, to: NodeId, is_down: bool) {
        self.down.told = self.down.told.wrapping_add(1);
        let version = u64::from(self.config.incarnation.0) << 32 | u64::from(self.down.told);
        let body = ControlBody::HopState { from: self.config.id, to, version, is_down };
        self.tell_upstream(now, &body, &[to]);
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

    /// Another node tells of a hop.
    pub(super) fn hear_of_hop(&mut self, now: Instant, sender: NodeId, message: &ControlMessage) {
        let ControlBody::HopState { from, to, version, is_down } = message.body else { return };
        // Of its own hops a node knows best.
        if self.config.failover.is_none() || from == self.config.id {
            return;
        }
        let known = self.down.hops.get(&(from, to)).copied();
        if known.is_some_and(|known| version <= known.version) {
            // It has been here: so no message goes in a circle, and none outlives a newer one.
            return;
        }
        if known.is_none() && self.down.hops.len() >= DOWN_MAX {
            self.stats.dropped_control += 1;
            return;
        }
        let until = Some(now + FORGET_AFTER);
        self.down.hops.insert((from, to), HopWord { version, is_down, until });
        self.time_down_hops(now);
        for peer in self.upstream_peers(&[sender, from]) {
            let _ = self.push_control(now, peer, message);
        }
        if known.is_some_and(|known| known.is_down) != is_down {
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
        let before = self.down.hops.values().filter(|word| word.is_down).count();
        self.down.hops.retain(|_, word| word.until.is_none_or(|until| now < until));
        let is_changed = self.down.hops.values().filter(|word| word.is_down).count() != before;
        let own: Vec<NodeId> =
            self.down.hops.iter().filter(|(_, word)| word.until.is_none()).map(|((_, to), _)| *to).collect();
        for to in own {
            self.tell_hop(now, to, true);
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
        let is_over = !self.down.are_any_down();
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
        let reached: Vec<_> = list
            .flows()
            .iter()
            .map(|flow| reached(&flow.route, id, |from, to| down.contains(from, to)))
            .collect();
        let before: Vec<f64> = list.flows().iter().map(|flow| flow.share).collect();
        if !list.reshare(&shares_now(list.flows(), &reached)) {
            return false;
        }
        if let Some(sender) = &mut source.reliable {
            for (place, reached) in reached.iter().enumerate() {
                sender.give_up(now, place, reached);
                if before[place] == 0.0 {
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

    /// Tells the nodes on the ways of a part of the sessions of this node that packets may come.
    pub(super) fn on_setup_timer(&mut self, now: Instant) {
        let part = self.down.setup_part;
        self.down.setup_part = (part + 1) % SETUP_PARTS;
        let ways: Vec<_> = self
            .sessions
            .iter()
            .filter(|(index, _)| index % SETUP_PARTS == part)
            .filter_map(|(_, entry)| {
                let source = entry.source.as_ref().filter(|source| !source.is_done())?;
                Some((entry.key, source.hop_kind, source.flows.as_ref()?))
            })
            .flat_map(|(key, kind, list)| {
                branches(list).map(move |(node, way)| (ControlBody::Setup { key, kind }, node, way))
            })
            .collect();
        for (setup, node, pathlet) in ways {
            self.watch_peer(now, node);
            let _ = self.send_along(now, &pathlet, &setup);
        }
        self.timers.set(now + setup_interval(), Timer::Setup);
    }
}

/// Returns next hop and Pathlet of all branches of a flow list.
fn branches(list: &FlowList) -> impl Iterator<Item = (NodeId, Box<[u8]>)> + '_ {
    let branches = list.flows().iter().flat_map(|flow| &flow.branches);
    branches.map(|branch| (branch.node, branch.pathlet.clone()))
}

/// Distance of the timer by which setup messages go.
pub(super) fn setup_interval() -> Duration {
    Duration::from_nanos(SETUP_INTERVAL.as_nanos() / u64::from(SETUP_PARTS))
}
