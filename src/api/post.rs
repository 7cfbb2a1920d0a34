//! Between nodes of the simulator and the listing server: letters take the time of the fastest way.

use super::Error;
use super::agent::{Job, Letter, To};
use bellini_core::ids::NodeId;
use bellini_core::listing::{List, Listing, ListingAnswer, ListingLimits, ListingRequest};
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::conduct::network_view;
use bellini_scenarios::graph::Graph;
use bellini_scenarios::model::Scenario;
use std::collections::BTreeMap;

/// How long the listing server lets a watcher wait for a change.
const WATCH_MAX: Duration = Duration::from_secs(25);

/// The listing server, and what is on its way to it and from it.
pub(super) struct Post {
    at: NodeId,
    listing: Listing,
    /// One way between the listing server and each node; `None`: there is none.
    ways: BTreeMap<NodeId, Option<Duration>>,
    mail: BTreeMap<(Instant, u64), Mail>,
    last: u64,
    /// Who waits for a change after which revision, by the number of its question.
    watching: BTreeMap<u64, (NodeId, u64)>,
}

/// Something on its way.
pub(super) enum Mail {
    /// To the listing server.
    Request(NodeId, Letter),
    /// To the listing server: what changes after a revision?
    Watch(NodeId, u64),
    /// At the listing server: a watcher has waited long enough.
    Patience(u64),
    /// To a node; without anybody who waits: to its watcher.
    Answer(NodeId, Option<To>, Result<ListingAnswer, Error>),
    /// At a node: a decision is made.
    Job(NodeId, Job),
}

impl Post {
    /// Returns the post of a topology whose listing server is at a node.
    pub(super) fn new(scenario: &Scenario, at: NodeId) -> Self {
        let view = network_view(scenario, |_| true, |_| true);
        let graph = Graph::new(&view);
        let way = |node: NodeId| {
            if node == at {
                return Some(Duration::ZERO);
            }
            let there = graph.shortest_path(node, at, None)?;
            Some(there.delay)
        };
        let ways = scenario.nodes.iter().map(|node| (node.id, way(node.id))).collect();
        Self {
            at,
            listing: Listing::new(ListingLimits::default(), List::default()),
            ways,
            mail: BTreeMap::new(),
            last: 0,
            watching: BTreeMap::new(),
        }
    }

    pub(super) fn put(&mut self, at: Instant, mail: Mail) {
        self.last += 1;
        self.mail.insert((at, self.last), mail);
    }

    /// Sends a letter to the listing server.
    pub(super) fn send(&mut self, now: Instant, from: NodeId, letter: Letter) {
        match self.way(from) {
            Ok(way) => self.put(now + way, Mail::Request(from, letter)),
            Err(error) => self.put(now, Mail::Answer(from, Some(letter.to), Err(error))),
        }
    }

    /// Asks what changes after a revision.
    pub(super) fn watch(&mut self, now: Instant, from: NodeId, since: u64) {
        if let Ok(way) = self.way(from) {
            self.put(now + way, Mail::Watch(from, since));
        }
    }

    fn way(&self, node: NodeId) -> Result<Duration, Error> {
        let unreachable =
            || Error::Listing(format!("no way leads from node {node} to the listing server at {}", self.at));
        self.ways.get(&node).copied().flatten().ok_or_else(unreachable)
    }

    /// Returns when something arrives, or a lease ends.
    pub(super) fn next(&self) -> Option<Instant> {
        let arrival = self.mail.keys().next().map(|(at, _)| *at);
        arrival.into_iter().chain(self.listing.poll_timeout()).min()
    }

    /// Returns what arrives at nodes by now. What arrives at the listing server is answered.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Mail> {
        loop {
            let expiry = self.listing.poll_timeout().filter(|at| *at <= now);
            let arrival = self.mail.keys().next().map(|(at, _)| *at).filter(|at| *at <= now);
            if expiry.is_some() && expiry <= arrival.or(expiry) {
                self.listing.expire(now);
                self.tell(now);
                continue;
            }
            arrival?;
            match self.mail.pop_first()?.1 {
                Mail::Request(from, Letter { request, to }) => {
                    let answer = self.listing.handle(now, request).map_err(|error| Error::of_listing(&error));
                    self.answer(now, from, Some(to), answer);
                    self.tell(now);
                }
                Mail::Watch(from, since) => {
                    if self.listing.list().revision == since {
                        let number = self.last + 1;
                        self.watching.insert(number, (from, since));
                        self.put(now + WATCH_MAX, Mail::Patience(number));
                    } else {
                        self.answer_watch(now, from, since);
                    }
                }
                Mail::Patience(number) => {
                    if let Some((from, since)) = self.watching.remove(&number) {
                        self.answer_watch(now, from, since);
                    }
                }
                mail @ (Mail::Answer(..) | Mail::Job(..)) => return Some(mail),
            }
        }
    }

    /// Answers everybody who waits for a change, if there was one.
    fn tell(&mut self, now: Instant) {
        // A store would keep them.
        while self.listing.poll_change().is_some() {}
        let revision = self.listing.list().revision;
        let (told, waiting) =
            std::mem::take(&mut self.watching).into_iter().partition(|(_, (_, since))| *since != revision);
        self.watching = waiting;
        let told: BTreeMap<u64, (NodeId, u64)> = told;
        for (from, since) in told.into_values() {
            self.answer_watch(now, from, since);
        }
    }

    fn answer_watch(&mut self, now: Instant, to: NodeId, since: u64) {
        let answer = self.listing.handle(now, ListingRequest::Changes { since });
        self.answer(now, to, None, answer.map_err(|error| Error::of_listing(&error)));
    }

    fn answer(&mut self, now: Instant, to: NodeId, waits: Option<To>, answer: Result<ListingAnswer, Error>) {
        // Who could ask can be answered: the way back takes as long.
        let way = self.way(to).unwrap_or(Duration::ZERO);
        self.put(now + way, Mail::Answer(to, waits, answer));
    }
}
