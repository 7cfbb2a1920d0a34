//! Control frames: numbered messages of a control hop, and what they say.
//!
//! ```text
//! +-------------------------------+-------------------------------+-------+
//! |           sequence            |      ack (next expected)      | flags |
//! +-------------------------------+-------------------------------+-------+
//! ```
//! With flag bit 0 a message follows: id u64, origin u32, type u8, route length u16, route (one Pathlet, the
//! receiver's own, or nothing where the message goes from neighbour to neighbour), then the body to the end.

use crate::ids::{ConferenceId, FlowId, Incarnation, NodeId, SessionKey};
use crate::io::HopKind;
use crate::wire::error::WireError;
use crate::wire::field::{get, take, take_slice};

/// Bytes of a control frame's own header.
pub const CONTROL_HEADER_BYTES: usize = 9;
/// Most bytes of one message, route included.
pub const CONTROL_MESSAGE_BYTES_MAX: usize = 1_400;
const HAS_MESSAGE: u8 = 1;

/// The numbers of a control frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlHeader {
    /// Number of the message on this hop.
    pub sequence: u32,
    /// The number that the sender expects next from the receiver.
    pub ack: u32,
    /// Whether a message follows.
    pub has_message: bool,
}

impl ControlHeader {
    /// Parses the numbers; returns them and the message's bytes.
    ///
    /// # Errors
    /// Truncation.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), WireError> {
        let (header, rest) = take::<CONTROL_HEADER_BYTES>(bytes)?;
        let parsed = Self {
            sequence: get!(header, 0, u32),
            ack: get!(header, 4, u32),
            has_message: header[8] & HAS_MESSAGE != 0,
        };
        Ok((parsed, rest))
    }

    /// Appends the numbers to `out`.
    pub fn emit_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.ack.to_be_bytes());
        out.push(if self.has_message { HAS_MESSAGE } else { 0 });
    }
}

/// A control message.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlMessage {
    /// Unique at its origin: handling a message twice is prevented by it.
    pub id: u64,
    /// The node that made it.
    pub origin: NodeId,
    /// The receiver's Pathlet, or nothing.
    pub route: Vec<u8>,
    /// What it says.
    pub body: ControlBody,
}

/// What a control message says.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlBody {
    /// A feeder overflowed.
    Overflow {
        /// The session that lost packets.
        key: SessionKey,
        /// The flow of the last of them.
        flow: FlowId,
        /// The node whose feeder it was.
        node: NodeId,
        /// Packets lost since the last notice.
        dropped_packets: u32,
        /// Their bytes.
        dropped_bytes: u64,
    },
    /// A conference ended: its queues can go.
    ConferenceEnd {
        /// The conference.
        conference: ConferenceId,
    },
    /// A node wants to be a destination.
    Join {
        /// The session.
        key: SessionKey,
        /// The node.
        node: NodeId,
    },
    /// A node does not want to be a destination any more.
    Leave {
        /// The session.
        key: SessionKey,
        /// The node.
        node: NodeId,
    },
    /// A planner's decision for the source of a session.
    Install {
        /// The session.
        key: SessionKey,
        /// Which start of the planner decided.
        planner: Incarnation,
        /// Its count of decisions for the session.
        version: u32,
        /// Share and RoutingInfo of each flow.
        flows: Vec<(f64, Vec<u8>)>,
    },
    /// Packets of a session will pass here: open the hops that they need.
    Setup {
        /// The session.
        key: SessionKey,
        /// The kind of hop that carries it.
        kind: HopKind,
    },
}

impl ControlMessage {
    /// Parses a message that fills `bytes`. Allocates no more than `bytes` has.
    ///
    /// # Errors
    /// Truncation, unknown types, illegal ids, bytes left over.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > CONTROL_MESSAGE_BYTES_MAX {
            return Err(WireError::TooLong { most: CONTROL_MESSAGE_BYTES_MAX, got: bytes.len() });
        }
        let (head, rest) = take::<15>(bytes)?;
        let (route, body) = take_slice(rest, usize::from(get!(head, 13, u16)))?;
        let mut reader = Reader { rest: body };
        let body = match head[12] {
            1 => ControlBody::Overflow {
                key: reader.key()?,
                flow: FlowId(reader.u16()?),
                node: reader.node()?,
                dropped_packets: reader.u32()?,
                dropped_bytes: reader.u64()?,
            },
            2 => ControlBody::ConferenceEnd { conference: ConferenceId(reader.u32()?) },
            3 => ControlBody::Join { key: reader.key()?, node: reader.node()? },
            4 => ControlBody::Leave { key: reader.key()?, node: reader.node()? },
            5 => {
                let (key, planner, version) = (reader.key()?, Incarnation(reader.u32()?), reader.u32()?);
                let mut flows = Vec::new();
                while !reader.rest.is_empty() {
                    let share = f64::from_bits(reader.u64()?);
                    let length = usize::from(reader.u16()?);
                    let (info, after) = take_slice(reader.rest, length)?;
                    reader.rest = after;
                    flows.push((share, info.to_vec()));
                }
                ControlBody::Install { key, planner, version, flows }
            }
            6 => ControlBody::Setup {
                key: reader.key()?,
                kind: match reader.u8()? {
                    0 => HopKind::Datagram,
                    1 => HopKind::Stream,
                    _ => return Err(WireError::IllegalField("kind")),
                },
            },
            other => return Err(WireError::UnknownKind(other)),
        };
        if !reader.rest.is_empty() {
            return Err(WireError::LengthMismatch);
        }
        let origin = NodeId::new(get!(head, 8, u32)).ok_or(WireError::IllegalField("origin"))?;
        Ok(Self { id: get!(head, 0, u64), origin, route: route.to_vec(), body })
    }

    /// Returns the message as bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.origin.get().to_be_bytes());
        out.push(self.body.kind());
        out.extend_from_slice(&(self.route.len() as u16).to_be_bytes());
        out.extend_from_slice(&self.route);
        self.body.emit_into(&mut out);
        out
    }
}

