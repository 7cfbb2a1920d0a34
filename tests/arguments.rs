//! Wrong usage (exit code 2), help, and streams that nobody reads.

use crate::harness::{BELLINI, Done, Scratch};
use std::process::Stdio;

#[test]
fn wrong_usage_starts_nothing() {
    let scratch = Scratch::with_small();
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage: bellini <COMMAND>"),
        (&["simulate", "small.json"], "unrecognized subcommand"),
        (&["sim"], "<SCENARIO>"),
        (&["sim", "small.json", "--sed", "3"], "--seed"),
        (&["sim", "small.json", "--seeds", "0"], "1..=10000"),
        (&["sim", "small.json", "--seeds", "10001"], "1..=10000"),
        (&["sim", "small.json", "--seed", "-1"], "--seed"),
        (&["sim", "small.json", "--seed", "1.5"], "--seed"),
        (&["sim", "small.json", "--seed", "18446744073709551616"], "--seed"),
        (&["sim", "small.json", "--set", "duration"], "KEY=VALUE"),
        (&["sim", "small.json", "--set", "=5 s"], "KEY=VALUE"),
        (&["sim", "small.json", "other.json"], "other.json"),
        (&["report"], "<RUN>"),
        (&["report", "a", "b"], "--out DIR"),
        (&["schema", "extra"], "extra"),
        (&["reproduce"], "<NAME>"),
        (&["reproduce", "fig5"], "fig6, fig7, fig8"),
        (&["reproduce", "fig6", "--runs", "0"], "1..=100"),
    ];
    for (arguments, piece) in cases {
        scratch.run(arguments).expect(2).silent().says(&[piece]);
        assert_eq!(scratch.list("."), ["small.json"], "{arguments:?}");
    }
}

#[test]
fn help_shows_examples_and_goes_to_stdout() {
    let scratch = Scratch::new();
    for verb in ["sim", "check", "report", "schema", "reproduce", "calibrate"] {
        let help = scratch.run(&[verb, "--help"]).expect(0);
        assert!(
            help.stdout.contains(&format!("bellini {verb}")) && help.stdout.contains("Example"),
            "{verb}"
        );
        assert_eq!(help.stderr, "");
    }
    let help = scratch.run(&["--help"]).expect(0);
    for piece in ["Exit codes", "scenarios/fig3.json", "3 scenario invalid", "130 interrupted"] {
        assert!(help.stdout.contains(piece), "{piece}");
    }
    let version = scratch.run(&["--version"]).expect(0);
    assert_eq!(version.stdout, format!("bellini {}\n", env!("CARGO_PKG_VERSION")));
}

/// Aim: the examples in the help of `sim` work as they stand.
#[test]
fn examples_of_the_help_work() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.join("scenarios")).unwrap();
    for path in crate::harness::shipped() {
        std::fs::copy(&path, scratch.join("scenarios").join(path.file_name().unwrap())).unwrap();
    }
    let help = scratch.run(&["sim", "--help"]).expect(0).stdout;
    let examples: Vec<_> = help.lines().filter_map(|line| line.trim().strip_prefix("bellini ")).collect();
    assert!(examples.len() >= 3, "{help}");
    for (index, example) in examples.iter().enumerate() {
        // No plots: they are drawn in other tests, and many here.
        let line =
            format!("{BELLINI} {example} --no-report --out run-{index}").replace(" --out runs/fig3-ten", "");
        Done::of(scratch.command("sh").args(["-c", &line])).expect(0);
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let scratch = Scratch::with_small();
    for (index, line) in [
        format!("{BELLINI} sim small.json --no-report --out a 2>err | head -1; exit ${{PIPESTATUS[0]}}"),
        format!("{BELLINI} check small.json --resolved 2>err | head -1; exit ${{PIPESTATUS[0]}}"),
        format!("{BELLINI} schema 2>err | head -1; exit ${{PIPESTATUS[0]}}"),
        format!("{BELLINI} sim small.json --no-report --out b 2>err >&-"),
    ]
    .iter()
    .enumerate()
    {
        Done::of(scratch.command("bash").args(["-c", line])).expect(0);
        let said = scratch.read("err");
        assert!(!said.contains("panicked") && !said.contains("rror"), "{index}: {said}");
    }
    // Nobody reads stderr: the exit code still says what happened.
    let mut child = scratch.command(BELLINI);
    let mut child = child.args(["sim", "none.json"]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
