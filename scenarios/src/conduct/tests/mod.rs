//! The conductor over a testbed that only counts: what is told to whom, when, and what is made of the figures.

mod bed;

use super::{ConductError, Conductor, Duty, NoObserver, Observer, Outcome, Progress};
use crate::model::Scenario;
use crate::parse::{LoadOptions, parse_str};
use crate::record::{DestinationSummary, Engine, EventRow, Mode, Scope, Status};
use crate::registry::Registry;
use bed::{Bed, DELIVERED};
use bellini_core::ids::{ConferenceId, Incarnation, SessionKey};
use bellini_core::io::{Event, PolicyReason};
use bellini_core::listing::{Change, Member, Parting};
use bellini_core::time::{Duration, Instant};

/// Node 1 sends to 2 by a relay or directly, 3 comes and goes.
fn scenario(more: &str) -> Scenario {
    let text = format!(
        r#"{{
  "bellini": 1,
  "description": "Three nodes, one session.",
  "duration": "10 s", "settle": "1 s", "drain": "1 s", "sample_interval": "2 s",
  "measure": {{"from": "0 s", "to": "10 s"}},
  "nodes": [{{"id": 1}}, {{"id": 2}}, {{"id": 3}}],
  "links": [
    {{"between": [1, 2], "delay": "30 ms"}},
    {{"between": [1, 3], "delay": "10 ms"}},
    {{"between": [2, 3], "delay": "10 ms"}}
  ],
  "conferences": [{{
    "id": 1,
    "weight": 3,
    "sessions": [{{
      "id": 1, "source": 1, "destinations": [2],
      "content": {{"kind": "constant", "rate": "80 kbit/s"}},
      "routing": "shortest-delay"
    }}]{more}
}}"#
    );
    match parse_str("three.json", &text, &LoadOptions::default()) {
        Ok(loaded) => loaded.scenario,
        Err(diagnostics) => panic!("the scenario is right: {diagnostics}"),
    }
}

const CHURN: &str = r#", "churn": [
    {"at": "2 s", "node": 3, "session": 1, "change": "join"},
    {"at": "5 s", "node": 3, "session": 1, "change": "leave"}
  ]}]"#;
const FAULTS: &str = r#"}], "faults": [
    {"at": "4 s", "crash": 2}, {"at": "6 s", "restart": 2}, {"at": "7 s", "crash": 1}, {"at": "8 s", "restart": 1}
  ]"#;

fn conductor(scenario: &Scenario) -> Conductor<'_> {
    Conductor::new(scenario, 1, &Registry::builtin()).expect("its policies are built in")
}

/// Lets time pass to the end of the run; every deadline is met `late` too late.
fn play(scenario: &Scenario, bed: &mut Bed, late: Duration, observer: &mut dyn Observer) -> Outcome {
    let mut conductor = conductor(scenario);
    conductor.begin(bed);
    while let Some((at, duty)) = conductor.next_deadline().filter(|(at, _)| *at <= conductor.end()) {
        bed.now = bed.now.max(at + late);
        conductor.act(duty, bed, observer).expect("it goes on");
    }
    bed.now = conductor.end();
    let engine = Engine::default();
    conductor.outcome(bed, Status::Complete, Mode::Lab, None, engine).expect("it has an outcome")
}

fn destination(outcome: &Outcome, node: u32) -> &DestinationSummary {
    let found = outcome.summary.sessions[0].destinations.iter().find(|found| found.node == node);
    found.expect("it is a destination")
}

#[derive(Default)]
struct Watch {
    samples: Vec<(f64, Scope, String, String, f64)>,
    events: Vec<(f64, String)>,
    stops_at: Option<f64>,
}

impl Observer for Watch {
    fn sample(&mut self, t_s: f64, scope: Scope, id: &str, metric: &str, value: f64) -> Result<(), String> {
        self.samples.push((t_s, scope, id.into(), metric.into(), value));
        Ok(())
    }

    fn event(&mut self, event: EventRow) -> Result<(), String> {
        self.events.push((event.t_s, event.kind));
        Ok(())
    }

    fn progress(&mut self, done: f64) -> Progress {
        if self.stops_at.is_some_and(|at| done >= at) { Progress::Stop } else { Progress::GoOn }
    }
}

/// Everything is told to the right node at its time: `settle` before zero the session, then who comes and goes.
#[test]
fn the_timeline_is_worked_off_in_order() {
    let mut bed = Bed::default();
    play(&scenario(CHURN), &mut bed, Duration::ZERO, &mut NoObserver);
    let expected = [
        "0.0 node 1: weight 3",
        "0.0 node 2: weight 3",
        "0.0 node 3: weight 3",
        "0.0 node 2: join",
        "0.0 node 1: start epoch 0 to 2",
        "3.0 node 3: join",
        "3.0 node 3: control by 1d",
        "6.0 node 3: leave",
    ];
    assert_eq!(bed.log, expected);
}

