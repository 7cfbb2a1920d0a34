//! What theory says of TCP, and the runs that it is held against, short ones and long ones.

use super::congestion::{BETA, C, Congestion};
use super::dumbbell::{Dumbbell, FlowFigures, FlowSpec};
use super::options::Options;
use super::sender::CaState;
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;
use bellini_scenarios::model::{Jitter, JitterModel, Loss, Queue, QueueDiscipline};

/// A bottleneck with a drop-tail queue, and for how long its flows are watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watched {
    /// Rate of the bottleneck.
    pub rate: BitRate,
    /// Bytes that its queue holds.
    pub buffer: u64,
    /// Time that does not count.
    pub discard: Duration,
    /// Time that counts.
    pub measure: Duration,
}

/// Returns the utilisation that the sawtooth of one NewReno flow leaves of a bottleneck with a drop-tail buffer of
/// `b` bandwidth-delay products.
///
/// In units of that product, which takes B round trips to grow by, the window climbs from w = (1 + b) / 2 to 1 + b.
/// Below 1 it takes (1 - w) B round trips of T, in which (1 - w^2) / 2 B^2 segments go where (1 - w) B^2 could. Above
/// 1 the queue lengthens the round trip to W T: that takes ((1 + b)^2 - 1) / 2 B T at the full rate. So the
/// utilisation is ((1 - w^2) / 2 + a) / ((1 - w) + a) with a = ((1 + b)^2 - 1) / 2: 3/4 without a buffer, 1 from b = 1
/// on.
#[must_use]
pub fn sawtooth_utilisation(b: f64) -> f64 {
    let low = ((1.0 + b) / 2.0).min(1.0);
    let above = ((1.0 + b) * (1.0 + b) - 1.0) / 2.0;
    if above == 0.0 {
        return 0.75;
    }
    ((1.0 - low * low) / 2.0 + above) / ((1.0 - low) + above)
}

/// Returns the mean window of NewReno in segments when each `period`-th segment is lost: a sawtooth from W / 2 to W
/// carries 3/8 W^2 segments (Mathis and others 1997).
#[must_use]
pub fn reno_window(period: f64) -> f64 {
    (1.5 * period).sqrt()
}

/// Returns the mean window of CUBIC in segments when each `period`-th segment is lost, with a round trip of `rtt`
/// (RFC 9438, equation 5), or that of Reno with CUBIC's beta where it is larger (section 4.3).
#[must_use]
pub fn cubic_window(period: f64, rtt: Duration) -> f64 {
    let rounds = rtt.as_secs_f64() * period;
    let cubic = libm::pow(C * (3.0 + BETA) / (4.0 * (1.0 - BETA)), 0.25) * libm::pow(rounds, 0.75);
    cubic.max(reno_window(period))
}

/// Runs one greedy flow that loses each `period`-th segment, over a bottleneck that it does not fill; returns its mean
/// rate in windows: segments that came a round trip.
///
/// Twenty losses in quick succession come first. CUBIC is flat around its last maximum, so that it ends an epoch
/// where it began it for many lengths of an epoch; the least of these, which the formula has, is found from below.
#[must_use]
pub fn window_under_loss(options: Options, rtt: Duration, period: usize, watched: Watched) -> f64 {
    let every = |period: usize, times: usize| (1..=period * times).map(move |number| number % period == 0);
    let lost = every(period / 10, 20).chain(every(period, 2_000)).collect();
    let flow = FlowSpec { loss: Loss::Trace(lost), ..FlowSpec::greedy(options, rtt) };
    let queue = Queue { bytes: watched.buffer, discipline: QueueDiscipline::DropTail };
    let mut bell = Dumbbell::new(watched.rate, queue, vec![flow], Seed(1));
    bell.run(Instant::ZERO + watched.discard);
    bell.mark();
    bell.run(Instant::ZERO + watched.discard + watched.measure);
    let segments = bell.figures()[0].bytes as f64 / f64::from(options.mss);
    segments * rtt.as_secs_f64() / watched.measure.as_secs_f64()
}

