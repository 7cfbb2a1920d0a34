//! Symbols of all kinds of content: their times, sizes and order, however often and late a source is polled.

use super::super::spec::{Period, Playout, PlayoutMode, SizeDistribution};
use super::super::video::tests::trace;
use super::*;
use crate::time::Duration;
use crate::units::BitRate;

/// A session of ten seconds from second 2 on, measured in its seconds 3 to 6.
pub(in crate::content) fn context() -> SourceContext {
    let at = |secs| Instant::ZERO + Duration::from_secs(secs);
    SourceContext {
        key: SessionKey::new(3, 7),
        epoch: 0,
        seed: Seed(42),
        symbol_bytes: 1_200,
        start: at(2),
        stop: at(12),
        measure_from: at(5),
        measure_to: at(8),
    }
}

/// Polls a new source exactly when it asks for it, to its end.
pub(in crate::content) fn collect(content: &Content, context: SourceContext) -> Vec<Symbol> {
    let mut source = Source::new(content, context);
    let mut now = Instant::ZERO;
    let mut symbols = Vec::new();
    loop {
        match source.poll(now) {
            SourcePoll::Symbol(symbol) => symbols.push(symbol),
            SourcePoll::WaitUntil(at) => {
                assert!(at > now, "a source that waits for the past would be polled for ever");
                now = at;
            }
            SourcePoll::Finished => return symbols,
        }
    }
}

/// One content of each kind with a time base.
pub(in crate::content) fn kinds() -> Vec<Content> {
    let rate = |bps| BitRate::from_bps(bps).unwrap();
    let playout = Playout { delay: Duration::from_millis(200), mode: PlayoutMode::Live };
    let deadline = Duration::from_secs(1);
    vec![
        Content::Constant { rate: rate(3_333_333), phase: Duration::from_micros(77) },
        Content::Video { trace: trace(97, 12), rate: rate(2_000_000), playout },
        Content::Adaptive {
            trace: trace(97, 12),
            ladder: vec![rate(300_000), rate(750_000), rate(1_200_000)],
            initial: 0,
            up_after: Duration::from_secs(2),
            playout,
        },
        Content::Messages {
            mean_interval: Duration::from_millis(20),
            size: SizeDistribution::LogNormal { median: 4_000, sigma: 1.0, max: 100_000 },
            deadline,
        },
        Content::File { bytes: 1_000_000, rate: Some(rate(1_000_000)) },
        Content::OnOff {
            rate: rate(5_000_000),
            on: Period::Exponential(Duration::from_millis(100)),
            off: Period::Fixed(Duration::from_millis(55)),
        },
    ]
}

#[test]
fn objects_are_cut_into_consecutive_symbols() {
    for content in kinds() {
        let symbols = collect(&content, context());
        assert!(symbols.len() > 100, "{content:?}");
        let mut last: Option<&Symbol> = None;
        for (i, symbol) in symbols.iter().enumerate() {
            assert_eq!(symbol.id, i as u64);
            assert_eq!(symbol.payload.len(), symbol.len as usize);
            assert!((1..=1_200).contains(&symbol.len));
            assert!(symbol.index < symbol.count);
            match last {
                Some(last) if last.index + 1 < last.count => {
                    assert_eq!((symbol.object, symbol.index), (last.object, last.index + 1));
                    assert_eq!((symbol.count, last.len), (last.count, 1_200));
                    if !matches!(content, Content::File { .. }) {
                        assert_eq!(symbol.timestamp, last.timestamp);
                    }
                }
                Some(last) => assert_eq!((symbol.object, symbol.index), (last.object + 1, 0)),
                None => assert_eq!((symbol.object, symbol.index), (0, 0)),
            }
            last = Some(symbol);
        }
    }
}

