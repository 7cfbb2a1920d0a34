//! The source of a session's content: symbols, each when it is due.

use crate::content::file::FileSource;
use crate::content::objects::{Object, Objects};
use crate::content::spec::Content;
use crate::feeder::Lane;
use crate::ids::SessionKey;
use crate::payload::{Payload, Synthetic};
use crate::rng::Seed;
use crate::time::Instant;

/// What a source needs to know besides its content.
#[derive(Clone, Copy, Debug)]
pub struct SourceContext {
    /// The session.
    pub key: SessionKey,
    /// The session's epoch; it names the random streams.
    pub epoch: u16,
    /// Root seed.
    pub seed: Seed,
    /// Largest payload of a symbol, in bytes, at least 1.
    pub symbol_bytes: u32,
    /// When content starts.
    pub start: Instant,
    /// When it stops: nothing is created at or after it.
    pub stop: Instant,
    /// Start of the measuring window.
    pub measure_from: Instant,
    /// End of the measuring window (excluded).
    pub measure_to: Instant,
}

/// One symbol: the unit of content that a destination wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Symbol {
    /// Its number in the session's epoch, from 0.
    pub id: u64,
    /// The object that it is part of.
    pub object: u32,
    /// Which symbol of the object, from 0.
    pub index: u32,
    /// How many symbols the object has.
    pub count: u32,
    /// Payload bytes.
    pub len: u32,
    /// When its content was created.
    pub timestamp: Instant,
    /// Its payload.
    pub payload: Payload,
}

/// What a source has to say now.
#[derive(Clone, Debug, PartialEq)]
pub enum SourcePoll {
    /// A symbol that is due.
    Symbol(Symbol),
    /// Nothing before this time.
    WaitUntil(Instant),
    /// Nothing any more.
    Finished,
}

/// What a source counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceStats {
    /// Symbols made.
    pub symbols: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Objects begun.
    pub objects: u64,
    /// Symbols created in the measuring window.
    pub measured_symbols: u64,
    /// Their payload bytes.
    pub measured_bytes: u64,
    /// Objects created in the measuring window.
    pub measured_objects: u64,
    /// The ladder's level now, for adaptive content.
    pub level: Option<usize>,
    /// How often the level changed.
    pub level_changes: u64,
}

/// Makes the symbols of a session.
#[derive(Debug)]
pub struct Source {
    context: SourceContext,
    maker: Maker,
    lane: Lane,
    next_symbol: u64,
    next_object: u32,
    /// The object being cut up: (object, its symbols, symbols made, bytes left).
    current: Option<(Object, u32, u32, u64)>,
    stats: SourceStats,
}

#[derive(Debug)]
enum Maker {
    Objects(Objects),
    File(Box<FileSource>),
}

impl Source {
    /// Returns the source of `content`.
    ///
    /// # Panics
    /// If `context.symbol_bytes` is zero.
    #[must_use]
    pub fn new(content: &Content, context: SourceContext) -> Self {
        assert!(context.symbol_bytes > 0, "symbols have at least one byte");
        let maker = match (Objects::new(content, &context), content) {
            (None, Content::File { bytes, rate }) => {
                Maker::File(Box::new(FileSource::new(*bytes, *rate, &context)))
            }
            (Some(objects), _) => Maker::Objects(objects),
            (None, _) => unreachable!("only files are not made of objects"),
        };
        let lane = match content {
            Content::Messages { .. } | Content::File { .. } => Lane::Bulk,
            _ => Lane::Live,
        };
        Self {
            context,
            maker,
            lane,
            next_symbol: 0,
            next_object: 0,
            current: None,
            stats: SourceStats::default(),
        }
    }

