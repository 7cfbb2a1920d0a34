//! Sealed datagrams against whoever sits on the way.

use super::aead::{OpenFault, OpenKey, PREFIX_BYTES, Purpose, Secret, SendKey};
use super::handshake::Offer;
use super::identity::Identity;
use super::peer::{KEY_SETS_MAX, PeerKeys, WAITING_FRAMES_MAX};
use super::testing::Scratch;
use super::trust::KeyHash;
use super::{REPLAY_FRAMES, SEALING_BYTES, SealLimits, Sealing, keys};
use bellini_core::ids::{Incarnation, NodeId};
use bellini_core::time::{Duration, Instant};
use bellini_core::wire::frame::SEAL_BYTES;
use bellini_core::wire::preface::Preface;
use bytes::BytesMut;
use std::sync::Arc;

const NOW: Instant = Instant::from_nanos(1_000_000_000);
const MANY: u32 = 1 << 20;

fn secret() -> Secret {
    Secret::new([7; 32])
}

fn pair(epoch_frames: u32) -> (SendKey, OpenKey) {
    (SendKey::new(0xABCD, secret(), epoch_frames, NOW), OpenKey::new(0xABCD, secret()))
}

fn seal(key: &mut SendKey, frame: &[u8]) -> BytesMut {
    seal_at(key, NOW, frame)
}

fn seal_at(key: &mut SendKey, now: Instant, frame: &[u8]) -> BytesMut {
    let mut out = Vec::new();
    key.seal(now, &mut out, |out| out.extend_from_slice(frame));
    BytesMut::from(&out[..])
}

fn open(key: &mut OpenKey, datagram: &BytesMut) -> Result<BytesMut, OpenFault> {
    let mut datagram = datagram.clone();
    key.open(NOW, &mut datagram).map(|()| datagram)
}

/// Numbers that look random and are the same each time.
fn draws(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

/// Aim: the bytes on the wire are those of docs/sealing.md, and nothing of the frame is among them.
#[test]
fn a_sealed_frame_is_as_documented_and_shows_nothing() {
    assert_eq!(SEALING_BYTES, SEAL_BYTES, "what the core leaves free is what sealing takes");
    let (mut send, mut receive) = pair(MANY);
    let frame = b"the secret frame, the secret frame, the secret frame";
    let first = seal(&mut send, frame);
    assert_eq!(first[..PREFIX_BYTES], [0xB1, 0, 0xAB, 0xCD, 0, 0, 0, 0]);
    assert_eq!(first.len(), frame.len() + SEALING_BYTES);
    assert!(!first.windows(4).any(|four| frame.windows(4).any(|of_frame| four == of_frame)));
    let second = seal(&mut send, frame);
    assert_ne!(first[PREFIX_BYTES..], second[PREFIX_BYTES..], "the same frame is never the same bytes");
    assert_eq!(open(&mut receive, &first).expect("it is genuine")[..], frame[..]);
}

/// Aim: a datagram is taken once, in any order within the window, and not at all behind it.
#[test]
fn replayed_datagrams_are_refused_and_reordered_ones_are_not() {
    let (mut send, mut receive) = pair(MANY);
    let all: Vec<_> = (0..REPLAY_FRAMES + 10).map(|number| seal(&mut send, &number.to_be_bytes())).collect();
    let last = all.len() - 1;
    assert!(open(&mut receive, &all[last]).is_ok());
    let (old, window) = all.split_at(last + 1 - REPLAY_FRAMES as usize);
    assert!(old.iter().all(|datagram| open(&mut receive, datagram) == Err(OpenFault::Replayed)));
    for datagram in window[..window.len() - 1].iter().rev() {
        assert!(open(&mut receive, datagram).is_ok());
    }
    assert!(all.iter().all(|datagram| open(&mut receive, datagram) == Err(OpenFault::Replayed)));
}

/// Aim: no single bit can be changed, no byte be cut off or added, and a refused datagram costs its genuine twin
/// nothing.
#[test]
fn changed_and_truncated_datagrams_are_refused() {
    let (mut send, mut receive) = pair(MANY);
    let genuine = seal(&mut send, &[5; 61]);
    for bit in 0..genuine.len() * 8 {
        let mut changed = genuine.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&mut receive, &changed).is_err(), "bit {bit}");
    }
    for length in 0..genuine.len() {
        assert!(open(&mut receive, &BytesMut::from(&genuine[..length])).is_err(), "{length} bytes");
    }
    let mut longer = genuine.clone();
    longer.extend_from_slice(&[0]);
    assert_eq!(open(&mut receive, &longer), Err(OpenFault::Forged));
    assert!(open(&mut receive, &genuine).is_ok());
}