impl ControlBody {
    fn kind(&self) -> u8 {
        match self {
            Self::Overflow { .. } => 1,
            Self::ConferenceEnd { .. } => 2,
            Self::Join { .. } => 3,
            Self::Leave { .. } => 4,
            Self::Install { .. } => 5,
            Self::Setup { .. } => 6,
        }
    }

    fn emit_into(&self, out: &mut Vec<u8>) {
        let put_key = |out: &mut Vec<u8>, key: &SessionKey| {
            out.extend_from_slice(&key.conference.0.to_be_bytes());
            out.extend_from_slice(&key.session.0.to_be_bytes());
        };
        match self {
            Self::Overflow { key, flow, node, dropped_packets, dropped_bytes } => {
                put_key(out, key);
                out.extend_from_slice(&flow.0.to_be_bytes());
                out.extend_from_slice(&node.get().to_be_bytes());
                out.extend_from_slice(&dropped_packets.to_be_bytes());
                out.extend_from_slice(&dropped_bytes.to_be_bytes());
            }
            Self::ConferenceEnd { conference } => out.extend_from_slice(&conference.0.to_be_bytes()),
            Self::Join { key, node } | Self::Leave { key, node } => {
                put_key(out, key);
                out.extend_from_slice(&node.get().to_be_bytes());
            }
            Self::Install { key, planner, version, flows } => {
                put_key(out, key);
                out.extend_from_slice(&planner.0.to_be_bytes());
                out.extend_from_slice(&version.to_be_bytes());
                for (share, info) in flows {
                    out.extend_from_slice(&share.to_bits().to_be_bytes());
                    out.extend_from_slice(&(info.len() as u16).to_be_bytes());
                    out.extend_from_slice(info);
                }
            }
            Self::Setup { key, kind } => {
                put_key(out, key);
                out.push(u8::from(*kind == HopKind::Stream));
            }
        }
    }
}

/// Reads the fields of a body one after the other.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (bytes, rest) = take::<N>(self.rest)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn key(&mut self) -> Result<SessionKey, WireError> {
        Ok(SessionKey::new(self.u32()?, self.u32()?))
    }

    fn node(&mut self) -> Result<NodeId, WireError> {
        NodeId::new(self.u32()?).ok_or(WireError::IllegalField("node"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> Vec<ControlMessage> {
        let key = SessionKey::new(1, 2);
        let node = NodeId::new(9).unwrap();
        [
            ControlBody::Overflow { key, flow: FlowId(3), node, dropped_packets: 4, dropped_bytes: 5 },
            ControlBody::ConferenceEnd { conference: ConferenceId(7) },
            ControlBody::Join { key, node },
            ControlBody::Leave { key, node },
            ControlBody::Install {
                key,
                planner: Incarnation(2),
                version: 8,
                flows: vec![(0.25, vec![1, 2, 3]), (0.75, vec![])],
            },
            ControlBody::Setup { key, kind: HopKind::Stream },
        ]
        .into_iter()
        .map(|body| ControlMessage { id: 77, origin: node, route: vec![0, 6, 128, 0, 0, 2], body })
        .collect()
    }

    #[test]
    fn round_trips_and_truncations() {
        for message in messages() {
            let bytes = message.emit();
            assert_eq!(ControlMessage::parse(&bytes), Ok(message.clone()));
            for n in 0..bytes.len() {
                // An Install cut between flows is a legal, shorter Install.
                match ControlMessage::parse(&bytes[..n]) {
                    Ok(cut) => assert!(matches!(cut.body, ControlBody::Install { .. })),
                    Err(error) => assert!(matches!(error, WireError::Truncated { .. })),
                }
            }
        }
    }

    #[test]
    fn bytes_left_over_are_refused() {
        for message in messages() {
            let mut bytes = message.emit();
            bytes.push(0);
            assert!(ControlMessage::parse(&bytes).is_err());
        }
    }

    #[test]
    fn headers_round_trip() {
        let header = ControlHeader { sequence: 1, ack: 2, has_message: true };
        let mut out = Vec::new();
        header.emit_into(&mut out);
        out.push(9);
        assert_eq!(ControlHeader::parse(&out), Ok((header, &[9][..])));
    }
}
