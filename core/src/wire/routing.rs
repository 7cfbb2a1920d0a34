//! The routing header: RoutingInfo and Pathlets (paper, Fig. 4 and Table I).
//!
//! ```text
//!  0               2                               6
//! +---------------+-------------------------------+-----------------
//! |    length     | d |          node             |  nested Pathlets
//! +---------------+-------------------------------+-----------------
//! ```
//! A RoutingInfo is one or more Pathlets. A Pathlet names a next hop; its length (bytes) counts the whole Pathlet
//! with what is nested in it: what that next hop does with the packet. The top bit of the node field (`d`) says
//! that the next hop is a destination. On the way to node v a packet carries exactly one Pathlet, v's own.

use crate::ids::NodeId;
use crate::route::{Branch, Route};
use crate::wire::error::RouteFault;

/// Bytes of a Pathlet without what is nested in it.
pub const PATHLET_HEADER_BYTES: usize = 6;
/// Most hops from the source to a destination.
pub const DEPTH_MAX: usize = 16;
/// The top bit of the node field.
const DESTINATION: u32 = 0x8000_0000;

/// Configured bounds of a RoutingInfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteLimits {
    /// Copies (leaves and delivering nodes) that it may ask for.
    pub copies_max: usize,
    /// Bytes of one Pathlet: what a packet's header has room for.
    pub bytes_max: usize,
}

/// One Pathlet of a packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pathlet<'a> {
    /// The node that it is meant for.
    pub node: u32,
    /// Whether that node is a destination.
    pub deliver: bool,
    nested: &'a [u8],
}

/// A Pathlet nested in another: what to hand to one next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NestedPathlet<'a> {
    /// The next hop.
    pub node: NodeId,
    /// The Pathlet to send it, whole.
    pub bytes: &'a [u8],
}

/// Reads length and node field of the Pathlet at the start of `bytes`; checks them against what is there.
#[inline]
fn read_header(bytes: &[u8]) -> Result<(usize, u32), RouteFault> {
    let Some((header, _)) = bytes.split_first_chunk::<PATHLET_HEADER_BYTES>() else {
        return Err(if bytes.is_empty() { RouteFault::Empty } else { RouteFault::BeyondEnd });
    };
    let length = usize::from(u16::from_be_bytes([header[0], header[1]]));
    if length < PATHLET_HEADER_BYTES {
        return Err(RouteFault::TooShort);
    }
    if length > bytes.len() {
        return Err(RouteFault::BeyondEnd);
    }
    let node = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
    if node & !DESTINATION == 0 {
        return Err(RouteFault::ZeroNode);
    }
    Ok((length, node))
}

impl<'a> Pathlet<'a> {
    /// Parses and checks the Pathlet at the start of a packet's routing part; returns it and what follows it.
    ///
    /// # Errors
    /// Every rule of [`validate`], for this one Pathlet.
    #[inline]
    pub fn parse(bytes: &'a [u8], limits: RouteLimits) -> Result<(Self, &'a [u8]), RouteFault> {
        let (length, node) = read_header(bytes)?;
        let (whole, rest) = bytes.split_at(length);
        check(whole, None, limits)?;
        let pathlet = Self {
            node: node & !DESTINATION,
            deliver: node & DESTINATION != 0,
            nested: &whole[PATHLET_HEADER_BYTES..],
        };
        Ok((pathlet, rest))
    }

    /// Returns what this node sends on, one entry for each copy.
    #[inline]
    #[must_use]
    pub fn children(&self) -> Children<'a> {
        Children { rest: self.nested }
    }
}

/// Iterates over sibling Pathlets that were checked before.
#[derive(Clone, Copy, Debug)]
pub struct Children<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Children<'a> {
    type Item = NestedPathlet<'a>;

    #[inline]
    fn next(&mut self) -> Option<NestedPathlet<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (length, node) = read_header(self.rest).expect("nested Pathlets were checked with the whole");
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        let node = NodeId::new(node & !DESTINATION).expect("zero was refused, the top bit is gone");
        Some(NestedPathlet { node, bytes })
    }
}

