//! Case studies stay short: the paper gives 1,000 lines as the price of a published algorithm.

use std::path::Path;

/// Most lines of a case study.
const LINES_MAX: usize = 1_000;

/// Returns the lines of the Rust files of a folder that are neither empty nor comments; tests are not counted.
fn lines(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = files.map(|file| file.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
        })
        .sum()
}

/// Aim: Jetway, with Postcard, its baselines, bounds and workloads, keeps to the paper's size.
#[test]
fn jetway_is_short() {
    let counted = lines(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/src/policies/jetway"));
    assert!((200..=LINES_MAX).contains(&counted), "{counted} lines");
    println!("jetway: {counted} lines");
}
