//! The edges of a node.

use super::delivery::Delivery;
use super::source::{self, Pieces};
use super::{Edge, Place};
use bellini_core::Node;
use bellini_core::content::spec::Unit;
use bellini_core::ids::SessionKey;
use bellini_core::io::{Command, InputError};
use bellini_core::payload::{self, Payload};
use bellini_core::rng::Seed;
use bytes::{Bytes, BytesMut};
use std::io;
use std::task::Poll;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Pieces that one call offers.
const PIECES_A_CALL: usize = 64;
/// Room of a session below which a stream's piece waits.
const ROOM_MIN: usize = 1_400;

/// Applications' ends of sessions at this node.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    sources: Vec<SourceEdge>,
    deliveries: Vec<DeliveryEdge>,
    /// What the core delivered since the last look.
    delivered: Vec<(SessionKey, u64, Payload)>,
    /// What a person should know.
    problems: Vec<String>,
}

#[derive(Debug)]
struct SourceEdge {
    key: SessionKey,
    place: Place,
    pieces: Pieces,
    /// Read, and not offered yet.
    pending: Option<Bytes>,
    has_ended: bool,
    is_over: bool,
    task: JoinHandle<()>,
    /// Datagrams that came when nobody wanted them.
    dropped: u64,
}

#[derive(Debug)]
struct DeliveryEdge {
    key: SessionKey,
    place: Place,
    tell: bool,
    way: Option<Delivery>,
}

impl Drop for SourceEdge {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Edges {
    /// Opens an edge. One that the session has here already goes.
    ///
    /// # Errors
    /// When its place cannot be opened.
    pub(crate) fn open(&mut self, key: SessionKey, edge: &Edge) -> io::Result<()> {
        match edge {
            Edge::Source(place) => {
                self.sources.retain(|known| known.key != key);
                let (pieces, task) = source::open(place)?;
                let (pending, has_ended, is_over, dropped) = (None, false, false, 0);
                let place = place.clone();
                self.sources.push(SourceEdge {
                    key,
                    place,
                    pieces,
                    pending,
                    has_ended,
                    is_over,
                    task,
                    dropped,
                });
            }
            Edge::Delivery { place, tell } => {
                self.deliveries.retain(|known| known.key != key);
                let way = Some(Delivery::open(place)?);
                self.deliveries.push(DeliveryEdge { key, place: place.clone(), tell: *tell, way });
            }
        }
        Ok(())
    }

