//! Sealed datagrams: AES-128-GCM under keys that replace one another.
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +-------+-------+---------------+-------------------------------+
//! | form  | epoch | keys          | counter                       |   authenticated
//! +-------+-------+---------------+-------------------------------+
//! | frame                                                         |   encrypted
//! +---------------------------------------------------------------+
//! | tag, 16 bytes                                                 |
//! +---------------------------------------------------------------+
//! ```
//! The first eight bytes name the key and are the nonce, so that no two datagrams under one key have the same. A key
//! serves one direction of one port. After so many frames, or so much time, the sender goes on to the next one, which
//! follows from the secret of the one before by a one-way function; the receiver follows when it sees a genuine
//! datagram of it, and takes those of the key before for a while. The secret of an epoch that is over is forgotten.

use super::window::Window;
use bellini_core::time::{Duration, Instant};
use bytes::{Buf, BytesMut};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk};
use std::collections::VecDeque;

/// Bytes in front of a sealed frame.
pub const PREFIX_BYTES: usize = 8;
/// Bytes behind it.
pub const TAG_BYTES: usize = 16;
/// The first byte of every sealed datagram: no plain frame begins so, and the low half is a version.
pub const FORM: u8 = 0xB1;
/// Frames under one key, unless asked otherwise: far below where AES-GCM's guarantees wear thin (2^24.5 full records
/// in RFC 8446, 5.5), and small beside what a counter on the wire can hold.
pub const EPOCH_FRAMES: u32 = 1 << 22;
/// Time under one key.
pub const EPOCH_TIME: Duration = Duration::from_secs(600);
/// How long the key before is still taken once the next one was seen.
const OLD_EPOCH_TIME: Duration = Duration::from_secs(30);
/// Epochs that a receiver may have missed altogether: all their frames were lost.
const EPOCHS_AHEAD: usize = 16;
const SECRET_BYTES: usize = 32;

/// What a datagram is for: each port has its own keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Datagram and paced hops.
    Data = 0,
    /// Control hops.
    Control = 1,
}

impl Purpose {
    pub(super) const COUNT: usize = 2;
    pub(super) const ALL: [Self; Self::COUNT] = [Self::Data, Self::Control];
}

/// Why a datagram was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenFault {
    /// Shorter than a sealed frame, or of another form: a plain frame, for instance.
    Form,
    /// Under keys that are not known here (any more).
    Keys,
    /// It came before, or is too old to tell.
    Replayed,
    /// Not what the peer sealed: forged, damaged or cut off.
    Forged,
}

/// A secret that keys are made of. Nothing outside this module can look into it.
pub struct Secret([u8; SECRET_BYTES]);

/// Length of what is made, for the library.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Secret {
    pub(super) fn new(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// Fills `out` with what follows from the secret for `what`.
    pub(super) fn derive(&self, what: &[&[u8]], out: &mut [u8]) {
        let length = out.len();
        Prk::new_less_safe(HKDF_SHA256, &self.0)
            .expand(what, Length(length))
            .and_then(|made| made.fill(out))
            .expect("some bytes are far less than the function can make");
    }

    pub(super) fn next(&self, what: &[&[u8]]) -> Self {
        let mut bytes = [0; SECRET_BYTES];
        self.derive(what, &mut bytes);
        Self(bytes)
    }
}

/// The key of one epoch.
struct Key {
    aead: LessSafeKey,
    /// Mixed with the prefix, so that nonces cannot be known beforehand.
    iv: [u8; 12],
}

impl Key {
    fn new(secret: &Secret) -> Self {
        let (mut key, mut iv) = ([0; 16], [0; 12]);
        secret.derive(&[b"bellini key"], &mut key);
        secret.derive(&[b"bellini iv"], &mut iv);
        let aead = UnboundKey::new(&AES_128_GCM, &key).expect("a key of the right length");
        Self { aead: LessSafeKey::new(aead), iv }
    }

    #[inline]
    fn nonce(&self, prefix: [u8; PREFIX_BYTES]) -> Nonce {
        let mut nonce = self.iv;
        nonce[4..].iter_mut().zip(prefix).for_each(|(byte, of_prefix)| *byte ^= of_prefix);
        Nonce::assume_unique_for_key(nonce)
    }
}

fn after(secret: &Secret) -> Secret {
    secret.next(&[b"bellini next"])
}

/// Seals what goes one way.
pub struct SendKey {
    keys: u16,
    epoch: u32,
    counter: u32,
    since: Instant,
    epoch_frames: u32,
    epoch_time: Duration,
    key: Key,
    secret: Secret,
}

impl std::fmt::Debug for SendKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SendKey({:04x}, epoch {}, frame {})", self.keys, self.epoch, self.counter)
    }
}

impl SendKey {
    pub(super) fn new(keys: u16, secret: Secret, epoch_frames: u32, now: Instant) -> Self {
        let (key, epoch_frames) = (Key::new(&secret), epoch_frames.max(1));
        Self { keys, epoch: 0, counter: 0, since: now, epoch_frames, epoch_time: EPOCH_TIME, key, secret }
    }

