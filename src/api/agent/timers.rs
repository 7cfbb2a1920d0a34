//! What has to happen at a time: tasks that sleep, heartbeats, sessions that are over.

use super::super::slot::{discard, wake};
use super::{Agent, Shared};
use bellini_core::time::Instant;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Tasks that sleep, by when they wake.
#[derive(Default)]
pub(in super::super) struct Timers {
    sleeping: BTreeMap<(Instant, u64), Waker>,
    last: u64,
}

impl Timers {
    fn next(&self) -> Option<Instant> {
        self.sleeping.keys().next().map(|(at, _)| *at)
    }

    fn fire(&mut self, now: Instant) {
        while let Some(entry) = self.sleeping.first_entry().filter(|entry| entry.key().0 <= now) {
            wake(entry.remove());
        }
    }

    pub(super) fn wake_all(&mut self) {
        std::mem::take(&mut self.sleeping).into_values().for_each(wake);
    }
}

impl Agent {
    /// Returns when something has to happen.
    pub(in super::super) fn poll_timeout(&self) -> Option<Instant> {
        let renewals = self.conferences.values().filter(|membership| !membership.is_over);
        let renewals = renewals.filter_map(|membership| membership.renew_at);
        let closing = self.sinks.values().filter_map(|sink| sink.closes_at());
        let again = self.sinks.values().filter(|sink| !sink.is_closed).filter_map(|sink| sink.subscribe_at);
        self.timers.next().into_iter().chain(renewals).chain(closing).chain(again).min()
    }
}

impl Shared {
    /// Does what is due.
    pub(in super::super) fn timeout(&self, now: Instant) {
        let mut agent = self.lock();
        agent.timers.fire(now);
        agent.close_sinks(now);
        self.renew(&mut agent, now);
        self.resubscribe_due(&mut agent, now);
        drop(agent);
        self.ring();
    }
}

/// Sleeps until a time.
pub(in super::super) struct Sleep {
    shared: Arc<Shared>,
    at: Instant,
    key: Option<u64>,
}

impl Sleep {
    pub(in super::super) fn new(shared: Arc<Shared>, at: Instant) -> Self {
        Self { shared, at, key: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        let shared = Arc::clone(&self.shared);
        let mut agent = shared.lock();
        // Who sleeps at a node that has stopped would sleep for ever.
        if shared.driver.now() >= at || agent.check().is_err() {
            return Poll::Ready(());
        }
        let key = *self.key.get_or_insert_with(|| {
            agent.timers.last += 1;
            agent.timers.last
        });
        let is_first = agent.timers.next().is_none_or(|first| at < first);
        if let Some(old) = agent.timers.sleeping.insert((at, key), context.waker().clone()) {
            discard(old);
        }
        drop(agent);
        if is_first {
            shared.ring_clerks();
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let mut agent = self.shared.lock();
            if let Some(old) = agent.timers.sleeping.remove(&(self.at, key)) {
                discard(old);
            }
        }
    }
}
