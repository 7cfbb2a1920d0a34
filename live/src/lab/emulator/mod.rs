//! The emulator: the simulator's own network, run on the wall clock, between the TUN devices of the nodes.
//!
//! One thread reads what nodes send, admits it to the links of [`bellini_sim::network::Network`], and writes it to the
//! destination's device when the model says that it has arrived. There is no second link model: what differs from a
//! simulation is who sends, and that time does not wait.

mod engine;
mod packet;

use super::pace::{Clock, Waiter};
use super::tun::Tun;
use super::wan::{Wan, WanError};
use bellini_core::rng::Seed;
use bellini_core::stats::Histogram;
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::conduct::{Degrade, LinkFigures};
use bellini_scenarios::model::Scenario;
use engine::{Engine, Order, Reply};
use nix::sys::eventfd::{EfdFlags, EventFd};
use serde::Serialize;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use thiserror::Error;

/// How an emulator works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmulatorSettings {
    /// Its clock, which the nodes share.
    pub clock: Clock,
    /// What that clock shows at scenario time zero; cross traffic counts from there.
    pub zero: Instant,
    /// The UDP port at which all nodes receive control hops.
    pub control_port: u16,
    /// Longest time that it spins, rather than sleeps, before something is due.
    pub spin_max: Duration,
    /// Packets that may be inside at once; more are dropped and counted.
    pub packets_max: u64,
}

impl EmulatorSettings {
    /// Returns the usual settings: 80 us of spinning, and 65,536 packets inside (96 MiB of full ones).
    #[must_use]
    pub const fn new(clock: Clock, zero: Instant, control_port: u16) -> Self {
        Self { clock, zero, control_port, spin_max: Duration::from_micros(80), packets_max: 1 << 16 }
    }
}

/// Why an emulator does not start.
#[derive(Debug, Error)]
pub enum EmulatorError {
    /// Two devices are of the same node, or one of a node that is not there.
    #[error(
        "the emulator needs one device for each of the {nodes} nodes, in their order; number {at} is not that of node {at}"
    )]
    Devices {
        /// Nodes of the scenario.
        nodes: usize,
        /// The first place where it is not so.
        at: usize,
    },
    /// Something that it needs of the system.
    #[error("cannot start the emulator: {0}")]
    Start(#[from] io::Error),
}

/// What an emulator did, and how well.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EmulatorReport {
    /// Packets taken onto links.
    pub packets: u64,
    /// Packets handed to nodes.
    pub delivered_packets: u64,
    /// Nanoseconds between the time at which a packet was due and that at which it was written to its device.
    pub lateness: Histogram,
    /// Processor time of its thread in seconds.
    pub cpu_s: f64,
    /// Seconds from its start to its end.
    pub wall_s: f64,
    /// Seconds in which it did not sleep, spinning included.
    pub busy_s: f64,
    /// Packets that devices dropped because it did not fetch them in time: the host's fault.
    pub device_dropped_packets: u64,
    /// Packets that devices did not take: the host's fault, too.
    pub write_errors: u64,
    /// Packets that came while too many were inside.
    pub overfull_packets: u64,
    /// Packets that no link leads for.
    pub unlinked_packets: u64,
    /// Packets that kernels sent for nodes that were down.
    pub silenced_packets: u64,
    /// Packets taken, and those accounted for (delivered, dropped, inside), where they differ: an error of ours.
    pub ledger: Option<(u64, u64)>,
}

impl EmulatorReport {
    /// Returns the share of time in which it did not sleep.
    #[must_use]
    pub fn busy_share(&self) -> f64 {
        if self.wall_s > 0.0 { self.busy_s / self.wall_s } else { 0.0 }
    }
}

/// The emulator of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Emulator;

impl Emulator {
    /// Starts the emulator of a scenario; all links are up. `tuns`: a device for each node, in the order of nodes.
    ///
    /// # Errors
    /// When the devices are not the scenario's, or the system has no thread or event queue left.
    pub fn start(
        scenario: &Scenario,
        seed: Seed,
        settings: EmulatorSettings,
        tuns: Vec<Tun>,
    ) -> Result<EmulatorHandle, EmulatorError> {
        let nodes = scenario.nodes.len();
        let is_wrong = |at: &usize| tuns.get(*at).is_none_or(|tun| tun.node() as usize != *at);
        if let Some(at) = (0..nodes.max(tuns.len())).find(is_wrong) {
            return Err(EmulatorError::Devices { nodes, at });
        }
        let engine = Engine::new(scenario, seed, settings, tuns);
        let wake = Arc::new(
            EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC).map_err(io::Error::from)?,
        );
        let (orders, todo) = channel();
        let (ready, started) = sync_channel(1);
        let woken = Arc::clone(&wake);
        let body = move || serve(engine, settings, &woken, &todo, &ready);
        let thread = std::thread::Builder::new().name("emulator".to_owned()).spawn(body)?;
        let handle = EmulatorHandle {
            orders,
            wake,
            thread: Some(thread),
            links: scenario.links.len() as u32,
            nodes: nodes as u32,
        };
        started.recv().map_err(|_| io::Error::other("its thread ended"))??;
        Ok(handle)
    }
}

