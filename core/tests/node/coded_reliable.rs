//! Reliable coded sessions between whole nodes: members that come late or start again, unlike losses, files, damage.

use super::coded::{Plan, came, coding, content, join, start, start_until};
use super::harness::*;
use bellini_core::coding::CodingSpec;
use bellini_core::content::spec::Content;
use bellini_core::ids::Epoch;
use bellini_core::io::{Command, Delivery, DrawMode, HopKind, MeasureWindow, SessionSpec, SinkSpec};
use bellini_core::route::Route;
use bellini_core::session::SourceSession;
use bellini_core::wire::control::ControlBody;

const RELIABLE: Delivery = Delivery::Reliable;

fn source(net: &Net) -> &SourceSession {
    net.node(1).session(KEY).and_then(|entry| entry.source.as_ref()).expect("it was started")
}

fn symbols(net: &Net, node: u32) -> Vec<u64> {
    net.delivered(node).iter().map(|(_, symbol, _)| *symbol).collect()
}

/// Aim: who joins in the middle of a generation, behind a relay that mixes it, gets everything from then on; so does who
/// starts again. Who was there all the time is not disturbed. The source holds nothing back afterwards.
#[test]
fn late_and_restarted_members_get_everything_from_then_on() {
    assert!(matches!(content(), Content::Constant { .. }));
    for recode in [false, true] {
        let mut net = Net::new(4);
        net.loss = 0.1;
        let coding = CodingSpec { recode, ..coding(64, 0.0) };
        let plan = Plan { delivery: RELIABLE, coding: Some(coding) };
        start_until(&mut net, &[3], plan, &["2>3d"], ms(2_100));
        net.run_until(ms(607));
        join(&mut net, 4, plan, ms(2_100));
        // The net loses packets only: the message comes.
        let body = ControlBody::Join { key: KEY, node: id(4) };
        let route = Route::parse("2>1d").expect("a route");
        net.command(4, Command::SendControl { route, body });
        net.run_until(ms(640));
        net.install(KEY, 1, 2, &["2>{3d,4d}"]);
        net.run_until(ms(1_307));
        let before = symbols(&net, 4);
        net.crash(4);
        net.events.retain(|(_, node, _)| *node != 4);
        net.start(4);
        join(&mut net, 4, plan, ms(2_100));
        net.run_until(ms(30_000));
        assert_eq!(symbols(&net, 3), (0..2_000).collect::<Vec<_>>(), "{recode}");
        let first = *before.first().expect("some came");
        assert!((450..600).contains(&first), "{recode}: {first}");
        let last = *before.last().expect("some came");
        let known = 560;
        assert!(before.iter().copied().filter(|symbol| *symbol >= known).eq(known..=last), "{recode}");
        let after = symbols(&net, 4);
        // Of what was sent before it was known again some came as well, for the other's sake.
        let known = 1_350;
        assert!(after.iter().copied().filter(|symbol| *symbol >= known).eq(known..2_000), "{recode}");
        let stats = source(&net).counted();
        assert!(stats.packets < 3_400, "{stats:?}");
        assert!(source(&net).is_done(), "{recode}: {:?}", source(&net).counted());
        assert_eq!(source(&net).coded.as_ref().expect("coded").bytes(), 0);
    }
}

/// Aim: destinations that lose one in a hundred and one in three both finish; a repeat serves both, so that what is sent is
/// what the worse one needs, and not the sum.
#[test]
fn unlike_destinations_finish_with_what_the_worst_needs() {
    let mut net = Net::new(5);
    for (node, loss) in [(3, 0.01), (4, 0.2), (5, 0.33)] {
        net.losses.insert((2, node), loss);
    }
    let coding = CodingSpec { recode: false, ..coding(32, 0.0) };
    let plan = Plan { delivery: RELIABLE, coding: Some(coding) };
    start(&mut net, &[3, 4, 5], plan, &["2>{3d,4d,5d}"]);
    net.run_until(ms(30_000));
    for node in [3, 4, 5] {
        assert_eq!(symbols(&net, node), (0..1_000).collect::<Vec<_>>(), "node {node}");
    }
    let stats = source(&net).counted();
    println!("{stats:?}");
    assert!(source(&net).is_done());
    // 1 / (1 - 0.33) - 1 = 0.49 for each symbol.
    assert!((450..950).contains(&stats.coded.repairs), "{stats:?}");
}

