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

/// How long a node waits for the listing server where no way leads to it, as live nodes do.
const PATIENCE: Duration = Duration::from_secs(5);

/// The listing server, and what is on its way to it and from it.
pub(super) struct Post<'a> {
    scenario: &'a Scenario,
    at: NodeId,
    listing: Listing,
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

impl<'a> Post<'a> {
    /// Returns the post of a topology whose listing server is at a node.
    pub(super) fn new(scenario: &'a Scenario, at: NodeId) -> Self {
        let listing = Listing::new(ListingLimits::default(), List::default());
        Self { scenario, at, listing, mail: BTreeMap::new(), last: 0, watching: BTreeMap::new() }
    }

    pub(super) fn put(&mut self, at: Instant, mail: Mail) {
        self.last += 1;
        self.mail.insert((at, self.last), mail);
    }

    /// Sends a letter to the listing server; `is_up`: which links, by index, carry it.
    pub(super) fn send(&mut self, now: Instant, from: NodeId, letter: Letter, is_up: &dyn Fn(u32) -> bool) {
        match self.way(from, is_up) {
            Some(way) => self.put(now + way, Mail::Request(from, letter)),
            None => self.fail(now, from, Some(letter.to)),
        }
    }

    /// Asks what changes after a revision.
    pub(super) fn watch(&mut self, now: Instant, from: NodeId, since: u64, is_up: &dyn Fn(u32) -> bool) {
        match self.way(from, is_up) {
            Some(way) => self.put(now + way, Mail::Watch(from, since)),
            None => self.fail(now, from, None),
        }
    }

    /// Tells a node that the listing server cannot be reached.
    fn fail(&mut self, now: Instant, node: NodeId, waits: Option<To>) {
        let text = format!("no way leads from node {node} to the listing server at node {}", self.at);
        self.put(now + PATIENCE, Mail::Answer(node, waits, Err(Error::Listing(text))));
    }

    /// Returns the time of the fastest way between a node and the listing server.
    fn way(&self, node: NodeId, is_up: &dyn Fn(u32) -> bool) -> Option<Duration> {
        if node == self.at {
            return Some(Duration::ZERO);
        }
        let view = network_view(self.scenario, |_| true, is_up);
        Graph::new(&view).shortest_path(node, self.at, None).map(|path| path.delay)
    }

    /// Returns when something arrives, or a lease ends.
    pub(super) fn next(&self) -> Option<Instant> {
        let arrival = self.mail.keys().next().map(|(at, _)| *at);
        arrival.into_iter().chain(self.listing.poll_timeout()).min()
    }

    /// Returns what arrives at nodes by now. What arrives at the listing server is answered.
    pub(super) fn poll(&mut self, now: Instant, is_up: &dyn Fn(u32) -> bool) -> Option<Mail> {
        loop {
            let expiry = self.listing.poll_timeout().filter(|at| *at <= now);
            let arrival = self.mail.keys().next().map(|(at, _)| *at).filter(|at| *at <= now);
            if expiry.is_some() && expiry <= arrival.or(expiry) {
                self.listing.expire(now);
                self.tell(now, is_up);
                continue;
            }
            arrival?;
            match self.mail.pop_first()?.1 {
                Mail::Request(from, Letter { request, to }) => {
                    let answer = self.listing.handle(now, request).map_err(|error| Error::of_listing(&error));
                    self.answer(now, (from, Some(to)), answer, is_up);
                    self.tell(now, is_up);
                }
                Mail::Watch(from, since) => {
                    if self.listing.list().revision == since {
                        let number = self.last + 1;
                        self.watching.insert(number, (from, since));
                        self.put(now + WATCH_MAX, Mail::Patience(number));
                    } else {
                        self.answer_watch(now, from, since, is_up);
                    }
                }
                Mail::Patience(number) => {
                    if let Some((from, since)) = self.watching.remove(&number) {
                        self.answer_watch(now, from, since, is_up);
                    }
                }
                mail @ (Mail::Answer(..) | Mail::Job(..)) => return Some(mail),
            }
        }
    }

    /// Answers everybody who waits for a change, if there was one.
    fn tell(&mut self, now: Instant, is_up: &dyn Fn(u32) -> bool) {
        // A store would keep them.
        while self.listing.poll_change().is_some() {}
        let revision = self.listing.list().revision;
        let (told, waiting) =
            std::mem::take(&mut self.watching).into_iter().partition(|(_, (_, since))| *since != revision);
        self.watching = waiting;
        let told: BTreeMap<u64, (NodeId, u64)> = told;
        for (from, since) in told.into_values() {
            self.answer_watch(now, from, since, is_up);
        }
    }

    fn answer_watch(&mut self, now: Instant, to: NodeId, since: u64, is_up: &dyn Fn(u32) -> bool) {
        let answer = self.listing.handle(now, ListingRequest::Changes { since });
        self.answer(now, (to, None), answer.map_err(|error| Error::of_listing(&error)), is_up);
    }

    fn answer(
        &mut self,
        now: Instant,
        (to, waits): (NodeId, Option<To>),
        answer: Result<ListingAnswer, Error>,
        is_up: &dyn Fn(u32) -> bool,
    ) {
        match self.way(to, is_up) {
            Some(way) => self.put(now + way, Mail::Answer(to, waits, answer)),
            None => self.fail(now, to, waits),
        }
    }
}
