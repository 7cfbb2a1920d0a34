//! What the machine reaches on ideal paths. The figures are printed: run with `--nocapture`.

use super::pipe::{FRAME, Load, Path, Pipe};
use crate::congestion::CongestionControl;
use crate::time::Duration;

/// TFRC's equation (RFC 5348 section 3.1 with b = 1 and t_RTO = 4R), in Mbit/s.
fn tfrc_mbps(rtt: f64, p: f64) -> f64 {
    let timeouts = 12.0 * libm::sqrt(3.0 * p / 8.0) * p * (1.0 + 32.0 * p * p);
    f64::from(FRAME) / (rtt * (libm::sqrt(2.0 * p / 3.0) + timeouts)) * 8e-6
}

fn path(mbps: f64, rtt_ms: u64, buffer_bdp: f64, loss: f64) -> Path {
    let mut path = Path { mbps, one_way: Duration::from_micros(rtt_ms * 500), buffer: 0, loss };
    path.buffer = (path.bdp() * buffer_bdp) as u64;
    path
}

/// The rates of a flow, second by second.
fn seconds(pipe: &Pipe, flow: usize, from: u32, to: u32) -> Vec<f64> {
    (from..to).map(|s| pipe.flows[flow].mbps(f64::from(s), f64::from(s + 1))).collect()
}

/// Aim: a long fat path with one lost frame in a thousand is filled within five seconds and stays full with a short
/// queue, where TFRC's equation gives a fiftieth.
#[test]
fn a_long_fat_path_is_filled() {
    let path = path(100.0, 200, 1.0, 0.001);
    let mut pipe = Pipe::new(path);
    pipe.open(Load::Greedy);
    pipe.run_until(5.0);
    let startup = pipe.drops as f64 * f64::from(FRAME) / path.bdp();
    pipe.run_until(10.0);
    pipe.take_mean_queue();
    pipe.run_until(30.0);
    let queue = pipe.take_mean_queue() / path.bdp();
    let (fifth, steady) = (pipe.flows[0].mbps(4.0, 5.0), pipe.flows[0].mbps(5.0, 30.0));
    let equation = tfrc_mbps(0.2, 0.001);
    println!("100 Mbit/s, 200 ms, 0.1 % loss: {fifth:.1} Mbit/s in the fifth second, {steady:.1} after it,");
    println!("Startup lost {startup:.2} BDP; queue {queue:.2} BDP; TFRC's equation {equation:.1} Mbit/s");
    assert!(fifth >= 90.0 && steady >= 90.0, "{fifth} {steady}");
    assert!(queue < 0.35, "{queue}");
    assert!((2.0..2.3).contains(&equation), "{equation}");
}

/// Aim: one report in a round trip is enough for the steady state, though not for the quick start.
#[test]
fn one_report_in_a_round_trip_is_enough() {
    let mut pipe = Pipe::new(path(100.0, 200, 1.0, 0.001)).with_reports(1);
    pipe.open(Load::Greedy);
    pipe.run_until(30.0);
    let rates = [pipe.flows[0].mbps(4.0, 5.0), pipe.flows[0].mbps(10.0, 30.0)];
    println!(
        "one report a round trip: {:.1} Mbit/s in the fifth second, {:.1} after the tenth",
        rates[0], rates[1]
    );
    assert!(rates[1] >= 90.0, "{rates:?}");
}

