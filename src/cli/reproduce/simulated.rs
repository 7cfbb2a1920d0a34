//! Running shipped scenarios in the simulator and keeping what was recorded, for reproductions that need no processes.

use crate::Registry;
use crate::cli::exit::{self, Failure};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::time::Duration;
use bellini_reports::Interval;
use bellini_scenarios::parse::{LoadOptions, parse_str};
use bellini_scenarios::policy::{ConferenceHook, DeliveryNotice};
use bellini_scenarios::record::{EventRow, Scope, Series, SeriesRow, Summary};
use bellini_sim::{Observer, Simulation};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a run left.
pub(super) struct Watched {
    pub(super) summary: Summary,
    pub(super) series: Series,
    pub(super) events: Vec<EventRow>,
    /// Messages that came completely.
    pub(super) messages: Vec<Message>,
}

/// A message that came completely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) session: SessionKey,
    /// When it was made, in seconds of scenario time.
    pub(super) made_s: f64,
    /// From its creation to its last symbol, in milliseconds.
    pub(super) took_ms: f64,
}

/// Runs a scenario, given as text, with changes `set` as of `--set`. `symbols`: of how many symbols each message
/// consists; with `None` nobody listens to deliveries.
pub(super) fn simulate(
    name: &str,
    text: &str,
    set: &[(String, String)],
    seed: u64,
    symbols: Option<u64>,
) -> Result<Watched, Failure> {
    let options = LoadOptions { seed: Some(seed), set: set.to_vec(), policies: Vec::new() };
    let loaded = parse_str(name, text, &options).map_err(|found| Failure::new(exit::SCENARIO, found))?;
    let done = Arc::new(Mutex::new(Vec::new()));
    let registry = match symbols {
        None => Registry::builtin(),
        Some(symbols) => {
            let done = Arc::clone(&done);
            Registry::builtin().conference(move || {
                Box::new(Completions { symbols, open: BTreeMap::new(), done: Arc::clone(&done) })
            })
        }
    };
    let failed = |error| Failure::new(exit::FAILED, error);
    let mut kept = Kept::default();
    let simulation = Simulation::new(&loaded.scenario, seed, &registry).map_err(failed)?;
    let outcome = simulation.run(&mut kept).map_err(failed)?;
    let messages = core::mem::take(&mut *done.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Watched { summary: outcome.summary, series: kept.series, events: kept.events, messages })
}

/// Keeps everything.
#[derive(Default)]
struct Kept {
    series: Series,
    events: Vec<EventRow>,
}

impl Observer for Kept {
    fn sample(&mut self, t_s: f64, scope: Scope, id: &str, metric: &str, value: f64) -> Result<(), String> {
        self.series.push(SeriesRow { t_s, scope, id: id.to_owned(), metric: metric.to_owned(), value });
        Ok(())
    }

    fn event(&mut self, event: EventRow) -> Result<(), String> {
        self.events.push(event);
        Ok(())
    }
}

/// Finds out when messages of equal size are complete: the symbols of a message follow each other.
struct Completions {
    symbols: u64,
    /// Symbols still missing of each message of which something came.
    open: BTreeMap<(SessionKey, NodeId, u64), u64>,
    done: Arc<Mutex<Vec<Message>>>,
}

impl ConferenceHook for Completions {
    fn delivery(&mut self, notice: &DeliveryNotice) {
        let message = (notice.session, notice.node, notice.symbol / self.symbols);
        let missing = self.open.entry(message).or_insert(self.symbols);
        *missing -= 1;
        if *missing == 0 {
            self.open.remove(&message);
            let made_s = notice.at.as_secs_f64() - notice.delay.as_secs_f64();
            let took_ms = Duration::as_millis_f64(notice.delay);
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push(Message { session: notice.session, made_s, took_ms });
        }
    }
}

/// Returns both ends of an interval over seeds; `None` for a single value.
pub(super) fn interval(of: Option<Interval>) -> Option<(f64, f64)> {
    of.and_then(|it| it.half.map(|half| (it.mean - half, it.mean + half)))
}

/// Returns the value below which the part `q` of sorted values lies; `None` without values.
pub(super) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get(((last as f64) * q).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: a message is complete with its last symbol, in whatever order they come; sessions and destinations are
    /// told apart, and what never completes is not counted.
    #[test]
    fn messages_are_complete_with_their_last_symbol() {
        let done = Arc::new(Mutex::new(Vec::new()));
        let mut hook = Completions { symbols: 2, open: BTreeMap::new(), done: Arc::clone(&done) };
        let node = |n| NodeId::new(n).expect("an id");
        for (session, at, symbol, ms) in
            [(1, 2, 1, 30), (1, 2, 0, 50), (1, 2, 2, 10), (1, 3, 3, 10), (2, 2, 3, 10), (1, 2, 3, 11)]
        {
            hook.delivery(&DeliveryNotice {
                at: Duration::from_millis(1_000 + ms),
                session: SessionKey::new(1, session),
                node: node(at),
                symbol,
                bytes: 1_200,
                delay: Duration::from_millis(ms),
            });
        }
        let took: Vec<f64> =
            done.lock().expect("not poisoned").iter().map(|message| message.took_ms).collect();
        assert_eq!(took, [50.0, 11.0]);
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
