//! The node's timers.

use crate::ids::{ConferenceId, HopIndex, SessionKey};
use crate::io::PolicyReason;
use crate::node::Node;
use crate::time::Instant;

/// Why a node wants to wake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// A source has a symbol due (index into the session table).
    Symbol(u32),
    /// A session's policies are to be asked again (index into the session table).
    Policy(u32),
    /// A reliable session repeats, or tries a flow (index into the session table).
    Reliable(u32),
    /// A destination of a reliable session acknowledges (index into the session table).
    Acknowledge(u32),
    /// A coded packet has waited long enough to be joined with another (index into the session table).
    Recode(u32),
    /// A hop may send again, or repeats a hello or control message.
    Hop(HopIndex),
    /// What a hop keeps back because its peer is under pressure goes on.
    Held(HopIndex),
    /// An overflow notice that was held back.
    Overflow(SessionKey),
    /// The next probe of a source's clock (index into the table of clocks).
    Clock(u32),
    /// A heartbeat to the listing is due.
    Heartbeat(ConferenceId),
    /// A lease of the listing may have ended.
    Listing,
    /// A keepalive to the peer of a control hop, or its silence.
    Watch(HopIndex),
    /// Hops that are down are told again, or forgotten.
    DownHops,
    /// The next probe of the peer of a control hop, or the end of the wait for its answer.
    Probe(HopIndex),
    /// What trains of probes may cost, and losses.
    Probing,
    /// The ways of flows are told again.
    Setup,
    /// The periodic report.
    Report,
    /// Relay state that nobody used is forgotten.
    Sweep,
}

impl Node {
    /// Fires what has expired, in order of deadlines.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.pop_expired(now) {
            match timer {
                Timer::Symbol(index) => {
                    if let Some(source) = &mut self.sessions.get_mut(index).source {
                        source.timer = None;
                    }
                    self.run_source(now, index);
                }
                Timer::Reliable(index) => self.on_reliable_timer(now, index),
                Timer::Recode(index) => self.on_recode_timer(now, index),
                Timer::Acknowledge(index) => self.on_ack_timer(now, index),
                Timer::Policy(index) => self.ask_policy(now, index, PolicyReason::Periodic),
                Timer::Hop(index) => {
                    self.hops[index.0 as usize].timer = None;
                    self.on_hop_timer(now, index);
                }
                Timer::Held(index) => self.end_holds(now, index),
                Timer::Overflow(key) => self.tell_held_back(now, key),
                Timer::Clock(peer) => self.probe_clock(now, peer),
                Timer::Heartbeat(conference) => self.on_heartbeat(now, conference),
                Timer::Listing => self.on_listing_timer(now),
                Timer::Watch(index) => self.on_watch_timer(now, index),
                Timer::DownHops => self.on_down_timer(now),
                Timer::Probe(index) => self.on_probe_timer(now, index),
                Timer::Probing => self.on_probing_timer(now),
                Timer::Setup => self.on_setup_timer(now),
                Timer::Report => {
                    self.report(now);
                    if let Some(interval) = self.config.report_interval {
                        self.timers.set((at + interval).max(now), Timer::Report);
                    }
                }
                Timer::Sweep => {
                    self.sweep(now);
                    self.timers.set(now + self.config.limits.relay_idle, Timer::Sweep);
                }
            }
        }
    }

    fn on_hop_timer(&mut self, now: Instant, index: HopIndex) {
        let hop = &mut self.hops[index.0 as usize];
        if let Some(control) = &mut hop.control
            && !control.on_timeout(now)
        {
            // The peer does not answer: what waits is given up, and a new connection is tried.
            let before = control.stats().dropped;
            control.give_up();
            self.stats.dropped_control += control.stats().dropped - before;
            self.renew_connection(now, index);
        }
        if let Some(pacing) = &mut self.hop_mut(index).pacing {
            pacing.on_timeout(now);
        }
        self.mark_ready(index);
    }

    /// Forgets relay state that no packet has used for a while.
    fn sweep(&mut self, now: Instant) {
        let idle = self.config.limits.relay_idle;
        let stale: Vec<u32> = self
            .sessions
            .iter()
            .filter(|(_, entry)| {
                entry.source.is_none()
                    && entry.sink.is_none()
                    && now.saturating_since(entry.relay.seen_at) >= idle
            })
            .map(|(index, _)| index)
            .collect();
        for index in stale {
            self.forget(index);
        }
    }
}
