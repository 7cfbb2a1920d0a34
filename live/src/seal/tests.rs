//! Sealed datagrams against whoever sits on the way.

use super::aead::{OpenFault, OpenKey, PREFIX_BYTES, Purpose, Secret, SendKey};
use super::peer::{KEY_SETS_MAX, PeerKeys};
use super::trust::KeyHash;
use super::{REPLAY_FRAMES, SEALING_BYTES};
use bellini_core::time::{Duration, Instant};
use bellini_core::wire::frame::SEAL_BYTES;
use bytes::BytesMut;

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
    assert_eq!(there.open(NOW, Purpose::Data, &mut datagram.clone()), Ok(()));
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
    assert_eq!(there.open(NOW, Purpose::Data, &mut datagram.clone()), Ok(()));
    assert!(send(&mut there, Purpose::Control, b"now").is_some(), "a genuine datagram says that it has them");
    // 2 by one end and 3 by the other, each told last of its own.
    take(&mut there, 2, false);
    take(&mut here, 3, false);
    take(&mut here, 2, true);
    take(&mut there, 3, true);
    for _ in 0..3 {
        let datagram = send(&mut here, Purpose::Data, b"to").expect("agreed");
        assert_eq!(there.open(NOW, Purpose::Data, &mut datagram.clone()), Ok(()));
        let datagram = send(&mut there, Purpose::Data, b"fro").expect("agreed");
        assert_eq!(here.open(NOW, Purpose::Data, &mut datagram.clone()), Ok(()));
    }
    let first = send(&mut here, Purpose::Data, b"old").expect("agreed");
    for name in 10..10 + KEY_SETS_MAX as u16 {
        take(&mut there, name, false);
    }
    assert_eq!(there.open(NOW, Purpose::Data, &mut first.clone()), Err(OpenFault::Keys));
    assert_eq!(there.retain(|_| false), KEY_SETS_MAX);
    assert_eq!(send(&mut there, Purpose::Data, b"none"), None);
}
