//! A coded session at its source: generations, and the repairs that they are owed.

use super::balance::Balance;
use super::ranks::{Emitted, counted_by};
use crate::coding::repair::Repairs;
use crate::coding::window::WindowEncoder;
use crate::coding::{Body, Coded, CodingSpec, Encoder, META_BYTES, Meta, Repair, Scheme};
use crate::content::Symbol;
use crate::ids::{Epoch, SessionKey};
use crate::payload::{self, Payload};
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};
use crate::wire::acknowledgement::Rank;
use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Packets behind that which prompts a relay to make up for a loss, after which it is no longer expected to.
const PATIENCE_PACKETS: u32 = 16;

/// Repeats for one slot of a reliable session after which relays are no longer trusted to mix its generation: what they hold
/// may be damaged. Losses alone make so many seldom.
const REPEATS_BEFORE_PLAIN: u8 = 8;

/// What a source keeps to code a session.
#[derive(Debug)]
pub struct CodedSource {
    spec: CodingSpec,
    key: SessionKey,
    epoch: Epoch,
    seed: Seed,
    /// Draws the seeds of coefficients.
    stream: Stream,
    /// Generations that may still be combined, oldest first; at most the last is open.
    generations: VecDeque<Generation>,
    /// Says how many repairs are owed.
    pub repairs: Repairs,
    /// The newest symbols, under the window scheme.
    window: Option<Window>,
    /// What was sent, where repairs depend on what arrives.
    emitted: Option<Emitted>,
    is_reliable: bool,
    /// How the open generation is spread over flows, where relays may join them.
    balance: Option<Balance>,
    /// What was counted.
    pub stats: CodedSourceStats,
}

/// What a source counted of its coding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodedSourceStats {
    /// Generations closed.
    pub generations: u64,
    /// Generations closed because their time was over.
    pub early_generations: u64,
    /// Combinations sent.
    pub repairs: u64,
    /// Reports of destinations that were taken in.
    #[serde(default)]
    pub reports: u64,
    /// Reports that were of no use: nobody asked for them, or of an unknown node.
    #[serde(default)]
    pub refused_reports: u64,
}

impl CodedSourceStats {
    /// Adds what a later start of the source counted.
    pub fn add(&mut self, later: &Self) {
        self.generations += later.generations;
        self.early_generations += later.early_generations;
        self.repairs += later.repairs;
        self.reports += later.reports;
        self.refused_reports += later.refused_reports;
    }
}

#[derive(Debug)]
struct Generation {
    first: u64,
    encoder: Encoder,
    began_at: Instant,
    is_closed: bool,
    /// Combinations that are still to be sent.
    owed: u32,
    /// Combinations that were sent, or symbols sent again.
    sent: u32,
    /// Repeats for each slot, once there are any.
    repeats: Vec<u8>,
    newest: Instant,
}

#[derive(Debug)]
struct Window {
    encoder: WindowEncoder,
    size: u8,
    /// Combinations that are still to be sent.
    owed: usize,
    /// Payload bytes of the newest symbol, and when it came to be.
    newest: (u32, Instant),
}

/// A packet of a generation that is not a symbol's first.
#[derive(Clone, Debug)]
pub struct Repaired {
    /// First symbol of the generation.
    pub first: u64,
    /// Its symbols; `None` while it is open.
    pub size: Option<u8>,
    /// The packet's symbol or slot.
    pub symbol: u64,
    /// The seed of a combination; an error: the symbol as it is, with this check.
    pub seed: Result<u64, u64>,
    /// Whether it combines a sliding window.
    pub is_window: bool,
    /// Whether relays pass it on as it is.
    pub is_plain: bool,
    /// The symbol's description; of a combination only the time of its newest symbol counts.
    pub meta: Meta,
    /// The payload.
    pub payload: Payload,
}

impl CodedSource {
    /// Returns the state before the first symbol.
    #[must_use]
    pub fn new(spec: CodingSpec, key: SessionKey, epoch: Epoch, seed: Seed, is_reliable: bool) -> Self {
        let window = match spec.scheme {
            Scheme::Window { latency, size } => Some(Window {
                encoder: WindowEncoder::new(size.max(1), latency),
                size: size.max(1),
                owed: 0,
                newest: (0, Instant::ZERO),
            }),
            Scheme::Generation { .. } => None,
        };
        Self {
            spec,
            key,
            epoch,
            seed,
            stream: seed.stream_of(format_args!("session:{key}:{epoch}:coding")),
            generations: VecDeque::new(),
            repairs: Repairs::new(spec.repair),
            window,
            emitted: (!is_reliable && matches!(spec.repair, Repair::Adaptive { .. })).then(Emitted::default),
            is_reliable,
            balance: (is_reliable && spec.recode).then(Balance::default),
            stats: CodedSourceStats::default(),
        }
    }

