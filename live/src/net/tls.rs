//! TLS inside a pipe: bytes of the socket on one side, plain ones on the other. Handshakes are made elsewhere.

use super::raw;
use super::tcp::{Arrived, Written};
use bytes::{Buf, BytesMut};
use rustls::Connection;
use socket2::Socket;
use std::io::{self, BufRead, IoSlice, Write};

/// Bytes read from the socket at once.
const READ_BYTES: usize = 128 * 1_024;
/// Plain bytes that are encrypted before the kernel is asked to take them: four records.
const PORTION_BYTES: usize = 64 * 1_024;

/// An established TLS connection.
pub(super) struct Tls {
    connection: Connection,
    /// What came and was not looked at yet.
    incoming: BytesMut,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

/// A socket as TLS writes to it.
struct Out<'a> {
    socket: &'a Socket,
    calls: &'a mut u64,
    bytes: &'a mut u64,
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let sent = self.socket.send_vectored_with_flags(parts, libc::MSG_NOSIGNAL)?;
        *self.calls += 1;
        *self.bytes += sent as u64;
        Ok(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tls {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, incoming: BytesMut::new() }
    }

    /// Whether encrypted bytes wait for the kernel to take them.
    pub(super) fn is_waiting(&self) -> bool {
        self.connection.wants_write()
    }

    /// Reads once from the socket and appends what that was in plain to `out`.
    pub(super) fn receive(
        &mut self,
        socket: &Socket,
        out: &mut BytesMut,
        (calls, bytes): (&mut u64, &mut u64),
    ) -> io::Result<Arrived> {
        // What came with the end of the handshake.
        self.drain(out)?;
        while out.is_empty() {
            self.incoming.reserve(READ_BYTES);
            match raw::receive_stream(socket, &mut self.incoming) {
                Ok(0) => return Ok(Arrived::End),
                Ok(read) => {
                    *calls += 1;
                    *bytes += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Arrived::Nothing),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            while !self.incoming.is_empty() {
                let taken = self.connection.read_tls(&mut &self.incoming[..])?;
                if taken == 0 {
                    // The peer said that it sends no more.
                    return Ok(if out.is_empty() {
                        Arrived::End
                    } else {
                        Arrived::Bytes(out.split().freeze())
                    });
                }
                self.incoming.advance(taken);
                self.connection
                    .process_new_packets()
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                self.drain(out)?;
            }
        }
        Ok(Arrived::Bytes(out.split().freeze()))
    }

    /// Takes what has been decrypted.
    fn drain(&mut self, out: &mut BytesMut) -> io::Result<()> {
        let mut reader = self.connection.reader();
        loop {
            let length = match reader.fill_buf() {
                Ok(plain) => {
                    out.extend_from_slice(plain);
                    plain.len()
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            if length == 0 {
                return Ok(());
            }
            reader.consume(length);
        }
    }

    /// Encrypts `plain` and writes it, as far as the kernel takes it. What is encrypted counts as written: the kernel
    /// gets it before anything else.
    pub(super) fn send(
        &mut self,
        socket: &Socket,
        plain: &[u8],
        (calls, bytes): (&mut u64, &mut u64),
    ) -> io::Result<Written> {
        let mut done = Written::default();
        loop {
            while self.connection.wants_write() {
                match self.connection.write_tls(&mut Out { socket, calls, bytes }) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        done.blocked = true;
                        return Ok(done);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            let rest = &plain[done.bytes..];
            if rest.is_empty() {
                return Ok(done);
            }
            done.bytes += self.connection.writer().write(&rest[..rest.len().min(PORTION_BYTES)])?;
        }
    }
}
