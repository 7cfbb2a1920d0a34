//! What waits to be sent: a train for each destination, and what to do when the kernel takes only a part.
//!
//! It knows no socket: sends go through [`Sender`], so that a full or fussy kernel can be played in tests.

use super::raw::Outgoing;
use super::train::Train;
use socket2::SockAddr;
use std::io;

/// Bytes that may wait for a socket that is full; more are dropped and counted.
const WAITING_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// With so many bytes waiting, or one send full, it is time to send: they are still in the processor's cache.
const FLUSH_BYTES: usize = 256 * 1_024;
/// How often a send is tried again that failed for what the network reported of an earlier one.
const TRIES_MAX: usize = 2;

/// Whatever sends messages.
pub(super) trait Sender {
    /// Sends some of the messages, from the first on, and returns how many. An error is that of the first.
    fn send<'a>(&mut self, outgoing: impl Iterator<Item = Outgoing<'a>>) -> io::Result<usize>;
}

/// What an outbox counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) calls: u64,
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
    pub(super) reported_errors: u64,
    pub(super) refused_datagrams: u64,
    pub(super) oversize_datagrams: u64,
    pub(super) overflow_datagrams: u64,
}

/// Trains, and which of them have something to send.
pub(super) struct Outbox {
    trains: Vec<Train>,
    /// In the order in which they began to wait.
    active: Vec<u32>,
    waiting_bytes: usize,
    is_blocked: bool,
    counters: Sent,
}

impl Outbox {
    pub(super) fn new() -> Self {
        let (trains, active) = (Vec::new(), Vec::new());
        Self { trains, active, waiting_bytes: 0, is_blocked: false, counters: Sent::default() }
    }

    /// Adds a destination and returns its place. Several datagrams may share a send if it `joins`.
    pub(super) fn add(&mut self, to: SockAddr, joins: bool) -> u32 {
        let slot = u32::try_from(self.trains.len()).expect("peers fit in memory");
        self.trains.push(Train::new(to, joins));
        slot
    }

    pub(super) fn counters(&self) -> Sent {
        self.counters
    }

    #[inline]
    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Appends a datagram of `len` bytes that `write` appends to the buffer; whether it was taken.
    #[inline]
    pub(super) fn push(
        &mut self,
        slot: u32,
        len: usize,
        sender: &mut impl Sender,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let is_much =
            self.waiting_bytes + len > FLUSH_BYTES || self.trains[slot as usize].is_full_before(len);
        if is_much && !self.make_room(len, sender) {
            self.counters.overflow_datagrams += 1;
            return false;
        }
        let train = &mut self.trains[slot as usize];
        if train.is_empty() {
            self.active.push(slot);
        }
        train.push(len, write);
        self.waiting_bytes += len;
        true
    }

    /// Sends what waits until the sender blocks; returns how many datagrams went.
    pub(super) fn flush(&mut self, sender: &mut impl Sender) -> io::Result<usize> {
        let mut sent = 0;
        let mut tries = 0;
        self.is_blocked = false;
        while !self.active.is_empty() {
            let trains = &self.trains;
            match sender.send(self.active.iter().flat_map(|slot| trains[*slot as usize].waiting())) {
                Ok(messages) => {
                    self.counters.calls += 1;
                    tries = 0;
                    sent += self.take_off(messages);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_blocked = true;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_unusable(&error) => return Err(error),
                Err(error) if is_reported(&error) && tries < TRIES_MAX => {
                    self.counters.reported_errors += 1;
                    tries += 1;
                }
                Err(error) => {
                    tries = 0;
                    self.refused(&error);
                }
            }
        }
        Ok(sent)
    }

    /// Sends unless the sender is full already; whether `len` more bytes may wait.
    #[cold]
    fn make_room(&mut self, len: usize, sender: &mut impl Sender) -> bool {
        if !self.is_blocked {
            // An unusable socket shows itself at the driver's own flush, too.
            let _ = self.flush(sender);
        }
        self.waiting_bytes + len <= WAITING_BYTES_MAX
    }

    /// Takes the first `messages` sends off; returns how many datagrams they carried.
    fn take_off(&mut self, messages: usize) -> usize {
        let (mut left, mut datagrams, mut emptied) = (messages, 0, 0);
        for slot in &self.active {
            let train = &mut self.trains[*slot as usize];
            while left > 0 && !train.is_empty() {
                let carried = train.advance();
                datagrams += carried.datagrams;
                self.counters.bytes += carried.bytes as u64;
                self.waiting_bytes -= carried.bytes;
                left -= 1;
                if std::mem::take(&mut train.is_in_doubt) {
                    // Alone it went, joined it did not: this way out cannot cut trains.
                    train.joins = false;
                }
            }
            if !train.is_empty() {
                break;
            }
            emptied += 1;
        }
        self.active.drain(..emptied);
        self.counters.datagrams += datagrams as u64;
        datagrams
    }

    /// Deals with a first send that the kernel refused.
    #[cold]
    fn refused(&mut self, error: &io::Error) {
        let Some(slot) = self.active.first() else { return };
        let train = &mut self.trains[*slot as usize];
        let code = error.raw_os_error();
        let may_be_joined =
            matches!(code, Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP));
        if may_be_joined && train.split_first() {
            // Either the way out cannot cut trains, or the datagrams are too large for it: alone they will tell.
            train.is_in_doubt = true;
            return;
        }
        train.is_in_doubt = false;
        let carried = train.advance();
        self.waiting_bytes -= carried.bytes;
        let counter = if code == Some(libc::EMSGSIZE) {
            &mut self.counters.oversize_datagrams
        } else {
            &mut self.counters.refused_datagrams
        };
        *counter += carried.datagrams as u64;
        if train.is_empty() {
            self.active.remove(0);
        }
    }
}