    /// Returns how many keys there were before this one.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Appends a sealed frame to `out`: `write` appends the frame, which is then encrypted where it lies.
    #[inline]
    pub fn seal(&mut self, now: Instant, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.counter >= self.epoch_frames || now.saturating_since(self.since) >= self.epoch_time {
            self.go_on(now);
        }
        let mut prefix = [FORM, self.epoch as u8, 0, 0, 0, 0, 0, 0];
        prefix[2..4].copy_from_slice(&self.keys.to_be_bytes());
        prefix[4..].copy_from_slice(&self.counter.to_be_bytes());
        self.counter += 1;
        out.extend_from_slice(&prefix);
        let start = out.len();
        write(out);
        let nonce = self.key.nonce(prefix);
        let tag = self.key.aead.seal_in_place_separate_tag(nonce, Aad::from(prefix), &mut out[start..]);
        out.extend_from_slice(tag.expect("a datagram is far shorter than the cipher's limit").as_ref());
    }

    #[cold]
    fn go_on(&mut self, now: Instant) {
        self.secret = after(&self.secret);
        self.key = Key::new(&self.secret);
        self.epoch = self.epoch.wrapping_add(1);
        (self.counter, self.since) = (0, now);
    }
}

/// What is known of the key of one epoch.
struct Epoch {
    key: Key,
    window: Window,
}

impl Epoch {
    fn new(secret: &Secret) -> Self {
        Self { key: Key::new(secret), window: Window::default() }
    }

    fn open(&mut self, prefix: [u8; PREFIX_BYTES], datagram: &mut BytesMut) -> Result<(), OpenFault> {
        let counter = u64::from(u32::from_be_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]));
        if !self.window.is_new(counter) {
            return Err(OpenFault::Replayed);
        }
        let end = datagram.len() - TAG_BYTES;
        let (sealed, tag) = datagram.split_at_mut(end);
        let tag = Tag::try_from(&*tag).map_err(|_| OpenFault::Form)?;
        let nonce = self.key.nonce(prefix);
        let frame = &mut sealed[PREFIX_BYTES..];
        let opened = self.key.aead.open_in_place_separate_tag(nonce, Aad::from(prefix), tag, frame, 0..);
        opened.map_err(|_| OpenFault::Forged)?;
        self.window.mark(counter);
        datagram.truncate(end);
        datagram.advance(PREFIX_BYTES);
        Ok(())
    }
}

/// Opens what comes one way.
pub struct OpenKey {
    keys: u16,
    /// That of `current`, as on the wire.
    epoch: u8,
    current: Epoch,
    /// The one before, until when.
    old: Option<(Epoch, Instant)>,
    /// Those that come next, as far as somebody claimed to use them.
    ahead: VecDeque<Epoch>,
    /// Of the last epoch that was made.
    secret: Secret,
    /// Keys that were gone on to.
    followed: u64,
}

impl std::fmt::Debug for OpenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenKey({:04x}, epoch {})", self.keys, self.epoch)
    }
}

/// Reads the prefix of a datagram that is long enough to be sealed.
#[inline]
pub(super) fn prefix_of(datagram: &[u8]) -> Option<[u8; PREFIX_BYTES]> {
    let prefix = *datagram.first_chunk::<PREFIX_BYTES>()?;
    (datagram.len() >= PREFIX_BYTES + TAG_BYTES && prefix[0] == FORM).then_some(prefix)
}

/// Returns which keys a prefix names.
#[inline]
pub(super) fn keys_of(prefix: [u8; PREFIX_BYTES]) -> u16 {
    u16::from_be_bytes([prefix[2], prefix[3]])
}

impl OpenKey {
    pub(super) fn new(keys: u16, secret: Secret) -> Self {
        let current = Epoch::new(&secret);
        Self { keys, epoch: 0, current, old: None, ahead: VecDeque::new(), secret, followed: 0 }
    }

    /// Returns how often the peer went on to the next key.
    #[must_use]
    pub fn followed(&self) -> u64 {
        self.followed
    }

    /// Opens a datagram in place: what is left of it is the frame.
    ///
    /// # Errors
    /// Why it is not opened; its bytes are worth nothing then.
    #[inline]
    pub fn open(&mut self, now: Instant, datagram: &mut BytesMut) -> Result<(), OpenFault> {
        let prefix = prefix_of(datagram).ok_or(OpenFault::Form)?;
        if keys_of(prefix) != self.keys {
            return Err(OpenFault::Keys);
        }
        match prefix[1].wrapping_sub(self.epoch) {
            0 => self.current.open(prefix, datagram),
            u8::MAX => match &mut self.old {
                Some((old, until)) if now < *until => old.open(prefix, datagram),
                _ => Err(OpenFault::Keys),
            },
            steps if usize::from(steps) <= EPOCHS_AHEAD => {
                self.follow(now, usize::from(steps), prefix, datagram)
            }
            _ => Err(OpenFault::Keys),
        }
    }

    /// Opens a datagram that claims a later key, and goes on to that if it is genuine. Each later key is made once,
    /// however often it is claimed.
    #[cold]
    fn follow(
        &mut self,
        now: Instant,
        steps: usize,
        prefix: [u8; PREFIX_BYTES],
        datagram: &mut BytesMut,
    ) -> Result<(), OpenFault> {
        while self.ahead.len() < steps {
            self.secret = after(&self.secret);
            self.ahead.push_back(Epoch::new(&self.secret));
        }
        self.ahead[steps - 1].open(prefix, datagram)?;
        for _ in 0..steps {
            let next = self.ahead.pop_front().expect("it was made above");
            let old = std::mem::replace(&mut self.current, next);
            self.old = Some((old, now + OLD_EPOCH_TIME));
        }
        self.epoch = prefix[1];
        self.followed += steps as u64;
        Ok(())
    }
}
