//! On-off content: constant rate in alternating periods.

use super::pacing::Pacer;
use super::source::{Due, SourceContext};
use super::spec::Period;
use crate::rng::Stream;
use crate::time::{Duration, Instant};
use crate::units::BitRate;

/// Most periods that one poll walks through; only periods far shorter than a symbol need more polls.
const PERIODS_PER_POLL: u32 = 1_024;

/// Yields symbols at exact intervals of the time spent on; the clock of the symbols stands still while off.
///
/// So the mean rate while on is exact whatever the periods, also when they are no multiples of the interval.
#[derive(Debug)]
pub(super) struct OnOff {
    /// Due times on the clock that runs only while on.
    pacer: Pacer,
    on: Period,
    off: Period,
    /// Draws the lengths; `None` when they are all fixed. Boxed: a stream is some 300 bytes.
    periods: Option<Box<Stream>>,
    /// When the current (or coming) on period began; `None` past the end of representable time.
    begin: Option<Instant>,
    /// On time spent before it.
    spent: Duration,
    length: Duration,
}

impl OnOff {
    pub(super) fn new(rate: BitRate, on: Period, off: Period, context: &SourceContext) -> Self {
        let &SourceContext { key, epoch, seed, start, symbol_bytes, .. } = context;
        let drawn = [on, off].iter().any(|period| matches!(period, Period::Exponential(_)));
        let mut periods =
            drawn.then(|| Box::new(seed.stream_of(format_args!("session:{key}:{epoch}:periods"))));
        let length = on.draw(&mut periods);
        let pacer = Pacer::new(rate, symbol_bytes);
        Self { pacer, on, off, periods, begin: Some(start), spent: Duration::ZERO, length }
    }

    /// When the next symbol is due; walks through the periods that end before it.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        let Due::At(on_clock) = self.pacer.due() else { return Due::Never };
        let on_clock = Duration::from_nanos(on_clock.as_nanos());
        for _ in 0..PERIODS_PER_POLL {
            let Some(begin) = self.begin else { return Due::Never };
            let within = on_clock.saturating_sub(self.spent);
            if within < self.length {
                return begin.checked_add(within).map_or(Due::Never, Due::At);
            }
            // A period that is still to come need not be walked through yet.
            if begin > now {
                return Due::NotBefore(begin);
            }
            let off = self.off.draw(&mut self.periods);
            self.begin = begin.checked_add(self.length).and_then(|end| end.checked_add(off));
            self.spent += self.length;
            self.length = self.on.draw(&mut self.periods);
        }
        // The poll did its share: the rest a nanosecond later.
        now.checked_add(Duration::from_nanos(1)).map_or(Due::Never, Due::NotBefore)
    }

    /// Moves past the next symbol.
    pub(super) fn take(&mut self) {
        self.pacer.advance();
    }
}

impl Period {
    /// Returns the next length, at least a nanosecond so that time goes on.
    fn draw(self, periods: &mut Option<Box<Stream>>) -> Duration {
        let length = match (self, periods) {
            (Self::Fixed(length), _) => length,
            (Self::Exponential(mean), Some(stream)) => stream.exponential_span(mean),
            (Self::Exponential(_), None) => unreachable!("drawn periods have their stream"),
        };
        length.max(Duration::from_nanos(1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::{collect, context};
    use super::super::spec::Content;
    use super::*;

    #[test]
    fn fixed_periods_hold_symbols_at_exact_intervals() {
        // 1,200 bytes at 9.6 Mbit/s: one a millisecond. 2.5 ms on, 10 ms off: 0, 1, 2, then the third is due
        // half a millisecond into the second period.
        let context = context();
        let content = Content::OnOff {
            rate: BitRate::from_bps(9_600_000).unwrap(),
            on: Period::Fixed(Duration::from_micros(2_500)),
            off: Period::Fixed(Duration::from_millis(10)),
        };
        let symbols = collect(&content, context);
        let micros: Vec<u64> =
            symbols.iter().take(7).map(|s| (s.timestamp - context.start).as_nanos() / 1_000).collect();
        assert_eq!(micros, [0, 1_000, 2_000, 13_000, 14_000, 25_000, 26_000]);
    }

    #[test]
    fn exponential_periods_have_their_means() {
        // The share of time on over n = 10^6 periods is on / (on + off). Both sums have a relative error of
        // 1/sqrt(n), the ratio at most the sum of both.
        let (on, off) = (Duration::from_micros(300), Duration::from_micros(700));
        let mut onoff = OnOff::new(
            BitRate::from_bps(64_000_000).unwrap(),
            Period::Exponential(on),
            Period::Exponential(off),
            &context(),
        );
        let n = 1_000_000;
        let end = loop {
            match onoff.due(Instant::from_nanos(u64::MAX - 1)) {
                Due::At(at) if onoff.spent >= on.saturating_mul(n) => break at,
                Due::At(_) => onoff.take(),
                Due::NotBefore(_) => {}
                Due::Never => panic!("time does not end here"),
            }
        };
        let share = onoff.spent.as_secs_f64() / (end - context().start).as_secs_f64();
        assert!((share / 0.3 - 1.0).abs() < 4.5 * 2.0 / (n as f64).sqrt(), "share {share}");
    }

    #[test]
    fn periods_far_shorter_than_a_symbol_do_not_hang_a_poll() {
        let mut onoff = OnOff::new(
            BitRate::from_bps(1).unwrap(),
            Period::Fixed(Duration::ZERO),
            Period::Fixed(Duration::ZERO),
            &context(),
        );
        onoff.take();
        let now = context().start + Duration::from_secs(5);
        assert_eq!(onoff.due(now), Due::NotBefore(now + Duration::from_nanos(1)));
    }
}
