//! What is wrong with a node's settings, before anything is started.

use super::clock::DRIFT_PPB_MAX;
use super::peers::plain;
use crate::console::{Addresses, NodeSettings};
use bellini_core::config::ConfigError;
use bellini_core::ids::NodeId;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use thiserror::Error;

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// The core's configuration breaks a rule.
    #[error("config.{0}")]
    Config(#[from] ConfigError),
    /// The planted drift is absurd.
    #[error("clock_drift_ppb is {0}: at most {DRIFT_PPB_MAX} either way (10 %)")]
    Drift(i64),
    /// Plain hops where others can reach them, and nobody said that this is wanted.
    #[error(
        "seal: bound to {0}, outside loopback, without keys: give `seal` (`--keys DIR`; `bellini keys issue` makes \
         them), or say `plaintext` (`--plaintext`) where nobody else can reach the network"
    )]
    Unsealed(IpAddr),
    /// Keys that cannot be used.
    #[error("seal: {0}")]
    Seal(String),
    /// Both sealed and plain.
    #[error("seal and plaintext are both given: hops are either sealed or plain")]
    SealedPlaintext,
    /// Two ports that must differ are the same.
    #[error("port and control_port are both {0}: datagram hops and control hops need a UDP port each")]
    SamePorts(u16),
    /// The node is its own peer.
    #[error("peers: node {0} is this node itself")]
    OwnPeer(NodeId),
    /// An address nobody can be sent to.
    #[error(
        "peers: node {node} cannot be reached at {address}: an address and a port are needed, neither of them 0"
    )]
    BadAddress {
        /// The peer.
        node: NodeId,
        /// Its address.
        address: SocketAddr,
    },
    /// Two peers at one place: senders could not be told apart.
    #[error("peers: nodes {first} and {second} are both at {address}")]
    SameAddress {
        /// One of them.
        first: NodeId,
        /// The other.
        second: NodeId,
        /// Where both are said to be.
        address: SocketAddr,
    },
    /// One peer with one port for two things.
    #[error(
        "peers: node {node} is at {address} with both data and control: each needs a UDP port of its own"
    )]
    SamePlace {
        /// The peer.
        node: NodeId,
        /// What is given twice.
        address: SocketAddr,
    },
    /// An address of the other family than the sockets.
    #[error("peers: node {node} is at {address}, which sockets bound to {bind} cannot reach")]
    OtherFamily {
        /// The peer.
        node: NodeId,
        /// Its address.
        address: SocketAddr,
        /// The address that is bound.
        bind: IpAddr,
    },
}

impl NodeSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.config.check()?;
        if self.clock_drift_ppb.unsigned_abs() > DRIFT_PPB_MAX.unsigned_abs() {
            return Err(SettingsError::Drift(self.clock_drift_ppb));
        }
        if self.port == self.control_port && self.port != 0 {
            return Err(SettingsError::SamePorts(self.port));
        }
        match &self.seal {
            Some(_) if self.plaintext => return Err(SettingsError::SealedPlaintext),
            None if !self.plaintext && !self.bind.to_canonical().is_loopback() => {
                return Err(SettingsError::Unsealed(self.bind));
            }
            _ => {}
        }
        check_peers(self.config.id, self.bind, &BTreeMap::new(), &self.peers)
    }
}

