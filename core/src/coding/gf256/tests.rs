use super::{Kernel, POLYNOMIAL, inverse, multiply};
use crate::rng::{Seed, Stream};

/// The product by its definition: shift, add, reduce.
fn slow(a: u8, b: u8) -> u8 {
    let mut product: u16 = 0;
    for bit in (0..8).rev() {
        product <<= 1;
        if product & 0x100 != 0 {
            product ^= POLYNOMIAL;
        }
        if b >> bit & 1 == 1 {
            product ^= u16::from(a);
        }
    }
    product as u8
}

/// Aim: every product of two elements is what the definition says, every element but 0 has its inverse.
#[test]
fn elements_multiply_as_defined() {
    assert_eq!(multiply(0x57, 0x83), 0xC1, "the example of FIPS 197, 4.2");
    for a in 0..=255 {
        for b in 0..=255 {
            assert_eq!(multiply(a, b), slow(a, b), "{a:#x} * {b:#x}");
        }
        assert_eq!(slow(a, inverse(a)), u8::from(a != 0), "inverse of {a:#x}");
    }
    assert_eq!(inverse(0), 0);
}

/// Aim: every kernel, through every operation, gives every product of two elements.
#[test]
fn kernels_give_every_product() {
    let all: Vec<u8> = (0..=255).collect();
    for kernel in Kernel::available() {
        for c in 0..=255 {
            let right: Vec<u8> = all.iter().map(|&b| slow(c, b)).collect();
            let name = kernel.name();
            let mut row = vec![0; 256];
            kernel.multiply_add(&mut row, c, &all);
            assert_eq!(row, right, "{name}: multiply_add by {c}");
            let mut row = all.clone();
            kernel.scale(&mut row, c);
            assert_eq!(row, right, "{name}: scale by {c}");
            let mut row = vec![0xA5; 256];
            kernel.combine(&mut row, &[c], &[&all]);
            assert_eq!(row, right, "{name}: combine by {c}");
            for count in 1..=4 {
                let mut rows = vec![vec![0xA5; 256]; count];
                let mut targets: Vec<&mut [u8]> = rows.iter_mut().map(Vec::as_mut_slice).collect();
                kernel.combine_many(&mut targets, &vec![c; count], &[&all]);
                kernel.accumulate_many(&mut targets, &vec![c ^ 1; count], &[&all]);
                // c + (c + 1) = 1: what is left is the row itself.
                assert!(rows.iter().all(|row| *row == all), "{name}: {count} targets by {c}");
            }
        }
    }
}

/// Bytes at a random offset within a longer buffer, so that rows begin at every alignment.
fn row(stream: &mut Stream, len: usize) -> (Vec<u8>, usize) {
    let at = stream.below(65) as usize;
    let mut bytes = vec![0; at + len];
    bytes.fill_with(|| stream.next_u64() as u8);
    (bytes, at)
}

/// Aim: combinations of any number of rows of any length at any alignment, short ones too, come out as worked out
/// element by element, and not a byte beside a target changes.
#[test]
fn kernels_agree_on_random_rows() {
    let mut stream = Seed(5).stream("gf256");
    for round in 0..400 {
        let len = match round % 4 {
            0 => stream.below(70),
            1 => stream.below(600),
            // Around what packets carry, where a packet is held in registers.
            2 => 1_340 + stream.below(240),
            _ => stream.below(3_000),
        } as usize;
        let count = stream.below(10) as usize;
        // Large products only now and then: the check is slow.
        let many = if round % 10 == 0 { 141 } else { 12 };
        let sources: Vec<(Vec<u8>, usize)> = (0..stream.below(many))
            .map(|_| {
                let short = if stream.chance(0.3) { stream.below(len as u64 + 1) as usize } else { len };
                row(&mut stream, short)
            })
            .collect();
        let sources: Vec<&[u8]> = sources.iter().map(|(bytes, at)| &bytes[*at..]).collect();
        let mut coefficients = vec![0; count * sources.len()];
        coefficients.fill_with(|| stream.next_u64() as u8);
        let before: Vec<(Vec<u8>, usize)> = (0..count)
            .map(|_| {
                let (mut bytes, at) = row(&mut stream, len);
                bytes.extend([0x5A; 65]);
                (bytes, at)
            })
            .collect();
        let sums: Vec<Vec<u8>> = (0..count)
            .map(|t| {
                let mut sum = vec![0; len];
                for (i, source) in sources.iter().enumerate() {
                    let c = coefficients[t * sources.len() + i];
                    sum.iter_mut().zip(*source).for_each(|(sum, &byte)| *sum ^= multiply(c, byte));
                }
                sum
            })
            .collect();
        for kernel in Kernel::available() {
            for keep in [false, true] {
                let mut after = before.clone();
                let mut targets: Vec<&mut [u8]> =
                    after.iter_mut().map(|(bytes, at)| &mut bytes[*at..*at + len]).collect();
                if keep {
                    kernel.accumulate_many(&mut targets, &coefficients, &sources);
                } else {
                    kernel.combine_many(&mut targets, &coefficients, &sources);
                }
                for ((sum, (before, at)), (after, _)) in sums.iter().zip(&before).zip(&after) {
                    let mut right = before.clone();
                    for (right, sum) in right[*at..].iter_mut().zip(sum) {
                        *right = if keep { *right ^ sum } else { *sum };
                    }
                    assert!(
                        *after == right,
                        "{}, round {round}: {count} targets of {len} B from {} sources, keep {keep}",
                        kernel.name(),
                        sources.len()
                    );
                }
            }
        }
    }
}

