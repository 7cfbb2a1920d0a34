//! The loop of the emulator.

use super::packet::{self, Destination, Traffic};
use super::{EmulatorReport, EmulatorSettings};
use crate::lab::pace::{Waiter, thread_time};
use crate::lab::tun::Tun;
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_scenarios::conduct::{Degrade, LinkFigures};
use bellini_scenarios::model::Scenario;
use bellini_sim::network::{Arrival, Network};
use nix::sys::eventfd::EventFd;
use std::io;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender};

/// What the emulator is told.
#[derive(Debug)]
pub(super) enum Order {
    Cut(u32),
    Heal(u32),
    Degrade(u32, Degrade),
    Down(u32),
    Up(u32),
    /// Figures of these links.
    Figures(Range<u32>),
    Stop,
}

/// Figures, where they were asked for; otherwise it only says that the order has taken effect.
pub(super) type Reply = Vec<LinkFigures>;

/// No link.
const NONE: u32 = u32::MAX;
/// Packets that one device may hand in before the others are looked at.
const BATCH: usize = 32;
/// Largest IP packet.
const PACKET_MAX: usize = 1 << 16;
/// The token under which orders are reported; devices are reported under their node's index.
const ORDERS: u64 = u64::MAX;

/// Everything that the thread works on.
pub(super) struct Engine {
    network: Network,
    tuns: Vec<Tun>,
    /// The link from each node (rows) to each node.
    links: Vec<u32>,
    is_down: Vec<bool>,
    settings: EmulatorSettings,
    arrived: Vec<Arrival>,
    buffer: Box<[u8]>,
    report: EmulatorReport,
}

impl Engine {
    pub(super) fn new(scenario: &Scenario, seed: Seed, settings: EmulatorSettings, tuns: Vec<Tun>) -> Self {
        let network = Network::of_packets(scenario, seed, settings.zero);
        let nodes = tuns.len();
        let mut links = vec![NONE; nodes * nodes];
        for (i, link) in network.links.iter().enumerate() {
            links[link.from as usize * nodes + link.to as usize] = i as u32;
        }
        Self {
            network,
            tuns,
            links,
            is_down: vec![false; nodes],
            settings,
            arrived: Vec::new(),
            buffer: vec![0; PACKET_MAX].into(),
            report: EmulatorReport::default(),
        }
    }

    /// Has the waiter wake for devices and orders.
    pub(super) fn watch(&self, waiter: &Waiter, wake: &EventFd) -> io::Result<()> {
        waiter.watch(wake, ORDERS)?;
        self.tuns.iter().try_for_each(|tun| waiter.watch(tun, u64::from(tun.node())))
    }

