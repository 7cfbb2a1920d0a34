//! Recoding at a relay: which packets it owes to which next hop, and of what they are made.
//!
//! - A relay owes each next hop as many packets of a generation as the node before it *sent*, which the numbers of the hop
//!   tell, not as many as arrived. So every hop carries as many packets as the one before, and a destination gets
//!   min(1 - p) of them, not the product over the hops.
//! - It pays when something innovative arrives, or anything at all once its rank is full: else it would say what the
//!   next node knows.
//! - While symbols come as they are, each goes on at once, and what was lost before it is made up for when the generation has
//!   been sent: a combination is worth most when there is most that the next node may lack.
//! - Pathlets to the same next hop that lead to different destinations are paid by one packet with the union of both:
//!   what an edge carries is the most that any destination is owed over it, not the sum (Ahlswede, Cai, Li and Yeung
//!   2000, as a rule for single packets).

use crate::coding::{Pushed, Recoder};
use crate::ids::{Epoch, HopIndex, NodeId};
use crate::rng::Stream;
use crate::route::{Branch, Route};
use crate::time::{Duration, Instant};
use crate::timer::TimerId;
use crate::wire::packet::PacketHeader;
use crate::wire::routing;
use std::collections::VecDeque;

/// Distinct Pathlets of a session that a relay tells apart.
const BRANCHES_MAX: usize = 16;
/// Unions of them that it remembers.
const UNIONS_MAX: usize = 32;
/// Jumps of numbers that are taken for losses, at most.
const GAP_MAX: u16 = 64;
/// Packets that one arrival pays for one Pathlet, at most.
const PAID_MAX: u16 = 16;
/// How long a packet that could be joined with one for other destinations waits for it.
const MERGE_WAIT: Duration = Duration::from_millis(20);
/// How long after the last packet of a generation its losses are made up for, if nothing else comes.
const LATE_WAIT: Duration = Duration::from_millis(50);
/// How long a Pathlet that is not seen counts as one to wait for.
const PARTNER_AGE: Duration = Duration::from_secs(1);

/// What a packet says that came to be recoded.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The hop that it came on.
    pub previous: HopIndex,
    /// Its header.
    pub header: &'a PacketHeader,
    /// The first symbol of its generation.
    pub first: u64,
    /// Symbols of the generation.
    pub size: u8,
    /// Whether that is final.
    pub is_closed: bool,
    /// Its number among the generation's packets on the hop.
    pub index: u16,
    /// Its number among the session's.
    pub sequence: u32,
    /// Whether it is a symbol as it is.
    pub is_symbol: bool,
}

/// One packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// On this hop.
    pub hop: HopIndex,
    /// The Pathlets that it pays, as bits.
    mask: u16,
    /// Whether the packet that has just arrived can go as it is: it is all that is owed, and to be joined with nothing.
    pub is_single: bool,
}

/// What a relay keeps of a coded session.
#[derive(Debug)]
pub struct Recode {
    generations: VecDeque<Generation>,
    branches: Vec<RelayBranch>,
    arrivals: Vec<FromHop>,
    unions: VecDeque<(u16, Box<[u8]>)>,
    /// Draws coefficients.
    pub stream: Stream,
    /// Pays what waited in vain.
    pub timer: Option<TimerId>,
}

/// A generation at a relay.
#[derive(Debug)]
struct Generation {
    first: u64,
    epoch: Epoch,
    size: u8,
    is_closed: bool,
    recoder: Recoder,
    /// Packets owed now, by Pathlet.
    debts: [u16; BRANCHES_MAX],
    /// Packets owed when the generation has been sent.
    late: [u16; BRANCHES_MAX],
    /// When they are owed in any case.
    late_at: Option<Instant>,
    paid: [u16; BRANCHES_MAX],
    /// Since when something waits to be joined.
    held_at: Option<Instant>,
    /// The number expected next, for each hop that packets come on.
    expected: Vec<(HopIndex, u16)>,
    /// The header of the newest packet: what is paid later looks like it.
    header: PacketHeader,
}

impl Generation {
    /// What was lost is owed now.
    fn ripen(&mut self) {
        for (debt, late) in self.debts.iter_mut().zip(&mut self.late) {
            *debt = debt.saturating_add(core::mem::take(late));
        }
        self.late_at = None;
    }

