//! The routing header: RoutingInfo and Pathlets (the paper's Table I).
//!
//! ```text
//! RoutingInfo = one or more Pathlets
//!
//!  0       1       2       3       4       5       6
//! +---------------+-------------------------------+-------------------
//! | length        |D| node                        | nested Pathlets ..
//! +---------------+-------------------------------+-------------------
//! ```
//! `length` counts the whole Pathlet in bytes, with what is nested in it. `node` is the next hop; `D` marks it
//! as a destination. The nested Pathlets say what that next hop does with the packet. A source holds the whole
//! RoutingInfo and sends each top-level Pathlet to its node; on the way to a node a packet carries exactly one
//! Pathlet, that node's own, so that the node can check that it is meant.
//!
//! Two depths of checking: [`validate_pathlet`] and [`validate`] walk the whole tree in one pass without
//! allocating; [`split_first`] looks at a Pathlet and its children only, and is safe on any bytes.

use super::RouteFault;
use crate::ids::NodeId;

mod codec;
mod view;

pub use codec::{decode, encode};
pub(crate) use view::first_sibling;
pub use view::{Children, PathletView, branches, split_first};

/// Bytes of a Pathlet without what is nested in it.
pub const PATHLET_HEADER_BYTES: usize = 6;
/// Nodes on one branch, at most.
pub const DEPTH_MAX: usize = 16;

/// Set in the node field when the next hop is a destination.
const DELIVER: u32 = 1 << 31;

/// What a node lets a routing header ask of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct RouteLimits {
    /// Copies of the packet that may be alive at once: the ends of the tree's branches.
    pub copies_max: usize,
    /// Bytes of the routing header.
    pub bytes_max: usize,
}

impl RouteLimits {
    /// Lets pass whatever the format can say.
    pub const NONE: Self = Self { copies_max: usize::MAX, bytes_max: u16::MAX as usize };
}

/// Checks a whole RoutingInfo of a session whose source is `source`, against every rule of the format.
///
/// `routing_info`: one or more Pathlets and nothing else.
///
/// # Errors
/// The first rule that is broken, in the order of the bytes.
pub fn validate(routing_info: &[u8], source: NodeId, limits: RouteLimits) -> Result<(), RouteFault> {
    validate_all(routing_info, source.get(), limits)
}

/// As [`validate`]; `source` 0 stands for none, and equals no node since node id 0 is refused.
fn validate_all(routing_info: &[u8], source: u32, limits: RouteLimits) -> Result<(), RouteFault> {
    if routing_info.is_empty() {
        return Err(RouteFault::Empty);
    }
    if routing_info.len() > limits.bytes_max {
        return Err(RouteFault::TooLarge);
    }
    let mut copies = 0;
    let mut rest = routing_info;
    while !rest.is_empty() {
        let length = walk(rest, source, limits, &mut copies)?;
        rest = &rest[length..];
    }
    Ok(())
}

/// Checks the Pathlet that `bytes` begin with, and all that is nested in it; returns its length in bytes.
///
/// This is what a relay can check of a packet: the source is not known to it. What follows the Pathlet (coding
/// header, payload) is not looked at.
///
/// # Errors
/// The first rule that is broken, in the order of the bytes.
#[inline]
pub fn validate_pathlet(bytes: &[u8], limits: RouteLimits) -> Result<usize, RouteFault> {
    if bytes.is_empty() {
        return Err(RouteFault::Empty);
    }
    let length = walk(bytes, 0, limits, &mut 0)?;
    if length > limits.bytes_max { Err(RouteFault::TooLarge) } else { Ok(length) }
}

/// Reads the length and node field of the Pathlet that `bytes` begin with, if there is a whole header.
#[inline(always)]
fn header(bytes: &[u8]) -> Option<(usize, u32)> {
    let head: &[u8; PATHLET_HEADER_BYTES] = bytes.first_chunk()?;
    let [l0, l1, n0, n1, n2, n3] = *head;
    Some((usize::from(u16::from_be_bytes([l0, l1])), u32::from_be_bytes([n0, n1, n2, n3])))
}

/// Walks one Pathlet in the order of its bytes, adds its branch ends to `copies`, and returns its length.
#[inline]
fn walk(bytes: &[u8], source: u32, limits: RouteLimits, copies: &mut usize) -> Result<usize, RouteFault> {
    let (length, field) = header(bytes).ok_or(RouteFault::TooShort)?;
    let node = check_header(length, field, bytes.len(), RouteFault::BeyondEnd, source)?;
    if length == PATHLET_HEADER_BYTES {
        // Most packets that arrive are at the end of their way.
        check_end(field, limits, copies)?;
    } else {
        walk_nested(&bytes[..length], node, source, limits, copies)?;
    }
    Ok(length)
}

/// Walks what is nested in `pathlet`, which is for `root`.
#[inline]
fn walk_nested(
    pathlet: &[u8],
    root: u32,
    source: u32,
    limits: RouteLimits,
    copies: &mut usize,
) -> Result<(), RouteFault> {
    // The nodes above the Pathlet at hand; the ends of those above the one that encloses it. A Pathlet is
    // shorter than 2^16 bytes, so 16 bits hold every end.
    let mut above = [0_u32; DEPTH_MAX];
    let mut ends = [0_u16; DEPTH_MAX];
    above[0] = root;
    let mut depth = 1;
    let mut rest = &pathlet[PATHLET_HEADER_BYTES..];
    // Bytes of `rest` that belong to later siblings of those above.
    let mut behind = 0;
    loop {
        // A Pathlet with nothing left is stepped out of below, so there is something here.
        let left = rest.len() - behind;
        let Some((length, field)) = header(rest) else { return Err(RouteFault::NestedMismatch) };
        if left < PATHLET_HEADER_BYTES {
            return Err(RouteFault::NestedMismatch);
        }
        let node = check_header(length, field, left, RouteFault::NestedMismatch, source)?;
        if above[..depth].contains(&node) {
            return Err(RouteFault::Loop);
        }
        if length > PATHLET_HEADER_BYTES {
            if depth + 1 >= DEPTH_MAX {
                return Err(RouteFault::TooDeep);
            }
            above[depth] = node;
            ends[depth] = behind as u16;
            depth += 1;
            behind += left - length;
            rest = &rest[PATHLET_HEADER_BYTES..];
            continue;
        }
        check_end(field, limits, copies)?;
        rest = &rest[PATHLET_HEADER_BYTES..];
        while rest.len() == behind {
            if behind == 0 {
                return Ok(());
            }
            depth -= 1;
            behind = usize::from(ends[depth]);
        }
    }
}

/// Checks what one header says, with `left` bytes from its first on; returns its node.
#[inline(always)]
fn check_header(
    length: usize,
    field: u32,
    left: usize,
    outside: RouteFault,
    source: u32,
) -> Result<u32, RouteFault> {
    let node = field & !DELIVER;
    if length < PATHLET_HEADER_BYTES {
        return Err(RouteFault::TooShort);
    }
    if length > left {
        return Err(outside);
    }
    if node == 0 {
        return Err(RouteFault::ZeroNode);
    }
    if node == source {
        return Err(RouteFault::Source);
    }
    Ok(node)
}

/// Checks and counts the end of a branch.
#[inline(always)]
fn check_end(field: u32, limits: RouteLimits, copies: &mut usize) -> Result<(), RouteFault> {
    if field & DELIVER == 0 {
        return Err(RouteFault::NoDestination);
    }
    *copies += 1;
    if *copies > limits.copies_max { Err(RouteFault::TooManyCopies) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
