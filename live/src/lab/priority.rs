//! Real-time priority and wakeful processors for the time of a run.
//!
//! A lab's processes sleep and wake thousands of times a second, and each wake behind somebody else's work is lateness that
//! the scenario does not have. Where the system allows it (root, or a limit on real-time priority) they go before
//! ordinary processes; the kernel keeps a share of the processor for those whatever happens (`sched_rt_runtime_us`).
//! And where it is allowed, idle processors are asked not to fall asleep: waking one takes tens of microseconds, on a
//! virtual machine more, and a packet wakes one several times a hop (Linux, Documentation/power/pm_qos_interface).

use std::fs::File;
use std::io::Write;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id, thread_schedule_policy_param,
};

/// Who holds this file open, having written a latency in microseconds, is promised that processors wake within it.
const WAKE_LATENCY: &str = "/dev/cpu_dma_latency";

/// Processors wake at once until this is dropped.
#[derive(Debug)]
pub(super) struct Wakeful {
    _promise: File,
}

impl Wakeful {
    /// Asks for it; `None` where the system does not offer it to this user.
    pub(super) fn ask() -> Option<Self> {
        let mut promise = File::options().write(true).open(WAKE_LATENCY).ok()?;
        promise.write_all(&0_i32.to_ne_bytes()).ok()?;
        Some(Self { _promise: promise })
    }
}

/// The calling thread goes before ordinary ones, and so does all that it starts, until this is dropped.
#[derive(Debug)]
pub(super) struct Raised {
    before: (ThreadSchedulePolicy, i32),
}

impl Raised {
    /// Raises the calling thread; `None` where the system does not allow it.
    pub(super) fn raise() -> Option<Self> {
        let own = thread_native_id();
        let (policy, param) = thread_schedule_policy_param(own).ok()?;
        // In turns: of two that are busy at once, neither waits for the other to end.
        let turns = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
        let lowest = ThreadPriority::Crossplatform(ThreadPriorityValue::try_from(1).ok()?);
        set_thread_priority_and_policy(own, lowest, turns).ok()?;
        Some(Self { before: (policy, param.sched_priority) })
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        let value = ThreadPriorityValue::try_from(self.before.1.clamp(0, 99) as u8);
        let priority = value.map_or(ThreadPriority::Min, ThreadPriority::Crossplatform);
        // Who was allowed to rise is allowed to step back.
        let _ = set_thread_priority_and_policy(thread_native_id(), priority, self.before.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is raised is in force for threads that it starts, and ends with it.
    #[test]
    fn raised_threads_start_raised_threads() {
        let policy = || thread_schedule_policy_param(thread_native_id()).expect("own thread").0;
        let before = policy();
        let Some(raised) = Raised::raise() else {
            eprintln!("skipped: no real-time priority for this user");
            return;
        };
        let turns = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
        assert_eq!(policy(), turns);
        assert_eq!(std::thread::spawn(policy).join().expect("it ends"), turns);
        drop(raised);
        assert_eq!(policy(), before);
    }
}
