//! Strict priority: the highest level with packets; equals take turns.

use crate::feeder::queue::{Queue, Ring};

const LEVELS: usize = 256;

/// A ring of filled queues per priority, and a bit per ring that says whether it has any.
pub(in crate::feeder) struct Levels {
    rings: Box<[Ring; LEVELS]>,
    occupied: [u64; LEVELS / 64],
}

impl Levels {
    pub(super) fn new() -> Self {
        Self { rings: Box::new([Ring::EMPTY; LEVELS]), occupied: [0; LEVELS / 64] }
    }

    #[inline]
    pub(super) fn filled(&mut self, queues: &mut [Queue], index: u32) {
        let level = usize::from(queues[index as usize].priority);
        self.rings[level].append(queues, index);
        self.occupied[level / 64] |= 1 << (level % 64);
    }

    #[inline]
    pub(super) fn emptied(&mut self, queues: &mut [Queue], index: u32) {
        let level = usize::from(queues[index as usize].priority);
        self.rings[level].remove(queues, index);
        if self.rings[level].head().is_none() {
            self.occupied[level / 64] &= !(1 << (level % 64));
        }
    }

    #[inline]
    pub(super) fn select(&self) -> Option<u32> {
        let word = self.occupied.iter().rposition(|&word| word != 0)?;
        self.rings[word * 64 + self.occupied[word].ilog2() as usize].head()
    }

    #[inline]
    pub(super) fn served(&mut self, queues: &[Queue], index: u32) {
        self.rings[usize::from(queues[index as usize].priority)].turn(queues);
    }
}
