//! A stream's player: it fills a buffer, plays, and waits when the next frame is not there.

use super::super::sink::{Arrival, SinkContext};
use super::{Frame, Window};
use crate::time::{Duration, Instant};
use std::collections::VecDeque;

/// Most frames that wait behind a missing one; beyond it the missing one is given up.
const BUFFER_MAX: usize = 1_024;

/// Plays frames in order, each once, one interval apart.
///
/// With c_k the time at which frame k was complete and p_k its slot, the time at which it is due:
///
/// - Play begins with the first frame f that is complete, at `p_f = c_f + delay`.
/// - Frame k is shown at `d_k = max(p_k, c_k)`; the player stood still for `d_k - p_k`, and `p_(k+1) = d_k +
///   interval`. It is on time if `d_k = p_k`.
/// - A frame that is not there is given up at `g = max(p_k, c + delay)`, c being the first time at which any
///   later frame was complete: it had the time of a whole buffer to be overtaken. Then the player goes on
///   with the first frame j that is complete, `p_j = max(g, p_k + (j - k) * interval)`, and stood still for
///   `p_j - p_k`. So a lost frame alone costs one interval, and an outage its length.
#[derive(Debug)]
pub(in crate::content) struct StreamPlayer {
    interval: Duration,
    delay: Duration,
    window: Window,
    /// The end of the session.
    stop: Instant,
    /// Creation of the earliest frame of which anything came before play began.
    born: Option<Instant>,
    begin: Option<Instant>,
    /// The frame that is played next; `None` before play begins.
    next: Option<Slot>,
    /// The latest frame of which anything came.
    last: Option<Frame>,
    /// Complete frames after a missing one, by number.
    waiting: VecDeque<Waiting>,
    on_time: u64,
    stall: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    object: u32,
    at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    frame: Frame,
    complete: Instant,
}

impl StreamPlayer {
    pub(in crate::content) fn new(interval: Duration, delay: Duration, context: &SinkContext) -> Self {
        Self {
            interval: interval.max(Duration::from_nanos(1)),
            delay,
            window: Window::new(context),
            stop: context.stop,
            born: None,
            begin: None,
            next: None,
            last: None,
            waiting: VecDeque::new(),
            on_time: 0,
            stall: Duration::ZERO,
        }
    }

    /// Takes note that something came of a frame.
    pub(in crate::content) fn on_seen(&mut self, arrival: &Arrival) {
        let &Arrival { object, timestamp, .. } = arrival;
        if self.next.is_none() {
            self.born = Some(self.born.map_or(timestamp, |born| born.min(timestamp)));
        }
        if self.last.is_none_or(|last| object > last.object) {
            self.last = Some(Frame { object, timestamp });
        }
    }

    /// Takes a frame that is complete.
    pub(in crate::content) fn on_complete(&mut self, now: Instant, object: u32, timestamp: Instant) {
        let next = match self.next {
            Some(next) => next,
            None => {
                let at = plus(now, self.delay);
                self.begin = Some(at);
                Slot { object, at }
            }
        };
        self.next = Some(next);
        // What was given up before this frame came is settled first.
        self.give_up_until(now);
        let next = self.next.expect("play has begun");
        if object < next.object {
            return;
        }
        let place = self.waiting.partition_point(|waiting| waiting.frame.object < object);
        if self.waiting.get(place).is_some_and(|waiting| waiting.frame.object == object) {
            return;
        }
        self.waiting.insert(place, Waiting { frame: Frame { object, timestamp }, complete: now });
        self.play();
        if self.waiting.len() > BUFFER_MAX {
            self.give_up(now);
        }
    }

    pub(in crate::content) fn finish(&mut self, now: Instant) {
        self.give_up_until(now);
        let Some(next) = self.next else { return };
        let stood = now.saturating_since(next.at);
        // Frames that the source made and that never came: from the grid after the last one seen.
        let starved = match (self.waiting.front(), self.last) {
            (Some(gap), _) if self.window.contains(gap.frame.timestamp) => stood,
            (None, Some(last)) => {
                let ahead = self.interval.saturating_mul(u64::from(next.object.saturating_sub(last.object)));
                let created = plus(last.timestamp, ahead);
                // What is missing cannot have taken longer to play than it took to make.
                let content = self.window.to.min(self.stop).saturating_since(created);
                if self.window.contains(created) { stood.min(content) } else { Duration::ZERO }
            }
            _ => Duration::ZERO,
        };
        self.stall = longer(self.stall, starved);
        // A second call finds nothing left to judge.
        self.next = Some(Slot { at: next.at.max(now), ..next });
    }

