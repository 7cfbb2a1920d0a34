//! Who is trusted: for each node the keys that it may show, until when, and whether they were taken back.
//!
//! There is no authority that signs certificates. `trust.json` pins the keys themselves, and every node of a network has
//! the same file; it holds nothing secret, but whoever can change it decides who belongs to the network.

use bellini_core::ids::NodeId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Keys that a node may have at a time: an old one and its successors, until the old one is over.
pub const PINS_MAX: usize = 8;
/// The form of `trust.json` that this build reads and writes.
pub const TRUST_VERSION: u32 = 1;

/// SHA-256 of a public key, in the form that certificates hold it (SubjectPublicKeyInfo, DER).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Returns the hash of a public key.
    #[must_use]
    pub fn of(public_key: &[u8]) -> Self {
        Self(Sha256::digest(public_key).into())
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<KeyHash> for String {
    fn from(hash: KeyHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for KeyHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let rule = "a key is pinned by 64 hexadecimal digits";
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(rule);
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| rule)?;
        }
        Ok(Self(bytes))
    }
}

/// A time of the calendar, in whole seconds since 1970, UTC; written as `2026-12-28T06:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(i64);

impl Moment {
    /// Returns the moment `seconds` after 1970 began. Beyond the years 1970 to 9999 it is the nearest of them.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds.clamp(0, 253_402_300_799))
    }

    /// Reads the machine's calendar.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }

    /// Returns the moment that is so much later.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self::from_unix(self.0.saturating_add(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)))
    }

    /// Returns the seconds since 1970.
    #[must_use]
    pub fn unix(self) -> i64 {
        self.0
    }

    pub(super) fn date(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.date().format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        OffsetDateTime::parse(&text, &Rfc3339)
            .map(|date| Self::from_unix(date.unix_timestamp()))
            .map_err(|_| format!("{text:?} is no time such as 2026-12-28T06:00:00Z"))
    }
}

/// A key that a node may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Which key.
    pub sha256: KeyHash,
    /// From then on it counts no more.
    pub expires: Moment,
    /// Whether it was taken back.
    #[serde(default)]
    pub revoked: bool,
}

/// What `trust.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    version: u32,
    nodes: BTreeMap<NodeId, Vec<Pin>>,
}

impl Default for Trust {
    fn default() -> Self {
        Self { version: TRUST_VERSION, nodes: BTreeMap::new() }
    }
}

/// Why a key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// It is pinned for no node.
    #[error("its key is not in the trust file")]
    Unknown,
    /// It is pinned for another node than the one it was shown for.
    #[error("its key is another node's")]
    WrongNode,
    /// Its time is over.
    #[error("its key has expired")]
    Expired,
    /// It was taken back.
    #[error("its key is revoked")]
    Revoked,
}

impl Trust {
    /// Returns the pinned keys by node.
    #[must_use]
    pub fn nodes(&self) -> &BTreeMap<NodeId, Vec<Pin>> {
        &self.nodes
    }

