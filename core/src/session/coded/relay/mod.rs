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

mod branches;
mod gaps;
#[cfg(test)]
mod tests;
mod unpaid;

use crate::coding::{Coded, Pushed, Recoder};
use crate::ids::{Epoch, HopIndex};
use crate::rng::Stream;
use crate::time::{Duration, Instant};
use crate::timer::TimerId;
use crate::wire::coding::JoinedPacket;
use crate::wire::packet::PacketHeader;
use crate::wire::routing::RouteLimits;

use branches::{BRANCHES_MAX, Branches, Mask, bits};
use gaps::{Gaps, Noted};
use std::collections::VecDeque;
use unpaid::{StandsFor, Unpaid};

/// Packets that one arrival pays for one Pathlet, at most.
const PAID_MAX: u16 = 16;
/// How long a packet that could be joined with one for other destinations waits for it.
const MERGE_WAIT: Duration = Duration::from_millis(20);
/// How long it waits while its hop has other packets to send: it would only queue behind them.
const BUSY_WAIT: Duration = Duration::from_millis(200);
/// How often such a hop is looked at again.
const BUSY_LOOK: Duration = Duration::from_millis(5);
/// Generations, of the newest, that an arrival of another one looks at.
const LOOKED_AT: usize = 4;
/// How long after the last packet of a generation its losses are made up for, if nothing else comes.
const LATE_WAIT: Duration = Duration::from_millis(50);

/// What a coded packet says that came.
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
    /// The packet of another flow that it stands for as well.
    pub joined: Option<JoinedPacket>,
}

/// What became of a packet that was taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The place of its generation.
    pub at: usize,
    /// What it told.
    pub pushed: Pushed,
    /// Whether everything owed may be paid now: the packet was innovative, or the rank is full.
    pub may_pay: bool,
}

/// One packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// On this hop.
    pub hop: HopIndex,
    /// The Pathlets that it pays.
    mask: Mask,
    /// Whether the packet that has just arrived can go as it is: it is to be joined with nothing, and has not gone on
    /// this hop.
    pub is_single: bool,
}

/// What a relay keeps of a coded session.
#[derive(Debug)]
pub struct Recode {
    generations: VecDeque<Generation>,
    branches: Branches,
    gaps: Gaps,
    /// Draws coefficients.
    pub stream: Stream,
    /// Pays what waited in vain, and when.
    pub timer: Option<(Instant, TimerId)>,
}

/// A generation at a relay.
#[derive(Debug)]
struct Generation {
    first: u64,
    epoch: Epoch,
    /// Symbols; until it is closed, the most that there may be.
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
    /// Over the hops of these Pathlets something was paid for the packet at hand.
    gone: Mask,
    /// Since when something waits to be joined, and when that is looked at again.
    held: Option<(Instant, Instant)>,
    /// Packets that came and nothing was sent for.
    unpaid: Unpaid,
    /// The header of the newest packet: what is paid later looks like it.
    header: PacketHeader,
}

