//! What can be wrong with bytes from the network.

use thiserror::Error;

/// Why bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// They end too early.
    #[error("truncated: {need} bytes needed, {got} there")]
    Truncated {
        /// Bytes that the format needs.
        need: usize,
        /// Bytes that are there.
        got: usize,
    },
    /// The version is not one that we speak.
    #[error("unknown version {0}")]
    UnknownVersion(u8),
    /// The frame's or message's kind is not known.
    #[error("unknown kind {0}")]
    UnknownKind(u8),
    /// A length says more than a limit allows.
    #[error("{got} bytes where at most {most} are allowed")]
    TooLong {
        /// The limit.
        most: usize,
        /// What the bytes say.
        got: usize,
    },
    /// Lengths do not add up.
    #[error("lengths do not add up")]
    LengthMismatch,
    /// A field holds a value that it must not hold.
    #[error("illegal value in field `{0}`")]
    IllegalField(&'static str),
    /// The routing header breaks a rule.
    #[error("routing header: {0}")]
    BadRoute(#[from] RouteFault),
}

/// Rules of the routing header, by what breaks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum RouteFault {
    /// There is no Pathlet.
    #[error("there is no Pathlet")]
    Empty,
    /// A length is below 6.
    #[error("a Pathlet is shorter than 6 bytes")]
    TooShort,
    /// A length goes beyond the bytes left.
    #[error("a Pathlet goes beyond the bytes left")]
    BeyondEnd,
    /// Nested lengths do not add up to what contains them.
    #[error("nested lengths do not add up")]
    NestedMismatch,
    /// The tree is deeper than 16.
    #[error("the tree is deeper than 16 hops")]
    TooDeep,
    /// A node stands twice on one branch.
    #[error("a node stands twice on one branch")]
    Loop,
    /// The source's own id stands in it.
    #[error("the source stands on its own route")]
    Source,
    /// A branch ends at a node that is no destination.
    #[error("a branch ends without a destination")]
    NoDestination,
    /// A node id is 0.
    #[error("node id 0")]
    ZeroNode,
    /// It asks for more copies than configured.
    #[error("more copies than configured")]
    TooManyCopies,
    /// It is larger than a packet's header can carry.
    #[error("larger than a packet can carry")]
    TooLarge,
}
