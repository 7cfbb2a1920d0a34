//! Which layouts of a Pathlet give the numbers that Table I prints? All of a family are tried.

use bellini_core::route::{Branch, Route};

/// What the Length field counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Convention {
    /// The whole Pathlet, the field itself included.
    Whole,
    /// What follows the field: the node's id and what is nested.
    AfterLength,
    /// What is nested only.
    Nested,
}

impl Convention {
    pub(super) const ALL: [Self; 3] = [Self::Whole, Self::AfterLength, Self::Nested];

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Whole => "the whole Pathlet, Length included",
            Self::AfterLength => "what follows Length",
            Self::Nested => "what is nested only",
        }
    }
}

/// Bits of the units in which Length may count.
pub(super) const UNITS: [(u32, &str); 4] =
    [(1, "bits"), (8, "bytes"), (16, "words of 16 bits"), (32, "words of 32 bits")];
/// Widths of the fields that are tried, in bytes.
pub(super) const LENGTH_BYTES: std::ops::RangeInclusive<u32> = 0..=8;
pub(super) const ID_BYTES: std::ops::RangeInclusive<u32> = 1..=16;

/// A layout: what Length counts, in what unit, and how wide both fields are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) convention: Convention,
    /// Bits of the unit.
    pub(super) unit: u32,
    /// Bytes of the fields.
    pub(super) length: u32,
    pub(super) id: u32,
}

impl Layout {
    /// Returns all layouts that count in units of `unit` bits.
    pub(super) fn all(unit: u32) -> impl Iterator<Item = Self> {
        Convention::ALL.into_iter().flat_map(move |convention| {
            LENGTH_BYTES.flat_map(move |length| ID_BYTES.map(move |id| Self { convention, unit, length, id }))
        })
    }

    /// Returns the values of all Length fields of a route in the order of its bytes; `None` where one is no whole
    /// number of units.
    pub(super) fn lengths(self, route: &Route) -> Option<Vec<u32>> {
        let mut out = Vec::new();
        self.walk(&route.branches, &mut out)?;
        Some(out)
    }

    /// Appends the values of sibling Pathlets and returns the bytes that they have together.
    fn walk(self, branches: &[Branch], out: &mut Vec<u32>) -> Option<u32> {
        let mut bytes = 0;
        for branch in branches {
            let at = out.len();
            out.push(0);
            let nested = self.walk(&branch.next, out)?;
            let counted = match self.convention {
                Convention::Whole => self.length + self.id + nested,
                Convention::AfterLength => self.id + nested,
                Convention::Nested => nested,
            };
            let bits = counted * 8;
            out[at] = (bits % self.unit == 0).then_some(bits / self.unit)?;
            bytes += self.length + self.id + nested;
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitting(unit: u32) -> Vec<Layout> {
        let rows = [("2d", vec![6]), ("2>3d", vec![12, 6]), ("{3d,2d>{4d,5d}}", vec![6, 18, 6, 6])];
        let fits = |layout: &Layout| {
            rows.iter().all(|(route, printed)| {
                layout.lengths(&Route::parse(route).expect("a route")).as_ref() == Some(printed)
            })
        };
        Layout::all(unit).filter(fits).collect()
    }

    /// Aim: worked by hand: a leaf of 6 bytes and a parent of 12 leave only fields of 6 bytes together; what follows
    /// Length would be 6 + (6 + L) in the parent, so that L is 0.
    #[test]
    fn what_fits_is_what_fits_by_hand() {
        let found = fitting(8);
        let whole = found.iter().filter(|it| it.convention == Convention::Whole);
        assert!(whole.clone().all(|it| it.length + it.id == 6));
        assert_eq!(whole.count(), 6);
        let others: Vec<_> = found.iter().filter(|it| it.convention != Convention::Whole).collect();
        assert_eq!(others, [&Layout { convention: Convention::AfterLength, unit: 8, length: 0, id: 6 }]);
        assert!(fitting(1).is_empty(), "six bits hold no such fields");
    }
}
