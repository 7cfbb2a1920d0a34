//! Faults do what they say, and nothing else.
//!
//! Symbols are made at 0.5 ms, 1.5 ms, ..; delays and fault times are whole milliseconds, so that which packet meets a
//! fault can be counted on one's fingers.

use crate::common::{bps, conference, duplex, flow, id, ms, node, path, scenario, session};
use crate::watch::{LAST_HOP, destination, nanos, run, run_watched};
use bellini_core::content::spec::Content;
use bellini_core::route::{Branch, Route};
use bellini_core::time::Duration;
use bellini_scenarios::model::{
    Churn, Conference, Fault, FaultKind, LinkSelector, Measure, Membership, Scenario, Session, StaticFlow,
};
use bellini_scenarios::record::{Scope, kind};

/// Symbols made in a run: one a millisecond in ten seconds.
const SENT: u64 = 10_000;
/// Delays of the links 1-2 and 2-3, in milliseconds.
const FIRST: u64 = 30;
const SECOND: u64 = 20;

fn one_a_millisecond() -> Content {
    Content::Constant { rate: bps(8_000_000), phase: Duration::from_micros(500) }
}

/// 1 > 2 > 3d.
fn line(faults: Vec<(u64, FaultKind)>) -> Scenario {
    let session = session(1, 1, &[3], one_a_millisecond(), vec![flow(path(&[2, 3]), 1.0)]);
    over_line(vec![conference(1, vec![session])], faults)
}

fn over_line(conferences: Vec<Conference>, faults: Vec<(u64, FaultKind)>) -> Scenario {
    let links = [duplex(1, 2, ms(FIRST), None), duplex(2, 3, ms(SECOND), None)].concat();
    let nodes = (1..=3).map(node).collect();
    let mut scenario = scenario(Duration::from_secs(10), nodes, links, conferences);
    scenario.faults = faults.into_iter().map(|(at, kind)| Fault { at: ms(at), kind }).collect();
    scenario
}

/// The link 1 > 2, as the scenario numbers it.
fn first_link() -> LinkSelector {
    LinkSelector::Links(vec![0])
}

/// Symbols delivered at node 3, of [`SENT`].
fn delivered(scenario: &Scenario) -> u64 {
    let found = destination(&run(scenario, 1), 0, 3).clone();
    assert_eq!((found.sent_packets, found.in_flight_packets), (SENT, 0));
    assert_eq!(found.sent_packets, found.delivered_packets + found.lost_packets);
    found.delivered_packets
}

#[test]
fn without_faults_all_arrive() {
    assert_eq!(delivered(&line(vec![])), SENT);
}

#[test]
fn a_crashed_relay_loses_exactly_what_comes_to_it() {
    // Symbol i reaches the relay at i + 0.5 + 30 ms; those that it has sent on by then still arrive.
    assert_eq!(delivered(&line(vec![(4_000, FaultKind::Crash(id(2)))])), 4_000 - FIRST);
}

#[test]
fn after_a_restart_packets_flow_again_at_once() {
    // Lost: what comes to the dead relay, and what comes before the source knows of the restart: the first packet
    // of an unknown connection is answered by a hello (one round trip in all), and what is on its way when that
    // comes was sent to the old incarnation. Two round trips and a repeated hello (500 ms) are allowed.
    let (crash, restart) = (4_000, 5_000);
    let scenario = line(vec![(crash, FaultKind::Crash(id(2))), (restart, FaultKind::Restart(id(2)))]);
    let lost = SENT - delivered(&scenario);
    let round_trips = 2 * 2 * FIRST + 2 * 2 * SECOND;
    assert!(lost >= restart - crash, "{lost}");
    assert!(lost <= restart - crash + round_trips + 500, "{lost}");
    println!("relay: {} ms from restart to flow", lost - (restart - crash));
    // The same for a destination, and for the source, which makes nothing while it is dead.
    let scenario = line(vec![(crash, FaultKind::Crash(id(3))), (restart, FaultKind::Restart(id(3)))]);
    let lost = SENT - delivered(&scenario);
    assert!(lost >= restart - crash && lost <= restart - crash + 2 * 2 * SECOND + 500, "{lost}");
    println!("destination: {} ms from restart to flow", lost - (restart - crash));
    let scenario = line(vec![(crash, FaultKind::Crash(id(1))), (restart, FaultKind::Restart(id(1)))]);
    let found = destination(&run(&scenario, 1), 0, 3).clone();
    assert_eq!(found.sent_packets, SENT - (restart - crash));
    assert!(found.lost_packets <= 2 * 2 * FIRST + 500, "{found:?}");
    println!("source: {} of {} lost", found.lost_packets, found.sent_packets);
}

#[test]
fn a_cut_loses_what_is_on_the_link_and_what_is_offered_until_healed() {
    let faults = vec![(3_000, FaultKind::Cut(first_link())), (7_000, FaultKind::Heal(first_link()))];
    assert_eq!(SENT - delivered(&line(faults)), FIRST + 4_000);
}

