//! Probes: frames by which a node measures the way to a neighbour, whether packets go there or not.
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +-------+-------+-------+-------+-------------------------------+
//! | type  | count | index |   0   | id                            |
//! +-------+-------+-------+-------+-------------------------------+
//! | held, ns                                                      |
//! +---------------------------------------------------------------+
//! | dispersion, ns                                                |
//! +-------------------------------+-------------------------------+
//! | bytes                         | padding ..
//! +-------------------------------+-------------------------------
//! ```

use super::{WireError, read, split_fixed, write_at};

/// Bytes of a probe without padding.
pub const PROBE_BYTES: usize = 28;

mod field {
    use core::ops::Range;
    pub(super) const TYPE: usize = 0;
    pub(super) const COUNT: usize = 1;
    pub(super) const INDEX: usize = 2;
    pub(super) const ID: Range<usize> = 4..8;
    pub(super) const HELD: Range<usize> = 8..16;
    pub(super) const DISPERSION: Range<usize> = 16..24;
    pub(super) const BYTES: Range<usize> = 24..28;
}

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ProbeKind {
    /// Asks for an answer, or belongs to a train.
    Request = 0,
    /// Answers a request or a train.
    Answer = 1,
    /// Answers an answer, so that the other end knows the round trip, too.
    Closing = 2,
}

/// A probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeFrame {
    /// What it is for.
    pub kind: ProbeKind,
    /// Frames of its train; 1: a single probe.
    pub count: u8,
    /// Its place in the train, or of the frame that is answered.
    pub index: u8,
    /// The asker's number of the exchange; answers repeat it.
    pub id: u32,
    /// How long ago that came which is answered.
    pub held_ns: u64,
    /// In the answer to a train: time from its first frame to the last that came.
    pub dispersion_ns: u64,
    /// In the answer to a train: bytes of the frames behind the first, with UDP and IP.
    pub bytes: u32,
}

impl ProbeFrame {
    /// Reads a probe; what follows it is padding.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below [`PROBE_BYTES`]; [`WireError::BadField`] for an unknown type, or a place beyond
    /// the train.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let (bytes, _) = split_fixed::<PROBE_BYTES>(bytes)?;
        let kind = match bytes[field::TYPE] {
            0 => ProbeKind::Request,
            1 => ProbeKind::Answer,
            2 => ProbeKind::Closing,
            _ => return Err(WireError::BadField("type")),
        };
        let (count, index) = (bytes[field::COUNT], bytes[field::INDEX]);
        if index >= count {
            return Err(WireError::BadField("index"));
        }
        Ok(Self {
            kind,
            count,
            index,
            id: read!(bytes, field::ID, u32),
            held_ns: read!(bytes, field::HELD, u64),
            dispersion_ns: read!(bytes, field::DISPERSION, u64),
            bytes: read!(bytes, field::BYTES, u32),
        })
    }

    /// Writes the probe to the first [`PROBE_BYTES`] of `out`.
    ///
    /// # Panics
    /// If `out` is shorter.
    pub fn emit(&self, out: &mut [u8]) {
        let out: &mut [u8; PROBE_BYTES] = out.first_chunk_mut().expect("the caller gives room for a probe");
        out[..field::ID.start].copy_from_slice(&[self.kind as u8, self.count, self.index, 0]);
        write_at!(out, field::ID, self.id);
        write_at!(out, field::HELD, self.held_ns);
        write_at!(out, field::DISPERSION, self.dispersion_ns);
        write_at!(out, field::BYTES, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> ProbeFrame {
        let (held_ns, dispersion_ns) = (0x10, 0x20);
        ProbeFrame { kind: ProbeKind::Answer, count: 8, index: 7, id: 5, held_ns, dispersion_ns, bytes: 9 }
    }

    /// Aim: what is written is read again, with any padding behind; less than a probe, unknown types and places beyond
    /// the train are refused.
    #[test]
    fn a_probe_comes_back_as_it_was() {
        let mut bytes = [0xFF; PROBE_BYTES + 3];
        answer().emit(&mut bytes);
        assert_eq!(bytes[..8], [1, 8, 7, 0, 0, 0, 0, 5]);
        assert_eq!(ProbeFrame::parse(&bytes), Ok(answer()));
        for len in 0..PROBE_BYTES {
            let short = WireError::Truncated { need: PROBE_BYTES, got: len };
            assert_eq!(ProbeFrame::parse(&bytes[..len]), Err(short));
        }
        bytes[2] = 8;
        assert_eq!(ProbeFrame::parse(&bytes), Err(WireError::BadField("index")));
        bytes[0] = 3;
        assert_eq!(ProbeFrame::parse(&bytes), Err(WireError::BadField("type")));
    }
}
