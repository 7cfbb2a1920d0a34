//! The pending events of the simulator.

use bellini_core::time::Instant;
use std::hint::black_box;

/// Ranks events of the same time: the lower class comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Class(pub u8);

/// The pending events of entities that are numbered from 0 without gaps, at most one for each.
///
/// The order is total and the same everywhere: time, then class, then entity.
#[derive(Clone, Debug)]
pub struct Agenda {
    /// A complete binary tree: node *i* has the children 2*i* and 2*i* + 1, and holds the lesser of their keys. The
    /// entities' own keys are the leaves, the second half.
    tree: Vec<u128>,
    /// A leaf that was popped and has not been played again: the nodes above it are out of date.
    hole: Option<usize>,
    len: usize,
}

/// The key of an entity without an event: later than every event.
const IDLE: u128 = u128::MAX;

impl Agenda {
    /// Returns an agenda without events.
    #[must_use]
    pub fn new() -> Self {
        Self { tree: vec![IDLE; 2], hole: None, len: 0 }
    }

    /// Makes `at` the time of `entity`'s event and `class` its class, whether it had one before or not. Memory grows
    /// with the highest entity: 32 to 64 bytes each.
    ///
    /// # Panics
    /// If there is no memory for that many entities.
    #[inline]
    pub fn schedule(&mut self, entity: u32, at: Instant, class: Class) {
        if entity as usize >= self.leaves() {
            self.grow(entity);
        }
        let leaf = self.leaves() + entity as usize;
        self.len += usize::from(self.tree[leaf] == IDLE);
        self.tree[leaf] = u128::from(at.as_nanos()) << 64 | u128::from(class.0) << 32 | u128::from(entity);
        if self.hole == Some(leaf) {
            self.hole = None;
            self.play_all(leaf);
        } else {
            self.play(leaf);
        }
    }

    /// Takes `entity`'s event back. Returns whether it had one.
    pub fn cancel(&mut self, entity: u32) -> bool {
        let leaf = self.leaves() + entity as usize;
        match self.tree.get_mut(leaf) {
            None | Some(&mut IDLE) => false,
            Some(key) => {
                *key = IDLE;
                self.len -= 1;
                self.play(leaf);
                true
            }
        }
    }

    /// Takes the first event out.
    #[inline]
    pub fn pop(&mut self) -> Option<(Instant, Class, u32)> {
        if let Some(leaf) = self.hole.take() {
            self.play_all(leaf);
        }
        let key = self.tree[1];
        if key == IDLE {
            return None;
        }
        let entity = key as u32;
        let leaf = self.leaves() + entity as usize;
        self.tree[leaf] = IDLE;
        self.len -= 1;
        self.hole = Some(leaf);
        Some((Instant::from_nanos((key >> 64) as u64), Class((key >> 32) as u8), entity))
    }

    /// Returns the time of the first event.
    #[must_use]
    pub fn peek_time(&self) -> Option<Instant> {
        let key = match self.hole {
            None => self.tree[1],
            // The subtrees beside the way up from the hole are in order, and all but the hole is in them.
            Some(leaf) => {
                let way =
                    std::iter::successors(Some(leaf), |node| Some(node / 2)).take_while(|&node| node > 1);
                way.map(|node| self.tree[node ^ 1]).min().unwrap_or(IDLE)
            }
        };
        (key != IDLE).then(|| Instant::from_nanos((key >> 64) as u64))
    }

    /// Returns how many entities have an event.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no entity has an event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn leaves(&self) -> usize {
        self.tree.len() / 2
    }

    /// Plays the matches from a leaf up to the first that ends as before.
    #[inline]
    fn play(&mut self, leaf: usize) {
        let mut node = leaf;
        while node > 1 {
            let winner = lesser(self.tree[node], self.tree[node ^ 1]);
            node /= 2;
            if self.tree[node] == winner {
                return;
            }
            self.tree[node] = winner;
        }
    }

    /// Plays all matches from a leaf to the root.
    #[inline]
    fn play_all(&mut self, leaf: usize) {
        let mut node = leaf;
        let mut winner = self.tree[node];
        while node > 1 {
            winner = lesser(winner, self.tree[node ^ 1]);
            node /= 2;
            self.tree[node] = winner;
        }
    }

    /// Makes room for `entity` and plays every match again.
    #[cold]
    fn grow(&mut self, entity: u32) {
        let old = self.leaves();
        let new = (entity as usize + 1).next_power_of_two();
        let mut tree = vec![IDLE; 2 * new];
        tree[new..new + old].copy_from_slice(&self.tree[old..]);
        for node in (1..new).rev() {
            tree[node] = tree[2 * node].min(tree[2 * node + 1]);
        }
        self.tree = tree;
        self.hole = None;
    }
}

/// The lesser key, without a branch: which one it is cannot be predicted, and a wrong guess costs as much as four
/// levels. Without the black box the compiler sees through the mask and makes a branch of it again.
#[inline]
fn lesser(a: u128, b: u128) -> u128 {
    let mask = u128::from(black_box(u64::from(b < a)).wrapping_neg());
    a ^ ((a ^ b) & (mask << 64 | mask))
}

impl Default for Agenda {
    fn default() -> Self {
        Self::new()
    }
}
