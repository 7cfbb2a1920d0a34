//! The TUN device of a node: its kernel's packets come out here, and what is written here its kernel receives.

use super::netns::{Namespace, NetnsError, interface};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use thiserror::Error;

/// Where the kernel hands out TUN devices.
const CLONE_DEVICE: &str = "/dev/net/tun";
/// The device's name; every namespace has one of its own.
const NAME: &str = "wan";
/// What all nodes' addresses have in common: 10.77.0.0/16 and fd77::/64, as private as addresses can be.
const IPV4_NET: u32 = 0x0A4D_0000;
const IPV4_PREFIX: u32 = 16;
const IPV6_NET: u128 = 0xFD77 << 112;
const IPV6_PREFIX: u32 = 64;
/// Nodes that the networks have addresses for.
pub const NODES_MAX: u32 = (1 << (32 - IPV4_PREFIX)) - 2;

/// Why there is no device.
#[derive(Debug, Error)]
pub enum TunError {
    /// The kernel has none.
    #[error(
        "{CLONE_DEVICE} does not exist: the lab's network needs TUN devices; load the module (modprobe tun), or let \
         the container have the device"
    )]
    Missing,
    /// It is not for this user.
    #[error(
        "{CLONE_DEVICE} cannot be opened by this user: run as root, or have an administrator allow it (chmod 0666 \
         {CLONE_DEVICE}, as most systems have it)"
    )]
    Denied,
    /// It cannot be opened or read for another reason.
    #[error("{file}: {source}")]
    File {
        /// Which file.
        file: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The node's index is too high.
    #[error("a lab has addresses for {NODES_MAX} nodes, not for node {0}")]
    NoAddress(u32),
    /// The interface cannot be set up.
    #[error(transparent)]
    Netns(#[from] NetnsError),
}

/// What a device should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunSpec {
    /// The node's index; its addresses follow from it.
    pub node: u32,
    /// Largest IP packet in bytes.
    pub mtu: u32,
    /// Packets that may wait for the reader; what comes while so many wait is dropped and counted.
    pub queue_packets: u32,
}

impl TunSpec {
    /// Returns the usual device of a node: 1,500 bytes, and room for what a burst of its processes leaves while the
    /// reader does something else.
    #[must_use]
    pub const fn new(node: u32) -> Self {
        Self { node, mtu: 1_500, queue_packets: 8_192 }
    }
}

/// A node's device. It is gone when this is dropped.
#[derive(Debug)]
pub struct Tun {
    node: u32,
    device: File,
    /// Counters of the interfaces of its namespace.
    counters: File,
}

impl Tun {
    /// Checks that this user may make TUN devices, so that a run can say so before it begins.
    ///
    /// # Errors
    /// When there is no clone device, or it is not for this user.
    pub fn check() -> Result<(), TunError> {
        open_clone().map(drop)
    }

    /// Makes the device in a namespace, with addresses, up.
    ///
    /// # Errors
    /// When there are no TUN devices for this user, or the namespace is not his.
    pub fn open(namespace: &Namespace, spec: TunSpec) -> Result<Self, TunError> {
        if spec.node >= NODES_MAX {
            return Err(TunError::NoAddress(spec.node));
        }
        namespace.run(move || Self::open_here(spec))?
    }

    fn open_here(spec: TunSpec) -> Result<Self, TunError> {
        let device = open_clone()?;
        interface::attach_tun(&device, NAME)?;
        interface::set_mtu(NAME, spec.mtu)?;
        interface::set_queue(NAME, spec.queue_packets)?;
        interface::set_ipv4(NAME, ipv4(spec.node), IPV4_PREFIX)?;
        // Without an address of its own making the kernel does not look for routers that are not there. A kernel
        // without IPv6 has no such file, and goes without the address too.
        let is_quiet = std::fs::write(format!("/proc/sys/net/ipv6/conf/{NAME}/addr_gen_mode"), "1").is_ok();
        interface::up(NAME)?;
        if is_quiet {
            interface::add_ipv6(NAME, ipv6(spec.node), IPV6_PREFIX)?;
        }
        // The file of the thread: that of the process is about another namespace.
        const COUNTERS: &str = "/proc/thread-self/net/dev";
        let counters = File::open(COUNTERS).map_err(|source| TunError::File { file: COUNTERS, source })?;
        Ok(Self { node: spec.node, device, counters })
    }

