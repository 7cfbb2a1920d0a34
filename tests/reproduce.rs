//! `bellini reproduce` on real processes, as briefly as it goes.

use crate::harness::Scratch;

/// Aim: processes are started, packets are timed one by one, and page and document say the same.
#[test]
fn a_figure_of_single_packets() {
    let scratch = Scratch::new();
    let done = scratch
        .run(&["reproduce", "fig8", "--seconds", "1", "--runs", "1", "--out", "fig8"])
        .expect(0)
        .says(&["Report: fig8/report.html"]);
    assert!(done.stdout.contains("(paper: 5.470) us"), "{}", done.stdout);
    assert_eq!(scratch.list("fig8"), ["plots", "report.html", "reproduce.json", "table.csv"]);
    assert_eq!(
        scratch.list("fig8/plots"),
        ["times-of-single-packets.csv", "times-of-single-packets.png", "times-of-single-packets.svg"]
    );
    let document = scratch.json("fig8/reproduce.json");
    assert_eq!((&document["name"], &document["seeds"]), (&"fig8".into(), &serde_json::json!([1])));
    let mean = &document["rows"][0];
    assert_eq!((&mean["quantity"], &mean["reference"]), (&"mean".into(), &5.47.into()));
    assert!(mean["ours"].as_f64().is_some_and(|us| us > 0.0), "{mean}");
    let run = &document["runs"][0];
    let (packets, timed) = (run["packets_per_s"].as_f64().unwrap(), run["timed_packets"].as_f64().unwrap());
    assert!(packets > 100.0, "{run}");
    // The relay times packets from its start on, hence a few more than in the one second.
    let expected = packets / 64.0;
    assert!(
        timed > 0.2 * expected && timed < 8.0 * expected + 20.0,
        "{timed} of {packets} packets were timed"
    );
    let points = run["cdf_us"].as_array().unwrap();
    assert_eq!(points.last().unwrap()[1], 1.0);
    let page = scratch.read("fig8/report.html");
    for piece in ["<svg", "5.47", "95 % interval", "time (us)"] {
        assert!(page.contains(piece), "no {piece:?} on the page");
    }
}

/// Aim: a simulated experiment leaves its page, table and plots, and its bands hold.
#[test]
fn an_overflow_makes_a_source_back_off() {
    let scratch = Scratch::new();
    let done = scratch.run(&["reproduce", "overflow-backoff", "--seeds", "1", "--out", "o"]).expect(0);
    assert!(done.stdout.contains("notices heard by node 6, destination"), "{}", done.stdout);
    assert!(!done.stdout.contains("MISSES"), "{}", done.stdout);
    assert_eq!(scratch.list("o"), ["plots", "report.html", "reproduce.json", "table.csv"]);
    assert_eq!(scratch.list("o/plots").len(), 6, "two plots, each as SVG, PNG and CSV");
}

/// Aim: under random loss a whole TFRC hop, and not only its machines, sends what RFC 5348's equation says; settled
/// rates of periodic loss are exact, and values, bands and plots are left in all their forms.
#[test]
fn tfrc_keeps_to_its_equation() {
    let scratch = Scratch::new();
    let done = scratch
        .run(&["reproduce", "tfrc-loss", "--quick", "--seeds", "2", "--out", "loss"])
        .expect(0)
        .says(&["Report: loss/report.html"]);
    assert!(done.stdout.contains("p = 1 %, R = 100 ms") && done.stdout.contains("holds"), "{}", done.stdout);
    assert_eq!(scratch.list("loss"), ["plots", "report.html", "reproduce.json", "table.csv"]);
    let document = scratch.json("loss/reproduce.json");
    assert_eq!((&document["name"], &document["reference_from"]), (&"tfrc-loss".into(), &"ns-2".into()));
    // Whoever counts packets must know that each has the size that ns-2's had.
    for cell in document["cells"].as_array().unwrap() {
        for bytes in cell["packet_bytes"].as_array().unwrap() {
            assert!((bytes.as_f64().unwrap() - 1_000.0).abs() < 0.5, "{cell}");
        }
    }
    assert!(scratch.read("loss/table.csv").contains("\"p = 2 %, R = 200 ms\",of the equation at p_e,0.999,"));

    scratch.run(&["reproduce", "tfrc-step", "--quick", "--out", "step"]).expect(0);
    let document = scratch.json("step/reproduce.json");
    let ours = |row: usize| document["rows"][row]["ours"].as_f64().unwrap();
    assert_eq!(document["rows"][0]["quantity"], "periodic: before");
    // The equation at R = 100.09 ms: 112.24 and 44.37.
    assert!((ours(0) - 112.24).abs() < 0.3 && (ours(2) - 44.37).abs() < 0.3, "{} {}", ours(0), ours(2));
}

