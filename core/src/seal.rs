//! Sealing a session from end to end: its source encrypts each symbol, and only its destinations can read it.
//!
//! A sealed symbol is the payload under AES-128-GCM, with the tag behind it. The nonce is the session's epoch and the
//! symbol's number, so that a repeat is the same bytes again, and nothing travels besides the tag. What a destination puts
//! its content together by (conference, session, source, object, index, count) is authenticated with it; the time is not,
//! as a file that begins again sends its symbols with other times.
//!
//! Described payload stays described: it only becomes as long as it would be.

use crate::content::Symbol;
use crate::ids::{Epoch, NodeId, SessionKey};
use crate::payload::{self, Payload, Synthetic};
use crate::rng::Seed;
use crate::wire::packet::PacketHeader;
use bytes::{Bytes, BytesMut};
use core::fmt;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk};
use serde::{Deserialize, Serialize};

/// Bytes that sealing adds to a symbol.
pub const TAG_BYTES: u32 = 16;

const KEY_BYTES: usize = 16;
/// Conference, session, source, object, index and count, four bytes each.
const BOUND_BYTES: usize = 24;

/// The key of one session from one source. Printing it shows nothing.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SymbolKey([u8; KEY_BYTES]);

impl fmt::Debug for SymbolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SymbolKey(..)")
    }
}

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

impl SymbolKey {
    /// Returns the key that follows from the secret of a run: HKDF-Expand-SHA256(secret, "bellini session", conference,
    /// session, source).
    ///
    /// # Panics
    /// Never: the function makes more bytes than a key has.
    #[must_use]
    pub fn of(secret: &[u8; 32], key: SessionKey, source: NodeId) -> Self {
        let mut bytes = [0; KEY_BYTES];
        let [conference, session, source] =
            [key.conference.0, key.session.0, source.get()].map(u32::to_be_bytes);
        Prk::new_less_safe(HKDF_SHA256, secret)
            .expand(&[b"bellini session", &conference, &session, &source], KeyLength)
            .and_then(|made| made.fill(&mut bytes))
            .expect("a key is far less than the function can make");
        Self(bytes)
    }
}

/// How a session is sealed. Source and destinations are told the same; relays are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealSpec {
    /// The key. Every start of a source under it must have an epoch of its own: an epoch twice is a nonce twice.
    pub key: SymbolKey,
    /// Whether the source makes the bytes of described payload and seals them: drivers with real sockets need it.
    pub real_bytes: bool,
}

/// Seals the symbols of a session, or opens them.
pub struct SymbolSeal {
    cipher: LessSafeKey,
    real_bytes: bool,
    seed: Seed,
    key: SessionKey,
    source: NodeId,
}

impl fmt::Debug for SymbolSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SymbolSeal")
            .field("key", &self.key)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// What a symbol is sealed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedAs {
    /// The epoch of its source.
    pub epoch: Epoch,
    /// The symbol.
    pub symbol: u64,
    /// Its object.
    pub object: u32,
    /// Its place in the object.
    pub index: u32,
    /// Symbols of the object.
    pub count: u32,
}

impl From<&PacketHeader> for SealedAs {
    fn from(header: &PacketHeader) -> Self {
        let PacketHeader { epoch, symbol, object, index, count, .. } = *header;
        Self { epoch, symbol, object, index, count }
    }
}

impl SymbolSeal {
    /// Returns what seals the symbols of session `key` from `source`. `seed`: of the run, for described payload.
    ///
    /// # Panics
    /// Never: a key has the length that the cipher asks for.
    #[must_use]
    pub fn new(spec: &SealSpec, key: SessionKey, source: NodeId, seed: Seed) -> Self {
        let cipher = UnboundKey::new(&AES_128_GCM, &spec.key.0).expect("a key of the right length");
        Self { cipher: LessSafeKey::new(cipher), real_bytes: spec.real_bytes, seed, key, source }
    }

