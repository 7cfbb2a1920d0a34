//! Adaptive bitrate: video that climbs and descends a ladder of rates, by overflow notices and by what the first
//! hops grant.

use super::source::{Due, Grant};
use super::spec::FrameTrace;
use super::video::Video;
use crate::time::{Duration, Instant};
use crate::units::BitRate;
use std::sync::Arc;

/// Overflow notices come in bursts, one for each queue and interval: this long one burst counts once.
const DOWN_INTERVAL: Duration = Duration::from_secs(1);

/// A level must leave this much of the granted rate free before it is climbed to, so that the climb itself does not
/// end the quiet.
const HEADROOM: f64 = 1.2;
/// More than this of the level's content waiting before a key frame: the first hop is too slow, whatever it grants.
/// The burst of the key frame before has had a whole group's time to leave.
const BACKLOG_MAX: Duration = Duration::from_millis(250);
/// Grants are averaged over about this long: the rates of transports swing within a few round trips.
const SMOOTHING: Duration = Duration::from_secs(1);

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
    /// Mean of the granted rates, in bits per second; `None` while the first hops know of no limit.
    granted: Option<f64>,
    granted_at: Instant,
    /// Bytes that waited in the first hops at the last grant.
    backlog_bytes: u64,
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
            granted: None,
            granted_at: start,
            backlog_bytes: 0,
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

    pub(super) fn on_grant(&mut self, now: Instant, grant: Grant) {
        let part = now.saturating_since(self.granted_at).as_secs_f64() / SMOOTHING.as_secs_f64();
        self.granted = match (self.granted, grant.bits_per_s) {
            (Some(mean), Some(rate)) => Some(mean + (rate - mean) * part.min(1.0)),
            (_, rate) => rate,
        };
        self.granted_at = now;
        self.backlog_bytes = grant.backlog_bytes;
    }

    pub(super) fn level(&self) -> usize {
        self.level
    }

    pub(super) fn level_changes(&self) -> u64 {
        self.changes
    }

    fn choose_level(&mut self, at: Instant) {
        self.brake(at);
        let quiet = at.saturating_since(self.quiet_since);
        let can_climb = self.wanted == self.level && self.level + 1 < self.ladder.len();
        if can_climb && quiet >= self.up_after && self.is_granted(self.level + 1, HEADROOM) {
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

    /// Whether the first hops grant a level's rate `factor` times over, as far as they know.
    fn is_granted(&self, level: usize, factor: f64) -> bool {
        self.granted.is_none_or(|granted| granted >= self.ladder[level].as_bps() as f64 * factor)
    }

    /// Goes down where the first hops do not keep up. What they grant does not count while nothing waits: the source
    /// is then not held back.
    fn brake(&mut self, at: Instant) {
        if self.backlog_bytes == 0 {
            return;
        }
        let waits_s = self.backlog_bytes as f64 * 8.0 / self.ladder[self.level].as_bps() as f64;
        if waits_s > BACKLOG_MAX.as_secs_f64() {
            self.on_overflow(at);
        }
        let covered = (0..self.wanted).rev().find(|level| self.is_granted(*level, 1.0)).unwrap_or(0);
        if !self.is_granted(self.wanted, 1.0) {
            self.wanted = covered;
            self.quiet_since = self.quiet_since.max(at);
            self.last_down = Some(at);
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

    /// Plays to `to` ms, with this grant before each frame.
    fn play_granted(adaptive: &mut Adaptive, to: u64, kbps: Option<f64>, backlog_bytes: u64) -> usize {
        while let Due::At(at) = adaptive.due() {
            if at >= millis(to) {
                break;
            }
            adaptive.on_grant(at, Grant { bits_per_s: kbps.map(|kbps| kbps * 1e3), backlog_bytes });
            adaptive.take(at);
        }
        adaptive.level()
    }

    /// Aim: a step up needs 1.2 times the next level granted, however long it is quiet.
    #[test]
    fn climbs_only_into_a_grant_with_headroom() {
        let mut adaptive = adaptive(0);
        assert_eq!(play_granted(&mut adaptive, 10_000, Some(899.0), 0), 0);
        // The mean comes up to 900 only if the grant lies above it; quiet has lasted for long.
        assert_eq!(play_granted(&mut adaptive, 20_000, Some(910.0), 0), 1);
        assert_eq!(play_granted(&mut adaptive, 30_000, Some(1_439.0), 0), 1);
        assert_eq!(play_granted(&mut adaptive, 40_000, None, 0), 2, "hops that know no limit set none");
    }

    /// Aim: a grant below the level ends it once packets wait, in one step to the level that is covered; while
    /// nothing waits it does not count.
    #[test]
    fn a_small_grant_counts_when_packets_wait() {
        let mut adaptive = adaptive(2);
        assert_eq!(play_granted(&mut adaptive, 4_000, Some(350.0), 0), 2);
        assert_eq!(play_granted(&mut adaptive, 4_440, Some(350.0), 1_200), 0, "two levels at one key frame");
        assert_eq!(adaptive.level_changes(), 1);
        // Quiet is counted from the step down, at 4.0 s: there is no way up before 6.0 s.
        assert_eq!(play_granted(&mut adaptive, 6_000, Some(9_000.0), 0), 0);
        assert_eq!(play_granted(&mut adaptive, 6_040, Some(9_000.0), 0), 1);
    }

    /// Aim: one lasting dip counts, one of a few round trips does not.
    #[test]
    fn a_short_dip_of_the_grant_is_smoothed_out() {
        let mut adaptive = adaptive(1);
        play_granted(&mut adaptive, 1_720, Some(1_000.0), 1_200);
        play_granted(&mut adaptive, 2_040, Some(300.0), 1_200);
        assert_eq!(adaptive.level(), 1, "mean about 800 kbit/s at 2.0 s");
        play_granted(&mut adaptive, 2_440, Some(300.0), 1_200);
        assert_eq!(adaptive.level(), 0);
    }

    /// Aim: without any rate known (a stream hop) a growing queue alone brakes, one level a second.
    #[test]
    fn a_backlog_alone_brakes() {
        let mut adaptive = adaptive(2);
        // 250 ms of 1.2 Mbit/s are 37,500 bytes.
        assert_eq!(play_granted(&mut adaptive, 2_040, None, 37_500), 2);
        assert_eq!(play_granted(&mut adaptive, 2_440, None, 37_600), 1);
        assert_eq!(play_granted(&mut adaptive, 3_240, None, 37_600), 1, "800 ms later");
        assert_eq!(play_granted(&mut adaptive, 3_640, None, 37_600), 0);
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
