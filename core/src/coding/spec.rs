//! What a session asks of its coding, and what a node spends on it.

use super::meta::META_BYTES;
use crate::header::SYMBOL_BYTES_MAX;
use crate::time::Duration;
use serde::{Deserialize, Serialize};

/// Fewest symbols of a full generation or window.
pub const SIZE_MIN: u8 = 8;

/// Most bytes of a coded session's symbols: a combination has coefficients and a block more.
const CODED_SYMBOL_BYTES_MAX: u32 = SYMBOL_BYTES_MAX - (u8::MAX as usize + META_BYTES) as u32;

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

impl CodingSpec {
    /// Returns what is wrong with it, for a session with symbols of at most `symbol_bytes` bytes; `None`: nothing.
    #[must_use]
    pub fn fault(&self, is_reliable: bool, symbol_bytes: u32) -> Option<&'static str> {
        let share = match self.repair {
            Repair::Fixed(share) => share,
            Repair::Adaptive { max } => max,
        };
        match self.scheme {
            Scheme::Generation { size, .. } if size < SIZE_MIN => Some("a generation has 8 to 255 symbols"),
            Scheme::Window { size, .. } if size < SIZE_MIN => Some("a window has 8 to 255 symbols"),
            Scheme::Window { .. } if is_reliable => {
                Some("a sliding window gives up what is late: reliable sessions are coded by generations")
            }
            _ if !(0.0..=255.0).contains(&share) => {
                Some("repairs are a number from 0 to 255 for each symbol")
            }
            _ if symbol_bytes > CODED_SYMBOL_BYTES_MAX => Some("symbols leave no room for coefficients"),
            _ => None,
        }
    }
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