/// A destination is owed what was made between its joining and its leaving.
#[test]
fn members_are_judged_by_their_stay() {
    let outcome = play(&scenario(CHURN), &mut Bed::default(), Duration::ZERO, &mut NoObserver);
    // The source makes ten a second from scenario time zero; the run drains for a second more.
    assert_eq!(destination(&outcome, 2).sent_packets, 110);
    assert_eq!(destination(&outcome, 3).sent_packets, 30);
    assert_eq!(destination(&outcome, 3).lost_packets, 30 - DELIVERED);
}

/// What processes counted before they died is added to what the next ones count; a restarted source is in a new epoch,
/// and every node gets its part in the session again.
#[test]
fn crashes_lose_no_counts() {
    let mut bed = Bed::default();
    let outcome = play(&scenario(FAULTS), &mut bed, Duration::ZERO, &mut NoObserver);
    let expected = [
        "5.0 crash 2",
        "7.0 restart 2",
        "7.0 node 2: weight 3",
        "7.0 node 2: join",
        "8.0 crash 1",
        "9.0 restart 1",
        "9.0 node 1: weight 3",
        "9.0 node 1: start epoch 1 to 2",
    ];
    assert_eq!(bed.log[5..], expected);
    let found = destination(&outcome, 2);
    assert_eq!(found.delivered_packets, 2 * DELIVERED);
    // Seven seconds of the first process, three of the second.
    assert_eq!(found.sent_packets, 70 + 30);
}

/// A question is answered at once at the start of a session, along what is up; a later one after the next deadline.
#[test]
fn questions_are_answered_along_what_is_up() {
    let (scenario, mut bed) = (scenario("}]"), Bed { down: vec![2], ..Bed::default() });
    let mut conductor = conductor(&scenario);
    let wanted = |reason| Event::PolicyWanted {
        key: SessionKey::new(1, 1),
        destinations: vec![scenario.nodes[1].id],
        reason,
    };
    let mut ask = |conductor: &mut Conductor<'_>, reason| {
        let event = wanted(reason);
        conductor.handle_event(&mut bed, 0, Instant::ZERO, event, &mut NoObserver).expect("it goes on");
        bed.log.len()
    };
    assert_eq!(ask(&mut conductor, PolicyReason::Start), 1);
    assert_eq!(ask(&mut conductor, PolicyReason::Periodic), 1);
    assert_eq!(conductor.next_deadline(), Some((Instant::ZERO, Duty::Planner)));
    conductor.act(Duty::Planner, &mut bed, &mut NoObserver).expect("it goes on");
    // Node 3, on the shortest path, is down.
    assert_eq!(bed.log, ["0.0 node 1: install 2d", "0.0 node 1: install 2d"]);
    assert_eq!(conductor.deadline(Duty::Planner), None);
}

