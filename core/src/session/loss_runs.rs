//! Runs of consecutive lost symbols at a destination: whether losses come alone or in bursts.

use crate::flow::SymbolWindow;
use crate::stats::Histogram;

/// Counts maximal runs of consecutive symbols that did not arrive, by symbol id and not by time of arrival, so that
/// reordering between flows does not look like loss.
///
/// A run counts when a delivered symbol of the measuring window stands on either side of it: its length is then known
/// and all of it was made inside the window. What is missing before the first and after the last delivered symbol is
/// no run. Symbols are judged when they slide out of the duplicate window, where nothing can come any more; lengths up
/// to 2,047 are exact, longer ones within 0.05 % ([`Histogram`]). Memory does not grow with the symbols.
#[derive(Clone, Debug, Default)]
pub(super) struct LossRuns {
    lengths: Histogram,
    /// First and last delivered symbol of the measuring window. Symbols are numbered in order of creation: what lies
    /// between them was made inside the window.
    measured: Option<(u64, u64)>,
    /// The delivered symbol before the current gap, if one has slid out.
    last: Option<u64>,
}

impl LossRuns {
    /// Notes that a symbol of the measuring window was delivered.
    #[inline]
    pub(super) fn on_measured(&mut self, symbol: u64) {
        self.measured = Some(match self.measured {
            None => (symbol, symbol),
            Some((first, last)) => (first.min(symbol), last.max(symbol)),
        });
    }

    /// Judges the 64 symbols from `base` on, which nothing can change any more; bit *i* of `arrived`: symbol
    /// `base + i`. Words come in rising order; where some are left out, none of their symbols arrived.
    pub(super) fn on_word(&mut self, base: u64, mut arrived: u64) {
        while arrived != 0 {
            let offset = arrived.trailing_zeros();
            self.on_arrived(base + u64::from(offset));
            // The rest of a stretch without gaps is passed over at once.
            let stretch = (arrived >> offset).trailing_ones();
            self.last = Some(base + u64::from(offset + stretch - 1));
            arrived &= u64::MAX.checked_shl(offset + stretch).unwrap_or(0);
        }
    }

    fn on_arrived(&mut self, symbol: u64) {
        let Some((first, last)) = self.measured else { return };
        let Some(before) = self.last else { return };
        if before + 1 < symbol && before >= first && symbol <= last {
            self.lengths.record(symbol - before - 1);
        }
    }

    /// Judges what the window still holds, because another epoch begins, and forgets where it was; counts stay.
    pub(super) fn turn_epoch(&mut self, window: &SymbolWindow) {
        window.for_each_word(&mut |base, arrived| self.on_word(base, arrived));
        (self.measured, self.last) = (None, None);
    }

    /// Returns the lengths of all runs, those inside the window included, as if nothing came any more.
    pub(super) fn lengths(&self, window: &SymbolWindow) -> Histogram {
        let mut all = self.clone();
        all.turn_epoch(window);
        all.lengths
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn insert(runs: &mut LossRuns, window: &mut SymbolWindow, symbol: u64) {
        window.insert_sliding(symbol, &mut |base, arrived| runs.on_word(base, arrived));
        runs.on_measured(symbol);
    }

    /// Aim: any pattern of losses and reordering gives the runs that a plain walk over a list finds, wherever the
    /// window's words begin and end.
    #[test]
    fn agrees_with_a_walk_over_all_symbols() {
        let mut stream = Seed(11).stream("loss-runs");
        let count = 60_000_u64;
        let mut lost = vec![false; count as usize];
        let mut symbol = 0;
        while symbol < count {
            symbol += 1 + stream.below(90);
            let most = 1 + stream.below(200);
            let length = 1 + stream.below(most);
            for place in symbol..(symbol + length).min(count) {
                lost[place as usize] = true;
            }
            symbol += length;
        }
        let mut order: Vec<u64> = (0..count).filter(|symbol| !lost[*symbol as usize]).collect();
        order.sort_by_cached_key(|symbol| symbol + stream.below(300));
        let (mut runs, mut window) = (LossRuns::default(), SymbolWindow::new(1 << 12));
        for symbol in order {
            insert(&mut runs, &mut window, symbol);
        }
        let mut expected = Histogram::new();
        let arrived: Vec<u64> = (0..count).filter(|symbol| !lost[*symbol as usize]).collect();
        for pair in arrived.windows(2).filter(|pair| pair[1] - pair[0] > 1) {
            expected.record(pair[1] - pair[0] - 1);
        }
        let found = runs.lengths(&window);
        assert!(expected.count() > 500);
        assert!(found.cdf_points().eq(expected.cdf_points()));
        assert_eq!((found.count(), found.sum()), (expected.count(), expected.sum()));
        // Asking changes nothing.
        assert_eq!(runs.lengths(&window).sum(), expected.sum());
    }

    /// Aim: gaps outside the measuring window, at its edges and at the ends do not count.
    #[test]
    fn only_runs_inside_the_measuring_window_count() {
        let (mut runs, mut window) = (LossRuns::default(), SymbolWindow::new(256));
        for symbol in (5..1_000).filter(|symbol| ![20, 21, 299, 500, 501, 502, 700, 990].contains(symbol)) {
            window.insert_sliding(symbol, &mut |base, arrived| runs.on_word(base, arrived));
            if (300..700).contains(&symbol) {
                runs.on_measured(symbol);
            }
        }
        let found = runs.lengths(&window);
        assert_eq!((found.count(), found.sum()), (1, 3));
    }

    /// Aim: a jump as far as ids go costs nothing and counts as one run.
    #[test]
    fn a_jump_is_one_run() {
        let (mut runs, mut window) = (LossRuns::default(), SymbolWindow::new(128));
        insert(&mut runs, &mut window, 0);
        insert(&mut runs, &mut window, u64::MAX);
        let found = runs.lengths(&window);
        assert_eq!((found.count(), found.max()), (1, Some(u64::MAX - 1)));
    }

    /// Aim: symbols of different epochs are never neighbours.
    #[test]
    fn epochs_are_apart() {
        let (mut runs, mut window) = (LossRuns::default(), SymbolWindow::new(128));
        for symbol in [0, 3, 4] {
            insert(&mut runs, &mut window, symbol);
        }
        runs.turn_epoch(&window);
        window = SymbolWindow::new(128);
        for symbol in [9, 11] {
            insert(&mut runs, &mut window, symbol);
        }
        let found = runs.lengths(&window);
        assert_eq!((found.count(), found.sum(), found.max()), (2, 3, Some(2)));
    }
}
