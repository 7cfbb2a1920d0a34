//! The keys that a node has with one peer.

use super::aead::{OpenFault, OpenKey, Purpose, Secret, SendKey, keys_of, prefix_of};
use super::trust::KeyHash;
use bellini_core::time::Instant;
use bytes::BytesMut;
use std::collections::VecDeque;

/// Handshakes with one peer whose keys are kept: those that crossed, and those before.
pub const KEY_SETS_MAX: usize = 4;
/// Datagrams that wait for a peer's keys; more are dropped and counted.
pub const WAITING_FRAMES_MAX: usize = 64;

/// What one handshake yielded.
#[derive(Debug)]
struct KeySet {
    keys: u16,
    shown: KeyHash,
    since: Instant,
    by_us: bool,
    /// Whether the peer is known to have the keys, too.
    is_agreed: bool,
    send: [SendKey; Purpose::COUNT],
    open: [OpenKey; Purpose::COUNT],
}

/// Keys with one peer, and what waits for them.
#[derive(Debug, Default)]
pub(super) struct PeerKeys {
    /// The newest last.
    sets: VecDeque<KeySet>,
    waiting: VecDeque<(Purpose, Vec<u8>)>,
}

impl PeerKeys {
    /// Takes the keys of a handshake. The dialler may send under them at once, the acceptor when it hears that the
    /// dialler has them. When there are too many, the oldest of those go that the peer is not known to have, or else the
    /// oldest: handshakes that are begun and not ended never cost the keys in use.
    pub(super) fn take(
        &mut self,
        now: Instant,
        (keys, secret): (u16, &Secret),
        shown: KeyHash,
        by_us: bool,
        epoch_frames: u32,
    ) {
        let of = |by_dialler: bool, purpose: Purpose| {
            let direction: &[u8] = if by_dialler { b"bellini dialler" } else { b"bellini acceptor" };
            secret.next(&[direction, &[purpose as u8]])
        };
        // Two handshakes of the same name cannot be told apart on the wire: the newer one counts.
        self.sets.retain(|set| set.keys != keys);
        self.sets.push_back(KeySet {
            keys,
            shown,
            since: now,
            by_us,
            is_agreed: by_us,
            send: Purpose::ALL.map(|purpose| SendKey::new(keys, of(by_us, purpose), epoch_frames, now)),
            open: Purpose::ALL.map(|purpose| OpenKey::new(keys, of(!by_us, purpose))),
        });
        if self.sets.len() > KEY_SETS_MAX {
            let older = self.sets.len() - 1;
            let unused = self.sets.iter().take(older).position(|set| !set.is_agreed);
            self.sets.remove(unused.unwrap_or(0));
        }
    }

    /// The peer has these keys.
    pub(super) fn agree(&mut self, keys: u16) {
        self.sets.iter_mut().filter(|set| set.keys == keys).for_each(|set| set.is_agreed = true);
    }

    /// Returns the key that a frame is to be sealed with now.
    #[inline]
    pub(super) fn sender(&mut self, purpose: Purpose) -> Option<&mut SendKey> {
        let set = self.sets.iter_mut().rev().find(|set| set.is_agreed)?;
        Some(&mut set.send[purpose as usize])
    }

    /// Opens a datagram in place. Returns whether it is the first to say that the peer has these keys.
    #[inline]
    pub(super) fn open(
        &mut self,
        now: Instant,
        purpose: Purpose,
        datagram: &mut BytesMut,
    ) -> Result<bool, OpenFault> {
        let keys = keys_of(prefix_of(datagram).ok_or(OpenFault::Form)?);
        let set = self.sets.iter_mut().rev().find(|set| set.keys == keys).ok_or(OpenFault::Keys)?;
        set.open[purpose as usize].open(now, datagram)?;
        Ok(!std::mem::replace(&mut set.is_agreed, true))
    }

    /// Keeps a frame until there are keys. The oldest one goes when there are too many: what it tells is the oldest news.
    /// Returns whether one went.
    pub(super) fn wait(&mut self, purpose: Purpose, frame: Vec<u8>) -> bool {
        let is_full = self.waiting.len() >= WAITING_FRAMES_MAX;
        if is_full {
            self.waiting.pop_front();
        }
        self.waiting.push_back((purpose, frame));
        is_full
    }

    /// Returns what waited for keys.
    pub(super) fn take_waiting(&mut self) -> VecDeque<(Purpose, Vec<u8>)> {
        std::mem::take(&mut self.waiting)
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether there are any keys.
    pub(super) fn has_keys(&self) -> bool {
        !self.sets.is_empty()
    }

    /// Forgets keys of handshakes in which the peer showed a key that does not count any more; how many.
    pub(super) fn retain(&mut self, mut counts: impl FnMut(KeyHash) -> bool) -> usize {
        let before = self.sets.len();
        self.sets.retain(|set| counts(set.shown));
        before - self.sets.len()
    }

    /// Returns when the newest keys were agreed on, and whether by our dialling.
    pub(super) fn newest(&self) -> Option<(Instant, bool)> {
        self.sets.back().map(|set| (set.since, set.by_us))
    }

    /// Returns how often keys were followed by the next ones, over both directions.
    pub(super) fn rekeys(&self) -> u64 {
        let of = |set: &KeySet| {
            let sent: u64 = set.send.iter().map(|key| u64::from(key.epoch())).sum();
            sent + set.open.iter().map(OpenKey::followed).sum::<u64>()
        };
        self.sets.iter().map(of).sum()
    }
}
