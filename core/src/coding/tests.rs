//! The codec against its definition, and against the theory of random linear codes.

use super::*;
use crate::rng::{Seed, Stream};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

/// A generation of `size` symbols, of lengths between `len / 2` and `len`.
fn generation(stream: &mut Stream, size: usize, len: usize, is_real: bool) -> Encoder {
    let mut encoder = Encoder::new();
    for at in 0..size {
        let own = len - stream.below(len as u64 / 2 + 1) as usize;
        let bytes: Vec<u8> = (0..own).map(|_| stream.next_u64() as u8).collect();
        let meta = Meta {
            timestamp_ns: at as u64,
            object: 1,
            index: at as u32,
            count: 9,
            len: own as u32,
            check: 5,
        };
        let body = if is_real { Body::Real(bytes.into()) } else { Body::Described(own as u32) };
        assert!(encoder.push(Coded { meta: meta.emit(), body }));
    }
    encoder
}

/// Splits what an encoder or recoder wrote.
fn coded(mut out: BytesMut, len: usize, is_real: bool) -> Coded {
    let mut meta = [0; META_BYTES];
    meta.copy_from_slice(&out.split_to(META_BYTES));
    assert_eq!(out.len(), if is_real { len } else { 0 });
    let body = if is_real { Body::Real(out.freeze()) } else { Body::Described(len as u32) };
    Coded { meta, body }
}

fn combination(encoder: &Encoder, seed: u64, is_real: bool) -> (Vec<u8>, Coded) {
    let mut coefficients = vec![0; encoder.len()];
    coefficients::seeded(seed, &mut coefficients);
    let mut out = BytesMut::new();
    let len = encoder.combine_seeded(seed, &mut out);
    (coefficients, coded(out, len, is_real))
}

/// Whether a recovered symbol is the encoder's, cut to its length.
fn is_right(encoder: &Encoder, offset: usize, got: &Coded) -> bool {
    let right = encoder.symbol(offset).expect("it was encoded");
    let len = Meta::parse(&got.meta).len as usize;
    got.meta == right.meta
        && match (&got.body, &right.body) {
            (Body::Real(got), Body::Real(right)) => {
                got[..len] == right[..] && got[len..].iter().all(|b| *b == 0)
            }
            (got, right) => got.len() >= right.len(),
        }
}

/// Aim: whatever mix of symbols and combinations comes, in any order and repeatedly, each symbol comes out once and right
/// as soon as the rank is there, and never before it can be known.
#[test]
fn whatever_comes_symbols_come_out_right() {
    for round in 0..60_u64 {
        let mut stream = Seed(round).stream("mixes");
        let (size, is_real) = (1 + stream.below(40) as usize, round % 4 != 0);
        let encoder = generation(&mut stream, size, 100, is_real);
        let mut decoder = Decoder::new(255);
        decoder.set_size(size);
        let mut out = vec![false; size];
        let mut seed = 0;
        while !decoder.is_complete() {
            let before = decoder.rank();
            let pushed = if stream.chance(0.6) {
                let offset = stream.below(size as u64) as usize;
                out[offset] = true;
                decoder.push_symbol(offset, encoder.symbol(offset).unwrap().clone())
            } else {
                seed += stream.below(2);
                let (coefficients, row) = combination(&encoder, seed, is_real);
                decoder.push(&coefficients, row)
            };
            assert_eq!(pushed == Pushed::Innovative, decoder.rank() == before + 1);
            decoder.recover(|offset, got| {
                assert!(!core::mem::replace(&mut out[offset], true), "given out once");
                assert!(is_right(&encoder, offset, &got));
            });
        }
        assert!(out.iter().all(|is_out| *is_out), "round {round}");
    }
}

/// Aim: relays that never decode lose nothing but what the wire loses: behind three of them a destination has the rank
/// that the last one has, and decodes with it.
#[test]
fn combinations_of_combinations_decode() {
    let mut stream = Seed(3).stream("relays");
    for is_real in [true, false] {
        let encoder = generation(&mut stream, 32, 200, is_real);
        let mut relays: Vec<Recoder> = (0..3).map(|_| Recoder::new(32)).collect();
        let mut decoder = Decoder::new(32);
        decoder.set_size(32);
        let mut out = 0;
        for number in 0..400 {
            if !stream.chance(0.2) {
                let (coefficients, row) = combination(&encoder, number, is_real);
                relays[0].push(&coefficients, row);
            }
            for at in 0..3 {
                if relays[at].rank() == 0 || stream.chance(0.2) {
                    continue;
                }
                let mut bytes = BytesMut::new();
                let len = relays[at].recode(&mut stream, 32, &mut bytes);
                let vector = bytes.split_to(32);
                let row = coded(bytes, len, is_real);
                let rank = relays[at].rank();
                match relays.get_mut(at + 1) {
                    Some(next) => assert!(next.push(&vector, row) != Pushed::Refused && next.rank() <= rank),
                    None => assert!(decoder.push(&vector, row) != Pushed::Refused && decoder.rank() <= rank),
                }
            }
            decoder.recover(|offset, got| {
                assert!(is_right(&encoder, offset, &got));
                out += 1;
            });
        }
        assert_eq!((decoder.rank(), out), (32, 32));
    }
}