    /// Waits until an application has brought something.
    pub(crate) async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut any = Poll::Pending;
            for edge in self.sources.iter_mut().filter(|edge| edge.pending.is_none() && !edge.has_ended) {
                let Poll::Ready(piece) = edge.pieces.poll_recv(context) else { continue };
                any = Poll::Ready(());
                edge.take(piece, &mut self.problems);
            }
            any
        })
        .await;
    }

    /// Offers what applications have brought, by `command`, as far as there is room; whether there is more.
    pub(crate) fn feed(
        &mut self,
        node: impl Fn(SessionKey) -> Option<Option<usize>>,
        mut command: impl FnMut(Command) -> Result<(), InputError>,
    ) -> bool {
        let mut left = PIECES_A_CALL;
        for edge in &mut self.sources {
            while left > 0 && edge.step(&node, &mut command, &mut self.problems) {
                left -= 1;
            }
        }
        left == 0
    }

    /// Takes a delivery, if the session has an edge here; returns whether the console is to hear of it.
    #[inline]
    pub(crate) fn take(&mut self, key: SessionKey, symbol: u64, payload: &Payload) -> bool {
        let Some(edge) = self.deliveries.iter().find(|edge| edge.key == key) else { return true };
        self.delivered.push((key, symbol, payload.clone()));
        edge.tell
    }

    /// Hands deliveries to applications. A stream's end is not one of its bytes.
    pub(crate) fn hand_over(&mut self, node: &Node, seed: Seed) {
        for (key, symbol, payload) in self.delivered.drain(..) {
            let Some(edge) = self.deliveries.iter_mut().find(|edge| edge.key == key) else { continue };
            let Some(way) = &mut edge.way else { continue };
            let end = node.session(key).and_then(|entry| entry.sink.as_ref()?.stream_end());
            if end == Some(symbol) {
                way.end();
                continue;
            }
            let bytes = match payload {
                Payload::Bytes(bytes) => bytes,
                Payload::Synthetic(what) => {
                    let mut bytes = BytesMut::zeroed(what.len as usize);
                    payload::fill(seed, what, &mut bytes);
                    bytes.freeze()
                }
                Payload::Coded { .. } => continue,
            };
            if !way.give(bytes) {
                let place = &edge.place;
                self.problems
                    .push(format!("session {key}: the application at {place} does not take what arrives"));
                if place.unit() == Unit::Stream {
                    // A stream with a hole is none.
                    edge.way = None;
                }
            }
        }
    }

    /// Returns, once each, what a person should know.
    pub(crate) fn take_problems(&mut self) -> Vec<String> {
        core::mem::take(&mut self.problems)
    }

    /// Ends all edges, with time for applications to take what has arrived; returns what went wrong.
    pub(crate) async fn finish(&mut self, within: Duration) -> Vec<String> {
        let mut problems = self.take_problems();
        for edge in self.sources.drain(..) {
            if edge.dropped > 0 {
                let (key, place, count) = (edge.key, &edge.place, edge.dropped);
                problems.push(format!(
                    "session {key}: {count} datagrams from {place} came when there was no session"
                ));
            }
        }
        for edge in self.deliveries.drain(..) {
            let (key, place) = (edge.key, edge.place);
            let Some(way) = edge.way else { continue };
            let dropped = std::sync::Arc::clone(&way.dropped);
            if let Some(problem) = way.finish(within).await {
                problems.push(format!("session {key}, delivery to {place}: {problem}"));
            }
            let dropped = dropped.load(std::sync::atomic::Ordering::Relaxed);
            if dropped > 0 {
                problems.push(format!("session {key}: {dropped} datagrams found nobody at {place}"));
            }
        }
        problems
    }
}

impl SourceEdge {
    fn take(&mut self, piece: Option<io::Result<Bytes>>, problems: &mut Vec<String>) {
        match piece {
            Some(Ok(bytes)) => self.pending = Some(bytes),
            Some(Err(error)) => {
                problems.push(format!("session {}, source at {}: {error}", self.key, self.place));
                self.has_ended = true;
            }
            None => self.has_ended = true,
        }
    }

    /// Offers a piece; whether it may go on.
    fn step(
        &mut self,
        node: &impl Fn(SessionKey) -> Option<Option<usize>>,
        command: &mut impl FnMut(Command) -> Result<(), InputError>,
        problems: &mut Vec<String>,
    ) -> bool {
        if self.pending.is_none() && !self.has_ended {
            match self.pieces.try_recv() {
                Ok(piece) => self.take(Some(piece), problems),
                Err(tokio::sync::mpsc::error::TryRecvError::Empty) => return false,
                Err(tokio::sync::mpsc::error::TryRecvError::Disconnected) => self.take(None, problems),
            }
        }
        let key = self.key;
        let room = node(key);
        let Some(mut piece) = self.pending.take() else {
            if !self.is_over && room.is_some() {
                self.is_over = true;
                // It is known, and an end cannot be refused.
                let _ = command(Command::EndOffers(key));
            }
            return false;
        };
        match (self.place.unit(), room) {
            (Unit::Datagrams, Some(Some(_))) => {
                if let Err(error) = command(Command::Offer { key, data: piece }) {
                    problems.push(error.to_string());
                }
                true
            }
            (Unit::Datagrams, _) => {
                self.dropped += 1;
                true
            }
            (Unit::Stream, Some(Some(room))) if room >= piece.len().min(ROOM_MIN) => {
                let data = piece.split_to(room.min(piece.len()));
                if !piece.is_empty() {
                    self.pending = Some(piece);
                }
                if let Err(error) = command(Command::Offer { key, data }) {
                    problems.push(error.to_string());
                    return false;
                }
                true
            }
            (Unit::Stream, _) => {
                self.pending = Some(piece);
                false
            }
        }
    }
}