    /// Frames of the window that were shown in their slot.
    pub(in crate::content) fn on_time(&self) -> u64 {
        self.on_time
    }

    /// How long the player stood still since play began, for frames of the window (a gap counts with the
    /// frame after it).
    pub(in crate::content) fn stall(&self) -> Duration {
        self.stall
    }

    /// From the creation of the first frame of which anything came to the first display.
    pub(in crate::content) fn startup(&self) -> Option<Duration> {
        Some(self.begin?.saturating_since(self.born?))
    }

    /// Plays all frames that are there in order.
    fn play(&mut self) {
        while let (Some(next), Some(&first)) = (self.next, self.waiting.front()) {
            if first.frame.object != next.object {
                break;
            }
            self.waiting.pop_front();
            let shown = next.at.max(first.complete);
            if self.window.contains(first.frame.timestamp) {
                self.on_time += u64::from(shown == next.at);
                self.stall = longer(self.stall, shown.saturating_since(next.at));
            }
            self.next = Some(Slot { object: next.object.saturating_add(1), at: plus(shown, self.interval) });
        }
    }

    /// Gives up all gaps whose time had run out by `now`.
    fn give_up_until(&mut self, now: Instant) {
        while let (Some(next), Some(overtaken)) = (self.next, self.overtaken_at()) {
            let at = plus(overtaken, self.delay).max(next.at);
            if at > now {
                break;
            }
            self.give_up(at);
        }
    }

    /// Skips the gap before the first waiting frame at `at`, and plays what follows it.
    fn give_up(&mut self, at: Instant) {
        let (Some(next), Some(first)) = (self.next, self.waiting.front()) else { return };
        let skipped = u64::from(first.frame.object.saturating_sub(next.object));
        let slot = plus(next.at, self.interval.saturating_mul(skipped)).max(at);
        if self.window.contains(first.frame.timestamp) {
            self.stall = longer(self.stall, slot.saturating_since(next.at));
        }
        self.next = Some(Slot { object: first.frame.object, at: slot });
        self.play();
    }

    /// When the first of the frames was complete that wait behind the gap.
    fn overtaken_at(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.complete).min()
    }
}

/// Returns `at + span`, or the end of representable time: arrivals may carry any timestamp and number.
fn plus(at: Instant, span: Duration) -> Instant {
    at.checked_add(span).unwrap_or(Instant::from_nanos(u64::MAX))
}

