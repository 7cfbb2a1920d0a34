//! Sealed nodes: what somebody on the way sees, what he can do, and who is let in.

use super::wiretap::{Mischief, Wiretap};
use super::*;
use crate::seal::SealFigures;
use crate::seal::keys::{self, LIFETIME, TRUST_FILE};
use crate::seal::testing::Scratch;
use crate::seal::trust::{Moment, Pin, Trust};
use bellini_core::payload::{Synthetic, fill};
use bellini_core::seal::{SealSpec, SymbolKey};
use std::net::TcpStream;
use std::path::Path;

/// Keys of nodes 1 to 3 in a directory of their own.
fn keyring(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    keys::issue_all(scratch.path(), &[id(1), id(2), id(3)], LIFETIME).expect("a directory of our own");
    scratch
}

fn sealed(node: u32, keys: &Path) -> Station {
    Station::start(node, 1, |settings| settings.seal = Some(keys::settings(keys, id(node))))
}

fn wait_seal(station: &mut Station, what: &str, is_so: impl Fn(&SealFigures) -> bool) -> SealFigures {
    station.wait_host(what, |host| is_so(&host.seal)).seal
}

/// Waits until a warning was given that says `part`.
#[track_caller]
fn wait_line(station: &mut Station, part: &str) {
    let end = WallInstant::now() + PATIENCE;
    while !station.warnings.iter().any(|line| line.contains(part)) {
        assert!(WallInstant::now() < end, "{part}: {:?}", station.warnings);
        thread::sleep(Duration::from_millis(20));
        station.host();
    }
}

/// The first bytes of a symbol of the session, as they are on the wire in plain.
fn content(symbol: u64) -> [u8; 24] {
    let mut bytes = [0; 24];
    let what = Synthetic { key: KEY, symbol, offset: 0, len: 24 };
    fill(Seed(7), what, &mut bytes);
    bytes
}

fn honest() -> Mischief {
    Box::new(|bytes| vec![bytes.to_vec()])
}

/// Aim: sealed sessions cross datagram and stream hops and a relay, and every packet is accounted for.
#[test]
fn sealed_sessions_cross_every_kind_of_hop() {
    let keys = keyring("cross");
    for kind in [HopKind::Datagram, HopKind::Paced, HopKind::Stream] {
        let mut stations: Vec<_> = (1..=3).map(|node| sealed(node, keys.path())).collect();
        introduce(&mut stations);
        session(&stations, KEY, "2d>3d", kind, 150);
        for station in &mut stations[1..] {
            station.wait_delivered(KEY, 150);
        }
        for station in &mut stations {
            let figures = station.look();
            assert_eq!((figures.ledger, figures.node.stats.dropped_total()), (None, 0));
            let host = station.host();
            assert!(host.seal.handshakes >= 1, "{kind:?}: {host:?}");
            assert_eq!(host.seal.forged_datagrams + host.seal.unsealed_datagrams, 0, "{host:?}");
        }
        stations.into_iter().for_each(Station::stop);
    }
}

/// Aim: a recorded exchange shows nothing of what is carried. The same tap hears everything when hops are plain: it
/// would hear it.
#[test]
fn a_wiretap_hears_nothing_in_plain() {
    let keys = keyring("tap");
    for kind in [HopKind::Datagram, HopKind::Stream] {
        for is_sealed in [true, false] {
            let start =
                |node| if is_sealed { sealed(node, keys.path()) } else { Station::start(node, 1, |_| {}) };
            let mut stations = vec![start(1), start(2)];
            let tap = Wiretap::between(&mut stations, honest());
            session(&stations, KEY, "2d", kind, 100);
            stations[1].wait_delivered(KEY, 100);
            let symbols = (0..100).filter(|symbol| tap.has_heard(&content(*symbol))).count();
            if is_sealed {
                assert_eq!(symbols, 0, "{kind:?}");
                let prefaces =
                    [1, 2].map(|node| Preface { node: id(node), incarnation: Incarnation(1) }.emit());
                assert!(prefaces.iter().all(|preface| !tap.has_heard(preface)));
                assert!(
                    tap.heard_bytes() > 100 * SYMBOL_BYTES as usize,
                    "{kind:?}: it all went past the tap"
                );
            } else {
                assert!(symbols >= 90, "{kind:?}: {symbols} heard in plain; reads may cut some");
            }
        }
    }
}

