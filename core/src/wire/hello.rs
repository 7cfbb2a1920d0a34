//! Hellos: three messages open a hop and teach both ends what they need of each other.
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +-------------------------------+-------------------------------+
//! | node                          | incarnation                   |
//! +-------------------------------+---------------+-------+-------+
//! | connection                    | mtu           | v min | v max |
//! +-------------------------------+---------------+-------+-------+
//! | timestamp, us                 | echo, us                      |
//! +-------------------------------+-------+-----------------------+
//! | hold, us                      | flags | later versions: ignored
//! +-------------------------------+-------+
//! ```
//! Hello, hello-ack and hello-done have the same body; the frame's kind tells them apart.

use super::frame::{FRAME_HEADER_BYTES, SEAL_BYTES, UDP_IP_BYTES};
use super::{WireError, read, split_fixed, write_at};
use crate::ids::{Incarnation, NodeId};

/// Bytes of a hello's body.
pub const HELLO_BYTES: usize = 29;

/// The smallest MTU that a hello may tell, in bytes with UDP and IP: one that the hello itself fits.
pub const MTU_MIN: u16 = (UDP_IP_BYTES + FRAME_HEADER_BYTES + HELLO_BYTES + SEAL_BYTES) as u16;

/// Set when `echo` and `hold` mean something.
const FLAG_ECHO: u8 = 1 << 0;

mod field {
    use core::ops::Range;
    pub(super) const NODE: Range<usize> = 0..4;
    pub(super) const INCARNATION: Range<usize> = 4..8;
    pub(super) const CONNECTION: Range<usize> = 8..12;
    pub(super) const MTU: Range<usize> = 12..14;
    pub(super) const VERSION_MIN: usize = 14;
    pub(super) const VERSION_MAX: usize = 15;
    pub(super) const TIMESTAMP: Range<usize> = 16..20;
    pub(super) const ECHO: Range<usize> = 20..24;
    pub(super) const HOLD: Range<usize> = 24..28;
    pub(super) const FLAGS: usize = 28;
}

/// What one end of a hop tells the other about itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The sender.
    pub node: NodeId,
    /// Which start of the sender this is: higher is newer.
    pub incarnation: Incarnation,
    /// The sender's own id of the connection; the peer puts it into every frame to the sender.
    pub connection: u32,
    /// The largest datagram that the sender takes, in bytes with UDP and IP; at least [`MTU_MIN`].
    pub mtu: u16,
    /// The oldest protocol version that the sender speaks.
    pub version_min: u8,
    /// The newest protocol version that the sender speaks; not less than `version_min`.
    pub version_max: u8,
    /// The sender's clock when it sent this, in microseconds modulo 2^32.
    pub timestamp_us: u32,
    /// The peer's hello that this answers; none in the first message.
    pub echo: Option<Echo>,
}

/// Gives a timestamp back to its owner, who then knows the round-trip time.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The owner's timestamp, as it was received, in microseconds modulo 2^32.
    pub timestamp_us: u32,
    /// Time between its receipt and this answer, in microseconds.
    pub hold_us: u32,
}

