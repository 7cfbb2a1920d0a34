//! A reliable session at a destination: what to acknowledge, and when.

use super::ReliableConfig;
use crate::flow::SymbolWindow;
use crate::ids::{FlowId, Incarnation, NodeId};
use crate::time::{Duration, Instant};
use crate::timer::TimerId;
use crate::wire::acknowledgement::{ACK_FLOWS_MAX, ACK_SPAN_MAX, FlowCount, Ranges};

/// Flows that a destination counts, at most; the one that was silent longest is forgotten for a new one.
const FLOWS_MAX: usize = 16;

/// What a destination keeps to acknowledge a reliable session.
#[derive(Debug)]
pub struct Receiver {
    /// Every symbol below has arrived.
    cumulative: u64,
    flows: Vec<FlowSeen>,
    /// Packets since the last acknowledgement.
    unacknowledged: u32,
    /// When the next acknowledgement is due, and the timer for it.
    pub(crate) timer: Option<TimerId>,
    /// Where the words of the next acknowledgement begin, if the last could not tell of all.
    resume: u64,
    /// Packets whose symbol had come before.
    duplicates: u32,
    /// The flow of the newest packet: acknowledgements take its way back.
    newest: Option<FlowId>,
}

/// Packets of one flow that arrived.
#[derive(Clone, Copy, Debug)]
struct FlowSeen {
    flow: FlowId,
    received: u32,
    highest: u64,
    /// Which of the numbers up to it have come, the highest lowest.
    came: u128,
    highest_at: Instant,
    seen_at: Instant,
    /// Whether something came since it was last told of.
    is_new: bool,
}

impl FlowSeen {
    /// Notes a packet. A number that came already is not counted again: where flows meet, a packet stands for those of
    /// several, some of which reach this node by themselves.
    fn on_packet(&mut self, now: Instant, number: u64) {
        let ahead = number.saturating_sub(self.highest);
        if number >= self.highest {
            self.came = self.came.checked_shl(ahead.min(u64::from(u32::MAX)) as u32).unwrap_or(0);
            (self.highest, self.highest_at) = (number, now);
        }
        let behind = (self.highest - number).min(u64::from(u32::MAX)) as u32;
        // What is further behind was hardly told of.
        let bit = 1_u128.checked_shl(behind).unwrap_or(0);
        if self.came & bit == 0 {
            self.received = self.received.wrapping_add(1);
        }
        self.came |= bit;
        self.seen_at = now;
        self.is_new = true;
    }
}

/// When an acknowledgement is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckDue {
    /// Now.
    Now,
    /// After the delay, for which a timer is to be set.
    After(Duration),
    /// When the timer that is set says so.
    Waiting,
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

