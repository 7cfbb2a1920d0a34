//! What forwarding a packet costs one relay on one core, beside forwarders without a protocol.
//!
//! `cargo bench --bench relay [-- --rounds N] [--bursts N] [--only TEXT]` (rows whose name has the text, for a profiler). Packets are datagrams of 1,200 B, or frames of as many in
//! a stream, over loopback. A burst waits in the relay's socket, the relay forwards all of it, the sink takes it:
//! processor time of the thread while the relay runs, so a relay at saturation, without idle time, wake-ups and loss. What
//! the kernel does to deliver to the sink's socket is in it, for all forwarders alike. Medians of alternating rounds.

mod relay {
    pub(crate) mod bare;
    pub(crate) mod overlay;
}
#[path = "rig/machine.rs"]
mod machine;

use bellini_core::drive::{Drained, Host, Sent, drain};
use bellini_core::ids::HopIndex;
use bellini_core::io::{Event, HopKind, Input, Received, Transmit};
use bellini_core::payload::Payload;
use bellini_core::time::Instant;
use bellini_live::net::{Arrived, PeerSlot, TcpOptions, TcpPipe, UdpOptions, UdpPort};
use bytes::Bytes;
use machine::{argument, machine, median};
use relay::bare::{Batched, Framed, socket, thread_ns};
use relay::overlay::{HEADER_BYTES, Overlay};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

const PACKET_BYTES: usize = 1_200;
/// Packets that wait for the relay at a time: eight full batches.
const BURST: usize = 512;
/// The same on a stream: what socket buffers hold without waiting for the other end.
const STREAM_BURST: usize = 128;
/// Receive queue that holds a burst.
const QUEUE_BYTES: usize = 4 << 20;

/// A relay under test: forwards all that waits.
trait Forwarder {
    fn run(&mut self);
    /// Packets to send to it; Bellini's carry numbers, so each burst is a new one.
    fn burst(&mut self, packets: usize) -> Vec<Bytes> {
        vec![Bytes::from(vec![0x5A; PACKET_BYTES]); packets]
    }
}

fn main() {
    let rounds = argument("--rounds").unwrap_or(5_usize).max(1);
    let bursts = argument("--bursts").unwrap_or(100_usize).max(1);
    println!("{}", machine());
    println!("{PACKET_BYTES} B packets over loopback, {rounds} alternating rounds of {bursts} bursts\n");
    let only = argument::<String>("--only").unwrap_or_default();
    let mut rows = rows();
    rows.retain(|row| row.name.contains(&only));
    for _ in 0..rounds {
        for row in &mut rows {
            let nanos = row.round(bursts);
            row.nanos.push(nanos);
        }
    }
    println!(
        "{:<52} {:>10} {:>12} {:>8} {:>8} {:>7} {:>7}",
        "CPU of the relay, median", "ns/packet", "packets/s", "Gbit/s", "ns/byte", "ratio", "target"
    );
    let mut bare = f64::NAN;
    for row in &mut rows {
        let nanos = median(&mut row.nanos);
        let (ratio, target) = match row.target {
            None => {
                bare = nanos;
                (String::from("-"), String::from("-"))
            }
            Some(target) => (format!("{:.2}", nanos / bare), format!("{target:.2}")),
        };
        println!(
            "{:<52} {nanos:>10.0} {:>12.0} {:>8.2} {:>8.3} {ratio:>7} {target:>7}",
            row.name,
            1e9 / nanos,
            PACKET_BYTES as f64 * 8.0 / nanos,
            nanos / PACKET_BYTES as f64,
        );
    }
    println!("\nratio: to the bare forwarder above; target of a stream: 0.40 ns/byte");
}

struct Row {
    name: &'static str,
    /// Ratio to the row before that a relay shall keep to; `None` for that row.
    target: Option<f64>,
    rig: Box<dyn Rig>,
    nanos: Vec<f64>,
}

