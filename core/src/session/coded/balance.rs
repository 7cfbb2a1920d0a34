//! How the symbols of a generation are spread over a session's flows.

use crate::flow::FlowList;

/// Symbols of the open generation, by the places of the flows that they went on.
///
/// Relays join the packets of flows that meet, but only within a generation: where one flow has carried more of it than
/// another, what is left over goes alone. Flows that could not send for a while are therefore preferred until they have
/// carried their share of this very generation.
#[derive(Clone, Debug, Default)]
pub struct Balance {
    sent: Vec<u32>,
}

impl Balance {
    /// A generation begins.
    pub(super) fn restart(&mut self) {
        self.sent.clear();
    }

    /// Returns the place of the flow that is furthest behind its share; the first place, if no flow has a share.
    #[must_use]
    pub fn next(&self, list: &FlowList) -> usize {
        let behind = |place: usize, share: f64| (f64::from(self.sent(place)) + 0.5) / share;
        let flows = list.flows().iter().enumerate().filter(|(_, flow)| flow.share > 0.0);
        let shares = flows.map(|(place, flow)| (place, behind(place, flow.share)));
        shares.min_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(place, _)| place)
    }

    /// A symbol went on the flow at `place`.
    pub fn on_sent(&mut self, place: usize) {
        if self.sent.len() <= place {
            self.sent.resize(place + 1, 0);
        }
        self.sent[place] += 1;
    }

    fn sent(&self, place: usize) -> u32 {
        self.sent.get(place).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{HopIndex, NodeId};
    use crate::io::DrawMode;
    use crate::route::Route;
    use crate::wire::routing::RouteLimits;

    /// Aim: shares are kept over any few symbols, and who could not send catches up within the generation.
    #[test]
    fn who_is_behind_comes_first() {
        let mut balance = Balance::default();
        let flows = [("2d", 0.75), ("3d", 0.25), ("4d", 0.0)]
            .map(|(route, share)| (Route::parse(route).expect("a route"), share));
        let source = NodeId::new(1).expect("an id");
        let hop = |node: NodeId| HopIndex(node.get());
        let list = FlowList::new(source, &flows, DrawMode::Stride, RouteLimits::NONE, hop).expect("a list");
        let mut sent = [0; 3];
        for _ in 0..16 {
            let place = balance.next(&list);
            balance.on_sent(place);
            sent[place] += 1;
        }
        assert_eq!(sent, [12, 4, 0]);
        // The first flow is blocked for four symbols.
        (0..4).for_each(|_| balance.on_sent(1));
        for _ in 0..12 {
            assert_eq!(balance.next(&list), 0);
            balance.on_sent(0);
        }
        balance.restart();
        assert_eq!(balance.next(&list), 0);
    }
}
