//! The lab's emulator: packets per second through one link at saturation, and what it adds to round trips.
//!
//! `cargo bench --bench emulator [-- --seconds S] [--spin US] [--load PPS]`: seconds of each part (3), the emulator's
//! longest spinning in microseconds (80), packets per second beside the round trips (0). Needs the right to make
//! network namespaces. Everything runs on this machine: the sender, the receiver and the emulator share its
//! processors.

#[path = "rig/machine.rs"]
mod machine;

use bellini_core::rng::Seed;
use bellini_core::stats::Histogram;
use bellini_core::time::{Duration as Span, Instant as Time};
use bellini_live::lab::emulator::{Emulator, EmulatorHandle, EmulatorReport, EmulatorSettings};
use bellini_live::lab::netns::{Namespace, Privilege};
use bellini_live::lab::pace::Clock;
use bellini_live::lab::tun::{Tun, TunSpec, ipv4};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::parse::{LoadOptions, parse_str};
use machine::{argument, machine};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const DATA: u16 = 7_000;
const CONTROL: u16 = 7_001;
/// Delay of the link, one way.
const DELAY_MS: u64 = 5;

fn main() {
    if let Err(error) = Privilege::obtain()
        .map_err(|error| error.to_string())
        .and_then(|_| Tun::check().map_err(|error| error.to_string()))
    {
        println!("nothing to measure here: {error}");
        return;
    }
    let seconds = Duration::from_secs_f64(argument("--seconds").unwrap_or(3.0));
    println!("{}\n", machine().replace("; one thread used", ""));
    for bytes in [100, 1_200] {
        saturate(bytes, seconds);
    }
    let load: Option<u64> = argument("--load");
    for load in load.map_or(vec![0, 1_000, 10_000, 50_000], |load| vec![load]) {
        round_trips(load, seconds);
    }
}

fn lab() -> (Vec<Namespace>, EmulatorHandle) {
    let scenario = scenario();
    let namespaces: Vec<Namespace> =
        scenario.nodes.iter().map(|node| Namespace::new(&node.name).expect("it may")).collect();
    let tuns = namespaces
        .iter()
        .zip(0..)
        .map(|(namespace, node)| Tun::open(namespace, TunSpec::new(node)).expect("it may"));
    let mut settings = EmulatorSettings::new(Clock::starting_now(), Time::ZERO, CONTROL);
    if let Some(spin) = argument("--spin") {
        settings.spin_max = Span::from_micros(spin);
    }
    let emulator = Emulator::start(&scenario, Seed(1), settings, tuns.collect()).expect("it starts");
    (namespaces, emulator)
}

fn scenario() -> Scenario {
    let link = format!(
        r#"{{"between": [1, 2], "delay": "{DELAY_MS} ms", "rate": "100 Gbit/s", "queue": "64 MiB"}}"#
    );
    let text = format!(
        r#"{{"bellini": 1, "duration": "5 s", "nodes": [{{"id": 1}}, {{"id": 2}}], "links": [{link}],
        "conferences": [{{"id": 1, "sessions": [{{"id": 1, "source": 1, "destinations": [2],
        "content": {{"kind": "constant", "rate": "1 Mbit/s"}}, "routing": "direct"}}]}}]}}"#
    );
    match parse_str("emulator.json", &text, &LoadOptions::default()) {
        Ok(loaded) => loaded.scenario,
        Err(problems) => panic!("{problems}"),
    }
}

fn socket(namespaces: &[Namespace], node: u32, port: u16) -> UdpSocket {
    let open = move || UdpSocket::bind((ipv4(node), port));
    let socket = namespaces[node as usize].run(open).expect("it lives").expect("the port is free");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("not zero");
    socket
}

