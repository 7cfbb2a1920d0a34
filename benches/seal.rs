//! What sealing costs a packet, beside the cipher by itself and beside the unsealed way into and out of a buffer.
//!
//! `cargo bench --bench seal [-- --samples N]`. Frames of 1,250 B. A train of 64 is written into one buffer, sealed where
//! it lies, and opened where it was received; the unsealed way writes and reads the same train. All contenders take turns
//! sample by sample; figures are medians, the best sample behind them.

#[path = "rig/machine.rs"]
mod machine;

use bellini_core::time::Instant as CoreInstant;
use bellini_live::net::{PeerSlot, UdpOptions, UdpPort};
use bellini_live::seal::SEALING_BYTES;
use bellini_live::seal::aead::{OpenKey, SendKey};
use bellini_live::seal::bench::one_way;
use bytes::BytesMut;
use machine::{argument, machine, median};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

const FRAME: usize = 1_250;
const TRAIN: usize = 64;
const NOW: CoreInstant = CoreInstant::from_nanos(1);
/// Header and payload of a frame, as the core hands them out.
const HEADER: usize = 100;

fn main() {
    let samples = argument("--samples").unwrap_or(400_usize).max(3);
    println!("{}", machine());
    println!("frames of {FRAME} B in trains of {TRAIN}, {samples} alternating samples: median (best)\n");
    let mut rows = rows();
    for _ in 0..samples {
        for row in &mut rows {
            // What a contender needs first is not timed.
            (row.prepare)();
            let start = Instant::now();
            (row.run)();
            row.nanos.push(start.elapsed().as_nanos() as f64 / TRAIN as f64);
        }
    }
    let all: Vec<(&str, f64, f64)> = rows
        .iter_mut()
        .map(|row| {
            let best = row.nanos.iter().copied().fold(f64::INFINITY, f64::min);
            (row.name, median(&mut row.nanos), best)
        })
        .collect();
    let of = |name: &str| all.iter().find(|row| row.0 == name).map_or(f64::NAN, |row| row.1);
    for (name, middle, best) in &all {
        let speed = FRAME as f64 / middle;
        println!("{name:<44} {middle:>8.1} ({best:>7.1}) ns/packet {speed:>8.2} GB/s");
    }
    println!();
    for (what, name, beside) in [
        ("seal beside the raw cipher", SEALED, RAW_SEAL),
        ("open beside the raw cipher", OPENED, RAW_OPEN),
        ("seal beside an unsealed copy", SEALED, COPIED),
        ("socket to socket, sealed beside plain", PORT_SEALED, PORT_PLAIN),
    ] {
        println!("{what:<44} {:>8.2}", of(name) / of(beside));
    }
}

const RAW_SEAL: &str = "AES-128-GCM alone, seal";
const RAW_OPEN: &str = "AES-128-GCM alone, open";
const COPIED: &str = "frame into the train, unsealed";
const SEALED: &str = "frame into the train, sealed there";
const OPENED: &str = "opened where it was received";
const PORT_PLAIN: &str = "loopback, send and receive, plain";
const PORT_SEALED: &str = "loopback, send and receive, sealed";

struct Row {
    name: &'static str,
    prepare: Box<dyn FnMut()>,
    run: Box<dyn FnMut()>,
    nanos: Vec<f64>,
}

fn row(name: &'static str, prepare: impl FnMut() + 'static, run: impl FnMut() + 'static) -> Row {
    Row { name, prepare: Box::new(prepare), run: Box::new(run), nanos: Vec::new() }
}

fn key() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[3; 16]).expect("a key of the right length"))
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn frame() -> ([u8; HEADER], Vec<u8>) {
    ([1; HEADER], vec![2; FRAME - HEADER])
}

fn rows() -> Vec<Row> {
    vec![
        raw_seal(),
        raw_open(),
        copied(),
        sealed(),
        opened(),
        ports(PORT_PLAIN, false),
        ports(PORT_SEALED, true),
    ]
}

fn raw_seal() -> Row {
    let (key, mut number, mut frames) = (key(), 0, vec![[5; FRAME]; TRAIN]);
    row(
        RAW_SEAL,
        || {},
        move || {
            for frame in &mut frames {
                number += 1;
                let tag = key.seal_in_place_separate_tag(nonce(number), Aad::from([0; 8]), frame);
                black_box(tag.expect("a short frame").as_ref());
            }
        },
    )
}