    /// Returns a symbol of `epoch` as it is sent, [`TAG_BYTES`] longer.
    #[must_use]
    pub fn sealed(&self, epoch: Epoch, symbol: Symbol) -> Symbol {
        let Symbol { id, object, index, count, .. } = symbol;
        let payload = self.seal(&SealedAs { epoch, symbol: id, object, index, count }, symbol.payload);
        Symbol { len: payload.len() as u32, payload, ..symbol }
    }

    /// Seals a payload.
    ///
    /// # Panics
    /// Never: the cipher takes 64 GiB.
    #[must_use]
    pub fn seal(&self, what: &SealedAs, payload: Payload) -> Payload {
        let mut bytes = BytesMut::with_capacity(payload.len() + TAG_BYTES as usize);
        match payload {
            Payload::Synthetic(described) if !self.real_bytes => {
                return Payload::Synthetic(Synthetic {
                    len: described.len.saturating_add(TAG_BYTES),
                    ..described
                });
            }
            Payload::Synthetic(described) => {
                bytes.resize(described.len as usize, 0);
                payload::fill(self.seed, described, &mut bytes);
            }
            Payload::Bytes(plain) => bytes.extend_from_slice(&plain),
            // No content yields combinations: they are made of symbols that were sealed.
            combination @ Payload::Coded { .. } => return combination,
        }
        let tag = self
            .cipher
            .seal_in_place_separate_tag(nonce(what), Aad::from(self.bound(what)), &mut bytes)
            .expect("symbols are far shorter than what the cipher takes");
        bytes.extend_from_slice(tag.as_ref());
        Payload::Bytes(bytes.freeze())
    }

    /// Opens a payload; `None`: it is not what the source sealed as `what`.
    #[must_use]
    pub fn open(&self, what: &SealedAs, payload: Payload) -> Option<Payload> {
        match payload {
            Payload::Synthetic(described) => {
                let len = described.len.checked_sub(TAG_BYTES)?;
                Some(Payload::Synthetic(Synthetic { len, ..described }))
            }
            Payload::Bytes(sealed) => self.open_bytes(what, sealed).map(Payload::Bytes),
            Payload::Coded { .. } => None,
        }
    }

    /// Opens real bytes, where they lie if nobody shares them; `None` likewise.
    #[must_use]
    pub fn open_bytes(&self, what: &SealedAs, sealed: Bytes) -> Option<Bytes> {
        let length = sealed.len().checked_sub(TAG_BYTES as usize)?;
        let tag = Tag::try_from(sealed.get(length..)?).ok()?;
        let mut bytes = sealed.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        bytes.truncate(length);
        self.cipher
            .open_in_place_separate_tag(nonce(what), Aad::from(self.bound(what)), tag, &mut bytes, 0..)
            .ok()?;
        Some(bytes.freeze())
    }

    fn bound(&self, what: &SealedAs) -> [u8; BOUND_BYTES] {
        let words = [
            self.key.conference.0,
            self.key.session.0,
            self.source.get(),
            what.object,
            what.index,
            what.count,
        ];
        let mut bytes = [0; BOUND_BYTES];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }
}

/// Returns a symbol of the content as it is sent: sealed by `seal`, if there is one.
#[inline]
pub(crate) fn sealed(seal: Option<&SymbolSeal>, epoch: Epoch, symbol: Symbol) -> Symbol {
    match seal {
        Some(seal) => seal.sealed(epoch, symbol),
        None => symbol,
    }
}