    /// Reads the text of `trust.json`.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trust: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if trust.version != TRUST_VERSION {
            return Err(format!("version is {}: this build reads {TRUST_VERSION}", trust.version));
        }
        Ok(trust)
    }

    /// Returns the text of `trust.json`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Pins a key. Keys of the node that are over by `now` are forgotten, and beyond [`PINS_MAX`] the oldest.
    pub fn pin(&mut self, node: NodeId, pin: Pin, now: Moment) {
        let pins = self.nodes.entry(node).or_default();
        pins.retain(|known| known.expires > now && known.sha256 != pin.sha256);
        pins.push(pin);
        let surplus = pins.len().saturating_sub(PINS_MAX);
        pins.drain(..surplus);
    }

    /// Takes back all keys of a node; how many counted until now. They stay in the file, so that they can be named.
    pub fn revoke(&mut self, node: NodeId) -> usize {
        let pins = self.nodes.get_mut(&node).map_or(&mut [][..], Vec::as_mut_slice);
        pins.iter_mut().map(|pin| usize::from(!std::mem::replace(&mut pin.revoked, true))).sum()
    }

    /// Says whose key this is, if it counts at `now`; `expected`: only that node will do.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn judge(&self, expected: Option<NodeId>, key: KeyHash, now: Moment) -> Result<NodeId, Refusal> {
        let find = |pins: &[Pin]| pins.iter().find(|pin| pin.sha256 == key).copied();
        let found = match expected {
            Some(node) => self.nodes.get(&node).and_then(|pins| find(pins)).map(|pin| (node, pin)),
            None => None,
        };
        let found = found.or_else(|| self.nodes.iter().find_map(|(node, pins)| Some((*node, find(pins)?))));
        let (node, pin) = found.ok_or(Refusal::Unknown)?;
        if expected.is_some_and(|expected| expected != node) {
            return Err(Refusal::WrongNode);
        }
        if pin.revoked {
            return Err(Refusal::Revoked);
        }
        if pin.expires <= now {
            return Err(Refusal::Expired);
        }
        Ok(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: u32) -> NodeId {
        NodeId::new(id).expect("a legal id")
    }

    fn pin(key: &[u8], expires: i64) -> Pin {
        Pin { sha256: KeyHash::of(key), expires: Moment::from_unix(expires), revoked: false }
    }

    /// Aim: each way in which a key does not count is told apart, and only the right key of the right node is taken.
    #[test]
    fn keys_are_judged_by_owner_time_and_revocation() {
        let (now, mut trust) = (Moment::from_unix(1_000), Trust::default());
        trust.pin(id(1), pin(b"one", 2_000), now);
        trust.pin(id(2), pin(b"two", 2_000), now);
        let judge = |trust: &Trust, expected: Option<u32>, key: &[u8], at| {
            trust.judge(expected.map(id), KeyHash::of(key), Moment::from_unix(at))
        };
        assert_eq!(judge(&trust, None, b"one", 1_999), Ok(id(1)));
        assert_eq!(judge(&trust, Some(1), b"one", 1_999), Ok(id(1)));
        assert_eq!(judge(&trust, Some(2), b"one", 1_999), Err(Refusal::WrongNode));
        assert_eq!(judge(&trust, Some(1), b"three", 1_999), Err(Refusal::Unknown));
        assert_eq!(judge(&trust, None, b"one", 2_000), Err(Refusal::Expired));
        assert_eq!((trust.revoke(id(1)), trust.revoke(id(1)), trust.revoke(id(7))), (1, 0, 0));
        assert_eq!(judge(&trust, Some(1), b"one", 1_500), Err(Refusal::Revoked));
        assert_eq!(judge(&trust, Some(2), b"two", 1_500), Ok(id(2)));
    }

    /// Aim: a key can be followed by another without a gap, and what is kept of a node is bounded.
    #[test]
    fn a_new_key_counts_beside_the_old_one_until_that_is_over() {
        let mut trust = Trust::default();
        trust.pin(id(1), pin(b"old", 100), Moment::from_unix(0));
        trust.pin(id(1), pin(b"new", 200), Moment::from_unix(50));
        let counts = |trust: &Trust, key: &[u8], at| {
            trust.judge(Some(id(1)), KeyHash::of(key), Moment::from_unix(at)).is_ok()
        };
        assert!(counts(&trust, b"old", 99) && counts(&trust, b"new", 99) && !counts(&trust, b"old", 100));
        trust.pin(id(1), pin(b"newer", 300), Moment::from_unix(150));
        assert_eq!(trust.nodes()[&id(1)].len(), 2, "the old one is forgotten");
        for more in 0..20_u8 {
            trust.pin(id(1), pin(&[more], 400), Moment::from_unix(150));
        }
        assert_eq!(trust.nodes()[&id(1)].len(), PINS_MAX);
    }

    /// Aim: what is written can be read, dates are for people, and what nobody knows is refused.
    #[test]
    fn the_file_is_read_as_it_was_written() {
        let mut trust = Trust::default();
        trust.pin(id(7), pin(b"seven", 1_798_437_600), Moment::from_unix(0));
        let text = trust.text();
        assert!(text.contains("\"2026-12-28T06:00:00Z\""), "{text}");
        assert_eq!(Trust::parse(&text), Ok(trust));
        for (from, to) in [
            ("\"version\": 1", "\"version\": 2"),
            ("2026-12-28T06", "2026-13-28T06"),
            ("\"revoked\"", "\"revokd\""),
            (": \"", ": \"g"),
        ] {
            assert!(Trust::parse(&text.replacen(from, to, 1)).is_err(), "{from} -> {to}");
        }
    }
}
