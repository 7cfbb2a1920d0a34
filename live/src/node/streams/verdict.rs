//! Which of two connections between the same pair of nodes is kept.

use bellini_core::ids::{Incarnation, NodeId};
use std::time::Duration;

/// Connections that cross are made within so much time.
const CROSSING: Duration = Duration::from_secs(2);

/// What is to be done with a connection when there is one already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It takes the place of the other.
    Replace,
    /// It is of an earlier start of the peer.
    Stale,
    /// It crossed the other one, which stays.
    Crossed,
}

/// What counts about a connection for the choice between two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) incarnation: Option<Incarnation>,
    pub(super) dialled_by: NodeId,
}

/// Decides between two connections of the same pair of nodes; both sides come to the same result.
pub(super) fn verdict(old: Claim, age: Duration, new: Claim) -> Verdict {
    if let (Some(old), Some(new)) = (old.incarnation, new.incarnation) {
        if new < old {
            return Verdict::Stale;
        }
        if new > old {
            return Verdict::Replace;
        }
    }
    // Later on, a peer that connects has lost the old connection, whatever we think of it.
    if old.dialled_by < new.dialled_by && age < CROSSING { Verdict::Crossed } else { Verdict::Replace }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(incarnation: Option<u32>, dialled_by: u32) -> Claim {
        let dialled_by = NodeId::new(dialled_by).expect("a legal id");
        Claim { incarnation: incarnation.map(Incarnation), dialled_by }
    }

    /// Two connections that cross: whichever a node sees first, both keep the lower id's.
    #[test]
    fn connections_that_cross_leave_the_same_one_at_both_ends() {
        let (low, high) = (claim(Some(1), 1), claim(Some(1), 2));
        assert_eq!(verdict(low, Duration::ZERO, high), Verdict::Crossed);
        assert_eq!(verdict(high, Duration::ZERO, low), Verdict::Replace);
        let (low, high) = (claim(None, 1), claim(None, 2));
        assert_eq!(verdict(low, Duration::ZERO, high), Verdict::Crossed);
    }

    #[test]
    fn a_peer_that_connects_again_has_lost_the_old_connection() {
        for dialler in [1, 2] {
            let old = claim(Some(3), 1);
            assert_eq!(verdict(old, CROSSING, claim(Some(3), dialler)), Verdict::Replace);
        }
    }

    /// The start of the peer decides before anything else.
    #[test]
    fn a_later_start_replaces_and_an_earlier_one_is_refused() {
        assert_eq!(verdict(claim(Some(3), 1), Duration::ZERO, claim(Some(4), 2)), Verdict::Replace);
        assert_eq!(verdict(claim(Some(3), 2), CROSSING, claim(Some(2), 1)), Verdict::Stale);
    }
}