impl Row {
    /// Processor time of the relay in nanoseconds per packet.
    fn round(&mut self, bursts: usize) -> f64 {
        let (mut nanos, mut packets) = (0, 0);
        // The first bursts warm up.
        for burst in 0..bursts + bursts / 10 + 1 {
            let (spent, moved) = self.rig.burst();
            if burst > bursts / 10 {
                nanos += spent;
                packets += moved;
            }
        }
        nanos as f64 / packets as f64
    }
}

/// Source, forwarder and sink.
trait Rig {
    /// Moves one burst through; returns the relay's processor time in nanoseconds, and the packets.
    fn burst(&mut self) -> (u64, usize);
}

fn rows() -> Vec<Row> {
    let row = |name, target, rig| Row { name, target, rig, nanos: Vec::new() };
    vec![
        row("tokio recv_from + send_to", None, Datagrams::boxed(false, false, Tokio::new)),
        row("recvmmsg + sendmmsg x 64", None, Datagrams::boxed(false, false, |to| Plain::new(to, false))),
        row(
            "  Bellini, datagrams one by one",
            Some(1.15),
            Datagrams::boxed(false, false, |to| Ours::new(to, false)),
        ),
        row(
            "GRO in, GSO out, cut on the way out",
            None,
            Datagrams::boxed(true, false, |to| Plain::new(to, true)),
        ),
        row(
            "  Bellini, trains cut on the way out",
            Some(1.15),
            Datagrams::boxed(true, false, |to| Ours::new(to, true)),
        ),
        row("GRO + GSO at both ends", None, Datagrams::boxed(true, true, |to| Plain::new(to, true))),
        row(
            "  Bellini, trains at both ends",
            Some(1.35),
            Datagrams::boxed(true, true, |to| Ours::new(to, true)),
        ),
        row("TCP, framed: large reads, vectored writes", None, Box::new(Stream::bare())),
        row("  Bellini, stream hops", Some(1.15), Box::new(Stream::ours())),
    ]
}

fn port(joins: bool) -> UdpPort {
    let options = UdpOptions {
        receive_buffer: QUEUE_BYTES,
        join_received: joins,
        join_sent: joins,
        ..UdpOptions::default()
    };
    UdpPort::bind((Ipv4Addr::LOCALHOST, 0).into(), options).expect("loopback has free ports")
}

struct Datagrams<F> {
    source: UdpPort,
    to: PeerSlot,
    sink: UdpPort,
    relay: F,
}

impl<F: Forwarder + 'static> Datagrams<F> {
    /// The source sends trains if `joins_in`, the sink takes them if `joins_out`.
    fn boxed(
        joins_in: bool,
        joins_out: bool,
        relay: impl FnOnce(SocketAddr) -> (F, SocketAddr),
    ) -> Box<dyn Rig> {
        let (mut source, sink) = (port(joins_in), port(joins_out));
        let (relay, at) = relay(sink.local_addr());
        let to = source.peer(at);
        Box::new(Self { source, to, sink, relay })
    }
}

impl<F: Forwarder> Rig for Datagrams<F> {
    fn burst(&mut self) -> (u64, usize) {
        for packet in self.relay.burst(BURST) {
            assert_eq!(packet.len(), PACKET_BYTES);
            assert!(self.source.queue(self.to, &packet, &[]), "a burst is small");
        }
        self.source.flush().expect("loopback works");
        let start = thread_ns();
        self.relay.run();
        let spent = thread_ns() - start;
        let mut got = 0;
        while self.sink.receive(&mut |_, _| got += 1).expect("loopback works").datagrams > 0 {}
        assert_eq!(got, BURST, "queues hold a burst: raise net.core.rmem_max to {QUEUE_BYTES}");
        (spent, BURST)
    }
}

/// One packet a call, through the reactor.
struct Tokio {
    runtime: tokio::runtime::Runtime,
    socket: tokio::net::UdpSocket,
    to: SocketAddr,
}

