//! Why bytes from the network are refused. Each cause is `Copy`, so that it can be counted.

/// Why a frame, or a part of one, is refused.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes end before the field does.
    #[error("{got} bytes where {need} are needed")]
    Truncated {
        /// Bytes that the part needs at least.
        need: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// A protocol version that this build does not speak.
    #[error("protocol version {0} is not spoken here")]
    UnknownVersion(u8),
    /// A frame of an unknown kind.
    #[error("unknown frame kind {0}")]
    UnknownKind(u8),
    /// The routing header breaks a rule.
    #[error("bad route: {0}")]
    BadRoute(#[from] RouteFault),
    /// Something is longer than it may be.
    #[error("{length} bytes where {max} are allowed")]
    TooLong {
        /// The declared length in bytes.
        length: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// A declared length does not agree with the bytes that there are.
    #[error("the declared length is {declared} bytes, but there are {got}")]
    LengthMismatch {
        /// The length that the header says.
        declared: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// A field holds a value that is never legal.
    #[error("illegal value in field `{0}`")]
    BadField(&'static str),
}

/// The rule that a routing header breaks.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum RouteFault {
    /// There is no Pathlet.
    #[error("no Pathlet")]
    Empty,
    /// A Pathlet's length, or what is left for one, is less than a Pathlet's header.
    #[error("a Pathlet shorter than its header")]
    TooShort,
    /// A Pathlet is longer than the bytes that are left.
    #[error("a Pathlet goes beyond the end")]
    BeyondEnd,
    /// The lengths of nested Pathlets do not add up to that of the one around them.
    #[error("nested lengths do not add up")]
    NestedMismatch,
    /// A branch has more nodes than are allowed ([`DEPTH_MAX`](super::routing::DEPTH_MAX)).
    #[error("a branch is too deep")]
    TooDeep,
    /// A node stands twice on one branch.
    #[error("a node stands twice on one branch")]
    Loop,
    /// The source stands in its own route.
    #[error("the source stands in the route")]
    Source,
    /// A branch ends at a node that is not a destination.
    #[error("a branch ends without a destination")]
    NoDestination,
    /// A node id is zero.
    #[error("node id zero")]
    ZeroNode,
    /// More copies are asked for than the node is configured to make.
    #[error("too many copies")]
    TooManyCopies,
    /// The header is longer than configured, or than its length field can say.
    #[error("too large")]
    TooLarge,
}
