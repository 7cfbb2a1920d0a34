//! The scenarios by which simulator and lab are compared: one machine of two cores must be able to run them in real
//! time, and each kind keeps to what its judge can do.

use bellini_scenarios::emit::to_text;
use bellini_scenarios::model::{Loss, Rate, Scenario, Transport};
use bellini_scenarios::parse::{LoadOptions, load, parse_str};
use bellini_scenarios::resolve::mean_rate;
use std::path::{Path, PathBuf};

/// Headers of a packet that crosses a relay: UDP, IP, frame, chunk, packet and two Pathlets.
const HEADER_BYTES: f64 = 116.0;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fidelity").join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths
}

fn read(path: &Path) -> Scenario {
    let loaded = load(path, &LoadOptions::default()).unwrap_or_else(|found| panic!("{found}"));
    assert!(loaded.warnings.is_empty(), "{path:?}: {}", loaded.warnings[0].render(false));
    loaded.scenario
}

fn transports(scenario: &Scenario) -> impl Iterator<Item = Transport> {
    let sessions = scenario.conferences.iter().flat_map(|conference| &conference.sessions);
    sessions.map(|session| session.transport)
}

/// Returns the most that all hops together carry: wire bits and packets a second. A file takes what a link has.
fn load_of(scenario: &Scenario) -> (f64, f64) {
    let fastest = |link: &bellini_scenarios::model::Link| match &link.rate {
        Rate::Constant(rate) => rate.as_bps() as f64,
        _ => 0.0,
    };
    let greedy = scenario.links.iter().map(fastest).fold(0.0, f64::max);
    let mut total = (0.0, 0.0);
    for session in scenario.conferences.iter().flat_map(|conference| &conference.sessions) {
        let rate = mean_rate(&session.content).map_or(greedy, |rate| rate.as_bps() as f64);
        let packets = rate / 8.0 / f64::from(session.symbol_bytes);
        // Nowhere more than two hops and two destinations.
        let hops = 1.0 + session.destinations.len() as f64;
        total.0 += hops * (rate + packets * HEADER_BYTES * 8.0);
        total.1 += hops * packets;
    }
    for cross in &scenario.cross_traffic {
        let Some(load) = cross.pattern.load() else { continue };
        total.0 += load.rate.as_bps() as f64;
        total.1 += load.rate.as_bps() as f64 / 8.0 / f64::from(load.packet_bytes);
    }
    total
}

#[test]
fn all_fit_one_machine_of_two_cores() {
    for (folder, least) in [("", 6), ("kernel", 2), ("tcp", 2)] {
        let paths = files(folder);
        assert!(paths.len() >= least, "{paths:?}");
        for path in paths {
            let scenario = read(&path);
            assert!(scenario.description.len() > 300, "{path:?} does not say what it tests");
            assert!((2..=5).contains(&scenario.nodes.len()), "{path:?}");
            assert!((6.0..=20.0).contains(&scenario.duration.as_secs_f64()), "{path:?}");
            let window = scenario.measure.to.saturating_sub(scenario.measure.from).as_secs_f64();
            assert!(window >= 5.0 && window < scenario.duration.as_secs_f64(), "{path:?}: {window} s");
            let (bits, packets) = load_of(&scenario);
            assert!(bits < 100e6 && packets < 10_000.0, "{path:?}: {bits} bit/s, {packets} packets/s");
            let text = to_text(&scenario);
            let again = parse_str("again.json", &text, &LoadOptions::default()).unwrap();
            assert_eq!(again.scenario, scenario, "{text}");
        }
    }
}

#[test]
fn only_those_of_their_folder_use_tcp() {
    for folder in ["", "kernel"] {
        for path in files(folder) {
            assert!(transports(&read(&path)).all(|transport| transport == Transport::UdpUnpaced), "{path:?}");
        }
    }
    for path in files("tcp") {
        assert!(transports(&read(&path)).any(|transport| transport == Transport::Tcp), "{path:?}");
    }
}

/// Aim: the kernel's token bucket has a rate and a queue in bytes, and nothing else.
#[test]
fn those_of_the_kernel_ask_for_what_its_shaper_has() {
    for path in files("kernel") {
        let scenario = read(&path);
        assert!(scenario.cross_traffic.is_empty() && scenario.bottlenecks.is_empty(), "{path:?}");
        for link in &scenario.links {
            assert!(matches!(link.rate, Rate::Constant(_)), "{path:?}");
            assert!(link.delay.is_zero() && link.jitter.is_none() && link.loss == Loss::None, "{path:?}");
        }
    }
}
