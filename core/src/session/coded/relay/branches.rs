//! The Pathlets that a session's packets go on with, and which of them one packet can serve.

use crate::ids::{HopIndex, NodeId};
use crate::route::{Branch, Route};
use crate::time::{Duration, Instant};
use crate::wire::routing::{self, RouteLimits};
use std::collections::VecDeque;

/// Distinct Pathlets of a session that a relay tells apart; the one unseen for longest goes.
pub(super) const BRANCHES_MAX: usize = 16;
/// Unions of them that it remembers; the oldest go.
const UNIONS_MAX: usize = 32;
/// How long a Pathlet that is not seen counts as one to wait for.
const PARTNER_AGE: Duration = Duration::from_secs(1);

/// A set of Pathlets, as bits.
pub(in crate::session::coded) type Mask = u16;

/// Pathlets of a session, by their places.
#[derive(Clone, Debug)]
pub(super) struct Branches {
    known: Vec<Known>,
    /// Unions, `None` where there may be none.
    unions: VecDeque<(Mask, Option<Box<[u8]>>)>,
    limits: RouteLimits,
}

/// A Pathlet that packets are passed on with.
#[derive(Clone, Debug)]
struct Known {
    pathlet: Box<[u8]>,
    hop: HopIndex,
    destinations: Vec<NodeId>,
    /// Those that lead over the same hop to other destinations.
    partners: Mask,
    seen_at: Instant,
    /// The latest generation that a packet came of, by its first symbol.
    latest: u64,
}

impl Branches {
    /// Returns an empty set; `limits`: what a union may be.
    pub(super) fn new(limits: RouteLimits) -> Self {
        Self { known: Vec::new(), unions: VecDeque::new(), limits }
    }

    /// Returns the place of a Pathlet, and whether another one had to go for it; `None`: it is none.
    pub(super) fn place(&mut self, now: Instant, pathlet: &[u8], hop: HopIndex) -> Option<(usize, bool)> {
        if let Some(at) = self.known.iter().position(|known| known.hop == hop && *known.pathlet == *pathlet) {
            self.known[at].seen_at = now;
            return Some((at, false));
        }
        let mut destinations = Vec::new();
        let route = routing::decode(pathlet).ok()?;
        route.branches.iter().for_each(|branch| add_destinations(branch, &mut destinations));
        let is_full = self.known.len() == BRANCHES_MAX;
        let at = if is_full {
            let oldest = (0..BRANCHES_MAX).min_by_key(|at| self.known[*at].seen_at)?;
            self.unions.retain(|(mask, _)| mask >> oldest & 1 == 0);
            self.known.iter_mut().for_each(|known| known.partners &= !(1 << oldest));
            oldest
        } else {
            self.known.len()
        };
        let mut partners = 0;
        for (other, known) in self.known.iter_mut().enumerate().filter(|(other, _)| *other != at) {
            if known.hop == hop && !known.destinations.iter().any(|node| destinations.contains(node)) {
                partners |= 1 << other;
                known.partners |= 1 << at;
            }
        }
        let new = Known { pathlet: pathlet.into(), hop, destinations, partners, seen_at: now, latest: 0 };
        match self.known.get_mut(at) {
            Some(known) => *known = new,
            None => self.known.push(new),
        }
        Some((at, is_full))
    }

    /// A packet of the generation that begins with `first` came for the Pathlet at `at`; whether it is the first of a
    /// later one than all before.
    pub(super) fn advance(&mut self, at: usize, first: u64) -> bool {
        let is_later = first > self.known[at].latest;
        self.known[at].latest = self.known[at].latest.max(first);
        is_later
    }

    /// Whether packets of a later generation have come for the Pathlet at `at`.
    pub(super) fn is_past(&self, at: usize, first: u64) -> bool {
        self.known[at].latest > first
    }

