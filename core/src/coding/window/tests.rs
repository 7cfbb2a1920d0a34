//! The sliding window by hand, against a slow elimination over everything that ever came, against theory, and against what
//! nobody would send.

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

mod by_hand {
    use super::*;

    /// Aim: a window is at most `size` symbols, none older than the latency; a gap in the ids begins another.
    #[test]
    fn a_window_is_the_newest_symbols() {
        let mut encoder = WindowEncoder::new(3, Duration::from_millis(100));
        let mut out = BytesMut::new();
        assert_eq!(encoder.repair(at(0), 1, &mut out), None);
        for id in 5..10 {
            encoder.push(id, at(id * 10), symbol(id, true));
        }
        let window = |made: Option<WindowRepair>| made.map(|made| (made.first, made.size));
        assert_eq!(window(encoder.repair(at(90), 1, &mut out)), Some((7, 3)));
        assert_eq!(
            window(encoder.repair(at(170), 1, &mut out)),
            Some((7, 3)),
            "exactly as old as the latency"
        );
        assert_eq!(window(encoder.repair(at(171), 1, &mut out)), Some((8, 2)));
        encoder.push(20, at(180), symbol(20, true));
        assert_eq!(window(encoder.repair(at(180), 1, &mut out)), Some((20, 1)));
        assert_eq!(encoder.bytes(), META_BYTES + 20);
        assert_eq!(encoder.repair(at(999), 1, &mut out), None);
        assert!(encoder.is_empty() && encoder.bytes() == 0);
        encoder.push(u64::MAX, at(999), symbol(3, true));
        encoder.push(0, at(999), symbol(0, true));
        assert_eq!(window(encoder.repair(at(999), 1, &mut out)), Some((0, 1)), "ids do not wrap in a window");
    }

    /// Aim: a repair is the sum of the symbols by the coefficients of its seed, none of which is 0.
    #[test]
    fn a_repair_is_the_sum_of_its_window() {
        let mut factors = [0; 3];
        coefficients::seeded_nonzero(9, &mut factors);
        let made = repair(4, 3, 9, true);
        for byte in 0..META_BYTES {
            let sum =
                (0..3).fold(0, |sum, i| sum ^ multiply(factors[i as usize], symbol(4 + i, true).meta[byte]));
            assert_eq!(made.meta[byte], sum);
        }
        assert_eq!(made.body.len(), 26);
        assert!(factors.iter().all(|factor| *factor != 0));
    }

    #[test]
    fn one_loss_takes_one_repair() {
        let mut decoder = WindowDecoder::new(LIMITS);
        assert_eq!(decoder.push_systematic(at(0), 10, symbol(10, true)), Pushed::Innovative);
        assert_eq!(decoder.push_systematic(at(0), 10, symbol(10, true)), Pushed::Dependent);
        assert_eq!(decoder.push_systematic(at(1), 12, symbol(12, true)), Pushed::Innovative);
        assert_eq!(decoder.push_repair(at(2), 10, 3, 77, &repair(10, 3, 77, true)), Pushed::Innovative);
        assert_eq!(recovered(&mut decoder), [11]);
        assert_eq!(recovered(&mut decoder), [], "once");
        assert_eq!(decoder.push_repair(at(2), 10, 3, 78, &repair(10, 3, 78, true)), Pushed::Dependent);
        assert_eq!(decoder.push_systematic(at(3), 11, symbol(11, true)), Pushed::Dependent);
        let expected = WindowStats { recovered: 1, dependent: 1, ..WindowStats::default() };
        assert_eq!(*decoder.stats(), expected);
    }

    /// Aim: what one repair gives helps another at once, whose window ends earlier.
    #[test]
    fn windows_that_overlap_help_each_other() {
        let mut decoder = WindowDecoder::new(LIMITS);
        decoder.push_systematic(at(0), 3, symbol(3, true));
        assert_eq!(decoder.push_repair(at(0), 1, 2, 5, &repair(1, 2, 5, true)), Pushed::Innovative);
        assert_eq!((recovered(&mut decoder), decoder.rank()), (vec![], 1));
        assert_eq!(decoder.push_repair(at(0), 2, 2, 6, &repair(2, 2, 6, true)), Pushed::Innovative);
        assert_eq!((recovered(&mut decoder), decoder.rank()), (vec![1, 2], 0));
    }