    /// Carries packets until told to stop.
    pub(super) fn run(
        mut self,
        waiter: &mut Waiter,
        wake: &EventFd,
        todo: &Receiver<(Order, SyncSender<Reply>)>,
    ) -> io::Result<EmulatorReport> {
        let clock = self.settings.clock;
        let dropped_before = self.device_drops()?;
        let (started, cpu_before) = (clock.now(), thread_time());
        let mut slept = 0;
        let mut ready = Vec::new();
        'serving: loop {
            self.pass_until(clock.now());
            waiter.look(&mut ready)?;
            for &token in &ready {
                if token != ORDERS {
                    self.fetch(token as usize)?;
                    continue;
                }
                // Only resets it; what there is to do is in the channel.
                let _ = wake.read();
                while let Ok((order, answer)) = todo.try_recv() {
                    let is_last = matches!(order, Order::Stop);
                    let reply = self.obey(order);
                    // Whoever asked may have gone.
                    let _ = answer.send(reply);
                    if is_last {
                        break 'serving;
                    }
                }
            }
            if ready.is_empty() {
                slept += waiter.sleep(self.network.agenda.peek_time())?.as_nanos();
            }
        }
        self.report.cpu_s = thread_time().saturating_sub(cpu_before).as_secs_f64();
        let wall = clock.now().saturating_since(started);
        self.report.wall_s = wall.as_secs_f64();
        self.report.busy_s = (wall.as_nanos().saturating_sub(slept)) as f64 * 1e-9;
        self.report.device_dropped_packets = self.device_drops()? - dropped_before;
        let ledger = self.network.ledger;
        let accounted = ledger.delivered + ledger.dropped + self.network.packets_inside();
        self.report.ledger = (ledger.taken != accounted).then_some((ledger.taken, accounted));
        self.report.packets = ledger.taken;
        self.report.delivered_packets = ledger.delivered;
        Ok(self.report)
    }

    /// Lets everything happen that is due by `now`, each at its own time, so that lateness does not add up over the
    /// stages of a way.
    #[inline]
    fn pass_until(&mut self, now: Instant) {
        while self.network.agenda.peek_time().is_some_and(|at| at <= now) {
            let Some((at, _, number)) = self.network.agenda.pop() else { return };
            let entity = self.network.entity(number);
            let mut arrived = std::mem::take(&mut self.arrived);
            self.network.poll(at, entity, &mut arrived);
            for arrival in arrived.drain(..) {
                self.deliver(at, arrival);
            }
            self.arrived = arrived;
        }
    }

    /// Hands a packet to the node that it came to.
    #[inline]
    fn deliver(&mut self, at: Instant, Arrival { node, link, frame }: Arrival) {
        // Others do not suffer when a node of ours dies.
        if self.is_down[node as usize] && !self.network.is_cross(link, frame) {
            self.network.drop_at_dead_node(at, link, frame);
            return;
        }
        let late = self.settings.clock.now().saturating_since(at);
        self.report.lateness.record(late.as_nanos());
        let packet = self.network.links[link as usize].pool.header(frame);
        if self.tuns[node as usize].write(packet).is_err() {
            self.report.write_errors += 1;
        }
        self.network.delivered(link, frame);
    }

    /// Takes what a node has sent.
    fn fetch(&mut self, node: usize) -> io::Result<()> {
        for _ in 0..BATCH {
            let len = match self.tuns[node].read(&mut self.buffer) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // A packet comes when it is fetched: packets of one batch are as far apart as they are here. What is due
            // before must have happened, for links never go back in time.
            let now = self.settings.clock.now();
            self.pass_until(now);
            self.take(now, node, len);
        }
        Ok(())
    }

    #[inline]
    fn take(&mut self, now: Instant, node: usize, len: usize) {
        let bytes = &self.buffer[..len];
        let (destination, traffic) = packet::read(bytes, self.settings.control_port);
        let link = match destination {
            Destination::Node(to) if (to as usize) < self.tuns.len() => {
                self.links[node * self.tuns.len() + to as usize]
            }
            Destination::Group => return,
            Destination::Node(_) | Destination::Nowhere => NONE,
        };
        let ledger = &self.network.ledger;
        if self.is_down[node] && traffic != Traffic::Cross {
            self.report.silenced_packets += 1;
        } else if link == NONE {
            self.report.unlinked_packets += 1;
        } else if ledger.taken - ledger.delivered - ledger.dropped >= self.settings.packets_max {
            self.report.overfull_packets += 1;
        } else {
            match traffic {
                Traffic::Hop(kind) => self.network.send_packet(now, link, bytes, kind),
                Traffic::Cross => self.network.send_cross_packet(now, link, bytes),
            }
        }
    }

    fn obey(&mut self, order: Order) -> Reply {
        let now = self.settings.clock.now();
        self.pass_until(now);
        match order {
            Order::Cut(link) => self.network.cut(now, link),
            Order::Heal(link) => self.network.heal(now, link),
            Order::Degrade(link, degrade) => self.network.degrade(now, link, degrade),
            Order::Down(node) => {
                self.is_down[node as usize] = true;
                self.network.crash(now, node);
            }
            Order::Up(node) => self.is_down[node as usize] = false,
            Order::Figures(links) => {
                return links.map(|link| self.network.link_figures(now, link)).collect();
            }
            Order::Stop => {}
        }
        Vec::new()
    }

    fn device_drops(&self) -> io::Result<u64> {
        self.tuns.iter().map(Tun::dropped_packets).sum()
    }
}
