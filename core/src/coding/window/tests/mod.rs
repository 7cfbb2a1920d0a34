//! The sliding window by hand, against a slow elimination over everything that ever came, against theory, and against what
//! nobody would send.

mod by_hand;
mod losses;

use super::*;
use crate::coding::gf256::{inverse, multiply};
use crate::coding::{Body, Coded, META_BYTES, Meta, Pushed, coefficients};
use crate::rng::Seed;
use crate::time::{Duration, Instant};
use bytes::BytesMut;

const LIMITS: WindowLimits =
    WindowLimits { latency: Duration::from_millis(100), symbols_max: 512, rows_max: 128, bytes_max: 1 << 20 };

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

/// A symbol that its id makes, of 20 to 39 bytes.
fn symbol(id: u64, is_real: bool) -> Coded {
    let len = 20 + id % 20;
    let meta = Meta { timestamp_ns: id, object: 1, index: id as u32, count: 9, len: len as u32, check: !id };
    let bytes: Vec<u8> = (0..len).map(|at| (id * 31 + at * 7 + 1) as u8).collect();
    let body = if is_real { Body::Real(bytes.into()) } else { Body::Described(len as u32) };
    Coded { meta: meta.emit(), body }
}

/// Whether that is the symbol, with zeros behind it.
fn is_right(id: u64, got: &Coded) -> bool {
    let right = symbol(id, got.body.is_real());
    got.meta == right.meta
        && match (&got.body, &right.body) {
            (Body::Real(got), Body::Real(right)) => {
                got[..right.len()] == right[..] && got[right.len()..].iter().all(|byte| *byte == 0)
            }
            (got, right) => got.len() >= right.len(),
        }
}

/// The repair of symbols `first .. first + size`.
fn repair(first: u64, size: u8, seed: u64, is_real: bool) -> Coded {
    let mut encoder = WindowEncoder::new(255, LIMITS.latency);
    for id in first..first + u64::from(size) {
        encoder.push(id, at(0), symbol(id, is_real));
    }
    let mut out = BytesMut::new();
    let made = encoder.repair(at(0), seed, &mut out).expect("there are symbols");
    assert_eq!((made.first, made.size), (first, size));
    coded(out, made.len, is_real)
}

/// Splits what an encoder wrote.
fn coded(mut out: BytesMut, len: usize, is_real: bool) -> Coded {
    let mut meta = [0; META_BYTES];
    meta.copy_from_slice(&out.split_to(META_BYTES));
    assert_eq!(out.len(), if is_real { len } else { 0 });
    let body = if is_real { Body::Real(out.freeze()) } else { Body::Described(len as u32) };
    Coded { meta, body }
}

/// Takes out what became known, all of which must be right.
fn recovered(decoder: &mut WindowDecoder) -> Vec<u64> {
    let mut out = Vec::new();
    decoder.recover(|id, got| {
        assert!(is_right(id, got), "symbol {id}");
        out.push(id);
        true
    });
    out.sort_unstable();
    out
}

/// Everything that ever came, eliminated from the start each time.
#[derive(Default)]
struct Slow {
    rows: Vec<Vec<u8>>,
}

impl Slow {
    fn push(&mut self, symbols: usize, first: u64, factors: &[u8]) {
        let mut row = vec![0; symbols];
        row[first as usize..first as usize + factors.len()].copy_from_slice(factors);
        self.rows.push(row);
    }

    /// Returns rank and whether each symbol can be known.
    fn solve(&self, symbols: usize) -> (usize, Vec<bool>) {
        let mut rows = self.rows.clone();
        let mut rank = 0;
        for column in 0..symbols {
            let Some(pivot) = (rank..rows.len()).find(|row| rows[*row][column] != 0) else { continue };
            rows.swap(rank, pivot);
            let factor = inverse(rows[rank][column]);
            let lead: Vec<u8> = rows[rank].iter().map(|c| multiply(*c, factor)).collect();
            for row in &mut rows {
                let factor = row[column];
                if factor != 0 {
                    row.iter_mut().zip(&lead).for_each(|(c, l)| *c ^= multiply(*l, factor));
                }
            }
            rows[rank] = lead;
            rank += 1;
        }
        let mut known = vec![false; symbols];
        for row in &rows[..rank] {
            let mut places = (0..symbols).filter(|column| row[*column] != 0);
            if let (Some(place), None) = (places.next(), places.next()) {
                known[place] = true;
            }
        }
        (rank, known)
    }
}