/// Checks where `peers` are said to be, for a node `own` whose sockets are bound to `bind` and which knows where the
/// nodes of `known` are. Known nodes may move, but not to where another one stays.
pub(super) fn check_peers(
    own: NodeId,
    bind: IpAddr,
    known: &BTreeMap<NodeId, Addresses>,
    peers: &BTreeMap<NodeId, Addresses>,
) -> Result<(), SettingsError> {
    let staying = known.iter().filter(|(node, _)| !peers.contains_key(*node));
    let mut places: BTreeMap<SocketAddr, NodeId> = staying
        .flat_map(|(node, addresses)| [(plain(addresses.data), *node), (plain(addresses.control), *node)])
        .collect();
    for (node, addresses) in peers {
        if *node == own {
            return Err(SettingsError::OwnPeer(own));
        }
        if plain(addresses.data) == plain(addresses.control) {
            return Err(SettingsError::SamePlace { node: *node, address: addresses.data });
        }
        for address in [addresses.data, addresses.control] {
            if address.port() == 0 || address.ip().is_unspecified() {
                return Err(SettingsError::BadAddress { node: *node, address });
            }
            // A socket of IPv6 also takes IPv4 where it is bound to every address.
            let takes_both = bind.is_ipv6() && bind.is_unspecified();
            if address.is_ipv4() != bind.is_ipv4() && !takes_both {
                return Err(SettingsError::OtherFamily { node: *node, address, bind });
            }
            if let Some(first) = places.insert(plain(address), *node) {
                return Err(SettingsError::SameAddress { first, second: *node, address });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Origin;
    use bellini_core::config::NodeConfig;

    fn id(id: u32) -> NodeId {
        NodeId::new(id).expect("a legal id")
    }

    fn settings(peers: &[(u32, &str, &str)]) -> NodeSettings {
        let peer = |(node, data, control): &(u32, &str, &str)| {
            let at = |text: &str| text.parse().expect("an address");
            (id(*node), Addresses { data: at(data), control: at(control) })
        };
        NodeSettings {
            peers: peers.iter().map(peer).collect(),
            ..NodeSettings::new(NodeConfig::new(id(1)), 1, Origin::MonotonicNs(0))
        }
    }

    /// Each rule refuses what breaks it, and says where.
    #[test]
    fn what_cannot_work_is_refused() {
        assert_eq!(settings(&[(2, "127.0.0.1:1", "127.0.0.1:2")]).check(), Ok(()));
        for (peers, said) in [
            (&[(1, "127.0.0.1:1", "127.0.0.1:2")][..], "node 1 is this node"),
            (&[(2, "127.0.0.1:0", "127.0.0.1:2")], "node 2 cannot be reached at 127.0.0.1:0"),
            (&[(2, "0.0.0.0:1", "127.0.0.1:2")], "cannot be reached"),
            (&[(2, "127.0.0.1:1", "127.0.0.1:1")], "node 2 is at 127.0.0.1:1 with both data and control"),
            (&[(2, "127.0.0.1:1", "127.0.0.1:2"), (3, "127.0.0.1:3", "127.0.0.1:2")], "nodes 2 and 3"),
            (&[(2, "[::1]:1", "[::1]:2")], "cannot reach"),
        ] {
            let error = settings(peers).check().expect_err(said);
            assert!(error.to_string().contains(said), "{error}");
        }
        let mut wrong = settings(&[]);
        (wrong.port, wrong.control_port) = (7, 7);
        assert_eq!(wrong.check(), Err(SettingsError::SamePorts(7)));
        let mut wrong = settings(&[]);
        wrong.clock_drift_ppb = i64::MIN;
        assert_eq!(wrong.check(), Err(SettingsError::Drift(i64::MIN)));
        let mut wrong = settings(&[]);
        wrong.bind = "10.0.0.1".parse().expect("an address");
        assert_eq!(wrong.check(), Err(SettingsError::Unsealed(wrong.bind)));
        wrong.plaintext = true;
        assert_eq!(wrong.check(), Ok(()));
        wrong.seal = Some(crate::seal::keys::settings("keys".as_ref(), id(1)));
        assert_eq!(wrong.check(), Err(SettingsError::SealedPlaintext));
        wrong.plaintext = false;
        assert_eq!(wrong.check(), Ok(()));
        let mut wrong = settings(&[]);
        wrong.config.incarnation.0 = 0;
        assert!(
            wrong.check().expect_err("no incarnation").to_string().starts_with("config.incarnation is 0")
        );
    }
    /// A later order may move a node, also to where one was that moves away with it; nobody takes the place of a node
    /// that stays.
    #[test]
    fn places_that_are_known_are_taken() {
        let known = settings(&[(2, "127.0.0.1:1", "127.0.0.1:2"), (3, "127.0.0.1:3", "127.0.0.1:4")]).peers;
        let check = |peers: &[(u32, &str, &str)]| {
            check_peers(id(1), "127.0.0.1".parse().expect("an address"), &known, &settings(peers).peers)
        };
        assert_eq!(check(&[(2, "127.0.0.1:1", "127.0.0.1:9")]), Ok(()));
        assert_eq!(check(&[(2, "127.0.0.1:3", "127.0.0.1:4"), (3, "127.0.0.1:1", "127.0.0.1:2")]), Ok(()));
        for taking in [(3, "127.0.0.1:1", "127.0.0.1:9"), (4, "127.0.0.1:9", "127.0.0.1:1")] {
            let (second, address) = (id(taking.0), "127.0.0.1:1".parse().expect("an address"));
            assert_eq!(check(&[taking]), Err(SettingsError::SameAddress { first: id(2), second, address }));
        }
    }
}
