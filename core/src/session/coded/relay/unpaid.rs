//! For which of the source's packets a relay's own packets stand, so that the source hears of each flow by itself.

use super::Arrival;
use super::branches::Mask;
use crate::wire::coding::JoinedPacket;
use std::collections::VecDeque;

/// Packets of a generation that are remembered; the oldest go.
const UNPAID_MAX: usize = 256;

/// A packet of one flow, and one of another.
pub(super) type StandsFor = (JoinedPacket, Option<JoinedPacket>);

/// Packets of a generation that came, by Pathlet, and that nothing was sent for as yet. What was lost before them has no
/// number that anybody knows: more may be sent than is noted here.
#[derive(Clone, Debug, Default)]
pub(super) struct Unpaid {
    packets: VecDeque<(u8, StandsFor)>,
}

impl Unpaid {
    /// Notes a packet that is to go on with the Pathlet at `branch`.
    pub(super) fn note(&mut self, branch: usize, arrival: &Arrival<'_>) {
        if self.packets.len() == UNPAID_MAX {
            self.packets.pop_front();
        }
        let own = JoinedPacket { flow: arrival.header.flow, number: arrival.header.number };
        self.packets.push_back((branch as u8, (own, arrival.joined)));
    }

    /// Takes the newest packet of the Pathlets in `mask` out.
    pub(super) fn take_newest(&mut self, mask: Mask) -> Option<StandsFor> {
        let at = self.packets.iter().rposition(|(branch, _)| mask >> branch & 1 == 1)?;
        self.packets.remove(at).map(|(_, packets)| packets)
    }

    /// The place of a Pathlet is given to another one.
    pub(super) fn forget(&mut self, branch: usize) {
        self.packets.retain(|(known, _)| usize::from(*known) != branch);
    }

    /// Takes the oldest packet of each Pathlet in `mask` out, and returns those of two flows.
    pub(super) fn take(&mut self, mask: Mask) -> Option<StandsFor> {
        let mut left = mask;
        let mut taken: Option<StandsFor> = None;
        let mut at = 0;
        while left != 0
            && let Some((branch, (own, joined))) = self.packets.get(at).copied()
        {
            if left >> branch & 1 == 0 {
                at += 1;
                continue;
            }
            left &= !(1 << branch);
            self.packets.remove(at);
            for packet in [Some(own), joined].into_iter().flatten() {
                match &mut taken {
                    None => taken = Some((packet, None)),
                    Some((first, second)) if second.is_none() && first.flow != packet.flow => {
                        *second = Some(packet);
                    }
                    Some(_) => {}
                }
            }
        }
        taken
    }
}