    /// Returns how the session is coded.
    #[must_use]
    pub fn spec(&self) -> &CodingSpec {
        &self.spec
    }

    /// Returns the symbols of a full generation.
    #[must_use]
    pub fn size_max(&self) -> u8 {
        match self.spec.scheme {
            Scheme::Generation { size, .. } | Scheme::Window { size, .. } => size,
        }
    }

    /// Whether symbols go out by themselves.
    #[must_use]
    pub fn is_systematic(&self) -> bool {
        self.is_reliable || !matches!(self.spec.scheme, Scheme::Generation { systematic: false, .. })
    }

    /// Takes a symbol in, whose payload becomes real bytes if the session codes such. Returns the first symbol of its
    /// generation, and its check.
    pub fn push(&mut self, now: Instant, symbol: &mut Symbol) -> (u64, u64) {
        if let Payload::Synthetic(what) = symbol.payload
            && self.spec.real_bytes
        {
            let mut bytes = BytesMut::zeroed(what.len as usize);
            payload::fill(self.seed, what, &mut bytes);
            symbol.payload = Payload::Bytes(bytes.freeze());
        }
        let body = match &symbol.payload {
            Payload::Bytes(bytes) => Body::Real(bytes.clone()),
            described => Body::Described(described.len() as u32),
        };
        let mut meta = Meta {
            timestamp_ns: symbol.timestamp.as_nanos(),
            object: symbol.object,
            index: symbol.index,
            count: symbol.count,
            len: symbol.len,
            check: 0,
        };
        meta.check = meta.check_of(self.key, self.epoch, symbol.id, &body);
        if let Some(window) = &mut self.window {
            window.encoder.push(symbol.id, symbol.timestamp, Coded { meta: meta.emit(), body });
            window.owed += self.repairs.after_symbol(usize::from(window.size));
            window.newest = (symbol.len, symbol.timestamp);
            return (symbol.id, meta.check);
        }
        if self.open().is_none() {
            self.generations.push_back(Generation {
                first: symbol.id,
                encoder: Encoder::new(),
                began_at: now,
                is_closed: false,
                owed: 0,
                sent: 0,
                repeats: Vec::new(),
                newest: symbol.timestamp,
            });
        }
        let size_max = usize::from(self.size_max());
        let Some(generation) = self.generations.back_mut() else { return (symbol.id, meta.check) };
        generation.encoder.push(Coded { meta: meta.emit(), body });
        generation.newest = symbol.timestamp;
        let (first, is_full) = (generation.first, generation.encoder.len() >= size_max);
        if is_full {
            self.close();
        }
        (first, meta.check)
    }

    /// Closes the open generation, if there is one: it is owed its repairs. Returns whether there was.
    pub fn close(&mut self) -> bool {
        let is_systematic = self.is_systematic();
        let is_reliable = self.is_reliable;
        let Some(generation) = self.generations.back_mut().filter(|newest| !newest.is_closed) else {
            return false;
        };
        generation.is_closed = true;
        if let Some(balance) = &mut self.balance {
            balance.restart();
        }
        let size = generation.encoder.len();
        let repairs = self.repairs.close(size) + if is_systematic { 0 } else { size };
        generation.owed = repairs as u32;
        self.stats.generations += 1;
        if !is_reliable {
            // Nobody asks again for what is owed nothing.
            self.generations.retain(|generation| !generation.is_closed || generation.owed > 0);
        }
        true
    }

