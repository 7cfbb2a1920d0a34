//! Bodies of control messages.

use super::{
    CLOCK_PATH_MAX, CONTROL_ROUTE_LIMITS, ConferenceId, ControlBody, Epoch, FlowId, Incarnation, InstallFlow,
    NodeId, SessionId, SessionKey, validate_pathlet,
};
use crate::io::HopKind;
use crate::wire::{WireError, split_fixed};

const OVERFLOW: u8 = 1;
const CONFERENCE_END: u8 = 2;
const JOIN: u8 = 3;
const LEAVE: u8 = 4;
const INSTALL: u8 = 5;
const SETUP: u8 = 6;
const CLOCK_PROBE: u8 = 7;
const CLOCK_REPLY: u8 = 8;
const PRESSURE: u8 = 9;
const RELEASE: u8 = 10;
const BEGIN: u8 = 11;
const REGISTER: u8 = 12;
const HOP_STATE: u8 = 20;
const HOP_LOSS: u8 = 21;

const OVERFLOW_BYTES: usize = 26;
const SETUP_BYTES: usize = 9;
const INSTALL_HEADER_BYTES: usize = 18;
const FLOW_HEADER_BYTES: usize = 10;
const CLOCK_PROBE_HEADER_BYTES: usize = 17;
const CLOCK_REPLY_BYTES: usize = 24;
const PRESSURE_BYTES: usize = 5;
const BEGIN_BYTES: usize = 18;
const REGISTER_HEADER_BYTES: usize = 10;
const HOP_STATE_BYTES: usize = 17;

impl ControlBody {
    /// Returns the number of the message's type.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Overflow { .. } => OVERFLOW,
            Self::ConferenceEnd { .. } => CONFERENCE_END,
            Self::Join { .. } => JOIN,
            Self::Leave { .. } => LEAVE,
            Self::Install { .. } => INSTALL,
            Self::Setup { .. } => SETUP,
            Self::ClockProbe { .. } => CLOCK_PROBE,
            Self::ClockReply { .. } => CLOCK_REPLY,
            Self::Pressure { .. } => PRESSURE,
            Self::Release { .. } => RELEASE,
            Self::Begin { .. } => BEGIN,
            Self::Register { .. } => REGISTER,
            Self::HopState { .. } => HOP_STATE,
            Self::HopLoss { .. } => HOP_LOSS,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    /// Returns the length of the body in bytes.
    pub(super) fn wire_len(&self) -> usize {
        match self {
            Self::Overflow { .. } => OVERFLOW_BYTES,
            Self::ConferenceEnd { .. } => 4,
            Self::Join { .. } | Self::Leave { .. } => 12,
            Self::Install { flows, .. } => {
                let listed: usize =
                    flows.iter().map(|flow| FLOW_HEADER_BYTES + flow.routing_info.len()).sum();
                INSTALL_HEADER_BYTES + listed
            }
            Self::Setup { .. } => SETUP_BYTES,
            Self::ClockProbe { path, .. } => CLOCK_PROBE_HEADER_BYTES + 4 * path.len(),
            Self::ClockReply { .. } => CLOCK_REPLY_BYTES,
            Self::Pressure { .. } | Self::Release { .. } => PRESSURE_BYTES,
            Self::Begin { .. } => BEGIN_BYTES,
            Self::Register { back, .. } => REGISTER_HEADER_BYTES + back.len(),
            Self::HopState { .. } | Self::HopLoss { .. } => HOP_STATE_BYTES,
            Self::Unknown { bytes, .. } => bytes.len(),
        }
    }