/// Aim: coding in the butterfly gives more than the best trees, and not more than theory lets it; delays are at equal bytes.
#[test]
fn coding_gains_what_theory_says() {
    let scratch = Scratch::new();
    let done = scratch.run(&["reproduce", "coding-butterfly", "--seeds", "2", "--out", "b"]).expect(0);
    assert!(done.stdout.contains("gain, in hops") && done.stdout.contains("holds"), "{}", done.stdout);
    assert!(!done.stdout.contains("MISSES"), "{}", done.stdout);
    let done = scratch.run(&["reproduce", "coding-delay", "--seeds", "2", "--out", "d"]).expect(0);
    assert!(!done.stdout.contains("MISSES"), "{}", done.stdout);
    assert_eq!(scratch.list("d/plots").len(), 3, "one plot as SVG, PNG and CSV");
}

/// Aim: the numbers of the paper's Table I come out of the core's encoder, the layout search finds what was worked out by
/// hand, and the lost row is said to be a reconstruction.
#[test]
fn the_papers_table_of_routing_headers() {
    let scratch = Scratch::new();
    let done = scratch.run(&["reproduce", "table1", "--quick", "--out", "t"]).expect(0);
    assert!(done.stdout.contains("Multicast: numbers equal to those printed"), "{}", done.stdout);
    assert!(!done.stdout.contains("MISSES"), "{}", done.stdout);
    let page = scratch.read("t/report.html");
    for piece in
        ["18 \u{b9}2", "0012 80000002", "Multi-path, flow 2 (reconstructed)", "|- 3, destination", "<svg"]
    {
        assert!(page.contains(piece), "no {piece:?} on the page");
    }
    let document = scratch.json("t/reproduce.json");
    assert_eq!(document["policies"][2]["bytes"], "000680000003001280000002000680000004000680000005");
    assert!(scratch.list("t/plots").iter().any(|name| name == "routing-overhead-in-bytes.png"));
}

/// Aim: what `docs/reproduce.md` says of `reproduce.json` is what stands in it: each key, and no other of rows and inputs.
#[test]
fn the_form_of_the_document_is_as_described() {
    let scratch = Scratch::new();
    scratch.run(&["reproduce", "table1", "--quick", "--out", "t"]).expect(0);
    let document = scratch.json("t/reproduce.json");
    let text = include_str!("../docs/reproduce.md");
    let described = |head: &str| -> Vec<&str> {
        let (_, rest) = text.split_once(head).unwrap_or_else(|| panic!("no table {head:?}"));
        let rows = rest.lines().skip(2).take_while(|line| line.starts_with("| `"));
        rows.filter_map(|line| line.split('`').nth(1)).collect()
    };
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
    };
    let sorted = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.join(" ")
    };
    for (head, value) in [
        ("| key of a row | meaning |", &document["rows"][0]),
        ("| key of an input | meaning |", &document["inputs"][0]),
    ] {
        let found = keys(value);
        assert_eq!(sorted(described(head)), sorted(found.iter().map(String::as_str).collect()), "{head}");
    }
    for key in described("| key | meaning |\n|---|---|\n| `schema` | 2 |") {
        assert!(document.get(key).is_some(), "{key} is described and not there");
    }
    assert_eq!(document["schema"], 2);
    for input in document["inputs"].as_array().unwrap() {
        let kind = input["kind"].as_str().unwrap();
        assert!(["measured", "assumed", "derived", "reference"].contains(&kind), "{input}");
        assert!(!input["source"].as_str().unwrap().is_empty(), "an input without a source: {input}");
    }
}