/// Aim: the node of the listing is given it, and again with what was kept when it starts again; members register by the
/// shortest path, and by another one when that breaks; one that is lost is a destination no more until it is back.
#[test]
fn a_listing_is_given_kept_and_given_again() {
    let more = r#"}], "listing": {"node": 3, "lease": "3 s"}, "faults": [
        {"at": "4 s", "cut": [[1, 3]]}, {"at": "5 s", "crash": 3}, {"at": "6 s", "restart": 3}
    ]"#;
    let (scenario, mut bed, mut watch) = (scenario(more), Bed::default(), Watch::default());
    let mut conductor = conductor(&scenario);
    conductor.begin(&mut bed);
    let begun = [
        "0.0 node 3: hold a listing of 2 members, 0 lost",
        "0.0 node 1: register by 3d, back 1d",
        "0.0 node 2: register by 3d, back 2d",
    ];
    assert_eq!(bed.log[3..], begun);
    let until = |conductor: &mut Conductor<'_>, bed: &mut Bed, watch: &mut Watch, end: u64| {
        let end = Instant::ZERO + Duration::from_secs(end);
        while let Some((at, duty)) = conductor.next_deadline().filter(|(at, _)| *at <= end) {
            bed.now = bed.now.max(at);
            conductor.act(duty, bed, watch).expect("it goes on");
        }
        bed.now = end;
    };
    until(&mut conductor, &mut bed, &mut watch, 4);
    let (conference, node) = (ConferenceId(1), scenario.nodes[1].id);
    let say = |conductor: &mut Conductor<'_>, bed: &mut Bed, watch: &mut Watch, revision, change| {
        let event = Event::Listed { revision, change: Box::new(change) };
        let now = bed.now;
        conductor.handle_event(bed, 2, now, event, watch).expect("it goes on");
    };
    let gone = Change::MemberGone { conference, node, parting: Parting::Expired };
    say(&mut conductor, &mut bed, &mut watch, 1, gone);
    let before = bed.log.len();
    until(&mut conductor, &mut bed, &mut watch, 7);
    let again = [
        "5.0 cut 1",
        "5.0 cut 4",
        "5.0 node 1: register by 2>3d, back 2>1d",
        "6.0 crash 3",
        "7.0 restart 3",
        "7.0 node 3: weight 3",
        "7.0 node 3: hold a listing of 1 members, 1 lost",
    ];
    assert_eq!(bed.log[before..], again);
    let member = Member { node, name: String::new(), addresses: Vec::new(), incarnation: Incarnation(2) };
    let back = Change::MemberJoined { conference, member };
    say(&mut conductor, &mut bed, &mut watch, 2, back.clone());
    say(&mut conductor, &mut bed, &mut watch, 3, back);
    assert_eq!(bed.log[before + again.len()..], ["7.0 node 2: join"]);
    let told: Vec<(f64, &str)> = watch.events.iter().map(|(at, kind)| (*at, kind.as_str())).collect();
    let told: Vec<_> = told.into_iter().filter(|(_, kind)| kind.starts_with("member")).collect();
    assert_eq!(told, [(3.0, "member_expired"), (6.0, "member_back")]);
    until(&mut conductor, &mut bed, &mut watch, 12);
    let outcome = conductor.outcome(&mut bed, Status::Complete, Mode::Lab, None, Engine::default());
    let outcome = outcome.expect("it has an outcome");
    // Three seconds until it was lost, five since it is back, ten symbols a second, and one second more to drain.
    assert_eq!(destination(&outcome, 2).sent_packets, 30 + 50);
}

/// Nothing is done before its time, and of what is due at the same time the timeline goes before the recorder.
#[test]
fn duties_wait_for_their_time() {
    let (scenario, mut bed) = (scenario("}]"), Bed::default());
    let mut conductor = conductor(&scenario);
    assert_eq!(conductor.next_deadline(), Some((Instant::ZERO, Duty::Timeline)));
    conductor.act(Duty::Recorder, &mut bed, &mut NoObserver).expect("it goes on");
    assert_eq!(bed.looks, 0);
    conductor.act(Duty::Timeline, &mut bed, &mut NoObserver).expect("it goes on");
    assert_eq!(bed.log.len(), 2, "{:?}", bed.log);
    let before_zero = conductor.zero().saturating_sub(Duration::from_nanos(1));
    assert_eq!(conductor.next_deadline(), Some((before_zero, Duty::Recorder)));
}

/// Rates are over the time that went by between two looks, however late they come.
#[test]
fn rates_hold_when_samples_come_late() {
    let mut watch = Watch::default();
    play(&scenario("}]"), &mut Bed::default(), Duration::from_millis(300), &mut watch);
    let rates = watch.samples.iter().filter(|(.., metric, _)| metric == "offered_mbps");
    let rates: Vec<(f64, f64)> = rates.map(|(t_s, .., rate)| (*t_s, *rate)).collect();
    assert_eq!(rates.iter().map(|(t_s, _)| *t_s).collect::<Vec<_>>(), [2.0, 4.0, 6.0, 8.0, 10.0]);
    assert!(rates.iter().all(|(_, rate)| (rate - 0.08).abs() < 1e-9), "{rates:?}");
}

/// The window's ends are looked at, and what was counted before it is taken off.
#[test]
fn links_and_nodes_are_judged_over_the_window() {
    let outcome = play(&scenario("}]"), &mut Bed::default(), Duration::ZERO, &mut NoObserver);
    let (link, node) = (&outcome.summary.links[1], &outcome.summary.nodes[0]);
    // At 1 s and at 11 s of true time.
    assert_eq!((link.sent_packets, link.sent_bytes), (200, 20_000));
    assert_eq!(link.dropped_other["cut"], 20);
    assert_eq!(node.cpu_s, Some(5.0));
    assert_eq!(node.host_dropped_packets, Some(0), "all of them before the window");
}

