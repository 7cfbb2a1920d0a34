//! Ports on loopback. Datagrams between two sockets of one host arrive in order and, as long as somebody reads, whole.

use super::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

const V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0);
/// How long an answer of the same host may take, on a machine that has a lot to do.
const PATIENCE: Duration = Duration::from_secs(10);

fn port(at: SocketAddr) -> UdpPort {
    UdpPort::bind(at, UdpOptions::default()).expect("loopback has free ports")
}

fn has_v6() -> bool {
    let there = UdpSocket::bind(V6).is_ok();
    if !there {
        println!("skipped in part: this host has no IPv6");
    }
    there
}

/// Receives until `count` datagrams have come, or patience ends.
fn receive(port: &mut UdpPort, count: usize) -> Vec<(SocketAddr, BytesMut)> {
    let (start, mut got) = (Instant::now(), Vec::new());
    while got.len() < count && start.elapsed() < PATIENCE {
        port.receive(&mut |from, bytes| got.push((from, bytes))).expect("the socket works");
    }
    got
}

/// Numbered datagrams of varied size, from a fixed pattern: long equal runs, short ones, singles, empty ones.
fn varied(count: usize) -> Vec<Vec<u8>> {
    let size = |n: usize| match n / 40 % 5 {
        0 => 1_200,
        1 => 1_200 - n % 7,
        2 => 300,
        3 => (n * 37) % 900,
        _ => 1_300,
    };
    (0..count).map(|n| (0..size(n)).map(|at| (n * 31 + at) as u8).collect()).collect()
}

#[test]
fn datagrams_go_there_and_back() {
    for at in [Some(V4), has_v6().then_some(V6)].into_iter().flatten() {
        let (mut here, mut there) = (port(at), port(at));
        let to = here.peer(there.local_addr());
        assert_eq!(here.peer(there.local_addr()), to, "an address has one slot");
        assert!(here.queue(to, b"head", b"body"));
        assert_eq!(here.flush().expect("it sends"), Flushed { sent: 1, blocked: false });
        let got = receive(&mut there, 1);
        assert_eq!(got, [(here.local_addr(), BytesMut::from(&b"headbody"[..]))]);
        let back = there.peer(got[0].0);
        assert!(there.queue_with(back, b"head", 3, |out| out.copy_from_slice(b"gen")));
        there.flush().expect("it sends");
        assert_eq!(receive(&mut here, 1), [(there.local_addr(), BytesMut::from(&b"headgen"[..]))]);
        assert_eq!(here.receive(&mut |_, _| {}).expect("it works"), Received::default());
        let counters = here.counters();
        assert_eq!((counters.sent_datagrams, counters.sent_bytes), (1, 8));
        assert_eq!((counters.received_datagrams, counters.received_bytes), (1, 7));
    }
}

/// One IPv6 socket for everybody also talks to IPv4 hosts, and names them as such.
#[test]
fn the_unspecified_address_takes_both_families() {
    if !has_v6() {
        return;
    }
    let mut both = port(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0));
    let mut four = port(V4);
    let to = both.peer(four.local_addr());
    both.queue(to, b"", b"to IPv4");
    both.flush().expect("it sends");
    let got = receive(&mut four, 1);
    assert_eq!(&got[0].1[..], b"to IPv4");
    assert_eq!(got[0].0, SocketAddr::new(V4.ip(), both.local_addr().port()));
    let back = four.peer(got[0].0);
    four.queue(back, b"", b"back");
    four.flush().expect("it sends");
    assert_eq!(receive(&mut both, 1), [(four.local_addr(), BytesMut::from(&b"back"[..]))]);
}

/// Trains to two destinations, mixed, arrive whole and in order, whether or not the kernel joins datagrams.
#[test]
fn trains_arrive_whole_and_in_order() {
    for (join_sent, join_received) in [(true, true), (true, false), (false, true), (false, false)] {
        let options = UdpOptions { join_sent, join_received, ..UdpOptions::default() };
        let open = || UdpPort::bind(V4, options).expect("loopback has free ports");
        let (mut from, mut first, mut second) = (open(), open(), open());
        let (to_first, to_second) = (from.peer(first.local_addr()), from.peer(second.local_addr()));
        let sent = varied(1_000);
        let (mut got_first, mut got_second) = (Vec::new(), Vec::new());
        // In parts, so that the kernel's queues, however small they are here, hold each.
        for part in sent.chunks(50) {
            for datagram in part {
                let (head, rest) = datagram.split_at(datagram.len() / 3);
                assert!(from.queue(to_first, head, rest));
                assert!(from.queue(to_second, b"2", datagram));
            }
            assert_eq!(from.flush().expect("it sends").sent, 2 * part.len());
            got_first.extend(receive(&mut first, part.len()).into_iter().map(|(_, bytes)| bytes));
            got_second.extend(receive(&mut second, part.len()).into_iter().map(|(_, bytes)| bytes));
        }
        assert_eq!(got_first, sent);
        assert_eq!(got_second.len(), sent.len());
        assert!(got_second.iter().zip(&sent).all(|(got, sent)| got[0] == b'2' && got[1..] == sent[..]));
        if join_sent {
            let counters = from.counters();
            assert_eq!(counters.refused_datagrams, 0);
            assert!(counters.send_calls < counters.sent_datagrams / 10);
        }
    }
}

