//! The listing in a run: members whose lease ends leave their sessions, come back, and what holds while it is down.

use crate::watch::{Watch, destination, run_watched};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::parse::{LoadOptions, load, parse_str};
use bellini_scenarios::record::kind;
use std::path::Path;

fn shipped() -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/listing/member-lost.json");
    load(&path, &LoadOptions::default()).unwrap_or_else(|found| panic!("{found}")).scenario
}

/// A reliable session of 1 Mbit/s from node 1 by way of node 2 to nodes 3 and 4; the listing is at `listing`, node 5 is
/// behind the relay, too.
fn small(listing: u32, lease: &str, duration: &str, more: &str, faults: &str) -> Scenario {
    let text = format!(
        r#"{{
  "bellini": 1, "duration": "{duration}", "listing": {{"node": {listing}, "lease": "{lease}"}},
  "planner": {{"period": "2 s"}},
  "defaults": {{"link": {{"delay": "10 ms", "rate": "20 Mbit/s"}}}},
  "nodes": [{{"id": 1}}, {{"id": 2}}, {{"id": 3}}, {{"id": 4}}, {{"id": 5}}],
  "links": [{{"between": [1, 2]}}, {{"between": [2, 3]}}, {{"between": [2, 4]}}, {{"between": [2, 5]}}],
  "conferences": [{{"id": 7, "sessions": [{{
    "id": 9, "source": 1, "destinations": [3, 4], "delivery": "reliable",
    "content": {{"kind": "constant", "rate": "1 Mbit/s"}}, "routing": "multicast-tree"{more}
  }}]}}],
  "faults": [{faults}]
}}"#
    );
    parse_str("small.json", &text, &LoadOptions::default()).unwrap_or_else(|found| panic!("{found}")).scenario
}

/// When, and which node, of the events of a kind.
fn when(watch: &Watch, kind: &str) -> Vec<(f64, u32)> {
    watch.of_kind(kind).map(|event| (event.t_s, event.node.unwrap_or(0))).collect()
}

#[track_caller]
fn assert_within(found: f64, from: f64, to: f64) {
    assert!((from..=to).contains(&found), "{found} is not from {from} to {to}");
}

/// Aim: the shipped scenario does what it says: who crashes expires within a lease of the crash, not before two thirds of
/// it; who returns is a destination again within a round trip and gets all from then on; nobody else expires, though the
/// listing is down for a lease; the session completes for who is there, and only because of the listing.
#[test]
fn lost_members_hold_nothing_back() {
    let scenario = shipped();
    let (summary, watch) = run_watched(&scenario, 1);
    let expired = when(&watch, kind::MEMBER_EXPIRED);
    println!("expired {expired:?}, back {:?}", when(&watch, kind::MEMBER_BACK));
    assert_eq!(expired.iter().map(|(_, node)| *node).collect::<Vec<_>>(), [6, 5]);
    // A heartbeat every 667 ms, 30 to 40 ms of way to the listing.
    assert_within(expired[0].0, 4.0 + 1.333, 4.0 + 2.05);
    assert_within(expired[1].0, 6.0 + 1.333, 6.0 + 2.05);
    let [(back, 5)] = when(&watch, kind::MEMBER_BACK)[..] else { panic!("ben is back, once") };
    assert_within(back, 13.03, 13.2);
    let completed = when(&watch, kind::SESSION_COMPLETED);
    println!("complete {completed:?}");
    assert_eq!(completed.len(), 1);
    assert_within(completed[0].0, 19.0, 19.5);
    let (ana, ben, cleo) =
        (destination(&summary, 0, 4), destination(&summary, 0, 5), destination(&summary, 0, 6));
    assert_eq!((ana.lost_packets, ana.in_flight_packets), (0, 0), "{ana:?}");
    assert!(ana.sent_packets > 3_900);
    // Each of them is owed what was made until its lease ended: 208 symbols a second.
    let owed_in_vain = |found: u64, from: f64, to: f64| {
        assert_within(found as f64 / 208.3, to - from - 0.15, to - from + 0.15);
    };
    owed_in_vain(cleo.lost_packets, 4.0, expired[0].0);
    owed_in_vain(ben.lost_packets, 6.0, expired[1].0);
    let down = watch.of_kind(kind::POLICY).filter(|event| (9.1..11.0).contains(&event.t_s));
    assert_eq!(down.count(), 0, "nothing is decided while the listing is down");
    let without = Scenario { listing: None, ..scenario };
    let (_, watch) = run_watched(&without, 1);
    assert_eq!(when(&watch, kind::MEMBER_EXPIRED), []);
    assert_eq!(when(&watch, kind::SESSION_COMPLETED), [], "nobody tells the studio that cleo is gone");
}

