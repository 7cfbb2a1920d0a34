//! Loss patterns: what is lost for good, and how late the rest is.

use super::*;

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