/// Aim: whatever bytes come, also with a prefix that names the right keys, nothing is opened, nothing panics, and
/// genuine datagrams are still taken afterwards, in this epoch and the next.
#[test]
fn random_bytes_are_never_opened() {
    let mut draw = draws(11);
    let (mut send, mut receive) = pair(1_000);
    for round in 0..100_000 {
        let length = (draw() % 120) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| draw() as u8).collect();
        if round % 4 != 0 && length >= 4 {
            let epoch = (draw() % 24) as u8;
            bytes[..4].copy_from_slice(&[0xB1, epoch, 0xAB, 0xCD]);
        }
        assert!(open(&mut receive, &BytesMut::from(&bytes[..])).is_err());
        if round % 50 == 0 {
            assert!(open(&mut receive, &seal(&mut send, b"genuine")).is_ok(), "round {round}");
        }
    }
    assert_eq!((receive.followed(), send.epoch()), (1, 1), "2,000 frames in epochs of 1,000");
}

/// Aim: the next key is followed without losing a frame, also when frames of both cross; the old key ends in time;
/// epochs that were lost as a whole are passed over, and their number may wrap.
#[test]
fn keys_follow_one_another() {
    let (mut send, mut receive) = pair(3);
    let frames: Vec<_> = (0..9_u8).map(|number| seal(&mut send, &[number; 20])).collect();
    assert_eq!(frames.iter().map(|frame| frame[1]).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    for at in [0, 3, 1, 4, 2, 6, 5, 7, 8] {
        assert!(open(&mut receive, &frames[at]).is_ok(), "frame {at}");
    }
    assert_eq!(open(&mut receive, &frames[1]), Err(OpenFault::Keys), "that key is gone");
    assert_eq!(open(&mut receive, &frames[4]), Err(OpenFault::Replayed));
    let (mut send, mut receive) = pair(1);
    let (old, next) = (seal(&mut send, b"old"), seal(&mut send, b"next"));
    assert!(open(&mut receive, &next).is_ok());
    let late = NOW + Duration::from_secs(31);
    assert_eq!(receive.open(late, &mut old.clone()), Err(OpenFault::Keys));
    // One in fourteen arrives.
    for number in 0..1_000_u32 {
        let frame = seal(&mut send, &number.to_be_bytes());
        assert!(number % 14 != 0 || open(&mut receive, &frame).is_ok(), "frame {number}");
    }
    let mut send = SendKey::new(0xABCD, secret(), MANY, NOW);
    seal(&mut send, b"now");
    let later = seal_at(&mut send, NOW + Duration::from_secs(3_600), b"later");
    assert_eq!(later[1], 1, "time alone moves on, too");
}

/// Two ends of several handshakes.
fn take(keys: &mut PeerKeys, name: u16, by_us: bool) {
    let of = |name: u16| Secret::new([name as u8; 32]);
    keys.take(NOW, (name, &of(name)), KeyHash::of(b"peer"), by_us, MANY);
}

fn send(keys: &mut PeerKeys, purpose: Purpose, frame: &[u8]) -> Option<BytesMut> {
    Some(seal(keys.sender(purpose)?, frame))
}

/// Aim: each direction and each port has a key of its own: what one sealed is not taken for another's.
#[test]
fn directions_and_ports_do_not_mix() {
    let (mut here, mut there) = (PeerKeys::default(), PeerKeys::default());
    take(&mut here, 1, true);
    take(&mut there, 1, false);
    let datagram = send(&mut here, Purpose::Data, b"frame").expect("the dialler has the keys");
    assert_eq!(there.open(NOW, Purpose::Control, &mut datagram.clone()), Err(OpenFault::Forged));
    assert_eq!(here.open(NOW, Purpose::Data, &mut datagram.clone()), Err(OpenFault::Forged), "sent back");
    assert_eq!(there.open(NOW, Purpose::Data, &mut datagram.clone()).map(drop), Ok(()));
}

/// Aim: the acceptor sends nothing under keys that the dialler may not have yet; handshakes that cross leave both ends
/// able to hear each other; the number of keys is bounded.
#[test]
fn handshakes_may_cross() {
    let (mut here, mut there) = (PeerKeys::default(), PeerKeys::default());
    take(&mut there, 1, false);
    assert_eq!(send(&mut there, Purpose::Data, b"early"), None);
    take(&mut here, 1, true);
    let datagram = send(&mut here, Purpose::Data, b"first").expect("the dialler has the keys");
    assert_eq!(there.open(NOW, Purpose::Data, &mut datagram.clone()).map(drop), Ok(()));
    assert!(send(&mut there, Purpose::Control, b"now").is_some(), "a genuine datagram says that it has them");
    // 2 by one end and 3 by the other, each told last of its own.
    take(&mut there, 2, false);
    take(&mut here, 3, false);
    take(&mut here, 2, true);
    take(&mut there, 3, true);
    for _ in 0..3 {
        let datagram = send(&mut here, Purpose::Data, b"to").expect("agreed");
        assert_eq!(there.open(NOW, Purpose::Data, &mut datagram.clone()).map(drop), Ok(()));
        let datagram = send(&mut there, Purpose::Data, b"fro").expect("agreed");
        assert_eq!(here.open(NOW, Purpose::Data, &mut datagram.clone()).map(drop), Ok(()));
    }
    let first = send(&mut here, Purpose::Data, b"old").expect("agreed");
    for name in 10..10 + KEY_SETS_MAX as u16 {
        take(&mut there, name, true);
    }
    assert_eq!(there.open(NOW, Purpose::Data, &mut first.clone()), Err(OpenFault::Keys));
    assert_eq!(there.retain(|_| false), KEY_SETS_MAX);
    assert_eq!(send(&mut there, Purpose::Data, b"none"), None);
}

/// Aim: handshakes that are begun and never ended, however many, cost neither end the keys in use.
#[test]
fn unfinished_handshakes_do_not_cost_the_keys_in_use() {
    let (mut here, mut there) = (PeerKeys::default(), PeerKeys::default());
    take(&mut here, 1, true);
    take(&mut there, 1, false);
    there.agree(1);
    for name in 10..30 {
        take(&mut there, name, false);
        let datagram = send(&mut here, Purpose::Data, b"to").expect("agreed");
        assert_eq!(there.open(NOW, Purpose::Data, &mut datagram.clone()), Ok(false), "after {name}");
        let datagram = send(&mut there, Purpose::Data, b"fro").expect("it still has the keys");
        assert_eq!(here.open(NOW, Purpose::Data, &mut datagram.clone()), Ok(false), "after {name}");
    }
    // The newest one still counts when it is ended.
    take(&mut here, 29, true);
    let datagram = send(&mut here, Purpose::Data, b"new").expect("agreed");
    assert_eq!(there.open(NOW, Purpose::Data, &mut datagram.clone()), Ok(true));
    assert_eq!(there.retain(|_| false), KEY_SETS_MAX);
}

/// Aim: of what waits for keys the oldest goes when there is too much, and the newest comes out.
#[test]
fn the_oldest_of_what_waits_goes() {
    let mut keys = PeerKeys::default();
    let all = WAITING_FRAMES_MAX + 3;
    let went = (0..all).filter(|number| keys.wait(Purpose::Data, vec![*number as u8])).count();
    assert_eq!(went, 3);
    let left: Vec<u8> = keys.take_waiting().into_iter().map(|(_, frame)| frame[0]).collect();
    assert_eq!(left, (3..all as u8).collect::<Vec<_>>());
}

/// A node's sealing, with identities in a directory of the test's own.
fn sealing(scratch: &Scratch, epoch_frames: u32) -> Sealing {
    let node = NodeId::new(1).expect("not zero");
    keys::issue_all(scratch.path(), &[node], keys::LIFETIME).expect("a directory of our own");
    let identity = Identity::load(&keys::settings(scratch.path(), node), node).expect("they were just made");
    Sealing::new(Arc::new(identity), SealLimits { epoch_frames, ..SealLimits::default() })
}

fn offer(keys: u16, is_dialler: bool) -> Offer {
    let preface = Preface { node: NodeId::new(2).expect("not zero"), incarnation: Incarnation(1) };
    let from = "127.0.0.1:1".parse().expect("an address");
    let (secret, shown) = (Secret::new([keys as u8; 32]), KeyHash::of(b"peer"));
    Offer { preface, from, is_dialler, shown, keys, secret, taken: tokio::sync::oneshot::channel().0 }
}

/// Aim: a datagram that outruns the handshake's last message says that the peer has the keys, and what waits goes at once.
#[test]
fn what_outruns_the_handshake_wakes_what_waits() {
    let scratch = Scratch::new("outrun");
    let (mut here, mut there) = (sealing(&scratch, MANY), sealing(&scratch, MANY));
    there.wait(NOW, 0, Purpose::Data, vec![7; 30]);
    there.take(NOW, 0, offer(5, false));
    assert!(there.take_ready().is_empty(), "the dialler may not have the keys yet");
    here.take(NOW, 0, offer(5, true));
    let mut datagram = seal(here.sender(0, Purpose::Data).expect("it dialled"), b"frame");
    assert!(there.open(NOW, 0, Purpose::Data, &mut datagram));
    assert_eq!(there.take_ready(), [(0, Purpose::Data, vec![7; 30])]);
}

/// Aim: a direction of which more keys were lost than can be followed comes back by a new handshake, which what anybody may
/// make up causes at most every ten seconds.
#[test]
fn keys_that_cannot_be_followed_are_made_anew() {
    let scratch = Scratch::new("ahead");
    let (mut here, mut there) = (sealing(&scratch, 1), sealing(&scratch, 1));
    here.take(NOW, 0, offer(5, true));
    there.take(NOW, 0, offer(5, false));
    let next = |here: &mut Sealing| seal(here.sender(0, Purpose::Data).expect("it dialled"), b"frame");
    assert!(there.open(NOW, 0, Purpose::Data, &mut next(&mut here)));
    (0..17).for_each(|_| drop(next(&mut here)));
    let mut wishes = Vec::new();
    for second in 0..35 {
        let now = NOW + Duration::from_secs(second);
        assert!(!there.open(now, 0, Purpose::Data, &mut next(&mut here)));
        wishes.extend(there.take_wanted().into_iter().map(|slot| (second, slot)));
    }
    assert_eq!(wishes, [(10, 0), (20, 0), (30, 0)], "not while the keys are new");
    assert_eq!(there.figures().keyless_datagrams, 35);
    let later = NOW + Duration::from_secs(35);
    there.take(later, 0, offer(6, true));
    here.take(later, 0, offer(6, false));
    here.agree(0, 6);
    assert!(there.open(later, 0, Purpose::Data, &mut next(&mut here)));
}

/// Aim: limits out of bounds are refused where they are read, and say what would be right; those that are missing are usual.
#[test]
fn limits_have_bounds() {
    let read = |text: &str| serde_json::from_str::<SealLimits>(text).map_err(|error| error.to_string());
    assert_eq!(read("{}"), Ok(SealLimits::default()));
    let own = SealLimits { epoch_frames: 1 << 16, renew_s: 60 };
    assert_eq!(read("{\"epoch_frames\": 65536, \"renew_s\": 60}"), Ok(own));
    assert_eq!(read(&serde_json::to_string(&own).expect("plain data")), Ok(own));
    for (text, part) in [
        ("{\"epoch_frames\": 65535}", "seal.limits.epoch_frames is 65535: it must be 65536 to 16777216"),
        ("{\"epoch_frames\": 16777217}", "it must be 65536 to 16777216"),
        ("{\"renew_s\": 0}", "seal.limits.renew_s is 0: it must be 60 to 604800"),
        ("{\"renew\": 60}", "unknown field"),
    ] {
        let refused = read(text).expect_err(text);
        assert!(refused.contains(part), "{text}: {refused}");
    }
}
