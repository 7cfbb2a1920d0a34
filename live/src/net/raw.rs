//! The batched socket calls: `recvmmsg` and `sendmmsg` with storage that is used again, and what the kernel
//! says beside the bytes. No wrapper on offer sends trains of different segment sizes in one call, or receives
//! into memory that was not zeroed before.

#![expect(
    unsafe_code,
    reason = "batched system calls on memory that is not initialised have no safe wrapper"
)]

use bytes::BytesMut;
use socket2::SockAddr;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Messages of one call at most.
pub(super) const MESSAGES_MAX: usize = 64;

/// Room for the control messages of one message: a segment size, with some to spare.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

const CONTROL: Control = Control([0; 64]);

/// Storage of a batched call. The kernel reads and writes through pointers that are set anew for every call, so
/// that the value can be moved in between.
struct Messages {
    headers: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
    controls: Vec<Control>,
}

// SAFETY: the raw pointers inside are only followed during a call, which first sets all that it uses.
unsafe impl Send for Messages {}
// SAFETY: a shared reference gives no way to follow the pointers, but for reading control messages that lie in
// `controls`, which nobody writes meanwhile.
unsafe impl Sync for Messages {}

impl Messages {
    fn new() -> Self {
        // SAFETY: all-zero bytes are a value of these C structs: null pointers and zero lengths.
        let (header, vector) =
            unsafe { (std::mem::zeroed::<libc::mmsghdr>(), std::mem::zeroed::<libc::iovec>()) };
        Self {
            headers: vec![header; MESSAGES_MAX],
            vectors: vec![vector; MESSAGES_MAX],
            controls: vec![CONTROL; MESSAGES_MAX],
        }
    }
}

/// Receives several messages with one call.
pub(super) struct ReceiveBatch {
    messages: Messages,
    names: Vec<libc::sockaddr_storage>,
}

/// What the kernel said of a received message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// Where it came from.
    pub(super) from: SocketAddr,
    /// Bytes of each datagram in it; the last may be shorter. `None`: it is one datagram.
    pub(super) segment: Option<usize>,
    /// Whether bytes were cut off because the buffer was too small.
    pub(super) is_truncated: bool,
}

impl ReceiveBatch {
    pub(super) fn new() -> Self {
        // SAFETY: all-zero bytes are an address of the unspecified family.
        let name = unsafe { std::mem::zeroed::<libc::sockaddr_storage>() };
        Self { messages: Messages::new(), names: vec![name; MESSAGES_MAX] }
    }

    /// Receives one message into the spare capacity behind each buffer's bytes, without waiting; returns how many
    /// messages came. Buffers beyond [`MESSAGES_MAX`] are left alone.
    pub(super) fn receive(&mut self, fd: BorrowedFd<'_>, buffers: &mut [BytesMut]) -> io::Result<usize> {
        let Messages { headers, vectors, controls } = &mut self.messages;
        let count = buffers.len().min(MESSAGES_MAX);
        for (at, buffer) in buffers[..count].iter_mut().enumerate() {
            let spare = buffer.spare_capacity_mut();
            vectors[at] = libc::iovec { iov_base: spare.as_mut_ptr().cast(), iov_len: spare.len() };
            let header = &mut headers[at].msg_hdr;
            header.msg_name = (&raw mut self.names[at]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut controls[at]).cast();
            header.msg_controllen = size_of::<Control>() as _;
            header.msg_flags = 0;
        }
        // SAFETY: the first `count` headers point at names, vectors and controls of their own, which outlive the
        // call; the vectors describe spare capacity that nobody else refers to.
        let got = unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                count as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
        for (buffer, header) in buffers.iter_mut().zip(&headers[..got]) {
            let len = buffer.len() + header.msg_len as usize;
            assert!(len <= buffer.capacity(), "the kernel writes no more than the vector holds");
            // SAFETY: the kernel has written `msg_len` bytes behind those that were there.
            unsafe { buffer.set_len(len) };
        }
        Ok(got)
    }

    /// Returns what is known of message `at` of the last call; `None` for an address that is not of IP.
    pub(super) fn arrival(&self, at: usize) -> Option<Arrival> {
        let header = &self.messages.headers[at].msg_hdr;
        Some(Arrival {
            from: address(&self.names[at])?,
            segment: segment(header),
            is_truncated: header.msg_flags & libc::MSG_TRUNC != 0,
        })
    }
}

/// Finds the size of the datagrams that the kernel joined into one message.
fn segment(header: &libc::msghdr) -> Option<usize> {
    // SAFETY: the kernel has filled `msg_control` with `msg_controllen` bytes of well-formed control messages, in
    // storage that is still there and aligned for them.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !control.is_null() {
        // SAFETY: not null, so it points at a whole control message header.
        let kind = unsafe { ((*control).cmsg_level, (*control).cmsg_type) };
        if kind == (libc::SOL_UDP, libc::UDP_GRO) {
            // SAFETY: the data of this control message is one `int`, maybe not aligned.
            let size = unsafe { libc::CMSG_DATA(control).cast::<libc::c_int>().read_unaligned() };
            return usize::try_from(size).ok().filter(|size| *size > 0);
        }
        // SAFETY: as for the first one.
        control = unsafe { libc::CMSG_NXTHDR(header, control) };
    }
    None
}

