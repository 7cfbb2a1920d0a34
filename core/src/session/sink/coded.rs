//! What a sink does with coded packets: its decoder, and what comes out of it.

use super::super::coded::{CodedSink, Taken};
use super::SinkSession;
use crate::coding::{Body, Coded, Meta, Workers};
use crate::ids::{Epoch, SessionKey};

impl SinkSession {
    /// Returns what decodes the session; a window may hold `bytes_max` bytes.
    pub(crate) fn coded_mut(&mut self, bytes_max: usize) -> &mut CodedSink {
        let slots_max = self.receiver.as_ref().map(|_| self.window.symbols_max());
        let scheme = self.scheme;
        self.coded.get_or_insert_with(|| Box::new(CodedSink::new(slots_max, scheme, bytes_max)))
    }

    /// Returns the bytes that are held for decoding.
    pub(crate) fn coded_bytes(&self) -> usize {
        self.coded.as_ref().map_or(0, |coded| coded.bytes())
    }

    /// Whether the session is one with a sliding window.
    pub(crate) fn is_window(&self) -> bool {
        self.coded.as_ref().is_some_and(|coded| coded.is_window())
    }

    /// Gives up all decoding; what was counted of it stays.
    pub(crate) fn drop_coding(&mut self) {
        if let Some(coded) = self.coded.take() {
            self.stats.coded = coded.stats;
        }
    }

    /// Takes in what a coded packet of the generation (first symbol, size, whether that is final) brings: the symbol at
    /// an offset, or a combination by coefficients; a reliable session may hold `room` bytes.
    pub(crate) fn push_coded(
        &mut self,
        generation: (u64, u8, bool),
        row: Result<u8, &[u8]>,
        coded: Coded,
        room: usize,
    ) -> Taken {
        self.coded_mut(room);
        match &mut self.coded {
            Some(sink) => sink.push(generation, row, coded, &self.window, room),
            None => Taken::NoRoom,
        }
    }

    /// Gives out the symbols of a generation that have become known.
    pub(crate) fn recover_coded(
        &mut self,
        key: SessionKey,
        epoch: Epoch,
        first: u64,
        workers: Option<&dyn Workers>,
        take: impl FnMut(u64, Meta, Body),
    ) {
        if let Some(coded) = &mut self.coded {
            let seal = self.seal.as_deref();
            self.stats.unopened_symbols +=
                coded.recover(key, epoch, first, (&self.window, workers, seal), take);
        }
    }

    /// Says with which symbol the session begins here: combinations of earlier ones alone are of no use.
    pub(crate) fn begin_coded(&mut self, symbol: u64) {
        if let Some(coded) = &mut self.coded {
            coded.begin_at(symbol);
        }
    }

    /// Lets an innovative packet of a reliable session count for a slot of its generation (first symbol, size).
    pub(crate) fn mark_slot(&mut self, generation: (u64, u8), slot: u64) {
        if let Some(coded) = &mut self.coded {
            coded.mark(generation, slot, &self.window);
        }
    }

    /// Gives up what is beyond the bounds of decoding.
    pub(crate) fn bound_coded(&mut self, generations_max: usize, bytes_max: usize) {
        if let Some(coded) = &mut self.coded {
            coded.bound(generations_max, bytes_max);
        }
    }
}
