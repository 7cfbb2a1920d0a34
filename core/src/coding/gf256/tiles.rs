//! How the vector kernels walk over rows, written once for all of them.
//!
//! A *tile* is a few targets times a few neighbouring vectors. Its sums stay in registers while the sources pass by,
//! two a round where the kernel joins three sums in one instruction, so that nothing but sources is loaded. Four
//! targets share every load; a single target takes as many vectors at once as there are registers, which is a whole
//! packet with 64-byte vectors.
//!
//! Rows have no scalar end: the last vector of a row ends where the row ends, and overlaps the one before it. What
//! overlaps is worked out twice to the same bytes. Rows shorter than a vector, and the parts of a tile where a source
//! has ended, go through a buffer padded with zeros.

use core::mem::MaybeUninit;

/// Targets of the largest tile.
const TARGETS: usize = 4;
/// Bytes of the widest tile: 24 vectors of 64 B.
const TILE_BYTES: usize = 24 * 64;

/// The instructions of a kernel.
///
/// # Safety
/// Of all functions: the machine has the kernel's instructions; pointers are good for `BYTES` bytes.
pub(super) trait Lanes {
    /// A register of elements.
    type Vector: Copy;
    /// A vector of a source, prepared to be multiplied by several coefficients.
    type Split: Copy;
    /// A coefficient, prepared to multiply vectors.
    type Coefficient: Copy;
    /// Bytes of a vector.
    const BYTES: usize;
    /// Whether there are 32 registers rather than 16.
    const ROOMY: bool;
    /// Whether two sources a round are faster than one.
    const PAIRED: bool;

