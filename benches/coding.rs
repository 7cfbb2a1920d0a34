//! How fast rows are combined in GF(2^8), by every kernel of this machine and by the crate `rlnc`.
//!
//! `cargo bench --bench coding`. The unit is multiply-accumulate GB/s: k x 1,400 B per coded packet, divided by the
//! time it takes. Every figure is the median of short samples, the best of them behind it: on a shared machine
//! the median tells what neighbours left, the best what the code can do. All contenders take turns sample by sample.

#[path = "rig/machine.rs"]
mod machine;

use bellini_core::coding::gf256::Kernel;
use bellini_core::coding::{Body, Coded, Decoder, Encoder, META_BYTES};
use bellini_core::rng::{Seed, Stream};
use bytes::{Bytes, BytesMut};
use machine::{machine, median};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::hint::black_box;
use std::time::Instant;

/// Bytes of a symbol, and from row to row where rows are aligned.
const SYMBOL: usize = 1_400;
const STRIDE: usize = 1_408;
const SIZES: [usize; 5] = [8, 16, 32, 64, 128];
const SAMPLES: usize = 1_500;
/// Nanoseconds of a sample, about: short enough to fall between two interruptions.
const SAMPLE_NS: f64 = 15_000.0;

fn main() {
    println!("{}", machine());
    println!("median (best) of {SAMPLES} samples of about {:.0} us\n", SAMPLE_NS / 1e3);
    ceiling();
    encode();
    repairs();
    decode();
}

/// A thing to time: its name, the bytes that one call stands for, and the call.
struct Contender<'a> {
    name: String,
    bytes: usize,
    call: Box<dyn FnMut() + 'a>,
}

impl<'a> Contender<'a> {
    fn new(name: String, bytes: usize, call: impl FnMut() + 'a) -> Self {
        Self { name, bytes, call: Box::new(call) }
    }
}

/// GB/s of each contender: (median, best).
fn race(contenders: &mut [Contender<'_>]) -> Vec<(f64, f64)> {
    let time = |contender: &mut Contender<'_>, calls: usize| {
        let start = Instant::now();
        (0..calls).for_each(|_| (contender.call)());
        start.elapsed().as_nanos() as f64 / calls as f64
    };
    let calls: Vec<usize> = contenders
        .iter_mut()
        .map(|contender| {
            let once = (0..20).map(|_| time(contender, 1)).fold(f64::INFINITY, f64::min);
            (SAMPLE_NS / once).ceil() as usize
        })
        .collect();
    let mut speeds = vec![Vec::with_capacity(SAMPLES); contenders.len()];
    for _ in 0..SAMPLES {
        for ((contender, &calls), speeds) in contenders.iter_mut().zip(&calls).zip(&mut speeds) {
            speeds.push(contender.bytes as f64 / time(contender, calls));
        }
    }
    speeds
        .iter_mut()
        .map(|speeds| {
            let middle = median(speeds);
            (middle, speeds[speeds.len() - 1])
        })
        .collect()
}

/// Rows of random bytes, one after the other in one piece of memory, the first on a boundary of 64 B.
struct Rows {
    bytes: Vec<u8>,
    first: usize,
    count: usize,
    len: usize,
    stride: usize,
}

impl Rows {
    fn aligned(count: usize, len: usize, stride: usize, stream: &mut Stream) -> Self {
        let mut bytes = vec![0; count * stride + 64];
        stream.bytes_at(0, &mut bytes);
        let first = bytes.as_ptr().align_offset(64);
        Self { bytes, first, count, len, stride }
    }

    fn all(&self) -> Vec<&[u8]> {
        let rows = self.bytes[self.first..].chunks_exact(self.stride).take(self.count);
        rows.map(|row| &row[..self.len]).collect()
    }

    /// Rows to write to, for the rest of the process: so that no call allocates.
    fn targets(count: usize, len: usize, stream: &mut Stream) -> Vec<&'static mut [u8]> {
        Box::leak(Box::new(Self::aligned(count, len, len.next_multiple_of(64), stream))).all_mut()
    }

    fn all_mut(&mut self) -> Vec<&mut [u8]> {
        let len = self.len;
        let rows = self.bytes[self.first..].chunks_exact_mut(self.stride).take(self.count);
        rows.map(|row| &mut row[..len]).collect()
    }
}

/// Nonzero bytes.
fn coefficients(count: usize, stream: &mut Stream) -> Vec<u8> {
    (0..count).map(|_| 1 + stream.below(255) as u8).collect()
}

fn shown((median, best): (f64, f64)) -> String {
    if best < 20.0 { format!("{median:.1} ({best:.1})") } else { format!("{median:.0} ({best:.0})") }
}