fn raw_open() -> Row {
    use std::{cell::RefCell, rc::Rc};
    let frames: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
    let filled = Rc::clone(&frames);
    let prepare = move || {
        let key = key();
        *filled.borrow_mut() = (0..TRAIN as u64)
            .map(|number| {
                let mut bytes = vec![5; FRAME];
                let sealed = key.seal_in_place_append_tag(nonce(number), Aad::from([0; 8]), &mut bytes);
                sealed.expect("a short frame");
                bytes
            })
            .collect();
    };
    let key = key();
    row(RAW_OPEN, prepare, move || {
        for (number, frame) in frames.borrow_mut().iter_mut().enumerate() {
            let opened = key.open_in_place(nonce(number as u64), Aad::from([0; 8]), frame);
            black_box(opened.expect("it is genuine"));
        }
    })
}

fn copied() -> Row {
    let ((header, payload), mut out) = (frame(), Vec::with_capacity(TRAIN * 2_048));
    row(
        COPIED,
        || {},
        move || {
            out.clear();
            for _ in 0..TRAIN {
                out.extend_from_slice(&header);
                out.extend_from_slice(&payload);
            }
            black_box(&out);
        },
    )
}

fn write(key: &mut SendKey, out: &mut Vec<u8>, header: &[u8], payload: &[u8]) {
    key.seal(NOW, out, |out| {
        out.extend_from_slice(header);
        out.extend_from_slice(payload);
    });
}

fn sealed() -> Row {
    let ((header, payload), mut out) = (frame(), Vec::with_capacity(TRAIN * 2_048));
    let (mut key, _) = one_way([1; 32], NOW);
    row(
        SEALED,
        || {},
        move || {
            out.clear();
            for _ in 0..TRAIN {
                write(&mut key, &mut out, &header, &payload);
            }
            black_box(&out);
        },
    )
}

fn opened() -> Row {
    use std::{cell::RefCell, rc::Rc};
    let (mut send, mut open) = one_way([1; 32], NOW);
    let train: Rc<RefCell<Vec<BytesMut>>> = Rc::default();
    let filled = Rc::clone(&train);
    let prepare = move || {
        let (header, payload) = frame();
        let seal = |_| {
            let mut out = Vec::new();
            write(&mut send, &mut out, &header, &payload);
            BytesMut::from(&out[..])
        };
        *filled.borrow_mut() = (0..TRAIN).map(seal).collect();
    };
    row(OPENED, prepare, move || {
        for datagram in train.borrow_mut().iter_mut() {
            open.open(NOW, datagram).expect("it is genuine");
        }
    })
}

/// Both ends of loopback in one thread.
struct Pair {
    here: UdpPort,
    there: UdpPort,
    to: PeerSlot,
    keys: Option<(SendKey, OpenKey)>,
}

impl Pair {
    fn new(is_sealed: bool) -> Self {
        let port = || {
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            UdpPort::bind(any, UdpOptions::default()).expect("loopback has free ports")
        };
        let (mut here, there) = (port(), port());
        let to = here.peer(there.local_addr());
        Self { here, there, to, keys: is_sealed.then(|| one_way([1; 32], NOW)) }
    }

    fn run(&mut self, header: &[u8], payload: &[u8]) {
        let Self { here, there, to, keys } = self;
        let (mut send, mut open) = match keys {
            Some((send, open)) => (Some(send), Some(open)),
            None => (None, None),
        };
        for _ in 0..TRAIN {
            match &mut send {
                Some(key) => {
                    here.queue_built(*to, FRAME + SEALING_BYTES, |out| write(key, out, header, payload))
                }
                None => here.queue(*to, header, payload),
            };
        }
        here.flush().expect("loopback works");
        let mut got = 0;
        while got < TRAIN {
            let take = &mut |_, mut datagram: BytesMut| {
                if let Some(key) = &mut open {
                    key.open(NOW, &mut datagram).expect("it is genuine");
                }
                got += 1;
                black_box(datagram.freeze());
            };
            there.receive(take).expect("loopback works");
        }
    }
}

fn ports(name: &'static str, is_sealed: bool) -> Row {
    let ((header, payload), mut pair) = (frame(), Pair::new(is_sealed));
    row(name, || {}, move || pair.run(&header, &payload))
}