/// Aim: at every step exactly those symbols are known that everything that came can tell, whatever is lost, late, repeated
/// or out of order, though old symbols are given up on the way; each comes out once and right; and described payload
/// gives the same symbols as real bytes.
#[test]
fn what_can_be_known_is_known() {
    const SYMBOLS: u64 = 70;
    let (mut out, mut given_up, mut dependent) = (0, 0, 0);
    for round in 0..60 {
        let mut stream = Seed(round).stream("window");
        let loss = [0.1, 0.3, 0.5][round as usize % 3];
        let window = 4 + stream.below(20) as u8;
        // Packets in the order in which they are sent: (symbols from, to, seed; 0: the symbol itself), then shuffled a bit.
        let mut sent: Vec<(u64, u8, u64)> = Vec::new();
        for id in 0..SYMBOLS {
            sent.push((id, 1, 0));
            for _ in 0..stream.below(3) {
                let first = (id + 1).saturating_sub(u64::from(window));
                sent.push((first, (id + 1 - first) as u8, 1 + stream.below(1 << 40)));
            }
        }
        sent.retain(|_| !stream.chance(loss));
        for place in 0..sent.len() {
            let other = (place + stream.below(8) as usize).min(sent.len() - 1);
            sent.swap(place, other);
            if stream.chance(0.1) {
                sent.insert(place, sent[place]);
            }
        }
        let limits = WindowLimits { latency: Duration::from_millis(25 + 40 * (round % 2)), ..LIMITS };
        let mut real = WindowDecoder::new(limits);
        let mut described = WindowDecoder::new(limits);
        let mut slow = Slow::default();
        let mut came = [false; SYMBOLS as usize];
        for (step, (first, size, seed)) in sent.into_iter().enumerate() {
            let now = at(step as u64);
            let pushed = [(&mut real, true), (&mut described, false)].map(|(decoder, is_real)| match seed {
                0 => decoder.push_systematic(now, first, symbol(first, is_real)),
                _ => decoder.push_repair(now, first, size, seed, &repair(first, size, seed, is_real)),
            });
            assert_eq!(pushed[0], pushed[1]);
            if pushed[0] != Pushed::Refused {
                let before = slow.solve(SYMBOLS as usize).0;
                let mut factors = vec![1; usize::from(size)];
                if seed != 0 {
                    coefficients::seeded_nonzero(seed, &mut factors);
                }
                slow.push(SYMBOLS as usize, first, &factors);
                let after = slow.solve(SYMBOLS as usize).0;
                assert!(pushed[0] == Pushed::Dependent || after > before, "innovative means new");
            }
            if seed == 0 && pushed[0] == Pushed::Innovative {
                assert!(!core::mem::replace(&mut came[first as usize], true));
            }
            let got = recovered(&mut real);
            assert_eq!(got, recovered(&mut described));
            for id in got {
                assert!(!core::mem::replace(&mut came[id as usize], true), "symbol {id} twice");
                out += 1;
            }
            real.check();
            described.check();
            let (_, known) = slow.solve(SYMBOLS as usize);
            let held = real.held();
            for id in held {
                assert_eq!(real.has(id), known[id as usize], "round {round}, step {step}, symbol {id}");
            }
        }
        assert_eq!(real.stats(), described.stats());
        given_up += real.stats().given_up;
        dependent += real.stats().dependent;
    }
    assert!(out > 500 && given_up > 150 && dependent > 100, "{out} {given_up} {dependent}");
}

/// Aim: whatever ids, sizes, seeds, lengths and times come, nothing panics, and what is held stays within the limits.
#[test]
fn hostile_packets_cost_no_more_than_the_limits() {
    let limits = WindowLimits { symbols_max: 300, rows_max: 40, bytes_max: 8_000, ..LIMITS };
    for round in 0..40 {
        let mut stream = Seed(round).stream("hostile");
        let mut decoder = WindowDecoder::new(limits);
        let mut now = 0;
        let mut base = [0, 1 << 40, u64::MAX - 600, u64::MAX - 1][round as usize % 4];
        for _ in 0..600 {
            now += stream.below(3);
            match stream.below(40) {
                0 => base = stream.next_u64(),
                1 => base = u64::MAX - stream.below(300),
                2 => base = base.wrapping_add(1 << 40),
                3 => base = base.wrapping_sub(stream.below(400)),
                _ => base = base.wrapping_add(stream.below(4)),
            }
            let mut meta = [0; META_BYTES];
            meta[..8].copy_from_slice(&stream.next_u64().to_be_bytes());
            let body = Body::Real(vec![stream.next_u64() as u8; stream.below(200) as usize].into());
            let coded = Coded { meta, body };
            if stream.chance(0.4) {
                decoder.push_systematic(at(now), base, coded);
            } else {
                decoder.push_repair(at(now), base, stream.next_u64() as u8, stream.next_u64(), &coded);
            }
            if stream.chance(0.7) {
                decoder.recover(|id, _| id % 5 != 0);
            }
            decoder.check();
            assert!(decoder.len() <= 300 && decoder.rank() <= 40 && decoder.bytes() <= 8_000);
        }
    }
}
