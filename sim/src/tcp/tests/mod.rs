//! Whole connections against what theory and the specifications say.

mod recovery;
mod timing;

use super::theory::{
    Watched, cubic_window, deviation_from_cubic, fair_shares, reno_window, run_flows, sawtooth_utilisation,
    window_under_loss,
};
use super::*;
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_core::units::BitRate;

/// Buffers, in bandwidth-delay products.
const BUFFERS: [f64; 5] = [0.0, 0.125, 0.25, 0.5, 1.0];

fn mbps(n: u64) -> BitRate {
    BitRate::from_bps(n * 1_000_000).expect("a rate")
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn at(seconds: f64) -> Instant {
    Instant::ZERO + Duration::from_secs_f64(seconds)
}

fn options(controller: Controller, delayed_acks: bool) -> Options {
    Options { controller, delayed_acks, ..Options::default() }
}

fn watched(rate: u64, buffer: u64, discard_s: u64, measure_s: u64) -> Watched {
    let [discard, measure] = [discard_s, measure_s].map(Duration::from_secs);
    Watched { rate: mbps(rate), buffer, discard, measure }
}

/// Aim: one NewReno flow uses as much of a bottleneck as its sawtooth says, from no buffer to one of a
/// bandwidth-delay product. Two packets of buffer are there for the pair that a growing window sends at once.
#[test]
fn reno_uses_what_its_sawtooth_leaves() {
    let rtt = ms(60);
    let path = mbps(24).bytes_in(rtt);
    for b in BUFFERS {
        let watched = watched(24, (path as f64 * b) as u64 + 2 * 1_500, 30, 90);
        let (used, flows) = run_flows(options(Controller::Reno, false), &[rtt], watched, Seed(1));
        let due = sawtooth_utilisation(b);
        println!("buffer {b} BDP: {used:.4} of {due:.4}, {:?}", flows[0].sender);
        assert!((used - due).abs() < 0.03, "buffer {b} BDP: {used} of {due}");
        assert_eq!(flows[0].sender.timeouts, 0);
    }
}

/// Aim: what a flow gets when each n-th segment is lost is what NewReno's square root and CUBIC's response function
/// say, where CUBIC is above Reno and where it is not.
#[test]
fn rates_under_periodic_loss_follow_the_response_functions() {
    // A round trip is that of the path alone: the bottleneck is never full.
    for (rtt, period) in [(ms(20), 1_000), (ms(50), 1_000), (ms(100), 2_000), (ms(200), 5_000)] {
        let watched = watched(4_000, 1 << 24, 60, 240);
        let reno = window_under_loss(options(Controller::Reno, false), rtt, period, watched);
        let cubic = window_under_loss(options(Controller::Cubic, false), rtt, period, watched);
        let due = (reno_window(period as f64), cubic_window(period as f64, rtt));
        println!("1 in {period}, {rtt:?}: Reno {reno:.1} of {:.1}, CUBIC {cubic:.1} of {:.1}", due.0, due.1);
        assert!((reno / due.0 - 1.0).abs() < 0.10, "Reno, 1 in {period}: {reno} of {}", due.0);
        assert!((cubic / due.1 - 1.0).abs() < 0.10, "CUBIC, 1 in {period}, {rtt:?}: {cubic} of {}", due.1);
    }
}

/// Aim: between losses CUBIC's window is the function of RFC 9438, at all events, on paths long enough for it.
#[test]
fn cubic_follows_its_function_between_losses() {
    for (rate, rtt) in [(40, ms(100)), (80, ms(60))] {
        let buffer = mbps(rate).bytes_in(rtt) / 2;
        let (worst, count) =
            deviation_from_cubic(options(Controller::Cubic, true), rtt, watched(rate, buffer, 15, 45));
        println!("{rate} Mbit/s, {rtt:?}: {worst:.4} at most, {count} events");
        assert!(count > 20_000, "{count}");
        assert!(worst < 0.02, "{rate} Mbit/s: {worst}");
    }
}

/// Aim: flows with nearly equal round trips share a bottleneck evenly. Few seeds and little time here, so that the
/// bounds are wide; `docs/transports-tcp.md` has the long run.
#[test]
fn equal_flows_share_evenly() {
    for controller in [Controller::Reno, Controller::Cubic] {
        let (flows, rtt) = (8, ms(50));
        let watched = watched(20, mbps(20).bytes_in(rtt), 10, 40);
        let mut sums = vec![0.0; flows];
        let seeds = 8;
        for seed in 1..=seeds {
            let shares = fair_shares(options(controller, true), flows, rtt, watched, Seed(seed));
            sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share / seeds as f64);
        }
        println!("{controller:?}: {sums:.3?}");
        assert!(sums.iter().all(|share| (0.75..1.25).contains(share)), "{controller:?}: {sums:.3?}");
    }
}

