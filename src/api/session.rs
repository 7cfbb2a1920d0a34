//! A session at its source, as the program there has it.

use super::agent::{End, Order, PolicyChange, Source};
use super::options::{Routes, Shares};
use super::slot::slot;
use super::{Error, Node};
use bellini_core::content::spec::Unit;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::{Command, CommandError};
use bellini_core::listing::ListingRequest;
use bellini_core::route::Route;
use bytes::Bytes;
use std::future::poll_fn;
use std::task::Poll;

/// A session whose source is here. Clones are the same; dropped, it goes on.
#[derive(Clone, Debug)]
pub struct Session {
    node: Node,
    key: SessionKey,
}

/// What a session has done at its source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionStats {
    /// Symbols that its content gave.
    pub symbols: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Packets sent, repeats and repairs included; copies of one count once.
    pub packets: u64,
    /// Symbols that no route was there for.
    pub unrouted_symbols: u64,
    /// Packets that queues on its ways have dropped, as far as the source was told.
    pub overflow_packets: u64,
    /// Its flows, those that were in use before others first.
    pub flows: Vec<FlowStats>,
    /// Its destinations now.
    pub destinations: Vec<NodeId>,
    /// Why its policies had no answer last, if they had none.
    pub problem: Option<Error>,
}

/// What went over a route.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowStats {
    /// The route.
    pub route: Route,
    /// Its share now; all shares add up to 1. 0: it is not used any more.
    pub share: f64,
    /// Packets sent on it.
    pub packets: u64,
}

impl Session {
    pub(super) fn new(node: Node, key: SessionKey) -> Self {
        Self { node, key }
    }