/// Aim: scaling works in place at every length and alignment.
#[test]
fn kernels_scale_in_place() {
    let mut stream = Seed(6).stream("gf256");
    for len in (0..300).chain([1_399, 1_400, 1_408, 3_000]) {
        let (before, at) = row(&mut stream, len);
        let c = stream.next_u64() as u8;
        let mut right = before.clone();
        right[at..].iter_mut().for_each(|byte| *byte = multiply(c, *byte));
        for kernel in Kernel::available() {
            let mut after = before.clone();
            kernel.scale(&mut after[at..], c);
            assert_eq!(after, right, "{}: {len} B by {c}", kernel.name());
            let mut sum = before.clone();
            kernel.multiply_add(&mut sum[at..], c, &before[at..]);
            let plus =
                before.iter().enumerate().map(|(i, &byte)| if i < at { byte } else { multiply(c ^ 1, byte) });
            assert!(sum.iter().copied().eq(plus), "{}: adding {len} B times {c}", kernel.name());
        }
    }
}

/// Aim: rows that do not fit each other are refused before a kernel touches memory.
#[test]
fn misfits_panic() {
    let refused = |action: fn(Kernel)| {
        for kernel in Kernel::available() {
            let outcome = std::panic::catch_unwind(|| action(kernel));
            assert!(outcome.is_err(), "{} took rows that do not fit", kernel.name());
        }
    };
    refused(|kernel| kernel.multiply_add(&mut [0; 64], 1, &[0; 63]));
    refused(|kernel| kernel.combine(&mut [0; 64], &[1], &[&[0; 65]]));
    refused(|kernel| kernel.combine(&mut [0; 64], &[1], &[&[0; 64], &[0; 64]]));
    refused(|kernel| kernel.combine_many(&mut [&mut [0; 64], &mut [0; 63]], &[1, 1], &[&[0; 10]]));
    refused(|kernel| kernel.accumulate_many(&mut [&mut [0; 64], &mut [0; 64]], &[1], &[&[0; 64]]));
}

/// Aim: a kernel that the machine lacks is refused, and the best one is among those that it has.
#[test]
fn absent_kernels_panic() {
    let available = Kernel::available();
    assert!(available.contains(&Kernel::best()), "the best kernel runs here");
    for kernel in [Kernel::Ssse3, Kernel::Avx2, Kernel::GfniAvx2, Kernel::GfniAvx512, Kernel::Neon] {
        let outcome = std::panic::catch_unwind(|| kernel.scale(&mut [1; 100], 3));
        assert_eq!(outcome.is_ok(), available.contains(&kernel), "{}", kernel.name());
    }
}

/// Aim: what elimination does to rows is what its definition says, by every kernel and at every width.
#[test]
fn kernels_reduce_and_clear_alike() {
    let mut stream = Seed(11).stream("echelon");
    let mut bytes = |len: usize| -> Vec<u8> { (0..len).map(|_| stream.next_u64() as u8).collect() };
    for width in [1, 7, 31, 64, 65, 128, 192, 510, 512] {
        for count in [0, 1, 2, 5, 33, 70] {
            let (rows, row) = (bytes(count * width), bytes(width));
            let pivots: Vec<u8> = bytes(count).iter().map(|b| (usize::from(*b) % width) as u8).collect();
            let mut reduced = row.clone();
            for (from, pivot) in rows.chunks(width).zip(&pivots) {
                for (to, from) in reduced.iter_mut().zip(from) {
                    *to ^= multiply(row[usize::from(*pivot)], *from);
                }
            }
            let pivot = width / 2;
            let mut cleared = rows.clone();
            for to in cleared.chunks_mut(width) {
                let factor = to[pivot];
                to.iter_mut().zip(&row).for_each(|(to, from)| *to ^= multiply(factor, *from));
            }
            for kernel in Kernel::available() {
                let (mut got, mut all) = (row.clone(), rows.clone());
                kernel.reduce(&mut got, &rows, &pivots);
                kernel.clear(&mut all, pivot, &row);
                assert!(got == reduced && all == cleared, "{}: {count} rows of {width}", kernel.name());
            }
        }
    }
}