    /// Aim: a symbol that comes late, by a slow flow, frees what waits for it; the repair is then not wasted.
    #[test]
    fn a_symbol_frees_what_waits_for_it() {
        for late in [1, 2] {
            let mut decoder = WindowDecoder::new(LIMITS);
            decoder.push_repair(at(0), 1, 2, 5, &repair(1, 2, 5, true));
            assert_eq!(decoder.push_systematic(at(0), late, symbol(late, true)), Pushed::Innovative);
            assert_eq!(recovered(&mut decoder), [3 - late]);
        }
    }

    /// Aim: a repair that tells nothing new leaves nothing behind.
    #[test]
    fn a_repair_comes_twice_for_nothing() {
        let mut decoder = WindowDecoder::new(LIMITS);
        decoder.push_repair(at(0), 1, 2, 5, &repair(1, 2, 5, true));
        decoder.push_repair(at(0), 1, 2, 5, &repair(1, 2, 5, true));
        assert_eq!(decoder.stats().dependent, 1, "the same again");
        decoder.push_systematic(at(0), 1, symbol(1, true));
        let bytes = decoder.bytes();
        assert_eq!((recovered(&mut decoder), decoder.rank(), decoder.stats().corrupt), (vec![2], 0, 0));
        assert_eq!(bytes, 2 * META_BYTES + 21 + 22);
    }

    /// Aim: time takes what nobody can use any more, and only that.
    #[test]
    fn what_is_late_is_given_up() {
        let mut decoder = WindowDecoder::new(LIMITS);
        decoder.push_systematic(at(0), 1, symbol(1, true));
        decoder.push_systematic(at(20), 3, symbol(3, true));
        decoder.push_systematic(at(50), 5, symbol(5, true));
        decoder.push_repair(at(60), 1, 5, 8, &repair(1, 5, 8, true));
        assert_eq!((decoder.len(), decoder.rank(), decoder.next_deadline()), (5, 1, Some(at(120))));
        decoder.advance(at(120));
        assert_eq!((decoder.len(), decoder.rank(), decoder.stats().given_up), (4, 1, 0));
        decoder.advance(at(121));
        assert_eq!((decoder.len(), decoder.rank(), decoder.stats().given_up), (2, 0, 1));
        assert_eq!(decoder.stats().dropped_rows, 1);
        assert_eq!(decoder.push_systematic(at(121), 2, symbol(2, true)), Pushed::Refused);
        assert_eq!(decoder.push_repair(at(121), 3, 3, 9, &repair(3, 3, 9, true)), Pushed::Refused);
        assert_eq!(decoder.push_repair(at(121), 4, 2, 9, &repair(4, 2, 9, true)), Pushed::Innovative);
        assert_eq!(recovered(&mut decoder), [4]);
        decoder.advance(at(1_000));
        assert!(decoder.is_empty() && decoder.bytes() == 0);
        // What lies between was lost.
        decoder.push_systematic(at(2_000), 9, symbol(9, true));
        decoder.advance(at(3_000));
        assert_eq!(decoder.stats().given_up, 1 + 3);
    }

    /// Aim: what does not fit its check does not stay, nor what may have its damage; what comes later still helps.
    #[test]
    fn damage_does_not_stay() {
        let mut decoder = WindowDecoder::new(LIMITS);
        let mut bad = repair(1, 2, 5, true);
        bad.meta[3] ^= 4;
        decoder.push_systematic(at(0), 2, symbol(2, true));
        decoder.push_repair(at(0), 3, 2, 5, &repair(3, 2, 5, true));
        decoder.push_repair(at(0), 1, 2, 5, &bad);
        decoder.recover(|id, got| is_right(id, got));
        assert!(!decoder.has(1));
        assert_eq!((decoder.rank(), decoder.stats().corrupt, decoder.stats().dropped_rows), (0, 1, 1));
        decoder.push_repair(at(0), 1, 2, 6, &repair(1, 2, 6, true));
        assert_eq!(recovered(&mut decoder), [1]);
        assert_eq!(decoder.bytes(), 2 * META_BYTES + 22 + 22, "padded to the longer one");

        let mut decoder = WindowDecoder::new(LIMITS);
        decoder.push_repair(at(0), 1, 2, 5, &bad);
        decoder.push_systematic(at(0), 2, symbol(2, true));
        decoder.push_systematic(at(0), 1, symbol(1, true));
        decoder.recover(|id, got| is_right(id, got));
        assert_eq!(decoder.stats().corrupt, 1);
    }

