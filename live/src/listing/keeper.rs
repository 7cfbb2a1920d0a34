//! The keeper: one thread that owns the listing and its store.

use super::store::{Store, StoreError};
use crate::node::{ClockId, read_ns};
use bellini_core::listing::{Listing, ListingAnswer, ListingError, ListingRequest};
use bellini_core::time::Instant;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

/// Requests that may wait for the keeper.
const WAITING_MAX: usize = 1_024;
/// Requests that one commit makes durable.
const BATCH_MAX: usize = 256;
/// A commit that takes longer is a stall: meanwhile nobody is heard.
const STALL: Duration = Duration::from_millis(500);
/// The longest time without a look at the leases.
const LOOK: Duration = Duration::from_secs(1);

type Answered = Result<ListingAnswer, ListingError>;

struct Asked {
    request: ListingRequest,
    answer: oneshot::Sender<Answered>,
}

/// The keeper takes no requests: it has ended, or too many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeeperGone {
    /// More than it may keep waiting.
    #[error("too many requests wait: ask again in a moment")]
    Busy,
    /// It ended, by order or because its store failed.
    #[error("the listing server is ending")]
    Ended,
}

/// A way to ask the keeper; clones ask the same one. It ends when the last one is gone.
#[derive(Clone, Debug)]
pub struct KeeperHandle {
    requests: SyncSender<Asked>,
    revisions: watch::Receiver<u64>,
}

impl KeeperHandle {
    /// Asks, and waits until the answer and all changes before it are durable.
    ///
    /// # Errors
    /// When the keeper has ended or too many requests wait. What was asked may have been done if it ended meanwhile.
    pub async fn ask(&self, request: ListingRequest) -> Result<Answered, KeeperGone> {
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(Asked { request, answer }).map_err(|error| match error {
            TrySendError::Full(_) => KeeperGone::Busy,
            TrySendError::Disconnected(_) => KeeperGone::Ended,
        })?;
        answered.await.map_err(|_| KeeperGone::Ended)
    }

    /// Returns what is ready once the keeper has ended, as it does while it can be asked only when its store fails. It
    /// does not keep the keeper going.
    pub fn ended(&self) -> impl Future<Output = ()> + use<> {
        let mut revisions = self.revisions.clone();
        async move { while revisions.changed().await.is_ok() {} }
    }

    /// Waits until the list's revision is another than `seen`.
    ///
    /// # Errors
    /// When the keeper has ended.
    pub async fn changed(&self, seen: u64) -> Result<(), KeeperGone> {
        let mut revisions = self.revisions.clone();
        revisions.wait_for(|revision| *revision != seen).await.map(|_| ()).map_err(|_| KeeperGone::Ended)
    }
}

/// The keeper's thread.
#[derive(Debug)]
pub struct Keeper {
    thread: JoinHandle<Result<(), StoreError>>,
}

impl Keeper {
    /// Starts a keeper of what the store held; every lease begins now.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Store, mut listing: Listing) -> io::Result<(Self, KeeperHandle)> {
        let (requests, asked) = sync_channel(WAITING_MAX);
        let (revision, revisions) = watch::channel(listing.list().revision);
        listing.begin_leases(now());
        let keep = move || keep(store, listing, &asked, &revision);
        let thread = thread::Builder::new().name("listing".to_owned()).spawn(keep)?;
        Ok((Self { thread }, KeeperHandle { requests, revisions }))
    }

    /// Waits until the keeper has ended, which it does when nobody can ask it any more.
    ///
    /// # Errors
    /// When its store had failed.
    pub fn join(self) -> Result<(), StoreError> {
        match self.thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn keep(
    mut store: Store,
    mut listing: Listing,
    asked: &Receiver<Asked>,
    revision: &watch::Sender<u64>,
) -> Result<(), StoreError> {
    loop {
        let end = listing.poll_timeout().map_or(LOOK, |at| until(at).min(LOOK));
        let first = match asked.recv_timeout(end) {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let now = now();
        listing.expire(now);
        let batch: Vec<Asked> = first.into_iter().chain(asked.try_iter()).take(BATCH_MAX).collect();
        let answers: Vec<_> =
            batch.into_iter().map(|asked| (asked.answer, listing.handle(now, asked.request))).collect();
        let changes: Vec<_> = std::iter::from_fn(|| listing.poll_change()).collect();
        if !changes.is_empty() {
            let before = read_ns(ClockId::CLOCK_BOOTTIME);
            store.keep(&changes, listing.list())?;
            let stalled = u64::try_from(read_ns(ClockId::CLOCK_BOOTTIME) - before).unwrap_or(0);
            // Heartbeats waited, or were refused as too many: no silence of the members.
            if stalled > STALL.as_nanos() as u64 {
                listing.postpone(bellini_core::time::Duration::from_nanos(stalled));
            }
            revision.send_replace(listing.list().revision);
        }
        for (answer, answered) in answers {
            // Who hung up meanwhile does not want to know.
            let _ = answer.send(answered);
        }
    }
}

/// Leases run on the time since boot, suspended time included: a machine that slept has not heard its members.
fn now() -> Instant {
    Instant::from_nanos(read_ns(ClockId::CLOCK_BOOTTIME).try_into().unwrap_or(0))
}

fn until(at: Instant) -> Duration {
    Duration::from_nanos(at.saturating_since(now()).as_nanos())
}