/// Aim: a flow that comes to a full path gets its share within 30 s, without a deep queue, at a buffer of one product
/// and at a deep one. At a small buffer and at 200 ms the shares are less equal after that time: there are few rounds in
/// which the flows see each other.
#[test]
fn two_flows_share() {
    for (rtt, buffer, range) in
        [(40, 1.0, 0.7..1.4), (40, 4.0, 0.7..1.4), (40, 0.25, 0.5..2.0), (200, 1.0, 0.25..4.0)]
    {
        let path = path(50.0, rtt, buffer, 0.0);
        let mut ratios = Vec::new();
        let (mut sums, mut queues, mut drops, mut sent) = (0.0, 0.0, 0, 0);
        for salt in [0, 10, 20, 30, 40] {
            let mut pipe = Pipe::new(path).with_salt(salt);
            pipe.open(Load::Greedy);
            pipe.run_until(5.0);
            pipe.open(Load::Greedy);
            pipe.run_until(35.0);
            pipe.take_mean_queue();
            pipe.run_until(65.0);
            let rates = [0, 1].map(|flow| pipe.flows[flow].mbps(35.0, 65.0));
            ratios.push(rates[0] / rates[1]);
            sums += (rates[0] + rates[1]) / 5.0;
            queues += pipe.take_mean_queue() / path.bdp() / 5.0;
            drops += pipe.drops;
            sent += (pipe.flows[0].sent + pipe.flows[1].sent) / u64::from(FRAME);
        }
        let lost = drops as f64 / sent as f64;
        println!(
            "two flows, {rtt} ms, buffer {buffer} BDP: ratios {ratios:.2?}, sum {sums:.1} Mbit/s, \
             queue {queues:.2} BDP, loss {:.2} %",
            100.0 * lost
        );
        assert!(sums > 45.0 && queues < 0.8 && lost < 0.02, "{sums} {queues} {lost}");
        assert!(ratios.iter().all(|ratio| range.contains(ratio)), "{ratios:?}");
    }
}

/// Aim: a bottleneck that becomes narrow and wide again is followed, both ways, at small, plain and deep buffers.
#[test]
fn a_bottleneck_that_changes_is_followed() {
    for (rtt, buffer, back) in [(50, 1.0, 45.0), (50, 4.0, 45.0), (50, 0.2, 37.5), (200, 1.0, 45.0)] {
        let mut path = path(50.0, rtt, buffer, 0.0);
        let mut pipe = Pipe::new(path);
        pipe.open(Load::Greedy);
        pipe.run_until(10.0);
        path.mbps = 10.0;
        pipe.path = path;
        pipe.run_until(12.0);
        let sent = pipe.flows[0].sent;
        let drops = pipe.drops;
        pipe.run_until(20.0);
        let offered = (pipe.flows[0].sent - sent) as f64 * 8e-6 / 8.0;
        let drops = (pipe.drops - drops) as f64 * f64::from(FRAME) * 8e-6 / 8.0;
        path.mbps = 50.0;
        pipe.path = path;
        pipe.run_until(35.0);
        let low = pipe.flows[0].mbps(12.0, 20.0);
        let after = seconds(&pipe, 0, 20, 35);
        let first = after.iter().position(|&rate| rate >= back);
        println!(
            "50 to 10 Mbit/s, {rtt} ms, buffer {buffer} BDP: two seconds later {offered:.1} Mbit/s sent, {low:.1} \
             arrive, {drops:.2} lost; back at {back} Mbit/s in second {first:?}, then {:.1}",
            pipe.flows[0].mbps(30.0, 35.0)
        );
        assert!((9.0..10.1).contains(&low) && offered < 11.0, "{low} {offered}");
        assert!(first.is_some_and(|second| second < 10), "{after:?}");
    }
}

/// Aim: an application that sends a tenth for a long time keeps the estimate, and fills the path at once when it has
/// more.
#[test]
fn an_application_limited_flow_keeps_its_estimate() {
    let mut pipe = Pipe::new(path(20.0, 60, 1.0, 0.0));
    pipe.open(Load::Greedy);
    pipe.run_until(5.0);
    assert!(!pipe.flows[0].sender.figures().is_data_limited);
    pipe.set_load(0, Load::Every(Duration::from_millis(5)));
    pipe.run_until(30.0);
    let known = pipe.flows[0].sender.max_rate.get() * 8e-6;
    assert!(pipe.flows[0].sender.figures().is_data_limited);
    pipe.set_load(0, Load::Greedy);
    pipe.run_until(31.0);
    let rate = pipe.flows[0].mbps(30.2, 31.0);
    println!("after 25 s at 2.2 Mbit/s: estimate {known:.1} Mbit/s, {rate:.1} in the next second");
    assert!((18.0..22.0).contains(&known) && rate > 18.0, "{known} {rate}");
}