#[test]
fn a_partition_cuts_all_between_the_groups_until_healed() {
    let apart = FaultKind::Partition(vec![id(1)], vec![id(2), id(3)]);
    // Links by (from, to): 1>2, 2>1, 2>3, 3>2.
    let heal = FaultKind::Heal(LinkSelector::Links(vec![0, 1]));
    assert_eq!(SENT - delivered(&line(vec![(3_000, apart), (7_000, heal)])), FIRST + 4_000);
    // Negative control: a partition that separates nothing on the way.
    let inside = FaultKind::Partition(vec![id(1)], vec![id(3)]);
    assert_eq!(delivered(&line(vec![(3_000, inside)])), SENT);
}

#[test]
fn a_degradation_adds_exactly_its_delay_while_it_lasts() {
    let extra = Duration::from_nanos(12_345_678);
    let worse = FaultKind::Degrade {
        links: first_link(),
        rate_factor: None,
        extra_delay: Some(extra),
        extra_loss: None,
    };
    let mut scenario = line(vec![(3_000, worse), (7_000, FaultKind::Heal(first_link()))]);
    let base = (FIRST + SECOND) * 1_000_000;
    for (from, to, expected) in
        [(0, 2_900, base), (3_000, 7_000, base + extra.as_nanos()), (7_100, 10_000, base)]
    {
        scenario.measure = Measure { from: ms(from), to: ms(to) };
        let found = destination(&run(&scenario, 1), 0, 3).clone();
        let delay = found.delay_ms.expect("packets came");
        assert_eq!((found.sent_packets, found.lost_packets), (to - from, 0));
        assert_eq!((nanos(delay.mean), nanos(delay.max)), (expected, expected), "{from} to {to} ms");
    }
    let lossy = FaultKind::Degrade {
        links: first_link(),
        rate_factor: None,
        extra_delay: None,
        extra_loss: Some(0.25),
    };
    let lost = SENT - delivered(&line(vec![(3_000, lossy), (7_000, FaultKind::Heal(first_link()))]));
    assert!(
        (lost as f64 - 1_000.0).abs() < 4.5 * (4_000.0 * 0.25 * 0.75_f64).sqrt(),
        "{lost} of 4,000 at 25 %"
    );
}

#[test]
fn clocks_that_are_off_leave_reported_delays_unchanged() {
    let mut scenario = line(vec![]);
    let figures = |scenario: &Scenario| {
        let found = destination(&run(scenario, 1), 0, 3).clone();
        let delay = found.delay_ms.expect("packets came");
        (found.sent_packets, found.delivered_packets, nanos(delay.mean), nanos(delay.max))
    };
    let truth = figures(&scenario);
    assert_eq!(truth, (SENT, SENT, 50_000_000, 50_000_000));
    for offsets in [[40_000_000, -40_000_000, 17], [-40_000_000, 0, 40_000_000], [40_000_000, 40_000_000, -1]]
    {
        for (node, offset) in scenario.nodes.iter_mut().zip(offsets) {
            node.clock_offset_ns = offset;
        }
        assert_eq!(figures(&scenario), truth, "{offsets:?}");
    }
}

#[test]
fn the_end_of_a_conference_empties_its_queues_at_once() {
    // Two conferences share a hop that takes half of what they offer; the first one ends after five seconds.
    let session = |number| session(number, 1, &[3], one_a_millisecond(), vec![flow(path(&[2, 3]), 1.0)]);
    let (mut first, second) = (conference(1, vec![session(1)]), conference(2, vec![session(2)]));
    first.end = Some(Duration::from_secs(5));
    let mut scenario = over_line(vec![first, second], vec![]);
    // One packet a millisecond.
    scenario.nodes[1].hop_rates = vec![(id(3), bps((LAST_HOP + 1_000) * 8_000))];
    scenario.sample_interval = ms(100);
    let (summary, watch) = run_watched(&scenario, 1);
    let ended: Vec<u32> = watch.of_kind(kind::CONFERENCE_ENDED).filter_map(|event| event.node).collect();
    assert_eq!(ended, [1, 2, 3], "the news travels with the packets");
    // Both fill their 256 KiB; the first one's part goes, and the hop is the second one's alone.
    let queued = |t: f64| {
        let mut series = watch.series(Scope::Feeder, "2>3", "queued_bytes");
        series.find(|(at, _)| (at - t).abs() < 1e-6).expect("a sample").1
    };
    assert!(queued(4.9) > 2.0 * 255_000.0 && queued(5.2) < 263_000.0, "{} {}", queued(4.9), queued(5.2));
    let dropped = summary.nodes[1].drops["conference_ended"];
    assert!((230..=262).contains(&dropped), "{dropped} packets of a queue of 256 KiB");
    let goodput = |id, from: f64, to: f64| {
        let series = watch.series(Scope::Destination, id, "goodput_mbps");
        let window: Vec<f64> =
            series.filter(|(t, _)| from < *t && *t <= to).map(|(_, value)| value).collect();
        window.iter().sum::<f64>() / window.len().max(1) as f64
    };
    assert!((goodput("1/1@3", 3.0, 5.0) - 4.0).abs() < 0.1 && (goodput("2/2@3", 3.0, 5.0) - 4.0).abs() < 0.1);
    assert!(goodput("1/1@3", 5.2, 10.0) == 0.0, "nothing of it arrives any more");
    assert!((goodput("2/2@3", 5.2, 10.0) - 8.0).abs() < 0.1, "{}", goodput("2/2@3", 5.2, 10.0));
}

