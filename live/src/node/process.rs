//! What the process itself tells: processor time, memory, and whether whoever started it is still there.

use bellini_scenarios::conduct::NodeFigures;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Fills in what this process used so far.
pub(super) fn add_usage(figures: &mut NodeFigures) {
    // Linux never refuses it.
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    figures.cpu_s = Some(micros as f64 / 1e6);
    figures.peak_rss_mib = peak_rss_mib();
}

/// Returns the largest resident memory of this program so far in MiB, where the system tells. The kernel's figure for the process (`ru_maxrss`) will not
/// do: it still knows what whoever started it held before the program began.
#[must_use]
pub fn peak_rss_mib() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1_024.0)
}

/// Has the kernel end this process with SIGTERM when the thread that started it ends.
///
/// # Errors
/// When the system has no such thing.
pub fn die_with_parent() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM)?;
        Ok(())
    }
    #[cfg(not(target_os = "linux"))]
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_something() {
        let mut figures = NodeFigures::default();
        add_usage(&mut figures);
        assert!(figures.cpu_s.is_some_and(|cpu| cpu >= 0.0));
        assert!(figures.peak_rss_mib.is_some_and(|mib| (1.0..100_000.0).contains(&mib)));
    }
}
