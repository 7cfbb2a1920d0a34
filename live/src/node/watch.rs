//! Descriptors that the runtime watches.

#![expect(
    unsafe_code,
    reason = "the runtime takes descriptors on the promise that they stay open, which only a type can keep"
)]

use crate::net::UdpPort;
use nix::sys::epoll::Epoll;
use nix::sys::timerfd::TimerFd;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Types that own one descriptor from their making to their end.
pub(super) trait OwnsDescriptor {
    fn descriptor(&self) -> BorrowedFd<'_>;
}

impl OwnsDescriptor for UdpPort {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

impl OwnsDescriptor for TimerFd {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

impl OwnsDescriptor for Epoll {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A watched thing, in a box: what is inside is lent, never taken out.
#[derive(Debug)]
pub(super) struct Watched<T>(pub(super) T);

impl<T: OwnsDescriptor> AsRawFd for Watched<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.descriptor().as_raw_fd()
    }
}

/// Has the runtime watch a descriptor. Needs a runtime.
pub(super) fn watch<T: OwnsDescriptor>(inner: T, interest: Interest) -> io::Result<AsyncFd<Watched<T>>> {
    // SAFETY: the types that implement `OwnsDescriptor`, all in this file, own one descriptor that stays open as long
    // as they live, and they live inside the `AsyncFd`: nothing in this crate replaces what is in the box.
    let watched = unsafe { AsyncFd::register_with_interest(Watched(inner), interest) };
    watched.map_err(io::Error::from)
}