    unsafe fn zero() -> Self::Vector;
    unsafe fn load(from: *const u8) -> Self::Vector;
    unsafe fn store(to: *mut u8, vector: Self::Vector);
    unsafe fn coefficient(c: u8) -> Self::Coefficient;
    unsafe fn split(vector: Self::Vector) -> Self::Split;
    unsafe fn product(split: Self::Split, c: Self::Coefficient) -> Self::Vector;
    unsafe fn sum(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn sum3(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
}

/// Sets the targets to combinations of the sources, or adds them to what is there if `keep` is set.
///
/// # Safety
/// The machine has the instructions of `L`; rows and coefficients fit each other as `super::check` has it.
#[inline(always)]
pub(super) unsafe fn combine<L: Lanes>(
    targets: &mut [&mut [u8]],
    coefficients: &[u8],
    sources: &[&[u8]],
    keep: bool,
) {
    let Some(len) = targets.first().map(|target| target.len()).filter(|&len| len > 0) else { return };
    let mut rows = coefficients.as_ptr();
    for group in targets.chunks_mut(TARGETS) {
        // SAFETY: the instructions are there by the caller's word. Coefficients are as many as targets times sources,
        // so that `rows` is advanced to their end at most.
        unsafe {
            if len < L::BYTES {
                for target in group.iter_mut() {
                    short::<L>(target, rows, sources, keep);
                    rows = rows.add(sources.len());
                }
                continue;
            }
            match group {
                [a, b, c, d] => pass::<L, 4>(each([a, b, c, d]), len, rows, sources, keep),
                [a, b, c] => pass::<L, 3>(each([a, b, c]), len, rows, sources, keep),
                [a, b] => pass::<L, 2>(each([a, b]), len, rows, sources, keep),
                [a] => pass::<L, 1>(each([a]), len, rows, sources, keep),
                _ => {}
            }
            rows = rows.add(group.len() * sources.len());
        }
    }
}

#[inline(always)]
fn each<const T: usize>(targets: [&mut &mut [u8]; T]) -> [*mut u8; T] {
    targets.map(|target| target.as_mut_ptr())
}

/// A target shorter than a vector: as a row of one vector, in a buffer.
#[inline(always)]
unsafe fn short<L: Lanes>(target: &mut [u8], row: *const u8, sources: &[&[u8]], keep: bool) {
    let mut buffer = [0; 64];
    buffer[..target.len()].copy_from_slice(target);
    // SAFETY: the buffer is as long as the widest vector; the rest is the caller's word.
    unsafe { tile::<L, 1, 1, true>([buffer.as_mut_ptr()], 0, 0, row, sources, keep.then_some(None)) };
    target.copy_from_slice(&buffer[..target.len()]);
}

/// Whole rows of `T` targets, tile by tile.
#[inline(always)]
unsafe fn pass<L: Lanes, const T: usize>(
    targets: [*mut u8; T],
    len: usize,
    rows: *const u8,
    sources: &[&[u8]],
    keep: bool,
) {
    let vectors = len.div_ceil(L::BYTES);
    let tail = len - L::BYTES;
    let shortest = sources.iter().map(|source| source.len()).min().unwrap_or(len);
    // The last vector overlaps one that is stored before: what it adds to must be read first.
    // SAFETY: `tail` is a whole vector before the end of each target.
    let tails = targets.map(|target| unsafe { L::load(target.add(tail)) });
    let mut vector = 0;
    while vector < vectors {
        let left = vectors - vector;
        let start = (vector * L::BYTES).min(tail);
        macro_rules! tiles {
            ($pad:literal: $($n:literal),+) => {
                // SAFETY: the tile's first vectors are whole ones within the row, its last begins at `tail` at most.
                // Without padding, no source ends before the tile.
                unsafe {
                    $(if left >= $n {
                        let last = ((vector + $n - 1) * L::BYTES).min(tail) - start;
                        if $pad || start + last + L::BYTES <= shortest {
                            let tails = (left == $n).then_some(&tails);
                            tile::<L, T, $n, $pad>(targets, start, last, rows, sources, keep.then_some(tails));
                            vector += $n;
                            continue;
                        }
                    })+
                }
            };
        }
        match (L::ROOMY, T) {
            (true, 1) => tiles!(false: 24, 23, 22, 16, 8, 4, 2, 1),
            (true, 2) | (false, 1) => tiles!(false: 8, 4, 2, 1),
            (true, _) | (false, 2) => tiles!(false: 4, 2, 1),
            (false, _) => tiles!(false: 2, 1),
        }
        if L::ROOMY {
            tiles!(true: 4);
        }
        tiles!(true: 1);
    }
}

/// One tile: vectors of each target from byte `start` on, the last one `last` bytes behind `start`.
///
/// `PAD`: whether sources may end before the tile does; looking costs registers, so that others go without.
/// `keep`: whether to add to the targets, and with the row's last tile what the last vectors held at first.
#[expect(clippy::needless_range_loop, reason = "indices count registers in two arrays at once")]
#[inline(always)]
unsafe fn tile<L: Lanes, const T: usize, const N: usize, const PAD: bool>(
    targets: [*mut u8; T],
    start: usize,
    last: usize,
    rows: *const u8,
    sources: &[&[u8]],
    keep: Option<Option<&[L::Vector; T]>>,
) {
    let end = start + last + L::BYTES;
    let at = |vector: usize| if vector + 1 == N { last } else { vector * L::BYTES };
    let mut padded = [MaybeUninit::<[u8; TILE_BYTES]>::uninit(); 2];
    // Where the tile's part of a source is; a copy if the source ends within.
    let part = |source: &[u8], buffer: &mut MaybeUninit<[u8; TILE_BYTES]>| {
        if !PAD || source.len() >= end {
            source.as_ptr().wrapping_add(start)
        } else {
            pad(buffer, source.get(start..).unwrap_or_default(), end - start)
        }
    };
    // SAFETY: the caller's word for instructions, targets and coefficients; `part` is good for `end - start` bytes,
    // and every vector lies within them.
    unsafe {
        let mut sums = [[L::zero(); N]; T];
        if let Some(tails) = keep {
            for t in 0..T {
                for v in 0..N {
                    sums[t][v] = L::load(targets[t].add(start + at(v)));
                }
                if let Some(tails) = tails {
                    sums[t][N - 1] = tails[t];
                }
            }
        }
        let mut i = 0;
        while L::PAIRED && i + 2 <= sources.len() {
            let [left, right] = &mut padded;
            let left = part(sources.get_unchecked(i), left);
            let right = part(sources.get_unchecked(i + 1), right);
            let mut pairs = [(L::coefficient(0), L::coefficient(0)); T];
            for (t, pair) in pairs.iter_mut().enumerate() {
                let row = rows.add(t * sources.len() + i);
                *pair = (L::coefficient(*row), L::coefficient(*row.add(1)));
            }
            for v in 0..N {
                let left = L::split(L::load(left.add(at(v))));
                let right = L::split(L::load(right.add(at(v))));
                for t in 0..T {
                    sums[t][v] =
                        L::sum3(sums[t][v], L::product(left, pairs[t].0), L::product(right, pairs[t].1));
                }
            }
            i += 2;
        }
        while i < sources.len() {
            let source = part(sources.get_unchecked(i), &mut padded[0]);
            let mut splits = [L::split(L::zero()); N];
            for (v, split) in splits.iter_mut().enumerate() {
                *split = L::split(L::load(source.add(at(v))));
            }
            for (t, sums) in sums.iter_mut().enumerate() {
                let c = L::coefficient(*rows.add(t * sources.len() + i));
                for v in 0..N {
                    sums[v] = L::sum(sums[v], L::product(splits[v], c));
                }
            }
            i += 1;
        }
        for t in 0..T {
            for v in 0..N {
                L::store(targets[t].add(start + at(v)), sums[t][v]);
            }
        }
    }
}

/// Copies what is left of a source into the buffer, with zeros up to `len`.
#[cold]
#[inline(never)]
fn pad(buffer: &mut MaybeUninit<[u8; TILE_BYTES]>, rest: &[u8], len: usize) -> *const u8 {
    let buffer = buffer.as_mut_ptr().cast::<u8>();
    assert!(rest.len() <= len && len <= TILE_BYTES, "a part of a tile fits the buffer");
    // SAFETY: both writes stay within the buffer, as just checked.
    unsafe {
        buffer.copy_from_nonoverlapping(rest.as_ptr(), rest.len());
        buffer.add(rest.len()).write_bytes(0, len - rest.len());
    }
    buffer
}

/// `row = c * row`.
///
/// # Safety
/// The machine has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn scale<L: Lanes>(row: &mut [u8], c: u8) {
    let len = row.len();
    let scaled = |c, at: *const u8| {
        // SAFETY: the callers below give a whole vector of bytes; instructions by the caller's word.
        unsafe { L::product(L::split(L::load(at)), c) }
    };
    // SAFETY: instructions by the caller's word; every vector lies within the row or the buffer.
    unsafe {
        let c = L::coefficient(c);
        if len < L::BYTES {
            let mut buffer = [0; 64];
            buffer[..len].copy_from_slice(row);
            L::store(buffer.as_mut_ptr(), scaled(c, buffer.as_ptr()));
            row.copy_from_slice(&buffer[..len]);
            return;
        }
        let row = row.as_mut_ptr();
        // The last vector overlaps the one before, which is scaled in place: it is read first.
        let tail = scaled(c, row.add(len - L::BYTES));
        for vector in 0..len / L::BYTES {
            let at = row.add(vector * L::BYTES);
            L::store(at, scaled(c, at));
        }
        L::store(row.add(len - L::BYTES), tail);
    }
}