impl Tokio {
    fn new(to: SocketAddr) -> (Self, SocketAddr) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it starts");
        let socket = bare_socket();
        socket.set_nonblocking(true).expect("sockets can be non-blocking");
        let at = socket.local_addr().expect("it is bound");
        let _context = runtime.enter();
        let socket = tokio::net::UdpSocket::from_std(socket).expect("the reactor takes it");
        drop(_context);
        (Self { runtime, socket, to }, at)
    }
}

impl Forwarder for Tokio {
    fn run(&mut self) {
        let Self { runtime, socket, to } = self;
        runtime.block_on(async {
            let mut buffer = [0; 2_048];
            for _ in 0..BURST {
                let (len, _) = socket.recv_from(&mut buffer).await.expect("loopback works");
                socket.send_to(&buffer[..len], *to).await.expect("loopback works");
            }
        });
    }
}

fn bare_socket() -> UdpSocket {
    socket(QUEUE_BYTES as i32)
}

struct Plain(Batched);

impl Plain {
    fn new(to: SocketAddr, joins: bool) -> (Self, SocketAddr) {
        let socket = bare_socket();
        let at = socket.local_addr().expect("it is bound");
        (Self(Batched::new(socket, to, joins)), at)
    }
}

impl Forwarder for Plain {
    fn run(&mut self) {
        self.0.run();
    }
}

/// A node between two datagram hops, driven as the daemon does.
struct Ours {
    overlay: Overlay,
    port: UdpPort,
    to: PeerSlot,
    /// Hops by the connection id in a frame: what a driver looks up for each datagram.
    hops: Vec<HopIndex>,
}

impl Ours {
    fn new(to: SocketAddr, joins: bool) -> (Self, SocketAddr) {
        let overlay = Overlay::open(HopKind::Datagram, PACKET_BYTES);
        let mut port = port(joins);
        let (at, to) = (port.local_addr(), port.peer(to));
        let hops = vec![overlay.from, overlay.to];
        (Self { overlay, port, to, hops }, at)
    }
}

impl Forwarder for Ours {
    fn burst(&mut self, packets: usize) -> Vec<Bytes> {
        self.overlay.emit(packets)
    }

    fn run(&mut self) {
        let Self { overlay, port, to, hops } = self;
        let node = &mut overlay.relay;
        loop {
            // A driver reads the clock once for a batch; the node's own clock here is that of the overlay.
            std::hint::black_box(std::time::Instant::now());
            let now = overlay.now;
            let received = port.receive(&mut |_, bytes| {
                let bytes = bytes.freeze();
                let Some(id) = bytes.get(4..8) else { return };
                let id = u32::from_be_bytes(id.try_into().expect("four bytes"));
                let Some(hop) = hops.get((id as u16).wrapping_sub(1) as usize) else { return };
                let frame = Input::Frame { hop: *hop, frame: Received::Datagram(bytes) };
                node.handle_input(now, frame).expect("a correct peer's frame");
            });
            let received = received.expect("loopback works");
            let mut trains = Trains { port, to: *to, only: overlay.to };
            let Drained::Idle(_) = drain(node, now, usize::MAX, &mut trains) else {
                panic!("the budget has no end")
            };
            if !received.more {
                port.flush().expect("loopback works");
            }
            if received.datagrams == 0 && !received.more {
                return;
            }
        }
    }
}

struct Trains<'a> {
    port: &'a mut UdpPort,
    to: PeerSlot,
    only: HopIndex,
}

impl Host for Trains<'_> {
    #[inline]
    fn transmit(&mut self, _: Instant, frame: Transmit<'_>) -> Sent {
        // Hellos that are repeated to the source go nowhere here.
        if frame.hop == self.only
            && let Payload::Bytes(payload) = &frame.payload
        {
            self.port.queue(self.to, frame.header, payload);
        }
        Sent::Taken
    }

    fn event(&mut self, _: Instant, _: Event) {}
}

/// Two connections with a relay between them.
struct Stream {
    source: TcpPipe,
    sink: TcpPipe,
    relay: StreamRelay,
}