/// Under one key no two symbols have the same.
fn nonce(what: &SealedAs) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..2].copy_from_slice(&what.epoch.0.to_be_bytes());
    bytes[4..].copy_from_slice(&what.symbol.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SessionKey = SessionKey::new(1, 2);
    const WHAT: SealedAs = SealedAs { epoch: Epoch(3), symbol: 70, object: 5, index: 6, count: 7 };

    fn node(id: u32) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    fn seal(secret: u8, key: SessionKey, source: u32, real_bytes: bool) -> SymbolSeal {
        let spec = SealSpec { key: SymbolKey::of(&[secret; 32], KEY, node(1)), real_bytes };
        SymbolSeal::new(&spec, key, node(source), Seed(9))
    }

    fn sealed() -> Bytes {
        let plain = Payload::Bytes(Bytes::from_static(b"the same words every time"));
        match seal(1, KEY, 1, true).seal(&WHAT, plain) {
            Payload::Bytes(bytes) => bytes,
            other => panic!("not bytes: {other:?}"),
        }
    }

    /// Aim: what was sealed opens as it was, a repeat is the same bytes, and nothing of the plain text is in them.
    #[test]
    fn symbols_open_as_they_were() {
        let bytes = sealed();
        assert_eq!(bytes, sealed());
        assert_eq!(bytes.len(), 25 + TAG_BYTES as usize);
        assert!(!bytes.windows(4).any(|part| part == b"same"));
        let opened = seal(1, KEY, 1, false).open_bytes(&WHAT, bytes);
        assert_eq!(opened.as_deref(), Some(&b"the same words every time"[..]));
    }

    /// Aim: any flipped bit, any cut, and any other name, key, session or source is refused.
    #[test]
    fn nothing_else_opens() {
        let bytes = sealed();
        let here = seal(1, KEY, 1, true);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(here.open_bytes(&WHAT, damaged.into()), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(here.open_bytes(&WHAT, bytes.slice(..length)), None, "{length} bytes");
        }
        let others = [
            SealedAs { epoch: Epoch(4), ..WHAT },
            SealedAs { symbol: 71, ..WHAT },
            SealedAs { object: 0, ..WHAT },
            SealedAs { index: 0, ..WHAT },
            SealedAs { count: 0, ..WHAT },
        ];
        for what in others {
            assert_eq!(here.open_bytes(&what, bytes.clone()), None, "{what:?}");
        }
        for other in [seal(2, KEY, 1, true), seal(1, SessionKey::new(1, 3), 1, true), seal(1, KEY, 2, true)] {
            assert_eq!(other.open_bytes(&WHAT, bytes.clone()), None, "{other:?}");
        }
    }

    /// Aim: described payload is as long as real bytes are, before and after, whichever way it goes.
    #[test]
    fn described_payload_has_the_lengths_of_real_bytes() {
        let plain = Payload::Synthetic(Synthetic { key: KEY, symbol: 70, offset: 0, len: 1_200 });
        for real_bytes in [false, true] {
            let seal = seal(1, KEY, 1, real_bytes);
            let sealed = seal.seal(&WHAT, plain.clone());
            assert_eq!(matches!(sealed, Payload::Bytes(_)), real_bytes);
            assert_eq!(sealed.len(), 1_216);
            let opened = seal.open(&WHAT, sealed).expect("it opens");
            assert_eq!(opened.len(), 1_200);
            if let Payload::Bytes(bytes) = opened {
                assert!(payload::matches(Seed(9), KEY, 70, 0, &bytes));
            } else {
                assert_eq!(opened, plain);
            }
        }
        let short = Payload::Synthetic(Synthetic { key: KEY, symbol: 70, offset: 0, len: 15 });
        assert_eq!(seal(1, KEY, 1, false).open(&WHAT, short), None);
    }

    /// Aim: keys differ between secrets, sessions and sources, and are not printed.
    #[test]
    fn keys_are_of_their_own() {
        let keys = [
            SymbolKey::of(&[1; 32], KEY, node(1)),
            SymbolKey::of(&[2; 32], KEY, node(1)),
            SymbolKey::of(&[1; 32], SessionKey::new(2, 1), node(1)),
            SymbolKey::of(&[1; 32], KEY, node(2)),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key));
        }
        assert_eq!(format!("{:?}", keys[0]), "SymbolKey(..)");
    }
}
