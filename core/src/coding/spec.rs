//! What a session asks of its coding, and what a node spends on it.

use crate::time::Duration;
use serde::{Deserialize, Serialize};

/// Fewest symbols of a full generation or window.
pub const SIZE_MIN: u8 = 8;

/// How a session's packets are coded. Source and destinations are told the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodingSpec {
    /// Which symbols are combined.
    pub scheme: Scheme,
    /// How many repairs the source adds by itself. Reliable sessions send more for as long as a destination lacks rank.
    pub repair: Repair,
    /// Whether relays may combine anew.
    pub recode: bool,
    /// Whether the source makes the bytes of described payload and codes them: drivers with real sockets need it. The
    /// bytes of files are always coded.
    pub real_bytes: bool,
}

/// Which symbols are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// Consecutive symbols, `size` at a time.
    Generation {
        /// Symbols of a full generation, from [`SIZE_MIN`] on.
        size: u8,
        /// Whether the symbols themselves go first, each as soon as it is there.
        systematic: bool,
        /// A generation that is not full so long after its first symbol is closed; `None`: it waits.
        latency: Option<Duration>,
    },
    /// The newest symbols at each repair. Best effort only.
    Window {
        /// Symbols that are older are no longer combined, nor waited for.
        latency: Duration,
        /// Symbols of a window, at most.
        size: u8,
    },
}

/// How many combinations a source adds to the symbols.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Repair {
    /// So many for each symbol, on average.
    Fixed(f64),
    /// As many as the loss that the destinations report makes necessary.
    Adaptive {
        /// Most for each symbol.
        max: f64,
    },
}

/// What a node spends on coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodingConfig {
    /// Whether it recodes where sessions allow it; otherwise it passes their packets on as they are.
    pub recode: bool,
    /// Generations of one session that it keeps at a time, as a relay or a destination; the oldest go.
    pub generations_max: usize,
    /// Bytes of symbols and combinations that it keeps for coding, over all sessions; the oldest go.
    pub bytes_max: usize,
}

impl Default for CodingConfig {
    fn default() -> Self {
        Self { recode: true, generations_max: 64, bytes_max: 64 << 20 }
    }
}
