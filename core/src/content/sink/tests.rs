//! What a sink finds of what arrives: in time, late, in part, twice, or never sent so.

use super::super::source::tests::{collect, context, kinds};
use super::super::source::{Source, SourcePoll};
use super::super::spec::SizeDistribution;
use super::super::video::tests::trace;
use super::*;
use crate::payload::Synthetic;
use crate::rng::Seed;
use crate::units::BitRate;
use bytes::Bytes;

fn sink_context() -> SinkContext {
    let context = context();
    SinkContext {
        key: context.key,
        seed: context.seed,
        symbol_bytes: context.symbol_bytes,
        start: context.start,
        stop: context.stop,
        measure_from: context.measure_from,
        measure_to: context.measure_to,
        verify: true,
    }
}

/// Sends all symbols with the delay (ms) that `delay` gives, `None` for loss, in the order of their
/// arrival.
fn carry(content: &Content, mut delay: impl FnMut(&Symbol) -> Option<u64>) -> SinkStats {
    let symbols = collect(content, context());
    let mut arrivals: Vec<_> = symbols
        .iter()
        .filter_map(|symbol| {
            Some((symbol.timestamp + Duration::from_millis(delay(symbol)?), symbol.id, symbol))
        })
        .collect();
    arrivals.sort_by_key(|&(at, id, _)| (at, id));
    let mut sink = Sink::new(content, sink_context());
    for (now, _, symbol) in arrivals {
        sink.on_symbol(now, &Arrival::of(symbol), &symbol.payload);
    }
    sink.finish(context().stop + Duration::from_secs(30));
    sink.stats()
}

/// What the source counted in the measuring window.
fn measured(content: &Content) -> u64 {
    let mut source = Source::new(content, context());
    while let SourcePoll::Symbol(_) = source.poll(context().stop) {}
    source.stats().measured_objects
}

#[test]
fn whatever_arrives_in_time_and_any_order_is_judged_well() {
    // Every symbol takes a way of its own, 1 to 150 ms: symbols of many frames interleave.
    for content in kinds() {
        let mut stream = Seed(8).stream("ways");
        let stats = carry(&content, |_| Some(1 + stream.below(150)));
        assert_eq!((stats.corrupt_symbols, stats.incomplete_objects), (0, 0), "{content:?}");
        assert_eq!(stats.stall, Duration::ZERO);
        let count = measured(&content);
        match content {
            Content::Video { .. } | Content::Adaptive { .. } => {
                assert_eq!((stats.frames_complete, stats.frames_on_time), (count, count));
                assert_eq!(stats.startup, Some(Duration::from_millis(200)));
            }
            Content::Messages { .. } => {
                assert_eq!((stats.messages_complete, stats.messages_on_time), (count, count));
                assert!(count > 100);
            }
            Content::File { .. } => {
                assert_eq!(stats.file_complete, Some(true));
                let mut source = Source::new(&content, context());
                while let SourcePoll::Symbol(_) = source.poll(context().stop) {}
                assert_eq!(stats.file_digest, source.stats().file_digest);
                assert!(stats.file_digest.is_some());
            }
            Content::Constant { .. } | Content::OnOff { .. } | Content::Application { .. } => {
                assert_eq!(stats, SinkStats::default());
            }
        }
    }
}

#[test]
fn one_lost_symbol_costs_its_frame_and_one_late_symbol_its_time() {
    let content = &kinds()[1];
    let frames = measured(content);
    // Frames 80 and 90 lie in the measured seconds (frames 75 to 149).
    let lost = carry(content, |s| ((s.object, s.index) != (80, 0)).then_some(20));
    assert_eq!((lost.frames_complete, lost.frames_on_time), (frames - 1, frames - 1));
    assert_eq!(lost.stall, Duration::from_millis(40));
    let late = carry(content, |s| Some(if s.object == 90 && s.index + 1 == s.count { 201 } else { 20 }));
    assert_eq!((late.frames_complete, late.frames_on_time), (frames, frames - 1));
    assert_eq!(late.stall, Duration::from_millis(40));
    let outside = carry(content, |s| (s.object != 10).then_some(20));
    assert_eq!((outside.frames_complete, outside.stall), (frames, Duration::ZERO));
}

#[test]
fn a_message_is_on_time_up_to_its_deadline() {
    let content = &kinds()[3];
    let messages = measured(content);
    let exactly = carry(content, |_| Some(1_000));
    assert_eq!((exactly.messages_complete, exactly.messages_on_time), (messages, messages));
    let after = carry(content, |_| Some(1_001));
    assert_eq!((after.messages_complete, after.messages_on_time), (messages, 0));
    let lost = carry(content, |s| (s.index + 1 != s.count).then_some(1));
    assert_eq!(lost.messages_complete, 0);
    assert!(lost.incomplete_objects > 0, "those of several symbols were seen in part");
}

#[test]
fn a_file_with_a_missing_symbol_is_not_complete() {
    let stats = carry(&kinds()[4], |s| (s.id != 17).then_some(1));
    assert_eq!((stats.file_complete, stats.file_digest), (Some(false), None));
}

