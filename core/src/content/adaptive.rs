//! Adaptive bitrate: video that climbs and descends a ladder of rates.

use super::source::Due;
use super::spec::FrameTrace;
use super::video::Video;
use crate::time::{Duration, Instant};
use crate::units::BitRate;
use std::sync::Arc;

/// Overflow notices come in bursts, one for each queue and interval: this long one burst counts once.
const DOWN_INTERVAL: Duration = Duration::from_secs(1);

/// Video at the rate of the current level; levels change at key frames only.
#[derive(Debug)]
pub(super) struct Adaptive {
    video: Video,
    ladder: Vec<BitRate>,
    level: usize,
    /// Level for the next key frame, as far as overflow demands; never above `level`.
    wanted: usize,
    up_after: Duration,
    /// Since when there was neither an overflow nor a step up.
    quiet_since: Instant,
    last_down: Option<Instant>,
    changes: u64,
}

impl Adaptive {
    pub(super) fn new(
        trace: &Arc<FrameTrace>,
        ladder: &[BitRate],
        initial: usize,
        up_after: Duration,
        start: Instant,
    ) -> Self {
        let level = initial.min(ladder.len().saturating_sub(1));
        // A scenario's ladder has a level; without one there is nothing to send, at the lowest rate there is.
        let lowest = BitRate::from_bps(1).expect("one is not zero");
        let video = Video::new(trace, ladder.get(level).copied().unwrap_or(lowest), start);
        let ladder = ladder.to_vec();
        Self {
            video,
            ladder,
            level,
            wanted: level,
            up_after,
            quiet_since: start,
            last_down: None,
            changes: 0,
        }
    }

    pub(super) fn due(&self) -> Due {
        if self.ladder.is_empty() { Due::Never } else { self.video.due() }
    }

    /// Moves past the frame that is due at `at` and returns its size in bytes.
    pub(super) fn take(&mut self, at: Instant) -> u64 {
        if self.video.at_key_frame() {
            self.choose_level(at);
        }
        self.video.take()
    }

    pub(super) fn on_overflow(&mut self, now: Instant) {
        self.quiet_since = self.quiet_since.max(now);
        if self.last_down.is_none_or(|last| now.saturating_since(last) >= DOWN_INTERVAL) {
            self.last_down = Some(now);
            self.wanted = self.wanted.saturating_sub(1);
        }
    }

    pub(super) fn level(&self) -> usize {
        self.level
    }

    pub(super) fn level_changes(&self) -> u64 {
        self.changes
    }

    fn choose_level(&mut self, at: Instant) {
        let quiet = at.saturating_since(self.quiet_since);
        if self.wanted == self.level && self.level + 1 < self.ladder.len() && quiet >= self.up_after {
            self.wanted = self.level + 1;
            // The next step needs a quiet time of its own: one level must prove itself before the next.
            self.quiet_since = at;
        }
        if self.wanted != self.level {
            self.level = self.wanted;
            self.changes += 1;
            self.video.set_rate(self.ladder[self.level]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::video::tests::trace;
    use super::*;

    fn millis(n: u64) -> Instant {
        Instant::from_nanos(n * 1_000_000)
    }

    /// Plays to `to` ms (frames are 40 ms apart) and returns the level of each frame taken.
    fn play(adaptive: &mut Adaptive, to: u64) -> Vec<usize> {
        let mut levels = Vec::new();
        while let Due::At(at) = adaptive.due() {
            if at >= millis(to) {
                break;
            }
            adaptive.take(at);
            levels.push(adaptive.level());
        }
        levels
    }

    fn adaptive(initial: usize) -> Adaptive {
        let ladder: Vec<_> =
            [300_000, 750_000, 1_200_000].into_iter().filter_map(BitRate::from_bps).collect();
        // Ten frames a group: key frames every 400 ms.
        Adaptive::new(&trace(50, 10), &ladder, initial, Duration::from_secs(2), Instant::ZERO)
    }

    #[test]
    fn climbs_one_level_after_each_quiet_time_and_only_at_key_frames() {
        let mut adaptive = adaptive(0);
        let levels = play(&mut adaptive, 6_000);
        let first = |level| levels.iter().position(|&l| l == level).unwrap();
        // 2 s of quiet end exactly on the key frames 50 and 100.
        assert_eq!((first(1), first(2)), (50, 100));
        assert_eq!(adaptive.level_changes(), 2, "the top level is the end");
    }

    #[test]
    fn an_overflow_costs_one_level_a_second_at_the_next_key_frame() {
        let mut adaptive = adaptive(2);
        play(&mut adaptive, 1_000);
        for at in [1_001, 1_002, 1_900] {
            adaptive.on_overflow(millis(at));
        }
        let levels = play(&mut adaptive, 2_000);
        // Frames 25 to 29 finish the group; from the key frame 30 (1.2 s) on it is one level less.
        assert_eq!(levels[..5], [2; 5]);
        assert!(levels[5..].iter().all(|&level| level == 1));
        adaptive.on_overflow(millis(2_001));
        assert_eq!(play(&mut adaptive, 2_500).last(), Some(&0));
        adaptive.on_overflow(millis(4_000));
        play(&mut adaptive, 4_500);
        assert_eq!(adaptive.level(), 0, "there is nothing below the lowest level");
        // Quiet since 4.0 s: the first key frame from 6.0 s on steps up.
        assert_eq!(play(&mut adaptive, 6_000).last(), Some(&0));
        assert_eq!(play(&mut adaptive, 6_040).last(), Some(&1));
    }

    #[test]
    fn each_level_has_its_rate() {
        for (level, kbps) in [(0, 300.0), (1, 750.0), (2, 1_200.0)] {
            let mut adaptive = adaptive(level);
            let bytes: u64 = (0..50).map(|i| adaptive.take(millis(i * 40 % 1_000))).sum();
            let rate = bytes as f64 * 8.0 / 2_000.0;
            assert!((rate - kbps).abs() < 0.01, "{rate} against {kbps}");
        }
    }

    #[test]
    fn an_empty_ladder_and_a_level_above_it_do_no_harm() {
        let none = Adaptive::new(&trace(5, 5), &[], 3, Duration::ZERO, Instant::ZERO);
        assert_eq!(none.due(), Due::Never);
        assert_eq!(adaptive(99).level(), 2);
    }
}
