//! What a run cost the machine, from the kernel's accounts of this process.

pub(super) use bellini_live::node::peak_rss_mib;
use std::fs;

/// Returns the processor time of the main thread so far in seconds, where the system tells.
pub(super) fn cpu_s() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanos: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanos * 1e-9)
}
