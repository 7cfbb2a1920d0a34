//! Whether the application limited the rate in a report's interval (RFC 5348 section 8.2.1).

/// A moment on the sender's clock in microseconds: the grain of the timestamps that come back.
pub(super) type Micros = i64;

/// Remembers two moments at which the sender had sent all that it was allowed to.
///
/// Two are enough: one after what the last report covered, and one after the last report came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limited {
    first: Micros,
    second: Micros,
    /// When the newest frame of the last report was sent (`t_new`), and when that report came (`t_next`).
    sent: Micros,
    reported: Micros,
}

impl Limited {
    pub(super) const fn new() -> Self {
        Self { first: Micros::MIN, second: Micros::MIN, sent: Micros::MIN, reported: Micros::MIN }
    }

    /// The sender has sent all it was allowed to.
    pub(super) fn on_not_limited(&mut self, now: Micros) {
        if self.first <= self.sent {
            self.first = now;
        } else if self.second <= self.reported {
            self.second = now;
        }
    }

    /// A report came whose newest frame was sent at `sent`. Returns whether the round trip up to there was limited by
    /// the data all along.
    pub(super) fn on_feedback(&mut self, now: Micros, sent: Micros, rtt: Micros) -> bool {
        self.sent = sent;
        self.reported = now;
        let covered = sent.saturating_sub(rtt)..sent;
        // Open at the old end, closed at the new.
        let is_covered = |at: Micros| at > covered.start && at <= covered.end;
        let is_data_limited = !is_covered(self.first) && !is_covered(self.second);
        if self.first <= sent && sent < self.second {
            self.first = self.second;
        }
        is_data_limited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sender that never exhausts its allowance is limited by its data.
    #[test]
    fn section_8_2_1_never_exhausted() {
        let mut limited = Limited::new();
        assert!(limited.on_feedback(100, 50, 100));
        assert!(limited.on_feedback(200, 150, 100));
    }

    /// The interval is (sent - R, sent].
    #[test]
    fn section_8_2_1_the_interval_of_a_report() {
        for (at, is_data_limited) in [(50, true), (51, false), (150, false), (151, true)] {
            let mut limited = Limited::new();
            limited.on_not_limited(at);
            assert_eq!(limited.on_feedback(200, 150, 100), is_data_limited, "at {at}");
        }
    }

    /// The first moment after what was covered, and the first after the report: both are kept, the second moves up.
    #[test]
    fn section_8_2_1_two_moments() {
        let mut limited = Limited::new();
        limited.on_not_limited(10);
        limited.on_not_limited(20);
        assert_eq!((limited.first, limited.second), (10, 20));
        limited.on_not_limited(30);
        assert_eq!((limited.first, limited.second), (10, 20), "both are taken");
        assert!(!limited.on_feedback(100, 15, 100));
        assert_eq!(limited.first, 20, "it is after what was covered");
        limited.on_not_limited(110);
        assert_eq!((limited.first, limited.second), (20, 110));
        assert!(!limited.on_feedback(200, 105, 100), "20 is");
        assert_eq!(limited.first, 110);
        assert!(limited.on_feedback(300, 215, 100), "110 is 5 too early");
    }
}
