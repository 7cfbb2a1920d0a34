//! Whole reports from made-up runs.

use crate::testdata::{Shape, run};
use crate::{Options, Png, ReportError, report, table};
use bellini_scenarios::record::{CrossFlowSummary, DelayMs, Run, Status};
use std::path::PathBuf;

const SMALL: Shape = Shape { sessions: 3, destinations: 2, positions: true };

/// A fresh folder for one test. With `BELLINI_KEEP_REPORTS` set it stays, for looking at.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = match std::env::var_os("BELLINI_KEEP_REPORTS") {
            Some(root) => PathBuf::from(root).join(name),
            None => std::env::temp_dir().join(format!("bellini-reports-{name}-{}", std::process::id())),
        };
        let _ = std::fs::remove_dir_all(&path);
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::env::var_os("BELLINI_KEEP_REPORTS").is_none() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// Everything that must hold for any page and any plot.
fn checked(name: &str, runs: &[Run]) -> (String, Vec<String>) {
    let scratch = Scratch::new(name);
    let outcome = report(runs, &scratch.0, Options { png: Png::Skip }).expect("it reports");
    let html = std::fs::read_to_string(&outcome.page).expect("the page is there");
    assert!(html.len() < 3_000_000, "{} bytes", html.len());
    for reference in ["src=\"http", "href=\"http", "url(http", "@import", "<link", "<img"] {
        assert!(!html.contains(reference), "{reference}");
    }
    let svgs: Vec<_> =
        outcome.plots.iter().map(|at| std::fs::read_to_string(at).expect("the plot is there")).collect();
    for (svg, at) in svgs.iter().zip(&outcome.plots) {
        let tree = resvg::usvg::roxmltree::Document::parse(svg)
            .unwrap_or_else(|error| panic!("{}: {error}", at.display()));
        let root = tree.root_element();
        assert!(
            root.children().any(|child| child.has_tag_name("title") || child.tag_name().name() == "title")
        );
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", at.display());
        assert!(!svg.contains(['\u{E000}', '\u{E001}']), "{}", at.display());
    }
    (html, svgs)
}

/// A usual run has every plot, each with its marks, and a page that holds them all.
#[test]
fn a_run_makes_a_whole_report() {
    let (html, svgs) = checked("usual", &[run(1, SMALL)]);
    for name in [
        "topology",
        "throughput",
        "delay-cdf",
        "delay-time",
        "frames",
        "levels",
        "hops",
        "links",
        "feeders",
        "drops-time",
        "drops-place",
    ] {
        assert!(html.contains(&format!("<section id=\"{name}\">")), "{name}");
    }
    assert_eq!(html.matches("<svg ").count(), svgs.len());
    assert!(html.contains("Fault timeline") && html.contains("Oracle view"));
    assert!(html.contains("cut 1&gt;3") || html.contains("cut 1>3"));
}

/// Aim: pages say what coding came to where something is coded, and nothing of it elsewhere.
#[test]
fn coded_sessions_have_a_table() {
    let mut coded = run(1, SMALL);
    let (html, _) = checked("uncoded", &[coded.clone()]);
    assert!(!html.contains("repairs sent"));
    let session = &mut coded.summary.sessions[0];
    (session.coding, session.repair_packets) = (Some("rlnc 32 systematic".into()), Some(7_654));
    session.destinations[0].recovered_symbols = Some(5_432);
    coded.summary.nodes[0].recoded_packets = 6_543;
    let (html, _) = checked("coded", &[coded]);
    for word in ["rlnc 32 systematic", "7,654", "5,432", "6,543", "repairs sent"] {
        assert!(html.contains(word), "{word}");
    }
}

/// The same runs make the same bytes.
#[test]
fn reports_are_stable() {
    assert_eq!(checked("stable-1", &[run(1, SMALL)]), checked("stable-2", &[run(1, SMALL)]));
}

/// PNGs have twice the plot's size and show something.
#[test]
fn pngs_are_drawn() {
    let scratch = Scratch::new("png");
    let runs = [run(1, Shape { sessions: 1, destinations: 1, positions: true })];
    let outcome = report(&runs, &scratch.0, Options::default()).expect("it reports");
    let (pngs, svgs): (Vec<_>, Vec<_>) =
        outcome.plots.iter().partition(|at| at.extension().is_some_and(|e| e == "png"));
    assert!(!pngs.is_empty() && pngs.len() == svgs.len());
    for (png, svg) in pngs.iter().zip(svgs) {
        let picture = resvg::tiny_skia::Pixmap::load_png(png).expect("a PNG");
        let text = std::fs::read_to_string(svg).expect("an SVG");
        let width = format!("width=\"{}\" height=\"{}\"", picture.width() / 2, picture.height() / 2);
        assert!(text.contains(&width), "{width} in {}", svg.display());
        let dark = picture.pixels().iter().filter(|pixel| pixel.red() < 128).count();
        assert!(dark > 2000, "{}: {dark} dark pixels", png.display());
    }
}

/// Several seeds give bands in plots and intervals in a table.
#[test]
fn seeds_give_bands_and_intervals() {
    let runs: Vec<_> = (1..=5).map(|seed| run(seed, SMALL)).collect();
    let (html, svgs) = checked("seeds", &runs);
    assert!(html.contains("Means over 5 seeds with 95 % intervals") && html.contains(" \u{b1} "));
    let throughput = svgs.iter().find(|svg| svg.contains("Goodput")).expect("there is one");
    assert!(throughput.matches("<polygon").count() >= 12, "two bands for each of six destinations");
}