impl Receiver {
    /// Returns the state before the first packet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            cumulative: 0,
            flows: Vec::new(),
            unacknowledged: 0,
            timer: None,
            resume: 0,
            duplicates: 0,
            newest: None,
        }
    }

    /// Notes a packet of the session; `is_new`: its symbol had not come before. Says when to acknowledge.
    #[inline]
    pub fn on_packet(
        &mut self,
        now: Instant,
        flow: FlowId,
        number: u64,
        is_new: bool,
        config: &ReliableConfig,
    ) -> AckDue {
        self.duplicates = self.duplicates.wrapping_add(u32::from(!is_new));
        self.newest = Some(flow);
        let at = match self.flows.iter().position(|known| known.flow == flow) {
            Some(at) => at,
            None => self.meet(now, flow, number),
        };
        self.flows[at].on_packet(now, number);
        self.unacknowledged += 1;
        if self.unacknowledged >= config.ack_packets {
            AckDue::Now
        } else if self.timer.is_none() {
            AckDue::After(config.ack_delay)
        } else {
            AckDue::Waiting
        }
    }

    /// Notes that the packet at hand stands for `number` of another flow as well; before it is noted itself.
    #[inline]
    pub fn on_joined(&mut self, now: Instant, flow: FlowId, number: u64) {
        let at = match self.flows.iter().position(|known| known.flow == flow) {
            Some(at) => at,
            None => self.meet(now, flow, number),
        };
        self.flows[at].on_packet(now, number);
    }

    /// Returns the flow whose way back the next acknowledgement takes.
    #[must_use]
    pub fn newest_flow(&self) -> Option<FlowId> {
        self.newest
    }

    /// Whether something came that has not been acknowledged.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.unacknowledged > 0
    }

    /// Returns the acknowledgement of everything so far; `window` knows which symbols have come.
    #[must_use]
    pub fn acknowledge(
        &mut self,
        now: Instant,
        window: &SymbolWindow,
        node: NodeId,
        incarnation: Incarnation,
    ) -> Ranges {
        self.cumulative = window.next_missing(self.cumulative);
        let span = (window.symbols_max() as u64).min(u64::from(ACK_SPAN_MAX)) as u32;
        let mut ack = Ranges::new(node, incarnation, span, self.cumulative);
        ack.duplicates = self.duplicates;
        self.put_flows(now, &mut ack);
        self.put_symbols(window, &mut ack);
        self.unacknowledged = 0;
        ack
    }

    /// A new epoch: symbols and packet numbers start again.
    pub fn turn_epoch(&mut self) {
        let timer = self.timer.take();
        *self = Self { timer, ..Self::new() };
    }

    #[cold]
    fn meet(&mut self, now: Instant, flow: FlowId, number: u64) -> usize {
        if self.flows.len() == FLOWS_MAX {
            let longest_silent = (0..FLOWS_MAX).min_by_key(|at| self.flows[*at].seen_at).unwrap_or(0);
            self.flows.swap_remove(longest_silent);
        }
        self.flows.push(FlowSeen {
            flow,
            received: 0,
            highest: number,
            came: 0,
            highest_at: now,
            seen_at: now,
            is_new: true,
        });
        self.flows.len() - 1
    }

    fn put_flows(&mut self, now: Instant, ack: &mut Ranges) {
        let told = self.flows.iter_mut().filter(|seen| seen.is_new).take(ACK_FLOWS_MAX);
        for seen in told {
            seen.is_new = false;
            let hold_us = (now.saturating_since(seen.highest_at).as_nanos() / 1_000).min(u64::from(u32::MAX));
            let &mut FlowSeen { flow, received, highest, .. } = seen;
            ack.push_flow(FlowCount { flow, received, highest, hold_us: hold_us as u32 });
        }
        // Those that found no room come first next time.
        let behind = self.flows.iter().position(|seen| seen.is_new).unwrap_or(0);
        self.flows.rotate_left(behind);
    }

    /// Tells of as many symbols as fit, from where the last acknowledgement had to stop.
    fn put_symbols(&mut self, window: &SymbolWindow, ack: &mut Ranges) {
        ack.begin_at(self.resume.max(self.cumulative));
        self.resume = 0;
        while let Some(arrived) = window.next_arrived(ack.told_to()) {
            let at = ack.told_to();
            let missing = if arrived == at { window.next_missing(at) } else { at };
            if !ack.push(missing, arrived, || window.bits(at) as u16) {
                ack.is_cut = true;
                self.resume = at;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use crate::wire::acknowledgement::Acknowledgement;
    use std::collections::BTreeSet;

    fn acknowledge(receiver: &mut Receiver, window: &SymbolWindow, now: Instant) -> Ranges {
        let node = NodeId::new(3).unwrap();
        let ack = receiver.acknowledge(now, window, node, Incarnation(1));
        let mut out = Vec::new();
        Acknowledgement::Ranges(ack.clone()).emit_into(&mut out);
        assert_eq!(Acknowledgement::parse(&out), Ok(Acknowledgement::Ranges(ack.clone())));
        ack
    }

    /// Aim: whatever is missing, a few acknowledgements in a row tell of everything, and never of what has not come.
    #[test]
    fn acknowledgements_in_a_row_tell_of_everything() {
        let mut stream = Seed(2).stream("acknowledgements");
        let config = ReliableConfig::default();
        let (mut receiver, mut window) = (Receiver::new(), SymbolWindow::new(1 << 12));
        let mut arrived = BTreeSet::new();
        for symbol in (0..2_000_u64).filter(|symbol| *symbol < 5 || stream.below(3) > 0 || *symbol == 1_999) {
            window.insert(symbol);
            arrived.insert(symbol);
            receiver.on_packet(Instant::ZERO, FlowId(0), symbol, true, &config);
        }
        let mut told = BTreeSet::new();
        let mut count = 0;
        loop {
            let ack = acknowledge(&mut receiver, &window, Instant::ZERO);
            count += 1;
            told.extend((0..ack.cumulative).chain(ack.runs().flat_map(|(a, b)| a..b)));
            assert!(told.is_subset(&arrived));
            if !ack.is_cut {
                break;
            }
        }
        assert_eq!(told, arrived);
        assert!((2..=3).contains(&count), "2,000 symbols, 1,440 or more in one: {count}");
        assert_eq!(acknowledge(&mut receiver, &window, Instant::ZERO).from, receiver.cumulative, "and again");
    }

    /// Aim: the first packet is acknowledged after the delay, many at once.
    #[test]
    fn acknowledgements_are_due_after_packets_or_time() {
        let config = ReliableConfig { ack_packets: 3, ..ReliableConfig::default() };
        let window = SymbolWindow::new(128);
        let mut receiver = Receiver::new();
        let packet = |receiver: &mut Receiver, number| {
            receiver.on_packet(Instant::ZERO, FlowId(5), number, true, &config)
        };
        assert_eq!(packet(&mut receiver, 0), AckDue::After(config.ack_delay));
        assert_eq!(packet(&mut receiver, 1), AckDue::After(config.ack_delay), "no timer was set");
        assert_eq!(packet(&mut receiver, 4), AckDue::Now);
        let later = Instant::ZERO + Duration::from_micros(70);
        let ack = acknowledge(&mut receiver, &window, later);
        let expected = FlowCount { flow: FlowId(5), received: 3, highest: 4, hold_us: 70 };
        assert_eq!((ack.flows(), receiver.is_due()), (&[expected][..], false));
        assert_eq!(acknowledge(&mut receiver, &window, later).flows(), [], "nothing new of it");
    }

    /// Aim: many flows take turns in acknowledgements, and what is remembered of them is bounded.
    #[test]
    fn many_flows_are_all_told_of() {
        let config = ReliableConfig::default();
        let window = SymbolWindow::new(128);
        let mut receiver = Receiver::new();
        for flow in 0..20 {
            receiver.on_packet(Instant::from_nanos(u64::from(flow)), FlowId(flow), 1, true, &config);
        }
        let mut told = Vec::new();
        for _ in 0..2 {
            let ack = acknowledge(&mut receiver, &window, Instant::from_nanos(100));
            told.extend(ack.flows().iter().map(|count| count.flow.0));
        }
        told.sort_unstable();
        assert_eq!(told, (4..20).collect::<Vec<_>>());
    }
}
