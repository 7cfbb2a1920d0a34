//! The receiving half: puts the stream in order and decides when to acknowledge.

use super::options::Options;
use super::ranges::{Range, Ranges};
use super::segment::Segment;
use bellini_core::time::{Duration, Instant};

/// Longest wait of an acknowledgement (Linux's `TCP_DELACK_MIN`).
const DELAY: Duration = Duration::from_millis(40);
/// Segments answered at once when a connection starts, and after a duplicate (Linux's `TCP_MAX_QUICKACKS`).
const QUICK: u32 = 16;
/// Ranges remembered for acknowledgements.
const RECENT_MAX: usize = 4;

/// What a receiver counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    /// Segments with payload.
    pub segments: u64,
    /// Of these, all of whose payload had come before.
    pub duplicates: u64,
    /// Segments that came behind a hole.
    pub out_of_order: u64,
    /// Acknowledgements without payload.
    pub pure_acks: u64,
    /// Acknowledgements that waited for all of 40 ms.
    pub late_acks: u64,
}

/// The receiving half of an end.
#[derive(Clone, Debug)]
pub struct Receiver {
    delays: bool,
    mss: u64,
    window: u64,
    sack: bool,
    /// All before this came.
    next: u64,
    /// What came behind a hole.
    behind: Ranges,
    /// The ranges of it that changed last, the latest first.
    recent: Vec<Range>,
    duplicate: Option<Range>,
    /// `next` at the last acknowledgement.
    acknowledged: u64,
    /// Timestamp to answer.
    echo: Instant,
    quick: u32,
    is_due: bool,
    deadline: Option<Instant>,
    stats: ReceiverStats,
}

impl Receiver {
    /// Returns the half of a new connection.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self {
            delays: options.delayed_acks,
            mss: u64::from(options.mss),
            window: options.receive_window,
            sack: options.sack,
            next: 0,
            behind: Ranges::default(),
            recent: Vec::with_capacity(RECENT_MAX + 1),
            duplicate: None,
            acknowledged: 0,
            echo: Instant::ZERO,
            quick: QUICK,
            is_due: false,
            deadline: None,
            stats: ReceiverStats::default(),
        }
    }

    /// Returns the place up to which all has come.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Returns the counters.
    #[must_use]
    pub const fn stats(&self) -> ReceiverStats {
        self.stats
    }

    /// Takes a segment in.
    pub fn on_segment(&mut self, now: Instant, segment: &Segment) {
        // Of two segments that one acknowledgement answers, the first is measured (RFC 7323, 4.3).
        if segment.seq <= self.acknowledged && segment.timestamp >= self.echo {
            self.echo = segment.timestamp;
        }
        if segment.len == 0 {
            return;
        }
        self.stats.segments += 1;
        let range = Range::new(segment.seq, segment.end());
        if range.end > self.next + self.window {
            self.is_due = true;
        } else if range.end <= self.next || self.behind.contains(range) {
            self.stats.duplicates += 1;
            self.duplicate = Some(range);
            self.quick = self.quick.max(QUICK);
            self.is_due = true;
        } else if range.start <= self.next {
            self.on_next(now, range);
        } else {
            self.stats.out_of_order += 1;
            self.on_behind(range);
        }
    }

    /// More of the stream is in order.
    fn on_next(&mut self, now: Instant, range: Range) {
        let had_hole = !self.behind.is_empty();
        self.next = range.end;
        if had_hole {
            if let Some(first) = self.behind.first().filter(|first| first.start <= self.next) {
                self.next = self.next.max(first.end);
            }
            self.behind.remove_before(self.next);
            self.recent.retain(|recent| recent.end > self.next);
        }
        // The second full segment is answered, and whatever fills a hole.
        let is_second = self.next - self.acknowledged > self.mss;
        if had_hole || is_second || self.quick > 0 || !self.delays {
            self.is_due = true;
        } else if self.deadline.is_none() {
            self.deadline = Some(now + DELAY);
        }
    }

    fn on_behind(&mut self, range: Range) {
        let merged = self.behind.insert(range);
        self.recent.retain(|recent| !merged.contains(*recent));
        self.recent.insert(0, merged);
        self.recent.truncate(RECENT_MAX);
        self.is_due = true;
    }

    /// Whether an acknowledgement is due.
    #[must_use]
    pub const fn is_due(&self) -> bool {
        self.is_due
    }

    /// Has the next segment acknowledge at once.
    pub fn acknowledge_now(&mut self) {
        self.is_due = true;
    }

    /// Returns when an acknowledgement is due at the latest.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Lets time pass.
    pub fn on_timer(&mut self, now: Instant) {
        if self.deadline.is_some_and(|at| at <= now) {
            self.stats.late_acks += 1;
            self.deadline = None;
            self.is_due = true;
        }
    }

    /// Returns how many ranges the next acknowledgement will name, and so what they take of a segment.
    #[must_use]
    pub fn sack_count(&self) -> u32 {
        let ranges = usize::from(self.duplicate.is_some()) + self.recent.len();
        if self.sack { ranges.min(3) as u32 } else { 0 }
    }

    /// Has a segment that is sent now carry the acknowledgement.
    pub fn acknowledge(&mut self, segment: &mut Segment) {
        segment.ack = self.next;
        segment.window = self.window;
        segment.echo = self.echo;
        let duplicate = self.duplicate.take();
        if self.sack {
            duplicate
                .into_iter()
                .chain(self.recent.iter().copied())
                .for_each(|range| segment.push_sack(range));
        }
        self.acknowledged = self.next;
        self.quick = self.quick.saturating_sub(1);
        self.is_due = false;
        self.deadline = None;
        self.stats.pure_acks += u64::from(segment.len == 0);
    }
}
