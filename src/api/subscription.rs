//! A session at a destination, as the program there has it.

use super::agent::{Delivered, Order};
use super::{Error, Node};
use bellini_core::ids::SessionKey;
use bellini_core::io::{Command, CommandError};
use bellini_core::listing::ListingRequest;
use bellini_core::time::Duration;
use std::future::poll_fn;
use std::task::Poll;

/// A session that is received here. Clones are the same, and share what arrives; dropped, it goes on.
#[derive(Clone, Debug)]
pub struct Subscription {
    node: Node,
    key: SessionKey,
}

/// What a session has brought to a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SubscriptionStats {
    /// Symbols delivered, each once.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Mean time from the source to here, by both clocks; `None`: nothing has come.
    pub delay_mean: Option<Duration>,
    /// Payloads that wait to be received.
    pub waiting: u64,
    /// Payloads that were dropped because nobody received them in time.
    pub dropped: u64,
}

impl Subscription {
    pub(super) fn new(node: Node, key: SessionKey) -> Self {
        Self { node, key }
    }

    /// Returns the session's conference and id.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// Waits for the next payload: datagrams in the order of their arrival, a stream's bytes in order. `None`: the session
    /// has ended. Up to 4,096 payloads or 16 MiB wait; beyond, the oldest go.
    ///
    /// # Errors
    /// When bytes of a stream were dropped here or missed while this node's lease had ended, or the node does not run any more.
    pub async fn receive(&self) -> Result<Option<Delivered>, Error> {
        poll_fn(|context| {
            let mut agent = self.node.shared.lock();
            let stopped = agent.check();
            let Some(sink) = agent.sinks.get_mut(&self.key) else { return Poll::Ready(Ok(None)) };
            if sink.has_hole() {
                return Poll::Ready(Err(Error::Behind(self.key)));
            }
            if let Some(delivered) = sink.take() {
                return Poll::Ready(Ok(Some(delivered)));
            }
            if sink.is_closed {
                return Poll::Ready(Ok(None));
            }
            sink.waiting.add(context);
            stopped.map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
        })
        .await
    }

    /// Returns what has arrived so far.
    ///
    /// # Errors
    /// When the node does not know the session (any more).
    pub async fn stats(&self) -> Result<SubscriptionStats, Error> {
        let figures = self.node.shared.order(|reply| Order::Harvest(self.key, reply))?.await?;
        let counted = figures.and_then(|figures| figures.sink).ok_or(Error::NoSession(self.key))?.stats;
        let agent = self.node.shared.lock();
        let sink = agent.sinks.get(&self.key).ok_or(Error::NoSession(self.key))?;
        let mean = counted.delay_ns_sum.checked_div(counted.delivered_packets);
        Ok(SubscriptionStats {
            packets: counted.delivered_packets,
            bytes: counted.delivered_bytes,
            duplicates: counted.duplicate_packets,
            delay_mean: mean.map(Duration::from_nanos),
            waiting: sink.inbox.len() as u64,
            dropped: sink.dropped,
        })
    }

    /// Is no destination of the session any more.
    ///
    /// # Errors
    /// When the listing server does not answer.
    pub async fn leave(&self) -> Result<(), Error> {
        let SessionKey { conference, session } = self.key;
        {
            let mut agent = self.node.shared.lock();
            let sink = agent.sinks.get_mut(&self.key).ok_or(Error::NoSession(self.key))?;
            sink.close();
        }
        let left = self.node.shared.command(Command::LeaveSession(self.key)).await;
        let node = self.node.id();
        self.node.ask_gently(ListingRequest::LeaveSession { conference, session, node }).await?;
        left
    }

    /// Forgets it, after [`Subscription::leave`] or its end: nothing of it is kept here any more.
    ///
    /// # Errors
    /// When the node does not run any more.
    pub async fn forget(self) -> Result<(), Error> {
        self.node.shared.lock().sinks.remove(&self.key);
        match self.node.shared.command(Command::ForgetSession(self.key)).await {
            Err(Error::Command(CommandError::UnknownSession(_))) => Ok(()),
            done => done,
        }
    }
}