/// A thousand sessions stay readable: few lines by name, the others together.
#[test]
fn a_thousand_sessions() {
    let (html, svgs) =
        checked("thousand", &[run(1, Shape { sessions: 1000, destinations: 2, positions: true })]);
    for svg in &svgs {
        assert!(svg.matches("class=\"key\"").count() <= 14);
    }
    assert!(html.contains("mean of 1990 others"));
    let text = table(&run(1, Shape { sessions: 1000, destinations: 2, positions: true }).summary);
    assert!(text.lines().count() < 70, "{text}");
}

/// Without positions the nodes stand on a circle, and the page says so.
#[test]
fn no_positions() {
    let (html, _) = checked("circle", &[run(1, Shape { positions: false, ..SMALL })]);
    assert!(html.contains("Nodes stand on a circle"));
}

/// Names from a scenario cannot break out of the page or of a plot.
#[test]
fn hostile_names() {
    let mut hostile = run(1, SMALL);
    let name = "<script>alert(\"1\")</script> & ']]>\u{1}\u{E000}0\u{E001}";
    hostile.scenario["description"] = name.into();
    hostile.summary.scenario = name.into();
    hostile.summary.notes.push(name.into());
    hostile.summary.nodes[0].name = name.into();
    hostile.summary.nodes[1].region = Some(name.into());
    hostile.summary.sessions[0].name = name.into();
    hostile.summary.sessions[0].flows[0].route = name.into();
    hostile.events[0].text = name.into();
    hostile.events[0].data["fault"] = name.into();
    let (html, svgs) = checked("hostile", &[hostile.clone()]);
    assert!(!html.contains("<script>alert"));
    assert_eq!(html.matches("<script").count(), 1);
    assert!(svgs.iter().all(|svg| !svg.contains("<script")));
    assert!(!table(&hostile.summary).contains('\u{1}'));
}

/// An interrupted run that delivered nothing, lacks files and has no sessions or links still makes a page.
#[test]
fn little_was_recorded() {
    let mut little = run(1, SMALL);
    little.summary.status = Status::Interrupted;
    for d in little.summary.sessions.iter_mut().flat_map(|session| &mut session.destinations) {
        (d.delivered_packets, d.delay_ms, d.goodput_mbps) = (0, None, None);
    }
    (little.series, little.events, little.delays) = Default::default();
    little.missing = vec!["series.csv", "events.jsonl", "delays.csv"];
    let (html, _) = checked("little", &[little.clone()]);
    assert!(
        html.contains("was interrupted") && html.contains("series.csv") && html.contains("received nothing")
    );
    (little.summary.sessions, little.summary.links, little.summary.nodes) = Default::default();
    little.summary.duration_s = 0.0;
    checked("nothing", &[little.clone()]);
    assert!(table(&little.summary).contains("INTERRUPTED"));
}

/// Runs of different scenarios are not mixed, and no run is no report.
#[test]
fn what_cannot_be_reported() {
    let scratch = Scratch::new("refused");
    assert!(matches!(report(&[], &scratch.0, Options::default()), Err(ReportError::NoRuns)));
    let mut other = run(2, SMALL);
    other.summary.scenario = "another".into();
    let error = report(&[run(1, SMALL), other], &scratch.0, Options::default()).unwrap_err();
    assert!(matches!(error, ReportError::Mixed { .. }) && error.to_string().contains("another"), "{error}");
}

/// The table for the terminal keeps to 100 columns and shows what a reader looks for first.
#[test]
fn the_table_fits_a_terminal() {
    let mut summary = run(1, Shape { sessions: 4, destinations: 3, positions: true }).summary;
    summary.sessions[0].destinations[0].delay_ms = Some(DelayMs {
        mean: 12_345.6,
        min: 12_000.0,
        p50: 12_345.6,
        p95: 23_456.7,
        p99: 30_000.0,
        max: 99_999.9,
    });
    summary.sessions[1].name = "a session with a long name indeed".into();
    let flow = |flow| CrossFlowSummary {
        from: 1,
        to: 2,
        flow,
        controller: "cubic".into(),
        goodput_mbps: Some(1.5),
        retransmitted_segments: Some(1_234),
    };
    summary.cross_flows = (1..=14).map(flow).collect();
    assert!(!table(&summary).contains("coded session"), "nothing is coded");
    for (i, session) in summary.sessions.iter_mut().enumerate() {
        session.coding = Some("rlnc 255 not systematic, no recoding".into());
        session.repair_packets = Some(1_234_567_000 + i as u64);
        session.destinations.truncate(3);
        session.destinations[0].recovered_symbols = Some(98_765_432);
    }
    summary.nodes[1].recoded_packets = 4_321;
    let text = table(&summary);
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
    }
    for word in [
        "made-up in sim, seed 1",
        "Tokyo",
        "goodput",
        "on time",
        "oracle",
        "Digest",
        "cubic",
        "1,234",
        "the first 12; 2 more",
        "1,234,567,003",
        "98,765,432",
        "made 4,321 packets by recoding",
    ] {
        assert!(text.contains(word), "{word} in\n{text}");
    }
}
