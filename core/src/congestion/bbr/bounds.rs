//! What losses and standing queues forbid: bounds of rate and bytes under way.

use super::delivery::{Learnt, Sample};
use crate::time::Duration;

/// Share of frames lost in a round above which the path is too full (draft-ietf-ccwg-bbr, `BBR.LossThresh`).
const LOSS_THRESHOLD: f64 = 0.02;
/// What bounds are multiplied by, at most, in a round (draft-ietf-ccwg-bbr, `BBR.Beta`).
pub(super) const BETA: f64 = 0.7;
/// Share of the upper bound that is used between probes (draft-ietf-ccwg-bbr, `BBR.Headroom` is the rest).
const WITH_HEADROOM: f64 = 0.85;
/// What a flow keeps queued where a queue stands: this many times the root of what its rate needs, both in frames.
const QUEUE_GAIN: f64 = 2.0;
/// Frames over which a loss rate is believed: at the threshold, one of them is lost.
const FRAMES_MIN: u64 = 50;
/// Lost frames that are believed at once (draft-ietf-ccwg-bbr, `BBR.StartupFullLossCnt`).
const LOST_MIN: u64 = 6;

/// What has arrived since the last verdict, and in this round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latest {
    frames: u64,
    lost: u64,
    /// The largest delivery rate and volume of this round's samples.
    pub(super) rate: f64,
    pub(super) bytes: u64,
    /// The most that was under way in this round.
    pub(super) inflight: u64,
    /// Whether all samples of the round were application-limited.
    pub(super) is_app_limited: bool,
}

impl Latest {
    /// Begins a round, with nothing seen.
    pub(super) fn new() -> Self {
        Self { is_app_limited: true, ..Self::default() }
    }

    /// Takes a report in.
    pub(super) fn add(&mut self, learnt: &Learnt) {
        self.frames = self.frames.saturating_add(learnt.frames);
        self.lost = self.lost.saturating_add(learnt.lost);
        self.inflight = self.inflight.max(learnt.inflight_before);
        if let Some(Sample { rate, bytes, is_app_limited }) = learnt.sample {
            self.rate = self.rate.max(rate);
            self.bytes = self.bytes.max(bytes);
            self.is_app_limited &= is_app_limited;
        }
    }

    /// Says at a round's end whether too much was lost; `None` when there were too few frames to tell.
    pub(super) fn is_lossy(&self) -> Option<bool> {
        let sum = self.frames.saturating_add(self.lost);
        if sum < FRAMES_MIN && self.lost < LOST_MIN {
            return None;
        }
        Some(self.lost as f64 > LOSS_THRESHOLD * sum as f64)
    }

    /// Says before a round's end whether more was lost already than the threshold allows of all that is under way.
    pub(super) fn is_flooded(&self, frame: u64) -> bool {
        let lost = self.lost.saturating_mul(frame) as f64;
        self.lost >= LOST_MIN && lost > LOSS_THRESHOLD * self.inflight as f64
    }

    /// Begins the next round. Losses are carried over until there are enough frames to judge them by.
    pub(super) fn next_round(&mut self) {
        let (frames, lost) = if self.is_lossy().is_some() { (0, 0) } else { (self.frames, self.lost) };
        *self = Self { frames, lost, ..Self::new() };
    }
}

/// The bounds, in bytes and bytes a second; `None` is no bound.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    /// The most under way that was carried without too much loss: until a probe finds more.
    pub(super) inflight_hi: Option<u64>,
    /// What the path carries at present: until the next probe.
    pub(super) inflight_lo: Option<u64>,
    pub(super) rate_lo: Option<f64>,
    /// The rate delivered when a standing queue was first seen since the last probe, in bytes a second.
    queued_rate: Option<f64>,
    /// The rate delivered in the last round that lowered a bound, in bytes a second.
    carried: Option<f64>,
    /// The most under way in the last round without too much loss.
    clean: u64,
    /// Rounds in which this probe has raised the upper bound.
    raised: u32,
}

