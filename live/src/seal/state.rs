//! What a running node knows of sealing: its identity, the keys with each peer, and what was refused.

use super::aead::{OpenFault, PREFIX_BYTES, Purpose, SendKey, TAG_BYTES};
use super::handshake::{HandshakeFault, Offer};
use super::identity::Identity;
use super::peer::PeerKeys;
use super::refusals::Refusals;
use super::trust::{KeyHash, Refusal};
use super::{SealFigures, SealLimits};
use bellini_core::ids::NodeId;
use bellini_core::time::{Duration, Instant};
use bytes::BytesMut;
use std::net::SocketAddr;
use std::sync::Arc;

/// Bytes that sealing adds to a frame.
pub const SEALING_BYTES: usize = PREFIX_BYTES + TAG_BYTES;
/// Distance of wishes for keys with one peer.
const WISH_DISTANCE: Duration = Duration::from_millis(250);
/// Distance of handshakes with one peer that are caused by datagrams under keys that are not known, once there are any.
const LOST_DISTANCE: Duration = Duration::from_secs(10);
/// What the side that did not dial last waits longer before it renews keys.
const YIELD_TO_DIALLER: Duration = Duration::from_secs(30);

/// Sealing in a running node. Peers are named by their slots.
#[derive(Debug)]
pub struct Sealing {
    identity: Arc<Identity>,
    limits: SealLimits,
    peers: Vec<PeerState>,
    /// Peers whose keys are wanted.
    wanted: Vec<usize>,
    /// Peers with frames that waited for keys which are there now.
    ready: Vec<usize>,
    refusals: Refusals,
    figures: SealFigures,
}

#[derive(Debug, Default)]
struct PeerState {
    keys: PeerKeys,
    wished: Option<Instant>,
    /// When datagrams under unknown keys last caused a wish.
    lost: Option<Instant>,
    /// Keys are made beforehand.
    is_eager: bool,
    /// Rekeyings of keys that are gone.
    rekeyed: u64,
}

impl Sealing {
    /// Returns the state of a node that has no keys with anybody yet.
    #[must_use]
    pub fn new(identity: Arc<Identity>, limits: SealLimits) -> Self {
        Self {
            identity,
            limits,
            peers: Vec::new(),
            wanted: Vec::new(),
            ready: Vec::new(),
            refusals: Refusals::default(),
            figures: SealFigures::default(),
        }
    }

    fn peer(&mut self, slot: usize) -> &mut PeerState {
        if self.peers.len() <= slot {
            self.peers.resize_with(slot + 1, PeerState::default);
        }
        &mut self.peers[slot]
    }

    /// Opens a datagram from where a peer is, in place; whether it is a frame now.
    #[inline]
    pub(crate) fn open(
        &mut self,
        now: Instant,
        slot: usize,
        purpose: Purpose,
        datagram: &mut BytesMut,
    ) -> bool {
        let keys = &mut self.peer(slot).keys;
        match keys.open(now, purpose, datagram) {
            Ok(is_news) => {
                self.figures.opened_frames += 1;
                if is_news {
                    // It has overtaken the last message of the handshake.
                    self.note_ready(slot);
                }
                true
            }
            Err(fault) => {
                self.not_opened(now, slot, fault);
                false
            }
        }
    }

    #[cold]
    fn not_opened(&mut self, now: Instant, slot: usize, fault: OpenFault) {
        match fault {
            OpenFault::Form => self.figures.unsealed_datagrams += 1,
            OpenFault::Replayed => self.figures.replayed_datagrams += 1,
            OpenFault::Forged => self.figures.forged_datagrams += 1,
            OpenFault::Keys => {
                self.figures.keyless_datagrams += 1;
                let state = self.peer(slot);
                // A peer that has keys which a former life of this node had; or one that has gone on so far, unheard,
                // that its keys cannot be followed. Anybody can make up such datagrams, so that once there are keys
                // they cause a handshake seldom.
                let is_new = |since: Instant| now.saturating_since(since) < LOST_DISTANCE;
                let has_new = state.keys.newest().is_some_and(|(since, _)| is_new(since));
                if !state.keys.has_keys() {
                    self.wish(now, slot);
                } else if !has_new && !state.lost.is_some_and(is_new) {
                    state.lost = Some(now);
                    self.wish(now, slot);
                }
            }
        }
    }

    /// Returns the key for a frame to a peer.
    #[inline]
    pub(crate) fn sender(&mut self, slot: usize, purpose: Purpose) -> Option<&mut SendKey> {
        let state = self.peers.get_mut(slot)?;
        let key = state.keys.sender(purpose)?;
        self.figures.sealed_frames += 1;
        Some(key)
    }

    /// Keeps a frame for a peer whose keys are not there yet, and has them made.
    #[cold]
    pub(crate) fn wait(&mut self, now: Instant, slot: usize, purpose: Purpose, frame: Vec<u8>) {
        if self.peer(slot).keys.wait(purpose, frame) {
            self.figures.waiting_dropped_frames += 1;
        }
        self.wish(now, slot);
    }

    /// Has keys with a peer made before anything is sent: a handshake takes three round trips.
    pub(crate) fn make_beforehand(&mut self, now: Instant, slot: usize) {
        self.peer(slot).is_eager = true;
        if !self.peer(slot).keys.has_keys() {
            self.wish(now, slot);
        }
    }

    /// Whether keys with a peer are to be made beforehand, and are not there yet.
    pub(crate) fn is_missing(&self, slot: usize) -> bool {
        self.peers.get(slot).is_some_and(|state| state.is_eager && !state.keys.has_keys())
    }