/// Aim: a file comes whole over lossy hops and two flows, with relays of both kinds; and again, from its beginning, to a
/// destination that starts again, while the other keeps what it has.
#[test]
fn files_complete_and_begin_again() {
    const SYMBOLS: u64 = 700;
    for recode in [false, true] {
        let mut net = Net::new(5);
        net.loss = 0.08;
        let coding = Some(CodingSpec { recode, ..coding(48, 0.0) });
        let content = Content::File { bytes: SYMBOLS * u64::from(SYMBOL_BYTES) - 100, rate: None };
        let measure = MeasureWindow { from: ms(0), to: ms(10_000) };
        let join = |net: &mut Net, node| {
            let spec = SinkSpec {
                key: KEY,
                source: id(1),
                content: content.clone(),
                symbol_bytes: SYMBOL_BYTES,
                delivery: RELIABLE,
                coding,
                seal: None,
                start: ms(100),
                stop: ms(60_000),
                measure,
                deliver_events: true,
            };
            net.command(node, Command::JoinSession(Box::new(spec)));
        };
        join(&mut net, 4);
        join(&mut net, 5);
        let spec = SessionSpec {
            key: KEY,
            epoch: Epoch(0),
            destinations: vec![id(4), id(5)],
            content: content.clone(),
            symbol_bytes: SYMBOL_BYTES,
            hop_kind: HopKind::Datagram,
            delivery: RELIABLE,
            coding,
            seal: None,
            start: ms(100),
            stop: ms(60_000),
            measure,
            draw: DrawMode::Stride,
            policy_period: None,
        };
        net.command(1, Command::StartSession(Box::new(spec)));
        net.install(KEY, 1, 1, &["2>{4d,5d}", "3>{4d,5d}"]);
        net.run_until(ms(160));
        let early = symbols(&net, 5).len();
        net.crash(5);
        net.events.retain(|(_, node, _)| *node != 5);
        net.start(5);
        join(&mut net, 5);
        net.run_until(ms(60_000));
        for node in [4, 5] {
            let came = symbols(&net, node);
            assert!(came.iter().copied().eq(0..SYMBOLS), "{recode} {node}: {} after {early}", came.len());
            let sink = net.node(node).session(KEY).and_then(|entry| entry.sink.as_ref()).expect("joined");
            let found = sink.content_stats().expect("judged");
            assert_eq!(found.corrupt_symbols, 0);
            assert!(found.file_complete == Some(true), "{recode} {node}: {found:?}");
        }
        assert!(source(&net).is_done());
        assert_eq!(source(&net).coded.as_ref().expect("coded").bytes(), 0);
    }
}

/// Aim: damage anywhere in the payload of any packet, be it coefficients, the description or the bytes, never comes out as
/// content, is counted, and keeps a reliable session from nothing.
#[test]
fn damage_to_coefficients_and_descriptions_is_never_delivered() {
    for (size, recode, hit) in [(16, true, 1_200), (16, false, 1_200), (40, true, 1)] {
        let mut net = Net::new(3);
        net.loss = 0.15;
        net.damage = 0.02;
        // With a single byte of symbols, nearly all hits are on what opens combinations.
        net.damaged_bytes = hit;
        let plan = Plan { delivery: RELIABLE, coding: Some(CodingSpec { recode, ..coding(size, 0.0) }) };
        start(&mut net, &[3], plan, &["2>3d"]);
        net.run_until(ms(60_000));
        let (count, stats) = came(&net, 3);
        println!("{size} {recode} {hit}: {count}, {stats:?}, {:?}", source(&net).counted());
        assert_eq!(symbols(&net, 3), (0..1_000).collect::<Vec<_>>());
        assert!(stats.corrupt_symbols > 0, "{stats:?}");
        assert!(source(&net).is_done());
    }
}