/// What the multipliers give at today's clock: a single tile whose rows all stay in the first cache.
fn ceiling() {
    let mut stream = Seed(1).stream("rows");
    let rows = Rows::aligned(64, 256, 256, &mut stream);
    let coefficients = coefficients(4 * 64, &mut stream);
    let sources = rows.all();
    let mut contenders: Vec<Contender<'_>> = Kernel::available()
        .into_iter()
        .map(|kernel| {
            let mut targets = Rows::targets(4, 256, &mut stream);
            let (coefficients, sources) = (&coefficients, &sources);
            Contender::new(kernel.name().to_owned(), 4 * 64 * 256, move || {
                kernel.combine_many(&mut targets, black_box(coefficients), black_box(sources));
            })
        })
        .collect();
    println!("four targets x 256 B, 64 sources, all in L1: the ceiling of each kernel here and now");
    let speeds = race(&mut contenders);
    for (contender, speed) in contenders.iter().zip(speeds) {
        println!("{:<34} {:>14} GB/s", contender.name, shown(speed));
    }
    println!();
}

/// Coded packets of 1,400 B: four at a time, one at a time, recoded, and by the peer.
fn encode() {
    println!(
        "{:<34} {}",
        "multiply-accumulate GB/s",
        SIZES.map(|k| format!("{:>15}", format!("k = {k}"))).concat()
    );
    let mut names = Vec::new();
    let mut columns = Vec::new();
    for k in SIZES {
        let mut stream = Seed(2).stream("rows");
        let aligned = Rows::aligned(k, SYMBOL, STRIDE, &mut stream);
        let vectors = Rows::aligned(k, k, k.next_multiple_of(64), &mut stream);
        let plain: Vec<Vec<u8>> = aligned.all().iter().map(|row| row.to_vec()).collect();
        let plain: Vec<&[u8]> = plain.iter().map(Vec::as_slice).collect();
        let (aligned, vectors) = (aligned.all(), vectors.all());
        let coefficients = coefficients(4 * k, &mut stream);
        let mut contenders = Vec::new();
        for kernel in Kernel::available().into_iter().rev() {
            for (layout, rows) in [("", &aligned), (", plain Vecs", &plain)] {
                for count in [4, 1] {
                    let mut targets = Rows::targets(count, SYMBOL, &mut stream);
                    let coefficients = &coefficients[..count * k];
                    let name = format!("{}, {count} at a time{layout}", kernel.name());
                    contenders.push(Contender::new(name, count * k * SYMBOL, move || {
                        kernel.combine_many(&mut targets, black_box(coefficients), black_box(rows));
                    }));
                }
            }
            let mut out = Rows::targets(2, SYMBOL, &mut stream);
            let (coefficients, rows, vectors) = (&coefficients[..k], &aligned, &vectors);
            let name = format!("{}, recode (vector, too)", kernel.name());
            contenders.push(Contender::new(name, k * SYMBOL, move || {
                kernel.combine(out[0], black_box(coefficients), black_box(rows));
                kernel.combine(&mut out[1][..k], black_box(coefficients), black_box(vectors));
            }));
        }
        contenders.extend(peer(k));
        let speeds = race(&mut contenders);
        names = contenders.iter().map(|contender| contender.name.clone()).collect();
        columns.push(speeds);
    }
    for (i, name) in names.iter().enumerate() {
        let cells: Vec<String> = columns.iter().map(|column| format!("{:>15}", shown(column[i]))).collect();
        println!("{name:<34} {}", cells.concat());
    }
    println!();
}

/// `rlnc` encoding and recoding symbols of the same size, in one thread, without allocating.
fn peer(k: usize) -> [Contender<'static>; 2] {
    // It ends the content with a byte of its own, which fills the last symbol.
    let encoder = rlnc::full::Encoder::new(vec![0x5A; k * SYMBOL - 1], k).expect("content of k symbols");
    assert_eq!(encoder.get_piece_byte_len(), SYMBOL, "symbols of the same size");
    let mut rng = StdRng::seed_from_u64(3);
    let mut out = vec![0; k + SYMBOL];
    let coded: Vec<u8> = (0..k).flat_map(|_| encoder.code(&mut rng)).collect();
    let mut recoder = rlnc::full::Recoder::new(coded, k + SYMBOL, k).expect("k coded symbols");
    let (mut out2, mut rng2) = (out.clone(), rng.clone());
    [
        Contender::new("rlnc, 1 at a time".to_owned(), k * SYMBOL, move || {
            encoder.code_with_buf(&mut rng, black_box(&mut out)).expect("a buffer that fits");
        }),
        Contender::new("rlnc, recode".to_owned(), k * SYMBOL, move || {
            recoder.recode_with_buf(&mut rng2, black_box(&mut out2)).expect("a buffer that fits");
        }),
    ]
}

/// A systematic code: 8 repairs for 32 symbols.
fn repairs() {
    let (k, m) = (32, 8);
    let mut stream = Seed(4).stream("rows");
    let rows = Rows::aligned(k, SYMBOL, STRIDE, &mut stream);
    let coefficients = coefficients(m * k, &mut stream);
    let sources = rows.all();
    let mut contenders: Vec<Contender<'_>> = Kernel::available()
        .into_iter()
        .rev()
        .map(|kernel| {
            let mut targets = Rows::targets(m, SYMBOL, &mut stream);
            let (coefficients, sources) = (&coefficients, &sources);
            Contender::new(kernel.name().to_owned(), k * SYMBOL, move || {
                kernel.combine_many(&mut targets, black_box(coefficients), black_box(sources));
            })
        })
        .collect();
    println!("GB/s of source payload, systematic, {m} repairs of k = {k}: encode");
    let speeds = race(&mut contenders);
    for (contender, speed) in contenders.iter().zip(speeds) {
        println!("{:<34} {:>15}", contender.name, shown(speed));
    }
}

