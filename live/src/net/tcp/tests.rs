//! Pipes over real connections on loopback.

use super::*;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

fn pair(options: &TcpOptions) -> (TcpPipe, TcpPipe) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    let here = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
    let (there, _) = listener.accept().expect("somebody connected");
    let pipe = |stream| TcpPipe::new(stream, options).expect("the options are legal");
    (pipe(here), pipe(there))
}

fn byte(at: usize) -> u8 {
    (at * 7 + at / 256) as u8
}

/// Everything that is queued arrives in order, though both ends are full most of the time; neither holds more
/// than it may.
#[test]
fn bytes_arrive_in_order_through_a_narrow_pipe() {
    const TOTAL: usize = 8 << 20;
    let options = TcpOptions { gather_max: 20_000, ..TcpOptions::default() };
    let (mut here, mut there) = pair(&options);
    let (start, mut sent, mut got, mut is_blocked) = (Instant::now(), 0, 0, false);
    while got < TOTAL {
        assert!(start.elapsed() < PATIENCE, "{got} of {TOTAL} bytes came");
        while here.room() > 0 && sent < TOTAL {
            let len = (1 + sent % 3_001).min(TOTAL - sent);
            let bytes: Vec<u8> = (sent..sent + len).map(byte).collect();
            let (header, payload) = bytes.split_at(len / 3);
            assert!(if len.is_multiple_of(2) {
                here.queue(header, payload)
            } else {
                here.queue_with(header, payload.len(), |out| out.copy_from_slice(payload))
            });
            sent += len;
        }
        assert!(sent == TOTAL || !here.queue(b"no", b"room"));
        is_blocked |= here.flush().expect("the peer is there").blocked;
        if is_blocked || sent == TOTAL {
            while let Arrived::Bytes(bytes) = there.receive().expect("the peer is there") {
                assert!(bytes.iter().enumerate().all(|(at, found)| *found == byte(got + at)));
                got += bytes.len();
            }
        }
    }
    assert!(is_blocked, "a pipe that nobody empties is full at some time");
    assert_eq!(here.counters().sent_bytes, TOTAL as u64);
    assert_eq!(there.counters().received_bytes, TOTAL as u64);
}

/// The kernel holds little unsent: what a receiver that does not read lets through is bounded by both its own
/// buffer and the mark, not by the send buffer, which grows to megabytes.
#[test]
fn little_lies_unsent() {
    let options = TcpOptions { unsent_max: 16 * 1_024, ..TcpOptions::default() };
    let (mut here, there) = pair(&options);
    while !here.flush().expect("the peer is there").blocked {
        while here.room() > 0 {
            here.queue(&[1; 1_000], b"");
        }
    }
    let unsent = unsent(&here);
    assert!(unsent <= 16 * 1_024 + 65_536, "{unsent} bytes: the mark and one write's last segment");
    drop(there);
}

/// The bytes that the kernel has not sent for the first time yet (`SIOCOUTQNSD`), as `tcp_info` tells them.
#[expect(unsafe_code, reason = "this figure has no safe wrapper")]
fn unsent(pipe: &TcpPipe) -> usize {
    let mut unsent: libc::c_int = 0;
    // SAFETY: the request writes one `int`.
    let done = unsafe { libc::ioctl(pipe.as_raw_fd(), 0x894B, &raw mut unsent) };
    assert_eq!(done, 0, "sockets answer SIOCOUTQNSD");
    usize::try_from(unsent).expect("not negative")
}

/// An end is told once everything before it was read, and a broken connection is an error.
#[test]
fn ends_are_seen() {
    let (mut here, mut there) = pair(&TcpOptions::default());
    assert_eq!(there.receive().expect("the peer is there"), Arrived::Nothing);
    here.queue(b"last ", b"words");
    here.flush().expect("the peer is there");
    here.shut_down().expect("it is open");
    let (start, mut got) = (Instant::now(), Vec::new());
    loop {
        match there.receive().expect("an orderly end is no error") {
            Arrived::Bytes(bytes) => got.extend_from_slice(&bytes),
            Arrived::Nothing => assert!(start.elapsed() < PATIENCE),
            Arrived::End => break,
        }
    }
    assert_eq!(got, b"last words");
    // Closing with unread bytes resets the connection.
    there.queue(b"", b"unread");
    there.flush().expect("the other direction is open");
    drop(here);
    let start = Instant::now();
    while there.queue(b"", &[0; 10_000]) && there.flush().is_ok() {
        assert!(start.elapsed() < PATIENCE, "a reset is seen");
    }
}

#[test]
fn an_unknown_congestion_control_is_named_with_the_known_ones() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    let stream = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
    let options = TcpOptions { congestion: Some("nonesuch".into()), ..TcpOptions::default() };
    let told = TcpPipe::new(stream, &options).expect_err("there is none such").to_string();
    assert!(told.contains("\"nonesuch\"") && told.contains("reno"), "{told}");
    let reno = TcpOptions { congestion: Some("reno".into()), ..TcpOptions::default() };
    pair(&reno);
    assert!(try_congestion("reno").is_ok());
}
