//! `bellini compare`: how far the runs of two sides are apart, with a verdict.

use super::args::CompareOptions;
use super::exit::{self, Failure};
use super::report::load;
use bellini_reports::compare::{
    CompareError, Comparison, Obstacle, Tolerances, compare, obstacles, several_to_json_text, write_several,
};
use bellini_reports::{Options, ReportError};
use bellini_scenarios::record::file;
use std::path::{Path, PathBuf};

/// The file by which the directory of a comparison is known.
const COMPARISON: &str = "compare.json";

pub(super) fn run(options: &CompareOptions) -> Result<u8, Failure> {
    let wrong = |error: CompareError| Failure::new(exit::USAGE, error);
    let mut tolerances = Tolerances::default();
    for (key, value) in &options.tolerances {
        tolerances.set(key, value).map_err(wrong)?;
    }
    let (a, others) = sides(options)?;
    let out = options.out.clone().unwrap_or_else(|| Path::new("runs").join(name(&a, &others)));
    // A comparison replaces an earlier one, and nothing else.
    let is_used = std::fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_some());
    if is_used && !out.join(COMPARISON).is_file() {
        let message = format!(
            "{} holds files that are no comparison's, and is left alone; use --out DIR for another place",
            out.display()
        );
        return Err(Failure::new(exit::USAGE, message));
    }
    let a = load(&directories(&a)?)?;
    let others = others.iter().map(|side| load(&directories(side)?)).collect::<Result<Vec<_>, Failure>>()?;
    let found: Vec<Vec<Obstacle>> = others.iter().map(|b| obstacles(&a, b)).collect();
    if !options.force
        && let Some(first) = found.iter().flatten().next()
    {
        return Err(refusal(first, found.iter().flatten().count()));
    }
    let mut comparisons = Vec::new();
    for (b, found) in others.iter().zip(&found) {
        let mut comparison = compare(&a, b, tolerances).map_err(wrong)?;
        let forced = found.iter().map(|obstacle| format!("Compared by force: {}.", obstacle.text()));
        comparison.notes.splice(0..0, forced);
        comparisons.push(comparison);
    }
    let page = draw(&comparisons, &out)?;
    match comparisons.as_slice() {
        [only] if options.json => exit::print(&only.to_json_text()),
        several if options.json => exit::print(&several_to_json_text(several)),
        all => all.iter().for_each(|comparison| exit::print(&comparison.table())),
    }
    exit::say(format_args!("Comparison: {}", page.display()));
    Ok(if comparisons.iter().all(Comparison::holds) { exit::DONE } else { exit::CHECK })
}

fn draw(comparisons: &[Comparison<'_>], out: &Path) -> Result<PathBuf, Failure> {
    write_several(comparisons, out, Options::default()).map_err(|error| {
        let code = if matches!(error, ReportError::Io { .. }) { exit::ENVIRONMENT } else { exit::FAILED };
        Failure::new(code, error)
    })
}

fn refusal(first: &Obstacle, all: usize) -> Failure {
    let code = match first {
        Obstacle::Scenario(_) => exit::SCENARIO,
        Obstacle::Run(_) => exit::ENVIRONMENT,
    };
    let more = match all {
        1 => String::new(),
        all => format!(" (and {} more)", all - 1),
    };
    Failure::new(code, format!("{}{more}; --force compares all the same", first.text()))
}

/// Returns what was given for A, and for each side that is set against it: paths, each perhaps several joined by commas,
/// and `--a`, `--b`.
fn sides(options: &CompareOptions) -> Result<(Vec<PathBuf>, Vec<Vec<PathBuf>>), Failure> {
    let (mut a, mut others) = (options.a.clone(), vec![options.b.clone()]);
    match options.runs.as_slice() {
        [] => {}
        [one, two, more @ ..] => {
            a.splice(0..0, split(one));
            others[0].splice(0..0, split(two));
            others.extend(more.iter().map(|side| split(side)));
        }
        [_] => {
            let message = "give A and B: two run directories, or directories that hold runs; more runs of a side go \
                           behind commas, or behind --a and --b";
            return Err(Failure::new(exit::USAGE, message));
        }
    }
    for (side, paths) in [("A", &a), ("B", &others[0])] {
        if paths.is_empty() {
            let message = format!("side {side} has no runs: bellini compare RUNS_A RUNS_B");
            return Err(Failure::new(exit::USAGE, message));
        }
    }
    Ok((a, others))
}

/// Splits at commas, unless there is something of just this name.
fn split(path: &Path) -> Vec<PathBuf> {
    match path.to_str() {
        Some(text) if text.contains(',') && !path.exists() => {
            text.split(',').filter(|part| !part.is_empty()).map(PathBuf::from).collect()
        }
        _ => vec![path.to_owned()],
    }
}

/// Returns the run directories that paths stand for: each a run, or a directory whose directories are runs.
fn directories(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        if path.join(file::SUMMARY).is_file() {
            all.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|error| {
            Failure::new(exit::ENVIRONMENT, format!("cannot read {}: {error}", path.display()))
        })?;
        let mut inside: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.join(file::SUMMARY).is_file())
            .collect();
        if inside.is_empty() {
            let message = format!("{} is no run, and holds none (no summary.json)", path.display());
            return Err(Failure::new(exit::ENVIRONMENT, message));
        }
        // seed-2 comes before seed-10.
        inside.sort_by_key(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name.chars().count(), name)
        });
        all.extend(inside);
    }
    Ok(all)
}

/// Returns the default name of the comparison's directory.
fn name(a: &[PathBuf], others: &[Vec<PathBuf>]) -> String {
    let leaf = |paths: &[PathBuf]| {
        let path = paths.first().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone()));
        path.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())).unwrap_or_default()
    };
    let leaves: String = others.iter().map(|side| format!("-{}", leaf(side))).collect();
    format!("compare-{}{leaves}", leaf(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: what was typed becomes two lists; anything but two sides is refused.
    #[test]
    fn sides_are_taken_apart() {
        let options = |runs: &[&str], a: &[&str], b: &[&str]| {
            let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect();
            CompareOptions {
                runs: paths(runs),
                a: paths(a),
                b: paths(b),
                tolerances: Vec::new(),
                out: None,
                force: false,
                json: false,
            }
        };
        let (a, b) = sides(&options(&["x,y", "z"], &["w"], &[])).unwrap();
        assert_eq!((a, b), (vec!["x".into(), "y".into(), "w".into()], vec![vec!["z".into()]]));
        let (_, others) = sides(&options(&["x", "y", "z,w"], &[], &[])).unwrap();
        assert_eq!(others, [vec![PathBuf::from("y")], vec!["z".into(), "w".into()]]);
        assert!(sides(&options(&["x"], &[], &[])).is_err());
        assert!(sides(&options(&[], &["x"], &[])).unwrap_err().message.contains("side B"));
        assert_eq!(
            name(&["runs/fig3-sim-1-20".into()], &[vec!["runs/fig3-lab-1".into()]]),
            "compare-fig3-sim-1-20-fig3-lab-1"
        );
    }
}
