//! A player at a destination: which frames are shown on time, and how long the picture stands still.
//!
//! *Live* (a conference): a frame is due `delay` after its creation. One that is not whole by then is skipped, and
//! the picture stands still for one frame interval. *Stream*: the player starts `delay` after the first whole
//! frame and shows frame after frame; when the next one is missing it waits for it, and everything later is shown
//! later. A frame that is still missing `delay` after it was due while a later one is whole is given up.
//! Frames are judged alone: what a codec could not decode for want of another frame is not modelled.

use crate::content::sink::SinkContext;
use crate::content::spec::{Playout, PlayoutMode};
use crate::time::{Duration, Instant};
use std::collections::BTreeMap;

/// Whole frames that a stream player keeps waiting; beyond it the missing one is given up at once.
const BUFFERED_FRAMES_MAX: usize = 1_024;

/// Judges frames as they become whole.
#[derive(Debug)]
pub(super) struct Player {
    playout: Playout,
    frame_interval: Duration,
    start: Instant,
    /// Frames created in the measuring window, by the clock.
    measured_frames: u64,
    /// Of frames created in the measuring window: whole ones.
    pub(super) complete: u64,
    /// Shown when due.
    pub(super) on_time: u64,
    /// Time in which the picture stood still.
    pub(super) stall: Duration,
    /// From the session's start to the first picture.
    pub(super) startup: Option<Duration>,
    stream: Option<StreamPlayer>,
}

#[derive(Debug)]
struct StreamPlayer {
    /// The frame to show next.
    head: u32,
    /// When it is due.
    due: Instant,
    /// Whole frames from `head` on: when they became so, and whether they are measured.
    whole: BTreeMap<u32, (Instant, bool)>,
}

impl Player {
    pub(super) fn new(playout: Playout, frame_interval: Duration, context: &SinkContext) -> Self {
        let from = context.measure_from.max(context.start);
        let to = context.measure_to.min(context.stop);
        let interval = frame_interval.as_nanos().max(1);
        // Frame i is created at start + i interval; count those in [from, to).
        let before = |at: Instant| at.saturating_since(context.start).as_nanos().div_ceil(interval);
        Self {
            playout,
            frame_interval,
            start: context.start,
            measured_frames: if from < to { before(to) - before(from) } else { 0 },
            complete: 0,
            on_time: 0,
            stall: Duration::ZERO,
            startup: None,
            stream: None,
        }
    }

    /// Takes frame `frame`, created at `created`, that became whole at `now`.
    pub(super) fn on_frame(&mut self, now: Instant, frame: u32, created: Instant, measured: bool) {
        self.complete += u64::from(measured);
        match self.playout.mode {
            PlayoutMode::Live => {
                let due = created + self.playout.delay;
                if now <= due {
                    self.on_time += u64::from(measured);
                    self.startup.get_or_insert(due.saturating_since(self.start));
                }
            }
            PlayoutMode::Stream => {
                let delay = self.playout.delay;
                let stream = self.stream.get_or_insert_with(|| StreamPlayer {
                    head: frame,
                    due: now + delay,
                    whole: BTreeMap::new(),
                });
                // What comes before the head was given up, or lies before the first picture.
                if frame >= stream.head {
                    stream.whole.insert(frame, (now, measured));
                }
                self.play(now);
            }
        }
    }

    /// Shows what is due by `now`.
    fn play(&mut self, now: Instant) {
        let Some(stream) = &mut self.stream else { return };
        loop {
            if let Some((whole_at, measured)) = stream.whole.get(&stream.head).copied() {
                let shown = stream.due.max(whole_at);
                if shown > now {
                    return;
                }
                stream.whole.remove(&stream.head);
                let waited = shown - stream.due;
                self.startup.get_or_insert(shown.saturating_since(self.start));
                if measured {
                    self.on_time += u64::from(waited.is_zero());
                    self.stall += waited;
                }
                stream.due = shown + self.frame_interval;
            } else {
                let patience = stream.due + self.playout.delay;
                let overfull = stream.whole.len() > BUFFERED_FRAMES_MAX;
                let Some((&next, &(_, measured))) = stream.whole.first_key_value() else { return };
                if now < patience && !overfull {
                    return;
                }
                // The next frame that is there is shown instead; until now the picture stood still.
                let given_up = if overfull { stream.due.max(now).min(patience) } else { patience };
                if measured {
                    self.stall += given_up - stream.due;
                }
                stream.due = given_up;
                stream.head = next;
                continue;
            }
            stream.head = stream.head.saturating_add(1);
        }
    }

    /// Judges what is left at the end of the run.
    pub(super) fn finish(&mut self, now: Instant) {
        match self.playout.mode {
            PlayoutMode::Live => {
                let missed = self.measured_frames.saturating_sub(self.on_time);
                self.stall = self.frame_interval.saturating_mul(missed);
            }
            PlayoutMode::Stream => self.play(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionKey;
    use crate::rng::Seed;

    const MS: u64 = 1_000_000;

    fn player(mode: PlayoutMode, delay_ms: u64) -> Player {
        let context = SinkContext {
            key: SessionKey::new(1, 1),
            seed: Seed(1),
            symbol_bytes: 1_000,
            start: Instant::ZERO,
            stop: Instant::from_nanos(400 * MS),
            measure_from: Instant::ZERO,
            measure_to: Instant::from_nanos(u64::MAX),
            verify: false,
        };
        let playout = Playout { delay: Duration::from_millis(delay_ms), mode };
        Player::new(playout, Duration::from_millis(40), &context)
    }

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * MS)
    }

    #[test]
    fn live_frames_are_on_time_or_freeze_the_picture() {
        // Ten frames of 40 ms, due 100 ms after creation: one lost, one late, the others after 60 ms.
        let mut player = player(PlayoutMode::Live, 100);
        for frame in (0..10_u32).filter(|frame| *frame != 3) {
            let created = u64::from(frame) * 40;
            let delay = if frame == 5 { 101 } else { 60 };
            player.on_frame(at(created + delay), frame, at(created), true);
        }
        player.finish(at(1_000));
        assert_eq!((player.complete, player.on_time), (9, 8));
        assert_eq!(player.stall, Duration::from_millis(80));
        assert_eq!(player.startup, Some(Duration::from_millis(100)));
    }

    #[test]
    fn a_stream_player_waits_for_a_late_frame_and_plays_on_later() {
        // First frame whole at 50 ms, playing from 150 ms. Frame 2 (due 230 ms) comes at 300 ms.
        let mut player = player(PlayoutMode::Stream, 100);
        for (frame, whole) in [(0, 50), (1, 90), (3, 170), (4, 210), (2, 300)] {
            player.on_frame(at(whole), frame, at(u64::from(frame) * 40), true);
        }
        player.finish(at(1_000));
        assert_eq!(player.startup, Some(Duration::from_millis(150)));
        assert_eq!(player.stall, Duration::from_millis(70));
        assert_eq!((player.complete, player.on_time), (5, 4));
    }

    #[test]
    fn a_stream_player_gives_a_lost_frame_up_after_its_patience() {
        let mut player = player(PlayoutMode::Stream, 100);
        for (frame, whole) in [(0, 50), (2, 130), (3, 170)] {
            player.on_frame(at(whole), frame, at(u64::from(frame) * 40), true);
        }
        player.finish(at(2_000));
        // Frame 1 was due at 190 ms and given up at 290 ms; then frames 2 and 3 are shown at once and on time.
        assert_eq!(player.stall, Duration::from_millis(100));
        assert_eq!((player.complete, player.on_time), (3, 3));
    }
}
