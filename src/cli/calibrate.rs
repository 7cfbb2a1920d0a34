//! `bellini calibrate`: the network between running nodes, measured, as a topology for the simulator.

use super::args::CalibrateOptions;
use super::exit::{self, Failure};
use bellini_core::units::BitRate;
use bellini_live::calibrate::{CalibrateError, Plan, calibrate, to_scenario};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) fn run(options: &CalibrateOptions) -> Result<u8, Failure> {
    let ids: Vec<_> = options.node.iter().map(|(node, _)| *node).collect();
    if ids.len() < 2 || ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
        return Err(Failure::new(exit::USAGE, "give --node ID=SOCKET for at least two nodes, each once"));
    }
    let rate_max = BitRate::from_bps(options.max_rate * 1_000_000)
        .ok_or_else(|| Failure::new(exit::USAGE, "--max-rate cannot be zero"))?;
    let plan = Plan {
        nodes: options.node.clone(),
        length: Duration::from_secs(options.seconds),
        rate_max,
        symmetric: options.symmetric,
    };
    if let Some(path) = &options.out {
        check_writable(path).map_err(|error| unwritable(path, &error))?;
    }
    let ways = calibrate(&plan, |line| exit::say(line)).map_err(|error| match error {
        CalibrateError::Console { .. } => Failure::new(exit::ENVIRONMENT, error),
        other => Failure::new(exit::FAILED, other),
    })?;
    let text = format!("{:#}\n", to_scenario(&ids, &ways, &today()));
    match &options.out {
        None => exit::print(&text),
        Some(path) => {
            fs::write(path, text).map_err(|error| unwritable(path, &error))?;
            exit::say(format_args!("Topology: {}", path.display()));
        }
    }
    Ok(if ways.is_empty() { exit::FAILED } else { exit::DONE })
}

/// Tries whether a file can be written, before minutes of measuring. What is there stays until there is a result.
fn check_writable(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().write(true).open(path).map(drop)
        }
        Err(error) => Err(error),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(exit::ENVIRONMENT, format!("{}: {error}", path.display()))
}

/// Returns the date in UTC as `year-month-day`.
fn today() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Returns the date `days` after 1970-01-01 in the Gregorian calendar: years begin in March, so that the leap day is
/// the last of its year, and 400 years have 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    // Days from 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Five months from March on have 153 days, and so have the next five.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (19_782, (2024, 2, 29)),
            (20_089, (2025, 1, 1)),
            (20_780, (2026, 11, 23)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
    }
}
