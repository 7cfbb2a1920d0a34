//! Best-effort coded sessions between whole nodes: how many repairs there are, when generations end, reports.

use super::coded::{Plan, came, coding, content, packets, start, start_until};
use super::harness::*;
use bellini_core::coding::{CodingSpec, Repair, Scheme};
use bellini_core::header::SYMBOL_BYTES_MAX;
use bellini_core::ids::{Epoch, Incarnation};
use bellini_core::io::{Command, Delivery, DrawMode, HopKind, Input, MeasureWindow, Received, SessionSpec};
use bellini_core::session::coded::CodedSourceStats;
use bellini_core::time::Duration;
use bellini_core::wire::acknowledgement::{Acknowledgement, Rank, RankEntry};

const BEST_EFFORT: Delivery = Delivery::BestEffort;

fn sent(net: &Net) -> CodedSourceStats {
    let source = net.node(1).session(KEY).and_then(|entry| entry.source.as_ref()).expect("it was started");
    source.counted().coded
}

fn adaptive(scheme: Scheme) -> CodingSpec {
    CodingSpec { scheme, repair: Repair::Adaptive { max: 1.0 }, ..coding(32, 0.0) }
}

/// Aim: with adaptive repair there are as many repairs as the loss that the worst destination reports makes necessary, more
/// when it rises and fewer when it falls; and they are enough. Under both schemes, over relays of both kinds.
#[test]
fn repairs_follow_the_loss_of_the_worst_destination() {
    let generation = Scheme::Generation { size: 32, systematic: true, latency: None };
    let window = Scheme::Window { latency: Duration::from_millis(200), size: 32 };
    for (scheme, recode) in [(generation, true), (generation, false), (window, false)] {
        let mut net = Net::new(4);
        let coding = CodingSpec { recode, ..adaptive(scheme) };
        let plan = Plan { delivery: BEST_EFFORT, coding: Some(coding) };
        start_until(&mut net, &[3, 4], plan, &["2>{3d,4d}"], ms(12_100));
        let mut shares = Vec::new();
        for (from, loss) in [(0, 0.01), (4_000, 0.15), (8_000, 0.01)] {
            net.losses.insert((2, 4), loss);
            // What is reported comes later, and is averaged.
            net.run_until(ms(from + 2_600));
            let before = sent(&net).repairs;
            net.run_until(ms(from + 4_000));
            shares.push((sent(&net).repairs - before) as f64 / 1_400.0);
        }
        let (count, stats) = came(&net, 4);
        println!("{scheme:?}: {shares:?}, {count} of 12,000, {:?}, {stats:?}", sent(&net));
        // Of 32 with 1 %: 3; with 15 %: 15, by binomial sums.
        assert!(shares[0] < 0.2 && (0.35..0.65).contains(&shares[1]) && shares[2] < 0.25, "{shares:?}");
        assert!(count > 11_750, "{count}");
        let source = sent(&net);
        assert!(source.reports >= 2 * 40 && source.refused_reports == 0, "{source:?}");
        let acks = net.node(4).session(KEY).and_then(|entry| entry.sink.as_ref()).expect("joined").stats.acks;
        assert!(acks <= 12_000 / 200 + 1, "at most one in 200 ms: {acks}");
    }
}

/// Aim: nobody reports where repairs are fixed, and after the end nothing keeps a node awake.
#[test]
fn reports_are_only_sent_where_repairs_adapt() {
    let generation = Scheme::Generation { size: 16, systematic: true, latency: None };
    for (coding, reports) in [(coding(16, 0.25), false), (adaptive(generation), true)] {
        let mut net = Net::new(3);
        start(&mut net, &[3], Plan { delivery: BEST_EFFORT, coding: Some(coding) }, &["2>3d"]);
        net.run_until(ms(3_000));
        assert_eq!(sent(&net).reports > 0, reports);
        assert_eq!(packets(&net, 3, 2) > 0, reports);
        let before = net.crossings.len();
        net.run_until(ms(30_000));
        assert_eq!(net.crossings[before..].iter().filter(|crossing| crossing.is_packet).count(), 0);
    }
}

/// Aim: reports that nobody can mean are counted, and change little or nothing.
#[test]
fn impossible_reports_do_no_harm() {
    let generation = Scheme::Generation { size: 16, systematic: true, latency: None };
    let mut net = Net::new(2);
    net.loss = 0.05;
    let plan = Plan { delivery: BEST_EFFORT, coding: Some(adaptive(generation)) };
    start_until(&mut net, &[2], plan, &["2d"], ms(6_100));
    net.run_until(ms(3_000));
    let report = net
        .crossings
        .iter()
        .rfind(|crossing| crossing.is_packet && crossing.from == 2)
        .expect("it reports")
        .bytes
        .clone();
    // Frame, chunk, packet, Pathlet.
    let head = &report[..24 + 3 + 49 + 6];
    assert!(matches!(Acknowledgement::parse(&report[head.len()..]), Ok(Acknowledgement::Rank(_))));
    let before = (sent(&net), net.node(1).stats().rejected_total());
    let mut refused = 0;
    for (node, first) in [(2, 0), (2, u64::MAX), (2, 1 << 40), (9, 16), (2, 7)] {
        let mut rank = Rank::new(id(node), Incarnation(1));
        (0..16).for_each(|_| _ = rank.push(RankEntry { first, size: 255, arrived: 0, rank: 0 }));
        let mut bytes = head.to_vec();
        Acknowledgement::Rank(rank).emit_into(&mut bytes);
        // The length of the packet in its chunk.
        let len = (bytes.len() - 27) as u16;
        bytes[25..27].copy_from_slice(&len.to_be_bytes());
        refused += u64::from(node == 9);
        let now = net.now;
        let hop = hop(&mut net, 1, 2, HopKind::Datagram);
        let frame = Received::Datagram(bytes.into());
        net.node_mut(1).handle_input(now, Input::Frame { hop, frame }).expect("a frame");
    }
    let after = sent(&net);
    assert_eq!(net.node(1).stats().rejected_total(), before.1);
    assert_eq!((after.reports - before.0.reports, after.refused_reports), (4, refused));
    net.run_until(ms(6_000));
    let share = (sent(&net).repairs - after.repairs) as f64 / 3_000.0;
    assert!(share < 0.5, "{share}");
}