    /// Forgets generations: the source has started again.
    pub(super) fn restart(&mut self) {
        self.known.iter_mut().for_each(|known| known.latest = 0);
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Returns the hop of the Pathlet at `at`.
    pub(super) fn hop(&self, at: usize) -> HopIndex {
        self.known[at].hop
    }

    /// Returns those that lead over `hop`.
    pub(super) fn over(&self, hop: HopIndex) -> Mask {
        self.mask(|known| known.hop == hop)
    }

    /// Returns those that were seen of late.
    pub(super) fn active(&self, now: Instant) -> Mask {
        self.mask(|known| now.saturating_since(known.seen_at) < PARTNER_AGE)
    }

    /// Returns those that lead to the same hop as `at`, and to other destinations.
    pub(super) fn partners(&self, at: usize) -> Mask {
        self.known[at].partners
    }

    /// Returns the Pathlet of a packet for all in `mask`; `None`: it would break a rule of routes, or a limit.
    pub(super) fn pathlet(&mut self, mask: Mask) -> Option<&[u8]> {
        if mask.is_power_of_two() {
            return self.known.get(mask.trailing_zeros() as usize).map(|known| &*known.pathlet);
        }
        let at = match self.unions.iter().position(|(known, _)| *known == mask) {
            Some(at) => at,
            None => {
                let union = union(bits(mask).map(|at| &*self.known[at].pathlet), self.limits);
                if self.unions.len() == UNIONS_MAX {
                    self.unions.pop_front();
                }
                self.unions.push_back((mask, union.map(Vec::into_boxed_slice)));
                self.unions.len() - 1
            }
        };
        self.unions[at].1.as_deref()
    }

    fn mask(&self, pick: impl Fn(&Known) -> bool) -> Mask {
        self.known.iter().enumerate().fold(0, |mask, (at, known)| mask | Mask::from(pick(known)) << at)
    }
}

/// Returns the places in a mask.
pub(super) fn bits(mask: Mask) -> impl Iterator<Item = usize> {
    (0..BRANCHES_MAX).filter(move |at| mask >> at & 1 == 1)
}

fn add_destinations(branch: &Branch, out: &mut Vec<NodeId>) {
    if branch.deliver && !out.contains(&branch.node) {
        out.push(branch.node);
    }
    branch.next.iter().for_each(|next| add_destinations(next, out));
}

/// Returns the Pathlet that goes wherever one of `pathlets` goes, which are all for one node.
fn union<'p>(pathlets: impl Iterator<Item = &'p [u8]>, limits: RouteLimits) -> Option<Vec<u8>> {
    let mut branches: Vec<Branch> = Vec::new();
    for pathlet in pathlets {
        join(&mut branches, routing::decode(pathlet).ok()?.branches);
    }
    let union = routing::encode(&Route { branches }).ok()?;
    (routing::validate_pathlet(&union, limits).ok()? == union.len()).then_some(union)
}

fn join(into: &mut Vec<Branch>, branches: Vec<Branch>) {
    for branch in branches {
        match into.iter_mut().find(|known| known.node == branch.node) {
            Some(known) => {
                known.deliver |= branch.deliver;
                join(&mut known.next, branch.next);
            }
            None => into.push(branch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RouteLimits = RouteLimits { copies_max: 4, bytes_max: 100 };

    fn pathlet(route: &str) -> Vec<u8> {
        routing::encode(&Route::parse(route).expect("a route")).expect("a legal route")
    }

    fn joined(routes: &[&str]) -> Option<Vec<u8>> {
        let pathlets: Vec<_> = routes.iter().map(|route| pathlet(route)).collect();
        union(pathlets.iter().map(|pathlet| &**pathlet), LIMITS)
    }

    /// Aim: trees are joined node by node, whatever their form; what is for one node only stays one Pathlet.
    #[test]
    fn unions_go_wherever_one_of_them_goes() {
        for (routes, expected) in [
            (&["5>7d", "5>6d"][..], "5>{7d,6d}"),
            (&["5>6d", "5>6>7d"], "5>6d>7d"),
            (&["5>8>6d", "5>{8>7d,9d}", "5d"], "5d>{8>{6d,7d},9d}"),
        ] {
            assert_eq!(joined(routes), Some(pathlet(expected)), "{routes:?}");
        }
    }

    /// Aim: unions that break the format or a limit are none: other nodes, more copies or bytes than allowed, too deep.
    #[test]
    fn unions_within_limits_only() {
        assert_eq!(joined(&["5>6d", "6d"]), None, "two nodes");
        assert!(joined(&["5>{6d,7d}", "5>{8d,9d}"]).is_some());
        assert_eq!(joined(&["5>{6d,7d}", "5>{8d,9d,10d}"]), None, "five copies");
        assert_eq!(joined(&["5>6>7>8>9>10>11>12>13d", "5>16>17>18>19>20>21>22>23>24d"]), None, "106 bytes");
    }

    /// Aim: partners lead over one hop to different destinations; the table stays bounded and forgets the oldest.
    #[test]
    fn partners_and_bounds() {
        let mut branches = Branches::new(LIMITS);
        let mut place = |now: u64, route: &str, hop: u32| {
            let now = Instant::ZERO + Duration::from_millis(now);
            branches.place(now, &pathlet(route), HopIndex(hop)).expect("a Pathlet")
        };
        assert_eq!(place(0, "5>7d", 1), (0, false));
        assert_eq!(place(0, "5>6d", 1), (1, false));
        assert_eq!(place(0, "5>{6d,7d}", 1), (2, false));
        assert_eq!(place(0, "8>6d", 2), (3, false));
        for other in 4..16 {
            assert_eq!(place(1, &format!("{}d", 20 + other), 3), (other, false));
        }
        assert_eq!(place(2, "5>7d", 1), (0, false), "known");
        assert_eq!(place(2, "5>9d", 1), (1, true), "in the place of the one unseen for longest");
        assert_eq!(branches.partners(0), 0b0010);
        assert_eq!(branches.partners(2), 0b0010);
        assert_eq!(branches.partners(3), 0);
        assert_eq!(branches.len(), BRANCHES_MAX);
        assert_eq!(branches.pathlet(0b11), Some(&*pathlet("5>{7d,9d}")));
    }
}