/// Sends as fast as the kernel takes packets.
fn saturate(bytes: usize, seconds: Duration) {
    let (namespaces, emulator) = lab();
    let (near, far) = (socket(&namespaces, 0, DATA), socket(&namespaces, 1, DATA));
    let is_over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&is_over);
    let receiver = std::thread::spawn(move || {
        let mut buffer = [0; 2_000];
        let mut packets = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            packets += u64::from(far.recv(&mut buffer).is_ok());
        }
        packets
    });
    let payload = vec![0; bytes];
    let start = Instant::now();
    let mut sent = 0_u64;
    while start.elapsed() < seconds {
        for _ in 0..64 {
            // A full buffer of the sender is one of the things that saturation means.
            sent += u64::from(near.send_to(&payload, (ipv4(1), DATA)).is_ok());
        }
    }
    let wall = start.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_millis(100));
    is_over.store(true, Ordering::Relaxed);
    let received = receiver.join().expect("it does not panic");
    let report = emulator.stop().expect("it ran");
    println!(
        "saturation, {bytes} B: {:.0} k packets/s taken, {:.0} k/s written ({:.0} k/s sent, {:.0} k/s received); \
         {:.2} us of processor a packet; device dropped {}, overfull {}",
        report.packets as f64 / wall / 1e3,
        report.delivered_packets as f64 / wall / 1e3,
        sent as f64 / wall / 1e3,
        received as f64 / wall / 1e3,
        report.cpu_s * 1e6 / report.packets.max(1) as f64,
        report.device_dropped_packets,
        report.overfull_packets,
    );
    lateness(&report);
}

/// Sends single packets there and back, with `load` others a second in the same direction.
fn round_trips(load: u64, seconds: Duration) {
    let (namespaces, emulator) = lab();
    let (near, far) = (socket(&namespaces, 0, DATA), socket(&namespaces, 1, DATA));
    let (noise, _sink) = (socket(&namespaces, 0, DATA + 10), socket(&namespaces, 1, DATA + 10));
    let is_over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&is_over);
    let echo = std::thread::spawn(move || {
        let mut buffer = [0; 2_000];
        while !stop.load(Ordering::Relaxed) {
            if let Ok((len, from)) = far.recv_from(&mut buffer) {
                // A lost answer shows as a missing round trip.
                let _ = far.send_to(&buffer[..len], from);
            }
        }
    });
    let stop = Arc::clone(&is_over);
    let sender = std::thread::spawn(move || {
        let start = Instant::now();
        let mut sent = 0_u64;
        while load > 0 && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_micros(200));
            let due = (start.elapsed().as_secs_f64() * load as f64) as u64;
            // More at once would be a burst that only says that this thread did not run.
            sent = sent.max(due.saturating_sub(load / 50));
            while sent < due {
                // Noise only.
                let _ = noise.send_to(&[0; 1_000], (ipv4(1), DATA + 10));
                sent += 1;
            }
        }
    });
    let mut excess = Histogram::new();
    let mut buffer = [0; 2_000];
    let start = Instant::now();
    while start.elapsed() < seconds {
        let sent = Instant::now();
        if near.send_to(&[0; 100], (ipv4(1), DATA)).is_ok() && near.recv(&mut buffer).is_ok() {
            let model = Duration::from_millis(2 * DELAY_MS);
            excess.record(sent.elapsed().saturating_sub(model).as_nanos() as u64);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    is_over.store(true, Ordering::Relaxed);
    echo.join().expect("it does not panic");
    sender.join().expect("it does not panic");
    let report = emulator.stop().expect("it ran");
    println!(
        "round trips beside {load} packets/s: excess us {}; busy {:.0} %, processor {:.0} %, {} trips",
        quantiles(&excess),
        report.busy_share() * 100.0,
        report.cpu_s / report.wall_s * 100.0,
        excess.count(),
    );
    lateness(&report);
}

fn lateness(report: &EmulatorReport) {
    println!("    lateness us {}", quantiles(&report.lateness));
}

fn quantiles(values: &Histogram) -> String {
    let at = |q: f64| values.quantile(q).map_or(f64::NAN, |nanos| nanos as f64 / 1e3);
    format!(
        "p50 {:.1} p90 {:.1} p99 {:.1} p99.9 {:.1} max {:.0}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0)
    )
}