/// The body of the thread.
fn serve(
    engine: Engine,
    settings: EmulatorSettings,
    wake: &EventFd,
    todo: &Receiver<(Order, SyncSender<Reply>)>,
    ready: &SyncSender<io::Result<()>>,
) -> Result<EmulatorReport, String> {
    // A waiter belongs to its thread: it sets the precision of that thread's timers.
    let waiter = Waiter::new(settings.clock, settings.spin_max).and_then(|waiter| {
        engine.watch(&waiter, wake)?;
        Ok(waiter)
    });
    let mut waiter = match waiter {
        Ok(waiter) => waiter,
        Err(error) => {
            let text = error.to_string();
            // The starter waits for it.
            let _ = ready.send(Err(error));
            return Err(text);
        }
    };
    let _ = ready.send(Ok(()));
    engine.run(&mut waiter, wake, todo).map_err(|error| error.to_string())
}

/// A running emulator. Dropping it ends the emulator.
#[derive(Debug)]
pub struct EmulatorHandle {
    orders: Sender<(Order, SyncSender<Reply>)>,
    wake: Arc<EventFd>,
    thread: Option<JoinHandle<Result<EmulatorReport, String>>>,
    links: u32,
    nodes: u32,
}

impl EmulatorHandle {
    /// Returns what a link carried and dropped so far.
    ///
    /// # Errors
    /// When the scenario has no such link, or the emulator has ended.
    pub fn link_figures(&mut self, link: u32) -> Result<LinkFigures, WanError> {
        self.on_link(link, Order::Figures(link..link + 1)).map(|mut figures| figures.swap_remove(0))
    }

    /// Ends the emulator; packets inside are lost.
    ///
    /// # Errors
    /// When it had ended by itself, with what it said.
    pub fn stop(mut self) -> Result<EmulatorReport, WanError> {
        self.end()
    }

    fn end(&mut self) -> Result<EmulatorReport, WanError> {
        // When it has ended by itself, joining says why.
        let _ = self.order(Order::Stop);
        let ended = |text: &str| WanError::Ended(text.to_owned());
        let thread = self.thread.take().ok_or_else(|| ended("it was stopped"))?;
        thread.join().map_err(|_| ended("its thread panicked"))?.map_err(|text| ended(&text))
    }

    fn on_link(&self, link: u32, order: Order) -> Result<Reply, WanError> {
        if link < self.links { self.order(order) } else { Err(WanError::NoLink(link)) }
    }

    fn on_node(&self, node: u32, order: Order) -> Result<Reply, WanError> {
        if node < self.nodes { self.order(order) } else { Err(WanError::NoNode(node)) }
    }

    fn order(&self, order: Order) -> Result<Reply, WanError> {
        let ended = || WanError::Ended("its thread is gone".to_owned());
        let (answer, answered) = sync_channel(1);
        self.orders.send((order, answer)).map_err(|_| ended())?;
        self.wake.write(1).map_err(|_| ended())?;
        answered.recv().map_err(|_| ended())
    }
}

impl Drop for EmulatorHandle {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // Nobody is left who would want the report.
            let _ = self.end();
        }
    }
}

impl Wan for EmulatorHandle {
    fn cut(&mut self, link: u32) -> Result<(), WanError> {
        self.on_link(link, Order::Cut(link)).map(drop)
    }

    fn heal(&mut self, link: u32) -> Result<(), WanError> {
        self.on_link(link, Order::Heal(link)).map(drop)
    }

    fn degrade(&mut self, link: u32, degrade: Degrade) -> Result<(), WanError> {
        self.on_link(link, Order::Degrade(link, degrade)).map(drop)
    }

    fn node_down(&mut self, node: u32) -> Result<(), WanError> {
        self.on_node(node, Order::Down(node)).map(drop)
    }

    fn node_up(&mut self, node: u32) -> Result<(), WanError> {
        self.on_node(node, Order::Up(node)).map(drop)
    }

    fn all_figures(&mut self) -> Result<Vec<LinkFigures>, WanError> {
        self.order(Order::Figures(0..self.links))
    }
}