impl Hello {
    /// Reads a hello's body; bytes after it belong to later versions and are ignored.
    ///
    /// # Errors
    /// [`WireError::Truncated`] below [`HELLO_BYTES`]; [`WireError::BadField`] for an illegal node id, an MTU
    /// that a hello does not fit, or a version range that is empty.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let (body, _) = split_fixed::<HELLO_BYTES>(bytes)?;
        let hello = Self {
            node: NodeId::new(read!(body, field::NODE, u32)).ok_or(WireError::BadField("node"))?,
            incarnation: Incarnation(read!(body, field::INCARNATION, u32)),
            connection: read!(body, field::CONNECTION, u32),
            mtu: read!(body, field::MTU, u16),
            version_min: body[field::VERSION_MIN],
            version_max: body[field::VERSION_MAX],
            timestamp_us: read!(body, field::TIMESTAMP, u32),
            echo: (body[field::FLAGS] & FLAG_ECHO != 0).then(|| Echo {
                timestamp_us: read!(body, field::ECHO, u32),
                hold_us: read!(body, field::HOLD, u32),
            }),
        };
        if hello.mtu < MTU_MIN {
            return Err(WireError::BadField("mtu"));
        }
        if hello.version_min > hello.version_max {
            return Err(WireError::BadField("version_max"));
        }
        Ok(hello)
    }

    /// Writes the body to the first [`HELLO_BYTES`] of `out`.
    ///
    /// # Panics
    /// If `out` is shorter.
    pub fn emit(&self, out: &mut [u8]) {
        let out: &mut [u8; HELLO_BYTES] = out.first_chunk_mut().expect("the caller gives room for a hello");
        write_at!(out, field::NODE, self.node.get());
        write_at!(out, field::INCARNATION, self.incarnation.0);
        write_at!(out, field::CONNECTION, self.connection);
        write_at!(out, field::MTU, self.mtu);
        out[field::VERSION_MIN] = self.version_min;
        out[field::VERSION_MAX] = self.version_max;
        write_at!(out, field::TIMESTAMP, self.timestamp_us);
        let echo = self.echo.unwrap_or(Echo { timestamp_us: 0, hold_us: 0 });
        write_at!(out, field::ECHO, echo.timestamp_us);
        write_at!(out, field::HOLD, echo.hold_us);
        out[field::FLAGS] = if self.echo.is_some() { FLAG_ECHO } else { 0 };
    }

    /// Returns the round-trip time in microseconds that this answer shows when it arrives at `now_us` on the
    /// clock whose timestamp it echoes (microseconds modulo 2^32).
    ///
    /// `None` when it echoes nothing, or when it claims to have been held longer than it was away.
    #[must_use]
    pub fn rtt_us(&self, now_us: u32) -> Option<u32> {
        let echo = self.echo?;
        now_us.wrapping_sub(echo.timestamp_us).checked_sub(echo.hold_us)
    }

    /// Returns the newest version that both the sender and a node speaking `min..=max` know.
    #[must_use]
    pub fn common_version(&self, min: u8, max: u8) -> Option<u8> {
        let newest = self.version_max.min(max);
        (newest >= self.version_min.max(min)).then_some(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{hex, runner};
    use proptest::prelude::*;

    const FIRST: Hello = Hello {
        node: NodeId::new(2).expect("2 is a node id"),
        incarnation: Incarnation(1),
        connection: 7,
        mtu: 1500,
        version_min: 1,
        version_max: 1,
        timestamp_us: 1_000_000,
        echo: None,
    };

    fn emitted(hello: Hello) -> [u8; HELLO_BYTES] {
        let mut out = [0xFF; HELLO_BYTES];
        hello.emit(&mut out);
        out
    }

    #[test]
    fn the_body_is_as_documented() {
        let first = hex("00000002 00000001 00000007 05DC 01 01 000F4240 00000000 00000000 00");
        assert_eq!(emitted(FIRST)[..], first);
        let answer = Hello { echo: Some(Echo { timestamp_us: 500, hold_us: 30 }), ..FIRST };
        let bytes = hex("00000002 00000001 00000007 05DC 01 01 000F4240 000001F4 0000001E 01");
        assert_eq!(emitted(answer)[..], bytes);
        assert_eq!(Hello::parse(&bytes), Ok(answer));
    }

    #[test]
    fn hellos_make_round_trips() {
        let ends = (1..=NodeId::MAX, any::<u32>(), any::<u32>(), MTU_MIN..);
        let rest = (any::<u8>(), any::<u8>(), any::<u32>(), any::<Option<(u32, u32)>>());
        runner(1000)
            .run(&(ends, rest), |((node, incarnation, connection, mtu), (a, b, timestamp_us, echo))| {
                let hello = Hello {
                    node: NodeId::new(node).expect("drawn from the range of ids"),
                    incarnation: Incarnation(incarnation),
                    connection,
                    mtu,
                    version_min: a.min(b),
                    version_max: a.max(b),
                    timestamp_us,
                    echo: echo.map(|(timestamp_us, hold_us)| Echo { timestamp_us, hold_us }),
                };
                prop_assert_eq!(Hello::parse(&emitted(hello)), Ok(hello));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn illegal_bodies_are_refused() {
        let bytes = emitted(FIRST);
        for got in 0..HELLO_BYTES {
            assert_eq!(Hello::parse(&bytes[..got]), Err(WireError::Truncated { need: HELLO_BYTES, got }));
        }
        let with = |at: usize, value: u8| {
            let mut changed = bytes;
            changed[at] = value;
            Hello::parse(&changed)
        };
        assert_eq!(with(3, 0), Err(WireError::BadField("node")));
        assert_eq!(with(0, 0x80), Err(WireError::BadField("node")));
        assert_eq!(with(12, 0), Ok(Hello { mtu: 0xDC, ..FIRST }));
        assert_eq!(
            Hello::parse(&emitted(Hello { mtu: MTU_MIN - 1, ..FIRST })),
            Err(WireError::BadField("mtu"))
        );
        assert_eq!(with(14, 2), Err(WireError::BadField("version_max")));
        // Bytes behind belong to a later version.
        assert_eq!(Hello::parse(&[&bytes[..], b"later"].concat()), Ok(FIRST));
    }

    #[test]
    fn the_round_trip_time_leaves_out_the_hold_and_survives_the_wrap() {
        let answer = |timestamp_us, hold_us| Hello { echo: Some(Echo { timestamp_us, hold_us }), ..FIRST };
        assert_eq!(answer(1_000, 200).rtt_us(41_200), Some(40_000));
        assert_eq!(answer(u32::MAX - 99, 50).rtt_us(100), Some(150));
        assert_eq!(answer(1_000, 201).rtt_us(1_200), None);
        assert_eq!(FIRST.rtt_us(5), None);
    }

    #[test]
    fn the_newest_common_version_is_taken() {
        let peer = Hello { version_min: 2, version_max: 4, ..FIRST };
        assert_eq!(peer.common_version(1, 3), Some(3));
        assert_eq!(peer.common_version(4, 9), Some(4));
        assert_eq!(peer.common_version(1, 1), None);
        assert_eq!(peer.common_version(5, 9), None);
    }
}
