//! Nodes on loopback inside the test process: sessions over every kind of hop, and hostile neighbours.

mod sealed;
mod wiretap;

use super::*;
use crate::console::{Conductor, HostFigures, Order, Origin, StreamCounters};
use bellini_core::coding::{CodingSpec, Repair, Scheme};
use bellini_core::config::NodeConfig;
use bellini_core::content::Content;
use bellini_core::ids::{Epoch, Incarnation, SessionKey};
use bellini_core::io::{Command, DrawMode, Event, Install, MeasureWindow, SessionSpec, SinkSpec};
use bellini_core::route::Route;
use bellini_core::seal::SealSpec;
use bellini_core::time::Duration as Span;
use bellini_core::units::BitRate;
use bellini_scenarios::conduct::ProcessFigures;
use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant as WallInstant;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(10);
const SYMBOL_BYTES: u32 = 1_000;
const KEY: SessionKey = SessionKey::new(1, 1);

fn id(id: u32) -> NodeId {
    NodeId::new(id).expect("a legal id")
}

/// A node on a thread of its own.
struct Station {
    conductor: Conductor,
    thread: Option<JoinHandle<Result<(), NodeError>>>,
    heard: VecDeque<Arc<Answer>>,
    /// Warnings passed over while waiting for something else.
    warnings: Vec<String>,
    addresses: Addresses,
    origin_ns: i64,
}

