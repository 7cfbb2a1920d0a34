//! The feeder against a model that is far simpler: a deque of packets per lane, textbook schedulers, no reuse.

use super::{Backlog, Feeder, FeederConfig, FeederStats, Lane, Removed, Scheduler};
use crate::ids::ConferenceId;
use crate::rng::{Seed, Stream};
use std::collections::{BTreeMap, VecDeque};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packet {
    id: u64,
    bytes: u32,
}

#[derive(Default)]
struct ModelQueue {
    lanes: [VecDeque<Packet>; 2],
    weight: u64,
    priority: u8,
    configured: bool,
    deficit: u64,
    /// The quantum of the turn that the queue waits for; taken when the turn starts.
    quantum: u64,
}

impl ModelQueue {
    fn bytes(&self, lane: Lane) -> u64 {
        self.lanes[lane as usize].iter().map(|packet| u64::from(packet.bytes)).sum()
    }

    fn packets(&self) -> usize {
        self.lanes[0].len() + self.lanes[1].len()
    }

    fn front_lane(&self) -> Lane {
        if self.lanes[0].is_empty() { Lane::Bulk } else { Lane::Live }
    }
}

struct Model {
    config: FeederConfig,
    queues: BTreeMap<u32, ModelQueue>,
    /// Conferences with packets, in the order of their turns.
    turns: VecDeque<u32>,
    /// Conferences without packets and settings, the one idle for longest first.
    idle: VecDeque<u32>,
    /// Every packet queued, in the order of arrival (FIFO).
    arrivals: Vec<(u32, Lane, u64)>,
    stats: FeederStats,
}

impl Model {
    fn new(config: FeederConfig) -> Self {
        Self {
            config,
            queues: BTreeMap::new(),
            turns: VecDeque::new(),
            idle: VecDeque::new(),
            arrivals: Vec::new(),
            stats: FeederStats::default(),
        }
    }

    fn is_fifo(&self) -> bool {
        self.config.scheduler == Scheduler::Fifo
    }

    fn limit(&self, lane: Lane) -> u64 {
        [self.config.live_bytes_max, self.config.bulk_bytes_max][lane as usize]
    }

    fn used(&self, conference: u32, lane: Lane) -> u64 {
        let counts = |id: &u32| self.is_fifo() || *id == conference;
        self.queues.iter().filter(|(id, _)| counts(id)).map(|(_, queue)| queue.bytes(lane)).sum()
    }

    fn bytes(&self) -> u64 {
        self.queues.values().map(|queue| queue.bytes(Lane::Live) + queue.bytes(Lane::Bulk)).sum()
    }

    fn packets(&self) -> usize {
        self.queues.values().map(ModelQueue::packets).sum()
    }

    fn is_full(&self) -> bool {
        self.packets() == self.config.packets_max as usize
    }

    fn ensure(&mut self, conference: u32) -> bool {
        if self.queues.contains_key(&conference) {
            return true;
        }
        if self.queues.len() == self.config.conferences_max {
            let Some(oldest) = self.idle.pop_front() else {
                self.stats.refused_conferences += 1;
                return false;
            };
            self.queues.remove(&oldest);
        }
        self.queues.insert(conference, ModelQueue { weight: 1, ..ModelQueue::default() });
        self.idle.push_back(conference);
        true
    }

    fn configure(&mut self, conference: u32, weight: u32, priority: u8) {
        if !self.ensure(conference) {
            return;
        }
        self.idle.retain(|&id| id != conference);
        let queue = self.queues.get_mut(&conference).unwrap();
        let moves = self.config.scheduler == Scheduler::StrictPriority
            && queue.priority != priority
            && queue.packets() > 0;
        (queue.weight, queue.priority, queue.configured) = (weight.into(), priority, true);
        if moves {
            self.turns.retain(|&id| id != conference);
            self.turns.push_back(conference);
        }
    }

    /// Pushes and counts; returns the packets dropped, or `None` when the packet is refused.
    fn push_counted(&mut self, conference: u32, lane: Lane, packet: Packet) -> Option<Vec<Packet>> {
        let answer = self.push(conference, lane, packet);
        let bytes = u64::from(packet.bytes);
        let peak = self.bytes();
        let stats = &mut self.stats;
        match (&answer, lane) {
            (Some(dropped), _) => {
                stats.pushed_packets += 1;
                stats.pushed_bytes += bytes;
                stats.dropped_live_packets += dropped.len() as u64;
                stats.dropped_live_bytes += dropped.iter().map(|packet| u64::from(packet.bytes)).sum::<u64>();
                stats.bytes_peak = stats.bytes_peak.max(peak);
            }
            (None, Lane::Live) => {
                stats.refused_live_packets += 1;
                stats.refused_live_bytes += bytes;
            }
            (None, Lane::Bulk) => {
                stats.refused_bulk_packets += 1;
                stats.refused_bulk_bytes += bytes;
            }
        }
        answer
    }