/// Connections of the cross traffic are judged over the window too, sampled by the time between looks, and have
/// numbers of their own on each link.
#[test]
fn tcp_of_others_is_sampled_and_judged() {
    let more = r#"}], "cross_traffic": [
        {"from": 1, "to": 2, "pattern": "tcp", "flows": 2, "controller": "reno"},
        {"from": 2, "to": 3, "pattern": "tcp"}
    ]"#;
    let mut scenario = scenario(more);
    scenario.measure.from = Duration::from_secs(2);
    scenario.measure.to = Duration::from_secs(6);
    let mut watch = Watch::default();
    let outcome = play(&scenario, &mut Bed::default(), Duration::ZERO, &mut watch);
    let flows = &outcome.summary.cross_flows;
    let ids: Vec<_> = flows.iter().map(|flow| (flow.id(), flow.controller.as_str())).collect();
    let of = |id: &str, controller| (id.to_owned(), controller);
    assert_eq!(ids, [of("1>2#1", "reno"), of("1>2#2", "reno"), of("2>3#1", "cubic")]);
    for (i, flow) in flows.iter().enumerate() {
        let goodput = flow.goodput_mbps.expect("the window has a length");
        assert!((goodput - (i as f64 + 1.0) * 0.008).abs() < 1e-12, "{goodput}");
        assert_eq!(flow.retransmitted_segments, Some(4));
    }
    let samples = watch.samples.iter().filter(|(_, scope, ..)| *scope == Scope::Cross);
    let samples: Vec<_> =
        samples.map(|(_, _, id, metric, value)| (id.as_str(), metric.as_str(), *value)).collect();
    assert_eq!(samples.len(), 15);
    assert_eq!((samples[4].0, samples[4].1), ("1>2#2", "cross_goodput_mbps"));
    assert!((samples[4].2 - 0.016).abs() < 1e-12);
    // Acknowledgements are cross traffic of the way back; links without either have none.
    let cross: Vec<_> =
        outcome.summary.links.iter().map(|link| (link.id(), link.cross_bytes.is_some())).collect();
    let crossed = cross.iter().filter(|(_, is)| *is).map(|(id, _)| id.as_str()).collect::<Vec<_>>();
    assert_eq!(crossed, ["1>2", "2>1", "2>3", "3>2"]);
}

/// Aim: source and destinations of a sealed session get one key, also after restarts, in which the epoch rises; it is made of
/// the testbed's secret, or else of the seed; nobody gets one for a session that is not sealed.
#[test]
fn keys_of_sealed_sessions_go_to_their_ends() {
    let seals = |sealed: bool, seed: u64, secret: Option<[u8; 32]>| {
        let mut scenario = scenario(&format!("{}{FAULTS}", CHURN.trim_end_matches("}]")));
        scenario.conferences[0].sessions[0].sealed = sealed;
        let mut bed = Bed { secret, ..Bed::default() };
        let mut conductor = Conductor::new(&scenario, seed, &Registry::builtin()).expect("it is right");
        conductor.begin(&mut bed);
        while let Some((at, duty)) = conductor.next_deadline().filter(|(at, _)| *at <= conductor.end()) {
            bed.now = bed.now.max(at);
            conductor.act(duty, &mut bed, &mut NoObserver).expect("it goes on");
        }
        assert!(bed.log.iter().any(|line| line.contains("start epoch 1")), "{:?}", bed.log);
        let nodes: Vec<u32> = bed.seals.iter().map(|(node, _)| *node).collect();
        assert_eq!(nodes, [1, 0, 2, 1, 0], "{:?}", bed.log);
        let first = bed.seals[0].1;
        assert!(bed.seals.iter().all(|(_, seal)| *seal == first));
        first.map(|seal| seal.key)
    };
    let source = bellini_core::ids::NodeId::new(1).expect("not zero");
    let expected = bellini_core::seal::SymbolKey::of(&[9; 32], SessionKey::new(1, 1), source);
    assert_eq!(seals(true, 1, Some([9; 32])), Some(expected));
    assert_eq!(seals(true, 2, Some([9; 32])), Some(expected));
    assert!(seals(true, 1, None).is_some() && seals(true, 1, None) == seals(true, 1, None));
    assert_ne!(seals(true, 1, None), seals(true, 2, None));
    assert_eq!(seals(false, 1, None), None);
}

/// A testbed that cannot go on ends the run with its own words; a stop by the observer is recorded.
#[test]
fn ends_before_the_end() {
    let (scenario, mut bed) = (scenario("}]"), Bed { is_lost: true, ..Bed::default() });
    let mut conductor = conductor(&scenario);
    let mut watch = Watch { stops_at: Some(0.5), ..Watch::default() };
    bed.now = conductor.zero();
    let error = conductor.act(Duty::Recorder, &mut bed, &mut watch).expect_err("the look fails");
    assert!(matches!(&error, ConductError::Testbed(_)) && error.to_string() == "node 2 does not answer");
    assert_eq!(conductor.progress(&bed, &mut watch).expect("it records"), Progress::GoOn);
    bed.now = Instant::ZERO + Duration::from_secs(6);
    assert_eq!(conductor.progress(&bed, &mut watch).expect("it records"), Progress::Stop);
    assert_eq!(watch.events, [(5.0, "interrupted".to_owned())]);
}