    /// Returns the index of the node whose device it is.
    #[must_use]
    pub const fn node(&self) -> u32 {
        self.node
    }

    /// Takes the next packet that the node sent. Does not wait.
    ///
    /// # Errors
    /// `WouldBlock` when there is none; others when the device is down.
    #[inline]
    pub fn read(&self, packet: &mut [u8]) -> io::Result<usize> {
        (&self.device).read(packet)
    }

    /// Hands the node a packet. The kernel works it off before this returns.
    ///
    /// # Errors
    /// When it is no IP packet, or the device is down.
    #[inline]
    pub fn write(&self, packet: &[u8]) -> io::Result<()> {
        (&self.device).write(packet).map(drop)
    }

    /// Returns the packets that the node sent and nobody fetched in time.
    ///
    /// # Errors
    /// When the kernel's counters cannot be read.
    pub fn dropped_packets(&self) -> io::Result<u64> {
        let mut text = [0; 4096];
        let len = self.counters.read_at(&mut text, 0)?;
        let text = String::from_utf8_lossy(&text[..len]);
        // Behind the name: eight numbers of what it received, then bytes, packets, errors, drops of what it sent.
        let numbers = text.lines().find_map(|line| line.trim_start().strip_prefix(NAME)?.strip_prefix(':'));
        let dropped = numbers.and_then(|numbers| numbers.split_whitespace().nth(11)?.parse().ok());
        dropped.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no counters of the device"))
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

/// Returns the IPv4 address of a node.
#[must_use]
pub const fn ipv4(node: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(IPV4_NET | (node + 1))
}

/// Returns the IPv6 address of a node.
#[must_use]
pub const fn ipv6(node: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(IPV6_NET | (node + 1) as u128)
}

/// Returns the index of the node that has this IPv4 address.
#[inline]
pub(super) const fn node_of_ipv4(address: u32) -> Option<u32> {
    let host = address ^ IPV4_NET;
    if host == 0 || host > NODES_MAX { None } else { Some(host - 1) }
}

/// Returns the index of the node that has this IPv6 address.
#[inline]
pub(super) const fn node_of_ipv6(address: u128) -> Option<u32> {
    let host = address ^ IPV6_NET;
    if host == 0 || host > NODES_MAX as u128 { None } else { Some(host as u32 - 1) }
}

fn open_clone() -> Result<File, TunError> {
    let opened = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(CLONE_DEVICE);
    opened.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => TunError::Missing,
        io::ErrorKind::PermissionDenied => TunError::Denied,
        // The file is there, but no driver behind it.
        _ if source.raw_os_error() == Some(libc::ENODEV) => TunError::Missing,
        _ => TunError::File { file: CLONE_DEVICE, source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_back_to_their_nodes() {
        // First, last and some between; the net's own address and that of all hosts belong to nobody.
        for node in [0, 1, 254, 255, 256, 40_000, NODES_MAX - 1] {
            assert_eq!(node_of_ipv4(ipv4(node).to_bits()), Some(node));
            assert_eq!(node_of_ipv6(ipv6(node).to_bits()), Some(node));
        }
        assert_eq!(ipv4(0), Ipv4Addr::new(10, 77, 0, 1));
        assert_eq!(ipv6(0), "fd77::1".parse::<Ipv6Addr>().unwrap());
        for nobody in [[10, 77, 0, 0], [10, 77, 255, 255], [10, 78, 0, 1], [224, 0, 0, 1]] {
            assert_eq!(node_of_ipv4(Ipv4Addr::from(nobody).to_bits()), None);
        }
        assert_eq!(node_of_ipv6("ff02::2".parse::<Ipv6Addr>().unwrap().to_bits()), None);
    }
}