    fn push(&mut self, conference: u32, lane: Lane, packet: Packet) -> Option<Vec<Packet>> {
        let bytes = u64::from(packet.bytes);
        if bytes > self.limit(lane) || !self.ensure(conference) {
            return None;
        }
        let was_empty = self.queues[&conference].packets() == 0;
        let mut dropped = Vec::new();
        while self.used(conference, lane) + bytes > self.limit(lane) || self.is_full() {
            let oldest = self
                .arrivals
                .iter()
                .position(|&(id, lane, _)| lane == Lane::Live && (self.is_fifo() || id == conference));
            if lane == Lane::Bulk {
                return None;
            }
            let (victim, ..) = self.arrivals.remove(oldest?);
            let queue = self.queues.get_mut(&victim).unwrap();
            dropped.push(queue.lanes[0].pop_front().unwrap());
            if victim != conference {
                self.after_loss(victim);
            }
        }
        if was_empty {
            self.idle.retain(|&id| id != conference);
            self.line_up(conference);
        }
        self.queues.get_mut(&conference).unwrap().lanes[lane as usize].push_back(packet);
        self.arrivals.push((conference, lane, packet.id));
        Some(dropped)
    }

    fn line_up(&mut self, conference: u32) {
        let queue = self.queues.get_mut(&conference).unwrap();
        queue.quantum = queue.weight * u64::from(self.config.quantum_bytes);
        self.turns.push_back(conference);
    }

    fn after_loss(&mut self, conference: u32) {
        let queue = self.queues.get_mut(&conference).unwrap();
        if queue.packets() == 0 {
            (queue.deficit, queue.quantum) = (0, 0);
            self.turns.retain(|&id| id != conference);
            if !queue.configured {
                self.idle.push_back(conference);
            }
        }
    }

    fn choose(&mut self) -> Option<(u32, Lane)> {
        let conference = match self.config.scheduler {
            Scheduler::Fifo => return self.arrivals.first().map(|&(id, lane, _)| (id, lane)),
            Scheduler::RoundRobin => *self.turns.front()?,
            Scheduler::StrictPriority => {
                let highest = self.turns.iter().map(|id| self.queues[id].priority).max()?;
                *self.turns.iter().find(|id| self.queues[id].priority == highest)?
            }
            Scheduler::DeficitWeighted => loop {
                let conference = *self.turns.front()?;
                let queue = self.queues.get_mut(&conference).unwrap();
                queue.deficit += core::mem::take(&mut queue.quantum);
                let front = queue.lanes[queue.front_lane() as usize].front().unwrap();
                if queue.deficit >= u64::from(front.bytes.max(1)) {
                    break conference;
                }
                self.turns.pop_front();
                self.line_up(conference);
            },
        };
        Some((conference, self.queues[&conference].front_lane()))
    }

    fn pop(&mut self) -> Option<(u32, Lane, Packet)> {
        let (conference, lane) = self.choose()?;
        let queue = self.queues.get_mut(&conference).unwrap();
        let packet = queue.lanes[lane as usize].pop_front().unwrap();
        self.arrivals.retain(|&(_, _, id)| id != packet.id);
        if self.config.scheduler == Scheduler::DeficitWeighted {
            queue.deficit -= u64::from(packet.bytes.max(1));
        } else {
            self.turns.retain(|&id| id != conference);
            self.turns.push_back(conference);
        }
        self.after_loss(conference);
        self.stats.popped_packets += 1;
        self.stats.popped_bytes += u64::from(packet.bytes);
        Some((conference, lane, packet))
    }

    fn remove(&mut self, conference: u32) -> Removed {
        let Some(queue) = self.queues.remove(&conference) else { return Removed::default() };
        self.turns.retain(|&id| id != conference);
        self.idle.retain(|&id| id != conference);
        self.arrivals.retain(|&(id, ..)| id != conference);
        let bytes = queue.bytes(Lane::Live) + queue.bytes(Lane::Bulk);
        let removed = Removed { packets: queue.packets() as u64, bytes };
        self.stats.removed_packets += removed.packets;
        self.stats.removed_bytes += removed.bytes;
        removed
    }

    fn room(&self, conference: u32, lane: Lane) -> u64 {
        let table_is_full = self.queues.len() == self.config.conferences_max && self.idle.is_empty();
        if self.is_full() || (table_is_full && !self.queues.contains_key(&conference)) {
            return 0;
        }
        self.limit(lane) - self.used(conference, lane)
    }
}

