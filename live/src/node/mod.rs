//! The node daemon: the protocol core, driven by real time and real sockets.
//!
//! One thread does everything that packets need: it waits until a socket, the timer, the console or a signal has
//! something, reads the clock once, hands the core what came in, drains it once, and sends what that gave, gathered
//! by next hop. A turn takes a bounded amount of each source, so that none of them can keep the others waiting. Two
//! threads for each client of the console read and write lines; there are no others, however many sessions there are, but
//! for those that share a large decoding while it lasts.
//!
//! [`Daemon::bind`] opens the sockets, [`Daemon::run`] runs until it is told to stop; [`run`] does both in a process
//! of their own.

mod check;
mod clock;
mod embed;
mod ending;
mod engine;
mod orders;
mod outlet;
mod peers;
mod ports;
mod process;
mod resident;
mod seals;
mod signals;
mod streams;
#[cfg(test)]
mod tests;
mod timer;
mod watch;
mod workers;

pub use check::SettingsError;
pub use clock::{DRIFT_PPB_MAX, NodeClock, read_ns};
pub use embed::{Bell, Embedded};
pub use ending::{DRAIN_MAX, FAREWELL_MAX};
pub use nix::time::ClockId;
pub use process::{die_with_parent, peak_rss_mib};
pub use resident::{Housing, Resident};
pub use signals::Signals;
pub use streams::STRANGE_CONNECTIONS_MAX;

use crate::console::{Addresses, Answer, Call, Console, ConsolePlace, NodeSettings};
use crate::edge::Edges;
use crate::net::{TcpOptions, TcpSetupError, try_congestion};
use crate::record::{FileSink, RecordError};
use crate::seal::{SEALING_BYTES, Sealing};
use bellini_core::drive::Drained;
use bellini_core::ids::NodeId;
use bellini_core::io::{HopKind, Input};
use bellini_core::rng::Seed;
use bellini_core::stopwatch::Stopwatch;
use bellini_core::time::Instant;
use bellini_core::wire::preface::Preface;
use ending::Ending;
use engine::Engine;
use outlet::Outlet;
use ports::Port;
use resident::Lodger;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use streams::{StreamNews, Streams};
use thiserror::Error;
use timer::DeadlineTimer;
use tokio::time::Instant as HostInstant;