/// The same as long as the claim wants it; prints figures of `docs/transports-tcp.md`.
fn share_evenly_for_long(controller: Controller) {
    for delayed_acks in [false, true] {
        let (flows, rtt, seeds) = (8, ms(50), 20);
        let watched = watched(20, mbps(20).bytes_in(rtt), 60, 300);
        let options = options(controller, delayed_acks);
        let runs: Vec<Vec<f64>> =
            (1..=seeds).map(|seed| fair_shares(options, flows, rtt, watched, Seed(seed))).collect();
        let mean = |flow: usize| runs.iter().map(|run| run[flow]).sum::<f64>() / seeds as f64;
        let means: Vec<f64> = (0..flows).map(mean).collect();
        let all = runs.concat();
        let square: f64 = all.iter().map(|share| (share - 1.0) * (share - 1.0)).sum();
        let deviation = (square / all.len() as f64).sqrt();
        println!(
            "{controller:?}, delayed {delayed_acks}: means {means:.3?}, deviation of a run {deviation:.3}"
        );
        assert!(means.iter().all(|share| (0.9..1.1).contains(share)), "{controller:?}: {means:.3?}");
    }
}

/// Aim: each of eight flows has 0.9 to 1.1 fair shares in the mean over 20 seeds.
#[test]
#[ignore = "takes minutes: cargo test -p bellini-sim --lib -- --ignored --nocapture long_run"]
fn long_run_of_equal_reno_flows() {
    share_evenly_for_long(Controller::Reno);
}

/// Aim: the same for CUBIC.
#[test]
#[ignore = "takes minutes: cargo test -p bellini-sim --lib -- --ignored --nocapture long_run"]
fn long_run_of_equal_cubic_flows() {
    share_evenly_for_long(Controller::Cubic);
}

/// Prints what a round trip of 20 ms gets beside one of 80 ms, for `docs/transports-tcp.md`.
fn share_unevenly_for_long(controller: Controller) {
    for delayed_acks in [false, true] {
        let watched = watched(40, mbps(40).bytes_in(ms(50)), 60, 300);
        let ratio = |seed| {
            let rtts = [ms(20), ms(80)];
            let (_, flows) = run_flows(options(controller, delayed_acks), &rtts, watched, Seed(seed));
            libm::log(flows[0].goodput_mbps / flows[1].goodput_mbps)
        };
        let logs: Vec<f64> = (1..=20).map(ratio).collect();
        let mean = logs.iter().sum::<f64>() / 20.0;
        let square: f64 = logs.iter().map(|log| (log - mean) * (log - mean)).sum();
        // Student's t for 19 degrees of freedom.
        let half = 2.093 * (square / 19.0 / 20.0).sqrt();
        let [low, middle, high] = [mean - half, mean, mean + half].map(libm::exp);
        println!("{controller:?}, delayed {delayed_acks}: {middle:.2} [{low:.2}, {high:.2}]");
        assert!(low > 1.0);
    }
}

/// Aim: the short round trip gets more, over 20 seeds.
#[test]
#[ignore = "takes minutes: cargo test -p bellini-sim --lib -- --ignored --nocapture long_run"]
fn long_run_of_unequal_reno_flows() {
    share_unevenly_for_long(Controller::Reno);
}

/// Aim: the same for CUBIC.
#[test]
#[ignore = "takes minutes: cargo test -p bellini-sim --lib -- --ignored --nocapture long_run"]
fn long_run_of_unequal_cubic_flows() {
    share_unevenly_for_long(Controller::Cubic);
}

/// Aim: the sawtooth for five minutes, with delayed acknowledgements too.
#[test]
#[ignore = "takes minutes: cargo test -p bellini-sim --lib -- --ignored --nocapture long_run"]
fn long_run_of_the_sawtooth() {
    let rtt = ms(60);
    let path = mbps(24).bytes_in(rtt);
    for (delayed_acks, b) in [false, true].into_iter().flat_map(|delayed| BUFFERS.map(|b| (delayed, b))) {
        let watched = watched(24, (path as f64 * b) as u64 + 2 * 1_500, 60, 300);
        let (used, _) = run_flows(options(Controller::Reno, delayed_acks), &[rtt], watched, Seed(1));
        let due = sawtooth_utilisation(b);
        println!("delayed {delayed_acks}, buffer {b} BDP: {used:.4} of {due:.4}");
        assert!((used - due).abs() < 0.03);
    }
}

/// Aim: of two flows the one with the shorter round trip gets more, and CUBIC is kinder to the longer one than Reno.
#[test]
fn short_round_trips_get_more() {
    let ratio = |controller| {
        let watched = watched(40, mbps(40).bytes_in(ms(50)), 20, 80);
        let (_, flows) = run_flows(options(controller, true), &[ms(20), ms(80)], watched, Seed(1));
        flows[0].goodput_mbps / flows[1].goodput_mbps
    };
    let (reno, cubic) = (ratio(Controller::Reno), ratio(Controller::Cubic));
    println!("20 against 80 ms: Reno {reno:.2}, CUBIC {cubic:.2}");
    assert!(reno > 2.0, "{reno}");
    assert!(cubic > 1.0 && cubic < reno, "{cubic} and {reno}");
}
