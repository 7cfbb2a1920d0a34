//! Which counters of sealed datagrams have come: a sliding window of bits.

/// Counters behind the highest one that are still told apart; older ones are refused unseen.
pub const REPLAY_FRAMES: u64 = 2_048;
const WORD_BITS: u64 = 64;
/// One word more than the window needs: the one that the highest counter is filling.
const WORDS: u64 = REPLAY_FRAMES / WORD_BITS + 1;

/// Says for each counter whether it came before. A counter is marked only once its datagram is known to be genuine.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// One above the highest counter that came; 0: none yet.
    next: u64,
    bits: [u64; WORDS as usize],
}

impl Default for Window {
    fn default() -> Self {
        Self { next: 0, bits: [0; WORDS as usize] }
    }
}

impl Window {
    /// Whether a counter has neither come nor fallen out of the window.
    #[inline]
    pub(super) fn is_new(&self, counter: u64) -> bool {
        if counter >= self.next {
            return true;
        }
        if self.next - counter > REPLAY_FRAMES {
            return false;
        }
        let word = self.bits[(counter / WORD_BITS % WORDS) as usize];
        word >> (counter % WORD_BITS) & 1 == 0
    }

    /// Remembers that a counter came.
    #[inline]
    pub(super) fn mark(&mut self, counter: u64) {
        if counter >= self.next {
            let (old, new) = (self.next.saturating_sub(1) / WORD_BITS, counter / WORD_BITS);
            // Words between hold counters that did not come.
            for word in 0..(new - old).min(WORDS) {
                self.bits[((new - word) % WORDS) as usize] = 0;
            }
            self.next = counter + 1;
        }
        self.bits[(counter / WORD_BITS % WORDS) as usize] |= 1 << (counter % WORD_BITS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Aim: against a set that forgets nothing, over random jumps: no counter passes twice, and none within the window
    /// is refused that did not come.
    #[test]
    fn no_counter_passes_twice_and_none_within_the_window_is_lost() {
        let (mut state, mut window, mut came, mut highest) =
            (7_u64, Window::default(), BTreeSet::new(), 0_u64);
        let mut passed = 0;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let draw = state >> 33;
            let counter = match draw % 100 {
                0 => highest + draw / 100 % 5_000,
                1..40 => highest + draw / 100 % 3,
                _ => highest.saturating_sub(draw / 100 % (REPLAY_FRAMES + 200)),
            };
            let is_in_window = highest < REPLAY_FRAMES || counter > highest - REPLAY_FRAMES;
            let is_new = window.is_new(counter);
            assert_eq!(is_new, is_in_window && !came.contains(&counter), "{counter} after {highest}");
            if is_new {
                window.mark(counter);
                came.insert(counter);
                highest = highest.max(counter);
                passed += 1;
            }
        }
        assert!(passed > 10_000);
    }
}
