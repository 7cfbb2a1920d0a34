//! Sets of stretches of a stream.

/// A stretch of a stream: bytes from `start` up to `end`, which is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// First byte.
    pub start: u64,
    /// The byte behind the last.
    pub end: u64,
}

impl Range {
    /// Returns the stretch from `start` up to `end`.
    #[must_use]
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end }
    }

    /// Whether all of `other` lies in it.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// A set of bytes as sorted stretches that neither overlap nor touch.
#[derive(Clone, Debug, Default)]
pub struct Ranges(Vec<Range>);

impl Ranges {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the stretches, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Range] {
        &self.0
    }

    /// Returns the first stretch.
    #[must_use]
    pub fn first(&self) -> Option<Range> {
        self.0.first().copied()
    }

    /// Adds a stretch, which must not be empty; returns the one that it is a part of now.
    pub fn insert(&mut self, range: Range) -> Range {
        // Those from `from` up to `to` overlap or touch it.
        let from = self.0.partition_point(|known| known.end < range.start);
        let to = self.0.partition_point(|known| known.start <= range.end);
        if from == to {
            self.0.insert(from, range);
            return range;
        }
        let merged =
            Range { start: range.start.min(self.0[from].start), end: range.end.max(self.0[to - 1].end) };
        self.0[from] = merged;
        self.0.drain(from + 1..to);
        merged
    }

    /// Whether all of `range` is in it.
    #[must_use]
    pub fn contains(&self, range: Range) -> bool {
        let at = self.0.partition_point(|known| known.end < range.end);
        self.0.get(at).is_some_and(|known| known.contains(range))
    }

    /// Calls `f` with each part of `range` that is not in it, in order.
    pub fn for_each_gap(&self, range: Range, f: &mut dyn FnMut(Range)) {
        let mut start = range.start;
        let from = self.0.partition_point(|known| known.end <= range.start);
        for known in &self.0[from..] {
            if known.start >= range.end {
                break;
            }
            if start < known.start {
                f(Range { start, end: known.start });
            }
            start = known.end;
        }
        if start < range.end {
            f(Range { start, end: range.end });
        }
    }

    /// Takes out all before `at`.
    pub fn remove_before(&mut self, at: u64) {
        let gone = self.0.partition_point(|known| known.end <= at);
        self.0.drain(..gone);
        if let Some(first) = self.0.first_mut() {
            first.start = first.start.max(at);
        }
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_core::rng::Seed;

    /// Aim: a set of stretches is the same as a set of bytes, whatever is done with it.
    #[test]
    fn ranges_are_sets_of_bytes() {
        let mut draws = Seed(3).stream("ranges");
        for _ in 0..200 {
            let (mut ranges, mut bytes) = (Ranges::default(), [false; 64]);
            for _ in 0..20 {
                let start = draws.below(60);
                let end = start + 1 + draws.below(4);
                let range = Range { start, end };
                let marked = (start..end).all(|at| bytes[at as usize]);
                assert_eq!(ranges.contains(range), marked);
                let mut gaps = 0;
                ranges.for_each_gap(range, &mut |gap| {
                    assert!((gap.start..gap.end).all(|at| !bytes[at as usize]));
                    gaps += gap.end - gap.start;
                });
                assert_eq!(gaps, (start..end).filter(|at| !bytes[*at as usize]).count() as u64);
                if draws.chance(0.1) {
                    ranges.remove_before(start);
                    bytes[..start as usize].fill(false);
                } else {
                    assert!(ranges.insert(range).contains(range));
                    bytes[start as usize..end as usize].fill(true);
                }
                let known: u64 = ranges.as_slice().iter().map(|range| range.end - range.start).sum();
                assert_eq!(known, bytes.iter().filter(|byte| **byte).count() as u64);
                assert!(ranges.as_slice().windows(2).all(|pair| pair[0].end < pair[1].start));
            }
        }
    }
}