/// Aim: the tree of Fig. 3 is made of recorded packets which add up: what the page counts on an edge stands in the file, and no
/// row about conservation misses. Where there is no lab the page says why.
#[test]
fn the_tree_of_fig_3_from_recorded_packets() {
    let scratch = Scratch::new();
    let done = scratch.run(&["reproduce", "fig3", "--quick", "--out", "f"]).expect(0);
    assert!(done.stdout.contains("relay 3 (california), flow 1: sent, less"), "{}", done.stdout);
    assert!(!done.stdout.contains("MISSES"), "{}", done.stdout);
    let document = scratch.json("f/reproduce.json");
    let run = &document["runs"][0];
    assert_eq!((&run["mode"], &run["seed"]), (&"simulator".into(), &1.into()));
    let packets = scratch.read("f/packets-sim.csv");
    let mut edges = 0;
    for edge in run["edges"].as_array().unwrap() {
        let (flow, from, to) = (edge["flow"].as_u64().unwrap() - 1, &edge["from"], &edge["to"]);
        let sent = format!(",sent,{from},{to},{flow},");
        let count = packets.lines().filter(|line| line.contains(&sent)).count() as u64;
        assert_eq!(edge["sent_packets"], count, "{edge}");
        assert!(count > 0, "{edge}");
        edges += 1;
    }
    assert_eq!(edges, 6, "edges of both flows");
    let copied =
        run["edges"].as_array().unwrap().iter().filter(|edge| edge["copies"].as_u64() > Some(0)).count();
    assert_eq!(copied, 2, "one copy at the relay, one at the source");
    let lab = document["runs"].as_array().unwrap().iter().any(|run| run["mode"] == "lab");
    let said = document["notes"].to_string();
    assert!(lab || said.contains("The lab did not run here"), "{said}");
    if !lab {
        eprintln!("the lab's half of the_tree_of_fig_3_from_recorded_packets: skipped (no lab)");
    }
}

/// Aim: one page and one document over several experiments; an unknown one is refused before anything runs.
#[test]
fn one_page_over_all_that_was_asked_for() {
    let scratch = Scratch::new();
    scratch.run(&["reproduce", "all", "--only", "table1,fig5", "--out", "a"]).expect(2);
    assert!(!scratch.join("a").exists());
    let done = scratch.run(&["reproduce", "all", "--quick", "--only", "table1", "--out", "a"]).expect(0);
    assert!(done.stdout.contains("table1  done: "), "{}", done.stdout);
    assert!(done.stderr.contains("table1, 1 of 1"), "{}", done.stderr);
    assert_eq!(scratch.list("a"), ["report.html", "reproduce.json", "table1"]);
    let page = scratch.read("a/report.html").replace("&#x2f;", "/");
    for piece in ["table1/report.html", "12 2 6 3", "Multi-hop: numbers equal", "table1/plots/", "holds"] {
        assert!(page.contains(piece), "no {piece:?} on the page");
    }
    let (all, own) = (scratch.json("a/reproduce.json"), scratch.json("a/table1/reproduce.json"));
    assert_eq!(all["rows"].as_array().map(Vec::len), own["rows"].as_array().map(Vec::len));
    assert_eq!(all["rows"][0]["experiment"], "table1");
    assert_eq!(all["experiments"][0]["file"], "table1/reproduce.json");
}

