//! What waits to be said to one client of a console.

use super::Answer;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Lines of events that wait for a client; more are dropped and counted.
pub const EVENT_LINES_MAX: usize = 65_536;
/// Warnings that wait for a client; more are dropped and counted.
pub const WARNING_LINES_MAX: usize = 64;
/// Other lines that wait before a client's orders are no longer read: it must take answers to get further ones.
pub const ANSWER_LINES_MAX: usize = 64;

/// Lines on their way to a client that may be slow. Who adds to it never waits.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Arc<Answer>>,
    events: usize,
    dropped_events: u64,
    warnings: usize,
    dropped_warnings: u64,
    is_closed: bool,
    is_done: bool,
}

impl Outbox {
    /// Adds a line. Events and warnings are dropped when too many of them wait, an answer never is.
    pub(super) fn push(&self, answer: Arc<Answer>) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        if matches!(*answer, Answer::Event { .. }) {
            if state.events >= EVENT_LINES_MAX {
                state.dropped_events += 1;
                return;
            }
            state.events += 1;
        }
        if matches!(*answer, Answer::Warning(_)) {
            if state.warnings >= WARNING_LINES_MAX {
                state.dropped_warnings += 1;
                return;
            }
            state.warnings += 1;
        }
        state.lines.push_back(answer);
        self.changed.notify_all();
    }

    /// Takes all lines, once there are some; `None` when there will be no more.
    pub(super) fn take(&self) -> Option<VecDeque<Arc<Answer>>> {
        let mut state = self.lock();
        while state.lines.is_empty() {
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        (state.events, state.warnings) = (0, 0);
        self.changed.notify_all();
        Some(std::mem::take(&mut state.lines))
    }

    /// Waits until few enough answers wait that another order may be read. False: the client is gone.
    pub(super) fn wait_for_room(&self) -> bool {
        let mut state = self.lock();
        while !state.is_closed && state.lines.len() - state.events - state.warnings >= ANSWER_LINES_MAX {
            state = self.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        !state.is_closed
    }

    /// Takes no more lines; those that are there may still be taken.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Says that the last line is written, or can never be.
    pub(super) fn set_done(&self) {
        let mut state = self.lock();
        (state.is_closed, state.is_done) = (true, true);
        self.changed.notify_all();
    }

    /// Waits for [`Self::set_done`], at most `longest`; whether it came.
    pub(super) fn wait_done(&self, longest: Duration) -> bool {
        let end = Instant::now() + longest;
        let mut state = self.lock();
        while !state.is_done {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        true
    }

    /// Returns the events that were dropped so far.
    pub(super) fn dropped_events(&self) -> u64 {
        self.lock().dropped_events
    }

    /// Returns the warnings that were dropped so far.
    pub(super) fn dropped_warnings(&self) -> u64 {
        self.lock().dropped_warnings
    }

    /// A thread that panicked leaves lines that are whole: they are plain data.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::ids::SessionKey;
    use bellini_core::io::Event;
    use bellini_core::time::Instant as NodeInstant;

    fn event() -> Arc<Answer> {
        let event = Event::SessionFinished { key: SessionKey::new(1, 1) };
        Arc::new(Answer::Event { at: NodeInstant::ZERO, event })
    }

    /// Nobody reads: events and warnings stop at their limits, answers never do.
    #[test]
    fn answers_are_never_dropped() {
        let outbox = Outbox::default();
        for _ in 0..EVENT_LINES_MAX + 7 {
            outbox.push(event());
        }
        for _ in 0..WARNING_LINES_MAX + 5 {
            outbox.push(Arc::new(Answer::Warning("one".into())));
        }
        for _ in 0..2 * ANSWER_LINES_MAX {
            outbox.push(Arc::new(Answer::Harvested { id: 1, figures: None }));
        }
        assert_eq!((outbox.dropped_events(), outbox.dropped_warnings()), (7, 5));
        let all = EVENT_LINES_MAX + WARNING_LINES_MAX + 2 * ANSWER_LINES_MAX;
        assert_eq!(outbox.take().expect("lines wait").len(), all);
        outbox.push(Arc::new(Answer::Warning("two".into())));
        assert_eq!(outbox.take().expect("there is room again").len(), 1);
        outbox.push(event());
        assert_eq!(outbox.take().expect("there is room again").len(), 1);
    }

    #[test]
    fn after_closing_what_waited_is_still_handed_out() {
        let outbox = Outbox::default();
        outbox.push(Arc::new(Answer::Bye));
        outbox.close();
        outbox.push(Arc::new(Answer::Bye));
        assert_eq!(outbox.take().map(|lines| lines.len()), Some(1));
        assert!(outbox.take().is_none());
        assert!(!outbox.wait_done(Duration::ZERO));
        outbox.set_done();
        assert!(outbox.wait_done(Duration::ZERO) && !outbox.wait_for_room());
    }
}