    fn wish(&mut self, now: Instant, slot: usize) {
        let wished = &mut self.peer(slot).wished;
        if wished.is_none_or(|at| now.saturating_since(at) >= WISH_DISTANCE) {
            *wished = Some(now);
            self.wanted.push(slot);
        }
    }

    /// Returns the peers to which a handshake is wanted.
    pub(crate) fn take_wanted(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.wanted)
    }

    /// Takes the keys of a handshake with the peer in `slot`.
    pub(crate) fn take(&mut self, now: Instant, slot: usize, offer: Offer) {
        let epoch_frames = self.limits.epoch_frames;
        let state = self.peer(slot);
        let before = state.keys.rekeys();
        let made = (offer.keys, &offer.secret);
        state.keys.take(now, made, offer.shown, offer.is_dialler, epoch_frames);
        // Sets that went take their counts with them.
        state.rekeyed += before - state.keys.rekeys().min(before);
        self.figures.handshakes += 1;
        self.note_ready(slot);
        // A task that gave up meanwhile leaves keys that nobody uses.
        let _ = offer.taken.send(());
    }

    /// The peer in `slot` has these keys, too.
    pub(crate) fn agree(&mut self, slot: usize, keys: u16) {
        self.peer(slot).keys.agree(keys);
        self.note_ready(slot);
    }

    fn note_ready(&mut self, slot: usize) {
        let keys = &mut self.peer(slot).keys;
        if keys.has_waiting() && keys.sender(Purpose::Data).is_some() {
            self.ready.push(slot);
        }
    }

    /// Returns frames that waited for keys which are there now, by peer.
    pub(crate) fn take_ready(&mut self) -> Vec<(usize, Purpose, Vec<u8>)> {
        let ready = std::mem::take(&mut self.ready);
        let mut frames = Vec::new();
        for slot in ready {
            let waiting = self.peer(slot).keys.take_waiting();
            frames.extend(waiting.into_iter().map(|(purpose, frame)| (slot, purpose, frame)));
        }
        frames
    }

    /// Counts a handshake that failed, and notes a line about it. `who`: the peer that was dialled.
    pub(crate) fn failed(&mut self, who: Option<NodeId>, at: SocketAddr, fault: &HandshakeFault) {
        let figures = &mut self.figures;
        *match fault {
            HandshakeFault::Refused(Refusal::Unknown) => &mut figures.refused_unknown,
            HandshakeFault::Refused(Refusal::WrongNode) => &mut figures.refused_wrong_node,
            HandshakeFault::Refused(Refusal::Expired) => &mut figures.refused_expired,
            HandshakeFault::Refused(Refusal::Revoked) => &mut figures.refused_revoked,
            HandshakeFault::RefusedUs(_) => &mut figures.refused_by_peers,
            _ => &mut figures.failed_handshakes,
        } += 1;
        // Peers that are not up yet are no news.
        if !matches!(fault, HandshakeFault::Network(_) | HandshakeFault::Slow) {
            let who =
                who.map_or_else(|| "whoever connects from".to_owned(), |node| format!("node {node} at"));
            let at = if who.starts_with("node") { at.to_string() } else { at.ip().to_string() };
            self.refusals.note(format!("{who} {at} is refused: {fault}"));
        }
    }

    /// Counts a connection that was closed unheard, because there were too many.
    pub(crate) fn limited(&mut self, at: SocketAddr) {
        self.figures.limited_handshakes += 1;
        self.refusals.note(format!("connections from {} are closed unheard: too many", at.ip()));
    }

    /// Looks once a second whether keys still count and are fresh. `node_of` names the peers in slots; returns whether
    /// keys were taken back, so that connections must be looked at, too.
    pub(crate) fn keep_house(&mut self, now: Instant, node_of: impl Fn(usize) -> NodeId) {
        if let Err(error) = self.identity.reload() {
            self.refusals.note(format!("the trust file stays as it was: {error}"));
        }
        if let Err(refusal) = self.identity.judge_own() {
            self.refusals.note(format!("this node is refused by others: {refusal}"));
        }
        for slot in 0..self.peers.len() {
            let (node, identity) = (node_of(slot), Arc::clone(&self.identity));
            let (mut why, state) = (None, &mut self.peers[slot]);
            let dropped = state.keys.retain(|shown| match identity.judge(node, shown) {
                Ok(()) => true,
                Err(refusal) => {
                    why = Some(refusal);
                    false
                }
            });
            if dropped > 0
                && let Some(refusal) = why
            {
                self.figures.dropped_key_sets += dropped as u64;
                self.refusals.note(format!("node {node} is refused from now on: {refusal}"));
            }
            let state = &self.peers[slot];
            if let Some((since, by_us)) = state.keys.newest() {
                let age = now.saturating_since(since);
                let renew = Duration::from_secs(u64::from(self.limits.renew_s));
                if age >= if by_us { renew } else { renew + YIELD_TO_DIALLER } {
                    self.wish(now, slot);
                }
            }
        }
    }

    /// Whether a key that a peer showed still counts.
    pub(crate) fn counts(&self, node: NodeId, shown: KeyHash) -> bool {
        self.identity.judge(node, shown).is_ok()
    }

    /// Returns lines for people, each cause at most every ten seconds.
    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        self.refusals.take()
    }

    /// Returns what was counted.
    #[must_use]
    pub fn figures(&self) -> SealFigures {
        let rekeyed = self.peers.iter().map(|state| state.rekeyed + state.keys.rekeys()).sum();
        SealFigures { rekeyed, ..self.figures }
    }
}