impl Bounds {
    /// Lifts the bounds of the present.
    pub(super) fn lift_lower(&mut self) {
        self.inflight_lo = None;
        self.rate_lo = None;
        self.queued_rate = None;
        self.carried = None;
    }

    /// Returns what the path carried of late, in bytes a second, if it was too full. An application that sends little
    /// says nothing about it.
    pub(super) fn carried(&self) -> Option<f64> {
        self.carried
    }

    /// The path is too full at present: what it delivered in this round is the new bound, but a bound never falls by
    /// more than [`BETA`] in a round. `rate` and `inflight` are what was allowed.
    pub(super) fn lower(&mut self, latest: &Latest, rate: f64, inflight: u64) {
        let rate = self.rate_lo.unwrap_or(rate);
        self.rate_lo = Some(latest.rate.min(rate).max(BETA * rate));
        if !latest.is_app_limited {
            self.carried = Some(latest.rate);
        }
        let inflight = self.inflight_lo.unwrap_or(inflight);
        self.inflight_lo = Some(latest.bytes.min(inflight).max((BETA * inflight as f64) as u64));
    }

    /// A queue stands: what is under way becomes what this flow's share of the rate needs, a part of the queue, and
    /// `extra` bytes. The part grows slower than the rate: in one queue, rates are as the bytes queued, so that the
    /// smaller flow gains on the larger one, as flows of TCP Vegas do. Against others that hold the queue the share
    /// would shrink from round to round; it may by [`BETA`] until the next probe. `frame` is a frame's bytes.
    pub(super) fn lower_to_share(&mut self, latest: &Latest, min_rtt: Duration, frame: u64, extra: u64) {
        if latest.rate <= 0.0 {
            return;
        }
        self.carried = Some(latest.rate);
        let first = *self.queued_rate.get_or_insert(latest.rate);
        let needed = latest.rate.max(BETA * first) * min_rtt.as_secs_f64();
        let queue = QUEUE_GAIN * libm::sqrt(needed * frame as f64);
        let share = ((needed + queue) as u64).saturating_add(extra);
        self.inflight_lo = Some(share);
    }

    /// A round passed without too much loss.
    pub(super) fn on_clean_round(&mut self, latest: &Latest) {
        self.clean = latest.inflight;
        if let Some(bound) = &mut self.inflight_hi {
            *bound = latest.inflight.max(*bound);
        }
    }

    /// A probe begins to raise the upper bound.
    pub(super) fn on_probe(&mut self) {
        self.raised = 0;
    }

    /// A round of a probe passed that the upper bound held back: it rises, by more from round to round.
    pub(super) fn raise(&mut self, frame: u64) {
        if let Some(bound) = &mut self.inflight_hi {
            *bound = bound.saturating_add((frame << self.raised.min(20)).max(*bound / 8));
            self.raised += 1;
        }
    }

    /// A probe lost too much. `target` is what the model wants under way without a queue.
    pub(super) fn on_probe_failed(&mut self, target: u64) {
        // What the last round without too much loss had under way was good; without any, less than the target is.
        self.inflight_hi = Some(self.clean.min(target).max((BETA * target as f64) as u64));
        self.clean = 0;
    }

