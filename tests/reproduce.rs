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
