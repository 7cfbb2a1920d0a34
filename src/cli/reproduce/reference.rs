//! Reference values of ns-2 that are compiled into the program; `scenarios/data/SOURCES.md` says what was run.

use crate::cli::exit::{self, Failure};
use std::collections::BTreeMap;

/// A flow under independent losses.
pub(super) const LOSS: &str = include_str!("../../../scenarios/data/ns2-tfrc-loss.csv");
/// A flow whose loss changes.
pub(super) const STEP: &str = include_str!("../../../scenarios/data/ns2-tfrc-step.csv");
/// TFRC and TCP at one bottleneck.
pub(super) const DUMBBELL: &str = include_str!("../../../scenarios/data/ns2-tfrc-dumbbell.csv");

/// One line of a table: column names and fields.
#[derive(Clone, Debug)]
pub(super) struct Record(BTreeMap<&'static str, &'static str>);

/// Returns the lines of a table; fields hold no commas.
pub(super) fn records(text: &'static str) -> impl Iterator<Item = Record> {
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().unwrap_or_default().split(',').collect();
    lines.map(move |line| Record(names.iter().copied().zip(line.split(',')).collect()))
}

impl Record {
    /// Returns a field as it stands.
    pub(super) fn text(&self, name: &str) -> &'static str {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Returns a number.
    ///
    /// # Errors
    /// The table has no such column, or no number there: a defect.
    pub(super) fn number(&self, name: &str) -> Result<f64, Failure> {
        let parsed = self.text(name).parse().ok();
        parsed.ok_or_else(|| {
            Failure::new(exit::FAILED, format!("no number {name} in the reference: {:?}", self.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: the tables that were handed over are all there: 18 cells with each timer, 180 seconds, 16 dumbbells.
    #[test]
    fn tables_are_whole() {
        let cells: Vec<_> = records(LOSS).filter(|record| record.text("t_rto") == "4R").collect();
        assert_eq!(
            (records(LOSS).count(), cells.len(), records(STEP).count(), records(DUMBBELL).count()),
            (36, 18, 180, 16)
        );
        let cell = cells.iter().find(|cell| (cell.text("loss_pct"), cell.text("rtt_ms")) == ("1", "100"));
        let ratio = cell.map(|cell| cell.number("ns2_over_eq_at_event_rate"));
        assert!(matches!(ratio, Some(Ok(1.014))), "{ratio:?}");
        assert!(cells[0].number("nothing").is_err());
    }
}