/// Checks a whole RoutingInfo of `source`.
///
/// # Errors
/// Lengths below 6, beyond the bytes left or that do not add up; more than 16 hops; a node twice on one branch;
/// the source's id; a branch that ends without a destination; node id 0; more copies, or larger Pathlets, than
/// `limits` allow.
pub fn validate(routing_info: &[u8], source: NodeId, limits: RouteLimits) -> Result<(), RouteFault> {
    check(routing_info, Some(source), limits)
}

/// Checks sibling Pathlets that fill `bytes`, without recursion: a stack of where each open Pathlet ends.
fn check(bytes: &[u8], source: Option<NodeId>, limits: RouteLimits) -> Result<(), RouteFault> {
    if bytes.is_empty() {
        return Err(RouteFault::Empty);
    }
    let mut ends = [0_usize; DEPTH_MAX];
    let mut nodes = [0_u32; DEPTH_MAX];
    let (mut depth, mut at, mut copies) = (0, 0, 0);
    while at < bytes.len() {
        while depth > 0 && ends[depth - 1] == at {
            depth -= 1;
        }
        let limit = if depth == 0 { bytes.len() } else { ends[depth - 1] };
        let (length, field) = read_header(&bytes[at..limit]).map_err(|fault| match fault {
            // Inside another Pathlet the bytes left are those of the parent.
            RouteFault::BeyondEnd | RouteFault::Empty if depth > 0 => RouteFault::NestedMismatch,
            other => other,
        })?;
        if length > limits.bytes_max {
            return Err(RouteFault::TooLarge);
        }
        if depth == DEPTH_MAX {
            return Err(RouteFault::TooDeep);
        }
        let node = field & !DESTINATION;
        if source.is_some_and(|source| source.get() == node) {
            return Err(RouteFault::Source);
        }
        if nodes[..depth].contains(&node) {
            return Err(RouteFault::Loop);
        }
        let is_leaf = length == PATHLET_HEADER_BYTES;
        if is_leaf && field & DESTINATION == 0 {
            return Err(RouteFault::NoDestination);
        }
        copies += usize::from(is_leaf || field & DESTINATION != 0);
        if copies > limits.copies_max {
            return Err(RouteFault::TooManyCopies);
        }
        ends[depth] = at + length;
        nodes[depth] = node;
        depth += 1;
        at += PATHLET_HEADER_BYTES;
    }
    Ok(())
}

/// Encodes a route as a RoutingInfo.
///
/// # Errors
/// When a Pathlet would be longer than its 16-bit length can say, or the tree is empty or deeper than 16.
pub fn encode(route: &Route) -> Result<Vec<u8>, RouteFault> {
    fn write(branches: &[Branch], depth: usize, out: &mut Vec<u8>) -> Result<(), RouteFault> {
        if depth > DEPTH_MAX {
            return Err(RouteFault::TooDeep);
        }
        for branch in branches {
            let start = out.len();
            let flag = if branch.deliver { DESTINATION } else { 0 };
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&(branch.node.get() | flag).to_be_bytes());
            write(&branch.next, depth + 1, out)?;
            let length = u16::try_from(out.len() - start).map_err(|_| RouteFault::TooLarge)?;
            out[start..start + 2].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }
    if route.branches.is_empty() {
        return Err(RouteFault::Empty);
    }
    let mut out = Vec::new();
    // `write` is entered once more below the deepest node, with nothing to write.
    write(&route.branches, 0, &mut out)?;
    Ok(out)
}

