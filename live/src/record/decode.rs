//! Records out of the body of a block.

use super::encode::identity;
use super::format::Kind;
use bellini_core::ids::{HopIndex, NodeId, SessionKey};
use bellini_core::io::{HopKind, Input, Received};
use bellini_core::payload::{self, Payload, Synthetic};
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bytes::Bytes;

/// One thing that a driver did with its node, or what the log says came of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Record<'a> {
    /// The driver asked for a hop that was not there.
    Hop {
        /// The peer.
        peer: NodeId,
        /// The kind.
        kind: HopKind,
        /// The index that it got.
        index: HopIndex,
    },
    /// An input.
    Input(Input<'a>),
    /// Outputs were drained.
    Drain(DrainRecord),
    /// What sinks had open was judged.
    Finish,
    /// What the sink of one session had open was judged.
    FinishSession(SessionKey),
    /// All counters.
    Checkpoint(CheckpointRecord),
    /// The end of a whole log, with the final figures.
    End(EndRecord),
    /// Recording stopped, for this reason.
    Stopped(String),
}

/// A drain and what it gave.
#[derive(Debug, PartialEq, Eq)]
pub struct DrainRecord {
    /// The budget that the driver gave.
    pub budget: usize,
    /// Which frames of this drain the driver kept, counted from 0.
    pub kept: Vec<u64>,
    /// Frames that came out.
    pub transmits: u64,
    /// Events that came out.
    pub events: u64,
    /// How it ended, as [`put_drained`](super::node::put_drained) writes it.
    pub(super) drained: Vec<u8>,
    /// The beginning of the hash of all outputs so far.
    pub(super) mark: [u8; 8],
}

/// All counters at one time.
#[derive(Debug, PartialEq, Eq)]
pub struct CheckpointRecord {
    /// Frames since the start.
    pub transmits: u64,
    /// Events since the start.
    pub events: u64,
    /// Inputs since the start that the node refused.
    pub refused: u64,
    pub(super) digest: [u8; 32],
    /// The node's counters (postcard).
    pub(super) stats: Vec<u8>,
}

/// The final figures.
#[derive(Debug, PartialEq, Eq)]
pub struct EndRecord {
    /// SHA-256 of the figures' text.
    pub(super) digest: [u8; 32],
    /// The figures as JSON; empty where they were too long.
    pub(super) figures: Vec<u8>,
}

/// Reads the records of one block.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    seed: Seed,
    body: &'a Bytes,
    at: usize,
    now: Instant,
}

type Decoded<T> = Result<T, &'static str>;

impl<'a> Decoder<'a> {
    /// `now`: the time of the record before the block.
    pub(super) fn new(seed: Seed, body: &'a Bytes, now: Instant) -> Self {
        Self { seed, body, at: 0, now }
    }

    /// Returns the bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Returns the next record with its time, or `None` at the end of the block.
    pub(super) fn next(&mut self) -> Decoded<Option<(Instant, Record<'a>)>> {
        if self.at == self.body.len() {
            return Ok(None);
        }
        let kind = Kind::from_u8(self.byte()?).ok_or("a record of unknown kind")?;
        if !matches!(kind, Kind::Hop | Kind::Stopped) {
            let span = Duration::from_nanos(self.varint()?);
            self.now = self.now.checked_add(span).ok_or("a time that is no time")?;
        }
        let record = self.record(kind)?;
        Ok(Some((self.now, record)))
    }