    /// Returns the next symbol if it was created at or before `now`, else when to ask again. A source that is
    /// asked late gives the same symbols, with the same timestamps, as one that is asked in time.
    #[inline]
    pub fn poll(&mut self, now: Instant) -> SourcePoll {
        let symbol = match &mut self.maker {
            Maker::File(file) => match file.poll(now) {
                SourcePoll::Symbol(symbol) => symbol,
                other => return other,
            },
            Maker::Objects(objects) => {
                let (object, count, made, left) = match self.current {
                    Some(current) => current,
                    None => {
                        let object = objects.next();
                        let count = object.bytes.div_ceil(u64::from(self.context.symbol_bytes));
                        let count = u32::try_from(count).unwrap_or(u32::MAX);
                        *self.current.insert((object, count, 0, object.bytes))
                    }
                };
                if object.created >= self.context.stop {
                    return SourcePoll::Finished;
                }
                if object.created > now {
                    return SourcePoll::WaitUntil(object.created);
                }
                let len = left.min(u64::from(self.context.symbol_bytes)) as u32;
                let symbol = Symbol {
                    id: self.next_symbol,
                    object: self.next_object,
                    index: made,
                    count,
                    len,
                    timestamp: object.created,
                    payload: Payload::Synthetic(Synthetic {
                        key: self.context.key,
                        symbol: self.next_symbol,
                        offset: 0,
                        len,
                    }),
                };
                if made + 1 == count {
                    self.current = None;
                    self.next_object = self.next_object.wrapping_add(1);
                } else {
                    self.current = Some((object, count, made + 1, left - u64::from(len)));
                }
                symbol
            }
        };
        self.next_symbol += 1;
        self.count(&symbol);
        SourcePoll::Symbol(symbol)
    }

    /// Returns the lane that the content travels in.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Whether there is always a next symbol: the node asks only while the feeders have room.
    #[must_use]
    pub fn is_greedy(&self) -> bool {
        matches!(&self.maker, Maker::File(file) if file.is_greedy())
    }

    /// Notes that an overflow notice reached the source: adaptive content steps a level down.
    pub fn on_overflow(&mut self, now: Instant) {
        if let Maker::Objects(objects) = &mut self.maker {
            objects.on_overflow(now);
        }
    }

    /// Returns what was counted.
    #[must_use]
    pub fn stats(&self) -> SourceStats {
        let level = match &self.maker {
            Maker::Objects(objects) => objects.level(),
            Maker::File(_) => None,
        };
        SourceStats {
            level: level.map(|(level, _)| level),
            level_changes: level.map_or(0, |(_, changes)| changes),
            ..self.stats
        }
    }

