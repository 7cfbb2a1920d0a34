//! Where results go: nothing of the user's is overwritten, and what cannot be written is said.

use crate::harness::{SMALL, Scratch};

#[test]
fn an_earlier_run_is_replaced_only_by_force() {
    let scratch = Scratch::with_small();
    let run = |seed: &str, force: &[&str]| {
        scratch.run(&[&["sim", "small.json", "--no-report", "--out", "run", "--seed", seed], force].concat())
    };
    run("1", &[]).expect(0);
    let before = scratch.read("run/summary.json");
    run("2", &[]).expect(2).silent().says(&["run holds an earlier run", "--force", "--out DIR"]);
    assert_eq!(scratch.read("run/summary.json"), before);
    scratch.write("run/my-notes.txt", "mine");
    run("2", &["--force"]).expect(0);
    assert_eq!(scratch.json("run/summary.json")["seed"], 2);
    assert_eq!(scratch.read("run/my-notes.txt"), "mine");
}

/// Aim: what a killed run left may be replaced by force.
#[test]
fn a_killed_run_counts_as_a_run() {
    let scratch = Scratch::with_small();
    std::fs::create_dir(scratch.join("run")).unwrap();
    scratch.write("run/.series.csv.part", "t_s,sc");
    scratch.write("run/scenario.json", SMALL);
    let arguments = ["sim", "small.json", "--no-report", "--out", "run"];
    scratch.run(&arguments).expect(2).says(&["--force"]);
    scratch.run(&[&arguments[..], &["--force"]].concat()).expect(0);
    assert!(!scratch.join("run/.series.csv.part").exists());
}

/// Aim: `--force` in a folder of one's own removes nothing, also where names coincide with those of a run.
#[test]
fn force_never_touches_what_is_no_run() {
    let scratch = Scratch::with_small();
    scratch.write("scenario.json", SMALL);
    std::fs::create_dir(scratch.join("plots")).unwrap();
    scratch.write("plots/thesis.svg", "mine");
    let before = scratch.list(".");
    for seeds in [&[][..], &["--seeds", "2"]] {
        let arguments = [&["sim", "scenario.json", "--out", ".", "--force"], seeds].concat();
        scratch.run(&arguments).expect(2).silent().says(&["files that are no run's", "--out DIR"]);
        assert_eq!(scratch.list("."), before);
        assert_eq!(scratch.read("plots/thesis.svg"), "mine");
    }
}

/// Aim: a series of seeds does not write its report over that of a single run.
#[test]
fn seeds_do_not_overwrite_a_single_run() {
    let scratch = Scratch::with_small();
    scratch.run(&["sim", "small.json", "--out", "run"]).expect(0);
    let page = scratch.read("run/report.html");
    scratch.run(&["sim", "small.json", "--seeds", "2", "--out", "run"]).expect(2).says(&["earlier run"]);
    assert_eq!(scratch.read("run/report.html"), page);
    assert!(!scratch.join("run/seed-1").exists());
}

#[test]
fn places_that_cannot_be_written() {
    let scratch = Scratch::with_small();
    scratch.write("file", "mine");
    for out in ["file", "file/below", "file/below/that"] {
        for more in [&[][..], &["--force"], &["--seeds", "2"]] {
            let arguments = [&["sim", "small.json", "--out", out], more].concat();
            scratch.run(&arguments).expect(6).silent().says(&["error: ", "file", "irectory"]);
        }
    }
    // The default place.
    scratch.write("runs", "mine");
    scratch.run(&["sim", "small.json"]).expect(6).silent().says(&["cannot create runs/small-sim-1"]);
    assert_eq!(scratch.list("."), ["file", "runs", "small.json"]);
    assert_eq!(scratch.read("file") + &scratch.read("runs"), "minemine");
}

/// Aim: an empty directory may be given, and one that does not exist yet is made with its parents.
#[test]
fn empty_and_nested_places_are_taken() {
    let scratch = Scratch::with_small();
    std::fs::create_dir(scratch.join("empty")).unwrap();
    for out in ["empty", "a/b/c"] {
        scratch.run(&["sim", "small.json", "--no-report", "--out", out]).expect(0);
        assert!(scratch.join(out).join("summary.json").is_file());
    }
}

/// Aim: what is left of an earlier series is not removed, and not passed over in silence.
#[test]
fn leftovers_of_an_earlier_series_are_named() {
    let scratch = Scratch::with_small();
    let run = |seeds: &str| {
        let arguments = ["sim", "small.json", "--no-report", "--out", "o", "--force", "--seeds", seeds];
        scratch.run(&arguments).expect(0).stderr
    };
    assert_eq!(run("3"), "Records: o\n");
    assert!(run("1").contains("note: o still holds seed-2, seed-3 of an earlier run"), "{}", run("1"));
    assert_eq!(scratch.list("o"), ["seed-1", "seed-2", "seed-3"]);
}

/// Aim: a disk that is full in the middle of a run ends with the environment's code and names the file. The limit
/// on file sizes stands for the disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_no_defect() {
    let scratch = Scratch::with_small();
    let line = format!(
        "trap '' XFSZ; ulimit -f 16; exec {} sim small.json --no-report --out run --set sample_interval='10 ms'",
        crate::harness::BELLINI
    );
    let done = crate::harness::Done::of(scratch.command("bash").args(["-c", &line]));
    done.expect(6).silent().says(&["cannot write run/.series.csv.part"]);
    assert!(!scratch.join("run/summary.json").exists());
}