#[test]
fn descriptions_that_contradict_the_content_are_corrupt() {
    let content = &kinds()[1];
    let symbols = collect(content, context());
    let right = &symbols[0];
    let arrival = Arrival::of(right);
    let what = Synthetic { key: context().key, symbol: 0, offset: 0, len: right.len };
    let other = crate::ids::SessionKey::new(3, 8);
    for (wrong, payload) in [
        (Arrival { index: arrival.count, ..arrival }, what),
        (Arrival { index: u32::MAX, count: 0, ..arrival }, what),
        (Arrival { len: right.len - 1, ..arrival }, what),
        (Arrival { len: 0, ..arrival }, Synthetic { len: 0, ..what }),
        (Arrival { len: 1_201, ..arrival }, Synthetic { len: 1_201, ..what }),
        (Arrival { symbol: 1, ..arrival }, what),
        (arrival, Synthetic { key: other, ..what }),
        (arrival, Synthetic { offset: 1, ..what }),
    ] {
        let mut sink = Sink::new(content, sink_context());
        sink.on_symbol(context().start, &wrong, &Payload::Synthetic(payload));
        assert_eq!(sink.stats().corrupt_symbols, 1, "{wrong:?} {payload:?}");
    }
}

#[test]
fn real_bytes_are_compared_when_asked_for() {
    let content = &kinds()[0];
    let symbol = &collect(content, context())[5];
    let Payload::Synthetic(what) = symbol.payload else { panic!("constant content is described") };
    let mut bytes = vec![0; what.len as usize];
    payload::fill(context().seed, what, &mut bytes);
    let mut flipped = bytes.clone();
    flipped[1_000] ^= 1;
    for (verify, bytes, corrupt) in
        [(true, bytes.clone(), 0), (true, flipped.clone(), 1), (false, bytes, 0), (false, flipped, 0)]
    {
        let mut sink = Sink::new(content, SinkContext { verify, ..sink_context() });
        let payload = Payload::Bytes(Bytes::from(bytes));
        sink.on_symbol(symbol.timestamp, &Arrival::of(symbol), &payload);
        assert_eq!(sink.stats().corrupt_symbols, corrupt);
    }
}

#[test]
fn arbitrary_arrivals_neither_panic_nor_count_as_more_than_they_are() {
    let playout = |mode| Playout { delay: Duration::from_millis(100), mode };
    let rate = BitRate::from_bps(1_000_000).unwrap();
    let video = |mode| Content::Video { trace: trace(9, 3), rate, playout: playout(mode) };
    let size = SizeDistribution::Fixed(9_000);
    let (mean_interval, deadline) = (Duration::from_millis(1), Duration::from_secs(1));
    let contents = [
        video(PlayoutMode::Live),
        video(PlayoutMode::Stream),
        Content::Messages { mean_interval, size, deadline },
        Content::File { bytes: 100_000, rate: None },
    ];
    for content in &contents {
        let mut stream = Seed(13).stream("hostile");
        let mut sink = Sink::new(content, SinkContext { measure_to: context().stop, ..sink_context() });
        let mut now = context().start;
        for symbol in 0..50_000 {
            // Small numbers, numbers around the largest, and anything between.
            let mut number = || match stream.below(3) {
                0 => stream.below(5) as u32,
                1 => u32::MAX - stream.below(5) as u32,
                _ => stream.next_u64() as u32,
            };
            let (object, index, count) = (number(), number(), number());
            let len = number() % 1_300;
            let timestamp = Instant::from_nanos(stream.next_u64() >> stream.below(64));
            let arrival = Arrival { symbol, object, index, count, len, timestamp };
            let what = Synthetic { key: context().key, symbol, offset: 0, len };
            sink.on_symbol(now, &arrival, &Payload::Synthetic(what));
            now += Duration::from_nanos(stream.below(1_000_000));
        }
        sink.finish(now);
        let stats = sink.stats();
        assert!(stats.corrupt_symbols > 10_000, "{content:?}");
        assert!(stats.frames_on_time <= stats.frames_complete);
        assert!(stats.messages_on_time <= stats.messages_complete);
        assert_ne!(stats.file_complete, Some(true));
    }
}

#[test]
fn an_idle_sink_is_small() {
    assert!(size_of::<Sink>() <= 256, "{}", size_of::<Sink>());
    assert!(size_of::<LivePlayer>() <= 160, "{}", size_of::<LivePlayer>());
    assert!(size_of::<StreamPlayer>() <= 192, "{}", size_of::<StreamPlayer>());
}

/// Two judges count together what one of each kind found; a file that the earlier had stays complete.
#[test]
fn verdicts_of_two_starts_add_up() {
    let second = Duration::from_secs(1);
    let earlier = SinkStats {
        frames_on_time: 3,
        stall: second,
        startup: Some(second),
        file_complete: Some(true),
        file_completed_at: Some(Instant::from_nanos(5)),
        file_digest: Some(FileDigest([1; 32])),
        corrupt_symbols: 1,
        ..SinkStats::default()
    };
    let later = SinkStats {
        frames_on_time: 4,
        stall: second,
        startup: Some(second + second),
        file_complete: Some(false),
        incomplete_objects: 2,
        ..SinkStats::default()
    };
    let merged = earlier.merge(&later);
    assert_eq!((merged.frames_on_time, merged.stall), (7, second + second));
    assert_eq!((merged.startup, merged.file_complete), (Some(second), Some(true)));
    assert_eq!(merged.file_digest, Some(FileDigest([1; 32])));
    assert_eq!((merged.corrupt_symbols, merged.incomplete_objects), (1, 2));
    let merged = later.merge(&earlier);
    assert_eq!((merged.file_complete, merged.file_completed_at), (Some(true), Some(Instant::from_nanos(5))));
}
