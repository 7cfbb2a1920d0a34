//! Somebody on the way between two nodes, who hears everything and does to datagrams what he likes.

use super::{Addresses, Order, Station, id};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a thread of the tap waits before it looks whether the test is over.
const BLINK: Duration = Duration::from_millis(10);

/// What becomes of a datagram: those that are sent on in its place.
pub(super) type Mischief = Box<dyn FnMut(&[u8]) -> Vec<Vec<u8>> + Send>;

/// Sits between two nodes, each of which takes it for the other one.
pub(super) struct Wiretap {
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Where it is taken for a node.
struct Face {
    data: UdpSocket,
    control: UdpSocket,
    streams: TcpListener,
}

impl Face {
    fn new() -> Self {
        loop {
            let data = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
            // The same port of TCP may be taken.
            let Ok(streams) = TcpListener::bind(data.local_addr().expect("bound")) else { continue };
            let control = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
            streams.set_nonblocking(true).expect("it is open");
            return Self { data, control, streams };
        }
    }

    fn addresses(&self) -> Addresses {
        let at = |socket: &UdpSocket| socket.local_addr().expect("bound");
        Addresses { data: at(&self.data), control: at(&self.control) }
    }
}

impl Wiretap {
    /// Puts a tap between the first two stations and introduces them to each other through it. `mischief` is done to
    /// what the first sends to the second's data port.
    pub(super) fn between(stations: &mut [Station], mischief: Mischief) -> Self {
        // The first node sees `second`, the second node sees `first`.
        let (second, first) = (Face::new(), Face::new());
        let places = [first.addresses(), second.addresses()];
        let real = [stations[0].addresses, stations[1].addresses];
        let mut tap =
            Self { heard: Arc::default(), is_over: Arc::new(AtomicBool::new(false)), threads: Vec::new() };
        let plain = || -> Mischief { Box::new(|bytes| vec![bytes.to_vec()]) };
        tap.datagrams(&second.data, &first.data, real[1].data, mischief);
        tap.datagrams(&first.data, &second.data, real[0].data, plain());
        tap.datagrams(&second.control, &first.control, real[1].control, plain());
        tap.datagrams(&first.control, &second.control, real[0].control, plain());
        tap.streams(second.streams, real[1].data);
        tap.streams(first.streams, real[0].data);
        stations[0].order(Order::Peers(BTreeMap::from([(id(2), places[1])])));
        stations[1].order(Order::Peers(BTreeMap::from([(id(1), places[0])])));
        for station in stations {
            // Orders are obeyed one after the other.
            station.host();
        }
        tap
    }

    /// Whether `bytes` were heard in one piece, in a datagram or in what was read of a connection at once.
    pub(super) fn has_heard(&self, bytes: &[u8]) -> bool {
        let heard = self.heard.lock().expect("no panic");
        heard.iter().any(|piece| piece.windows(bytes.len()).any(|part| part == bytes))
    }

    /// Bytes heard so far.
    pub(super) fn heard_bytes(&self) -> usize {
        self.heard.lock().expect("no panic").iter().map(Vec::len).sum()
    }

    fn datagrams(&mut self, from: &UdpSocket, by: &UdpSocket, to: SocketAddr, mut mischief: Mischief) {
        let (from, by) = (from.try_clone().expect("open"), by.try_clone().expect("open"));
        from.set_read_timeout(Some(BLINK)).expect("not zero");
        let (heard, is_over) = (Arc::clone(&self.heard), Arc::clone(&self.is_over));
        self.threads.push(thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while !is_over.load(Ordering::Relaxed) {
                let Ok(length) = from.recv(&mut buffer) else { continue };
                heard.lock().expect("no panic").push(buffer[..length].to_vec());
                for datagram in mischief(&buffer[..length]) {
                    let _ = by.send_to(&datagram, to);
                }
            }
        }));
    }

    fn streams(&mut self, listener: TcpListener, to: SocketAddr) {
        let (heard, is_over) = (Arc::clone(&self.heard), Arc::clone(&self.is_over));
        self.threads.push(thread::spawn(move || {
            let mut pumps = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let Ok((here, _)) = listener.accept() else {
                    thread::sleep(BLINK);
                    continue;
                };
                let Ok(there) = TcpStream::connect(to) else { continue };
                for (from, to) in [(&here, &there), (&there, &here)] {
                    let (from, to) = (from.try_clone().expect("open"), to.try_clone().expect("open"));
                    let (heard, is_over) = (Arc::clone(&heard), Arc::clone(&is_over));
                    pumps.push(thread::spawn(move || pump(from, to, &heard, &is_over)));
                }
            }
            pumps.into_iter().for_each(|pump| pump.join().expect("no panic"));
        }));
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, heard: &Mutex<Vec<Vec<u8>>>, is_over: &AtomicBool) {
    from.set_nonblocking(false).expect("open");
    from.set_read_timeout(Some(BLINK)).expect("not zero");
    let mut buffer = [0; 65_536];
    while !is_over.load(Ordering::Relaxed) {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                heard.lock().expect("no panic").push(buffer[..length].to_vec());
                if to.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}
