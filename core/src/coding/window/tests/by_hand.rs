//! Small cases whose outcome is plain.

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
    assert_eq!(window(encoder.repair(at(170), 1, &mut out)), Some((7, 3)), "exactly as old as the latency");
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
    decoder.recover(is_right);
    assert!(!decoder.has(1));
    assert_eq!((decoder.rank(), decoder.stats().corrupt, decoder.stats().dropped_rows), (0, 1, 1));
    decoder.push_repair(at(0), 1, 2, 6, &repair(1, 2, 6, true));
    assert_eq!(recovered(&mut decoder), [1]);
    assert_eq!(decoder.bytes(), 2 * META_BYTES + 22 + 22, "padded to the longer one");

    let mut decoder = WindowDecoder::new(LIMITS);
    decoder.push_repair(at(0), 1, 2, 5, &bad);
    decoder.push_systematic(at(0), 2, symbol(2, true));
    decoder.push_systematic(at(0), 1, symbol(1, true));
    decoder.recover(is_right);
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
    assert_eq!(decoder.push_repair(at(0), 1, 0, 1, &repair(1, 2, 1, true)), Pushed::Refused, "of nothing");
}
