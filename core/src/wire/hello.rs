//! Bodies of hello, hello-ack and hello-done frames.
//!
//! ```text
//! +-------------------------------+-------------------------------+
//! |             node              |          incarnation          |
//! +-------------------------------+---------------+-------+-------+
//! |          connection           |      MTU      |ver.min|ver.max|
//! +-------------------------------+---------------+-------+-------+
//! |        timestamp (us)         |           echo (us)           |
//! +-------------------------------+-------+-----------------------+
//! |           hold (us)           | flags |     29 bytes in all
//! +-------------------------------+-------+
//! ```

use crate::wire::error::WireError;
use crate::wire::field::{get, put, take};

/// Bytes of a hello body.
pub const HELLO_BYTES: usize = 29;

mod field {
    pub(super) const NODE: usize = 0;
    pub(super) const INCARNATION: usize = 4;
    pub(super) const CONNECTION: usize = 8;
    pub(super) const MTU: usize = 12;
    pub(super) const VERSION_MIN: usize = 14;
    pub(super) const VERSION_MAX: usize = 15;
    pub(super) const TIMESTAMP: usize = 16;
    pub(super) const ECHO: usize = 20;
    pub(super) const HOLD: usize = 24;
    pub(super) const FLAGS: usize = 28;
}

/// Flag: the echo field holds a timestamp.
const ECHO_PRESENT: u8 = 1;

/// A hello message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The sender.
    pub node: u32,
    /// Which start of it this is.
    pub incarnation: u32,
    /// The id by which it wants to be addressed on this hop.
    pub connection: u32,
    /// Largest IP packet that its links take.
    pub mtu: u16,
    /// Lowest wire version that it speaks.
    pub version_min: u8,
    /// Highest wire version that it speaks.
    pub version_max: u8,
    /// Its clock, microseconds modulo 2^32.
    pub timestamp_us: u32,
    /// The timestamp of the message that this one answers.
    pub echo_us: Option<u32>,
    /// How long that message was held before this one was sent, microseconds.
    pub hold_us: u32,
}

impl Hello {
    /// Parses a hello body; bytes after it are ignored (room for later versions).
    ///
    /// # Errors
    /// Truncation; a version range that does not hold ours; node id 0 or with the top bit.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let (body, _) = take::<HELLO_BYTES>(bytes)?;
        let (version_min, version_max) = (body[field::VERSION_MIN], body[field::VERSION_MAX]);
        if !(version_min..=version_max).contains(&super::frame::WIRE_VERSION) {
            return Err(WireError::UnknownVersion(version_min));
        }
        let node = get!(body, field::NODE, u32);
        if crate::ids::NodeId::new(node).is_none() {
            return Err(WireError::IllegalField("node"));
        }
        let echo = get!(body, field::ECHO, u32);
        Ok(Self {
            node,
            incarnation: get!(body, field::INCARNATION, u32),
            connection: get!(body, field::CONNECTION, u32),
            mtu: get!(body, field::MTU, u16),
            version_min,
            version_max,
            timestamp_us: get!(body, field::TIMESTAMP, u32),
            echo_us: (body[field::FLAGS] & ECHO_PRESENT != 0).then_some(echo),
            hold_us: get!(body, field::HOLD, u32),
        })
    }

    /// Writes the body to the first 29 bytes of `out`.
    ///
    /// # Panics
    /// If `out` is shorter.
    pub fn emit(&self, out: &mut [u8]) {
        let out = &mut out[..HELLO_BYTES];
        put!(out, field::NODE, self.node);
        put!(out, field::INCARNATION, self.incarnation);
        put!(out, field::CONNECTION, self.connection);
        put!(out, field::MTU, self.mtu);
        out[field::VERSION_MIN] = self.version_min;
        out[field::VERSION_MAX] = self.version_max;
        put!(out, field::TIMESTAMP, self.timestamp_us);
        put!(out, field::ECHO, self.echo_us.unwrap_or(0));
        put!(out, field::HOLD, self.hold_us);
        out[field::FLAGS] = if self.echo_us.is_some() { ECHO_PRESENT } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_truncations() {
        for echo_us in [None, Some(0), Some(77)] {
            let hello = Hello {
                node: 7,
                incarnation: 3,
                connection: 9,
                mtu: 1_500,
                version_min: 1,
                version_max: 4,
                timestamp_us: 5,
                echo_us,
                hold_us: 6,
            };
            let mut out = [0; HELLO_BYTES];
            hello.emit(&mut out);
            assert_eq!(Hello::parse(&out), Ok(hello));
            for n in 0..HELLO_BYTES {
                assert!(Hello::parse(&out[..n]).is_err());
            }
        }
    }

    #[test]
    fn later_versions_and_impossible_nodes_are_refused() {
        let mut out = [0; HELLO_BYTES];
        assert_eq!(Hello::parse(&out), Err(WireError::UnknownVersion(0)));
        out[field::VERSION_MIN] = 1;
        out[field::VERSION_MAX] = 1;
        assert_eq!(Hello::parse(&out), Err(WireError::IllegalField("node")));
    }
}