/// A generation of random symbols.
fn generation(k: usize, stream: &mut Stream) -> Encoder {
    let mut encoder = Encoder::new();
    for row in Rows::aligned(k, SYMBOL, STRIDE, stream).all() {
        let mut meta = [0; META_BYTES];
        meta.copy_from_slice(&row[..META_BYTES]);
        encoder.push(Coded { meta, body: Body::Real(Bytes::copy_from_slice(row)) });
    }
    encoder
}

/// Combinations of it by random coefficients, as they come out of packets.
fn combinations(encoder: &Encoder, count: usize, stream: &mut Stream) -> Vec<(Vec<u8>, Coded)> {
    let combination = |_| {
        let coefficients = coefficients(encoder.len(), stream);
        let mut out = BytesMut::new();
        encoder.combine(&coefficients, &mut out);
        let mut meta = [0; META_BYTES];
        meta.copy_from_slice(&out[..META_BYTES]);
        (coefficients, Coded { meta, body: Body::Real(out.freeze().slice(META_BYTES..)) })
    };
    (0..count).map(combination).collect()
}

/// Decoders from the first packet to the last symbol, descriptions of symbols included: every symbol from combinations,
/// and 8 lost symbols of 32 from repairs.
fn decode() {
    println!(
        "{:<34} {}",
        "decode, GB/s of source payload",
        SIZES.map(|k| format!("{:>15}", format!("k = {k}"))).concat()
    );
    let mut columns = Vec::new();
    for k in SIZES {
        let mut stream = Seed(5).stream("rows");
        let encoder = generation(k, &mut stream);
        // Some to spare, should the first not be independent.
        let rows = combinations(&encoder, k + 4, &mut stream);
        let own = Contender::new("decoder, no symbol as it is".to_owned(), k * SYMBOL, move || {
            let mut decoder = Decoder::new(k);
            decoder.set_size(k);
            for (coefficients, row) in &rows {
                if decoder.is_complete() {
                    break;
                }
                decoder.push(coefficients, row.clone());
            }
            let mut symbols = 0;
            decoder.recover(|_, symbol| symbols += usize::from(black_box(symbol).body.len() == SYMBOL));
            assert_eq!(symbols, k, "all symbols are recovered");
        });
        columns.push(race(&mut [own, peer_decoder(k)]));
    }
    for (i, name) in ["decoder, no symbol as it is", "rlnc"].into_iter().enumerate() {
        let cells: Vec<String> = columns.iter().map(|column| format!("{:>15}", shown(column[i]))).collect();
        println!("{name:<34} {}", cells.concat());
    }
    let (k, lost) = (32, 8);
    let mut stream = Seed(6).stream("rows");
    let encoder = generation(k, &mut stream);
    let rows = combinations(&encoder, lost + 4, &mut stream);
    let own = Contender::new(String::new(), k * SYMBOL, || {
        let mut decoder = Decoder::new(k);
        decoder.set_size(k);
        for offset in lost..k {
            decoder.push_symbol(offset, encoder.symbol(offset).expect("a symbol").clone());
        }
        for (coefficients, row) in &rows {
            if decoder.is_complete() {
                break;
            }
            decoder.push(coefficients, row.clone());
        }
        let mut symbols = 0;
        decoder.recover(|_, symbol| symbols += usize::from(black_box(symbol).body.len() == SYMBOL));
        assert_eq!(symbols, lost, "all lost symbols are recovered");
    });
    let speed = race(&mut [own])[0];
    println!("{:<34} {:>15}", format!("decoder, {lost} of k = {k} lost"), shown(speed));
}

/// `rlnc` decoding combinations of symbols of the same size.
fn peer_decoder(k: usize) -> Contender<'static> {
    let mut stream = Seed(7).stream("content");
    let mut content = vec![0; k * SYMBOL - 1];
    stream.bytes_at(0, &mut content);
    let encoder = rlnc::full::Encoder::new(content, k).expect("content of k symbols");
    let mut rng = StdRng::seed_from_u64(8);
    let pieces: Vec<Vec<u8>> = (0..k + 4).map(|_| encoder.code(&mut rng)).collect();
    Contender::new("rlnc".to_owned(), k * SYMBOL, move || {
        let mut decoder = rlnc::full::Decoder::new(SYMBOL, k).expect("a decoder");
        for piece in &pieces {
            if decoder.is_already_decoded() {
                break;
            }
            // A dependent piece is told as an error, which is no matter here.
            let _ = decoder.decode(piece);
        }
        black_box(decoder.get_decoded_data().expect("all symbols"));
    })
}
