//! What a run cost the machine, from the kernel's accounts of this process.

use std::fs;

/// Returns the processor time of the main thread so far in seconds, where the system tells.
pub(super) fn cpu_s() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanos: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanos * 1e-9)
}

/// Returns the largest resident memory so far in MiB, where the system tells.
pub(super) fn peak_rss_mib() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
