//! Coded sessions in whole runs: what decoding brings, what relays do, and that bytes are described as well as computed.

use crate::common::{bps, conference, duplex, flow, mbps, ms, node, path, scenario, session};
use crate::watch::{destination, run, run_watched};
use bellini_core::coding::{CodingSpec, Repair, Scheme};
use bellini_core::content::spec::Content;
use bellini_core::time::Duration;
use bellini_scenarios::model::{Delivery, Loss, Scenario};
use bellini_scenarios::parse::{LoadOptions, parse_str};
use bellini_scenarios::record::{Summary, kind};

const SECONDS: u64 = 8;

fn generation(size: u8, repair: f64) -> CodingSpec {
    CodingSpec {
        scheme: Scheme::Generation { size, systematic: true, latency: None },
        repair: Repair::Fixed(repair),
        recode: true,
        real_bytes: false,
    }
}

/// 1 > 2 > 3 > 4d, each hop losing that share; 250 symbols a second.
fn chain(loss: f64, coding: Option<CodingSpec>) -> Scenario {
    let content = Content::Constant { rate: mbps(2), phase: Duration::ZERO };
    let mut coded = session(1, 1, &[4], content, vec![flow(path(&[2, 3, 4]), 1.0)]);
    coded.coding = coding;
    let mut links =
        [duplex(1, 2, ms(5), None), duplex(2, 3, ms(5), None), duplex(3, 4, ms(5), None)].concat();
    for link in &mut links {
        link.loss = Loss::Bernoulli(loss);
    }
    let nodes = (1..=4).map(node).collect();
    scenario(Duration::from_secs(SECONDS), nodes, links, vec![conference(1, vec![coded])])
}

/// The share of symbols that node 4 got, at all.
fn delivered(summary: &Summary) -> f64 {
    let found = destination(summary, 0, 4);
    assert_eq!(found.sent_packets, 250 * SECONDS);
    assert_eq!(found.sent_packets, found.delivered_packets + found.lost_packets + found.in_flight_packets);
    found.delivered_packets as f64 / found.sent_packets as f64
}

fn recoded(summary: &Summary) -> Vec<u64> {
    summary.nodes.iter().map(|node| node.recoded_packets).collect()
}

/// Aim: with 1.4 packets for each symbol over three hops that lose a fifth each, relays that combine anew bring 1.12 to
/// the destination, and nearly all is decoded; relays that only pass on bring 0.72, and hardly a generation is. Without coding
/// 0.512 arrive. Whether a relay recodes is said by the session, or by the node.
#[test]
fn recoding_relays_make_up_for_losses_hop_by_hop() {
    let uncoded = run(&chain(0.2, None), 3);
    assert!((delivered(&uncoded) - 0.512).abs() < 0.05, "{}", delivered(&uncoded));
    assert_eq!(uncoded.sessions[0].coding, None);
    let found = destination(&uncoded, 0, 4);
    assert_eq!((found.recovered_symbols, found.dependent_packets, found.corrupt_packets), (None, None, None));

    let summary = run(&chain(0.2, Some(generation(50, 0.4))), 3);
    let found = destination(&summary, 0, 4);
    assert!(delivered(&summary) > 0.9, "{}", delivered(&summary));
    assert!(found.recovered_symbols.is_some_and(|recovered| recovered > 500), "{found:?}");
    assert_eq!(found.corrupt_packets, Some(0));
    assert_eq!(summary.sessions[0].repair_packets, Some(250 * SECONDS * 4 / 10));
    let counts = recoded(&summary);
    assert!(counts[1] > 500 && counts[2] > 500 && counts[0] + counts[3] == 0, "{counts:?}");

    let passing = CodingSpec { recode: false, ..generation(50, 0.4) };
    let told_by_session = run(&chain(0.2, Some(passing)), 3);
    let mut scenario = chain(0.2, Some(generation(50, 0.4)));
    scenario.nodes.iter_mut().for_each(|node| node.recoding = false);
    for summary in [told_by_session, run(&scenario, 3)] {
        assert_eq!(recoded(&summary), [0; 4]);
        // What comes as it is, and little more.
        assert!(delivered(&summary) < 0.6, "{}", delivered(&summary));
    }
    // One of the two relays only passes on: its losses add to those of the hop before.
    scenario.nodes[2].recoding = true;
    let counts = recoded(&run(&scenario, 3));
    assert!(counts[1] == 0 && counts[2] > 500, "{counts:?}");
}

/// Aim: payload that is only described gives the same packets at the same times as payload that is computed.
#[test]
fn described_and_real_bytes_give_the_same_run() {
    let window = Scheme::Window { latency: ms(300), size: 40 };
    let adaptive = Repair::Adaptive { max: 0.6 };
    for coding in [
        generation(16, 0.5),
        CodingSpec { scheme: window, repair: adaptive, ..generation(16, 0.0) },
        CodingSpec {
            scheme: Scheme::Generation { size: 20, systematic: false, latency: Some(ms(50)) },
            repair: adaptive,
            ..generation(20, 0.0)
        },
    ] {
        let described = run_watched(&chain(0.03, Some(coding)), 5);
        let real = run_watched(&chain(0.03, Some(CodingSpec { real_bytes: true, ..coding })), 5);
        let found = destination(&described.0, 0, 4);
        assert!(found.recovered_symbols.is_some_and(|recovered| recovered > 50), "{found:?}");
        let json = |summary: &Summary| summary.without_engine().to_json_pretty().expect("finite");
        assert_eq!(json(&described.0), json(&real.0), "{coding:?}");
        assert!(described.1 == real.1, "{coding:?}");
    }
}

