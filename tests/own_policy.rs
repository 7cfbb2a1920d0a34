//! `examples/own_policy.rs`: a binary of one's own has every subcommand, and its own policy.

use crate::harness::{Done, Scratch, example, shipped, sources};

/// What the first lines of the example propose for `--set`.
const AVOID: &str = r#"conferences[0].sessions[0].routing={"policy": "avoid", "region": "aws:us-"}"#;

/// Runs an example.
pub(crate) fn run(scratch: &Scratch, name: &str, arguments: &[&str]) -> Done {
    Done::of(scratch.command(example(name)).args(arguments))
}

/// Returns the routes of the first session of a run.
fn routes(scratch: &Scratch, run: &str) -> Vec<String> {
    let summary = scratch.json(&format!("{run}/summary.json"));
    let flows = summary["sessions"][0]["flows"].as_array().unwrap();
    flows.iter().map(|flow| flow["route"].as_str().unwrap().to_owned()).collect()
}

/// Aim: the policy of the example decides the routes of a shipped scenario; the plain command refuses its name.
#[test]
fn a_policy_of_ones_own_runs_from_a_scenario() {
    let scratch = Scratch::new();
    let conference = shipped().into_iter().find(|path| path.ends_with("conference-4.json")).unwrap();
    let conference = conference.to_str().unwrap();
    let base = ["sim", conference, "--set", "duration=1 s", "--no-report"];
    scratch.run(&[&base[..], &["--set", AVOID]].concat()).expect(3).silent().says(&["avoid"]);
    assert_eq!(scratch.list("."), [""; 0]);
    run(&scratch, "own_policy", &[&base[..], &["--set", AVOID, "--out", "avoid"]].concat()).expect(0);
    run(&scratch, "own_policy", &[&base[..], &["--out", "plain"]].concat()).expect(0);
    let (plain, avoid) = (routes(&scratch, "plain"), routes(&scratch, "avoid"));
    assert_ne!(plain, avoid);
    // Node 5 is the relay in Virginia.
    assert!(plain.iter().any(|route| route.contains('5')), "{plain:?}");
    assert!(avoid.iter().all(|route| !route.contains('5')), "{avoid:?}");
    assert_eq!(
        scratch.json("avoid/scenario.json")["conferences"][0]["sessions"][0]["routing"]["policy"],
        "avoid"
    );
}

#[test]
fn it_has_the_other_subcommands_too() {
    let scratch = Scratch::with_small();
    run(&scratch, "own_policy", &["check", "small.json"]).expect(0);
    run(&scratch, "own_policy", &["check", "none.json"]).expect(3);
    run(&scratch, "own_policy", &["--help"]).expect(0);
}

#[test]
fn it_stays_under_sixty_lines() {
    let text = std::fs::read_to_string(sources().join("examples/own_policy.rs")).unwrap();
    assert!(
        text.contains("scenarios/conference-4.json") && text.contains(AVOID),
        "what is tested is proposed"
    );
    assert!(text.lines().count() < 60, "{}", text.lines().count());
}
