//! Where results go: which directories a run takes, and which it leaves alone.

use super::exit::{self, Failure};
use bellini_scenarios::record::file;
use std::path::{Path, PathBuf};

/// The directories of a run, or of several with successive seeds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// What the user is shown: the run directory, or the one that holds them all.
    pub(super) base: PathBuf,
    /// Each seed with its run directory.
    pub(super) runs: Vec<(u64, PathBuf)>,
}

impl Target {
    /// Plans a run of scenario `name` from seed `first` on. `seeds`: how many, if `--seeds` was given; `out`: what
    /// `--out` says.
    ///
    /// # Errors
    /// When there are not so many seeds left.
    pub(super) fn new(
        name: &str,
        mode: &str,
        first: u64,
        seeds: Option<u64>,
        out: Option<&Path>,
    ) -> Result<Self, Failure> {
        let in_runs = |leaf: String| PathBuf::from("runs").join(leaf);
        let Some(count) = seeds else {
            let base = out.map_or_else(|| in_runs(format!("{name}-{mode}-{first}")), Path::to_owned);
            return Ok(Self { runs: vec![(first, base.clone())], base });
        };
        let last = first.checked_add(count - 1).ok_or_else(|| {
            let message =
                format!("--seeds {count} from {first} on goes beyond the largest seed, {}", u64::MAX);
            Failure::new(exit::USAGE, message)
        })?;
        let base = out.map_or_else(|| in_runs(format!("{name}-{mode}-{first}-{last}")), Path::to_owned);
        let runs = (first..=last).map(|seed| (seed, base.join(format!("seed-{seed}")))).collect();
        Ok(Self { base, runs })
    }

    /// Looks at every directory before anything starts; creates nothing.
    ///
    /// # Errors
    /// When one of them holds something, unless it is an earlier run and `force` is set.
    pub(super) fn check(&self, force: bool) -> Result<(), Failure> {
        let several = self.runs.iter().map(|(_, path)| path).filter(|path| **path != self.base);
        for path in std::iter::once(&self.base).chain(several) {
            // What cannot be listed is found out when it is created.
            let Ok(mut entries) = std::fs::read_dir(path) else { continue };
            if entries.next().is_none() {
                continue;
            }
            let path_shown = path.display();
            let message = match (holds_run(path), force) {
                (true, true) => continue,
                (true, false) => format!(
                    "{path_shown} holds an earlier run; use --force to replace it, or --out DIR for another place"
                ),
                (false, _) => format!(
                    "{path_shown} holds files that are no run's, and is left alone; use --out DIR for another place"
                ),
            };
            return Err(Failure::new(exit::USAGE, message));
        }
        Ok(())
    }

    /// Returns the names of what an earlier run or series has left in the base directory and this one does not
    /// replace, sorted.
    pub(super) fn leftovers(&self) -> Vec<String> {
        let replaced = |path: &Path| self.runs.iter().any(|(_, run)| run == path);
        let mut names = seed_directories(&self.base);
        names.retain(|name| !replaced(&self.base.join(name)));
        if !replaced(&self.base) && self.base.join(file::SUMMARY).is_file() {
            names.push(file::SUMMARY.to_owned());
        }
        names.sort();
        names
    }
}

/// Whether a directory was left by a run or by several, complete or killed. `scenario.json` does not count: anybody
/// may call a file so.
fn holds_run(path: &Path) -> bool {
    let records = [file::SUMMARY, file::SERIES, file::EVENTS].map(str::to_owned);
    let unfinished = records.clone().map(|name| format!(".{name}.part"));
    if records.iter().chain(&unfinished).any(|name| path.join(name).is_file()) {
        return true;
    }
    !seed_directories(path).is_empty()
}

/// Returns the names of the run directories that a series of seeds left in `base`.
fn seed_directories(base: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
    let names = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.strip_prefix("seed-").is_some_and(|seed| seed.parse::<u64>().is_ok())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(first: u64, seeds: Option<u64>) -> Result<Target, String> {
        Target::new("a", "sim", first, seeds, None).map_err(|failure| failure.message)
    }

    #[test]
    fn names_say_scenario_mode_and_seeds() {
        let one = target(7, None).unwrap();
        assert_eq!((one.base.clone(), one.runs), ("runs/a-sim-7".into(), vec![(7, "runs/a-sim-7".into())]));
        let two = target(7, Some(2)).unwrap();
        assert_eq!(two.base, Path::new("runs/a-sim-7-8"));
        assert_eq!(two.runs[1], (8, "runs/a-sim-7-8/seed-8".into()));
    }

    #[test]
    fn the_largest_seed_can_be_used_but_not_passed() {
        assert_eq!(target(u64::MAX - 1, Some(2)).unwrap().runs[1].0, u64::MAX);
        assert!(target(u64::MAX, Some(2)).unwrap_err().contains("--seeds 2"));
    }
}
