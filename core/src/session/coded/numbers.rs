//! Numbers of a session's coded packets on each hop out of a node.

use crate::ids::HopIndex;
use std::collections::VecDeque;

/// Generations of which the next number is remembered, for each hop.
const GENERATIONS_MAX: usize = 64;

/// Numbers a session's coded packets, hop by hop, so that the next node can tell how many were lost on the hop.
#[derive(Clone, Debug, Default)]
pub struct HopNumbers {
    hops: Vec<HopNumber>,
}

#[derive(Clone, Debug)]
struct HopNumber {
    hop: HopIndex,
    sequence: u32,
    /// First symbols of generations, each with its next number; the newest last.
    generations: VecDeque<(u64, u16)>,
}

impl HopNumbers {
    /// Returns the numbers of the next packet on `hop` of the generation that begins with symbol `first`: among those of
    /// its generation, and among all.
    pub fn next(&mut self, hop: HopIndex, first: u64) -> (u16, u32) {
        let at = match self.hops.iter().position(|known| known.hop == hop) {
            Some(at) => at,
            None => {
                self.hops.push(HopNumber { hop, sequence: 0, generations: VecDeque::new() });
                self.hops.len() - 1
            }
        };
        let known = &mut self.hops[at];
        let sequence = known.sequence;
        known.sequence = sequence.wrapping_add(1);
        if let Some((_, next)) = known.generations.iter_mut().rev().find(|(begins, _)| *begins == first) {
            let index = *next;
            *next = index.saturating_add(1);
            return (index, sequence);
        }
        if known.generations.len() == GENERATIONS_MAX {
            known.generations.pop_front();
        }
        known.generations.push_back((first, 1));
        (0, sequence)
    }
}
