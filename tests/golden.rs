//! Golden runs: figures and digests stored in `golden/`, so that debug and release builds and other machines are
//! held to the same bytes. After a change that is meant to change them:
//! `BELLINI_UPDATE_GOLDEN=1 cargo test --test main golden`, and look at the difference.

use crate::harness::{Scratch, sources, without_engine};
use serde_json::{Value, json};

/// FNV-1a, 64 bits. Source: Fowler, Noll, Vo; draft-eastlake-fnv.
fn fnv(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Runs the golden scenario of that name, and compares everything that it left with what is stored.
#[track_caller]
fn compare(name: &str) {
    let folder = sources().join("tests/golden");
    let scratch = Scratch::new();
    std::fs::copy(folder.join(format!("{name}.scenario.json")), scratch.join(&format!("{name}.json")))
        .unwrap();
    scratch.run(&["sim", &format!("{name}.json"), "--no-report", "--out", "run"]).expect(0);
    let mut summary: Value =
        serde_json::from_str(&without_engine(&scratch.read("run/summary.json"))).unwrap();
    // A new version alone changes no figure.
    summary.as_object_mut().unwrap().remove("version");
    let mut found = json!({ "summary": summary });
    for file in ["scenario.json", "series.csv", "events.jsonl", "delays.csv"] {
        let text = scratch.read(&format!("run/{file}"));
        found[file] = json!({ "lines": text.lines().count(), "fnv1a_64": fnv(text.as_bytes()) });
    }
    let found = format!("{found:#}\n");
    let path = folder.join(format!("{name}.json"));
    if std::env::var_os("BELLINI_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((line, (new, old))) =
        found.lines().zip(stored.lines().chain(std::iter::repeat(""))).enumerate().find(|(_, (a, b))| a != b)
    {
        panic!(
            "{name} differs from {} at line {}:\n  stored {old}\n  now    {new}\nIf this is meant: \
             BELLINI_UPDATE_GOLDEN=1 cargo test --test main golden",
            path.display(),
            line + 1
        );
    }
    assert_eq!(found.len(), stored.len());
}

#[test]
fn multipath_with_losses_and_a_crash() {
    compare("multipath");
}

#[test]
fn population_drawn_from_the_seed() {
    compare("population");
}

#[test]
fn file_over_two_paths() {
    compare("file");
    let stored = std::fs::read_to_string(sources().join("tests/golden/file.json")).unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    let destinations = stored["summary"]["sessions"][0]["destinations"].as_array().unwrap();
    assert_eq!(destinations.len(), 2);
    assert!(destinations.iter().all(|destination| destination["complete"] == true), "{destinations:#?}");
}

#[test]
fn coded_in_every_way() {
    compare("coded");
    let stored = std::fs::read_to_string(sources().join("tests/golden/coded.json")).unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    let sessions = stored["summary"]["sessions"].as_array().unwrap();
    let recovered = |session: &Value| session["destinations"][0]["recovered_symbols"].as_u64();
    assert!(sessions.iter().all(|session| recovered(session) > Some(0)), "{sessions:#?}");
    let of = |node: usize| stored["summary"]["nodes"][node]["recoded_packets"].as_u64();
    assert!(of(3) > Some(0) && of(4) == Some(0), "c recodes, d does not");
}
