//! The kernel of machines without byte shuffles, and what the others are checked against: one byte at a time.

use super::tables::HALVES;

/// `target ^= c * source`, over the bytes that both have.
pub(super) fn multiply_add(target: &mut [u8], c: u8, source: &[u8]) {
    let halves = &HALVES[usize::from(c)];
    for (target, source) in target.iter_mut().zip(source) {
        *target ^= halves.low[usize::from(source & 15)] ^ halves.high[usize::from(source >> 4)];
    }
}

/// `target = c * target`.
pub(super) fn scale(target: &mut [u8], c: u8) {
    let halves = &HALVES[usize::from(c)];
    for target in target {
        *target = halves.low[usize::from(*target & 15)] ^ halves.high[usize::from(*target >> 4)];
    }
}

/// Adds the combinations of `sources` to the targets, which are filled with zeros before unless `keep` is set.
pub(super) fn combine(targets: &mut [&mut [u8]], coefficients: &[u8], sources: &[&[u8]], keep: bool) {
    for (t, target) in targets.iter_mut().enumerate() {
        if !keep {
            target.fill(0);
        }
        let row = &coefficients[t * sources.len()..][..sources.len()];
        for (&c, source) in row.iter().zip(sources) {
            multiply_add(target, c, source);
        }
    }
}