/// Aim: the same seed gives the same run, with a listing too.
#[test]
fn listings_are_deterministic() {
    let scenario = shipped();
    assert_eq!(run_watched(&scenario, 3).1, run_watched(&scenario, 3).1);
}

/// Aim: a member that is cut off, and whose process goes on, expires and comes back likewise; the listing may be at the
/// session's source, where nothing needs to be sent.
#[test]
fn a_member_that_was_cut_off_comes_back() {
    for listing in [1, 5] {
        let faults = r#"{"at": "2 s", "cut": [[2, 4]]}, {"at": "6 s", "heal": [[2, 4]]}"#;
        let (summary, watch) = run_watched(&small(listing, "1 s", "10 s", r#", "stop": "9 s""#, faults), 1);
        let expired = when(&watch, kind::MEMBER_EXPIRED);
        let back = when(&watch, kind::MEMBER_BACK);
        println!("listing at {listing}: expired {expired:?}, back {back:?}");
        let ([(gone, 4)], [(back, 4)]) = (&expired[..], &back[..]) else { panic!("{expired:?}, {back:?}") };
        assert_within(*gone, 2.6, 3.1);
        // A hello may wait for up to four seconds.
        assert_within(*back, 6.0, 10.1);
        assert_eq!(when(&watch, kind::SESSION_COMPLETED).len(), 1, "listing at {listing}");
        assert_eq!(destination(&summary, 0, 3).lost_packets, 0);
    }
}

/// Aim: nobody expires because the listing was away, even for so long that its neighbours gave it up.
#[test]
fn leases_begin_anew_after_the_listing_was_down() {
    let faults = r#"{"at": "2 s", "crash": 5}, {"at": "32 s", "restart": 5}"#;
    let (_, watch) = run_watched(&small(5, "1 s", "50 s", r#", "stop": "49 s""#, faults), 1);
    assert_eq!(when(&watch, kind::MEMBER_EXPIRED), []);
    assert_eq!(when(&watch, kind::SESSION_COMPLETED).len(), 1);
}

/// Aim: a member that dies while the listing is down expires after it is back, and the source hears of it.
#[test]
fn who_dies_meanwhile_expires_afterwards() {
    let faults = r#"{"at": "2 s", "crash": 5}, {"at": "3 s", "crash": 4}, {"at": "5 s", "restart": 5}"#;
    let (_, watch) = run_watched(&small(5, "2 s", "20 s", r#", "stop": "19 s""#, faults), 1);
    let expired = when(&watch, kind::MEMBER_EXPIRED);
    let [(at, 4)] = expired[..] else { panic!("{expired:?}") };
    // Its last heartbeats waited at node 2 for the listing: the lease begins when they are heard.
    assert_within(at, 7.0, 7.1);
    assert_eq!(when(&watch, kind::SESSION_COMPLETED).len(), 1);
}

/// Aim: a session that starts while the listing is down has no routes until it is back, and then at once.
#[test]
fn what_was_asked_meanwhile_is_decided_afterwards() {
    let faults = r#"{"at": "500 ms", "crash": 5}, {"at": "4 s", "restart": 5}"#;
    let mut scenario = small(5, "2 s", "10 s", r#", "start": "2 s""#, faults);
    scenario.planner.period = bellini_core::time::Duration::from_secs(1_000);
    let (summary, watch) = run_watched(&scenario, 1);
    let decided = watch.of_kind(kind::POLICY).map(|event| event.t_s).collect::<Vec<_>>();
    let [decided] = decided[..] else { panic!("{decided:?}") };
    // Two links, opened by hellos that may wait.
    assert_within(decided, 4.0, 8.1);
    assert_eq!(destination(&summary, 0, 3).lost_packets, 0);
}

/// Aim: a member that is dead from the beginning holds nothing back either, and the end of a conference expires nobody.
#[test]
fn who_never_came_and_who_is_over() {
    let faults = r#"{"at": "0 s", "crash": 4}"#;
    let text = r#", "start": "500 ms""#;
    let (_, watch) = run_watched(&small(1, "1 s", "12 s", text, faults), 1);
    let expired = when(&watch, kind::MEMBER_EXPIRED);
    assert!(matches!(expired[..], [(_, 4)]), "{expired:?}");
    let mut over = small(5, "1 s", "12 s", "", "");
    over.conferences[0].end = Some(bellini_core::time::Duration::from_secs(3));
    over.conferences[0].sessions[0].stop = bellini_core::time::Duration::from_secs(3);
    let (_, watch) = run_watched(&over, 1);
    assert_eq!(when(&watch, kind::MEMBER_EXPIRED), []);
    assert!(
        watch.of_kind(kind::CONFERENCE_ENDED).any(|event| event.node == Some(5)),
        "the listing hears of it"
    );
}
