//! TCP as cross traffic: connections that share a link with our sessions.

use crate::common::{conference, duplex, flow, mbps, ms, node, path, scenario, session};
use crate::watch::{Watch, destination, link_of, run};
use bellini_core::content::spec::Content;
use bellini_core::time::Duration;
use bellini_scenarios::model::{CrossPattern, CrossTraffic, Scenario, TcpController, TcpRecovery};
use bellini_scenarios::record::Scope;
use bellini_scenarios::registry::Registry;
use bellini_sim::Simulation;

/// A session of 2 Mbit/s beside `flows` connections on a link of 20 Mbit/s with a round trip of 40 ms.
fn beside(flows: u32, controller: TcpController) -> Scenario {
    let nodes = (1..=2).map(node).collect();
    let mut links = duplex(1, 2, ms(20), Some(mbps(20))).to_vec();
    for link in &mut links {
        link.queue.bytes = 100_000;
    }
    let content = Content::Constant { rate: mbps(2), phase: ms(1) };
    let session = session(1, 1, &[2], content, vec![flow(path(&[2]), 1.0)]);
    let mut scenario = scenario(Duration::from_secs(20), nodes, links, vec![conference(1, vec![session])]);
    scenario.measure.from = Duration::from_secs(5);
    scenario.cross_traffic = vec![CrossTraffic {
        link: 0,
        pattern: CrossPattern::Tcp { flows, controller, delayed_acks: true, recovery: TcpRecovery::Rack },
        start: Duration::ZERO,
        stop: Duration::from_secs(15),
    }];
    scenario
}

/// Aim: connections take what a session leaves, say what they got, repeat what the queue dropped, and stop when told.
#[test]
fn tcp_takes_what_is_left() {
    for controller in [TcpController::Cubic, TcpController::Reno] {
        let mut scenario = beside(3, controller);
        scenario.measure.to = Duration::from_secs(15);
        let mut watch = Watch::default();
        let simulation = Simulation::new(&scenario, 1, &Registry::builtin()).expect("it starts");
        let summary = simulation.run(&mut watch).expect("packets add up").summary;
        let used = link_of(&summary, 1, 2).utilisation.expect("it has a rate");
        assert!(used > 0.97, "{used}");
        let goodput: f64 = summary.cross_flows.iter().map(|flow| flow.goodput_mbps.expect("a window")).sum();
        // 20 Mbit/s without the session's 2.22, of which 1,448 in 1,500 are payload.
        println!("{controller:?}: {goodput} Mbit/s, {:?}", summary.cross_flows);
        assert!((16.4..17.3).contains(&goodput), "{goodput} Mbit/s");
        assert!(summary.cross_flows.iter().all(|flow| flow.retransmitted_segments > Some(0)));
        let acks = link_of(&summary, 2, 1).cross_bytes.expect("acknowledgements come back");
        let data = link_of(&summary, 1, 2).cross_bytes.expect("cross traffic");
        // 52 bytes for each two segments, and more of them while something is missing.
        let ratio = acks as f64 / data as f64;
        assert!((52.0 / 3_000.0..0.025).contains(&ratio), "{ratio}");
        let late = watch.series(Scope::Cross, "1>2#2", "cross_goodput_mbps").filter(|(t, _)| *t > 15.1);
        assert!(late.map(|(_, mbps)| mbps).sum::<f64>() < 1e-9, "it stopped");
        let queueing = destination(&summary, 0, 2).delay_ms.expect("packets came").p50;
        assert!(queueing > 30.0, "the session waits behind them: {queueing} ms");
    }
}

/// Aim: cross traffic is the same run after run, and without it nothing is of it.
#[test]
fn tcp_repeats_itself() {
    let scenario = beside(2, TcpController::Cubic);
    let (one, two) = (run(&scenario, 7), run(&scenario, 7));
    assert_eq!(one.digest, two.digest);
    assert_eq!(one.cross_flows, two.cross_flows);
    let mut without = scenario;
    without.cross_traffic.clear();
    let summary = run(&without, 7);
    assert!(summary.cross_flows.is_empty());
    assert_eq!(destination(&summary, 0, 2).lost_packets, 0);
}
