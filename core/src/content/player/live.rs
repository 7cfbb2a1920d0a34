//! A conference's player: each frame is shown a fixed delay after its creation, or not at all.

use super::super::sink::{Arrival, SinkContext};
use super::{Frame, Window};
use crate::time::{Duration, Instant};

/// Shows frame k at `timestamp_k + delay` if it is complete by then; otherwise the picture stands still for
/// one frame interval.
///
/// So the stall is (frames due - frames on time) * interval. How many were due follows from the numbers of
/// the first and the last frame of which anything came, and from the frame grid before and after them: the
/// part that counts on the grid is short, so that a drift between the clocks does not add up.
#[derive(Debug)]
pub(in crate::content) struct LivePlayer {
    interval: Duration,
    delay: Duration,
    window: Window,
    /// Creation of the earliest frame of which anything came.
    born: Option<Instant>,
    /// The earliest frame that was shown.
    shown: Option<Frame>,
    /// The first and last frame in the window of which anything came.
    low: Option<Frame>,
    high: Option<Frame>,
    on_time: u64,
    /// The latest time that the player was told of.
    now: Instant,
}

impl LivePlayer {
    pub(in crate::content) fn new(interval: Duration, delay: Duration, context: &SinkContext) -> Self {
        Self {
            // A trace without an interval has no frames.
            interval: interval.max(Duration::from_nanos(1)),
            delay,
            window: Window::new(context),
            born: None,
            shown: None,
            low: None,
            high: None,
            on_time: 0,
            now: Instant::ZERO,
        }
    }

    /// Takes note that something came of a frame.
    pub(in crate::content) fn on_seen(&mut self, now: Instant, arrival: &Arrival) {
        let &Arrival { object, timestamp, .. } = arrival;
        self.now = self.now.max(now);
        self.born = Some(self.born.map_or(timestamp, |born| born.min(timestamp)));
        if self.window.contains(timestamp) {
            let frame = Frame { object, timestamp };
            if self.low.is_none_or(|low| object < low.object) {
                self.low = Some(frame);
            }
            if self.high.is_none_or(|high| object > high.object) {
                self.high = Some(frame);
            }
        }
    }

    /// Judges a frame that is complete.
    pub(in crate::content) fn on_complete(&mut self, now: Instant, object: u32, timestamp: Instant) {
        if now.saturating_since(timestamp) > self.delay {
            return;
        }
        self.on_time += u64::from(self.window.contains(timestamp));
        if self.shown.is_none_or(|shown| object < shown.object) {
            self.shown = Some(Frame { object, timestamp });
        }
    }

