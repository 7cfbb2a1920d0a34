//! Frames as text for people: one line, whatever the bytes are.

use super::control::{ControlBody, ControlFrame, ControlMessage, Watching};
use super::routing::{decode, validate_pathlet};
use super::{Chunk, Chunks, FrameHeader, FrameKind, Hello, PacketHeader, RouteLimits, WireError};
use crate::wire::ProbeFrame;
use core::fmt;

/// Prints a frame, or why it is none.
///
/// ```
/// use bellini_core::wire::{FrameHeader, FrameKind, frame::FrameFlags, pretty::Pretty};
/// let mut bytes = [0; 24];
/// let flags = FrameFlags::default();
/// FrameHeader { kind: FrameKind::Data, flags, connection: 7, number: 3, timestamp_us: 1_500_000, rtt_us: 0 }
///     .emit(&mut bytes);
/// assert_eq!(Pretty::new(&bytes).to_string(), "data frame 3, connection 7, sent 1.500000s");
/// ```
#[derive(Copy, Clone, Debug)]
pub struct Pretty<'a> {
    bytes: &'a [u8],
    payload_len: usize,
}

impl<'a> Pretty<'a> {
    /// Prints a whole frame.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, payload_len: 0 }
    }

    /// Prints a frame whose last `payload_len` bytes, the packet's payload, are held elsewhere.
    #[must_use]
    pub const fn with_payload(header: &'a [u8], payload_len: usize) -> Self {
        Self { bytes: header, payload_len }
    }
}

impl fmt::Display for Pretty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (header, rest) = match FrameHeader::parse(self.bytes) {
            Ok(parsed) => parsed,
            Err(error) => return bad(f, "frame", error),
        };
        let (whole, part) = (header.timestamp_us / 1_000_000, header.timestamp_us % 1_000_000);
        write!(f, "{} frame {}, connection {}, ", header.kind, header.number, header.connection)?;
        write!(f, "sent {whole}.{part:06}s")?;
        if header.rtt_us > 0 {
            write!(f, ", rtt {} us", header.rtt_us)?;
        }
        match header.kind {
            FrameKind::Data => write_chunks(f, rest, self.payload_len),
            FrameKind::Hello | FrameKind::HelloAck | FrameKind::HelloDone => write_hello(f, rest),
            FrameKind::Control => write_control(f, rest),
            FrameKind::Probe => write_probe(f, rest),
        }
    }
}

fn write_probe(f: &mut fmt::Formatter<'_>, body: &[u8]) -> fmt::Result {
    match ProbeFrame::parse(body) {
        Ok(ProbeFrame { kind, count, index, id, held_ns, dispersion_ns, bytes }) => write!(
            f,
            ", {kind:?} {id}, {index} of {count}, held {held_ns} ns, {bytes} bytes within {dispersion_ns} ns"
        ),
        Err(error) => bad(f, "probe", error),
    }
}

fn bad(f: &mut fmt::Formatter<'_>, what: &str, error: WireError) -> fmt::Result {
    write!(f, "bad {what} ({error})")
}

fn write_chunks(f: &mut fmt::Formatter<'_>, rest: &[u8], payload_len: usize) -> fmt::Result {
    for chunk in Chunks::with_payload(rest, payload_len) {
        f.write_str("; ")?;
        match chunk {
            Ok(Chunk::Packet(bytes)) => write_packet(f, bytes, payload_len)?,
            Ok(Chunk::Feedback(body)) => write!(f, "feedback of {} bytes", body.len())?,
            Ok(Chunk::Padding(len)) => write!(f, "padding of {len} bytes")?,
            Ok(Chunk::Unknown(kind, body)) => write!(f, "unknown chunk {kind} of {} bytes", body.len())?,
            Err(error) => bad(f, "chunk", error)?,
        }
    }
    Ok(())
}