impl Station {
    fn start(node: u32, incarnation: u32, change: impl FnOnce(&mut NodeSettings)) -> Self {
        let mut config = NodeConfig::new(id(node));
        config.incarnation = Incarnation(incarnation);
        let origin_ns = read_ns(ClockId::CLOCK_MONOTONIC);
        let mut settings = NodeSettings::new(config, 7, Origin::MonotonicNs(origin_ns));
        change(&mut settings);
        let (console, conductor) = Console::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { Daemon::bind(&settings, console)?.run(None).await })
        });
        let mut heard = VecDeque::from(conductor.answers().expect("the node greets"));
        let greeting = heard.pop_front().expect("the greeting is the first line");
        let Answer::Ready { addresses, .. } = *greeting else { panic!("{greeting:?}") };
        Self { conductor, thread: Some(thread), heard, warnings: Vec::new(), addresses, origin_ns }
    }

    fn order(&self, order: Order) {
        assert!(self.conductor.order(order), "the node runs");
    }

    fn command(&self, command: Command) {
        self.order(Order::Command(Box::new(command)));
    }

    /// Waits for an answer that `pick` takes; drops those before it.
    #[track_caller]
    fn wait<T>(&mut self, mut pick: impl FnMut(&Answer) -> Option<T>) -> T {
        loop {
            while let Some(answer) = self.heard.pop_front() {
                assert!(!matches!(*answer, Answer::Refused { .. }), "{answer:?}");
                if let Answer::Warning(line) = &*answer {
                    self.warnings.push(line.clone());
                }
                if let Some(found) = pick(&answer) {
                    return found;
                }
            }
            self.heard.extend(self.conductor.answers().expect("the node runs"));
        }
    }

    fn look(&mut self) -> ProcessFigures {
        self.order(Order::Look { id: 1, full: true, finish: false });
        self.wait(|answer| match answer {
            Answer::Figures { figures, .. } => Some((**figures).clone()),
            _ => None,
        })
    }

    fn host(&mut self) -> HostFigures {
        self.order(Order::Host { id: 2 });
        self.wait(|answer| match answer {
            Answer::Host { figures, .. } => Some(**figures),
            _ => None,
        })
    }

    /// Waits until the socket figures are as wanted.
    #[track_caller]
    fn wait_host(&mut self, what: &str, is_so: impl Fn(&HostFigures) -> bool) -> HostFigures {
        let end = WallInstant::now() + PATIENCE;
        loop {
            let figures = self.host();
            if is_so(&figures) {
                return figures;
            }
            assert!(WallInstant::now() < end, "{what}: {figures:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the session's sink here has so many symbols.
    #[track_caller]
    fn wait_delivered(&mut self, key: SessionKey, symbols: u64) -> ProcessFigures {
        let end = WallInstant::now() + PATIENCE;
        loop {
            let figures = self.look();
            let delivered = delivered(&figures, key);
            if delivered >= symbols {
                assert_eq!(delivered, symbols, "no symbol is delivered twice");
                return figures;
            }
            assert!(WallInstant::now() < end, "{delivered} of {symbols}: {:?}", figures.node);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Has the node end, and expects that it says so.
    fn stop(mut self) {
        self.order(Order::Stop);
        self.wait(|answer| matches!(answer, Answer::Bye).then_some(()));
        self.thread.take().expect("stopped once").join().expect("no panic").expect("it ends well");
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.conductor.order(Order::Stop);
            let _ = thread.join();
        }
    }
}

fn delivered(figures: &ProcessFigures, key: SessionKey) -> u64 {
    let counts = figures.counts.iter().find(|counts| counts.key == key);
    counts.and_then(|counts| counts.sink).map_or(0, |sink| sink.delivered_packets)
}

/// Starts nodes 1 to `count` that know one another.
fn stations(count: u32, ip: Option<IpAddr>) -> Vec<Station> {
    let start = |node| Station::start(node, 1, |settings| settings.bind = ip.unwrap_or(settings.bind));
    let mut stations: Vec<_> = (1..=count).map(start).collect();
    introduce(&mut stations);
    stations
}

/// Tells each node where the others are, and waits until all know.
fn introduce(stations: &mut [Station]) {
    let places: BTreeMap<_, _> =
        stations.iter().enumerate().map(|(at, station)| (id(at as u32 + 1), station.addresses)).collect();
    for (at, station) in stations.iter_mut().enumerate() {
        let mut others = places.clone();
        others.remove(&id(at as u32 + 1));
        station.order(Order::Peers(others));
        // Orders are obeyed one after the other.
        station.host();
    }
}

/// Has node 1 send `symbols` symbols at 8 Mbit/s along `route`; content starts in 100 ms.
fn session(stations: &[Station], key: SessionKey, route: &str, kind: HopKind, symbols: u64) {
    session_of(stations, key, route, kind, symbols, (None, None));
}

/// The same, coded or sealed from end to end.
fn session_of(
    stations: &[Station],
    key: SessionKey,
    route: &str,
    kind: HopKind,
    symbols: u64,
    (coding, seal): (Option<CodingSpec>, Option<SealSpec>),
) {
    let route: Route = route.parse().expect("a route");
    let source = &stations[0];
    let now_ns = (read_ns(ClockId::CLOCK_MONOTONIC) - source.origin_ns) as u64;
    let start = Instant::from_nanos(now_ns) + Span::from_millis(100);
    // A symbol every millisecond.
    let content =
        Content::Constant { rate: BitRate::from_bps(8_000_000).expect("not zero"), phase: Span::ZERO };
    let stop = start + Span::from_millis(symbols);
    let measure = MeasureWindow { from: start, to: stop };
    for destination in route.destinations() {
        stations[destination.get() as usize - 1].command(Command::JoinSession(Box::new(SinkSpec {
            key,
            source: id(1),
            content: content.clone(),
            symbol_bytes: SYMBOL_BYTES,
            delivery: bellini_core::io::Delivery::BestEffort,
            coding,
            seal,
            start,
            stop,
            measure,
            deliver_events: false,
        })));
    }
    source.command(Command::StartSession(Box::new(SessionSpec {
        key,
        epoch: Epoch(0),
        destinations: route.destinations(),
        content,
        symbol_bytes: SYMBOL_BYTES,
        delivery: bellini_core::io::Delivery::BestEffort,
        coding,
        seal,
        hop_kind: kind,
        start,
        stop,
        measure,
        draw: DrawMode::Random,
        policy_period: None,
    })));
    let install = Install { key, planner: Incarnation(1), version: 1, flows: vec![(route, 1.0)] };
    source.command(Command::Install(install));
}

/// Every symbol of a session reaches every destination once, and packets add up at every node.
fn exchange(ip: Option<IpAddr>, nodes: u32, route: &str, kind: HopKind) {
    let mut stations = stations(nodes, ip);
    session(&stations, KEY, route, kind, 150);
    let route: Route = route.parse().expect("a route");
    for destination in route.destinations() {
        stations[destination.get() as usize - 1].wait_delivered(KEY, 150);
    }
    for station in &mut stations {
        let figures = station.look();
        assert_eq!(figures.ledger, None);
        assert_eq!(figures.node.stats.dropped_total(), 0);
        assert_eq!(figures.node.unlinked_packets, 0);
    }
    stations.into_iter().for_each(Station::stop);
}

#[test]
fn a_session_crosses_one_hop_over_udp() {
    exchange(None, 2, "2d", HopKind::Datagram);
}

#[test]
fn a_session_crosses_one_hop_over_tcp() {
    exchange(None, 2, "2d", HopKind::Stream);
}

#[test]
fn a_session_crosses_a_relay_over_udp() {
    exchange(None, 3, "2>3d", HopKind::Datagram);
}

#[test]
fn a_session_crosses_a_relay_over_tcp_and_ipv6() {
    exchange(Some(Ipv6Addr::LOCALHOST.into()), 3, "2>3d", HopKind::Stream);
}

#[test]
fn a_multicast_crosses_a_relay_that_is_a_destination_over_ipv6() {
    exchange(Some(Ipv6Addr::LOCALHOST.into()), 4, "2d>{3d,4d}", HopKind::Datagram);
}

/// Aim: a session of which only combinations are sent is decoded behind a relay that combines them anew, over datagrams
/// and over connections; what comes out are the bytes of the content.
#[test]
fn a_coded_session_crosses_a_relay_that_recodes() {
    let coding = CodingSpec {
        scheme: Scheme::Generation { size: 30, systematic: false, latency: None },
        repair: Repair::Fixed(0.2),
        recode: true,
        real_bytes: true,
    };
    for kind in [HopKind::Datagram, HopKind::Stream] {
        let mut stations = stations(4, None);
        session_of(&stations, KEY, "2>{3d,4d}", kind, 150, (Some(coding), None));
        for destination in [2, 3] {
            let figures = stations[destination].wait_delivered(KEY, 150);
            let counts = figures.counts.iter().find(|counts| counts.key == KEY).expect("it is known");
            let coded = counts.sink.expect("it is a destination").coded;
            assert_eq!((coded.recovered_symbols, coded.corrupt_symbols), (150, 0), "{coded:?}");
            assert_eq!(coded.innovative, 150);
        }
        let relay = stations[1].look();
        assert!(relay.node.stats.recoded_packets >= 2 * 150, "{:?}", relay.node.stats);
        assert!(stations.iter_mut().all(|station| station.look().ledger.is_none()));
        stations.into_iter().for_each(Station::stop);
    }
}

/// The source asks for routes as soon as a session starts, and again when told to.
#[test]
fn policies_are_asked_for_over_the_console() {
    let mut stations = stations(2, None);
    session(&stations, KEY, "2d", HopKind::Datagram, 1);
    let asked = |answer: &Answer| match answer {
        Answer::Event { event: Event::PolicyWanted { key, reason, .. }, .. } => Some((*key, *reason)),
        _ => None,
    };
    assert_eq!(stations[0].wait(asked), (KEY, bellini_core::io::PolicyReason::Start));
    stations[0].command(Command::ReloadSessionPolicies(KEY));
    assert_eq!(stations[0].wait(asked), (KEY, bellini_core::io::PolicyReason::Reload));
}

/// Both want the hop at the same moment: one connection is left, and everything arrives both ways.
#[test]
fn connections_that_cross_end_in_one() {
    let mut stations = stations(2, None);
    for (at, peer) in [(0, 2), (1, 1)] {
        stations[at].command(Command::OpenHop { peer: id(peer), kind: HopKind::Stream });
    }
    for station in &mut stations {
        station.wait(|answer| match answer {
            Answer::Event { event: Event::HopOpened { kind: HopKind::Stream, .. }, .. } => Some(()),
            _ => None,
        });
    }
    session(&stations, KEY, "2d", HopKind::Stream, 100);
    stations[1].wait_delivered(KEY, 100);
    for station in &mut stations {
        let streams = station.wait_host("one connection", |host| host.streams.open == 1).streams;
        assert_eq!(streams.refused_stale, 0, "{streams:?}");
    }
}

/// A node that starts again, at the same address and with a higher incarnation, is taken up over every kind of hop.
#[test]
fn a_restarted_peer_is_taken_up() {
    for kind in [HopKind::Datagram, HopKind::Stream] {
        let mut stations = stations(2, None);
        session(&stations, KEY, "2d", kind, 50);
        stations[1].wait_delivered(KEY, 50);
        let old = stations.pop().expect("two nodes").addresses;
        let again = Station::start(2, 2, |settings| {
            (settings.port, settings.control_port) = (old.data.port(), old.control.port());
        });
        assert_eq!(again.addresses, old);
        stations.push(again);
        introduce(&mut stations);
        let key = SessionKey::new(1, 2);
        session(&stations, key, "2d", kind, 50);
        let end = WallInstant::now() + PATIENCE;
        // What is sent before the hop is open again may be lost over UDP.
        while delivered(&stations[1].look(), key) < 25 {
            assert!(WallInstant::now() < end, "{kind:?}: {:?}", stations[1].look().node.stats);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A deterministic heap of bytes.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Strangers cost a look into a table; a peer's nonsense is refused by the core. Sessions go on beside both.
#[test]
fn hostile_datagrams_are_counted_and_end_nothing() {
    let mut stations = stations(2, None);
    // A third peer that has an address and sends what it likes.
    let (data, control) = (UdpSocket::bind("127.0.0.1:0"), UdpSocket::bind("127.0.0.1:0"));
    let (data, control) = (data.expect("a socket"), control.expect("a socket"));
    let own = |socket: &UdpSocket| socket.local_addr().expect("bound");
    let villain = Addresses { data: own(&data), control: own(&control) };
    stations[1].order(Order::Peers(BTreeMap::from([(id(9), villain)])));
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    session(&stations, KEY, "2d", HopKind::Datagram, 300);
    let target = stations[1].addresses;
    let mut sent = 0;
    for round in 0..400_u64 {
        let mut bytes = noise(round, (round as usize * 7) % 1_400);
        if round % 2 == 0 && bytes.len() > 2 {
            // The version and kind of real frames, so that parsing goes deeper; cut anywhere by the length.
            bytes[0] = bellini_core::wire::frame::VERSION;
            bytes[1] = (round % 6) as u8;
        }
        for (socket, to) in [(&stranger, target.data), (&data, target.data), (&control, target.control)] {
            // Each twice: the second is a replay.
            for _ in 0..2 {
                socket.send_to(&bytes, to).expect("loopback takes it");
            }
        }
        sent += 2;
        if round % 16 == 15 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    let figures = stations[1].wait_delivered(KEY, 300);
    let host =
        stations[1].wait_host("all seen", |host| host.stranger_datagrams + host.host_dropped_packets >= sent);
    assert!(host.stranger_datagrams <= sent, "{host:?}");
    assert_eq!(figures.ledger, None);
    let rejected: u64 = stations[1].look().node.stats.rejected_frames.iter().sum();
    assert!(rejected + host.host_dropped_packets >= 2 * sent * 9 / 10, "{rejected} of {}", 2 * sent);
}

/// Connections that say nothing, too little, nonsense, or are too many: bounded, counted, and real ones get through.
#[test]
fn hostile_connections_are_bounded_and_end_nothing() {
    let mut stations = stations(2, None);
    let target = stations[1].addresses.data;
    let flood = 3 * STRANGE_CONNECTIONS_MAX;
    let slow: Vec<_> = (0..flood).map(|_| TcpStream::connect(target).expect("it listens")).collect();
    for (at, mut socket) in slow.iter().enumerate() {
        // Some say nothing, some the beginning of a preface, one byte.
        if at % 2 == 0 {
            let _ = socket.write_all(b"B");
        }
    }
    let closed = (flood - STRANGE_CONNECTIONS_MAX) as u64;
    let streams =
        stations[1].wait_host("the flood is cut", |host| host.streams.refused_slow >= closed).streams;
    assert_eq!((streams.open, streams.opened), (0, 0), "{streams:?}");
    // Nonsense instead of a preface, and a preface of a node that is not there.
    let mut nonsense = TcpStream::connect(target).expect("it listens");
    nonsense.write_all(&noise(3, 64)).expect("taken");
    let mut nobody = TcpStream::connect(target).expect("it listens");
    let preface = Preface { node: id(77), incarnation: Incarnation(1) };
    nobody.write_all(&preface.emit()).expect("taken");
    // One that calls itself node 1 and then announces a frame of 4 GiB.
    let mut liar = TcpStream::connect(target).expect("it listens");
    let preface = Preface { node: id(1), incarnation: Incarnation(1) };
    liar.write_all(&[&preface.emit()[..], &[0xFF; 64]].concat()).expect("taken");
    let refused = |streams: &StreamCounters| {
        (streams.refused_unreadable, streams.refused_strangers, streams.closed_unreadable)
    };
    stations[1].wait_host("all three are closed", |host| refused(&host.streams) == (1, 1, 1));
    for socket in [&mut nonsense, &mut nobody, &mut liar] {
        socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
        // The one that called itself a node has been greeted before.
        let end = socket.read_to_end(&mut Vec::new());
        assert!(!end.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock), "it is closed");
    }
    session(&stations, KEY, "2d", HopKind::Stream, 100);
    stations[1].wait_delivered(KEY, 100);
    drop(slow);
}

/// One that connects and then never reads what it is sent: what waits for it is bounded, and others are served.
#[test]
fn a_peer_that_does_not_read_stops_its_own_hop_only() {
    let mut stations = stations(2, None);
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
    let at = deaf.local_addr().expect("bound");
    let control = SocketAddr::new(at.ip(), 9);
    stations[0].order(Order::Peers(BTreeMap::from([(id(3), Addresses { data: at, control })])));
    stations[0].command(Command::OpenHop { peer: id(3), kind: HopKind::Stream });
    let (connection, _) = deaf.accept().expect("node 1 dials");
    session(&stations, KEY, "2d", HopKind::Stream, 100);
    stations[1].wait_delivered(KEY, 100);
    drop(connection);
}