    pub(in crate::content) fn finish(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Frames of the window that were shown.
    pub(in crate::content) fn on_time(&self) -> u64 {
        self.on_time
    }

    /// From the creation of the first frame of which anything came to the first display.
    pub(in crate::content) fn startup(&self) -> Option<Duration> {
        let (born, shown) = (self.born?, self.shown?);
        Some(shown.timestamp.saturating_since(born) + self.delay)
    }

    /// How long the picture stood still since the first display; frames still to be shown do not count.
    pub(in crate::content) fn stall(&self) -> Duration {
        let Some(shown) = self.shown else { return Duration::ZERO };
        self.interval.saturating_mul(self.due(shown).saturating_sub(self.on_time))
    }

    /// How many frames of the window were due, from the first one shown on.
    fn due(&self, shown: Frame) -> u64 {
        // Frames that are not due yet are not missing, unless a later one is there already.
        let end = self.now.saturating_sub(self.delay).min(self.window.to);
        let (Some(low), Some(high)) = (self.low, self.high) else {
            // Nothing came of the whole window: only the grid is left.
            let from = self.window.from.max(shown.timestamp);
            return end.saturating_since(from).as_nanos() / self.interval.as_nanos();
        };
        let after = end.saturating_since(high.timestamp).as_nanos().saturating_sub(1);
        let between = u64::from(high.object - low.object) + 1;
        let head = if shown.object >= low.object {
            // What was there before the first display was the start-up, not a stall.
            return between.saturating_sub(u64::from(shown.object - low.object))
                + after / self.interval.as_nanos();
        } else {
            low.timestamp.saturating_since(self.window.from.max(shown.timestamp)).as_nanos()
        };
        head / self.interval.as_nanos() + between + after / self.interval.as_nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{INTERVAL, created, frame, sink_context};
    use super::*;

    const DELAY: Duration = Duration::from_millis(200);

    fn player() -> LivePlayer {
        LivePlayer::new(INTERVAL, DELAY, &sink_context())
    }

    /// Feeds frames that are complete so many milliseconds after their creation; `None`: never seen.
    fn play(player: &mut LivePlayer, delays: impl IntoIterator<Item = (u32, Option<u64>)>) {
        let mut arrivals: Vec<_> = delays
            .into_iter()
            .filter_map(|(object, ms)| Some((created(object) + Duration::from_millis(ms?), object)))
            .collect();
        arrivals.sort();
        for (now, object) in arrivals {
            player.on_seen(now, &frame(object));
            player.on_complete(now, object, created(object));
        }
    }

    #[test]
    fn a_frame_is_on_time_up_to_its_deadline_and_not_after() {
        let mut player = player();
        player.on_complete(created(0) + DELAY, 0, created(0));
        player.on_complete(created(1) + DELAY + Duration::from_nanos(1), 1, created(1));
        assert_eq!(player.on_time(), 1);
    }

    #[test]
    fn smooth_play_has_no_stall() {
        let mut player = player();
        play(&mut player, (0..250).map(|object| (object, Some(50))));
        player.finish(sink_context().stop + Duration::from_secs(1));
        assert_eq!((player.on_time(), player.stall()), (250, Duration::ZERO));
        assert_eq!(player.startup(), Some(DELAY));
    }

    #[test]
    fn late_and_lost_frames_freeze_the_picture_for_their_durations() {
        // Frame 10 late, 20 to 24 lost, 30 and 31 swapped but on time.
        let mut player = player();
        let delays = (0..250).map(|object| match object {
            10 => (object, Some(201)),
            20..25 => (object, None),
            30 => (object, Some(150)),
            _ => (object, Some(50)),
        });
        play(&mut player, delays);
        player.finish(sink_context().stop + Duration::from_secs(1));
        assert_eq!((player.on_time(), player.stall()), (244, INTERVAL.saturating_mul(6)));
    }

    #[test]
    fn frames_missing_at_the_end_count_and_those_before_the_first_display_do_not() {
        // The first three are late: the start-up is longer. From frame 100 on nothing comes.
        let mut player = player();
        play(&mut player, (0..100).map(|object| (object, Some(if object < 3 { 300 } else { 20 }))));
        player.finish(sink_context().stop + Duration::from_secs(1));
        assert_eq!(player.startup(), Some(INTERVAL.saturating_mul(3) + DELAY));
        assert_eq!((player.on_time(), player.stall()), (97, INTERVAL.saturating_mul(150)));
    }

    #[test]
    fn a_window_counts_what_is_missing_at_its_edges() {
        // Seconds 1 to 4 of the session are measured: frames 25 to 99. Missing: 23 to 27 and 97 to 110.
        let context = sink_context();
        let second = |n| context.start + Duration::from_secs(n);
        let measured = SinkContext { measure_from: second(1), measure_to: second(4), ..context };
        let mut player = LivePlayer::new(INTERVAL, DELAY, &measured);
        let delays = (0..250).map(|object| {
            let missing = (23..28).contains(&object) || (97..111).contains(&object);
            (object, (!missing).then_some(50))
        });
        play(&mut player, delays);
        player.finish(second(11));
        assert_eq!((player.on_time(), player.stall()), (69, INTERVAL.saturating_mul(6)));
    }

    #[test]
    fn an_outage_over_the_whole_window_is_one_stall() {
        let context = sink_context();
        let second = |n| context.start + Duration::from_secs(n);
        let measured = SinkContext { measure_from: second(1), measure_to: second(4), ..context };
        let mut player = LivePlayer::new(INTERVAL, DELAY, &measured);
        play(&mut player, (0..20).map(|object| (object, Some(50))));
        player.finish(second(11));
        assert_eq!((player.on_time(), player.stall()), (0, Duration::from_secs(3)));
    }

    #[test]
    fn hostile_numbers_do_not_panic() {
        let mut player = player();
        for object in [u32::MAX, 0, 77] {
            player.on_seen(created(0), &Arrival { timestamp: created(5), ..frame(object) });
            player.on_complete(created(0), object, Instant::from_nanos(u64::MAX));
        }
        player.finish(Instant::from_nanos(u64::MAX));
        assert!(player.stall() > Duration::ZERO);
        assert!(player.startup().is_some());
    }
}
