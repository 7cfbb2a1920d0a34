//! Who is where: nodes by id, by slot, and by the address that their datagrams come from.

use crate::console::Addresses;
use bellini_core::ids::{HopIndex, NodeId};
use bellini_core::io::HopKind;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Position of a peer in the table; it never changes.
pub(super) type Slot = usize;

/// A node that can be reached.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Its id.
    pub(super) node: NodeId,
    /// Where it is.
    pub(super) addresses: Addresses,
    /// Its hops by kind, once they came into being.
    pub(super) hops: [Option<HopIndex>; HopKind::COUNT],
}

/// All nodes that can be reached.
#[derive(Debug, Default)]
pub(super) struct Peers {
    slots: Vec<Peer>,
    by_node: FxHashMap<NodeId, Slot>,
    by_data: FxHashMap<SocketAddr, Slot>,
    by_control: FxHashMap<SocketAddr, Slot>,
    /// Peers at each host.
    homes: FxHashMap<IpAddr, usize>,
}

impl Peers {
    /// Adds nodes, or says where known ones are now, each at a place of its own; returns the slots that are new or have moved.
    pub(super) fn update(&mut self, nodes: &BTreeMap<NodeId, Addresses>) -> Vec<Slot> {
        let mut changed = Vec::new();
        for (node, addresses) in nodes {
            let slot = match self.by_node.get(node) {
                Some(slot) if self.slots[*slot].addresses == *addresses => continue,
                Some(slot) => {
                    let old = self.slots[*slot].addresses;
                    remove(&mut self.by_data, plain(old.data), *slot);
                    remove(&mut self.by_control, plain(old.control), *slot);
                    if let Some(peers) = self.homes.get_mut(&old.data.ip().to_canonical()) {
                        *peers -= 1;
                    }
                    self.slots[*slot].addresses = *addresses;
                    *slot
                }
                None => {
                    self.slots.push(Peer {
                        node: *node,
                        addresses: *addresses,
                        hops: [None; HopKind::COUNT],
                    });
                    self.by_node.insert(*node, self.slots.len() - 1);
                    self.slots.len() - 1
                }
            };
            self.by_data.insert(plain(addresses.data), slot);
            self.by_control.insert(plain(addresses.control), slot);
            *self.homes.entry(addresses.data.ip().to_canonical()).or_default() += 1;
            changed.push(slot);
        }
        changed
    }

    /// Returns where all known nodes are.
    pub(super) fn places(&self) -> BTreeMap<NodeId, Addresses> {
        self.slots.iter().map(|peer| (peer.node, peer.addresses)).collect()
    }

    pub(super) fn get(&self, slot: Slot) -> &Peer {
        &self.slots[slot]
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Peer {
        &mut self.slots[slot]
    }

    /// Returns the slot of a node.
    pub(super) fn of_node(&self, node: NodeId) -> Option<Slot> {
        self.by_node.get(&node).copied()
    }

    /// Returns who sends datagrams of kind `kind` from `source`.
    #[inline]
    pub(super) fn of_source(&self, kind: HopKind, source: SocketAddr) -> Option<Slot> {
        let table = if kind == HopKind::Control { &self.by_control } else { &self.by_data };
        table.get(&plain(source)).copied()
    }

    /// Whether a peer is at this host.
    pub(super) fn is_home(&self, host: IpAddr) -> bool {
        self.homes.get(&host.to_canonical()).is_some_and(|peers| *peers > 0)
    }

    /// Whether connections of a node may come from `source`.
    pub(super) fn may_come_from(&self, slot: Slot, source: IpAddr) -> bool {
        self.slots[slot].addresses.data.ip().to_canonical() == source.to_canonical()
    }
}

/// Another node may be at the address meanwhile.
fn remove(table: &mut FxHashMap<SocketAddr, Slot>, address: SocketAddr, slot: Slot) {
    if table.get(&address) == Some(&slot) {
        table.remove(&address);
    }
}

/// The form of an address by which it is compared: an IPv6 socket shows IPv4 senders as mapped addresses, and scope
/// and flow label are none of the sender's doing.
#[inline]
pub(super) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(data: &str, control: &str) -> Addresses {
        Addresses { data: data.parse().expect("an address"), control: control.parse().expect("an address") }
    }

    #[test]
    fn senders_are_known_by_the_port_that_fits_the_kind() {
        let mut peers = Peers::default();
        let two = NodeId::new(2).expect("a legal id");
        let known = BTreeMap::from([(two, at("10.0.0.2:7000", "10.0.0.2:7001"))]);
        assert_eq!(peers.update(&known), [0]);
        assert_eq!(peers.update(&known), [] as [Slot; 0], "nothing is new");
        let of = |peers: &Peers, kind, text: &str| peers.of_source(kind, text.parse().expect("an address"));
        assert_eq!(of(&peers, HopKind::Datagram, "10.0.0.2:7000"), Some(0));
        assert_eq!(of(&peers, HopKind::Datagram, "[::ffff:10.0.0.2]:7000"), Some(0));
        assert_eq!(of(&peers, HopKind::Datagram, "10.0.0.2:7001"), None);
        assert_eq!(of(&peers, HopKind::Control, "10.0.0.2:7001"), Some(0));
        assert!(peers.may_come_from(0, "::ffff:10.0.0.2".parse().expect("an address")));
        assert!(!peers.may_come_from(0, "10.0.0.3".parse().expect("an address")));
    }

    /// A node that moved is no longer known where it was, and another may be there by then.
    #[test]
    fn a_node_may_move() {
        let mut peers = Peers::default();
        let [two, three] = [2, 3].map(|id| NodeId::new(id).expect("a legal id"));
        peers.update(&BTreeMap::from([(two, at("10.0.0.2:1", "10.0.0.2:2"))]));
        peers.update(&BTreeMap::from([(three, at("10.0.0.2:1", "10.0.0.3:2"))]));
        peers.update(&BTreeMap::from([(two, at("10.0.0.9:1", "10.0.0.9:2"))]));
        let of = |text: &str| peers.of_source(HopKind::Datagram, text.parse().expect("an address"));
        assert_eq!((of("10.0.0.2:1"), of("10.0.0.9:1")), (Some(1), Some(0)));
        assert_eq!(peers.of_node(two), Some(0));
        assert_eq!(peers.of_source(HopKind::Control, "10.0.0.2:2".parse().expect("an address")), None);
        let is_home = |text: &str| peers.is_home(text.parse().expect("an address"));
        assert!(is_home("10.0.0.2") && is_home("10.0.0.9") && !is_home("10.0.0.3"));
    }
}