    /// Reads the body of a message of type `kind`, which must fill `bytes`.
    pub(super) fn parse(kind: u8, bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader { rest: bytes };
        let body = match kind {
            OVERFLOW => Self::Overflow {
                key: reader.key()?,
                flow: FlowId(reader.u16()?),
                node: reader.node()?,
                dropped_packets: reader.u32()?,
                dropped_bytes: reader.u64()?,
            },
            CONFERENCE_END => Self::ConferenceEnd { conference: ConferenceId(reader.u32()?) },
            JOIN => Self::Join { key: reader.key()?, node: reader.node()? },
            LEAVE => Self::Leave { key: reader.key()?, node: reader.node()? },
            INSTALL => Self::Install {
                key: reader.key()?,
                planner_incarnation: Incarnation(reader.u32()?),
                version: reader.u32()?,
                flows: reader.flows()?,
            },
            SETUP => Self::Setup { key: reader.key()?, kind: reader.hop_kind()? },
            CLOCK_PROBE => {
                Self::ClockProbe { key: reader.key()?, t1_ns: reader.u64()?, path: reader.path()? }
            }
            CLOCK_REPLY => {
                Self::ClockReply { t1_ns: reader.u64()?, t2_ns: reader.u64()?, t3_ns: reader.u64()? }
            }
            PRESSURE => Self::Pressure { conference: ConferenceId(reader.u32()?), kind: reader.hop_kind()? },
            RELEASE => Self::Release { conference: ConferenceId(reader.u32()?), kind: reader.hop_kind()? },
            BEGIN => Self::Begin { key: reader.key()?, epoch: Epoch(reader.u16()?), symbol: reader.u64()? },
            REGISTER => Self::Register {
                conference: ConferenceId(reader.u32()?),
                incarnation: Incarnation(reader.u32()?),
                back: reader.pathlet()?,
            },
            HOP_STATE => Self::HopState {
                from: reader.node()?,
                to: reader.node()?,
                version: reader.u64()?,
                is_down: reader.flag("is down")?,
            },
            HOP_LOSS => {
                Self::HopLoss { from: reader.node()?, to: reader.node()?, is_lossy: reader.flag("is lossy")? }
            }
            _ => return Ok(Self::Unknown { kind, bytes: bytes.to_vec() }),
        };
        if !reader.rest.is_empty() {
            let declared = bytes.len() - reader.rest.len();
            return Err(WireError::LengthMismatch { declared, got: bytes.len() });
        }
        Ok(body)
    }

    /// Appends the body, which is no longer than 65,535 bytes, to `out`.
    pub(super) fn emit_into(&self, out: &mut Vec<u8>) {
        match self {
            Self::Overflow { key, flow, node, dropped_packets, dropped_bytes } => {
                emit_key(*key, out);
                out.extend_from_slice(&flow.0.to_be_bytes());
                out.extend_from_slice(&node.get().to_be_bytes());
                out.extend_from_slice(&dropped_packets.to_be_bytes());
                out.extend_from_slice(&dropped_bytes.to_be_bytes());
            }
            Self::ConferenceEnd { conference } => out.extend_from_slice(&conference.0.to_be_bytes()),
            Self::Join { key, node } | Self::Leave { key, node } => {
                emit_key(*key, out);
                out.extend_from_slice(&node.get().to_be_bytes());
            }
            Self::Install { key, planner_incarnation, version, flows } => {
                emit_key(*key, out);
                out.extend_from_slice(&planner_incarnation.0.to_be_bytes());
                out.extend_from_slice(&version.to_be_bytes());
                // The body's length bounds both the number of flows and the length of each.
                out.extend_from_slice(&(flows.len() as u16).to_be_bytes());
                for flow in flows {
                    out.extend_from_slice(&flow.share.to_bits().to_be_bytes());
                    out.extend_from_slice(&(flow.routing_info.len() as u16).to_be_bytes());
                    out.extend_from_slice(&flow.routing_info);
                }
            }
            Self::Setup { key, kind } => {
                emit_key(*key, out);
                out.push(hop_kind_byte(*kind));
            }
            Self::ClockProbe { key, t1_ns, path } => {
                emit_key(*key, out);
                out.extend_from_slice(&t1_ns.to_be_bytes());
                out.push(path.len() as u8);
                for node in path {
                    out.extend_from_slice(&node.get().to_be_bytes());
                }
            }
            Self::ClockReply { t1_ns, t2_ns, t3_ns } => {
                for timestamp in [t1_ns, t2_ns, t3_ns] {
                    out.extend_from_slice(&timestamp.to_be_bytes());
                }
            }
            Self::Pressure { conference, kind } | Self::Release { conference, kind } => {
                out.extend_from_slice(&conference.0.to_be_bytes());
                out.push(hop_kind_byte(*kind));
            }
            Self::Begin { key, epoch, symbol } => {
                emit_key(*key, out);
                out.extend_from_slice(&epoch.0.to_be_bytes());
                out.extend_from_slice(&symbol.to_be_bytes());
            }
            Self::Register { conference, incarnation, back } => {
                out.extend_from_slice(&conference.0.to_be_bytes());
                out.extend_from_slice(&incarnation.0.to_be_bytes());
                out.extend_from_slice(&(back.len() as u16).to_be_bytes());
                out.extend_from_slice(back);
            }
            Self::HopState { from, to, version, is_down } => {
                out.extend_from_slice(&from.get().to_be_bytes());
                out.extend_from_slice(&to.get().to_be_bytes());
                out.extend_from_slice(&version.to_be_bytes());
                out.push(u8::from(*is_down));
            }
            Self::HopLoss { from, to, is_lossy } => {
                out.extend_from_slice(&from.get().to_be_bytes());
                out.extend_from_slice(&to.get().to_be_bytes());
                out.push(u8::from(*is_lossy));
            }
            Self::Unknown { bytes, .. } => out.extend_from_slice(bytes),
        }
    }
}