impl Recode {
    /// Returns one that holds nothing; `limits`: what the Pathlet of a packet may be that serves several.
    #[must_use]
    pub fn new(stream: Stream, limits: RouteLimits) -> Self {
        Self {
            generations: VecDeque::new(),
            branches: Branches::new(limits),
            gaps: Gaps::default(),
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

    /// Notes the numbers of a packet that is not recoded: it ends here, or goes on as it is. Else it would be missed.
    pub fn pass(&mut self, arrival: &Arrival<'_>) {
        if self.admits(arrival.header.epoch) {
            self.gaps.note(arrival.previous, arrival.first, arrival.index, arrival.sequence);
        }
    }

    /// Takes a packet up: the symbol at an offset, or (error) the combination with these coefficients. It is to go on with
    /// `pathlets`, each with its hop; what was lost before it is owed as well. `None`: it contradicts what is known.
    pub fn take<'p>(
        &mut self,
        now: Instant,
        arrival: &Arrival<'_>,
        row: Result<u8, &[u8]>,
        coded: Coded,
        pathlets: impl Iterator<Item = (&'p [u8], HopIndex)>,
    ) -> Option<Taken> {
        if !self.admits(arrival.header.epoch) {
            return None;
        }
        let noted = self.gaps.note(arrival.previous, arrival.first, arrival.index, arrival.sequence);
        let columns = match row {
            Ok(offset) => usize::from(offset) + 1,
            // What a relay combined before it knew the size has zeros behind the last symbol.
            Err(coefficients) => coefficients.iter().rposition(|c| *c != 0).map_or(0, |last| last + 1),
        };
        let at = self.generation(arrival, columns)?;
        let recoder = &mut self.generations[at].recoder;
        let pushed = match row {
            Ok(offset) => recoder.push_symbol(usize::from(offset), coded),
            Err(coefficients) => recoder.push(&coefficients[..columns], coded),
        };
        if pushed == Pushed::Refused {
            return None;
        }
        match noted {
            Noted::New { own, before } => self.owe(now, at, (arrival, row.is_ok()), (own, before), pathlets),
            Noted::Late => self.owe_no_more(now, at, arrival, pathlets),
            Noted::Again => {}
        }
        let generation = &mut self.generations[at];
        generation.gone = 0;
        let may_pay = pushed == Pushed::Innovative || generation.is_full();
        Some(Taken { at, pushed, may_pay })
    }

    /// Whether packets of an epoch are taken; what is of an earlier one goes.
    fn admits(&mut self, epoch: Epoch) -> bool {
        let Some(newest) = self.generations.back().map(|newest| newest.epoch) else { return true };
        if newest < epoch {
            self.generations.clear();
            self.branches.restart();
            self.gaps.clear();
        }
        newest <= epoch
    }

    /// Finds or makes the generation of a packet whose row needs `columns`, and returns its place; `None`: the packet
    /// contradicts what is known.
    fn generation(&mut self, arrival: &Arrival<'_>, columns: usize) -> Option<usize> {
        let size = usize::from(arrival.size);
        let offset = usize::try_from(arrival.header.symbol.checked_sub(arrival.first)?).ok()?;
        if size == 0 || columns > size || offset >= size {
            return None;
        }
        let known = self.generations.iter().rposition(|known| known.first == arrival.first);
        let at = known.unwrap_or_else(|| {
            self.generations.push_back(Generation {
                first: arrival.first,
                epoch: arrival.header.epoch,
                size: arrival.size,
                is_closed: false,
                recoder: Recoder::new(size),
                debts: [0; BRANCHES_MAX],
                late: [0; BRANCHES_MAX],
                late_at: None,
                paid: [0; BRANCHES_MAX],
                gone: 0,
                held: None,
                unpaid: Unpaid::default(),
                header: *arrival.header,
            });
            self.generations.len() - 1
        });
        let generation = &mut self.generations[at];
        let limit = usize::from(generation.size);
        let fits = match (arrival.is_closed, generation.is_closed) {
            (true, true) => size == limit,
            (true, false) => (generation.recoder.size()..=limit).contains(&size),
            // Made before its maker knew the size, or (open here, too) not larger than all others say.
            (false, true) => columns <= limit && offset < limit,
            (false, false) => size <= limit,
        };
        if !fits {
            return None;
        }
        if arrival.is_closed {
            (generation.size, generation.is_closed) = (arrival.size, true);
            generation.recoder.set_size(size);
        }
        generation.header = *arrival.header;
        Some(at)
    }

    /// Adds a packet and those lost before it (of its own generation; of another one) to what generation `at` owes to
    /// `pathlets`; `is_symbol`: it is a symbol as it is.
    fn owe<'p>(
        &mut self,
        now: Instant,
        at: usize,
        (arrival, is_symbol): (&Arrival<'_>, bool),
        (lost, before): (u16, Option<(u64, u16)>),
        pathlets: impl Iterator<Item = (&'p [u8], HopIndex)>,
    ) {
        let mut siblings: Mask = 0;
        for (pathlet, hop) in pathlets {
            let Some((branch, is_replaced)) = self.branches.place(now, pathlet, hop) else { continue };
            if is_replaced {
                self.generations.iter_mut().for_each(|generation| generation.forget(branch));
            }
            self.generations[at].unpaid.note(branch, arrival);
            siblings |= 1 << branch;
            let generation = &mut self.generations[at];
            let (debt, late) = (&mut generation.debts[branch], &mut generation.late[branch]);
            if is_symbol {
                *debt = debt.saturating_add(1);
                *late = late.saturating_add(lost);
            } else {
                *debt = debt.saturating_add(1 + lost).saturating_add(core::mem::take(late));
            }
        }
        let first = self.generations[at].first;
        let mut advanced = false;
        for branch in bits(siblings) {
            advanced |= self.branches.advance(branch, first);
        }
        if advanced {
            // Flows bring generations in order: what earlier ones still owe has nothing to wait for.
            for earlier in self.generations.iter_mut().filter(|known| known.first < first) {
                earlier.held = earlier.held.map(|(since, _)| (since, now));
            }
        }
        let generation = &mut self.generations[at];
        let is_behind = generation.late.iter().any(|late| *late > 0);
        generation.late_at = is_behind.then(|| now + LATE_WAIT);
        if is_symbol {
            // What lies before has been sent.
            let seen_from = self.generations.len().saturating_sub(LOOKED_AT);
            let before = self.generations.iter_mut().enumerate();
            for (place, known) in before.filter(|(_, known)| known.first < first && known.late_at.is_some()) {
                known.ripen();
                if place < seen_from {
                    // No arrival looks so far back: the timer does.
                    known.held = known.held.or(Some((now, now)));
                }
            }
        }
        if let Some((first, lost)) = before
            && let Some(before) = self.generations.iter_mut().rfind(|known| known.first == first)
        {
            // What of it is held goes out at once: nothing more may come of that generation.
            for branch in bits(siblings) {
                before.debts[branch] = before.debts[branch].saturating_add(lost);
            }
        }
    }

    /// A packet that was taken for lost has come after all: it goes on in place of what would have made up for it.
    fn owe_no_more<'p>(
        &mut self,
        now: Instant,
        at: usize,
        arrival: &Arrival<'_>,
        pathlets: impl Iterator<Item = (&'p [u8], HopIndex)>,
    ) {
        for (pathlet, hop) in pathlets {
            let Some((branch, is_replaced)) = self.branches.place(now, pathlet, hop) else { continue };
            if is_replaced {
                self.generations.iter_mut().for_each(|generation| generation.forget(branch));
            }
            let generation = &mut self.generations[at];
            if generation.late[branch] > 0 {
                generation.late[branch] -= 1;
                generation.debts[branch] = generation.debts[branch].saturating_add(1);
                generation.unpaid.note(branch, arrival);
            }
        }
    }

    /// Returns the rows of generation `at`, and what draws their coefficients.
    pub fn recoder(&mut self, at: usize) -> (&Recoder, &mut Stream) {
        (&self.generations[at].recoder, &mut self.stream)
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

    /// Returns the place of a generation that losses were found of that the packet of another one showed.
    #[must_use]
    pub fn indebted(&self, but: usize) -> Option<usize> {
        self.generations.iter().enumerate().rev().take(LOOKED_AT).find_map(|(at, generation)| {
            let owes = generation.debts.iter().any(|debt| *debt > 0) && generation.held.is_none();
            (at != but && owes && generation.recoder.rank() > 0).then_some(at)
        })
    }

    /// Returns the Pathlets whose hop is busy.
    pub fn busy(&self, is_busy: impl Fn(HopIndex) -> bool) -> Mask {
        let busy = (0..self.branches.len()).filter(|at| is_busy(self.branches.hop(*at)));
        busy.fold(0, |mask, at| mask | 1 << at)
    }

    /// Returns the next packet that generation `at` owes. What could be joined waits, unless it has waited long enough and
    /// its hop is not `busy`.
    pub fn pay(&mut self, now: Instant, at: usize, busy: Mask) -> Option<Payment> {
        let active = self.branches.active(now);
        let generation = &mut self.generations[at];
        let waited = generation.held.map_or(Duration::ZERO, |(since, _)| now.saturating_since(since));
        let mut holds = false;
        for own in 0..self.branches.len() {
            if generation.debts[own] == 0
                || generation.paid[own] >= PAID_MAX
                || generation.recoder.rank() == 0
            {
                continue;
            }
            let mut mask: Mask = 1 << own;
            let (mut is_missing, mut has_partner) = (false, false);
            let mut partners = self.branches.partners(own) & active;
            while partners != 0 {
                let partner = partners.trailing_zeros() as usize;
                partners &= partners - 1;
                if self.branches.pathlet(mask | 1 << partner).is_none() {
                    // Too large for one packet: each goes by itself.
                    continue;
                }
                has_partner = true;
                if generation.debts[partner] > 0 {
                    mask |= 1 << partner;
                    partners &= self.branches.partners(partner);
                } else {
                    is_missing |= !self.branches.is_past(partner, generation.first);
                }
            }
            let hop = self.branches.hop(own);
            if is_missing && (waited < MERGE_WAIT || waited < BUSY_WAIT && busy >> own & 1 == 1) {
                holds = true;
                continue;
            }
            let is_single = !has_partner && generation.gone >> own & 1 == 0;
            generation.gone |= self.branches.over(hop);
            for paid in bits(mask) {
                generation.debts[paid] -= 1;
                generation.paid[paid] += 1;
            }
            return Some(Payment { hop, mask, is_single });
        }
        let has_more =
            generation.paid.iter().zip(&generation.debts).any(|(paid, debt)| *paid >= PAID_MAX && *debt > 0);
        generation.paid = [0; BRANCHES_MAX];
        // What one arrival does not pay for is paid soon, whether anything else comes or not.
        generation.held = (holds || has_more).then(|| {
            let since = generation.held.map_or(now, |(since, _)| since);
            (since, (since + MERGE_WAIT).max(now + BUSY_LOOK))
        });
        None
    }

    /// Returns when something that waits to be joined goes alone.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.generations.iter().filter_map(Generation::deadline).min()
    }

    /// Returns the place of a generation in which something has waited; what was lost of it is owed now.
    pub fn overdue(&mut self, now: Instant) -> Option<usize> {
        let at = self.generations.iter().position(|known| known.deadline().is_some_and(|at| at <= now))?;
        let generation = &mut self.generations[at];
        if generation.late_at.is_some_and(|at| at <= now) {
            generation.ripen();
        }
        Some(at)
    }

    /// Returns the oldest packets, of two flows at most, that came for what a payment of generation `at` pays, and nothing
    /// was sent for; `None`: there are none. `is_newest`: the packet goes as it is, and stands for itself.
    pub fn settle(&mut self, at: usize, payment: &Payment, is_newest: bool) -> Option<StandsFor> {
        let unpaid = &mut self.generations[at].unpaid;
        if is_newest { unpaid.take_newest(payment.mask) } else { unpaid.take(payment.mask) }
    }

    /// Returns the Pathlet of a packet; `None`: there is none any more.
    pub fn pathlet(&mut self, payment: &Payment) -> Option<&[u8]> {
        self.branches.pathlet(payment.mask)
    }
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
        let held = self.held.map(|(_, look_at)| look_at);
        [held, self.late_at].into_iter().flatten().min()
    }

    /// The place of a Pathlet is given to another one.
    fn forget(&mut self, branch: usize) {
        (self.debts[branch], self.late[branch], self.paid[branch]) = (0, 0, 0);
        self.unpaid.forget(branch);
        self.gone &= !(1 << branch);
    }

    fn is_full(&self) -> bool {
        self.is_closed && self.recoder.rank() >= usize::from(self.size)
    }
}
