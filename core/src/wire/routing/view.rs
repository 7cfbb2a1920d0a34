//! Looking at one Pathlet, as the dispatcher does for each packet.

use super::{DELIVER, PATHLET_HEADER_BYTES, header};
use crate::ids::NodeId;
use crate::wire::{RouteFault, WireError};

/// One Pathlet whose own header and whose children's headers were checked.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PathletView<'a> {
    /// The node that the Pathlet is for.
    pub node: NodeId,
    /// Whether that node is a destination.
    pub deliver: bool,
    nested: &'a [u8],
}

impl<'a> PathletView<'a> {
    /// Walks the Pathlets of the copies that the node sends on; none when the node only delivers.
    #[inline]
    #[must_use]
    pub const fn children(&self) -> Children<'a> {
        Children { rest: self.nested }
    }
}

/// Splits `bytes` into the Pathlet that they begin with and what follows it: coding header and payload.
///
/// Checks the Pathlet's header and that its children's lengths add up and name nodes; what lies deeper is left
/// to [`validate_pathlet`](super::validate_pathlet), or to the nodes that it is for.
///
/// # Errors
/// [`WireError::BadRoute`] with the rule that is broken.
#[inline]
pub fn split_first(bytes: &[u8]) -> Result<(PathletView<'_>, &[u8]), WireError> {
    let Some((length, field)) = header(bytes) else {
        return Err(if bytes.is_empty() { RouteFault::Empty } else { RouteFault::TooShort }.into());
    };
    if length < PATHLET_HEADER_BYTES {
        return Err(RouteFault::TooShort.into());
    }
    let (pathlet, rest) = bytes.split_at_checked(length).ok_or(RouteFault::BeyondEnd)?;
    let node = NodeId::new(field & !DELIVER).ok_or(RouteFault::ZeroNode)?;
    let nested = &pathlet[PATHLET_HEADER_BYTES..];
    check_siblings(nested, RouteFault::NestedMismatch, RouteFault::NestedMismatch)?;
    Ok((PathletView { node, deliver: field & DELIVER != 0, nested }, rest))
}

/// Walks the top-level Pathlets of a RoutingInfo: the copies that the source sends.
///
/// # Errors
/// The rule that is broken by the top-level Pathlets' own headers; deeper ones are not looked at.
#[inline]
pub fn branches(routing_info: &[u8]) -> Result<Children<'_>, RouteFault> {
    if routing_info.is_empty() {
        return Err(RouteFault::Empty);
    }
    check_siblings(routing_info, RouteFault::TooShort, RouteFault::BeyondEnd)?;
    Ok(Children { rest: routing_info })
}

#[inline]
fn check_siblings(mut rest: &[u8], cut: RouteFault, outside: RouteFault) -> Result<(), RouteFault> {
    while !rest.is_empty() {
        let (length, field) = header(rest).ok_or(cut)?;
        if length < PATHLET_HEADER_BYTES {
            return Err(RouteFault::TooShort);
        }
        if field & !DELIVER == 0 {
            return Err(RouteFault::ZeroNode);
        }
        rest = rest.get(length..).ok_or(outside)?;
    }
    Ok(())
}

/// Returns the length in bytes of the first of sibling Pathlets, and the node that it is for; `None` when there is
/// none. It was checked that they add up.
#[inline]
pub(crate) fn first_sibling(siblings: &[u8]) -> Option<(usize, NodeId)> {
    let (length, field) = header(siblings)?;
    Some((length, NodeId::new(field & !DELIVER)?))
}

/// Sibling Pathlets, each as its bytes and the node that it is for. It was checked that they add up.
#[derive(Clone, Debug)]
pub struct Children<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Children<'a> {
    type Item = (&'a [u8], NodeId);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (length, node) = first_sibling(self.rest)?;
        let (pathlet, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some((pathlet, node))
    }
}