#[test]
fn a_late_poll_yields_what_timely_polls_would_have() {
    // Polled at random times, sometimes seconds late, sometimes too early: the same symbols.
    let mut stream = Seed(5).stream("late");
    for content in kinds() {
        let timely = collect(&content, context());
        for mean_ms in [1, 40, 3_000] {
            let mut source = Source::new(&content, context());
            let (mut now, mut late) = (Instant::ZERO, Vec::new());
            while late.len() < timely.len() {
                now += stream.exponential_span(Duration::from_millis(mean_ms));
                while let SourcePoll::Symbol(symbol) = source.poll(now) {
                    assert!(symbol.timestamp <= now);
                    late.push(symbol);
                }
            }
            assert_eq!(timely, late);
        }
    }
}

#[test]
fn nothing_is_made_at_or_after_the_stop_nor_before_the_start() {
    for content in kinds() {
        let symbols = collect(&content, context());
        let (first, last) = (&symbols[0], &symbols[symbols.len() - 1]);
        assert!(first.timestamp >= context().start && last.timestamp < context().stop);
        // A stop exactly at a due time excludes it.
        let stop = symbols[symbols.len() / 2].timestamp;
        let cut = collect(&content, SourceContext { stop, ..context() });
        assert_eq!(cut.len(), symbols.iter().filter(|symbol| symbol.timestamp < stop).count());
        assert_eq!(cut, symbols[..cut.len()]);
    }
}

#[test]
fn the_measuring_window_includes_its_start_and_excludes_its_end() {
    for content in kinds() {
        let symbols = collect(&content, context());
        let middle = symbols[symbols.len() / 3].timestamp;
        let end = symbols[symbols.len() / 2].timestamp;
        let context = SourceContext { measure_from: middle, measure_to: end, ..context() };
        let mut source = Source::new(&content, context);
        while let SourcePoll::Symbol(_) = source.poll(context.stop) {}
        let inside: Vec<_> = symbols.iter().filter(|s| (middle..end).contains(&s.timestamp)).collect();
        let stats = source.stats();
        assert_eq!(stats.symbols, symbols.len() as u64);
        assert_eq!(stats.bytes, symbols.iter().map(|s| u64::from(s.len)).sum::<u64>());
        assert_eq!(stats.objects, symbols.iter().filter(|s| s.index == 0).count() as u64);
        assert_eq!(stats.measured_symbols, inside.len() as u64);
        assert_eq!(stats.measured_bytes, inside.iter().map(|s| u64::from(s.len)).sum::<u64>());
        assert_eq!(stats.measured_objects, inside.iter().filter(|s| s.index == 0).count() as u64);
    }
}

#[test]
fn an_epoch_repeats_its_draws_and_shares_them_with_no_other() {
    for content in kinds() {
        let of = |context| collect(&content, context);
        let drawn = matches!(content, Content::Messages { .. } | Content::OnOff { .. });
        let times = |symbols: Vec<Symbol>| symbols.iter().map(|s| s.timestamp).collect::<Vec<_>>();
        assert_eq!(of(context()), of(context()));
        let epoch = times(of(SourceContext { epoch: 1, ..context() }));
        assert_eq!(times(of(context())) != epoch, drawn, "{content:?}");
        let key = times(of(SourceContext { key: SessionKey::new(3, 8), ..context() }));
        assert_eq!(times(of(context())) != key, drawn, "{content:?}");
    }
}

#[test]
fn video_makes_its_rate_and_its_frames() {
    // Ten seconds at 25 frames a second; the trace (97 frames, 3.88 s) loops.
    let mut source = Source::new(&kinds()[1], context());
    while let SourcePoll::Symbol(_) = source.poll(context().stop) {}
    let stats = source.stats();
    assert_eq!((stats.objects, stats.measured_objects), (250, 75));
    let rate = stats.bytes as f64 * 8.0 / 10.0;
    assert!((rate / 2e6 - 1.0).abs() < 0.05, "{rate}: the last loop is cut");
}

#[test]
fn an_idle_source_is_small() {
    assert!(size_of::<Source>() <= 400, "{}", size_of::<Source>());
}
