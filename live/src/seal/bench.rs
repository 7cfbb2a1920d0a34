//! Keys without a handshake, for benches and for tests outside this crate.

use super::aead::{OpenKey, Secret, SendKey};
use bellini_core::time::Instant;

/// Returns the two ends of one direction, with keys that follow from `secret`. Real ones come from a handshake; these
/// are as good as `secret` is.
#[must_use]
pub fn one_way(secret: [u8; 32], now: Instant) -> (SendKey, OpenKey) {
    let send = SendKey::new(1, Secret::new(secret), super::aead::EPOCH_FRAMES, now);
    (send, OpenKey::new(1, Secret::new(secret)))
}