fn write_packet(f: &mut fmt::Formatter<'_>, bytes: &[u8], payload_len: usize) -> fmt::Result {
    let (packet, rest) = match PacketHeader::parse(bytes) {
        Ok(parsed) => parsed,
        Err(error) => return bad(f, "packet", error),
    };
    write!(f, "packet {} of session {} epoch {} ", packet.number, packet.key, packet.epoch)?;
    write!(f, "flow {}, symbol {}, ", packet.flow, packet.symbol)?;
    write!(f, "object {} [{}/{}], ", packet.object, packet.index, packet.count)?;
    write!(f, "made {}.{:09}s, ", packet.timestamp_ns / 1_000_000_000, packet.timestamp_ns % 1_000_000_000)?;
    if packet.flags.0 != 0 {
        write!(f, "{}, ", packet.flags)?;
    }
    match write_pathlet(f, rest)? {
        Some(pathlet_len) => write!(f, ", {} bytes", rest.len() - pathlet_len + payload_len),
        None => Ok(()),
    }
}

/// Prints the Pathlet that `bytes` begin with, and returns its length if it is good.
fn write_pathlet(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> Result<Option<usize>, fmt::Error> {
    let parsed =
        validate_pathlet(bytes, RouteLimits::NONE).and_then(|len| decode(&bytes[..len]).map(|r| (len, r)));
    match parsed {
        Ok((len, route)) => {
            write!(f, "to {route}")?;
            Ok(Some(len))
        }
        Err(fault) => {
            bad(f, "Pathlet", fault.into())?;
            Ok(None)
        }
    }
}

fn write_hello(f: &mut fmt::Formatter<'_>, rest: &[u8]) -> fmt::Result {
    let hello = match Hello::parse(rest) {
        Ok(hello) => hello,
        Err(error) => {
            f.write_str("; ")?;
            return bad(f, "hello", error);
        }
    };
    write!(f, "; node {} incarnation {} ", hello.node, hello.incarnation)?;
    write!(f, "as connection {}, mtu {}, ", hello.connection, hello.mtu)?;
    write!(f, "versions {} to {}", hello.version_min, hello.version_max)?;
    match hello.echo {
        Some(echo) => write!(f, ", echoes {} us after {} us", echo.timestamp_us, echo.hold_us),
        None => Ok(()),
    }
}

fn write_control(f: &mut fmt::Formatter<'_>, rest: &[u8]) -> fmt::Result {
    f.write_str("; ")?;
    match ControlFrame::parse(rest) {
        Ok(ControlFrame { ack, watching, message: None, .. }) => {
            write!(f, "has all before {ack}{}", watching_words(watching))
        }
        Ok(ControlFrame { sequence, ack, watching, message: Some(message) }) => {
            write!(f, "message {sequence}, has all before {ack}{}: ", watching_words(watching))?;
            write_message(f, &message)
        }
        Err(error) => bad(f, "control message", error),
    }
}

const fn watching_words(watching: Watching) -> &'static str {
    match watching {
        Watching { is_unheard: true, .. } => ", does not hear the receiver as it should",
        Watching { is_on: true, .. } => ", hears the receiver",
        _ => "",
    }
}

