//! A node, as its programs have it.

use super::agent::{Order, Shared, Sleep};
use super::error::Refusal;
use super::slot::Answer;
use super::{Conference, Error};
use bellini_core::ids::{ConferenceId, NodeId};
use bellini_core::listing::{self, ListingAnswer, ListingRequest};
use bellini_core::route::Route;
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::conduct::HopFigures;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

/// A node, as a program has it: live, or in the simulator. Clones are the same node.
///
/// Its futures need no particular executor: in live mode they may be awaited anywhere. [`Node::spawn`] is for programs
/// that [`Live::run`](super::Live::run) or [`Simulation`](super::Simulation) runs.
#[derive(Clone)]
pub struct Node {
    pub(super) shared: Arc<Shared>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.shared.id).field("name", &self.shared.name).finish()
    }
}

impl Node {
    /// Returns its id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.shared.id
    }

    /// Returns its name in the topology.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Returns the time on its clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.shared.driver.now()
    }

    /// Waits for a span of time; not at all where the node does not run any more.
    pub async fn sleep(&self, span: Duration) {
        self.sleep_until(self.now() + span).await;
    }

    /// Waits until a time on its clock.
    pub async fn sleep_until(&self, at: Instant) {
        Sleep::new(Arc::clone(&self.shared), at).await;
    }

    /// Waits for a future, but no longer than `span`; `None`: it took longer, and has been dropped.
    pub async fn within<T>(&self, span: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut sleep = pin!(Sleep::new(Arc::clone(&self.shared), self.now() + span));
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    /// Runs a future beside this one. It goes on when its [`Task`] is dropped, until the program's executor ends.
    pub fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Task<T> {
        Task(self.shared.ready.spawn(future))
    }

    /// Returns the id of the node that the topology calls so.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(&self, name: &str) -> Result<NodeId, Error> {
        let nodes = &self.shared.scenario.nodes;
        let found = nodes.iter().find(|node| node.name == name).map(|node| node.id);
        found.ok_or_else(|| {
            let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
            Error::NoNode { name: name.to_owned(), known: names.join(", ") }
        })
    }

    /// Returns the route through nodes that the topology calls so, to the last of them.
    ///
    /// # Errors
    /// When there is no such node, or none is named.
    pub fn route(&self, names: &[&str]) -> Result<Route, Error> {
        let path: Vec<NodeId> = names.iter().map(|name| self.named(name)).collect::<Result<_, _>>()?;
        if path.is_empty() {
            return Err(Error::other("a route has at least one node besides its source"));
        }
        Ok(Route::path(&path))
    }

    /// Asks which conferences are listed.
    ///
    /// # Errors
    /// When the listing server does not answer.
    pub async fn conferences(&self) -> Result<Vec<listing::Conference>, Error> {
        match self.shared.ask(ListingRequest::List).await? {
            ListingAnswer::Conferences { conferences, .. } => Ok(conferences),
            other => Err(strange(&other)),
        }
    }

    /// Creates a conference, registers it at the listing server, and takes part in it. `name` is for people.
    ///
    /// # Errors
    /// When the listing server does not answer or refuses.
    pub async fn create(&self, name: &str) -> Result<Conference, Error> {
        match self.shared.ask(ListingRequest::Create { name: name.to_owned() }).await? {
            ListingAnswer::Created { conference, .. } => self.join(conference).await,
            other => Err(strange(&other)),
        }
    }

    /// Takes part in a conference. Heartbeats are sent from now on, until it is left or ends.
    ///
    /// # Errors
    /// When the listing server does not answer or refuses: the conference is not there, or a later start of this node
    /// takes part in it.
    pub async fn join(&self, id: ConferenceId) -> Result<Conference, Error> {
        if self.shared.lock().membership(id).is_ok() {
            return Ok(Conference::new(self.clone(), id));
        }
        let member = self.shared.member();
        let lease = match self.shared.ask(ListingRequest::Join { conference: id, member }).await? {
            ListingAnswer::Leased { lease, .. } => lease,
            other => return Err(strange(&other)),
        };
        match self.shared.ask(ListingRequest::Show { conference: id }).await? {
            ListingAnswer::Conference { revision, conference } => {
                self.shared.enter(*conference, revision, lease)?;
                Ok(Conference::new(self.clone(), id))
            }
            other => Err(strange(&other)),
        }
    }

    /// Returns what its hops have counted, one entry for each next hop and kind of hop.
    ///
    /// # Errors
    /// When the node does not run any more.
    pub async fn hops(&self) -> Result<Vec<HopFigures>, Error> {
        self.shared.order(Order::Hops)?.await
    }

    /// Asks the listing server, where that what is asked for is not there any more is fine.
    pub(super) async fn ask_gently(&self, request: ListingRequest) -> Result<(), Error> {
        match self.shared.ask(request).await {
            Err(error) if !error.is_refused(Refusal::NotThere) => Err(error),
            _ => Ok(()),
        }
    }
}

pub(super) fn strange(answer: &ListingAnswer) -> Error {
    Error::Listing(format!("the listing server answered something else: {answer:?}"))
}

/// A future that runs beside others: awaited, it gives what it returned.
#[derive(Debug)]
#[must_use = "it is awaited to know what it returned, or dropped explicitly"]
pub struct Task<T>(Answer<Result<T, Error>>);

impl<T> Future for Task<T> {
    type Output = Result<T, Error>;

    /// Also an error: it was never run, because there are too many or the executor has ended.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|ended| ended.and_then(|ended| ended))
    }
}