/// Standard deviations of a binomial count from its mean.
fn z(count: u64, trials: u64, p: f64) -> f64 {
    (count as f64 - trials as f64 * p) / libm::sqrt(trials as f64 * p * (1.0 - p))
}

/// P(n + extra uniformly random vectors of n elements have rank n): the product of 1 - 256^-i for i from extra + 1 to
/// n + extra.
fn decodable(n: i32, extra: i32) -> f64 {
    (extra + 1..=n + extra).map(|i| 1.0 - libm::pow(256.0, f64::from(-i))).product()
}

/// Aim: the coefficients that are drawn and sent are as good as uniform ones: over 10^6 generations decode as often as
/// theory says (z = 4.5), with as many packets as symbols and with one more; and a packet is innovative as often.
#[test]
fn generations_decode_as_often_as_theory_says() {
    const TRIALS: u64 = 1_000_000;
    const SIZE: usize = 8;
    let (mut at_once, mut with_one) = (0, 0);
    let mut innovative = [(0_u64, 0_u64); SIZE];
    let mut vector = [0; SIZE];
    for trial in 0..TRIALS {
        let mut elimination = Elimination::new(SIZE, false);
        for packet in 0..=SIZE as u64 {
            coefficients::seeded(trial << 8 | packet, &mut vector);
            let rank = elimination.rank();
            let raised = elimination.add(&vector);
            if let Some((count, tries)) = innovative.get_mut(rank) {
                *count += u64::from(raised);
                *tries += 1;
            }
            at_once += u64::from(packet + 1 == SIZE as u64 && elimination.is_full());
        }
        with_one += u64::from(elimination.is_full());
    }
    let p = (decodable(8, 0), decodable(8, 1));
    println!("decode with 8 of 8: {:.6} (theory {:.6})", at_once as f64 / TRIALS as f64, p.0);
    println!("with 9: {:.7} (theory {:.7})", with_one as f64 / TRIALS as f64, p.1);
    assert!(z(at_once, TRIALS, p.0).abs() < 4.5 && z(with_one, TRIALS, p.1).abs() < 4.5);
    for (rank, (count, tries)) in innovative.iter().enumerate() {
        let p = 1.0 - libm::pow(256.0, rank as f64 - SIZE as f64);
        println!(
            "innovative at rank {rank}: {:.7} of {tries} (theory {p:.7})",
            *count as f64 / *tries as f64
        );
        // All-zero vectors are drawn anew, which moves the figure by 256^-8.
        assert!(z(*count, *tries, p.min(1.0 - 1e-12)).abs() < 4.5, "rank {rank}: {count} of {tries}");
    }
}

/// Aim: the same for what relays draw, at a size of everyday, with as many packets as symbols and with one and two more.
#[test]
fn drawn_coefficients_are_as_good_as_seeded_ones() {
    const TRIALS: u64 = 20_000;
    let mut stream = Seed(9).stream("draws");
    let mut full = [0; 3];
    let mut vector = [0; 32];
    for _ in 0..TRIALS {
        let mut elimination = Elimination::new(32, false);
        for packet in 1..=34 {
            coefficients::draw(&mut stream, &mut vector);
            elimination.add(&vector);
            if packet >= 32 {
                full[packet - 32] += u64::from(elimination.is_full());
            }
        }
    }
    for (extra, full) in full.into_iter().enumerate() {
        let p = decodable(32, extra as i32);
        println!("decode with 32 + {extra} of 32: {:.5} (theory {p:.7})", full as f64 / TRIALS as f64);
        assert!(z(full, TRIALS, p).abs() < 4.5, "{full} of {TRIALS} with {extra} more");
    }
}

/// Aim: hostile rows are refused or taken as the nonsense that they are; nothing panics, and no more is held than the
/// rank.
#[test]
fn hostile_rows_do_no_harm() {
    let row = (
        any::<bool>(),
        any::<u8>(),
        proptest::collection::vec(any::<u8>(), 0..300),
        any::<bool>(),
        0..200_usize,
    );
    proptest!(ProptestConfig::with_cases(300), |(rows in proptest::collection::vec(row, 0..60), size in 0..300_usize)| {
        let mut decoder = Decoder::new(200);
        let mut recoder = Recoder::new(200);
        let mut stream = Seed(1).stream("hostile");
        for (at, (is_symbol, offset, vector, is_real, len)) in rows.into_iter().enumerate() {
            if at == 7 {
                decoder.set_size(size);
            }
            let body = if is_real { Body::Real(Bytes::from(vec![7; len])) } else { Body::Described(len as u32) };
            let row = Coded { meta: [at as u8; META_BYTES], body };
            if is_symbol {
                decoder.push_symbol(usize::from(offset), row.clone());
                recoder.push_symbol(usize::from(offset), row);
            } else {
                decoder.push(&vector, row.clone());
                recoder.push(&vector, row);
            }
            decoder.recover(|_, _| {});
            prop_assert!(decoder.bytes() <= decoder.rank() * (META_BYTES + 200));
            prop_assert!(decoder.rank() <= 200 && recoder.size() <= 200);
            if recoder.rank() > 0 {
                recoder.recode(&mut stream, 200, &mut BytesMut::new());
            }
        }
    });
}