/// Aim: a generation that does not fill up ends when its time is over, and what was lost comes by then; without a limit
/// it waits.
#[test]
fn latency_closes_generations() {
    for latency in [None, Some(Duration::from_millis(20))] {
        let mut net = Net::new(2);
        net.loss = 0.1;
        let scheme = Scheme::Generation { size: 200, systematic: true, latency };
        let coding = CodingSpec { scheme, ..coding(200, 0.5) };
        start(&mut net, &[2], Plan { delivery: BEST_EFFORT, coding: Some(coding) }, &["2d"]);
        net.run_until(ms(3_000));
        let (count, _) = came(&net, 2);
        let source = sent(&net);
        let latest = net
            .delivered(2)
            .iter()
            .map(|(at, symbol, _)| at.saturating_since(ms(100 + symbol)).saturating_sub(DELAY))
            .max()
            .expect("some came");
        println!("{latency:?}: {count}, {source:?}, {latest}");
        match latency {
            None => {
                assert_eq!((count, source.generations, source.early_generations), (1_000, 5, 0));
                assert!(latest > Duration::from_millis(100));
            }
            Some(latency) => {
                assert!(source.early_generations >= 45 && count > 980, "{count}, {source:?}");
                assert!(latest <= latency, "{latest}");
            }
        }
    }
}

/// Aim: without systematic packets only combinations go, as many as symbols and repairs, and all symbols come out of them.
#[test]
fn without_symbols_only_combinations_go() {
    let mut net = Net::new(3);
    net.loss = 0.05;
    let scheme = Scheme::Generation { size: 20, systematic: false, latency: None };
    let coding = CodingSpec { scheme, ..coding(20, 0.2) };
    start(&mut net, &[3], Plan { delivery: BEST_EFFORT, coding: Some(coding) }, &["2>3d"]);
    net.run_until(ms(3_000));
    assert_eq!((packets(&net, 1, 2), sent(&net).repairs), (1_200, 1_200));
    let (count, stats) = came(&net, 3);
    println!("{count} of 1,000, {stats:?}");
    assert!(count >= 850, "{count}");
    assert_eq!(stats.recovered_symbols, count as u64);
}

/// Aim: what destinations and relays hold is bounded, and given back when generations are complete.
#[test]
fn memory_is_bounded_and_given_back() {
    let mut net = Net::with(3, |config| config.coding.generations_max = 4);
    net.loss = 0.3;
    start(&mut net, &[3], Plan { delivery: BEST_EFFORT, coding: Some(coding(16, 0.0)) }, &["2>3d"]);
    net.run_until(ms(3_000));
    let (count, stats) = came(&net, 3);
    assert!((500..=750).contains(&count) && stats.given_up_generations >= 40, "{count} {stats:?}");
    assert!(net.node(2).stats().evicted_generations >= 40, "{:?}", net.node(2).stats());
}

/// Aim: a session that cannot be coded as it asks is refused, with what would be right.
#[test]
fn coding_that_cannot_be_is_refused() {
    let good = coding(16, 0.25);
    let generation = |size| Scheme::Generation { size, systematic: true, latency: None };
    let window = Scheme::Window { latency: Duration::from_millis(100), size: 32 };
    let spec = |coding, delivery, symbol_bytes| SessionSpec {
        key: KEY,
        epoch: Epoch(0),
        destinations: vec![id(2)],
        content: content(),
        symbol_bytes,
        hop_kind: HopKind::Datagram,
        delivery,
        coding: Some(coding),
        seal: None,
        start: ms(100),
        stop: ms(1_100),
        measure: MeasureWindow { from: ms(0), to: ms(10_000) },
        draw: DrawMode::Stride,
        policy_period: None,
    };
    let mut net = Net::new(1);
    for (coding, delivery, symbol_bytes, word) in [
        (CodingSpec { scheme: generation(7), ..good }, BEST_EFFORT, 1_200, "8 to 255"),
        (CodingSpec { scheme: generation(0), ..good }, Delivery::Reliable, 1_200, "8 to 255"),
        (CodingSpec { scheme: window, ..good }, Delivery::Reliable, 1_200, "reliable"),
        (CodingSpec { repair: Repair::Fixed(f64::NAN), ..good }, BEST_EFFORT, 1_200, "number"),
        (CodingSpec { repair: Repair::Adaptive { max: -1.0 }, ..good }, BEST_EFFORT, 1_200, "number"),
        (good, BEST_EFFORT, SYMBOL_BYTES_MAX, "room"),
    ] {
        let refused =
            net.try_command(1, Command::StartSession(Box::new(spec(coding, delivery, symbol_bytes))));
        let said = refused.expect_err("it cannot be").to_string();
        assert!(said.contains(word), "{said}");
    }
    net.command(1, Command::StartSession(Box::new(spec(good, BEST_EFFORT, SYMBOL_BYTES_MAX - 287))));
}
