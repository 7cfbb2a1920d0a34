//! Coefficients: from a seed that the packet carries, or drawn by a relay.
//!
//! Both come from ChaCha8. A generator that is linear over GF(2) would not do: its outputs span no more dimensions than
//! its state has bits, and rows of such coefficients are dependent.

use crate::rng::Stream;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Writes the coefficients of a seed: uniform over GF(2^8), never all zero.
pub fn seeded(seed: u64, out: &mut [u8]) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.fill_bytes(out);
    while !out.is_empty() && out.iter().all(|c| *c == 0) {
        rng.fill_bytes(out);
    }
}

/// Writes the coefficients of a seed for a window, whose combinations leave no symbol out: uniform over the elements
/// other than zero.
pub fn seeded_nonzero(seed: u64, out: &mut [u8]) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.fill_bytes(out);
    let mut more = [0];
    for c in out {
        while *c == 0 {
            rng.fill_bytes(&mut more);
            *c = more[0];
        }
    }
}

/// Draws coefficients: uniform over GF(2^8), never all zero.
pub fn draw(stream: &mut Stream, out: &mut [u8]) {
    loop {
        for chunk in out.chunks_mut(8) {
            let word = stream.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        if out.is_empty() || out.iter().any(|c| *c != 0) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    /// Aim: the coefficients of a seed are part of the protocol.
    #[test]
    fn a_seed_has_its_coefficients_for_ever() {
        let mut out = [0; 8];
        seeded(1, &mut out);
        let mut longer = [0; 40];
        seeded(1, &mut longer);
        assert_eq!(out, longer[..8]);
        let mut other = [0; 8];
        seeded(2, &mut other);
        assert_ne!(out, other);
    }

    #[test]
    fn windows_leave_nothing_out() {
        for seed in 0..200 {
            let mut out = [0; 255];
            seeded_nonzero(seed, &mut out);
            assert!(out.iter().all(|c| *c != 0));
        }
    }

    #[test]
    fn no_draw_is_all_zero() {
        let mut stream = Seed(1).stream("coefficients");
        for _ in 0..2_000 {
            let mut out = [0];
            draw(&mut stream, &mut out);
            assert_ne!(out, [0]);
        }
    }
}
