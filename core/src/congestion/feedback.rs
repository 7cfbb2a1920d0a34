//! The report of a hop's receiver to its sender.
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +-------------------------------+-------------------------------+
//! | echoed timestamp, us          | held, us                      |
//! +-------------------------------+-------------------------------+
//! | receive rate, bytes/s                                         |
//! +---------------------------------------------------------------+
//! | loss event rate, IEEE 754 binary64                            |
//! +---------------------------------------------------------------+
//! | highest frame number                                          |
//! +---------------------------------------------------------------+
//! | frames received                                               |
//! +---------------------------------------------------------------+
//! | bytes received                                                |
//! +---------------------------------------------------------------+
//! | frames lost                                                   |
//! +---------------------------------------------------------------+
//! ```

use crate::wire::{WireError, read, split_fixed, write_at};

/// Bytes of a report.
pub const FEEDBACK_BYTES: usize = 56;

mod field {
    use core::ops::Range;
    pub(super) const ECHO: Range<usize> = 0..4;
    pub(super) const HELD: Range<usize> = 4..8;
    pub(super) const RATE: Range<usize> = 8..16;
    pub(super) const LOSS: Range<usize> = 16..24;
    pub(super) const HIGHEST: Range<usize> = 24..32;
    pub(super) const FRAMES: Range<usize> = 32..40;
    pub(super) const BYTES: Range<usize> = 40..48;
    pub(super) const LOST: Range<usize> = 48..56;
}

/// What a hop's receiver tells its sender (RFC 5348 section 3.2.2, and totals for other controllers).
///
/// Totals count from the opening of the connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feedback {
    /// Timestamp of the newest frame that arrived (`t_recvdata`), on the sender's clock, in microseconds modulo 2^32.
    pub echo_us: u32,
    /// How long ago it arrived (`t_delay`), in microseconds.
    pub held_us: u32,
    /// Rate at which frames arrived during the last round trip (`X_recv`), in bytes a second.
    pub received_bytes_per_s: u64,
    /// Loss event rate (`p`), 0 to 1.
    pub loss_event_rate: f64,
    /// Highest frame number that arrived.
    pub highest: u64,
    /// Frames that arrived.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames found lost; one that arrives late after all is taken off again.
    pub lost: u64,
}

impl Feedback {
    /// Reads a report, which must fill `bytes`. A later version may append fields: what follows is ignored.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below [`FEEDBACK_BYTES`]; [`WireError::BadField`] when the loss event rate is no
    /// number from 0 to 1.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let (bytes, _) = split_fixed::<FEEDBACK_BYTES>(bytes)?;
        let loss_event_rate = f64::from_bits(read!(bytes, field::LOSS, u64));
        if !(0.0..=1.0).contains(&loss_event_rate) {
            return Err(WireError::BadField("loss_event_rate"));
        }
        Ok(Self {
            echo_us: read!(bytes, field::ECHO, u32),
            held_us: read!(bytes, field::HELD, u32),
            received_bytes_per_s: read!(bytes, field::RATE, u64),
            loss_event_rate,
            highest: read!(bytes, field::HIGHEST, u64),
            frames: read!(bytes, field::FRAMES, u64),
            bytes: read!(bytes, field::BYTES, u64),
            lost: read!(bytes, field::LOST, u64),
        })
    }

    /// Writes the report to the first [`FEEDBACK_BYTES`] of `out`.
    ///
    /// # Panics
    /// If `out` is shorter.
    pub fn emit(&self, out: &mut [u8]) {
        let out: &mut [u8; FEEDBACK_BYTES] =
            out.first_chunk_mut().expect("the caller gives room for a report");
        write_at!(out, field::ECHO, self.echo_us);
        write_at!(out, field::HELD, self.held_us);
        write_at!(out, field::RATE, self.received_bytes_per_s);
        write_at!(out, field::LOSS, self.loss_event_rate.to_bits());
        write_at!(out, field::HIGHEST, self.highest);
        write_at!(out, field::FRAMES, self.frames);
        write_at!(out, field::BYTES, self.bytes);
        write_at!(out, field::LOST, self.lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Feedback {
        Feedback {
            echo_us: 0x0102_0304,
            held_us: 5,
            received_bytes_per_s: 6,
            loss_event_rate: 0.0125,
            highest: 7,
            frames: 8,
            bytes: 9,
            lost: 10,
        }
    }

    #[test]
    fn a_report_comes_back_as_it_was() {
        let mut bytes = [0; FEEDBACK_BYTES];
        report().emit(&mut bytes);
        assert_eq!(bytes[..8], [1, 2, 3, 4, 0, 0, 0, 5]);
        assert_eq!(Feedback::parse(&bytes), Ok(report()));
        for len in 0..FEEDBACK_BYTES {
            assert_eq!(
                Feedback::parse(&bytes[..len]),
                Err(WireError::Truncated { need: FEEDBACK_BYTES, got: len })
            );
        }
    }

    #[test]
    fn loss_rates_that_are_none_are_refused() {
        for rate in [f64::NAN, f64::INFINITY, -0.1, 1.000_001] {
            let mut bytes = [0; FEEDBACK_BYTES];
            Feedback { loss_event_rate: rate, ..report() }.emit(&mut bytes);
            assert_eq!(Feedback::parse(&bytes), Err(WireError::BadField("loss_event_rate")), "{rate}");
        }
    }
}