enum StreamRelay {
    Bare(Framed),
    Ours(Box<StreamNode>),
}

struct StreamNode {
    overlay: Overlay,
    from: TcpPipe,
    to: TcpPipe,
}

impl Stream {
    fn bare() -> Self {
        let ((source, from), (to, sink)) = (connection(), connection());
        let relay = StreamRelay::Bare(Framed::new(from, to, HEADER_BYTES + 4));
        Self { source: pipe(source), sink: pipe(sink), relay }
    }

    fn ours() -> Self {
        let ((source, from), (to, sink)) = (connection(), connection());
        let overlay = Overlay::open(HopKind::Stream, PACKET_BYTES - 4);
        let relay = StreamNode { overlay, from: pipe(from), to: pipe(to) };
        Self { source: pipe(source), sink: pipe(sink), relay: StreamRelay::Ours(Box::new(relay)) }
    }
}

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    let here = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
    (here, listener.accept().expect("somebody connected").0)
}

fn pipe(stream: TcpStream) -> TcpPipe {
    let options = TcpOptions { gather_max: 256 << 10, unsent_max: 1 << 20, ..TcpOptions::default() };
    TcpPipe::new(stream, &options).expect("the options are legal")
}

impl Rig for Stream {
    fn burst(&mut self) -> (u64, usize) {
        let packets = match &mut self.relay {
            StreamRelay::Ours(node) => node.overlay.emit(STREAM_BURST),
            StreamRelay::Bare(_) => {
                let mut frame = vec![0x5A; PACKET_BYTES];
                frame[..4].copy_from_slice(&(PACKET_BYTES as u32 - 4).to_be_bytes());
                vec![Bytes::from(frame); STREAM_BURST]
            }
        };
        for packet in &packets {
            assert!(self.source.queue(packet, &[]), "a burst is small");
        }
        let (mut spent, mut got) = (0, 0);
        let shrinks = if matches!(self.relay, StreamRelay::Ours(_)) { 6 } else { 0 };
        let expected = packets.iter().map(|packet| packet.len() - shrinks).sum();
        while got < expected {
            self.source.flush().expect("loopback works");
            let start = thread_ns();
            match &mut self.relay {
                StreamRelay::Bare(framed) => {
                    framed.run();
                }
                StreamRelay::Ours(node) => node.run(),
            }
            spent += thread_ns() - start;
            while let Arrived::Bytes(bytes) = self.sink.receive().expect("loopback works") {
                got += bytes.len();
            }
        }
        (spent, packets.len())
    }
}

impl StreamNode {
    fn run(&mut self) {
        let Self { overlay, from, to } = self;
        let (node, now) = (&mut overlay.relay, overlay.now);
        while let Arrived::Bytes(chunk) = from.receive().expect("loopback works") {
            std::hint::black_box(std::time::Instant::now());
            let input = Input::Stream { hop: overlay.from, chunk };
            node.handle_input(now, input).expect("a correct peer's frames");
            let Drained::Idle(_) = drain(node, now, usize::MAX, &mut Pipe { to, only: overlay.to }) else {
                panic!("the budget has no end")
            };
            let written = to.flush().expect("loopback works").bytes as u64;
            let room = Input::Room { hop: overlay.to, bytes: written };
            node.handle_input(now, room).expect("a hop of this node");
        }
        to.flush().expect("loopback works");
    }
}

struct Pipe<'a> {
    to: &'a mut TcpPipe,
    only: HopIndex,
}

impl Host for Pipe<'_> {
    #[inline]
    fn transmit(&mut self, _: Instant, frame: Transmit<'_>) -> Sent {
        if frame.hop == self.only
            && let Payload::Bytes(payload) = &frame.payload
        {
            assert!(self.to.queue(frame.header, payload), "a burst is small");
        }
        Sent::Taken
    }

    fn event(&mut self, _: Instant, _: Event) {}
}