/// 1 > 2 > {3d,4d}, by the policy that builds trees, with node 4 coming and going.
fn with_churn(list: &[(u64, Membership)]) -> Scenario {
    let mut session: Session = session(1, 1, &[3], one_a_millisecond(), Vec::<StaticFlow>::new());
    session.routing.policy = "multicast-tree".into();
    session.assignment.policy = "equal".into();
    let mut conference = conference(1, vec![session]);
    conference.churn = list
        .iter()
        .map(|(at, membership)| Churn {
            at: ms(*at),
            node: id(4),
            session: bellini_core::ids::SessionId(1),
            membership: *membership,
        })
        .collect();
    let links =
        [duplex(1, 2, ms(FIRST), None), duplex(2, 3, ms(SECOND), None), duplex(2, 4, ms(SECOND), None)]
            .concat();
    let mut scenario =
        scenario(Duration::from_secs(10), (1..=4).map(node).collect(), links, vec![conference]);
    scenario.sample_interval = ms(100);
    scenario
}

#[test]
fn members_get_packets_from_joining_to_leaving() {
    let scenario = with_churn(&[(3_000, Membership::Join), (7_000, Membership::Leave)]);
    let (summary, watch) = run_watched(&scenario, 1);
    let stayed = destination(&summary, 0, 3);
    assert_eq!((stayed.sent_packets, stayed.lost_packets), (SENT, 0), "who stays loses nothing");
    let visitor = destination(&summary, 0, 4);
    assert_eq!(visitor.sent_packets, 4_000);
    // The request goes to the source (50 ms), and the first packet comes back (50 ms); hops open on the way.
    let missed = visitor.sent_packets.checked_sub(visitor.delivered_packets).expect("no more than was sent");
    assert!(missed <= 500, "{missed} symbols missed");
    assert_eq!(visitor.lost_packets, missed);
    let received: Vec<f64> = watch
        .series(Scope::Destination, "1/1@4", "goodput_mbps")
        .filter(|(_, value)| *value > 0.0)
        .map(|(t, _)| t)
        .collect();
    let (first, last) = (received[0], received[received.len() - 1]);
    assert!(first > 3.0 && first < 3.6 && last > 6.95 && last < 7.25, "from {first} to {last} s");
    // Nothing is sent to it that it does not want: its link falls silent.
    let sent: Vec<f64> = watch
        .series(Scope::Link, "2>4", "throughput_mbps")
        .filter(|(_, value)| *value > 1.0)
        .map(|(t, _)| t)
        .collect();
    assert!(sent[0] > 3.0 && sent[sent.len() - 1] < 7.3, "{sent:?}");
}

#[test]
fn a_tree_with_all_members_from_the_start_is_the_static_one() {
    // Negative control of the test above: without churn node 4 is no destination and hears nothing.
    let mut scenario = with_churn(&[]);
    assert!(run(&scenario, 1).sessions[0].destinations.iter().all(|found| found.node != 4));
    scenario.conferences[0].sessions[0].destinations.push(id(4));
    let tree = run(&scenario, 1);
    let leaf = |n| Branch { node: id(n), deliver: true, next: Vec::new() };
    let two = Branch { node: id(2), deliver: false, next: vec![leaf(3), leaf(4)] };
    let session = &mut scenario.conferences[0].sessions[0];
    session.routing.policy = "static".into();
    session.assignment.policy = "static".into();
    session.routing.flows = vec![flow(Route { branches: vec![two] }, 1.0)];
    let fixed = run(&scenario, 1);
    assert_eq!(tree.sessions[0].destinations, fixed.sessions[0].destinations);
}

#[test]
fn who_comes_back_is_judged_by_both_stays() {
    let list = [(2_000, Membership::Join), (4_000, Membership::Leave), (6_000, Membership::Join)];
    let found = destination(&run(&with_churn(&list), 1), 0, 4).clone();
    assert_eq!(found.sent_packets, 2_000 + 4_000);
    let missed = found.sent_packets.checked_sub(found.delivered_packets).expect("no more than was sent");
    assert!((1..=1_000).contains(&missed), "{missed}");
}

#[test]
fn a_join_after_the_end_changes_nothing() {
    let ended = |list: &[(u64, Membership)]| {
        let mut scenario = with_churn(list);
        scenario.conferences[0].end = Some(Duration::from_secs(4));
        for churn in &mut scenario.conferences[0].churn {
            churn.node = id(3);
        }
        destination(&run(&scenario, 1), 0, 3).clone()
    };
    let quiet = ended(&[]);
    assert!((3_900..=4_000).contains(&quiet.delivered_packets), "{quiet:?}");
    assert_eq!(ended(&[(6_000, Membership::Join)]), quiet);
}