    /// Returns its conference and id.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// Sends a datagram, or the next bytes of the stream. It waits while 64 pieces or 256 KiB wait for the node: a stream's program
    /// waits for the network, a datagram's does not.
    ///
    /// # Errors
    /// When the datagram is too long, the session is over or makes its content itself, or the node does not run any more.
    pub async fn send(&self, bytes: impl Into<Bytes>) -> Result<(), Error> {
        let (key, mut bytes) = (self.key, Some(bytes.into()));
        poll_fn(|context| {
            let mut agent = self.node.shared.lock();
            if let Err(error) = agent.check() {
                return Poll::Ready(Err(error));
            }
            let Some(source) = agent.sources.get_mut(&key) else {
                return Poll::Ready(Err(Error::NoSession(key)));
            };
            let length = bytes.as_ref().map_or(0, Bytes::len);
            let refused = match source.unit {
                None => Some(Error::NotAnApplication(key)),
                Some(Unit::Datagrams) if length > source.symbol_bytes as usize => {
                    Some(Error::TooLong { key, length, max: source.symbol_bytes })
                }
                _ if source.end != End::Open || source.is_finished => Some(Error::NoSession(key)),
                _ => None,
            };
            if let Some(error) = refused {
                return Poll::Ready(Err(error));
            }
            if !source.has_room() {
                source.waiting.add(context);
                return Poll::Pending;
            }
            source.outbox.extend(bytes.take().filter(|bytes| !bytes.is_empty()));
            drop(agent);
            self.node.shared.driver.ring_node();
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// The program sends nothing more: a stream's destinations hear of its end.
    ///
    /// # Errors
    /// When the session is over.
    pub fn end(&self) -> Result<(), Error> {
        let mut agent = self.node.shared.lock();
        let source = agent.sources.get_mut(&self.key).ok_or(Error::NoSession(self.key))?;
        if source.end == End::Open {
            source.end = End::Due;
        }
        drop(agent);
        self.node.shared.driver.ring_node();
        Ok(())
    }

    /// Waits until there are destinations, and flows are installed that reach all of them.
    ///
    /// # Errors
    /// When policies have no answer, the session is over, or the node does not run any more.
    pub async fn routed(&self) -> Result<(), Error> {
        self.until(|source| match &source.problem {
            Some(error) => Some(Err(error.clone())),
            None if !source.routed.is_empty() && source.routed == source.destinations => Some(Ok(())),
            None if source.is_finished => Some(Err(Error::NoSession(self.key))),
            None => None,
        })
        .await
    }

    /// Waits until the source has sent everything that it was given, after [`Session::end`].
    ///
    /// # Errors
    /// When the node does not run any more.
    pub async fn finished(&self) -> Result<(), Error> {
        self.until(|source| source.is_finished.then_some(Ok(()))).await
    }

    /// Waits until every destination of a reliable session has everything, after [`Session::end`].
    ///
    /// # Errors
    /// When the node does not run any more.
    pub async fn completed(&self) -> Result<(), Error> {
        self.until(|source| source.is_completed.then_some(Ok(()))).await
    }

    async fn until(&self, test: impl Fn(&Source) -> Option<Result<(), Error>>) -> Result<(), Error> {
        poll_fn(|context| {
            let mut agent = self.node.shared.lock();
            let stopped = agent.check();
            let Some(source) = agent.sources.get_mut(&self.key) else {
                return Poll::Ready(Err(Error::NoSession(self.key)));
            };
            if let Some(done) = test(source) {
                return Poll::Ready(done);
            }
            source.waiting.add(context);
            stopped.map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
        })
        .await
    }

    /// Sets the shares of its routes by hand; they need not add up to 1. They hold until there is another number of routes,
    /// or another policy.
    ///
    /// # Errors
    /// When there are not as many shares as routes, or they cannot be drawn from.
    pub async fn set_shares(&self, shares: &[f64]) -> Result<(), Error> {
        self.change(PolicyChange::Shares(shares.to_vec())).await
    }

    /// Lets other routes, or another policy, decide from the next question on: [`Session::reload_policies`] asks at once.
    /// Packets are spread as is usual with such routes, unless the program chose otherwise.
    ///
    /// # Errors
    /// When no policy has that name.
    pub async fn set_routes(&self, routes: impl Into<Routes>) -> Result<(), Error> {
        let routes = routes.into();
        let registry = &self.node.shared.registry;
        let shares = routes.usual_shares().policy(registry)?;
        let routing = routes.policy(registry)?;
        let has_own_shares = {
            let agent = self.node.shared.lock();
            agent.sources.get(&self.key).is_some_and(|source| source.has_own_shares)
        };
        self.change(PolicyChange::Routing(routing)).await?;
        if has_own_shares { Ok(()) } else { self.change(PolicyChange::Assignment(shares)).await }
    }

    /// Lets another policy spread packets from the next question on.
    ///
    /// # Errors
    /// When no policy has that name.
    pub async fn set_assignment(&self, shares: impl Into<Shares>) -> Result<(), Error> {
        let policy = shares.into().policy(&self.node.shared.registry)?;
        {
            let mut agent = self.node.shared.lock();
            agent.sources.get_mut(&self.key).ok_or(Error::NoSession(self.key))?.has_own_shares = true;
        }
        self.change(PolicyChange::Assignment(policy)).await
    }

    async fn change(&self, change: PolicyChange) -> Result<(), Error> {
        let (reply, answer) = slot();
        self.node.shared.change_policies(self.key, change, reply)?;
        answer.await
    }

    /// Asks the session's policies again, and waits until their answer is installed. Without destinations there is nothing
    /// to ask.
    ///
    /// # Errors
    /// When they have no answer (the session keeps its flows), or the session is over.
    pub async fn reload_policies(&self) -> Result<(), Error> {
        self.node.shared.order(|reply| Order::Reload(self.key, reply))?.await
    }

    /// Returns what it has done.
    ///
    /// # Errors
    /// When the node does not know it (any more).
    pub async fn stats(&self) -> Result<SessionStats, Error> {
        let figures = self.node.shared.order(|reply| Order::Harvest(self.key, reply))?.await?;
        let tally = figures.and_then(|figures| figures.source).ok_or(Error::NoSession(self.key))?;
        let agent = self.node.shared.lock();
        let source = agent.sources.get(&self.key).ok_or(Error::NoSession(self.key))?;
        Ok(SessionStats {
            symbols: tally.content.symbols,
            bytes: tally.content.bytes,
            packets: tally.packets,
            unrouted_symbols: tally.unrouted,
            overflow_packets: source.overflow_packets,
            flows: tally
                .flows
                .into_iter()
                .map(|(route, share, packets)| FlowStats { route, share, packets })
                .collect(),
            destinations: source.destinations.clone(),
            problem: source.problem.clone(),
        })
    }

    /// Stops it: nothing more is sent, and its subscribers hear that it has ended.
    ///
    /// # Errors
    /// When the listing server does not answer.
    pub async fn stop(&self) -> Result<(), Error> {
        let SessionKey { conference, session } = self.key;
        let stopped = self.node.shared.command(Command::StopSession(self.key)).await;
        self.node.ask_gently(ListingRequest::EndSession { conference, session }).await?;
        stopped
    }

    /// Forgets it, after [`Session::stop`]: nothing of it is kept here any more, and no handle of it works.
    ///
    /// # Errors
    /// When the node does not run any more.
    pub async fn forget(self) -> Result<(), Error> {
        self.node.shared.lock().sources.remove(&self.key);
        match self.node.shared.command(Command::ForgetSession(self.key)).await {
            Err(Error::Command(CommandError::UnknownSession(_))) => Ok(()),
            done => done,
        }
    }
}