/// Whether a host on the way reported this (ICMP), about an earlier datagram.
pub(super) fn is_reported(error: &io::Error) -> bool {
    let reported = [
        libc::ECONNREFUSED,
        libc::EHOSTUNREACH,
        libc::EHOSTDOWN,
        libc::ENETUNREACH,
        libc::ENETDOWN,
        libc::ENOPROTOOPT,
        libc::EPROTO,
        libc::ECONNRESET,
        libc::ENONET,
    ];
    error.raw_os_error().is_some_and(|code| reported.contains(&code))
}

/// Whether the socket itself can never be used again.
fn is_unusable(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK | libc::EFAULT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddrV4};

    /// A kernel that answers each call from a list, then takes everything.
    #[derive(Default)]
    struct Played {
        answers: std::collections::VecDeque<Answer>,
        /// Whether it takes only one datagram a message.
        is_plain: bool,
        /// Largest datagram.
        mtu: Option<usize>,
        /// First byte and length of each datagram that went.
        went: Vec<(u8, usize)>,
        calls: usize,
    }

    enum Answer {
        Takes(usize),
        Fails(i32),
    }

    impl Sender for Played {
        fn send<'a>(&mut self, outgoing: impl Iterator<Item = Outgoing<'a>>) -> io::Result<usize> {
            self.calls += 1;
            let takes = match self.answers.pop_front() {
                Some(Answer::Fails(code)) => return Err(io::Error::from_raw_os_error(code)),
                Some(Answer::Takes(messages)) => messages,
                None => usize::MAX,
            };
            let mut sent = 0;
            for message in outgoing.take(takes) {
                let size = message.segment.map_or(message.bytes.len(), usize::from);
                let fault = if self.mtu.is_some_and(|mtu| size > mtu) {
                    libc::EMSGSIZE
                } else if self.is_plain && message.segment.is_some() {
                    libc::EIO
                } else {
                    self.went.extend(message.bytes.chunks(size).map(|one| (one[0], one.len())));
                    sent += 1;
                    continue;
                };
                return if sent > 0 { Ok(sent) } else { Err(io::Error::from_raw_os_error(fault)) };
            }
            Ok(sent)
        }
    }

    fn outbox(peers: u16) -> Outbox {
        let mut outbox = Outbox::new();
        for port in 1..=peers {
            outbox.add(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into(), true);
        }
        outbox
    }

    fn push(outbox: &mut Outbox, slot: u32, fill: u8, len: usize, kernel: &mut Played) -> bool {
        outbox.push(slot, len, kernel, |out| out.extend(std::iter::repeat_n(fill, len)))
    }

    /// What a full socket did not take goes later, in order for each destination, and nothing twice.
    #[test]
    fn a_full_socket_keeps_what_is_left_in_order() {
        let mut outbox = outbox(2);
        let answers = [Answer::Takes(1), Answer::Fails(libc::EAGAIN)];
        let mut kernel = Played { answers: answers.into(), ..Played::default() };
        for (slot, fill, len) in [(0, 1, 100), (1, 2, 100), (0, 3, 100), (0, 4, 200), (1, 5, 50)] {
            assert!(push(&mut outbox, slot, fill, len, &mut kernel));
        }
        assert_eq!(outbox.flush(&mut kernel).expect("it works"), 2);
        assert!(outbox.is_blocked());
        assert_eq!((kernel.went.as_slice(), outbox.waiting_bytes()), (&[(1, 100), (3, 100)][..], 350));
        assert!(push(&mut outbox, 0, 6, 200, &mut kernel));
        assert_eq!(outbox.flush(&mut kernel).expect("it works"), 4);
        assert_eq!(kernel.went[2..], [(4, 200), (6, 200), (2, 100), (5, 50)]);
        assert_eq!((outbox.is_blocked(), outbox.waiting_bytes()), (false, 0));
        assert_eq!(outbox.counters(), Sent { calls: 2, datagrams: 6, bytes: 750, ..Sent::default() });
    }

    /// A socket that stays full makes the outbox drop, not grow.
    #[test]
    fn what_waits_is_bounded() {
        let mut outbox = outbox(1);
        let mut kernel = Played::default();
        kernel.answers.extend((0..10).map(|_| Answer::Fails(libc::EAGAIN)));
        let taken = (0..10_000).filter(|_| push(&mut outbox, 0, 1, 1_000, &mut kernel)).count();
        assert_eq!(taken, WAITING_BYTES_MAX / 1_000);
        assert_eq!(outbox.counters().overflow_datagrams, 10_000 - taken as u64);
        assert_eq!(kernel.calls, 1, "a socket that is full is not asked again for each datagram");
        kernel.answers.clear();
        assert_eq!(outbox.flush(&mut kernel).expect("it works"), taken);
    }

    /// Much that waits goes out by itself.
    #[test]
    fn the_outbox_sends_before_it_overflows() {
        let mut outbox = outbox(1);
        let mut kernel = Played::default();
        assert!((0..10_000).all(|_| push(&mut outbox, 0, 1, 1_000, &mut kernel)));
        assert!(kernel.calls > 10);
        assert!(outbox.waiting_bytes() <= FLUSH_BYTES);
    }

    /// A way out that cannot cut trains gets single datagrams from then on, in order, without losing any.
    #[test]
    fn a_refused_train_goes_as_single_datagrams_for_good() {
        let mut outbox = outbox(1);
        let mut kernel = Played { is_plain: true, ..Played::default() };
        for fill in 1..=3 {
            push(&mut outbox, 0, fill, 100, &mut kernel);
        }
        assert_eq!(outbox.flush(&mut kernel).expect("it works"), 3);
        assert_eq!((kernel.went.as_slice(), kernel.calls), (&[(1, 100), (2, 100), (3, 100)][..], 2));
        push(&mut outbox, 0, 4, 100, &mut kernel);
        push(&mut outbox, 0, 5, 100, &mut kernel);
        assert_eq!(outbox.flush(&mut kernel).expect("it works"), 2);
        assert_eq!(kernel.calls, 3, "no train is tried again");
        assert_eq!(outbox.counters().refused_datagrams, 0);
    }

    /// Datagrams that are too large are dropped and counted; that is no reason to give trains up.
    #[test]
    fn oversize_datagrams_do_not_end_trains() {
        let mut outbox = outbox(1);
        let mut kernel = Played { mtu: Some(100), ..Played::default() };
        for (fill, len) in [(1, 101), (2, 101), (3, 40), (4, 100), (5, 100)] {
            push(&mut outbox, 0, fill, len, &mut kernel);
        }
        assert_eq!(outbox.flush(&mut kernel).expect("it works"), 3);
        assert_eq!(kernel.went, [(3, 40), (4, 100), (5, 100)]);
        assert_eq!(outbox.counters().oversize_datagrams, 2);
        let calls = kernel.calls;
        push(&mut outbox, 0, 6, 100, &mut kernel);
        push(&mut outbox, 0, 7, 100, &mut kernel);
        outbox.flush(&mut kernel).expect("it works");
        assert_eq!(kernel.calls, calls + 1);
    }

    /// What the network reports of an earlier datagram costs none of the next; what it refuses ends only itself.
    #[test]
    fn errors_end_at_most_what_they_concern() {
        let mut outbox = outbox(2);
        let mut kernel = Played::default();
        kernel.answers.extend([
            Answer::Fails(libc::ECONNREFUSED),
            Answer::Fails(libc::EINTR),
            Answer::Fails(libc::EPERM),
        ]);
        for (slot, fill) in [(0, 1), (1, 2)] {
            push(&mut outbox, slot, fill, 100, &mut kernel);
        }
        assert_eq!(outbox.flush(&mut kernel).expect("it works"), 1);
        assert_eq!(kernel.went, [(2, 100)]);
        let counters = outbox.counters();
        assert_eq!((counters.reported_errors, counters.refused_datagrams), (1, 1));
        // A route that is gone answers every try: the loop ends all the same.
        kernel.answers.extend((0..TRIES_MAX + 1).map(|_| Answer::Fails(libc::ENETUNREACH)));
        push(&mut outbox, 0, 3, 100, &mut kernel);
        assert_eq!(outbox.flush(&mut kernel).expect("it works"), 0);
        assert_eq!(outbox.counters().refused_datagrams, 2);
        kernel.answers.push_back(Answer::Fails(libc::EBADF));
        push(&mut outbox, 0, 4, 100, &mut kernel);
        assert!(outbox.flush(&mut kernel).is_err(), "a socket that is gone is the driver's business");
    }
}