    #[inline]
    fn count(&mut self, symbol: &Symbol) {
        let begins = u64::from(symbol.index == 0);
        self.stats.symbols += 1;
        self.stats.bytes += u64::from(symbol.len);
        self.stats.objects += begins;
        if self.context.measure_from <= symbol.timestamp && symbol.timestamp < self.context.measure_to {
            self.stats.measured_symbols += 1;
            self.stats.measured_bytes += u64::from(symbol.len);
            self.stats.measured_objects += begins;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::spec::{FrameTrace, Period, Playout, PlayoutMode, SizeDistribution, TraceFrame};
    use crate::time::Duration;
    use crate::units::BitRate;
    use std::sync::Arc;

    fn context() -> SourceContext {
        SourceContext {
            key: SessionKey::new(1, 1),
            epoch: 0,
            seed: Seed(3),
            symbol_bytes: 1_000,
            start: Instant::from_nanos(500),
            stop: Instant::from_nanos(u64::MAX / 2),
            measure_from: Instant::ZERO,
            measure_to: Instant::from_nanos(u64::MAX),
        }
    }

    fn mbps(n: u64) -> BitRate {
        BitRate::from_bps(n * 1_000_000).unwrap()
    }

    /// Polls in time: returns the first `n` symbols.
    fn symbols(source: &mut Source, n: usize) -> Vec<Symbol> {
        let mut now = Instant::ZERO;
        let mut symbols = Vec::new();
        while symbols.len() < n {
            match source.poll(now) {
                SourcePoll::Symbol(symbol) => symbols.push(symbol),
                SourcePoll::WaitUntil(at) => now = at,
                SourcePoll::Finished => break,
            }
        }
        symbols
    }

    fn trace(sizes: &[u32]) -> Arc<FrameTrace> {
        let frames = sizes.iter().enumerate().map(|(i, bytes)| TraceFrame { bytes: *bytes, key: i % 2 == 0 });
        let frame_interval = Duration::from_millis(40);
        Arc::new(FrameTrace { name: "test".into(), frame_interval, frames: frames.collect() })
    }

    const PLAYOUT: Playout = Playout { delay: Duration::from_millis(200), mode: PlayoutMode::Live };

    #[test]
    fn constant_rate_never_drifts() {
        // The i-th symbol is due at floor(i * 8,000 bit / 7 Mbit/s), over a million symbols.
        let content = Content::Constant { rate: mbps(7), phase: Duration::from_nanos(11) };
        let mut source = Source::new(&content, context());
        for (i, symbol) in symbols(&mut source, 1_000_000).iter().enumerate() {
            assert_eq!(symbol.timestamp.as_nanos(), 511 + i as u64 * 8_000_000 / 7);
        }
    }

    #[test]
    fn video_has_the_asked_mean_and_whole_frames() {
        let content = Content::Video { trace: trace(&[3_000, 100, 900, 1]), rate: mbps(3), playout: PLAYOUT };
        let mut source = Source::new(&content, context());
        let symbols = symbols(&mut source, 60_000);
        let whole = symbols.iter().rposition(|symbol| symbol.index + 1 == symbol.count).unwrap();
        let bytes: u64 = symbols[..=whole].iter().map(|symbol| u64::from(symbol.len)).sum();
        let frames = u64::from(symbols[whole].object + 1);
        // 3 Mbit/s and 40 ms: 15,000 bytes a frame in the mean over each four.
        let mean = (bytes as f64) / (frames / 4 * 4) as f64;
        assert!((mean / 15_000.0 - 1.0).abs() < 1e-3, "{mean}");
        for pair in symbols.windows(2) {
            let next_index = if pair[0].index + 1 == pair[0].count { 0 } else { pair[0].index + 1 };
            assert_eq!(pair[1].index, next_index);
            assert!(pair[0].len == 1_000 || pair[0].index + 1 == pair[0].count);
        }
    }

    #[test]
    fn adaptive_video_steps_down_on_overflow_and_up_when_quiet() {
        let content = Content::Adaptive {
            trace: trace(&[1_000, 1_000]),
            ladder: vec![mbps(1), mbps(2), mbps(4)],
            initial: 2,
            up_after: Duration::from_secs(5),
            playout: PLAYOUT,
        };
        let mut source = Source::new(&content, context());
        source.on_overflow(Instant::from_nanos(1_000));
        source.on_overflow(Instant::from_nanos(2_000));
        let mut levels = Vec::new();
        for symbol in symbols(&mut source, 20_000) {
            let second = symbol.timestamp.as_nanos() / 1_000_000_000;
            if levels.len() as u64 == second && symbol.index == 0 {
                levels.push(u64::from(symbol.count));
            }
        }
        // 2 Mbit/s is 10 symbols a frame; after five quiet seconds 4 Mbit/s, 20 symbols.
        assert_eq!(&levels[..8], &[10, 10, 10, 10, 10, 10, 20, 20]);
    }

    #[test]
    fn messages_arrive_as_a_poisson_process_with_the_asked_sizes() {
        // 10^6 messages; z = 4.5. Exponential sizes cut at `max` have mean m (1 - exp(-max / m)).
        let n = 1_000_000;
        let (mean, max) = (20_000.0_f64, 40_000.0_f64);
        let content = Content::Messages {
            mean_interval: Duration::from_millis(10),
            size: SizeDistribution::Exponential { mean: 20_000, max: 40_000 },
            deadline: Duration::from_secs(1),
        };
        let mut objects = Objects::new(&content, &context()).unwrap();
        let (mut last, mut gaps, mut squares, mut bytes) = (500.0, 0.0, 0.0, 0.0);
        for _ in 0..n {
            let object = objects.next();
            let gap = object.created.as_nanos() as f64 - last;
            last = object.created.as_nanos() as f64;
            gaps += gap / 1e7;
            squares += gap * gap / 1e14;
            bytes += object.bytes as f64;
        }
        let n = f64::from(n);
        assert!((gaps / n - 1.0).abs() < 4.5 / n.sqrt());
        assert!((squares / n - 2.0).abs() < 4.5 * 20_f64.sqrt() / n.sqrt());
        let expected = mean * (1.0 - (-max / mean).exp());
        assert!((bytes / n - expected).abs() < 4.5 * mean / n.sqrt() + 1.0, "{} {expected}", bytes / n);
    }

    #[test]
    fn log_normal_and_uniform_sizes() {
        let mut stream = Seed(1).stream("sizes");
        let mut draws = |size: SizeDistribution| {
            let content =
                Content::Messages { mean_interval: Duration::from_millis(1), size, deadline: Duration::ZERO };
            let seed = Seed(stream.next_u64());
            let mut objects = Objects::new(&content, &SourceContext { seed, ..context() }).unwrap();
            let mut sizes: Vec<u64> = (0..1_000_000).map(|_| objects.next().bytes).collect();
            sizes.sort_unstable();
            sizes
        };
        let uniform = draws(SizeDistribution::Uniform { min: 10, max: 19 });
        assert_eq!((uniform[0], uniform[999_999]), (10, 19));
        let log_normal = draws(SizeDistribution::LogNormal { median: 50_000, sigma: 1.0, max: 10_000_000 });
        // Half lie below the median: z = 4.5 of a binomial. One sigma up is e times the median.
        let below = log_normal.partition_point(|size| *size <= 50_000) as f64;
        assert!((below - 500_000.0).abs() < 4.5 * 500.0);
        let within =
            log_normal.partition_point(|size| *size as f64 <= 50_000.0 * core::f64::consts::E) as f64;
        assert!((within - 841_345.0).abs() < 4.5 * 400.0);
    }

    #[test]
    fn on_off_is_exact_within_fixed_periods() {
        // 8 Mbit/s and 1,000 bytes: one each millisecond; 3 ms on, 7 ms off.
        let content = Content::OnOff {
            rate: mbps(8),
            on: Period::Fixed(Duration::from_millis(3)),
            off: Period::Fixed(Duration::from_millis(7)),
        };
        let mut source = Source::new(&content, context());
        let times: Vec<u64> = symbols(&mut source, 7)
            .iter()
            .map(|symbol| (symbol.timestamp.as_nanos() - 500) / 1_000_000)
            .collect();
        assert_eq!(times, [0, 1, 2, 10, 11, 12, 20]);
    }

    #[test]
    fn late_polls_give_the_same_symbols_and_nothing_after_the_stop() {
        let content = Content::Messages {
            mean_interval: Duration::from_millis(10),
            size: SizeDistribution::Uniform { min: 1, max: 9_000 },
            deadline: Duration::ZERO,
        };
        let stop = Instant::from_nanos(2_000_000_000);
        let timely = symbols(&mut Source::new(&content, SourceContext { stop, ..context() }), 10_000);
        assert!(timely.len() < 10_000 && timely.iter().all(|symbol| symbol.timestamp < stop));
        let mut late = Source::new(&content, SourceContext { stop, ..context() });
        let later = Instant::from_nanos(3_000_000_000);
        for symbol in &timely {
            assert_eq!(late.poll(later), SourcePoll::Symbol(symbol.clone()));
        }
        assert_eq!(late.poll(later), SourcePoll::Finished);
        assert_eq!(late.stats().measured_symbols, timely.len() as u64);
    }

    #[test]
    fn epochs_draw_anew() {
        let content = Content::Messages {
            mean_interval: Duration::from_millis(10),
            size: SizeDistribution::Fixed(10),
            deadline: Duration::ZERO,
        };
        let first = |epoch| symbols(&mut Source::new(&content, SourceContext { epoch, ..context() }), 1);
        assert_ne!(first(0), first(1));
        assert_eq!(first(1), first(1));
    }
}