    /// Returns when the open generation's time is over.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let latency: Option<Duration> = match self.spec.scheme {
            Scheme::Generation { latency, .. } => latency,
            Scheme::Window { .. } => None,
        };
        // A reliable session's generations are the same whenever it begins again.
        let latency = latency.filter(|_| !self.is_reliable)?;
        self.generations.back().filter(|newest| !newest.is_closed).map(|newest| newest.began_at + latency)
    }

    /// Closes the open generation if its time is over.
    pub fn close_if_due(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) && self.close() {
            self.stats.early_generations += 1;
        }
    }

    /// Returns the largest payload of the repair that is owed next, in bytes with what opens it; `None`: none is owed.
    #[must_use]
    pub fn owed_bytes(&self) -> Option<usize> {
        if let Some(window) = &self.window {
            return (window.owed > 0).then_some(META_BYTES + window.newest.0 as usize);
        }
        let generation = self.generations.iter().find(|generation| generation.owed > 0)?;
        let len = (0..generation.encoder.len()).filter_map(|at| generation.encoder.symbol(at));
        Some(META_BYTES + len.map(|symbol| symbol.body.len()).max().unwrap_or(0))
    }

    /// Makes the repair that is owed next.
    pub fn next_owed(&mut self, now: Instant) -> Option<Repaired> {
        if let Some(window) = &mut self.window {
            window.owed = window.owed.checked_sub(1)?;
            let (seed, mut out) = (self.stream.next_u64(), BytesMut::new());
            let repair = window.encoder.repair(now, seed, &mut out)?;
            self.stats.repairs += 1;
            let last = repair.first + u64::from(repair.size) - 1;
            let meta = Meta { timestamp_ns: window.newest.1.as_nanos(), count: 1, ..Meta::default() };
            return Some(Repaired {
                first: repair.first,
                size: Some(repair.size),
                symbol: last,
                seed: Ok(seed),
                is_window: true,
                is_plain: true,
                meta,
                payload: payload_of(out, repair.len),
            });
        }
        let at = self.generations.iter().position(|generation| generation.owed > 0)?;
        let generation = &mut self.generations[at];
        generation.owed -= 1;
        let slot = generation.first + u64::from(generation.sent) % generation.encoder.len().max(1) as u64;
        let repaired = combine(generation, slot, self.stream.next_u64());
        self.stats.repairs += 1;
        if !self.is_reliable {
            self.generations.retain(|generation| !generation.is_closed || generation.owed > 0);
        }
        Some(repaired)
    }

    /// Returns how the open generation is spread over flows, where relays may join them.
    pub fn balance(&mut self) -> Option<&mut Balance> {
        self.balance.as_mut()
    }

    /// Whether `slot` was sent again so often that relays are no longer trusted to mix its generation.
    #[must_use]
    pub fn is_spoilt(&self, slot: u64) -> bool {
        let at = self.generations.partition_point(|generation| generation.first <= slot).checked_sub(1);
        let generation = at.map(|at| &self.generations[at]);
        generation.is_some_and(|generation| {
            let repeats = generation.repeats.get((slot - generation.first) as usize);
            repeats.is_some_and(|repeats| *repeats >= REPEATS_BEFORE_PLAIN)
        })
    }

    /// Makes a packet that stands for `slot` again: a combination, if everybody can use one, or the symbol itself.
    pub fn again(&mut self, slot: u64) -> Option<Repaired> {
        let at = self.generations.partition_point(|generation| generation.first <= slot).checked_sub(1)?;
        let generation = &mut self.generations[at];
        let size = generation.encoder.len();
        let offset = usize::try_from(slot - generation.first).ok().filter(|offset| *offset < size)?;
        generation.repeats.resize(size, 0);
        let repeats = &mut generation.repeats[offset];
        let is_spoilt = *repeats >= REPEATS_BEFORE_PLAIN;
        *repeats = repeats.saturating_add(1);
        if generation.is_closed && !is_spoilt {
            let repaired = combine(generation, slot, self.stream.next_u64());
            self.stats.repairs += 1;
            return Some(repaired);
        }
        // Once relays are not trusted, all symbols take their turns.
        let offset = if is_spoilt { generation.sent as usize % size } else { offset };
        generation.sent = generation.sent.saturating_add(1);
        let symbol = generation.encoder.symbol(offset)?;
        let meta = Meta::parse(&symbol.meta);
        let symbol_id = generation.first + offset as u64;
        let payload = match &symbol.body {
            Body::Real(bytes) => Payload::Bytes(bytes.clone()),
            Body::Described(len) => Payload::Synthetic(payload::Synthetic {
                key: self.key,
                symbol: symbol_id,
                offset: 0,
                len: *len,
            }),
        };
        let size = generation.is_closed.then_some(size as u8);
        // Relays that hold the symbol would keep it to themselves, and the next one still lacks it.
        let (first, is_plain) = (generation.first, true);
        Some(Repaired {
            first,
            size,
            symbol: symbol_id,
            seed: Err(meta.check),
            is_window: false,
            is_plain,
            meta,
            payload,
        })
    }

    /// Returns how many later packets must be acknowledged before one that stands for a slot is taken for lost: relays that
    /// recode make up for what is lost of a generation when it has been sent, and for repeats with what comes next.
    #[must_use]
    pub fn patience(&self, packet: &Repaired, is_repeat: bool) -> u32 {
        if self.is_plain() || is_repeat && packet.is_plain {
            return 0;
        }
        let behind = (packet.symbol - packet.first) as u32;
        let to_end = if is_repeat { 0 } else { u32::from(self.size_max()).saturating_sub(behind) };
        to_end + PATIENCE_PACKETS
    }

    /// Notes that a packet was sent, where repairs depend on how many arrive.
    pub fn on_emitted(&mut self, packet: &Repaired) {
        if let Some(emitted) = &mut self.emitted {
            emitted.on_packet(counted_by(packet.first, packet.symbol, self.window.is_some()));
        }
    }

    /// Takes in what the destination at `place` has got; `None`: it is none.
    pub fn on_rank(&mut self, rank: &Rank, place: Option<usize>) {
        let (Some(emitted), Some(place)) = (&mut self.emitted, place) else {
            self.stats.refused_reports += 1;
            return;
        };
        self.stats.reports += 1;
        for entry in rank.entries() {
            // Of what is still being sent nothing can be said.
            if !self.generations.iter().any(|generation| generation.first == entry.first)
                && let Some(packets) = emitted.on_report(entry.first, place)
            {
                self.repairs.report(rank.node, packets, u64::from(entry.arrived));
            }
        }
    }

    /// Forgets generations all of whose symbols lie below `base`: every destination has them.
    pub fn release(&mut self, base: u64) {
        while let Some(oldest) = self.generations.front()
            && oldest.is_closed
            && oldest.first + oldest.encoder.len() as u64 <= base
        {
            self.generations.pop_front();
        }
    }

    /// Content begins anew with symbol 0.
    pub fn rewind(&mut self) {
        self.generations.clear();
    }

    /// Returns the first symbol of the first generation that does not begin before `symbol`; `None`: there is none yet.
    #[must_use]
    pub fn next_first(&self, symbol: u64) -> Option<u64> {
        self.generations.iter().map(|generation| generation.first).find(|first| *first >= symbol)
    }

    /// Returns the bytes that are held for combinations.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.generations.iter().map(|generation| generation.encoder.bytes()).sum()
    }

    /// Returns the symbols of the generation that begins with `first`, once that is final.
    #[must_use]
    pub fn closed_size(&self, first: u64) -> Option<u8> {
        match self.generations.iter().rfind(|known| known.first == first) {
            Some(generation) => generation.is_closed.then_some(generation.encoder.len() as u8),
            // It was owed nothing, and is gone.
            None => Some(self.size_max()),
        }
    }

    /// Whether relays pass everything on as it is.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.spec.recode || self.window.is_some()
    }

    fn open(&self) -> Option<&Generation> {
        self.generations.back().filter(|newest| !newest.is_closed)
    }
}

/// Combines all symbols of a generation.
fn combine(generation: &mut Generation, slot: u64, seed: u64) -> Repaired {
    generation.sent = generation.sent.saturating_add(1);
    let mut out = BytesMut::new();
    let len = generation.encoder.combine_seeded(seed, &mut out);
    let payload = payload_of(out, len);
    let meta = Meta { timestamp_ns: generation.newest.as_nanos(), count: 1, ..Meta::default() };
    let size = Some(generation.encoder.len() as u8);
    let (first, is_window, is_plain) = (generation.first, false, false);
    Repaired { first, size, symbol: slot, seed: Ok(seed), is_window, is_plain, meta, payload }
}

/// Returns the payload of a combination that an encoder wrote: real, if there is more than the combined block, or if
/// there is no more.
fn payload_of(out: BytesMut, len: usize) -> Payload {
    let is_real = out.len() == META_BYTES + len;
    let head = out.freeze();
    if is_real { Payload::Bytes(head) } else { Payload::Coded { head, body_len: len as u32 } }
}