/// Aim: an application that starts below the path's rate never ends Startup by a plateau of its own.
#[test]
fn a_slow_application_does_not_end_startup() {
    let mut pipe = Pipe::new(path(20.0, 60, 1.0, 0.0));
    pipe.open(Load::Every(Duration::from_millis(5)));
    pipe.run_until(10.0);
    pipe.set_load(0, Load::Greedy);
    pipe.run_until(12.0);
    let rate = pipe.flows[0].mbps(11.0, 12.0);
    println!("after 10 s at 2.2 Mbit/s: {rate:.1} Mbit/s in the second after the next");
    assert!(rate > 18.0, "{rate}");
}

/// Aim: losses up to a percent are noise; above the threshold the flow backs off, far but not to nothing.
#[test]
fn losses_above_the_threshold_slow_down() {
    let mut rates = Vec::new();
    for loss in [0.001, 0.01, 0.03, 0.05, 0.1] {
        let mut pipe = Pipe::new(path(20.0, 60, 1.0, loss));
        pipe.open(Load::Greedy);
        pipe.run_until(30.0);
        let rate = pipe.flows[0].mbps(10.0, 30.0);
        println!(
            "20 Mbit/s, 60 ms, loss {loss}: {rate:.1} Mbit/s; TFRC's equation {:.2}",
            tfrc_mbps(0.06, loss)
        );
        rates.push(rate);
    }
    assert!(rates[0] > 19.0 && rates[1] > 16.0, "{rates:?}");
    assert!(rates[2] < 14.0 && rates[3] < 10.0 && rates[4] < 7.0, "{rates:?}");
    assert!(rates[4] > 0.3, "{rates:?}");
}

/// Aim: while nothing is heard next to nothing is sent, and the path is filled again soon after it is back.
#[test]
fn silence_stops_a_flow_and_reports_bring_it_back() {
    for (silence, timeouts) in [(1.0, 1), (5.0, 3)] {
        let mut pipe = Pipe::new(path(20.0, 60, 1.0, 0.0));
        pipe.open(Load::Greedy);
        pipe.run_until(5.0);
        pipe.is_dead = true;
        pipe.run_until(5.5);
        let sent = pipe.flows[0].sent;
        let rate = pipe.flows[0].sender.pacing_rate();
        pipe.run_until(5.0 + silence);
        let figures = pipe.flows[0].sender.figures();
        let frames = (pipe.flows[0].sent - sent) / u64::from(FRAME);
        assert!(figures.timeouts >= timeouts && figures.allowed_bytes_per_s <= rate, "{figures:?}");
        assert!(frames <= 4 * figures.timeouts, "{frames}");
        pipe.is_dead = false;
        let back = 5.0 + silence;
        pipe.run_until(back + 10.0);
        let rates = [pipe.flows[0].mbps(back + 4.0, back + 5.0), pipe.flows[0].mbps(back + 5.0, back + 10.0)];
        println!(
            "{silence} s of silence: {frames} frames after 0.5 s, {} timeouts, then {rates:.1?}",
            figures.timeouts
        );
        assert!(rates[0] > 18.0 && rates[1] > 18.0, "{rates:?}");
    }
}

/// Aim: the smallest round trip is found again after the path became longer.
#[test]
fn a_longer_path_is_learnt() {
    let mut path = path(20.0, 40, 2.0, 0.0);
    let mut pipe = Pipe::new(path);
    pipe.open(Load::Greedy);
    pipe.run_until(5.0);
    path.one_way = Duration::from_millis(60);
    pipe.path = path;
    pipe.run_until(40.0);
    let rtt = pipe.flows[0].sender.min_rtt.get().unwrap().as_millis_f64();
    let rate = pipe.flows[0].mbps(30.0, 40.0);
    println!("40 to 120 ms: smallest round trip {rtt:.1} ms, {rate:.1} Mbit/s");
    assert!((119.0..135.0).contains(&rtt) && rate > 18.0, "{rtt} {rate}");
}