fn hop_kind_byte(kind: HopKind) -> u8 {
    match kind {
        HopKind::Stream => 1,
        HopKind::Paced => 2,
        // Control hops carry no sessions.
        HopKind::Datagram | HopKind::Control => 0,
    }
}

fn emit_key(key: SessionKey, out: &mut Vec<u8>) {
    out.extend_from_slice(&key.conference.0.to_be_bytes());
    out.extend_from_slice(&key.session.0.to_be_bytes());
}

/// Takes numbers off the front of a body.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = split_fixed::<N>(self.rest)?;
        self.rest = rest;
        Ok(*head)
    }

    fn u16(&mut self) -> Result<u16, WireError> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, WireError> {
        self.take().map(u64::from_be_bytes)
    }

    fn key(&mut self) -> Result<SessionKey, WireError> {
        Ok(SessionKey { conference: ConferenceId(self.u32()?), session: SessionId(self.u32()?) })
    }

    fn node(&mut self) -> Result<NodeId, WireError> {
        NodeId::new(self.u32()?).ok_or(WireError::BadField("node"))
    }

    fn hop_kind(&mut self) -> Result<HopKind, WireError> {
        match self.take::<1>()? {
            [0] => Ok(HopKind::Datagram),
            [1] => Ok(HopKind::Stream),
            [2] => Ok(HopKind::Paced),
            _ => Err(WireError::BadField("kind")),
        }
    }

    fn flag(&mut self, name: &'static str) -> Result<bool, WireError> {
        match self.take::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(WireError::BadField(name)),
        }
    }

    fn path(&mut self) -> Result<Vec<NodeId>, WireError> {
        let [count] = self.take::<1>()?;
        if usize::from(count) > CLOCK_PATH_MAX {
            return Err(WireError::BadField("path"));
        }
        (0..count).map(|_| self.node()).collect()
    }

    /// A length, and one whole legal Pathlet of that length.
    fn pathlet(&mut self) -> Result<Vec<u8>, WireError> {
        let declared = usize::from(self.u16()?);
        let got = self.rest.len();
        let (pathlet, rest) =
            self.rest.split_at_checked(declared).ok_or(WireError::Truncated { need: declared, got })?;
        self.rest = rest;
        let got = validate_pathlet(pathlet, CONTROL_ROUTE_LIMITS)?;
        if got != declared {
            return Err(WireError::LengthMismatch { declared, got });
        }
        Ok(pathlet.to_vec())
    }

    fn flows(&mut self) -> Result<Vec<InstallFlow>, WireError> {
        let count = usize::from(self.u16()?);
        // The count is the peer's word, the bytes are here: the smaller bounds what is allocated.
        let mut flows = Vec::with_capacity(count.min(self.rest.len() / FLOW_HEADER_BYTES));
        for _ in 0..count {
            let share = f64::from_bits(self.u64()?);
            if !share.is_finite() || share < 0.0 {
                return Err(WireError::BadField("share"));
            }
            let length = usize::from(self.u16()?);
            let got = self.rest.len();
            let (routing_info, rest) =
                self.rest.split_at_checked(length).ok_or(WireError::Truncated { need: length, got })?;
            self.rest = rest;
            flows.push(InstallFlow { share, routing_info: routing_info.to_vec() });
        }
        Ok(flows)
    }
}