    fn deadline(&self) -> Option<Instant> {
        let held = self.held_at.map(|at| at + MERGE_WAIT);
        [held, self.late_at].into_iter().flatten().min()
    }
}

/// A Pathlet that packets are passed on with.
#[derive(Debug)]
struct RelayBranch {
    pathlet: Box<[u8]>,
    hop: HopIndex,
    destinations: Vec<NodeId>,
    /// Those that lead over the same hop to other destinations, as bits.
    partners: u16,
    seen_at: Instant,
}

/// What came on one hop.
#[derive(Clone, Copy, Debug)]
struct FromHop {
    hop: HopIndex,
    sequence: u32,
    first: u64,
}

impl Recode {
    /// Returns one that holds nothing.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self {
            generations: VecDeque::new(),
            branches: Vec::new(),
            arrivals: Vec::new(),
            unions: VecDeque::new(),
            stream,
            timer: None,
        }
    }

    /// Returns the bytes that are held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.generations.iter().map(|generation| generation.recoder.bytes()).sum()
    }

    /// Returns how many generations are held.
    #[must_use]
    pub fn generations(&self) -> usize {
        self.generations.len()
    }

    /// Forgets the oldest generation; whether there was one.
    pub fn evict(&mut self) -> bool {
        self.generations.pop_front().is_some()
    }

    /// Finds or makes the generation of a packet, and returns its place; `None`: the packet contradicts what is known.
    /// Generations of an earlier epoch go.
    pub fn generation(&mut self, arrival: &Arrival<'_>) -> Option<usize> {
        let epoch = arrival.header.epoch;
        if self.generations.back().is_some_and(|newest| newest.epoch != epoch) {
            if self.generations.back().is_some_and(|newest| newest.epoch > epoch) {
                return None;
            }
            self.generations.clear();
            self.arrivals.clear();
        }
        let known = self.generations.iter().rposition(|known| known.first == arrival.first);
        let at = known.unwrap_or_else(|| {
            self.generations.push_back(Generation {
                first: arrival.first,
                epoch,
                size: arrival.size,
                is_closed: false,
                recoder: Recoder::new(usize::from(arrival.size)),
                debts: [0; BRANCHES_MAX],
                late: [0; BRANCHES_MAX],
                late_at: None,
                paid: [0; BRANCHES_MAX],
                held_at: None,
                expected: Vec::new(),
                header: *arrival.header,
            });
            self.generations.len() - 1
        });
        let generation = &mut self.generations[at];
        let fits = if generation.is_closed {
            arrival.size == generation.size
        } else {
            arrival.size <= generation.size
        };
        if !fits && arrival.is_closed || usize::from(arrival.size) < generation.recoder.size() {
            return None;
        }
        if arrival.is_closed && !generation.is_closed {
            (generation.size, generation.is_closed) = (arrival.size, true);
            generation.recoder.set_size(usize::from(arrival.size));
        }
        generation.header = *arrival.header;
        Some(at)
    }

    /// Returns the rows of generation `at`.
    pub fn recoder(&mut self, at: usize) -> &mut Recoder {
        &mut self.generations[at].recoder
    }

    /// Returns the symbols of generation `at`, and whether that is final.
    #[must_use]
    pub fn size(&self, at: usize) -> (u8, bool) {
        (self.generations[at].size, self.generations[at].is_closed)
    }

    /// Returns the header of the newest packet of generation `at`, and the first symbol.
    #[must_use]
    pub fn newest(&self, at: usize) -> (PacketHeader, u64) {
        (self.generations[at].header, self.generations[at].first)
    }

    /// Notes that a packet of generation `at` has come, which is to go on with `pathlets`, each with its hop; what was
    /// lost before it is owed as well. Returns whether everything owed may be paid now: the packet was innovative, or
    /// the rank is full.
    pub fn owe<'p>(
        &mut self,
        now: Instant,
        at: usize,
        arrival: &Arrival<'_>,
        pushed: Pushed,
        pathlets: impl Iterator<Item = (&'p [u8], HopIndex)>,
    ) -> bool {
        let (lost, lost_before) = self.losses(at, arrival);
        let mut siblings = 0_u16;
        for (pathlet, hop) in pathlets {
            let Some(branch) = self.branch(now, pathlet, hop) else { continue };
            siblings |= 1 << branch;
            let generation = &mut self.generations[at];
            let (debt, late) = (&mut generation.debts[branch], &mut generation.late[branch]);
            if arrival.is_symbol {
                *debt = debt.saturating_add(1);
                *late = late.saturating_add(lost);
            } else {
                *debt = debt.saturating_add(1 + lost).saturating_add(core::mem::take(late));
            }
        }
        let generation = &mut self.generations[at];
        let is_behind = generation.late.iter().any(|late| *late > 0);
        generation.late_at = is_behind.then(|| now + LATE_WAIT);
        if arrival.is_symbol {
            // What lies before has been sent.
            let before = self.generations.iter_mut().filter(|known| known.first < arrival.first);
            before.filter(|known| known.late_at.is_some()).for_each(Generation::ripen);
        }
        if let Some((first, lost)) = lost_before
            && let Some(before) = self.generations.iter_mut().rfind(|known| known.first == first)
        {
            // What of it is held goes out at once: nothing more may come of that generation.
            for branch in bits(siblings) {
                before.debts[branch] = before.debts[branch].saturating_add(lost);
            }
        }
        let generation = &self.generations[at];
        let is_full = generation.is_closed && generation.recoder.rank() >= usize::from(generation.size);
        pushed == Pushed::Innovative || is_full
    }

    /// Returns the place of a generation that losses were found of that the packet of another one showed.
    #[must_use]
    pub fn indebted(&self, but: usize) -> Option<usize> {
        self.generations.iter().enumerate().rev().take(4).find_map(|(at, generation)| {
            let owes = generation.debts.iter().any(|debt| *debt > 0) && generation.held_at.is_none();
            (at != but && owes && generation.recoder.rank() > 0).then_some(at)
        })
    }

    /// Returns the next packet that generation `at` owes; `is_last_call`: nothing waits for others any more.
    pub fn pay(&mut self, now: Instant, at: usize, is_last_call: bool) -> Option<Payment> {
        let active = self.active(now);
        let generation = &mut self.generations[at];
        let mut holds = false;
        for (own, branch) in self.branches.iter().enumerate() {
            if generation.debts[own] == 0 || generation.paid[own] >= PAID_MAX {
                continue;
            }
            let mut mask = 1_u16 << own;
            let mut is_missing = false;
            let mut partners = branch.partners & active;
            while partners != 0 {
                let partner = partners.trailing_zeros() as usize;
                partners &= partners - 1;
                if generation.debts[partner] > 0 {
                    mask |= 1 << partner;
                    partners &= self.branches[partner].partners;
                } else {
                    is_missing = true;
                }
            }
            if is_missing && !is_last_call {
                holds = true;
                continue;
            }
            let is_single = mask == 1 << own && branch.partners & active == 0;
            for paid in bits(mask) {
                generation.debts[paid] -= 1;
                generation.paid[paid] += 1;
            }
            return Some(Payment { hop: branch.hop, mask, is_single });
        }
        generation.paid = [0; BRANCHES_MAX];
        generation.held_at = if holds { generation.held_at.or(Some(now)) } else { None };
        None
    }

    /// Returns when something that waits to be joined goes alone.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.generations.iter().filter_map(Generation::deadline).min()
    }

    /// Returns the place of a generation in which something has waited long enough; all of it is owed now.
    pub fn overdue(&mut self, now: Instant) -> Option<usize> {
        let at = self.generations.iter().position(|known| known.deadline().is_some_and(|at| at <= now))?;
        self.generations[at].ripen();
        Some(at)
    }

    /// Returns the Pathlet of a packet; `None`: the union would break a rule of routes.
    pub fn pathlet(&mut self, payment: &Payment) -> Option<&[u8]> {
        let mask = payment.mask;
        if mask.count_ones() == 1 {
            return self.branches.get(mask.trailing_zeros() as usize).map(|branch| &*branch.pathlet);
        }
        if let Some(at) = self.unions.iter().position(|(known, _)| *known == mask) {
            return Some(&self.unions[at].1);
        }
        let union = union(bits(mask).map(|branch| &*self.branches[branch].pathlet))?;
        if self.unions.len() == UNIONS_MAX {
            self.unions.pop_front();
        }
        self.unions.push_back((mask, union.into()));
        self.unions.back().map(|(_, pathlet)| &**pathlet)
    }

    /// Returns how many packets of the generation were lost on the hop right before this one, and of which generation how
    /// many more before them.
    fn losses(&mut self, at: usize, arrival: &Arrival<'_>) -> (u16, Option<(u64, u16)>) {
        let generation = &mut self.generations[at];
        let known = generation.expected.iter().position(|(hop, _)| *hop == arrival.previous);
        let own = match known {
            Some(known) => {
                let expected = &mut generation.expected[known].1;
                let lost = arrival.index.saturating_sub(*expected);
                *expected = (*expected).max(arrival.index.saturating_add(1));
                lost
            }
            None if generation.expected.len() < BRANCHES_MAX => {
                generation.expected.push((arrival.previous, arrival.index.saturating_add(1)));
                arrival.index
            }
            None => 0,
        };
        let own = if own > GAP_MAX { 0 } else { own };
        let Some(from) = self.arrivals.iter_mut().find(|from| from.hop == arrival.previous) else {
            if self.arrivals.len() < BRANCHES_MAX {
                let (hop, sequence, first) =
                    (arrival.previous, arrival.sequence.wrapping_add(1), arrival.first);
                self.arrivals.push(FromHop { hop, sequence, first });
            }
            return (own, None);
        };
        let jump = arrival.sequence.wrapping_sub(from.sequence);
        let before = from.first;
        if jump < u32::MAX / 2 {
            (from.sequence, from.first) = (arrival.sequence.wrapping_add(1), arrival.first);
        }
        let more = jump.saturating_sub(u32::from(own));
        let is_believed = before != arrival.first && more > 0 && more <= u32::from(GAP_MAX);
        (own, is_believed.then_some((before, more as u16)))
    }

    /// Finds or remembers a Pathlet.
    fn branch(&mut self, now: Instant, pathlet: &[u8], hop: HopIndex) -> Option<usize> {
        if let Some(at) =
            self.branches.iter().position(|known| known.hop == hop && *known.pathlet == *pathlet)
        {
            self.branches[at].seen_at = now;
            return Some(at);
        }
        let mut destinations = Vec::new();
        let route = routing::decode(pathlet).ok()?;
        route.branches.iter().for_each(|branch| add_destinations(branch, &mut destinations));
        let at = if self.branches.len() < BRANCHES_MAX {
            self.branches.len()
        } else {
            let oldest = (0..BRANCHES_MAX).min_by_key(|at| self.branches[*at].seen_at)?;
            self.unions.retain(|(mask, _)| mask >> oldest & 1 == 0);
            self.generations
                .iter_mut()
                .for_each(|generation| (generation.debts[oldest], generation.late[oldest]) = (0, 0));
            self.branches.iter_mut().for_each(|branch| branch.partners &= !(1 << oldest));
            oldest
        };
        let mut partners = 0;
        for (other, known) in self.branches.iter_mut().enumerate().filter(|(other, _)| *other != at) {
            if known.hop == hop && !known.destinations.iter().any(|node| destinations.contains(node)) {
                partners |= 1 << other;
                known.partners |= 1 << at;
            }
        }
        let new = RelayBranch { pathlet: pathlet.into(), hop, destinations, partners, seen_at: now };
        match self.branches.get_mut(at) {
            Some(branch) => *branch = new,
            None => self.branches.push(new),
        }
        Some(at)
    }

    /// Returns the Pathlets that were seen of late, as bits.
    fn active(&self, now: Instant) -> u16 {
        let recent = |branch: &RelayBranch| now.saturating_since(branch.seen_at) < PARTNER_AGE;
        self.branches.iter().enumerate().fold(0, |mask, (at, branch)| mask | u16::from(recent(branch)) << at)
    }
}

/// Returns the places of the bits of a mask.
fn bits(mask: u16) -> impl Iterator<Item = usize> {
    (0..BRANCHES_MAX).filter(move |at| mask >> at & 1 == 1)
}

fn add_destinations(branch: &Branch, out: &mut Vec<NodeId>) {
    if branch.deliver && !out.contains(&branch.node) {
        out.push(branch.node);
    }
    branch.next.iter().for_each(|next| add_destinations(next, out));
}

/// Returns the Pathlet that goes wherever one of `pathlets` goes, which are all for one node; `None`: none may.
fn union<'p>(pathlets: impl Iterator<Item = &'p [u8]>) -> Option<Vec<u8>> {
    let mut branches: Vec<Branch> = Vec::new();
    for pathlet in pathlets {
        join(&mut branches, routing::decode(pathlet).ok()?.branches);
    }
    routing::encode(&Route { branches }).ok()
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
