//! A generation at a destination: symbols come out as soon as they are known.

use super::matrix::Elimination;
use super::meta::META_BYTES;
use super::recoder::Pushed;
use super::symbol::{Body, Coded, real};
use super::workers::{Workers, product};
use bytes::BytesMut;

/// Bytes that recovered symbols share, about.
const PIECE_BYTES: usize = 64 * 1024;

/// Decodes one generation.
///
/// Coefficients are reduced as packets come; payloads are left as they came until symbols can be had of them, and are then
/// combined in one product for all of these symbols.
#[derive(Clone, Debug)]
pub struct Decoder {
    elimination: Elimination,
    /// Symbols of the generation, once known.
    size: Option<usize>,
    /// Innovative rows in the order in which they came.
    inputs: Vec<Coded>,
    /// For each of them the symbol that it is, if it came as it is.
    offsets: Vec<Option<u8>>,
    /// Bytes of all of them.
    bytes: usize,
    /// Symbols that came as they are, or were given out.
    has: [u64; 4],
    /// Whether the last row may have made something known.
    is_fresh: bool,
}

impl Decoder {
    /// Returns one for a generation of at most `columns` symbols.
    ///
    /// # Panics
    /// Above 255.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self {
            elimination: Elimination::new(columns, true),
            size: None,
            inputs: Vec::new(),
            offsets: Vec::new(),
            bytes: 0,
            has: [0; 4],
            is_fresh: false,
        }
    }

    /// Returns the rank.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.elimination.rank()
    }

    /// Returns the number of symbols, once known.
    #[must_use]
    pub fn size(&self) -> Option<usize> {
        self.size
    }

    /// Says how many symbols there are; the first word stands.
    pub fn set_size(&mut self, size: usize) {
        if size <= self.elimination.columns() {
            let size = *self.size.get_or_insert(size);
            self.elimination.reserve(size);
            self.inputs.reserve(size.saturating_sub(self.inputs.len()));
            self.offsets.reserve(size.saturating_sub(self.offsets.len()));
        }
    }

    /// Whether the rank is that of all symbols.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.size.is_some_and(|size| self.rank() >= size)
    }

    /// Returns the bytes that it holds, those of descriptions included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the bytes that are set aside for coefficients.
    #[must_use]
    pub fn reserved_bytes(&self) -> usize {
        self.elimination.reserved_bytes()
    }

    /// Whether the symbol came as it is, or was given out.
    #[must_use]
    pub fn has(&self, offset: usize) -> bool {
        self.has.get(offset / 64).is_some_and(|word| word >> (offset % 64) & 1 == 1)
    }

    /// Takes in the symbol at `offset` as it is.
    pub fn push_symbol(&mut self, offset: usize, symbol: Coded) -> Pushed {
        if offset >= self.elimination.columns().min(255) {
            return Pushed::Refused;
        }
        // Coefficients beyond the last symbol must be zeros.
        if self.is_foreign(&symbol) || self.size.is_some_and(|size| offset >= size) {
            return Pushed::Refused;
        }
        self.has[offset / 64] |= 1 << (offset % 64);
        if !self.elimination.add_unit(offset) {
            return Pushed::Dependent;
        }
        self.hold(symbol, Some(offset as u8));
        Pushed::Innovative
    }

    /// Takes in a combination.
    pub fn push(&mut self, coefficients: &[u8], row: Coded) -> Pushed {
        let columns = self.size.unwrap_or(self.elimination.columns());
        // Coefficients beyond the last symbol must be zeros.
        let (own, beyond) = coefficients.split_at(coefficients.len().min(columns));
        if self.is_foreign(&row) || beyond.iter().any(|c| *c != 0) {
            return Pushed::Refused;
        }
        if !self.elimination.add(own) {
            return Pushed::Dependent;
        }
        self.hold(row, None);
        Pushed::Innovative
    }

    /// Whether a row is real and the others are not, or the other way round.
    fn is_foreign(&self, row: &Coded) -> bool {
        self.inputs.first().is_some_and(|first| first.body.is_real() != row.body.is_real())
    }

    /// Keeps an innovative row.
    fn hold(&mut self, row: Coded, offset: Option<u8>) {
        self.bytes += row.meta.len() + row.body.len();
        self.inputs.push(row);
        self.offsets.push(offset);
        self.is_fresh = true;
    }

    /// Gives out the symbols that have become known and had not come as they are, each once, by `take`.
    pub fn recover(&mut self, take: impl FnMut(usize, Coded)) {
        self.recover_with(None, take);
    }

    /// Does what [`Decoder::recover`] does, with threads to share large products.
    pub fn recover_with(&mut self, workers: Option<&dyn Workers>, mut take: impl FnMut(usize, Coded)) {
        if !core::mem::take(&mut self.is_fresh) {
            return;
        }
        let mut offsets = [0_u8; 255];
        let mut solutions: Vec<u8> = Vec::new();
        let mut count = 0;
        self.elimination.solutions(&self.has, |offset, solution| {
            if count == 0 {
                // Mostly all of them become known at once.
                solutions.reserve(solution.len() * solution.len());
            }
            offsets[count] = offset as u8;
            count += 1;
            solutions.extend_from_slice(solution);
        });
        let offsets = &offsets[..count];
        if offsets.is_empty() {
            return;
        }
        for offset in offsets {
            let offset = usize::from(*offset);
            self.has[offset / 64] |= 1 << (offset % 64);
        }
        let len = self.inputs.iter().map(|row| row.body.len()).max().unwrap_or(0);
        let mut sources: Vec<&[u8]> = Vec::with_capacity(self.inputs.len());
        sources.extend(self.inputs.iter().map(|row| &row.meta[..]));
        let mut blocks = vec![0; count * META_BYTES];
        product(&mut blocks, META_BYTES, &solutions, &sources, None);
        let is_real = self.inputs.iter().all(|row| row.body.is_real());
        if is_real {
            sources.clear();
            sources.extend(self.inputs.iter().map(|row| real(&row.body)));
        }
        // Symbols that share memory are held as long as any of them: not too many, unless it is work for several.
        let at_once = if workers.is_some() { count.max(1) } else { (PIECE_BYTES / len.max(1)).max(4) & !3 };
        let pieces = offsets.chunks(at_once).zip(blocks.chunks(at_once * META_BYTES));
        for ((offsets, blocks), solutions) in pieces.zip(solutions.chunks(at_once * sources.len())) {
            let mut bodies = BytesMut::new();
            if is_real {
                bodies = BytesMut::zeroed(offsets.len() * len);
                product(&mut bodies, len, solutions, &sources, workers);
            }
            let mut bodies = bodies.freeze();
            for (offset, block) in offsets.iter().zip(blocks.chunks_exact(META_BYTES)) {
                let mut meta = [0; META_BYTES];
                meta.copy_from_slice(block);
                let body =
                    if is_real { Body::Real(bodies.split_to(len)) } else { Body::Described(len as u32) };
                take(usize::from(*offset), Coded { meta, body });
            }
        }
    }

    /// Forgets all combinations, because one of them is not to be trusted; symbols that came as they are stay.
    pub fn forget_combinations(&mut self) {
        let mut anew = Self::new(self.elimination.columns());
        anew.size = self.size;
        for (offset, symbol) in self.offsets.drain(..).zip(self.inputs.drain(..)) {
            if let Some(offset) = offset {
                anew.push_symbol(usize::from(offset), symbol);
            }
        }
        anew.is_fresh = false;
        *self = anew;
    }
}