/// Decodes a RoutingInfo into the route that it stands for.
///
/// # Errors
/// As [`validate`], without a source and with the widest limits.
pub fn decode(routing_info: &[u8]) -> Result<Route, RouteFault> {
    fn read(mut rest: &[u8]) -> Result<Vec<Branch>, RouteFault> {
        let mut branches = Vec::new();
        while !rest.is_empty() {
            let (length, field) = read_header(rest)?;
            let (whole, after) = rest.split_at(length);
            branches.push(Branch {
                node: NodeId::new(field & !DESTINATION).ok_or(RouteFault::ZeroNode)?,
                deliver: field & DESTINATION != 0,
                next: read(&whole[PATHLET_HEADER_BYTES..])?,
            });
            rest = after;
        }
        Ok(branches)
    }
    // Checked first: the recursion of `read` is then at most 16 deep.
    check(routing_info, None, RouteLimits { copies_max: usize::MAX, bytes_max: usize::MAX })?;
    Ok(Route { branches: read(routing_info)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RouteLimits = RouteLimits { copies_max: 8, bytes_max: 200 };

    fn node(id: u32) -> NodeId {
        NodeId::new(id).unwrap()
    }

    fn bytes(text: &str) -> Vec<u8> {
        text.split_whitespace()
            .flat_map(|word| {
                (0..word.len()).step_by(2).map(|i| u8::from_str_radix(&word[i..i + 2], 16).unwrap())
            })
            .collect()
    }

    /// The golden vectors: header bytes, and the route in words.
    const GOLDEN: [(&str, &str); 4] = [
        ("00 06 80000002", "2d"),
        ("00 0C 00000002 00 06 80000003", "2>3d"),
        ("00 06 80000003 00 12 80000002 00 06 80000004 00 06 80000005", "{3d,2d>{4d,5d}}"),
        ("00 06 80000002 00 0C 00000003 00 06 80000002", "{2d,3>2d}"),
    ];

    #[test]
    fn golden_vectors() {
        for (hex, text) in GOLDEN {
            let golden = bytes(hex);
            let route = decode(&golden).unwrap();
            assert_eq!(route.to_string(), text);
            assert_eq!(encode(&route).unwrap(), golden);
            assert_eq!(validate(&golden, node(1), LIMITS), Ok(()));
        }
    }

    #[test]
    fn a_packet_carries_one_pathlet_and_shows_its_children() {
        let golden = bytes("00 12 80000002 00 06 80000004 00 06 80000005 AA BB");
        let (pathlet, rest) = Pathlet::parse(&golden, LIMITS).unwrap();
        assert_eq!((pathlet.node, pathlet.deliver), (2, true));
        assert_eq!(rest, [0xAA, 0xBB]);
        let children: Vec<_> =
            pathlet.children().map(|child| (child.node.get(), child.bytes.to_vec())).collect();
        assert_eq!(children, [(4, bytes("00 06 80000004")), (5, bytes("00 06 80000005"))]);
    }

    #[test]
    fn each_rule_refuses_what_breaks_it() {
        let long: String = (2..=18).map(|i| format!("{:04X} {i:08X} ", (19 - i) * 6)).collect();
        let long = long.replace("0006 00000012", "0006 80000012");
        for (hex, fault) in [
            ("", RouteFault::Empty),
            ("00 05 80000002", RouteFault::TooShort),
            ("00 07 80000002", RouteFault::BeyondEnd),
            ("00 06 8000", RouteFault::BeyondEnd),
            ("00 0C 00000002 00 08 80000003", RouteFault::NestedMismatch),
            ("00 0D 00000002 00 06 80000003 00", RouteFault::NestedMismatch),
            ("00 06 80000000", RouteFault::ZeroNode),
            ("00 06 00000002", RouteFault::NoDestination),
            ("00 12 00000002 00 0C 00000003 00 06 80000002", RouteFault::Loop),
            ("00 0C 00000002 00 06 80000001", RouteFault::Source),
            (&"00 06 80000002 ".repeat(9), RouteFault::TooManyCopies),
            (&long, RouteFault::TooDeep),
        ] {
            assert_eq!(validate(&bytes(hex), node(1), LIMITS), Err(fault), "{hex}");
        }
    }

    #[test]
    fn sixteen_hops_pass() {
        let path: Vec<NodeId> = (2..18).map(node).collect();
        let info = encode(&Route::path(&path)).unwrap();
        assert_eq!(info.len(), 96);
        assert_eq!(validate(&info, node(1), LIMITS), Ok(()));
        let path: Vec<NodeId> = (2..19).map(node).collect();
        assert_eq!(encode(&Route::path(&path)), Err(RouteFault::TooDeep));
    }

    #[test]
    fn every_truncation_is_refused() {
        for (hex, _) in GOLDEN {
            let golden = bytes(hex);
            for n in 0..golden.len() {
                let cut = &golden[..n];
                // A cut between siblings leaves a legal, smaller RoutingInfo.
                assert!(validate(cut, node(1), LIMITS).is_err() || n % 6 == 0, "{hex} cut to {n}");
            }
        }
    }
}