/// Aim: a repair for two symbols makes up for nearly all that a path of 14 % loss takes, within the latency.
#[test]
fn a_window_recovers_in_time() {
    let window = CodingSpec {
        scheme: Scheme::Window { latency: ms(200), size: 40 },
        repair: Repair::Fixed(0.5),
        recode: false,
        real_bytes: false,
    };
    let without = delivered(&run(&chain(0.05, None), 2));
    let summary = run(&chain(0.05, Some(window)), 2);
    assert!((without - 0.857).abs() < 0.03, "{without}");
    assert!(delivered(&summary) > 0.99, "{}", delivered(&summary));
    let found = destination(&summary, 0, 4);
    assert!(found.delay_ms.is_some_and(|delay| delay.max < 15.0 + 2.0 * 200.0 + 50.0), "{found:?}");
    assert_eq!(recoded(&summary), [0; 4]);
}

/// Aim: a reliable coded file comes whole, its hash right, to destinations behind very different losses; what the source
/// sends again are combinations, good for both.
#[test]
fn a_reliable_coded_file_reaches_unlike_destinations() {
    let content = Content::File { bytes: 3 << 20, rate: Some(bps(16_000_000)) };
    let route = bellini_core::route::Route::parse("2>{3d,4d}").expect("a route");
    let mut coded = session(1, 1, &[3, 4], content, vec![flow(route, 1.0)]);
    coded.delivery = Delivery::Reliable;
    coded.coding = Some(generation(32, 0.0));
    let mut links =
        [duplex(1, 2, ms(5), None), duplex(2, 3, ms(5), None), duplex(2, 4, ms(20), None)].concat();
    for link in &mut links {
        let ends = (link.from.get(), link.to.get());
        link.loss = match ends {
            (2, 3) => Loss::Bernoulli(0.02),
            (2, 4) => Loss::Bernoulli(0.2),
            _ => Loss::None,
        };
    }
    let nodes = (1..=4).map(node).collect();
    let scenario = scenario(Duration::from_secs(20), nodes, links, vec![conference(1, vec![coded])]);
    let (summary, watch) = run_watched(&scenario, 7);
    for node in [3, 4] {
        let found = destination(&summary, 0, node);
        assert_eq!((found.complete, found.lost_packets), (Some(true), 0), "{found:?}");
        assert!(found.recovered_symbols.is_some_and(|recovered| recovered > 20), "{found:?}");
    }
    assert_eq!(watch.of_kind(kind::SESSION_COMPLETED).count(), 1);
    let session = &summary.sessions[0];
    assert!(session.repair_packets.is_some_and(|repairs| repairs > 100), "{session:?}");
}

/// Aim: a reliable session, too, gains from flows that meet: packets that serve both are credited to both, and symbols of
/// a generation are spread evenly. A file in the butterfly gets 1.4 to 1.5 times what a hop carries in packets of the size of
/// combinations (1,318 B); when packets were credited to one flow only, it got 1.1.
#[test]
fn a_reliable_file_gains_where_flows_meet() {
    let text = include_str!("../../scenarios/coding/butterfly.json");
    let set = |key: &str, value: &str| (format!("conferences[0].sessions[0].{key}"), value.to_owned());
    let set = vec![
        set("delivery", "\"reliable\""),
        set("coding", r#"{"scheme": "generation", "generation": 64}"#),
        set("content", r#"{"kind": "file", "bytes": "64 MiB"}"#),
    ];
    let loaded = parse_str("butterfly.json", text, &LoadOptions { set, ..LoadOptions::default() });
    let scenario = loaded.unwrap_or_else(|found| panic!("{found}")).scenario;
    for seed in 1..=2 {
        let summary = run(&scenario, seed);
        for node in [6, 7] {
            let mbps = destination(&summary, 0, node).goodput_mbps.expect("a rate");
            let hops = mbps / 4.0 * 1_318.0 / 1_200.0;
            println!("seed {seed}, node {node}: {mbps:.3} Mbit/s, {hops:.3} hops");
            assert!((1.3..=2.0).contains(&hops), "{hops}");
        }
    }
}

/// Aim: the example of `docs/scenarios.md` does what the page says.
#[test]
fn the_documented_example_runs() {
    let page = include_str!("../../docs/scenarios.md");
    let start = page.find("## Coding").expect("the section");
    let example = page[start..].split("```json\n").nth(1).expect("an example");
    let example = example.split("```").next().expect("its end");
    let loaded = parse_str("example.json", example, &LoadOptions::default());
    let summary = run(&loaded.unwrap_or_else(|found| panic!("{found}")).scenario, 1);
    assert!(
        page.contains("less than 1 % of the talk is missing at either, of which about 7 % and 19 % are lost")
    );
    for (node, share) in [(3, 0.07), (4, 0.19)] {
        let (film, talk) = (destination(&summary, 0, node), destination(&summary, 1, node));
        assert!(film.complete == Some(true) && film.complete_s.is_some_and(|s| s < 5.0), "{film:?}");
        assert!(talk.lost_packets * 100 < talk.sent_packets, "{talk:?}");
        let recovered = talk.recovered_symbols.unwrap_or(0) as f64 / talk.sent_packets as f64;
        assert!((recovered - share).abs() < 0.04, "{recovered} at {node}");
    }
}
