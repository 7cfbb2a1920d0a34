//! Sealed hops: who may speak to a node, and that nobody else can read or change what they say.
//!
//! - [`keys`] makes node keys and [`trust`] pins them: `bellini keys`.
//! - [`identity`] is a node's own key and whom it trusts, as TLS 1.3 needs it; [`handshake`] agrees on keys with a peer,
//!   over a connection to its stream port. Stream hops then go on inside TLS.
//! - [`aead`] seals datagrams under keys of that handshake; [`state`] keeps them by peer while a node runs.
//! - Handshakes run on a thread of their own (`thread`); [`gate`] bounds the handshakes that strangers can cause.
//!
//! The core knows nothing of all this but the bytes that are left free for it (`SEAL_BYTES`): it gets what was opened,
//! and hands out what is then sealed.

pub mod aead;
pub mod bench;
pub mod gate;
pub mod handshake;
pub mod identity;
pub mod keys;
mod peer;
mod refusals;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod thread;
pub mod trust;
mod window;

pub use peer::{KEY_SETS_MAX, WAITING_FRAMES_MAX};
pub use state::{SEALING_BYTES, Sealing};
pub use window::REPLAY_FRAMES;

use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// What a node needs to seal its hops: paths of files, as `bellini keys issue` writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealSettings {
    /// Its private key (PEM), which nobody else may be able to read.
    pub key: PathBuf,
    /// Its certificate (PEM).
    pub certificate: PathBuf,
    /// Whose keys count (`trust.json`). It is read again when it changes.
    pub trust: PathBuf,
    /// When keys of datagrams are replaced.
    #[serde(default)]
    pub limits: SealLimits,
}

/// When keys of datagrams are replaced. Where it is read from a file, both must be within their bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "GivenLimits")]
pub struct SealLimits {
    /// Frames under one key, after which the next one is derived from it: 2^16 to 2^24. Default 2^22. With fewer, the 16
    /// keys that a receiver may miss are over within a short outage; more come near to where AES-GCM's guarantees wear
    /// thin.
    pub epoch_frames: u32,
    /// Seconds after which a handshake is made anew: a minute to a week. Default one hour.
    pub renew_s: u32,
}

/// [`SealLimits`] as they are written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenLimits {
    epoch_frames: Option<u32>,
    renew_s: Option<u32>,
}

impl TryFrom<GivenLimits> for SealLimits {
    type Error = String;

    fn try_from(given: GivenLimits) -> Result<Self, String> {
        let usual = Self::default();
        let value = |name: &str, given: Option<u32>, usual: u32, bounds: RangeInclusive<u32>| match given {
            Some(given) if !bounds.contains(&given) => {
                let (least, most) = bounds.into_inner();
                Err(format!("seal.limits.{name} is {given}: it must be {least} to {most}"))
            }
            given => Ok(given.unwrap_or(usual)),
        };
        Ok(Self {
            epoch_frames: value("epoch_frames", given.epoch_frames, usual.epoch_frames, 1 << 16..=1 << 24)?,
            renew_s: value("renew_s", given.renew_s, usual.renew_s, 60..=604_800)?,
        })
    }
}

impl Default for SealLimits {
    fn default() -> Self {
        Self { epoch_frames: aead::EPOCH_FRAMES, renew_s: 3_600 }
    }
}

/// What was sealed, opened and refused since the process started. All 0 where hops are plain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SealFigures {
    /// Datagrams sealed.
    pub sealed_frames: u64,
    /// Datagrams opened.
    pub opened_frames: u64,
    /// Datagrams from where a peer is that came before, or are too old to tell.
    pub replayed_datagrams: u64,
    /// Those that are not what the peer sealed: forged, damaged or cut off.
    pub forged_datagrams: u64,
    /// Those under keys that are not known here.
    pub keyless_datagrams: u64,
    /// Those that are not sealed at all, or too short to be.
    pub unsealed_datagrams: u64,
    /// Frames dropped because too many waited for keys.
    pub waiting_dropped_frames: u64,
    /// Handshakes that yielded keys.
    pub handshakes: u64,
    /// Times that a key of datagrams was followed by the next one, in both directions.
    pub rekeyed: u64,
    /// Handshakes refused because the key is nobody's.
    pub refused_unknown: u64,
    /// Handshakes refused because the key is another node's.
    pub refused_wrong_node: u64,
    /// Handshakes refused because the key has expired.
    pub refused_expired: u64,
    /// Handshakes refused because the key is revoked.
    pub refused_revoked: u64,
    /// Handshakes in which the peer did not take this node's key.
    pub refused_by_peers: u64,
    /// Handshakes that failed otherwise: no answer, no TLS, no node.
    pub failed_handshakes: u64,
    /// Connections closed unheard because there were too many.
    pub limited_handshakes: u64,
    /// Keys thrown away because the peer's own key had expired or was revoked.
    pub dropped_key_sets: u64,
}
