//! Sealing in the simulator: the bytes it adds to packets and datagrams, and that nothing else changes.

use crate::common::{bps, conference, duplex, flow, mbps, ms, node, path, scenario, session};
use crate::watch::{LAST_HOP, PATHLET, destination, link_of, run};
use bellini_core::coding::{CodingSpec, Repair, Scheme};
use bellini_core::congestion::{CongestionConfig, Controller};
use bellini_core::content::spec::Content;
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use bellini_scenarios::model::{Delivery, Loss, Scenario, Transport};

const SECONDS: u64 = 4;
/// Tag of a sealed symbol.
const TAG: u64 = 16;
/// Prefix and tag of a sealed datagram.
const SEAL: u64 = 24;

/// 1 > 2 > 3d, 250 symbols of 1,000 B a second.
fn chain(coding: Option<CodingSpec>) -> Scenario {
    let content = Content::Constant { rate: mbps(2), phase: Duration::ZERO };
    let mut talk = session(1, 1, &[3], content, vec![flow(path(&[2, 3]), 1.0)]);
    talk.coding = coding;
    let links = [duplex(1, 2, ms(5), Some(mbps(20))), duplex(2, 3, ms(5), Some(mbps(20)))].concat();
    let nodes = (1..=3).map(node).collect();
    scenario(Duration::from_secs(SECONDS), nodes, links, vec![conference(1, vec![talk])])
}

fn sealed(mut scenario: Scenario) -> Scenario {
    for session in scenario.conferences.iter_mut().flat_map(|conference| &mut conference.sessions) {
        session.sealed = true;
    }
    scenario
}

/// Aim: a sealed session has the same packets, each 16 B longer on every link, the same goodput, and delays that are longer
/// by what these bytes take; sealed hops add 24 B a datagram; both add up.
#[test]
fn sealing_adds_its_bytes_and_nothing_else() {
    let plain = run(&chain(None), 1);
    let packets = 250 * SECONDS;
    let of_packet = 1_000 + LAST_HOP + PATHLET;
    for (is_sealed, seal) in [(true, false), (false, true), (true, true)] {
        let mut changed = if is_sealed { sealed(chain(None)) } else { chain(None) };
        changed.seal = seal;
        let summary = run(&changed, 1);
        let (was, is) = (destination(&plain, 0, 3), destination(&summary, 0, 3));
        assert_eq!(is.delivered_packets, packets);
        assert_eq!((was.goodput_mbps, is.unopened_symbols), (is.goodput_mbps, is_sealed.then_some(0)));
        let link = link_of(&summary, 1, 2);
        assert_eq!(link.sent_packets, link_of(&plain, 1, 2).sent_packets);
        let more = if is_sealed { TAG } else { 0 } + if seal { SEAL } else { 0 };
        assert_eq!(link.sent_bytes, link.sent_packets * (of_packet + more), "{is_sealed} {seal}");
        // 20 Mbit/s, two hops.
        let longer = 2.0 * more as f64 * 8.0 / 20e6 * 1e3;
        let delays = [was, is].map(|it| it.delay_ms.expect("some came").min);
        assert!((delays[1] - delays[0] - longer).abs() < 1e-6, "{delays:?} {longer}");
        let least = [was, is].map(|it| it.base_delay_ms.expect("rates are known"));
        assert!((least[1] - least[0] - longer).abs() < 1e-6, "{least:?} {longer}");
    }
}

/// Aim: the least rate of a hop is shared by what sealing adds: a token bucket of a hop, and BBR at a bottleneck, carry
/// as much less payload as the datagrams are longer.
#[test]
fn paced_hops_carry_less_payload() {
    // (1,000 + headers) / (1,000 + headers + 24).
    let plain = (1_000 + LAST_HOP) as f64;
    let share = plain / (plain + SEAL as f64);
    for transport in [Transport::UdpUnpaced, Transport::Udp] {
        let goodput = |seal: bool| {
            let content = Content::File { bytes: 1 << 30, rate: None };
            let mut file = session(1, 1, &[2], content, vec![flow(path(&[2]), 1.0)]);
            file.transport = transport;
            let mut nodes: Vec<_> = (1..=2).map(node).collect();
            nodes[0].congestion = CongestionConfig::of(Controller::Bbr);
            if transport == Transport::UdpUnpaced {
                nodes[0].hop_rates = vec![(NodeId::new(2).expect("not zero"), bps(4_000_000))];
            }
            let links = duplex(1, 2, ms(10), Some(mbps(5))).to_vec();
            let mut scenario =
                scenario(Duration::from_secs(20), nodes, links, vec![conference(1, vec![file])]);
            scenario.measure.from = Duration::from_secs(10);
            scenario.seal = seal;
            destination(&run(&scenario, 1), 0, 2).goodput_mbps.expect("it has a window")
        };
        let (without, with) = (goodput(false), goodput(true));
        println!("{transport:?}: {without} {with} {} {share}", with / without);
        let tolerance = if transport == Transport::Udp { 0.01 } else { 0.001 };
        assert!((with / without - share).abs() < tolerance, "{transport:?}: {without}, {with}, {share}");
    }
}

/// Aim: sealed symbols are coded, lost, recoded and decoded as others are, and come out as long as they went in: files
/// are complete, described or real.
#[test]
fn sealed_sessions_are_coded_like_others() {
    let scheme = Scheme::Generation { size: 32, systematic: true, latency: None };
    let coding = |real_bytes| CodingSpec { scheme, repair: Repair::Fixed(0.0), recode: true, real_bytes };
    for real_bytes in [false, true] {
        let mut scenario =
            sealed(chain(Some(CodingSpec { repair: Repair::Fixed(0.5), ..coding(real_bytes) })));
        scenario.links.iter_mut().for_each(|link| link.loss = Loss::Bernoulli(0.05));
        let summary = run(&scenario, 2);
        let found = destination(&summary, 0, 3);
        assert!(found.delivered_packets > 250 * SECONDS * 98 / 100, "{found:?}");
        assert!(found.recovered_symbols.is_some_and(|recovered| recovered > 50), "{found:?}");
        assert_eq!((found.corrupt_packets, found.unopened_symbols), (Some(0), Some(0)));
        let rate = found.delivered_packets as f64 * 8e-3 / SECONDS as f64;
        assert!((found.goodput_mbps.expect("a window") - rate).abs() < 1e-6, "{found:?}");
    }
    for coding in [None, Some(coding(false))] {
        let content = Content::File { bytes: 300_000, rate: None };
        let mut file = session(1, 1, &[3], content, vec![flow(path(&[2, 3]), 1.0)]);
        (file.delivery, file.coding) = (Delivery::Reliable, coding);
        let mut scenario = sealed(chain(None));
        (file.sealed, scenario.conferences[0].sessions) = (true, Vec::new());
        file.stop = scenario.duration;
        scenario.conferences[0].sessions.push(file);
        scenario.links.iter_mut().for_each(|link| link.loss = Loss::Bernoulli(0.05));
        let summary = run(&scenario, 3);
        let found = destination(&summary, 0, 3);
        assert_eq!(
            (found.complete, found.bytes_complete, found.unopened_symbols),
            (Some(true), Some(300_000), Some(0))
        );
    }
}