fn write_message(f: &mut fmt::Formatter<'_>, message: &ControlMessage) -> fmt::Result {
    match &message.body {
        ControlBody::Overflow { key, flow, node, dropped_packets, dropped_bytes } => {
            write!(f, "overflow at {node} of session {key} flow {flow}, ")?;
            write!(f, "{dropped_packets} packets, {dropped_bytes} bytes")?;
        }
        ControlBody::ConferenceEnd { conference } => write!(f, "end of conference {conference}")?,
        ControlBody::Join { key, node } => write!(f, "{node} joins session {key}")?,
        ControlBody::Leave { key, node } => write!(f, "{node} leaves session {key}")?,
        ControlBody::Install { key, planner_incarnation, version, flows } => {
            write!(f, "install {planner_incarnation}.{version} for session {key}")?;
            for flow in flows {
                match decode(&flow.routing_info) {
                    Ok(route) => write!(f, ", {} of {route}", flow.share)?,
                    Err(fault) => write!(f, ", {} of a bad route ({fault})", flow.share)?,
                }
            }
        }
        ControlBody::Setup { key, kind } => write!(f, "session {key} will come over {kind:?} hops")?,
        ControlBody::ClockProbe { key, t1_ns, path } => {
            write!(f, "what time is it at the source of session {key}, asked at {t1_ns} ns")?;
            for node in path {
                write!(f, ", passed {node}")?;
            }
        }
        ControlBody::ClockReply { t1_ns, t2_ns, t3_ns } => {
            write!(f, "asked at {t1_ns} ns, came at {t2_ns} ns, answered at {t3_ns} ns")?;
        }
        ControlBody::Pressure { conference, kind } => {
            write!(f, "conference {conference} is to be kept back from {kind:?} hops")?;
        }
        ControlBody::Release { conference, kind } => {
            write!(f, "conference {conference} may go on over {kind:?} hops")?;
        }
        ControlBody::HopState { from, to, version, is_down } => {
            let state = if *is_down { "down" } else { "up" };
            write!(f, "the hop from {from} to {to} is {state}, version {version}")?;
        }
        ControlBody::HopLoss { from, to, is_lossy } => {
            write!(f, "the hop from {from} to {to} loses {}", if *is_lossy { "much" } else { "little" })?;
        }
        ControlBody::Begin { key, epoch, symbol } => {
            write!(f, "session {key} begins with symbol {symbol} of epoch {epoch}")?;
        }
        ControlBody::Register { conference, incarnation, back } => {
            write!(f, "incarnation {incarnation} takes part in conference {conference}, back ")?;
            write_pathlet(f, back)?;
        }
        ControlBody::Unknown { kind, bytes } => write!(f, "unknown message {kind} of {} bytes", bytes.len())?,
    }
    write!(f, ", id {} from {}", message.id, message.origin)?;
    if !message.route.is_empty() {
        f.write_str(", ")?;
        write_pathlet(f, &message.route)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{hex, runner};
    use proptest::prelude::*;

    const DATA: &str = "01 00 0000 00000007 0000000000000003 0016E360 00009C40";
    const PACKET: &str = "00000001 00000002 0000 0001 0000000000000005 0000000000000006
                          000000003B9ACA00 06 00000007 00000008 00000009  000C 00000003 0006 80000002";

    fn print(text: &str, payload_len: usize) -> String {
        Pretty::with_payload(&hex(text), payload_len).to_string()
    }

    #[test]
    fn a_packet_reads_as_a_sentence() {
        let expected = "data frame 3, connection 7, sent 1.500000s, rtt 40000 us; padding of 2 bytes; \
             packet 5 of session 1/2 epoch 0 flow 1, symbol 6, object 7 [8/9], made 1.000000000s, \
             bulk+repeat, to 3>2d, 1200 bytes";
        // 49 + 12 + 1200 bytes are 0x04ED.
        assert_eq!(print(&format!("{DATA} 03 0002 0000 01 04ED {PACKET}"), 1200), expected);
    }

    #[test]
    fn what_is_wrong_is_said_where_it_is() {
        assert_eq!(print("01 00", 0), "bad frame (2 bytes where 24 are needed)");
        assert!(
            print(&format!("{DATA} 01 0001 00"), 0).ends_with("bad packet (1 bytes where 49 are needed)")
        );
        let looped = PACKET.replace("00000003 0006 80000002", "00000003 0006 80000003");
        let text = print(&format!("{DATA} 01 003D {looped}"), 0);
        assert!(text.ends_with("bad Pathlet (bad route: a node stands twice on one branch)"), "{text}");
    }

    #[test]
    fn hellos_and_control_messages() {
        let hello = "01 01 0000 00000000 0000000000000000 000F4240 00000000
                     00000002 00000001 00000007 05DC 01 01 000F4240 000001F4 0000001E 01";
        let expected = "hello frame 0, connection 0, sent 1.000000s; node 2 incarnation 1 as connection 7, \
                        mtu 1500, versions 1 to 1, echoes 500 us after 30 us";
        assert_eq!(print(hello, 0), expected);
        let control = "01 04 0000 00000007 0000000000000001 000F4240 00000000 00000003 00000004 01
                       0000000000000010 00000005 03 000C 0006  0006 80000002  00000001 00000002 00000009";
        let expected = "control frame 1, connection 7, sent 1.000000s; message 3, has all before 4: \
                        9 joins session 1/2, id 16 from 5, to 2d";
        assert_eq!(print(control, 0), expected);
    }

    #[test]
    fn anything_prints() {
        let bytes = (0..6_u8, prop::collection::vec(prop_oneof![0..8_u8, any::<u8>()], 0..200));
        runner(20_000)
            .run(&bytes, |(kind, mut bytes)| {
                for (at, value) in [(0, 1), (1, kind)] {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = value;
                    }
                }
                prop_assert!(!Pretty::new(&bytes).to_string().contains('\n'));
                Ok(())
            })
            .unwrap();
    }
}