/// Runs greedy flows with the given round trips, which start within the first second at random; returns the
/// utilisation of the bottleneck and what became of each.
///
/// Several flows have a delay that varies by up to one packet's time at the bottleneck. Without it whole runs are
/// decided by which flow's segments happen to come just before a place in the queue gets free (Floyd and Jacobson,
/// On Traffic Phase Effects in Packet-Switched Gateways, 1992), which hosts that take their time do not show.
#[must_use]
pub fn run_flows(
    options: Options,
    rtts: &[Duration],
    watched: Watched,
    seed: Seed,
) -> (f64, Vec<FlowFigures>) {
    let mut draws = seed.stream("starts");
    let is_alone = rtts.len() == 1;
    let service = watched.rate.transmit_time(1_500);
    let flows = rtts.iter().map(|rtt| {
        let start = if is_alone { 0 } else { draws.below(1_000_000_000) };
        let jitter = Jitter { model: JitterModel::Uniform(service), reorder: false };
        FlowSpec {
            start: Instant::from_nanos(start),
            jitter: (!is_alone).then_some(jitter),
            ..FlowSpec::greedy(options, *rtt)
        }
    });
    let queue = Queue { bytes: watched.buffer, discipline: QueueDiscipline::DropTail };
    let mut bell = Dumbbell::new(watched.rate, queue, flows.collect(), seed);
    bell.run(Instant::ZERO + watched.discard);
    bell.mark();
    bell.run(Instant::ZERO + watched.discard + watched.measure);
    (bell.utilisation(), bell.figures())
}

/// Returns each flow's part of what they got together, times their number: 1 is the fair share. Their round trips
/// are within a tenth of `rtt`, up and down: each is drawn from a stretch of its own, and which flow has which
/// stretch goes round with the seed, so that over many seeds none is favoured.
#[must_use]
pub fn fair_shares(options: Options, flows: usize, rtt: Duration, watched: Watched, seed: Seed) -> Vec<f64> {
    let mut draws = seed.stream("rtts");
    let mut rtt_of = |flow: usize| {
        let stretch = (flow as u64 + seed.0) % flows as u64;
        let place = (stretch as f64 + draws.unit()) / flows as f64;
        Duration::from_nanos((rtt.as_nanos() as f64 * (0.9 + 0.2 * place)) as u64)
    };
    let rtts: Vec<Duration> = (0..flows).map(&mut rtt_of).collect();
    let (_, figures) = run_flows(options, &rtts, watched, seed);
    let all: u64 = figures.iter().map(|flow| flow.bytes).sum();
    figures.iter().map(|flow| flow.bytes as f64 * flows as f64 / all as f64).collect()
}

/// Returns the greatest deviation of CUBIC's window from W(t) = C (t - K)^3 + `w_max`, as a part of it, between the
/// losses of one flow after `watched.discard`: sampled at each event from one round trip after recovery on, where
/// the function is above Reno's window. The second number is how many windows were looked at.
#[must_use]
pub fn deviation_from_cubic(options: Options, rtt: Duration, watched: Watched) -> (f64, u64) {
    let queue = Queue { bytes: watched.buffer, discipline: QueueDiscipline::DropTail };
    let mut bell = Dumbbell::new(watched.rate, queue, vec![FlowSpec::greedy(options, rtt)], Seed(1));
    bell.run(Instant::ZERO + watched.discard);
    let (mut worst, mut count, mut recovered) = (0.0_f64, 0_u64, bell.now());
    bell.run_watched(Instant::ZERO + watched.discard + watched.measure, &mut |bell| {
        let sender = bell.sender(0).sender();
        if sender.state() != CaState::Open {
            recovered = bell.now() + rtt + rtt;
        }
        let Congestion::Cubic(cubic) = sender.congestion() else { return };
        if bell.now() < recovered || !cubic.is_above_reno() {
            return;
        }
        if let Some(due) = cubic.function_at(bell.now()) {
            worst = worst.max((f64::from(sender.window().cwnd) - due).abs() / due);
            count += 1;
        }
    });
    (worst, count)
}
