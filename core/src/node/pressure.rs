//! Pressure: a bulk lane that fills up stops the nodes that fill it, hop by hop, so that a fast first hop does not drown
//! a slow second one.
//!
//! When a conference's bulk lane is half full, the peers that its packets come from are told, and keep what they have
//! for this node back; their own lanes fill up, and so on to the source. At a quarter they may go on. What is kept back
//! is soft state: it ends by itself, since a node that said so may be gone.

use crate::hop::Pressed;
use crate::ids::{ConferenceId, HopIndex};
use crate::io::HopKind;
use crate::node::Node;
use crate::node::timers::Timer;
use crate::time::{Duration, Instant};
use crate::wire::control::ControlBody;

/// Pressure ends after so long unless it is renewed.
const HOLD: Duration = Duration::from_secs(1);
/// Least distance of messages to one peer about one lane.
const INTERVAL: Duration = Duration::from_millis(250);
/// Conferences under pressure that a hop remembers, and upstream hops of each.
const PRESSED_MAX: usize = 256;
const TOLD_MAX: usize = 64;

impl Node {
    /// A packet that came on `previous` went into a bulk lane of `next` that is half full.
    #[cold]
    pub(super) fn tell_pressure(
        &mut self,
        now: Instant,
        next: HopIndex,
        conference: ConferenceId,
        previous: HopIndex,
    ) {
        let pressed = &mut self.hops[next.0 as usize].pressed;
        let at = match pressed.iter().position(|pressed| pressed.conference == conference) {
            Some(at) => at,
            None if pressed.len() == PRESSED_MAX => return,
            None => {
                pressed.push(Pressed { conference, told: Vec::new() });
                pressed.len() - 1
            }
        };
        let told = &mut pressed[at].told;
        match told.iter().position(|(hop, _)| *hop == previous) {
            Some(at) if now.saturating_since(told[at].1) < INTERVAL => return,
            Some(at) => told[at].1 = now,
            None if told.len() == TOLD_MAX => return,
            None => told.push((previous, now)),
        }
        self.stats.pressures_sent += 1;
        let (peer, kind) = (self.hops[previous.0 as usize].peer, self.hops[previous.0 as usize].kind);
        // A message that cannot go is counted as dropped: the next packet sends another.
        let _ = self.send_control(now, peer, Vec::new(), ControlBody::Pressure { conference, kind });
    }

    /// Packets have left lanes under pressure: those that are down to a quarter are free again.
    #[cold]
    pub(super) fn tell_relief(&mut self, now: Instant) {
        while let Some((index, conference)) = self.relieved.pop() {
            let hop = &mut self.hops[index.0 as usize];
            let Some(feeder) = &hop.feeder else { continue };
            let (used, limit) = feeder.lane_use(conference, crate::feeder::Lane::Bulk);
            if used > limit / 4 {
                continue;
            }
            let Some(at) = hop.pressed.iter().position(|pressed| pressed.conference == conference) else {
                continue;
            };
            let pressed = hop.pressed.swap_remove(at);
            for (previous, _) in pressed.told {
                let (peer, kind) = (self.hops[previous.0 as usize].peer, self.hops[previous.0 as usize].kind);
                // What is not told ends by itself.
                let _ = self.send_control(now, peer, Vec::new(), ControlBody::Release { conference, kind });
            }
        }
    }

    /// The peer of `from` is under pressure: what waits for it of the conference is kept back.
    pub(super) fn hold(&mut self, now: Instant, from: HopIndex, conference: ConferenceId, kind: HopKind) {
        let Some(index) = self.data_hop(from, kind) else { return };
        let hop = &mut self.hops[index.0 as usize];
        let Some(feeder) = &mut hop.feeder else { return };
        let until = now + HOLD;
        match hop.holds.iter().position(|(held, _)| *held == conference) {
            Some(at) => hop.holds[at].1 = until,
            None if hop.holds.len() == PRESSED_MAX || !feeder.hold(conference) => return,
            None => {
                hop.holds.push((conference, until));
                if hop.hold_timer.is_none() {
                    hop.hold_timer = Some(self.timers.set(until, Timer::Held(index)));
                }
            }
        }
        self.stats.pressures_received += 1;
    }

    /// The peer of `from` is free again.
    pub(super) fn release(&mut self, from: HopIndex, conference: ConferenceId, kind: HopKind) {
        let Some(index) = self.data_hop(from, kind) else { return };
        let hop = &mut self.hops[index.0 as usize];
        if let Some(at) = hop.holds.iter().position(|(held, _)| *held == conference) {
            hop.holds.swap_remove(at);
            self.go_on(index, conference);
        }
    }

    /// Ends what is kept back for too long.
    pub(super) fn end_holds(&mut self, now: Instant, index: HopIndex) {
        let hop = &mut self.hops[index.0 as usize];
        hop.hold_timer = None;
        let holds = &mut hop.holds;
        let over: Vec<ConferenceId> =
            holds.iter().filter(|(_, until)| *until <= now).map(|(conference, _)| *conference).collect();
        holds.retain(|(_, until)| *until > now);
        if let Some(until) = holds.iter().map(|(_, until)| *until).min() {
            hop.hold_timer = Some(self.timers.set(until, Timer::Held(index)));
        }
        for conference in over {
            self.go_on(index, conference);
        }
    }

    fn go_on(&mut self, index: HopIndex, conference: ConferenceId) {
        let hop = &mut self.hops[index.0 as usize];
        if let Some(feeder) = &mut hop.feeder {
            feeder.release(conference);
        }
        self.kicked.append(&mut hop.waiting);
        self.mark_ready(index);
    }

    /// Returns the hop of `kind` to the peer of a control hop, if there is one.
    fn data_hop(&self, control: HopIndex, kind: HopKind) -> Option<HopIndex> {
        let peer = self.hops[control.0 as usize].peer;
        let name = u64::from(peer.get()) << 2 | kind as u64;
        self.hop_index.get(&name).map(|index| HopIndex(*index))
    }
}
