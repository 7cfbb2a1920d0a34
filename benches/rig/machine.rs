//! What the machine is and how much memory the process takes; medians.

#![allow(dead_code, reason = "each bench uses a part of this")]

/// CPU model and number of processors, to print with every figure.
pub(crate) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown CPU", |(_, name)| name);
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("machine: {model}, {processors} processors; one thread used")
}

/// A field of /proc/self/status in MiB (`VmRSS`, `VmHWM`); not a number where there is none.
pub(crate) fn memory_mib(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<f64>().ok()).map_or(f64::NAN, |kib| kib / 1_024.0)
}

/// Lets `VmHWM` count anew from what is held now, where the system allows it.
pub(crate) fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The middle of the values, which get sorted.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The value after `name` on the command line.
pub(crate) fn argument<T: std::str::FromStr>(name: &str) -> Option<T> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)?.parse().ok()
}

/// Processor time of the main thread so far in seconds, where the system tells; wall time counts what other programs
/// on the machine take.
pub(crate) fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.map_or(f64::NAN, |nanos| nanos * 1e-9)
}