/// Aim: whatever somebody on the way does to datagrams is counted and dropped, and what he lets through, in whatever
/// order and however often, arrives once.
#[test]
fn what_is_done_to_datagrams_on_the_way_is_dropped_and_counted() {
    let keys = keyring("mischief");
    let mut stations = vec![sealed(1, keys.path()), sealed(2, keys.path())];
    let (mut count, mut held) = (0_usize, None::<Vec<u8>>);
    let mischief = move |bytes: &[u8]| {
        count += 1;
        let mut out = Vec::new();
        let mut flipped = bytes.to_vec();
        let at = count * 7 % bytes.len();
        flipped[at] ^= 1 << (count % 8);
        out.push(flipped);
        out.push(bytes[..bytes.len() - 1 - count % 20].to_vec());
        // The name of the keys is there for everyone to see.
        let mut forged = noise(count as u64, 200);
        forged[..8].copy_from_slice(&bytes[..8]);
        out.push(forged);
        out.push(noise(count as u64, count % 60));
        // Every third one comes after the next, and each comes twice.
        match held.take() {
            None if count.is_multiple_of(3) => held = Some(bytes.to_vec()),
            late => {
                out.extend([bytes.to_vec(), bytes.to_vec()]);
                out.extend(late.map(|late| [late.clone(), late]).into_iter().flatten());
            }
        }
        out
    };
    let tap = Wiretap::between(&mut stations, Box::new(mischief));
    session(&stations, KEY, "2d", HopKind::Datagram, 300);
    let end = WallInstant::now() + PATIENCE;
    // The last one may be held for ever.
    while delivered(&stations[1].look(), KEY) < 299 {
        assert!(WallInstant::now() < end, "{:?}", stations[1].host());
        thread::sleep(Duration::from_millis(5));
    }
    let seal = wait_seal(&mut stations[1], "all is counted", |seal| {
        seal.replayed_datagrams >= 299 && seal.forged_datagrams >= 2 * 299 && seal.unsealed_datagrams > 50
    });
    assert!(seal.opened_frames >= 299, "{seal:?}");
    let node = stations[1].look().node;
    assert_eq!(node.stats.rejected_frames.iter().sum::<u64>(), 0, "the core saw genuine frames only");
    drop(tap);
}

/// Aim: keys change every 16 frames and handshakes every second while packets flow, and not one is lost.
#[test]
fn new_keys_under_traffic_lose_nothing() {
    let keys = keyring("rekey");
    let start = |node| {
        Station::start(node, 1, |settings| {
            let mut seal = keys::settings(keys.path(), id(node));
            (seal.limits.epoch_frames, seal.limits.renew_s) = (16, 1);
            settings.seal = Some(seal);
        })
    };
    let mut stations = vec![start(1), start(2)];
    introduce(&mut stations);
    session(&stations, KEY, "2d", HopKind::Datagram, 2_500);
    stations[1].wait_delivered(KEY, 2_500);
    let seal = stations[1].host().seal;
    assert!(seal.handshakes >= 2 && seal.rekeyed > 100, "{seal:?}");
    assert_eq!(seal.keyless_datagrams + seal.forged_datagrams + seal.replayed_datagrams, 0, "{seal:?}");
}

