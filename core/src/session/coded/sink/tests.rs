//! Symbols come out of combinations, spoilt ones do not, and memory stays bounded.

use super::*;
use crate::coding::META_BYTES;

const ROOM: usize = 1 << 20;

/// A reliable session's sink, and the symbols that it has delivered.
struct Bench {
    sink: CodedSink,
    known: SymbolWindow,
}

impl Bench {
    fn new() -> Self {
        Self { sink: CodedSink::new(Some(1 << 10), None, ROOM), known: SymbolWindow::new(1 << 10) }
    }

    /// A symbol of the first generation comes, which is said to have `size` symbols.
    fn symbol(&mut self, offset: u8, size: u8, is_closed: bool) -> Taken {
        let taken = self.row(Ok(offset), size, is_closed);
        if taken != Taken::Corrupt {
            self.known.insert(u64::from(offset));
        }
        self.mark(taken, size, u64::from(offset))
    }

    fn row(&mut self, row: Result<u8, &[u8]>, size: u8, is_closed: bool) -> Taken {
        let coded = Coded { meta: [0; META_BYTES], body: Body::Described(10) };
        self.sink.push((0, size, is_closed), row, coded, &self.known, ROOM)
    }

    fn mark(&mut self, taken: Taken, size: u8, slot: u64) -> Taken {
        if taken == Taken::Innovative {
            self.sink.mark((0, size), slot, &self.known);
        }
        taken
    }

    fn marked(&self) -> Vec<u64> {
        let slots = self.sink.slots().expect("it is reliable");
        (0..64).filter(|slot| slots.contains(*slot)).collect()
    }
}

/// Aim: a packet of a short generation that was sent while it was open, and comes when it is done, marks nothing.
#[test]
fn late_packets_of_a_short_generation_mark_nothing() {
    let mut bench = Bench::new();
    for offset in [0, 1, 3, 4] {
        assert_eq!(bench.symbol(offset, 32, false), Taken::Innovative);
    }
    let taken = bench.row(Err(&[1; 5]), 5, true);
    assert_eq!(taken, Taken::Innovative);
    // It made the missing symbol known.
    bench.known.insert(2);
    bench.mark(taken, 5, 2);
    assert_eq!(bench.marked(), [0, 1, 2, 3, 4]);
    assert_eq!(bench.symbol(2, 32, false), Taken::Dependent);
    assert_eq!(bench.marked(), [0, 1, 2, 3, 4]);
}

/// Aim: once the size is known, packets that do not know it mark no slots beyond it.
#[test]
fn open_packets_mark_nothing_beyond_a_known_end() {
    let mut bench = Bench::new();
    for offset in [0, 1, 3, 4] {
        bench.symbol(offset, 32, false);
    }
    assert_eq!(bench.symbol(4, 5, true), Taken::Dependent);
    assert_eq!(bench.symbol(2, 32, false), Taken::Innovative);
    assert_eq!(bench.marked(), [0, 1, 2, 3, 4]);
}

/// Aim: a damaged size does not stop a generation: symbols that fit their checks say better.
#[test]
fn a_damaged_size_is_got_over() {
    let mut bench = Bench::new();
    assert_eq!(bench.symbol(0, 2, true), Taken::Innovative);
    for offset in [3, 4, 1, 2, 0] {
        assert_ne!(bench.symbol(offset, 5, true), Taken::Corrupt, "{offset}");
    }
    assert_eq!(bench.marked(), [0, 1, 2, 3, 4]);
}

/// Aim: a combination whose symbol fits its check, as everybody can make one, but does not open, brings nothing and is
/// counted; the genuine one that follows brings the symbol.
#[test]
fn forged_combinations_do_not_open() {
    use crate::ids::NodeId;
    use crate::payload::Payload;
    use crate::rng::Seed;
    use crate::seal::{SealSpec, SymbolKey};
    let (key, epoch) = (SessionKey::new(1, 2), Epoch(0));
    let source = NodeId::new(1).expect("not zero");
    let spec = SealSpec { key: SymbolKey::of(&[1; 32], key, source), real_bytes: true };
    let seal = SymbolSeal::new(&spec, key, source, Seed(1));
    let what = |symbol| SealedAs { epoch, symbol, object: 0, index: symbol as u32, count: 2 };
    let coded = |symbol: u64, body: bytes::Bytes| {
        let body = Body::Real(body);
        let meta = Meta { index: symbol as u32, count: 2, len: body.len() as u32, ..Meta::default() };
        let check = meta.check_of(key, epoch, symbol, &body);
        Coded { meta: Meta { check, ..meta }.emit(), body }
    };
    let sealed = |symbol| match seal.seal(&what(symbol), Payload::Bytes(vec![symbol as u8; 40].into())) {
        Payload::Bytes(bytes) => bytes,
        other => panic!("not bytes: {other:?}"),
    };
    let sum = |one: &Coded, other: &Coded| {
        let (Body::Real(a), Body::Real(b)) = (&one.body, &other.body) else { panic!("real bytes") };
        let body: Vec<u8> = a.iter().zip(b.iter()).map(|(a, b)| a ^ b).collect();
        let meta = core::array::from_fn(|i| one.meta[i] ^ other.meta[i]);
        Coded { meta, body: Body::Real(body.into()) }
    };
    let (first, second) = (coded(0, sealed(0)), coded(1, sealed(1)));
    let forged = coded(1, vec![7; 56].into());
    let mut known = SymbolWindow::new(1 << 10);
    let mut sink = CodedSink::new(None, None, ROOM);
    let row = &[1, 1][..];
    sink.push((0, 2, true), Ok(0), first.clone(), &known, ROOM);
    known.insert(0);
    for (combination, unopened, came) in [(sum(&first, &forged), 1, 0), (sum(&first, &second), 0, 1)] {
        assert_eq!(sink.push((0, 2, true), Err(row), combination, &known, ROOM), Taken::Innovative);
        let mut taken = Vec::new();
        let counted = sink.recover(key, epoch, 0, (&known, None, Some(&seal)), |symbol, _, body| {
            taken.push((symbol, body));
        });
        assert_eq!((counted, taken.len()), (unopened, came));
        for (symbol, body) in taken {
            assert!(symbol == 1 && matches!(body, Body::Real(bytes) if bytes[..] == [1; 40]));
        }
    }
}