/// Reads an address that the kernel wrote; IPv4 addresses in IPv6 clothes come out as IPv4.
fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the storage is large enough and aligned for every address, and its family says which it is.
            let v4 = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(match ip.to_ipv4_mapped() {
                Some(ip) => SocketAddrV4::new(ip, port).into(),
                None => SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into(),
            })
        }
        _ => None,
    }
}

/// One message to send.
#[derive(Clone, Copy)]
pub(super) struct Outgoing<'a> {
    /// Where it goes.
    pub(super) to: &'a SockAddr,
    /// Its bytes: one datagram, or several of the same size.
    pub(super) bytes: &'a [u8],
    /// Bytes of each datagram, where there are several; the last may be shorter.
    pub(super) segment: Option<u16>,
}

/// Sends several messages with one call.
pub(super) struct SendBatch {
    messages: Messages,
}

impl SendBatch {
    pub(super) fn new() -> Self {
        Self { messages: Messages::new() }
    }

    /// Sends the first [`MESSAGES_MAX`] messages in order, without waiting; returns how many went. An error is that
    /// of the first message: none has gone then.
    pub(super) fn send<'a>(
        &mut self,
        fd: BorrowedFd<'_>,
        outgoing: impl Iterator<Item = Outgoing<'a>>,
    ) -> io::Result<usize> {
        let Messages { headers, vectors, controls } = &mut self.messages;
        let mut count = 0;
        for (at, message) in outgoing.take(MESSAGES_MAX).enumerate() {
            // The kernel only reads what these point at, though C has no word for it here.
            vectors[at] = libc::iovec {
                iov_base: message.bytes.as_ptr().cast_mut().cast(),
                iov_len: message.bytes.len(),
            };
            let header = &mut headers[at].msg_hdr;
            header.msg_name = message.to.as_ptr().cast_mut().cast();
            header.msg_namelen = message.to.len();
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = 1;
            header.msg_flags = 0;
            match message.segment {
                None => {
                    header.msg_control = std::ptr::null_mut();
                    header.msg_controllen = 0;
                }
                Some(segment) => {
                    header.msg_control = (&raw mut controls[at]).cast();
                    // SAFETY: pure arithmetic on the length of the data.
                    let (space, len) = unsafe {
                        (libc::CMSG_SPACE(size_of::<u16>() as _), libc::CMSG_LEN(size_of::<u16>() as _))
                    };
                    header.msg_controllen = space as _;
                    // SAFETY: the control storage is aligned for, and longer than, one header with a `u16`.
                    unsafe {
                        let control = libc::CMSG_FIRSTHDR(header);
                        (*control).cmsg_level = libc::SOL_UDP;
                        (*control).cmsg_type = libc::UDP_SEGMENT;
                        (*control).cmsg_len = len as _;
                        libc::CMSG_DATA(control).cast::<u16>().write_unaligned(segment);
                    }
                }
            }
            count += 1;
        }
        // SAFETY: the first `count` headers point at addresses and bytes that the caller lends for longer than this
        // call, and at vectors and controls of their own.
        let sent = unsafe {
            libc::sendmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                count as libc::c_uint,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Sets a socket option whose value is an `int`.
pub(super) fn set_option(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the kernel reads one `int` from the pointer.
    let done = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `asm-generic/socket.h`; architectures with numbers of their own answer with an error.
const SO_MEMINFO: libc::c_int = 55;
/// Numbers that it yields, and where among them the dropped datagrams stand (`linux/sock_diag.h`).
const MEMINFO_FIELDS: usize = 9;
const MEMINFO_DROPS: usize = libc::SK_MEMINFO_DROPS as usize;

/// Returns the datagrams that the kernel dropped at this socket since it was made, modulo 2^32.
pub(super) fn dropped(fd: BorrowedFd<'_>) -> io::Result<u32> {
    let mut fields = [0_u32; MEMINFO_FIELDS];
    let mut len = size_of_val(&fields) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to the array.
    let done = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_MEMINFO,
            fields.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if done == 0 { Ok(fields[MEMINFO_DROPS]) } else { Err(io::Error::last_os_error()) }
}

/// Returns what the kernel says of a TCP connection (tcp(7), `TCP_INFO`).
pub(super) fn tcp_info(fd: BorrowedFd<'_>) -> io::Result<libc::tcp_info> {
    // SAFETY: all-zero bytes are a value of this C struct of numbers; fields that an older kernel does not know stay
    // zero.
    let mut info = unsafe { std::mem::zeroed::<libc::tcp_info>() };
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes to the struct.
    let done = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut len,
        )
    };
    if done == 0 { Ok(info) } else { Err(io::Error::last_os_error()) }
}

/// Receives from a stream into the spare capacity behind the buffer's bytes; returns how many bytes came.
pub(super) fn receive_stream(socket: &socket2::Socket, buffer: &mut BytesMut) -> io::Result<usize> {
    let got = socket.recv(buffer.spare_capacity_mut())?;
    let len = buffer.len() + got;
    assert!(len <= buffer.capacity(), "the kernel writes no more than the buffer holds");
    // SAFETY: `got` bytes behind those that were there have been written.
    unsafe { buffer.set_len(len) };
    Ok(got)
}
