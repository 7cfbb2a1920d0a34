//! How a run is watched: samples, events and progress go to whoever drives it.

use crate::record::{EventRow, Scope};

/// Takes what a run records while it goes on. All methods have an empty default.
pub trait Observer {
    /// One value of one metric of one thing at scenario time `t_s` (seconds).
    ///
    /// # Errors
    /// A message that ends the run.
    fn sample(&mut self, t_s: f64, scope: Scope, id: &str, metric: &str, value: f64) -> Result<(), String> {
        let _ = (t_s, scope, id, metric, value);
        Ok(())
    }

    /// Something that happened.
    ///
    /// # Errors
    /// A message that ends the run.
    fn event(&mut self, event: EventRow) -> Result<(), String> {
        let _ = event;
        Ok(())
    }

    /// Called now and then; `done` rises from 0 to 1 with the time of the run.
    fn progress(&mut self, done: f64) -> Progress {
        let _ = done;
        Progress::GoOn
    }
}

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It does.
    GoOn,
    /// It stops here; what was recorded is kept.
    Stop,
}

/// An observer that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {}