/// Aim: a node that starts again has no keys any more, and is taken up all the same, without the other one noticing
/// that its keys are worth nothing: the new one dials when it hears what it cannot open.
#[test]
fn a_restarted_sealed_peer_is_taken_up() {
    let keys = keyring("restart");
    for kind in [HopKind::Datagram, HopKind::Stream] {
        let mut stations = vec![sealed(1, keys.path()), sealed(2, keys.path())];
        introduce(&mut stations);
        session(&stations, KEY, "2d", kind, 50);
        stations[1].wait_delivered(KEY, 50);
        let old = stations.pop().expect("two nodes").addresses;
        let again = Station::start(2, 2, |settings| {
            (settings.port, settings.control_port) = (old.data.port(), old.control.port());
            settings.seal = Some(keys::settings(keys.path(), id(2)));
        });
        assert_eq!(again.addresses, old);
        stations.push(again);
        introduce(&mut stations);
        let key = SessionKey::new(1, 2);
        session(&stations, key, "2d", kind, 400);
        let end = WallInstant::now() + PATIENCE;
        // What is sent before the hop is open again may be lost over UDP.
        while delivered(&stations[1].look(), key) < 25 {
            assert!(WallInstant::now() < end, "{kind:?}: {:?}", stations[1].host());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Aim: a node whose key nobody pinned, or that shows another node's, gets nowhere, whoever dials; a line says so.
#[test]
fn a_node_with_a_wrong_key_never_enters() {
    let (keys, others) = (keyring("right"), keyring("wrong"));
    let unknown = |settings: &mut NodeSettings| settings.seal = Some(keys::settings(others.path(), id(2)));
    // It believes that it is node 3's key that node 2 has.
    let mut swapped = Trust::default();
    let pins = keys::show(keys.path()).expect("issued").nodes().clone();
    swapped.pin(id(1), pins[&id(1)][0], Moment::from_unix(0));
    swapped.pin(id(2), pins[&id(3)][0], Moment::from_unix(0));
    let swapped_file = others.path().join("swapped.json");
    std::fs::write(&swapped_file, swapped.text()).expect("a directory of our own");
    let wrong_node = |settings: &mut NodeSettings| {
        let mut seal = keys::settings(keys.path(), id(3));
        seal.trust = swapped_file.clone();
        settings.seal = Some(seal);
    };
    let plain = |_: &mut NodeSettings| {};
    type Change<'a> = &'a dyn Fn(&mut NodeSettings);
    for (change, line) in [
        (&unknown as Change<'_>, "its key is not in the trust file"),
        (&wrong_node, "its key is another node's"),
        (&plain, "it does not seal its hops"),
    ] {
        let mut stations = vec![sealed(1, keys.path()), Station::start(2, 1, change)];
        introduce(&mut stations);
        session(&stations, KEY, "2d", HopKind::Datagram, 50);
        for kind in [HopKind::Datagram, HopKind::Stream, HopKind::Control] {
            stations[1].command(Command::OpenHop { peer: id(1), kind });
        }
        let seal = wait_seal(&mut stations[0], line, |seal| {
            let (refused, others) = (seal.refused_unknown + seal.refused_wrong_node, seal.failed_handshakes);
            (if line.contains("key") { refused } else { others }) >= 3
        });
        wait_line(&mut stations[0], line);
        assert_eq!((seal.handshakes, seal.opened_frames, seal.sealed_frames), (0, 0, 0), "{line}: {seal:?}");
        assert_eq!(stations[0].host().streams.opened, 0, "{line}");
        assert_eq!(delivered(&stations[1].look(), KEY), 0, "{line}");
    }
}

/// Aim: keys that expired or were revoked are refused, with a line that says which; a node that is told so while it
/// runs is cut off.
#[test]
fn expired_and_revoked_keys_are_refused() {
    let keys = keyring("over");
    let issued = keys::show(keys.path()).expect("issued");
    let write = |name: &str, trust: &Trust| {
        let path = keys.path().join(name);
        std::fs::write(&path, trust.text()).expect("a directory of our own");
        path
    };
    let mut expired = issued.clone();
    let pin = issued.nodes()[&id(2)][0];
    expired.pin(id(2), Pin { expires: Moment::from_unix(1), ..pin }, Moment::from_unix(0));
    let mut revoked = issued.clone();
    revoked.revoke(id(2));
    for (trust, line) in [(&expired, "its key has expired"), (&revoked, "its key is revoked")] {
        let path = write("own.json", trust);
        let first = Station::start(1, 1, |settings| {
            let mut seal = keys::settings(keys.path(), id(1));
            seal.trust = path;
            settings.seal = Some(seal);
        });
        let mut stations = vec![first, sealed(2, keys.path())];
        introduce(&mut stations);
        session(&stations, KEY, "2d", HopKind::Datagram, 50);
        let seal = wait_seal(&mut stations[0], line, |seal| seal.refused_expired + seal.refused_revoked >= 2);
        wait_line(&mut stations[0], line);
        assert_eq!(seal.handshakes, 0, "{line}");
        wait_seal(&mut stations[1], "it hears why", |seal| seal.refused_by_peers >= 1);
    }
    // While it runs.
    let path = write("own.json", &issued);
    let first = Station::start(1, 1, |settings| {
        let mut seal = keys::settings(keys.path(), id(1));
        seal.trust = path;
        settings.seal = Some(seal);
    });
    let mut stations = vec![first, sealed(2, keys.path())];
    introduce(&mut stations);
    for (number, kind) in [(1, HopKind::Datagram), (2, HopKind::Stream)] {
        let key = SessionKey::new(1, number);
        session(&stations, key, "2d", kind, 50);
        stations[1].wait_delivered(key, 50);
    }
    write("own.json", &revoked);
    stations[0].wait_host("it is cut off", |host| host.seal.dropped_key_sets >= 1 && host.streams.open == 0);
    wait_line(&mut stations[0], "node 2 is refused from now on: its key is revoked");
    let key = SessionKey::new(1, 3);
    session(&stations, key, "2d", HopKind::Datagram, 50);
    wait_seal(&mut stations[0], "it does not come back", |seal| seal.refused_revoked >= 2);
    assert_eq!(delivered(&stations[1].look(), key), 0);
}

/// Aim: strangers get no datagram back and cost a bounded number of handshakes; peers get through beside them.
#[test]
fn strangers_are_not_answered_and_cost_little() {
    let keys = keyring("strangers");
    let mut stations = vec![sealed(1, keys.path()), sealed(2, keys.path())];
    introduce(&mut stations);
    session(&stations, KEY, "2d", HopKind::Datagram, 100);
    stations[1].wait_delivered(KEY, 100);
    let (target, stranger) = (stations[1].addresses, UdpSocket::bind("127.0.0.1:0").expect("a socket"));
    let nothing = stations[1].host().data.sent_datagrams;
    for round in 0..200 {
        stranger.send_to(&noise(round, 300), target.data).expect("loopback takes it");
    }
    stations[1].wait_host("all were seen", |host| host.stranger_datagrams + host.host_dropped_packets >= 200);
    stranger.set_nonblocking(true).expect("it is open");
    assert!(stranger.recv(&mut [0; 2_000]).is_err(), "no answer");
    assert!(stations[1].host().data.sent_datagrams - nothing < 10);
    // The host is a peer's, as on this machine all are: the gate counts.
    let flood: Vec<_> = (0..400).map(|_| TcpStream::connect(target.data).expect("it listens")).collect();
    let seal = wait_seal(&mut stations[1], "the flood is cut", |seal| seal.limited_handshakes >= 200);
    assert_eq!(seal.handshakes, stations[1].host().seal.handshakes);
    wait_line(&mut stations[1], "too many");
    drop(flood);
    let key = SessionKey::new(1, 2);
    session(&stations, key, "2d", HopKind::Datagram, 100);
    stations[1].wait_delivered(key, 100);
}

/// Aim: keys that cannot work are refused before anything starts, with what would be right.
#[test]
fn keys_that_cannot_work_end_the_start() {
    let keys = keyring("start");
    let fails = |change: &dyn Fn(&mut crate::seal::SealSettings)| {
        let mut settings = NodeSettings::new(NodeConfig::new(id(1)), 1, Origin::MonotonicNs(0));
        let mut seal = keys::settings(keys.path(), id(1));
        change(&mut seal);
        settings.seal = Some(seal);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let outcome = runtime.block_on(async { Daemon::bind(&settings, Console::channel().0).map(|_| ()) });
        outcome.expect_err("it cannot work").to_string()
    };
    let second = keys::settings(keys.path(), id(2));
    for (said, told) in [
        (
            "another node's",
            fails(&|seal| (seal.key, seal.certificate) = (second.key.clone(), second.certificate.clone())),
        ),
        ("no key for", fails(&|seal| seal.key = second.key.clone())),
        ("no certificate in PEM", fails(&|seal| seal.certificate = keys.path().join(TRUST_FILE))),
        ("No such file", fails(&|seal| seal.trust = keys.path().join("none"))),
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    keys::revoke(keys.path(), id(1)).expect("it has a key");
    assert!(fails(&|_| {}).contains("revoked"));
}

/// Aim: over plain hops, what somebody on the way hears of a session that is sealed from end to end tells nothing of its
/// content; a symbol with a flipped bit is dropped and counted, and the others come.
#[test]
fn a_session_sealed_from_end_to_end_needs_no_sealed_hops() {
    let mut stations = vec![Station::start(1, 1, |_| {}), Station::start(2, 1, |_| {})];
    let mut count = 0_u32;
    let mischief = move |bytes: &[u8]| {
        let mut out = bytes.to_vec();
        // The last bytes of the longest datagrams are a symbol's.
        if out.len() > SYMBOL_BYTES as usize {
            count += 1;
            let at = out.len() - 1 - count as usize % SYMBOL_BYTES as usize;
            out[at] ^= if count % 5 == 1 { 0x10 } else { 0 };
        }
        vec![out]
    };
    let tap = Wiretap::between(&mut stations, Box::new(mischief));
    let seal = SealSpec { key: SymbolKey::of(&[4; 32], KEY, id(1)), real_bytes: true };
    session_of(&stations, KEY, "2d", HopKind::Datagram, 200, (None, Some(seal)));
    let figures = stations[1].wait_delivered(KEY, 160);
    let sink = figures.counts.iter().find(|counts| counts.key == KEY).and_then(|counts| counts.sink);
    assert_eq!(sink.map(|sink| sink.unopened_symbols), Some(40));
    assert_eq!((figures.ledger, figures.node.stats.dropped_total()), (None, 40));
    assert!((0..200).all(|symbol| !tap.has_heard(&content(symbol))));
    assert!(tap.heard_bytes() > 200 * SYMBOL_BYTES as usize, "it all went past the tap");
}
