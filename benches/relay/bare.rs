//! Forwarders without a protocol: the least that each way of moving packets through a process costs.

#![expect(unsafe_code, reason = "the bare system calls are what is measured")]

use std::io::{self, IoSlice, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

const MESSAGES: usize = 64;
const CONTROL_BYTES: usize = 64;

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

/// Receives with `recvmmsg` and sends the same buffers on with `sendmmsg`.
pub(crate) struct Batched {
    socket: UdpSocket,
    to: libc::sockaddr_in,
    messages: usize,
    headers: Vec<libc::mmsghdr>,
    vectors: Vec<libc::iovec>,
    controls: Vec<Control>,
    buffers: Vec<Vec<u8>>,
}

impl Batched {
    /// Takes 64 messages a call; with `joined` 8, each of them as many datagrams as the kernel joins.
    pub(crate) fn new(socket: UdpSocket, to: SocketAddr, joined: bool) -> Self {
        let SocketAddr::V4(to) = to else { panic!("the bench uses IPv4") };
        socket.set_nonblocking(true).expect("sockets can be non-blocking");
        if joined {
            set(&socket, libc::SOL_UDP, libc::UDP_GRO, 1);
        }
        let (messages, size) = if joined { (8, 66 << 10) } else { (MESSAGES, 2_048) };
        // SAFETY: all-zero bytes are a value of these C structs.
        let (header, vector) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        Self {
            socket,
            to: address(to),
            messages,
            headers: vec![header; messages],
            vectors: vec![vector; messages],
            controls: vec![Control([0; CONTROL_BYTES]); messages],
            buffers: vec![vec![0; size]; messages],
        }
    }

    /// Forwards everything that waits.
    pub(crate) fn run(&mut self) {
        while let Some(messages) = self.receive() {
            self.send(messages);
        }
    }

    fn receive(&mut self) -> Option<usize> {
        for at in 0..self.messages {
            let buffer = &mut self.buffers[at];
            self.vectors[at] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            let header = &mut self.headers[at].msg_hdr;
            header.msg_name = std::ptr::null_mut();
            header.msg_namelen = 0;
            header.msg_iov = &raw mut self.vectors[at];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut self.controls[at]).cast();
            header.msg_controllen = CONTROL_BYTES as _;
        }
        let (fd, headers) = (self.socket.as_raw_fd(), self.headers.as_mut_ptr());
        // SAFETY: every header points at a buffer and a control of its own, which outlive the call.
        let got = unsafe { libc::recvmmsg(fd, headers, self.messages as u32, 0, std::ptr::null_mut()) };
        usize::try_from(got).ok()
    }

    fn send(&mut self, messages: usize) {
        for at in 0..messages {
            let len = self.headers[at].msg_len as usize;
            self.vectors[at].iov_len = len;
            let header = &mut self.headers[at].msg_hdr;
            let segment = segment(header).filter(|segment| *segment < len);
            header.msg_name = (&raw mut self.to).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
            header.msg_controllen = 0;
            if let Some(segment) = segment {
                // SAFETY: pure arithmetic; then the control storage has room for one header with a `u16`.
                unsafe {
                    header.msg_controllen = libc::CMSG_SPACE(2) as _;
                    let control = libc::CMSG_FIRSTHDR(header);
                    (*control).cmsg_level = libc::SOL_UDP;
                    (*control).cmsg_type = libc::UDP_SEGMENT;
                    (*control).cmsg_len = libc::CMSG_LEN(2) as _;
                    libc::CMSG_DATA(control).cast::<u16>().write_unaligned(segment as u16);
                }
            }
        }
        let (fd, headers) = (self.socket.as_raw_fd(), self.headers.as_mut_ptr());
        // SAFETY: as on receiving.
        let sent = unsafe { libc::sendmmsg(fd, headers, messages as u32, 0) };
        assert_eq!(sent, messages as i32, "{}", io::Error::last_os_error());
    }
}

fn segment(header: &libc::msghdr) -> Option<usize> {
    // SAFETY: the kernel filled the control storage; the one option set yields one `int`.
    unsafe {
        let control = libc::CMSG_FIRSTHDR(header);
        let is_there = !control.is_null() && (*control).cmsg_type == libc::UDP_GRO;
        is_there.then(|| libc::CMSG_DATA(control).cast::<i32>().read_unaligned() as usize)
    }
}

fn address(to: SocketAddrV4) -> libc::sockaddr_in {
    // SAFETY: all-zero bytes are a value of this C struct.
    let mut out: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    out.sin_family = libc::AF_INET as u16;
    out.sin_port = to.port().to_be();
    out.sin_addr.s_addr = u32::from(*to.ip()).to_be();
    out
}

fn set(socket: &UdpSocket, level: i32, name: i32, value: i32) {
    // SAFETY: the kernel reads one `int`.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), 4) };
    assert_eq!(done, 0, "{}", io::Error::last_os_error());
}

/// A socket on loopback whose receive queue holds a burst.
pub(crate) fn socket(receive_bytes: i32) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, receive_bytes);
    socket
}

/// Processor time of this thread in nanoseconds.
pub(crate) fn thread_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(done, 0, "every thread has a clock");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Forwards frames of a byte stream: large reads, then one vectored write of header and payload of each frame.
pub(crate) struct Framed {
    from: TcpStream,
    to: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    header_bytes: usize,
}

impl Framed {
    pub(crate) fn new(from: TcpStream, to: TcpStream, header_bytes: usize) -> Self {
        from.set_nonblocking(true).expect("sockets can be non-blocking");
        to.set_nonblocking(true).expect("sockets can be non-blocking");
        to.set_nodelay(true).expect("a legal option");
        Self { from, to, buffer: vec![0; 256 << 10], filled: 0, header_bytes }
    }

    /// Forwards all whole frames that wait; returns their bytes.
    pub(crate) fn run(&mut self) -> usize {
        let mut forwarded = 0;
        while let Ok(got) = self.from.read(&mut self.buffer[self.filled..]) {
            self.filled += got;
            let mut frames = Vec::with_capacity(512);
            let mut at = 0;
            while let Some(prefix) = self.buffer[at..self.filled].first_chunk::<4>() {
                let end = at + 4 + u32::from_be_bytes(*prefix) as usize;
                if end > self.filled {
                    break;
                }
                let (header, payload) = self.buffer[at..end].split_at(self.header_bytes);
                frames.extend([IoSlice::new(header), IoSlice::new(payload)]);
                at = end;
            }
            let mut rest = frames.as_mut_slice();
            while !rest.is_empty() {
                let most = rest.len().min(1_024);
                let sent = self.to.write_vectored(&rest[..most]).expect("the sink's buffer holds a burst");
                IoSlice::advance_slices(&mut rest, sent);
            }
            drop(frames);
            self.buffer.copy_within(at..self.filled, 0);
            self.filled -= at;
            forwarded += at;
        }
        forwarded
    }
}
