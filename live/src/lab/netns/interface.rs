//! Interfaces of the namespace that the calling thread is in, set up by the classic ioctls (netdevice(7)).
//!
//! Seven requests do not justify a netlink library, and `ip` need not be installed.

#![expect(unsafe_code, reason = "interfaces are set up by ioctl, which has no safe form")]

use super::NetnsError;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

/// Bytes of the one netlink message that is sent: header 16, interface 16, attribute 8.
const NETLINK_BYTES: u32 = 40;

/// Makes an interface pass traffic.
pub(in crate::lab) fn up(name: &str) -> Result<(), NetnsError> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    on_socket(name, "bring it up", AddressFamily::Inet, libc::SIOCSIFFLAGS, &mut request)
}

/// Sets an interface's largest packet, in bytes.
pub(in crate::lab) fn set_mtu(name: &str, mtu: u32) -> Result<(), NetnsError> {
    let mut request = request(name);
    request.ifr_ifru.ifru_mtu = mtu as i32;
    on_socket(name, "set its MTU", AddressFamily::Inet, libc::SIOCSIFMTU, &mut request)
}

/// Sets the packets that may wait at an interface.
///
/// By netlink (rtnetlink(7)): the ioctl for it wants an administrator of the machine, netlink one of the namespace.
pub(in crate::lab) fn set_queue(name: &str, packets: u32) -> Result<(), NetnsError> {
    let action = "set its queue length";
    let set = || -> io::Result<()> {
        let index = nix::net::if_::if_nametoindex(name)?;
        // A header, the interface (its index is all that counts), one attribute.
        let mut message = Vec::with_capacity(NETLINK_BYTES as usize);
        message.extend_from_slice(&NETLINK_BYTES.to_ne_bytes());
        message.extend_from_slice(&libc::RTM_SETLINK.to_ne_bytes());
        message.extend_from_slice(&((libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16).to_ne_bytes());
        message.extend_from_slice(&[0; 12]);
        message.extend_from_slice(&index.to_ne_bytes());
        message.extend_from_slice(&[0; 8]);
        message.extend_from_slice(&8_u16.to_ne_bytes());
        message.extend_from_slice(&libc::IFLA_TXQLEN.to_ne_bytes());
        message.extend_from_slice(&packets.to_ne_bytes());
        let (family, protocol) = (AddressFamily::Netlink, SockProtocol::NetlinkRoute);
        let socket = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        sendto(socket.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        // The answer: a header of 16 bytes, then zero or the negated cause of refusal.
        let mut answer = [0; 1024];
        let len = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let code = answer[..len].get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
        match code {
            Some(0) => Ok(()),
            Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
            None => Err(io::Error::other("netlink gave no answer")),
        }
    };
    set().map_err(|source| error(name, action, source))
}

/// Gives an interface its IPv4 address, and the route to the addresses that share `prefix` bits with it.
pub(in crate::lab) fn set_ipv4(name: &str, address: Ipv4Addr, prefix: u32) -> Result<(), NetnsError> {
    let mask = Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - prefix).unwrap_or(0));
    let socket = AddressFamily::Inet;
    let mut request = request(name);
    request.ifr_ifru.ifru_addr = socket_address(address);
    on_socket(name, "set its IPv4 address", socket, libc::SIOCSIFADDR, &mut request)?;
    request.ifr_ifru.ifru_netmask = socket_address(mask);
    on_socket(name, "set its netmask", socket, libc::SIOCSIFNETMASK, &mut request)
}

/// Gives an interface another IPv6 address, and the route to the addresses that share `prefix` bits with it.
pub(in crate::lab) fn add_ipv6(name: &str, address: Ipv6Addr, prefix: u32) -> Result<(), NetnsError> {
    let action = "add an IPv6 address";
    let index = nix::net::if_::if_nametoindex(name).map_err(|errno| error(name, action, errno.into()))?;
    let mut request = libc::in6_ifreq {
        ifr6_addr: libc::in6_addr { s6_addr: address.octets() },
        ifr6_prefixlen: prefix,
        ifr6_ifindex: index as i32,
    };
    on_socket(name, action, AddressFamily::Inet6, libc::SIOCSIFADDR, &mut request)
}

/// Makes an open `/dev/net/tun` the interface `name`, which passes bare IP packets.
pub(in crate::lab) fn attach_tun(device: &File, name: &str) -> Result<(), NetnsError> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as i16;
    call(device, libc::TUNSETIFF, &mut request).map_err(|source| error(name, "create it", source))
}

fn request(name: &str) -> libc::ifreq {
    let mut ifr_name = [0; libc::IFNAMSIZ];
    // The last byte stays zero: it ends the name.
    for (to, from) in ifr_name[..libc::IFNAMSIZ - 1].iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: an ifreq is plain integers, arrays of them and unions of such, for all of which zero bytes are valid.
    let zero: libc::ifreq = unsafe { std::mem::zeroed() };
    libc::ifreq { ifr_name, ..zero }
}

fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    // A sockaddr_in: two bytes of port, then the address.
    let mut sa_data = [0; 14];
    for (to, from) in sa_data[2..].iter_mut().zip(address.octets()) {
        *to = from as libc::c_char;
    }
    libc::sockaddr { sa_family: libc::AF_INET as libc::sa_family_t, sa_data }
}

fn on_socket<T>(
    name: &str,
    action: &'static str,
    family: AddressFamily,
    code: libc::Ioctl,
    request: &mut T,
) -> Result<(), NetnsError> {
    let open =
        || -> io::Result<OwnedFd> { Ok(socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?) };
    open().and_then(|socket| call(&socket, code, request)).map_err(|source| error(name, action, source))
}

/// `request` must be the structure that the kernel reads and writes for `code`; all callers are in this file.
fn call<T>(file: &impl AsFd, code: libc::Ioctl, request: &mut T) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as `file` is borrowed; `request` is exclusively ours, and of the type
    // that netdevice(7) and the TUN driver state for the codes used above, hence as large as the kernel takes it to be.
    let result = unsafe { libc::ioctl(file.as_fd().as_raw_fd(), code, std::ptr::from_mut(request)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn error(interface: &str, action: &'static str, source: io::Error) -> NetnsError {
    NetnsError::Interface { interface: interface.to_owned(), action, source }
}