/// Frames that the core hands out before they are sent and other work gets its turn.
const FRAMES_A_DRAIN: usize = 512;
/// Drains of one turn, while connections take what was written.
const DRAINS_A_TURN: usize = 4;
/// Orders taken in one turn.
const ORDERS_A_TURN: usize = 16;
/// Distance of looks at what the host dropped, and of warnings.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// The same while the node ends.
const HOUSEKEEPING_ENDING: Duration = Duration::from_millis(5);
/// Why a node does not run.
#[derive(Debug, Error)]
pub enum NodeError {
    /// Its settings cannot work.
    #[error("settings: {0}")]
    Settings(#[from] SettingsError),
    /// A socket cannot be opened.
    #[error("{what}: {cause}")]
    Open {
        /// Which one, or what else.
        what: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The kernel does not do what the settings ask of TCP.
    #[error("tcp_congestion: {0}")]
    Tcp(#[from] TcpSetupError),
    /// The system failed a socket, the timer or a signal that had worked.
    #[error("the node cannot go on: {0}")]
    Broken(#[from] io::Error),
}

/// A node with open sockets.
#[derive(Debug)]
pub struct Daemon {
    id: NodeId,
    seed: Seed,
    addresses: Addresses,
    clock: NodeClock,
    timer: DeadlineTimer,
    engine: Engine,
    data: Port,
    control: Port,
    streams: Streams,
    sealing: Option<Sealing>,
    console: Console,
    edges: Edges,
    lodger: Option<Lodger>,
    unlinked_frames: u64,
    host_dropped: u64,
    turns: u64,
    /// Warnings that were given: kernel drops, lines dropped, frames without an address.
    warned: (u64, u64, u64),
    ending: Option<Ending>,
}

/// What woke the node up.
enum Wake {
    Terminate,
    Reload,
    Call(Call),
    Stream(StreamNews),
    Housekeeping,
    Other,
}

/// Runs a node in this process until it is told to stop.
///
/// # Errors
/// When the settings cannot work, or something cannot be opened.
pub fn run(settings: &NodeSettings, place: &ConsolePlace) -> Result<(), NodeError> {
    settings.check()?;
    let open = |what: &str, cause| NodeError::Open { what: what.to_owned(), cause };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| open("the runtime", cause))?;
    runtime.block_on(async {
        let signals = Signals::catch(place).map_err(|cause| open("signals", cause))?;
        let what = match place {
            ConsolePlace::Socket(path) => format!("the console at {}", path.display()),
            _ => "the console".to_owned(),
        };
        let console = Console::open(place).map_err(|cause| open(&what, cause))?;
        Daemon::bind(settings, console)?.run(Some(signals)).await
    })
}

impl Daemon {
    /// Opens the sockets and starts the core. Needs a runtime.
    ///
    /// # Errors
    /// When the settings cannot work, or a socket cannot be opened.
    pub fn bind(settings: &NodeSettings, console: Console) -> Result<Self, NodeError> {
        settings.check()?;
        let open = |what: String| move |cause| NodeError::Open { what, cause };
        let identity = seals::identity(settings)?;
        let (id, seed) = (settings.config.id, Seed(settings.seed));
        let own = Preface { node: id, incarnation: settings.config.incarnation };
        let tcp = TcpOptions { congestion: settings.tcp_congestion.clone(), ..TcpOptions::default() };
        if let Some(name) = &tcp.congestion {
            try_congestion(name)?;
        }
        let at = |port| SocketAddr::new(settings.bind, port);
        let (mut streams, data) = bind_data(at(settings.port), own, &tcp)?;
        let control = Port::bind(HopKind::Control, at(settings.control_port))
            .map_err(open(format!("UDP {}", at(settings.control_port))))?;
        let seen_ip = settings.advertise.unwrap_or(settings.bind);
        let addresses = Addresses {
            data: SocketAddr::new(seen_ip, data.local_addr().port()),
            control: SocketAddr::new(seen_ip, control.local_addr().port()),
        };
        let mut clock = NodeClock::start(settings);
        let log = match &settings.record {
            Some(path) => {
                let log = FileSink::create(path).map_err(open(format!("the log {}", path.display())))?;
                Some(log)
            }
            None => None,
        };
        let mut config = settings.config.clone();
        if identity.is_some() {
            config.seal_bytes = SEALING_BYTES as u16;
        }
        let engine = Engine::new(config, seed, clock.now(), log);
        let mut engine = engine.map_err(|error| match error {
            RecordError::Config(error) => NodeError::Settings(SettingsError::Config(error)),
            RecordError::Log(cause) => NodeError::Open { what: "the log".to_owned(), cause },
        })?;
        if let Some(every) = settings.stopwatch {
            engine.set_stopwatch(Stopwatch { now: clock::stopwatch_ns, every });
        }
        if let Some(workers) = workers::lent() {
            engine.set_workers(workers);
        }
        let limits = settings.seal.as_ref().map(|seal| seal.limits).unwrap_or_default();
        if let Some(identity) = &identity {
            streams.seal(Arc::clone(identity)).map_err(open("the thread for handshakes".to_owned()))?;
        }
        let sealing = identity.map(|identity| Sealing::new(identity, limits));
        let timer = DeadlineTimer::new().map_err(open("the timer".to_owned()))?;
        let mut daemon = Self {
            id,
            seed,
            addresses,
            clock,
            timer,
            engine,
            data,
            control,
            streams,
            sealing,
            console,
            edges: Edges::default(),
            lodger: None,
            unlinked_frames: 0,
            host_dropped: 0,
            turns: 0,
            warned: (0, 0, 0),
            ending: None,
        };
        daemon.add_peers(&settings.peers);
        Ok(daemon)
    }

    /// Returns where other nodes reach this one.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Runs until it is told to stop, by an order, by a signal, or by the end of its standard input.
    ///
    /// # Errors
    /// When the system fails what had worked.
    pub async fn run(mut self, mut signals: Option<Signals>) -> Result<(), NodeError> {
        self.console.greet(Answer::Ready {
            node: self.id,
            addresses: self.addresses,
            pid: std::process::id(),
        });
        for shortage in [self.data.shortage(), self.control.shortage()].into_iter().flatten() {
            self.warn(shortage);
        }
        let mut housekeeping = HostInstant::now() + HOUSEKEEPING;
        let mut more = true;
        while !self.has_ended() {
            let wake = {
                let Self { timer, data, control, streams, console, edges, lodger, .. } = &mut self;
                tokio::select! {
                    wake = Signals::next(&mut signals) => wake,
                    call = console.next() => Wake::Call(call),
                    rung = timer.ring() => rung.map(|()| Wake::Other)?,
                    ready = data.ready() => ready.map(|()| Wake::Other)?,
                    ready = control.ready() => ready.map(|()| Wake::Other)?,
                    news = streams.next() => Wake::Stream(news?),
                    () = edges.next() => Wake::Other,
                    () = resident::rung(lodger.as_ref()) => Wake::Other,
                    () = tokio::time::sleep_until(housekeeping) => Wake::Housekeeping,
                    // Readiness is looked up again before this goes on.
                    () = tokio::task::yield_now(), if more => Wake::Other,
                }
            };
            if matches!(wake, Wake::Housekeeping) {
                self.keep_house();
                self.keep_seals()?;
                let distance = if self.ending.is_some() { HOUSEKEEPING_ENDING } else { HOUSEKEEPING };
                housekeeping = HostInstant::now() + distance;
            }
            let was_ending = self.ending.is_some();
            more = self.turn(wake)?;
            if self.ending.is_some() && !was_ending {
                housekeeping = HostInstant::now();
            }
        }
        self.keep_house();
        for problem in self.edges.finish(FAREWELL_MAX).await {
            self.warn(problem);
        }
        self.engine.end(self.clock.now());
        self.console.close();
        Ok(())
    }

    /// Takes a bounded amount of everything that is there, drains the core, and sends; whether there is more to do.
    fn turn(&mut self, wake: Wake) -> Result<bool, NodeError> {
        self.turns += 1;
        let now = self.clock.now();
        if self.engine.node().poll_timeout().is_some_and(|deadline| deadline.at <= now) {
            // A timeout cannot be refused.
            let _ = self.engine.input(now, Input::Timeout);
        }
        match wake {
            Wake::Terminate => self.end(now),
            Wake::Reload => self.reload_policies(now),
            Wake::Call(call) => self.obey(now, call),
            Wake::Stream(news) => self.streams.act(now, &mut self.engine, self.sealing.as_mut(), news)?,
            Wake::Housekeeping | Wake::Other => {}
        }
        let mut orders = 0;
        while orders < ORDERS_A_TURN
            && let Some(call) = self.console.try_next()
        {
            self.obey(now, call);
            orders += 1;
        }
        let mut more = orders == ORDERS_A_TURN;
        more |= self.data.receive(now, &mut self.engine, self.sealing.as_mut())?;
        more |= self.control.receive(now, &mut self.engine, self.sealing.as_mut())?;
        more |= self.streams.serve(now, &mut self.engine)?;
        more |= self.feed_edges(now);
        more |= self.serve_resident(now);
        more |= self.send(now)?;
        self.timer.arm(self.engine.node().poll_timeout(), &self.clock)?;
        Ok(more)
    }

    /// Drains the core and sends what it gave; whether there is more.
    fn send(&mut self, now: Instant) -> Result<bool, NodeError> {
        self.send_ready(now);
        for _ in 0..DRAINS_A_TURN {
            let Self {
                engine,
                data,
                control,
                streams,
                sealing,
                console,
                edges,
                lodger,
                unlinked_frames,
                seed,
                ..
            } = self;
            let seed = *seed;
            let drained = engine.drain(now, FRAMES_A_DRAIN, move |behind| Outlet {
                seed,
                behind,
                data,
                control,
                streams,
                sealing: sealing.as_mut(),
                console,
                edges,
                lodger: lodger.as_mut(),
                unlinked_frames,
            });
            self.edges.hand_over(self.engine.node(), seed);
            if let Some(lodger) = &mut self.lodger {
                lodger.resident.drained(now, self.engine.node(), seed);
            }
            self.data.flush(now, &mut self.engine)?;
            self.control.flush(now, &mut self.engine)?;
            let has_granted = self.streams.flush(now, &mut self.engine)?;
            let mut wanted = Vec::new();
            self.engine.find_new_hops(|slot, kind| {
                if kind == HopKind::Stream {
                    wanted.push(slot);
                }
            });
            wanted.into_iter().for_each(|slot| self.streams.want(&self.engine, slot));
            let wanted = self.sealing.as_mut().map(Sealing::take_wanted).unwrap_or_default();
            wanted.into_iter().for_each(|slot| self.streams.want_keys(&self.engine, slot));
            match drained {
                // What was granted is taken up with the next drain.
                Drained::Idle(_) if !has_granted => return Ok(false),
                Drained::Idle(_) => {}
                Drained::MoreWork => return Ok(true),
            }
        }
        Ok(true)
    }

    /// Offers sessions what applications have brought; whether there is more.
    fn feed_edges(&mut self, now: Instant) -> bool {
        let Self { engine, edges, .. } = self;
        // The core is read and commanded in turns.
        let engine = std::cell::RefCell::new(engine);
        edges.feed(
            |key| {
                engine.borrow().node().session(key)?.source.as_ref().map(|source| source.content.offer_room())
            },
            |command| engine.borrow_mut().command(now, command),
        )
    }

    fn count_host_drops(&mut self) {
        self.host_dropped = self.data.kernel_drops() + self.control.kernel_drops();
    }

    /// Says what went wrong since the last time.
    fn keep_house(&mut self) {
        if let Some(problem) = self.engine.take_warning() {
            self.warn(problem);
        }
        for problem in self.edges.take_problems() {
            self.warn(problem);
        }
        self.count_host_drops();
        let (drops, lines, unlinked) = self.warned;
        self.warned = (self.host_dropped, self.console.dropped_events(), self.unlinked_frames);
        if self.warned.0 > drops {
            let new = self.warned.0 - drops;
            self.warn(format!("the host dropped {new} datagrams: this process did not fetch them in time"));
        }
        if self.warned.1 > lines {
            let new = self.warned.1 - lines;
            self.warn(format!("{new} events were not told: a client of the console reads too slowly"));
        }
        if self.warned.2 > unlinked {
            let new = self.warned.2 - unlinked;
            self.warn(format!("{new} frames were for nodes whose address is not known here"));
        }
    }

    fn warn(&self, text: String) {
        if self.console.has_clients() {
            self.console.say(Answer::Warning(text));
        } else {
            use std::io::Write;
            // Nobody may be reading it.
            let _ = writeln!(io::stderr().lock(), "warning: node {}: {text}", self.id);
        }
    }
}

/// Binds TCP and UDP to the same port. Where any port will do, the first that is free for both.
fn bind_data(at: SocketAddr, own: Preface, tcp: &TcpOptions) -> Result<(Streams, Port), NodeError> {
    let mut tries = if at.port() == 0 { 16 } else { 1 };
    loop {
        let listen = Streams::listen(at, own, tcp.clone());
        let streams = listen.map_err(|cause| NodeError::Open { what: format!("TCP {at}"), cause })?;
        let same = streams.local_addr()?;
        match Port::bind(HopKind::Datagram, same) {
            Ok(data) => return Ok((streams, data)),
            Err(cause) => {
                tries -= 1;
                if tries == 0 {
                    return Err(NodeError::Open { what: format!("UDP {same}"), cause });
                }
            }
        }
    }
}