    /// Aim: a packet from far ahead is believed when another one is from there, so that one bad id ends nothing.
    #[test]
    fn one_far_id_ends_nothing() {
        let mut decoder = WindowDecoder::new(LIMITS);
        decoder.push_systematic(at(0), 1, symbol(1, true));
        assert_eq!(decoder.push_systematic(at(0), 1 << 40, symbol(0, true)), Pushed::Refused);
        assert_eq!(decoder.push_systematic(at(0), 3, symbol(3, true)), Pushed::Innovative);
        assert_eq!(decoder.push_systematic(at(0), (1 << 40) + 1, symbol(0, true)), Pushed::Innovative);
        assert_eq!(decoder.push_systematic(at(0), 4, symbol(4, true)), Pushed::Refused);
        assert_eq!((decoder.stats().given_up, decoder.stats().refused), (1, 2));
    }

    #[test]
    fn real_and_described_payloads_do_not_mix() {
        let mut decoder = WindowDecoder::new(LIMITS);
        decoder.push_systematic(at(0), 1, symbol(1, true));
        assert_eq!(decoder.push_systematic(at(0), 2, symbol(2, false)), Pushed::Refused);
        assert_eq!(decoder.push_repair(at(0), 1, 2, 1, &repair(1, 2, 1, false)), Pushed::Refused);
        assert_eq!(
            decoder.push_repair(at(0), 1, 0, 1, &repair(1, 2, 1, true)),
            Pushed::Refused,
            "of nothing"
        );
    }
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

/// Runs `symbols` symbols with a repair after every fourth over windows of up to `window`, of which `is_lost` says which packets
/// (symbols and repairs, in the order of sending) are lost. Returns for each symbol after how many symbols more it was known.
fn run(symbols: u64, window: u8, mut is_lost: impl FnMut(u64) -> bool) -> Vec<Option<u64>> {
    let mut encoder = WindowEncoder::new(window, LIMITS.latency);
    let mut decoder = WindowDecoder::new(LIMITS);
    let mut known = vec![None; symbols as usize];
    let mut packet = 0;
    for id in 0..symbols {
        let now = at(id);
        encoder.push(id, now, symbol(id, false));
        packet += 1;
        if !is_lost(packet - 1) {
            decoder.push_systematic(now, id, symbol(id, false));
            known[id as usize] = Some(0);
        }
        if id % 4 == 3 {
            let mut out = BytesMut::new();
            let made = encoder.repair(now, id, &mut out).expect("there are symbols");
            packet += 1;
            if !is_lost(packet - 1) {
                decoder.push_repair(now, made.first, made.size, id, &coded(out, made.len, false));
            }
        }
        for got in recovered(&mut decoder) {
            known[got as usize] = Some(id - got);
        }
    }
    known
}

/// Aim: one repair after every fourth symbol makes good any single loss, by the next repair.
#[test]
fn single_losses_are_made_good_by_the_next_repair() {
    for phase in 0..10 {
        let known = run(400, 16, |packet| packet % 10 == phase);
        for (id, behind) in known.iter().enumerate().take(390) {
            assert!(behind.is_some_and(|behind| behind <= 7), "phase {phase}, symbol {id}: {behind:?}");
        }
    }
    // Without losses of repairs the next one is at most three symbols behind.
    let known = run(400, 16, |packet| packet % 15 == 6);
    assert!(known.iter().take(390).all(|behind| behind.is_some_and(|behind| behind <= 3)));
}

/// Aim: a burst of b symbols takes b repairs of windows that still reach back to it; a longer one is lost.
#[test]
fn bursts_take_as_many_repairs() {
    // 5 packets in a row and a repair for every fourth symbol: all is known by the 5th repair, at most 24 symbols behind.
    let known = run(600, 32, |packet| packet % 100 < 5);
    assert!(known.iter().take(560).all(|behind| behind.is_some_and(|behind| behind <= 24)));
    // 12 symbols lost, and 3 repairs: a window of 16 symbols has at most 4 repairs that reach the first of them.
    let known = run(600, 16, |packet| (100..115).contains(&packet));
    assert_eq!(known.iter().filter(|behind| behind.is_none()).count(), 12);
}

/// P(n + extra random vectors of n elements have rank n): the product of 1 - 256^-i for i from extra + 1 to n + extra. (With
/// elements other than 0 the leading term is 1/255 instead of 1/256 + 1/256^2.)
fn decodable(n: i32, extra: i32) -> f64 {
    (extra + 1..=n + extra).map(|i| 1.0 - libm::pow(256.0, f64::from(-i))).product()
}

fn binomial(n: i32, k: i32, p: f64) -> f64 {
    let ways: f64 = (0..k).map(|i| f64::from(n - i) / f64::from(i + 1)).product();
    ways * libm::pow(p, f64::from(k)) * libm::pow(1.0 - p, f64::from(n - k))
}

/// Aim: where theory has a figure, the residual loss is that: 20 symbols, then 3 repairs over all of them, each lost with 10 %.
/// All is known if no more symbols were lost than repairs came, and their coefficients are independent (z = 4.5).
#[test]
fn a_block_is_decoded_as_often_as_theory_says() {
    const TRIALS: u64 = 20_000;
    const LOSS: f64 = 0.1;
    let mut expected = 0.0;
    for lost in 0..=3 {
        for came in lost..=3 {
            // A single symbol has a coefficient other than 0: always.
            let rank = if lost == 1 { 1.0 } else { decodable(lost, came - lost) };
            expected += binomial(20, lost, LOSS) * binomial(3, came, 1.0 - LOSS) * rank;
        }
    }
    let mut stream = Seed(4).stream("blocks");
    let nothing = Coded { meta: [0; META_BYTES], body: Body::Described(1) };
    let mut decoded = 0;
    for _ in 0..TRIALS {
        let mut decoder = WindowDecoder::new(LIMITS);
        for id in 0..20 {
            if !stream.chance(LOSS) {
                decoder.push_systematic(at(0), id, nothing.clone());
            }
        }
        for _ in 0..3 {
            let seed = stream.next_u64();
            if !stream.chance(LOSS) {
                decoder.push_repair(at(0), 0, 20, seed, &nothing);
            }
        }
        decoded += u64::from((0..20).all(|id| decoder.has(id)));
    }
    let deviation = libm::sqrt(TRIALS as f64 * expected * (1.0 - expected));
    let z = (decoded as f64 - TRIALS as f64 * expected) / deviation;
    println!("decoded {} of {TRIALS}, theory {expected:.5}, z {z:.2}", decoded);
    assert!(z.abs() < 4.5, "z = {z}");
}

/// Aim: at 2 % loss, with a repair for every fourth symbol, hardly anything is lost for good: less than what blocks of the window's
/// length would lose, of which the theory is known.
#[test]
fn random_losses_are_made_good() {
    const SYMBOLS: u64 = 20_000;
    let mut stream = Seed(5).stream("losses");
    let mut lost = 0;
    let known = run(SYMBOLS, 16, |_| {
        let is_lost = stream.chance(0.02);
        lost += u32::from(is_lost);
        is_lost
    });
    let never = known[..SYMBOLS as usize - 16].iter().filter(|behind| behind.is_none()).count();
    // Blocks of 16 with 4 repairs: on average so many symbols are lost in blocks with more than 4 losses of 20.
    let block: f64 = (5..=20).map(|k| binomial(20, k, 0.02) * f64::from(k) * 16.0 / 20.0).sum();
    let bound = block * SYMBOLS as f64 / 16.0;
    println!("{lost} packets lost, {never} symbols never known; blocks: {bound:.2}");
    assert!(lost > 400);
    assert!((never as f64) < bound + 4.5 * libm::sqrt(bound * 5.0) + 1.0, "{never} against {bound}");
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