    fn record(&mut self, kind: Kind) -> Decoded<Record<'a>> {
        Ok(match kind {
            Kind::Hop => {
                let peer = NodeId::new(self.number()?).ok_or("a hop to a node without an id")?;
                let kind = match self.byte()? {
                    0 => HopKind::Datagram,
                    1 => HopKind::Stream,
                    2 => HopKind::Control,
                    3 => HopKind::Paced,
                    _ => return Err("a hop of unknown kind"),
                };
                Record::Hop { peer, kind, index: self.hop()? }
            }
            Kind::Datagram => {
                let hop = self.hop()?;
                let frame = Received::Datagram(self.shared()?);
                Record::Input(Input::Frame { hop, frame })
            }
            Kind::DatagramOf => {
                let hop = self.hop()?;
                let frame = Received::Datagram(self.datagram_of()?);
                Record::Input(Input::Frame { hop, frame })
            }
            Kind::SplitBytes => {
                let hop = self.hop()?;
                let frame =
                    Received::Split { header: self.bytes()?, payload: Payload::Bytes(self.shared()?) };
                Record::Input(Input::Frame { hop, frame })
            }
            Kind::SplitSynthetic => {
                let hop = self.hop()?;
                let header = self.bytes()?;
                let key = self.key()?;
                let what =
                    Synthetic { key, symbol: self.varint()?, offset: self.number()?, len: self.number()? };
                let frame = Received::Split { header, payload: Payload::Synthetic(what) };
                Record::Input(Input::Frame { hop, frame })
            }
            Kind::Stream => Record::Input(Input::Stream { hop: self.hop()?, chunk: self.shared()? }),
            Kind::Opened => Record::Input(Input::Opened { hop: self.hop()? }),
            Kind::Closed => Record::Input(Input::Closed { hop: self.hop()? }),
            Kind::Room => Record::Input(Input::Room { hop: self.hop()?, bytes: self.varint()? }),
            Kind::Blocked => Record::Input(Input::Blocked { hop: self.hop()? }),
            Kind::Command => {
                let written = self.bytes()?;
                let command = postcard::from_bytes(written).map_err(|_| "a command that is none")?;
                Record::Input(Input::Command(command))
            }
            Kind::Timeout => Record::Input(Input::Timeout),
            Kind::Drain => Record::Drain(self.drain()?),
            Kind::Finish => Record::Finish,
            Kind::FinishSession => Record::FinishSession(self.key()?),
            Kind::Checkpoint => Record::Checkpoint(CheckpointRecord {
                transmits: self.varint()?,
                events: self.varint()?,
                refused: self.varint()?,
                digest: self.array()?,
                stats: self.bytes()?.to_vec(),
            }),
            Kind::End => Record::End(EndRecord { digest: self.array()?, figures: self.bytes()?.to_vec() }),
            Kind::Stopped => Record::Stopped(String::from_utf8_lossy(self.bytes()?).into_owned()),
        })
    }

    fn drain(&mut self) -> Decoded<DrainRecord> {
        let budget = usize::try_from(self.varint()?).map_err(|_| "a budget that is too large")?;
        let count = self.varint()?;
        let mut kept = Vec::new();
        for _ in 0..count {
            // Nothing is set aside for a count that the bytes do not bear out.
            kept.push(self.varint()?);
        }
        let (transmits, events) = (self.varint()?, self.varint()?);
        let start = self.at;
        match self.byte()? {
            1 => drop(self.varint()?),
            0 | 2 => {}
            _ => return Err("a drain that ended in an unknown way"),
        }
        let drained = self.body[start..self.at].to_vec();
        Ok(DrainRecord { budget, kept, transmits, events, drained, mark: self.array()? })
    }

    /// Makes a datagram whole whose payload is its session's content.
    fn datagram_of(&mut self) -> Decoded<Bytes> {
        let header = self.bytes()?;
        let length = u16::try_from(self.varint()?).map_err(|_| "a payload that fits no datagram")?;
        let (key, symbol, _) = identity(header, usize::from(length)).ok_or("a payload of no packet")?;
        let mut datagram = vec![0; header.len() + usize::from(length)];
        let (head, payload) = datagram.split_at_mut(header.len());
        head.copy_from_slice(header);
        payload::fill(self.seed, Synthetic { key, symbol, offset: 0, len: u32::from(length) }, payload);
        Ok(Bytes::from(datagram))
    }

    fn byte(&mut self) -> Decoded<u8> {
        let byte = *self.body.get(self.at).ok_or("a record that is cut short")?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Decoded<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7F);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number that is too large")
    }

    fn number(&mut self) -> Decoded<u32> {
        u32::try_from(self.varint()?).map_err(|_| "a number that is too large")
    }

    fn hop(&mut self) -> Decoded<HopIndex> {
        self.number().map(HopIndex)
    }

    fn key(&mut self) -> Decoded<SessionKey> {
        Ok(SessionKey::new(self.number()?, self.number()?))
    }

    fn range(&mut self) -> Decoded<std::ops::Range<usize>> {
        let length = usize::try_from(self.varint()?).map_err(|_| "a record that is cut short")?;
        let end = self.at.checked_add(length).filter(|end| *end <= self.body.len());
        let range = self.at..end.ok_or("a record that is cut short")?;
        self.at = range.end;
        Ok(range)
    }

    fn bytes(&mut self) -> Decoded<&'a [u8]> {
        let body = self.body;
        Ok(&body[self.range()?])
    }

    fn shared(&mut self) -> Decoded<Bytes> {
        Ok(self.body.slice(self.range()?))
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let array = *self.body[self.at..].first_chunk().ok_or("a record that is cut short")?;
        self.at += N;
        Ok(array)
    }
}