/// A closed port answers with an error to nobody in particular: the port goes on.
#[test]
fn closed_ports_end_nothing() {
    let closed = UdpSocket::bind(V4).expect("loopback has free ports").local_addr().expect("it is bound");
    let (mut here, mut there) = (port(V4), port(V4));
    let (to_closed, to_open) = (here.peer(closed), here.peer(there.local_addr()));
    for round in 0..20_u8 {
        here.queue(to_closed, b"", b"nobody");
        here.queue(to_open, b"", &[round]);
        here.flush().expect("a closed port is no error of the socket");
        here.receive(&mut |_, _| {}).expect("nor of receiving");
        assert_eq!(&receive(&mut there, 1)[0].1[..], [round]);
    }
}

/// What no way out takes is counted, and nothing else suffers.
#[test]
fn oversize_datagrams_are_counted() {
    let (mut here, mut there) = (port(V4), port(V4));
    let to = here.peer(there.local_addr());
    here.queue(to, b"", &vec![0; 70_000]);
    here.queue(to, b"", b"small");
    assert_eq!(here.flush().expect("it sends").sent, 1);
    assert_eq!(here.counters().oversize_datagrams, 1);
    assert_eq!(&receive(&mut there, 1)[0].1[..], b"small");
}

/// Datagrams that nobody reads in time are dropped by the kernel, which tells how many.
#[test]
fn kernel_drops_are_counted() {
    let mut here = port(V4);
    let small = UdpOptions { receive_buffer: 8_192, ..UdpOptions::default() };
    let mut there = UdpPort::bind(V4, small).expect("loopback has free ports");
    assert_eq!(there.kernel_drops(), 0);
    let to = here.peer(there.local_addr());
    for _ in 0..500 {
        here.queue(to, b"", &[7; 1_000]);
    }
    here.flush().expect("it sends");
    assert_eq!(here.counters().sent_datagrams, 500);
    let dropped = there.kernel_drops();
    let kept = receive_all(&mut there);
    assert!(kept > 0 && dropped > 0, "{kept} kept, {dropped} dropped");
    // The kernel counts a joined message once, before it is cut: drops are messages, at least.
    assert!(kept as u64 + dropped <= 500, "{kept} kept, {dropped} dropped");
    assert_eq!(there.kernel_drops(), dropped, "reading drops nothing more");
}

fn receive_all(port: &mut UdpPort) -> usize {
    let mut kept = 0;
    while port.receive(&mut |_, _| kept += 1).expect("the socket works").datagrams > 0 {}
    kept
}

/// What the kernel grants is told, asked for or not.
#[test]
fn short_grants_are_told() {
    let options = UdpOptions { receive_buffer: 1 << 20, send_buffer: 1 << 16, ..UdpOptions::default() };
    let buffers = UdpPort::bind(V4, options).expect("loopback has free ports").buffers();
    assert_eq!((buffers.receive.asked, buffers.send.asked), (1 << 20, 1 << 16));
    assert!(buffers.receive.given > 0 && buffers.send.given > 0);
    assert!(!Granted { asked: 10, given: 10 }.is_short());
    assert!(Granted { asked: 10, given: 9 }.is_short());
}

/// A datagram that a queue holds stays as it was, whatever arrives after it.
#[test]
fn held_datagrams_do_not_change() {
    let (mut here, mut there) = (port(V4), port(V4));
    let to = here.peer(there.local_addr());
    let mut held = Vec::new();
    for round in 0..50_u8 {
        for _ in 0..40 {
            here.queue(to, b"", &[round; 1_200]);
        }
        here.flush().expect("it sends");
        let got = receive(&mut there, 40);
        assert_eq!(got.len(), 40);
        held.push((round, got[usize::from(round) % 40].1.clone()));
    }
    assert!(held.iter().all(|(round, bytes)| bytes[..] == [*round; 1_200]));
}