/// Returns `a + b`, or the longest representable span.
fn longer(a: Duration, b: Duration) -> Duration {
    Duration::from_nanos(a.as_nanos().saturating_add(b.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{INTERVAL, created, frame, sink_context};
    use super::*;

    const BUFFER: Duration = Duration::from_millis(1_000);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Plays frames that are complete so many milliseconds after their creation (`None`: lost), to the end.
    fn play(delays: impl IntoIterator<Item = (u32, Option<u64>)>) -> StreamPlayer {
        let mut player = StreamPlayer::new(INTERVAL, BUFFER, &sink_context());
        let mut arrivals: Vec<_> = delays
            .into_iter()
            .filter_map(|(object, late)| Some((created(object) + ms(late?), object)))
            .collect();
        arrivals.sort();
        for (now, object) in arrivals {
            player.on_seen(&frame(object));
            player.on_complete(now, object, created(object));
        }
        player.finish(sink_context().stop + Duration::from_secs(20));
        player
    }

    #[test]
    fn smooth_play_starts_after_the_buffer_and_never_stalls() {
        let player = play((0..250).map(|object| (object, Some(30))));
        assert_eq!(player.startup(), Some(ms(30) + BUFFER));
        assert_eq!((player.on_time(), player.stall()), (250, Duration::ZERO));
    }

    #[test]
    fn jitter_within_the_buffer_is_not_seen() {
        // Up to a second late, in any order.
        let player = play((0..250).map(|object| (object, Some(30 + u64::from(object * 7_919 % 970)))));
        assert_eq!((player.on_time(), player.stall()), (250, Duration::ZERO));
    }

    #[test]
    fn a_delayed_frame_is_waited_for_and_all_after_it_play_later() {
        // From frame 100 on everything is 2.5 s later than before: the buffer covers one second of it, the
        // player waits for 1.5 s once, and only frame 100 was not in its slot.
        let player = play((0..250).map(|object| (object, Some(if object < 100 { 30 } else { 2_530 }))));
        assert_eq!((player.on_time(), player.stall()), (249, ms(1_500)));
    }

    #[test]
    fn a_lost_frame_costs_its_own_duration() {
        let player = play((0..250).map(|object| (object, (object != 100).then_some(30))));
        assert_eq!((player.on_time(), player.stall()), (249, INTERVAL));
        let player = play((0..250).map(|object| (object, (!(100..110).contains(&object)).then_some(30))));
        assert_eq!((player.on_time(), player.stall()), (240, INTERVAL.saturating_mul(10)));
    }

    #[test]
    fn an_outage_costs_its_length_and_the_refilled_buffer_waits_no_longer() {
        // Frames 50 to 149 (4 s) are lost. At slot 50 (3.03 s after the start) nothing is there. Frame 150 is
        // complete at 6.03 s, and given a buffer's time to be overtaken: slot 150 is 7.03 s, which is where
        // it was anyway.
        let player = play((0..250).map(|object| (object, (!(50..150).contains(&object)).then_some(30))));
        assert_eq!((player.on_time(), player.stall()), (150, ms(4_000)));
        // If the way is 2.5 s longer afterwards, the player waits for that as well.
        let player = play(
            (0..250)
                .filter(|object| !(50..150).contains(object))
                .map(|object| (object, Some(if object < 50 { 30 } else { 2_530 }))),
        );
        assert_eq!((player.on_time(), player.stall()), (150, ms(6_500)));
    }

    #[test]
    fn a_frame_that_comes_after_it_was_given_up_is_not_shown() {
        // Overtaken by frame 11 at 470 ms + buffer: 1.47 s. At 1.48 s it is too late.
        let slow = |late| play((0..250).map(|object| (object, Some(if object == 10 { late } else { 30 }))));
        // Frame 10 is created at 400 ms and due at 1,430 ms, given up at 1,470 ms.
        let waited = slow(1_060);
        assert_eq!((waited.on_time(), waited.stall()), (249, ms(30)));
        let given_up = slow(1_080);
        assert_eq!((given_up.on_time(), given_up.stall()), (249, INTERVAL));
    }

    #[test]
    fn starving_at_the_end_is_a_stall_as_long_as_what_is_missing() {
        // The last 100 frames (4 s) never come.
        let player = play((0..150).map(|object| (object, Some(30))));
        assert_eq!((player.on_time(), player.stall()), (150, ms(4_000)));
        // A run that ends before the missing content would have been played counts only until then.
        let mut player = StreamPlayer::new(INTERVAL, BUFFER, &sink_context());
        player.on_seen(&frame(0));
        player.on_complete(created(0), 0, created(0));
        player.finish(created(0) + BUFFER + INTERVAL + ms(5));
        assert_eq!(player.stall(), ms(5));
    }

    #[test]
    fn only_frames_of_the_window_are_judged() {
        let context = sink_context();
        let second = |n| context.start + Duration::from_secs(n);
        let measured = SinkContext { measure_from: second(1), measure_to: second(4), ..context };
        let mut player = StreamPlayer::new(INTERVAL, BUFFER, &measured);
        for object in (0..250).filter(|object| ![10, 50, 51, 120].contains(object)) {
            player.on_seen(&frame(object));
            player.on_complete(created(object) + ms(30), object, created(object));
        }
        player.finish(second(12));
        // Frames 25 to 99, without the two lost ones.
        assert_eq!((player.on_time(), player.stall()), (73, INTERVAL.saturating_mul(2)));
    }

    #[test]
    fn hostile_numbers_neither_panic_nor_grow_the_buffer() {
        let mut player = StreamPlayer::new(INTERVAL, BUFFER, &sink_context());
        player.on_complete(created(0), 5, created(0));
        for object in 0..10_000_u32 {
            let far = object.wrapping_mul(2_654_435_761);
            player.on_complete(created(1), far, Instant::from_nanos(u64::MAX));
            assert!(player.waiting.len() <= BUFFER_MAX);
        }
        player.on_complete(Instant::from_nanos(u64::MAX), u32::MAX, created(0));
        player.finish(Instant::from_nanos(u64::MAX));
    }
}