/// Runs one random operation on both and compares what they return.
fn step(feeder: &mut Feeder<u64>, model: &mut Model, draws: &mut Stream, id: u64, load: f64) {
    let conference = draws.below(7) as u32;
    let named = ConferenceId(conference);
    let lane = Lane::ALL[draws.below(2) as usize];
    if draws.chance(0.01) {
        assert_eq!(feeder.remove_conference(named), model.remove(conference));
    } else if draws.chance(0.02) {
        let (weight, priority) = (1 + draws.below(4) as u32, draws.below(3) as u8 * 100);
        feeder.configure(named, weight, priority);
        model.configure(conference, weight, priority);
    } else if draws.chance(load) {
        let packet = Packet { id, bytes: draws.below(2200) as u32 };
        let mut dropped = Vec::new();
        let slot = feeder.push(named, lane, packet.bytes, &mut |&mut id, bytes| {
            dropped.push(Packet { id, bytes });
        });
        let accepted = slot.map(|slot| *slot = id).is_some();
        assert_eq!(accepted.then_some(dropped), model.push_counted(conference, lane, packet));
    } else {
        if draws.chance(0.5) {
            let peeked = feeder.peek().map(|(&id, bytes)| Packet { id, bytes });
            let chosen = model.choose();
            let expected = chosen.map(|(id, lane)| model.queues[&id].lanes[lane as usize][0]);
            assert_eq!(peeked, expected);
        }
        let popped = feeder.pop().map(|popped| {
            (popped.conference.0, popped.lane, Packet { id: *popped.packet, bytes: popped.bytes })
        });
        assert_eq!(popped, model.pop());
    }
    assert_eq!(feeder.lane_room(named, lane), model.room(conference, lane));
    let backlog = feeder.conference_backlog(named);
    let expected = model
        .queues
        .get(&conference)
        .map_or((0, 0), |queue| (queue.packets() as u64, queue.bytes(Lane::Live) + queue.bytes(Lane::Bulk)));
    assert_eq!((backlog.packets, backlog.bytes), expected);
}

/// Checks the accounts: limits kept, and everything pushed is somewhere.
fn audit(feeder: &Feeder<u64>, model: &Model) {
    let backlog = feeder.backlog();
    assert_eq!(backlog, Backlog { packets: model.packets() as u64, bytes: model.bytes() });
    assert!(backlog.packets <= u64::from(model.config.packets_max));
    for conference in model.queues.keys() {
        for lane in Lane::ALL {
            assert!(model.used(*conference, lane) <= model.limit(lane));
        }
    }
    let stats = feeder.stats();
    assert_eq!(*stats, model.stats);
    let left = stats.popped_packets + stats.dropped_live_packets + stats.removed_packets;
    assert_eq!(stats.pushed_packets, left + model.packets() as u64);
    let left_bytes = stats.popped_bytes + stats.dropped_live_bytes + stats.removed_bytes;
    assert_eq!(stats.pushed_bytes, left_bytes + model.bytes());
    let mut queued = Vec::new();
    feeder.for_each_queued(&mut |&id| queued.push(id));
    queued.sort_unstable();
    let expected: Vec<_> = model.arrivals.iter().map(|&(_, _, id)| id).collect();
    assert_eq!(queued, expected);
}

#[test]
fn random_operations_agree_with_the_model() {
    // Aim: every answer equal, over 4 schedulers x 3 configurations x 3 seeds x 20,000 operations that alternate
    // between overload and underload, so that every limit is reached and every queue runs empty.
    let base = FeederConfig { live_bytes_max: 6000, bulk_bytes_max: 8000, ..FeederConfig::default() };
    let configs = [
        base,
        FeederConfig { packets_max: 12, conferences_max: 3, ..base },
        FeederConfig { quantum_bytes: 100, packets_max: 40, conferences_max: 6, ..base },
    ];
    let schedulers =
        [Scheduler::RoundRobin, Scheduler::DeficitWeighted, Scheduler::StrictPriority, Scheduler::Fifo];
    for scheduler in schedulers {
        for (i, config) in configs.into_iter().enumerate() {
            for seed in 1..=3 {
                let config = FeederConfig { scheduler, ..config };
                let (mut feeder, mut model) = (Feeder::new(config), Model::new(config));
                let mut draws = Seed(seed).stream("feeder operations");
                for id in 0..20_000 {
                    let load = if id / 500 % 2 == 0 { 0.7 } else { 0.35 };
                    step(&mut feeder, &mut model, &mut draws, id, load);
                    if id % 10 == 0 {
                        audit(&feeder, &model);
                    }
                }
                let stats = *feeder.stats();
                assert!(stats.dropped_live_packets > 20 && stats.refused_bulk_packets > 100, "{stats:?}");
                assert!(stats.removed_packets > 50 && (i != 1 || stats.refused_conferences > 100));
                while feeder.pop().is_some() {
                    model.pop();
                }
                audit(&feeder, &model);
                assert_eq!(feeder.backlog(), Backlog::default());
            }
        }
    }
}