    /// The upper bound between probes: others find room.
    pub(super) fn with_headroom(&self) -> Option<u64> {
        self.inflight_hi.map(|bound| (WITH_HEADROOM * bound as f64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(frames: u64, lost: u64) -> Learnt {
        let sample = Some(Sample { rate: 100.0, bytes: 50, is_app_limited: false });
        Learnt {
            rtt: None,
            sample,
            inflight_before: 80,
            frames,
            lost,
            is_round_end: false,
            is_after_idle: false,
        }
    }

    /// Aim: one lost frame of a small window is no verdict; losses add up until there is one.
    #[test]
    fn losses_of_small_windows_add_up() {
        let mut latest = Latest::new();
        for _ in 0..4 {
            latest.add(&learnt(9, 1));
            assert_eq!(latest.is_lossy(), None);
            latest.next_round();
        }
        latest.add(&learnt(9, 1));
        assert_eq!(latest.is_lossy(), Some(true));
        latest.next_round();
        latest.add(&learnt(98, 2));
        assert_eq!(latest.is_lossy(), Some(false), "the threshold itself is allowed");
    }

    /// Aim: a flood is seen at six losses that are more than 2 % of what is under way, and not before.
    #[test]
    fn a_flood_is_seen_before_the_round_ends() {
        let flooded = |lost, inflight_before, frame| {
            let mut latest = Latest::new();
            latest.add(&Learnt { inflight_before, ..learnt(1, lost) });
            latest.is_flooded(frame)
        };
        assert!(flooded(6, 2_900, 10) && !flooded(6, 3_000, 10) && !flooded(5, 100, 10));
        assert!(flooded(u64::MAX, 0, 10));
    }

    /// Aim: bounds go to what was delivered, by 0.7 a round at most, and never up.
    #[test]
    fn bounds_fall_to_what_arrives_but_slowly() {
        let mut bounds = Bounds::default();
        let mut latest = Latest::new();
        latest.add(&learnt(1, 1));
        bounds.lower(&latest, 1_000.0, 1_000);
        assert_eq!((bounds.rate_lo, bounds.inflight_lo), (Some(700.0), Some(700)));
        bounds.lower(&latest, 110.0, 55);
        assert_eq!(bounds.rate_lo, Some(489.99999999999994));
        bounds.lift_lower();
        bounds.lower(&latest, 110.0, 55);
        assert_eq!((bounds.rate_lo, bounds.inflight_lo), (Some(100.0), Some(50)));
        bounds.lower(&latest, 0.0, 0);
        assert_eq!((bounds.rate_lo, bounds.inflight_lo), (Some(100.0), Some(50)));
    }

    /// Aim: where a queue stands, the flow with four times the rate keeps twice as much queued, and a share that
    /// shrinks is followed by 0.7 and no further.
    #[test]
    fn queues_are_shared_by_the_root_of_rates() {
        let second = Duration::from_secs(1);
        let share = |rate| Latest { rate, ..Latest::new() };
        let mut bounds = Bounds::default();
        bounds.lower_to_share(&share(40_000.0), second, 100, 7);
        assert_eq!(bounds.inflight_lo, Some(40_000 + 4_000 + 7));
        assert_eq!(bounds.carried(), Some(40_000.0));
        bounds.lower_to_share(&share(10_000.0), second, 100, 0);
        assert_eq!(bounds.inflight_lo, Some(28_000 + 3_346));
        bounds.lift_lower();
        bounds.lower_to_share(&share(10_000.0), second, 100, 0);
        assert_eq!(bounds.inflight_lo, Some(10_000 + 2_000));
        bounds.lift_lower();
        bounds.lower_to_share(&share(0.0), second, 100, 0);
        assert_eq!((bounds.inflight_lo, bounds.carried()), (None, None));
    }

    /// Aim: a failed probe leaves what was carried before, or 0.7 of the target, and later probes raise it again.
    #[test]
    fn a_failed_probe_bounds_what_is_under_way() {
        let mut bounds = Bounds::default();
        bounds.on_probe_failed(1_000);
        assert_eq!(bounds.inflight_hi, Some(700));
        bounds.on_probe();
        bounds.raise(10);
        bounds.raise(100);
        assert_eq!(bounds.inflight_hi, Some(700 + 87 + 200));
        let mut latest = Latest::new();
        latest.add(&learnt(1, 0));
        bounds.on_clean_round(&latest);
        bounds.on_probe_failed(90);
        assert_eq!((bounds.inflight_hi, bounds.with_headroom()), (Some(80), Some(68)));
    }
}
