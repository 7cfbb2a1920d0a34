//! Trains: the datagrams that wait for one address, equal sizes joined so that one send takes them all.

use super::raw::Outgoing;
use socket2::SockAddr;

/// Datagrams that the kernel cuts one send into, at most (`UDP_MAX_SEGMENTS` of older kernels).
const SEGMENTS_MAX: usize = 64;
/// Bytes of one send at most: what an IPv4 datagram holds.
const RUN_BYTES_MAX: usize = 65_507;
/// A buffer that grew beyond this is not kept.
const KEEP_BYTES: usize = 256 * 1_024;

/// What waits for one address, in order.
pub(super) struct Train {
    /// Where it goes.
    pub(super) to: SockAddr,
    /// Whether one send may carry several datagrams.
    pub(super) joins: bool,
    /// Set while it is not known whether a refused run was too large or joining is impossible.
    pub(super) is_in_doubt: bool,
    bytes: Vec<u8>,
    runs: Vec<Run>,
    /// Runs that have been sent.
    done: usize,
}

/// Datagrams of equal size, of which the last may be shorter.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: usize,
    end: usize,
    segment: usize,
    datagrams: usize,
}

impl Run {
    /// Whether a datagram of `len` bytes may follow in the same send.
    #[inline]
    fn takes(&self, len: usize) -> bool {
        let whole = self.datagrams * self.segment;
        self.datagrams < SEGMENTS_MAX
            && self.end - self.start == whole
            && (1..=self.segment).contains(&len)
            && whole + len <= RUN_BYTES_MAX
    }
}

/// What a send carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) datagrams: usize,
    pub(super) bytes: usize,
}

impl Train {
    pub(super) fn new(to: SockAddr, joins: bool) -> Self {
        Self { to, joins, is_in_doubt: false, bytes: Vec::new(), runs: Vec::new(), done: 0 }
    }

    /// Whether nothing waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether `len` bytes more are beyond what one send takes, where sends are joined.
    #[inline]
    pub(super) fn is_full_before(&self, len: usize) -> bool {
        self.joins && !self.bytes.is_empty() && self.bytes.len() + len > RUN_BYTES_MAX
    }

    /// Appends a datagram of `len` bytes that `write` appends to the buffer.
    #[inline]
    pub(super) fn push(&mut self, len: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        debug_assert_eq!(end - start, len, "the writer appends what it announced");
        match self.runs.last_mut() {
            Some(run) if self.joins && run.takes(len) => {
                run.end = end;
                run.datagrams += 1;
            }
            _ => self.runs.push(Run { start, end, segment: len, datagrams: 1 }),
        }
    }

    /// The sends that are left, in order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Outgoing<'_>> {
        self.runs[self.done..].iter().map(|run| Outgoing {
            to: &self.to,
            bytes: &self.bytes[run.start..run.end],
            segment: (run.datagrams > 1)
                .then(|| u16::try_from(run.segment).expect("runs are bounded in bytes")),
        })
    }

    /// Takes the first waiting send off and says what it carried.
    pub(super) fn advance(&mut self) -> Carried {
        let run = self.runs[self.done];
        self.done += 1;
        if self.done == self.runs.len() {
            self.clear();
        }
        Carried { datagrams: run.datagrams, bytes: run.end - run.start }
    }

    /// Makes each datagram of the first waiting send a send of its own; whether there were several.
    pub(super) fn split_first(&mut self) -> bool {
        let run = self.runs[self.done];
        let single = (run.start..run.end).step_by(run.segment.max(1)).map(|start| Run {
            start,
            end: (start + run.segment).min(run.end),
            segment: run.segment,
            datagrams: 1,
        });
        if run.datagrams > 1 {
            self.runs.splice(self.done..=self.done, single.collect::<Vec<_>>());
        }
        run.datagrams > 1
    }

    /// Forgets everything that waits.
    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEEP_BYTES);
        self.runs.clear();
        self.done = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddrV4};

    fn train(joins: bool) -> Train {
        Train::new(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9).into(), joins)
    }

    /// Pushes datagrams of these sizes, and returns size and segment of each send.
    fn sends(train: &mut Train, sizes: &[usize]) -> Vec<(usize, Option<u16>)> {
        for (fill, size) in sizes.iter().enumerate() {
            train.push(*size, |out| out.extend(std::iter::repeat_n(fill as u8, *size)));
        }
        train.waiting().map(|send| (send.bytes.len(), send.segment)).collect()
    }

    #[test]
    fn equal_sizes_are_joined_and_a_shorter_one_ends_the_run() {
        let sizes = [100, 100, 60, 100, 100, 120, 0, 0, 7];
        let joined = [(260, Some(100)), (200, Some(100)), (120, None), (0, None), (0, None), (7, None)];
        assert_eq!(sends(&mut train(true), &sizes), joined);
        let single: Vec<_> = sizes.iter().map(|size| (*size, None)).collect();
        assert_eq!(sends(&mut train(false), &sizes), single);
    }

    #[test]
    fn runs_are_bounded_in_number_and_bytes() {
        assert_eq!(sends(&mut train(true), &[10; 65]), [(640, Some(10)), (10, None)]);
        let full = RUN_BYTES_MAX / 1_200;
        let sent = sends(&mut train(true), &vec![1_200; full + 1]);
        assert_eq!(sent, [(full * 1_200, Some(1_200)), (1_200, None)]);
        assert_eq!(sends(&mut train(true), &[RUN_BYTES_MAX; 2]), [(RUN_BYTES_MAX, None); 2]);
    }

    /// A run that is split keeps its place, its bytes and their order.
    #[test]
    fn a_split_run_is_the_same_datagrams() {
        let mut train = train(true);
        sends(&mut train, &[9, 50, 50, 50, 20, 80]);
        assert_eq!(train.advance(), Carried { datagrams: 1, bytes: 9 });
        assert!(train.split_first());
        assert!(!train.split_first(), "it is split already");
        let rest: Vec<_> =
            train.waiting().map(|send| (send.bytes[0], send.bytes.len(), send.segment)).collect();
        assert_eq!(rest, [(1, 50, None), (2, 50, None), (3, 50, None), (4, 20, None), (5, 80, None)]);
        for _ in 0..5 {
            assert!(!train.is_empty());
            train.advance();
        }
        assert!(train.is_empty());
    }
}
