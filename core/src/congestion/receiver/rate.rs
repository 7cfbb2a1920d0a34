//! The receive rate (RFC 5348 section 6.2, step 2).

use crate::time::{Duration, Instant};

/// Moments that are remembered. Those that are needed span one round trip; reports come about once in one.
const MARKS: usize = 16;

/// Over what the rate is taken while no frame tells a round trip: the sender sends one frame a second then.
const WITHOUT_RTT: Duration = Duration::from_secs(1);

/// Counts bytes, and remembers the count at past expiries of the feedback timer.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReceiveRate {
    bytes: u64,
    marks: [(Instant, u64); MARKS],
    count: usize,
}

impl ReceiveRate {
    pub(super) const fn new() -> Self {
        Self { bytes: 0, marks: [(Instant::ZERO, 0); MARKS], count: 0 }
    }

    pub(super) fn on_bytes(&mut self, bytes: u32) {
        self.bytes = self.bytes.saturating_add(u64::from(bytes));
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Remembers now as an end of an interval, and forgets what is not needed for intervals of `rtt`.
    pub(super) fn mark(&mut self, now: Instant, rtt: Duration) {
        let rtt = if rtt.is_zero() { WITHOUT_RTT } else { rtt };
        let old = now.saturating_sub(rtt);
        // One mark must be a round trip back, the newest such is enough.
        let spare = self.marks[..self.count].iter().skip(1).take_while(|(at, _)| *at <= old).count();
        self.marks.copy_within(spare..self.count, 0);
        self.count -= spare;
        if self.count == MARKS {
            self.marks.copy_within(2.., 1);
            self.count -= 1;
        }
        self.marks[self.count] = (now, self.bytes);
        self.count += 1;
    }

    /// Returns the rate in bytes a second over the last `rtt`, or back to the latest mark at least that long ago. Never
    /// over less: the bytes of a moment would be taken for a rate.
    pub(super) fn measure(&self, now: Instant, rtt: Duration) -> u64 {
        let rtt = if rtt.is_zero() { WITHOUT_RTT } else { rtt };
        let old = now.saturating_sub(rtt);
        let marks = &self.marks[..self.count];
        let Some((oldest, _)) = marks.first() else { return 0 };
        let index = marks.iter().rposition(|(at, _)| *at <= old).unwrap_or(0);
        let (since, bytes) = marks[index];
        let is_quiet = marks.get(index + 1).is_some_and(|(_, later)| *later == bytes);
        // Nothing came until the next mark, so that the interval can start later.
        let elapsed =
            if *oldest > old || is_quiet { rtt } else { now.saturating_since(since).max(rtt) }.as_nanos();
        let per_second = u128::from(self.bytes - bytes) * 1_000_000_000 / u128::from(elapsed);
        u64::try_from(per_second).unwrap_or(u64::MAX)
    }
}