/// Aim: Table II says what is fitted and what is not: delays are halves of round trips, a relay is faster than the
/// direct path for two pairs, the direct path and no other is fitted, capacity halved shows, and nothing is judged.
#[test]
fn table2_takes_the_gain_apart() {
    let scratch = Scratch::new();
    let done = scratch.run(&["reproduce", "table2", "--quick", "--out", "t"]).expect(0);
    assert!(!done.stdout.contains("holds") && !done.stdout.contains("MISSES"), "{}", done.stdout);
    let document = scratch.json("t/reproduce.json");
    let rows = document["rows"].as_array().unwrap();
    let row = |name: &str| {
        rows.iter().find(|row| row["quantity"] == name).unwrap_or_else(|| panic!("no row {name}"))
    };
    let ours = |name: &str| row(name)["ours"].as_f64().unwrap();
    assert_eq!(ours("Toronto-Beijing: direct delay"), 122.0);
    for (pair, is_faster) in [("Toronto-Beijing", true), ("Vancouver-Berlin", true), ("Seoul-Rio", false)] {
        let over = row(&format!("{pair}: fastest relay over direct"));
        assert_eq!(over["ours"].as_f64().unwrap() < 0.0, is_faster, "{over}");
        assert_eq!(over["remark"].as_str().unwrap().contains("FASTER"), is_faster, "{over}");
        let whole = format!("{pair}: cloud predicted, median and 90 %");
        assert!(ours(&format!("{pair}: cloud predicted, capacities halved")) < 0.95 * ours(&whole));
        assert!(row(&whole)["remark"].as_str().unwrap().contains("identifiable"));
    }
    for rung in document["ladder"].as_array().unwrap() {
        assert_eq!(rung["runs"].as_array().unwrap().len(), 1, "{rung}");
        assert_eq!(rung["runs"][0]["digest"].as_str().unwrap().len(), 32, "{rung}");
    }
    assert_eq!(document["ladder"].as_array().unwrap().len(), 24);
    for input in document["inputs"].as_array().unwrap() {
        let text = input.to_string();
        assert!(
            ["measured", "assumed", "derived", "reference"].iter().any(|kind| text.contains(kind)),
            "{input}"
        );
    }
}

/// Aim: both halves of Fig. 9 are run and drawn, and the cloud carries more than the mesh.
#[test]
fn fig9_draws_both_topologies() {
    let scratch = Scratch::new();
    scratch.run(&["reproduce", "fig9", "--quick", "--out", "f"]).expect(0);
    let document = scratch.json("f/reproduce.json");
    let rows = document["rows"].as_array().unwrap();
    let ours = |name: &str| {
        let row = rows.iter().find(|row| row["quantity"] == name).unwrap_or_else(|| panic!("no row {name}"));
        row["ours"].as_f64().unwrap()
    };
    assert!(ours("cloud: highest rate") > 4.0 * ours("P2P: highest rate") && ours("P2P: highest rate") > 0.0);
    assert!((ours("cloud: mean delay from round trips, across the ocean") - 193.9).abs() < 0.1);
    let drawings = scratch.list("f/plots");
    for name in ["fig-9-a-by-way-of-the-datacenters.svg", "fig-9-b-peer-to-peer.svg"] {
        assert!(drawings.iter().any(|drawing| drawing == name), "{drawings:?}");
    }
    let cloud = scratch.read("f/plots/fig-9-a-by-way-of-the-datacenters.svg");
    assert!(cloud.contains("Tokyo") && cloud.contains("session from Toronto"));
}

/// Aim: a plan on measured links is carried out in time by unpaced hops, coded and in trees; probes keep to their share;
/// a link that is halved is found.
#[test]
fn plans_on_measured_links_arrive() {
    let scratch = Scratch::new();
    // TFRC has not begun to be fit for it in a short run, and may miss.
    let done = scratch.run(&["reproduce", "airlift", "--quick", "--out", "a"]);
    for line in done.stdout.lines().filter(|line| !line.contains("TFRC")) {
        assert!(!line.contains("MISSES"), "{line}");
    }
    assert!(done.stdout.contains("trees, unpaced, measured: delivered at 0.9"), "{}", done.stdout);
    assert_eq!(scratch.list("a/plots").len(), 6 * 3, "six plots as SVG, PNG and CSV");
}
