//! What the emulator has to know of an IP packet: where it goes, and what kind of hop it belongs to.

use crate::lab::plan::CROSS_PORT;
use crate::lab::tun::{node_of_ipv4, node_of_ipv6};
use bellini_core::io::HopKind;
use bellini_core::wire::frame::FrameFlags;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// To the node with this index.
    Node(u32),
    /// To whom it may concern: what kernels say of themselves without being asked (group reports, router
    /// solicitations). No application's packet.
    Group,
    /// To an address that no node of a lab has, or it is no IP packet at all.
    Nowhere,
}

/// Whose a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    /// A hop's between nodes.
    Hop(HopKind),
    /// TCP of others: one end is a sink of cross traffic.
    Cross,
}

/// Reads a packet; `control_port`: the UDP port at which nodes receive control hops.
#[inline]
pub(super) fn read(packet: &[u8], control_port: u16) -> (Destination, Traffic) {
    match packet.first().map(|first| first >> 4) {
        Some(4) => {
            let Some(&[a, b, c, d]) = packet.get(16..20) else { return NOWHERE };
            let address = u32::from_be_bytes([a, b, c, d]);
            let destination = match node_of_ipv4(address) {
                Some(node) => Destination::Node(node),
                None if a >= 224 => Destination::Group,
                None => Destination::Nowhere,
            };
            // All fragments but the first lack the ports; the nodes send nothing that needs them.
            let transport = packet.get(usize::from(packet[0] & 15) * 4..).unwrap_or_default();
            (destination, traffic(packet[9], transport, control_port))
        }
        Some(6) => {
            let Some(address) = packet.get(24..40).and_then(|bytes| bytes.try_into().ok()) else {
                return NOWHERE;
            };
            let address = u128::from_be_bytes(address);
            let destination = match node_of_ipv6(address) {
                Some(node) => Destination::Node(node),
                None if address >> 120 == 0xFF => Destination::Group,
                None => Destination::Nowhere,
            };
            (destination, traffic(packet[6], &packet[40..], control_port))
        }
        _ => NOWHERE,
    }
}

const NOWHERE: (Destination, Traffic) = (Destination::Nowhere, Traffic::Hop(HopKind::Datagram));

#[inline]
fn traffic(protocol: u8, transport: &[u8], control_port: u16) -> Traffic {
    let is_port = |at: usize, port: u16| transport.get(at..at + 2) == Some(&port.to_be_bytes());
    Traffic::Hop(match protocol {
        TCP if is_port(0, CROSS_PORT) || is_port(2, CROSS_PORT) => return Traffic::Cross,
        TCP => HopKind::Stream,
        UDP if is_port(2, control_port) => HopKind::Control,
        UDP if transport.get(8..).is_some_and(|frame| FrameFlags::peek(frame).is_paced()) => HopKind::Paced,
        _ => HopKind::Datagram,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::tun::{ipv4, ipv6};

    fn packet_v4(protocol: u8, to: [u8; 4], port: u16) -> Vec<u8> {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[9] = protocol;
        packet[16..20].copy_from_slice(&to);
        packet[22..24].copy_from_slice(&port.to_be_bytes());
        packet
    }

    #[test]
    fn packets_tell_where_they_go_and_what_they_are() {
        let to = ipv4(3).octets();
        assert_eq!(
            read(&packet_v4(UDP, to, 7_001), 7_001),
            (Destination::Node(3), Traffic::Hop(HopKind::Control))
        );
        let (datagram, stream) = (Traffic::Hop(HopKind::Datagram), Traffic::Hop(HopKind::Stream));
        assert_eq!(read(&packet_v4(UDP, to, 7_000), 7_001), (Destination::Node(3), datagram));
        assert_eq!(read(&packet_v4(TCP, to, 7_001), 7_001), (Destination::Node(3), stream));
        // Data to a sink of others' TCP, and what comes back from it; over UDP the port means nothing.
        assert_eq!(read(&packet_v4(TCP, to, CROSS_PORT), 7_001).1, Traffic::Cross);
        assert_eq!(read(&packet_v4(UDP, to, CROSS_PORT), 7_001).1, datagram);
        let mut back = packet_v4(TCP, to, 20_000);
        back[20..22].copy_from_slice(&CROSS_PORT.to_be_bytes());
        assert_eq!(read(&back, 7_001).1, Traffic::Cross);
        assert_eq!(read(&packet_v4(UDP, [224, 0, 0, 22], 1), 7_001).0, Destination::Group);
        assert_eq!(read(&packet_v4(UDP, [192, 0, 2, 1], 1), 7_001).0, Destination::Nowhere);
        let mut packet = vec![0; 48];
        packet[0] = 0x60;
        packet[6] = UDP;
        packet[24..40].copy_from_slice(&ipv6(3).octets());
        packet[42..44].copy_from_slice(&7_001_u16.to_be_bytes());
        assert_eq!(read(&packet, 7_001), (Destination::Node(3), Traffic::Hop(HopKind::Control)));
    }

    #[test]
    fn torn_packets_go_nowhere_and_do_no_harm() {
        // Every prefix of a packet, and every first byte.
        for whole in [packet_v4(UDP, ipv4(3).octets(), 1), vec![0x60; 60]] {
            for len in 0..whole.len() {
                for first in 0..=255 {
                    let mut torn = whole[..len].to_vec();
                    if let Some(byte) = torn.first_mut() {
                        *byte = first;
                    }
                    let _ = read(&torn, 1);
                }
            }
        }
        assert_eq!(read(&[], 1).0, Destination::Nowhere);
        assert_eq!(read(&[0x45; 19], 1).0, Destination::Nowhere);
    }
}
