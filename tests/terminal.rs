//! What a terminal shows. A pseudo terminal comes from `script` (util-linux); without it these tests say so and pass.
#![cfg(target_os = "linux")]

use crate::harness::{BELLINI, Done, Scratch};

/// Runs a command line on a pseudo terminal and returns what appeared there; `None` without `script`.
fn on_terminal(scratch: &Scratch, line: &str, term: &str) -> Option<Done> {
    if !scratch.command("script").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: `script` of util-linux is not here");
        return None;
    }
    Some(Done::of(scratch.command("script").args(["-qec", line, "/dev/null"]).env("TERM", term)))
}

/// Long enough for some redraws of the bar also in fast builds.
const SECONDS: &str = "--no-report --set 'duration=200 s' --set 'conferences[0].sessions[0].stop=200 s'";

#[test]
fn a_bar_with_percent_speed_and_rest() {
    let scratch = Scratch::with_small();
    let line = format!("{BELLINI} sim small.json --out run {SECONDS}");
    let Some(done) = on_terminal(&scratch, &line, "xterm") else { return };
    let shown = done.expect(0).stdout;
    let bar = shown.split(['\r', '\n']).find(|text| text.contains(" simulated s/s, ")).unwrap_or_else(|| {
        panic!("no bar in {shown:?}");
    });
    assert!(bar.contains("small seed 1 [") && bar.contains(" %  ") && bar.contains(" s left"), "{bar:?}");
    assert!(shown.contains("small in sim, seed 1"), "{shown:?}");
}

#[test]
fn a_dumb_terminal_gets_no_escapes() {
    let scratch = Scratch::with_small();
    let line = format!("{BELLINI} sim small.json --out run --no-report");
    let Some(done) = on_terminal(&scratch, &line, "dumb") else { return };
    assert!(!done.expect(0).stdout.contains('\u{1b}'));
}

#[test]
fn errors_have_colours_on_a_terminal_unless_unwanted() {
    let scratch = Scratch::new();
    scratch.write("bad.json", "{");
    let Some(done) = on_terminal(&scratch, &format!("{BELLINI} check bad.json"), "xterm") else { return };
    assert!(done.expect(3).stdout.contains("\u{1b}["));
    for plain in
        [format!("NO_COLOR=1 {BELLINI} check bad.json"), format!("TERM=dumb {BELLINI} check bad.json")]
    {
        let done = on_terminal(&scratch, &plain, "xterm").unwrap().expect(3);
        assert!(!done.stdout.contains("\u{1b}["), "{:?}", done.stdout);
    }
}
