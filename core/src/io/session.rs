//! Sessions, as their sources and destinations need to know them.

use super::HopKind;
use crate::coding::CodingSpec;
use crate::content::spec::Content;
use crate::ids::{Epoch, Incarnation, NodeId, SessionKey};
use crate::route::Route;
use crate::seal::SealSpec;
use crate::time::{Duration, Instant};
use serde::{Deserialize, Serialize};

/// What is promised of a session's symbols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// What is lost on the way is lost.
    #[default]
    BestEffort,
    /// Every destination gets every symbol: destinations acknowledge, and the source repeats.
    Reliable,
}

/// A session, as its source needs to know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Which session.
    pub key: SessionKey,
    /// Raised by a restarted source.
    pub epoch: Epoch,
    /// Its destinations now, sorted.
    pub destinations: Vec<NodeId>,
    /// What it carries.
    pub content: Content,
    /// Largest payload of one symbol, in bytes.
    pub symbol_bytes: u32,
    /// The kind of hop that carries it.
    pub hop_kind: HopKind,
    /// What is promised.
    #[serde(default)]
    pub delivery: Delivery,
    /// How its packets are coded; `None`: not.
    #[serde(default)]
    pub coding: Option<CodingSpec>,
    /// How its symbols are sealed from end to end; `None`: not.
    #[serde(default)]
    pub seal: Option<SealSpec>,
    /// When content starts, on this node's clock.
    pub start: Instant,
    /// When content stops.
    pub stop: Instant,
    /// Symbols created in this window are judged.
    pub measure: MeasureWindow,
    /// Whether flows are drawn at random or by stride.
    pub draw: DrawMode,
    /// How often policies are asked again; `None`: only on events.
    pub policy_period: Option<Duration>,
}

/// A session, as a destination needs to know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SinkSpec {
    /// Which session.
    pub key: SessionKey,
    /// Its source, whose clock its timestamps are of.
    pub source: NodeId,
    /// What it carries, to judge what arrives.
    pub content: Content,
    /// Largest payload of one symbol, in bytes.
    pub symbol_bytes: u32,
    /// What is promised: a destination of a reliable session acknowledges.
    #[serde(default)]
    pub delivery: Delivery,
    /// How its packets are coded; `None`: not.
    #[serde(default)]
    pub coding: Option<CodingSpec>,
    /// How its symbols are sealed from end to end; `None`: not.
    #[serde(default)]
    pub seal: Option<SealSpec>,
    /// When content starts, on the source's clock.
    pub start: Instant,
    /// When content stops, on the source's clock.
    pub stop: Instant,
    /// Symbols created in this window are judged (source's clock).
    pub measure: MeasureWindow,
    /// Whether each delivery is an event.
    pub deliver_events: bool,
}

/// A window of time; symbols are in it by their creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasureWindow {
    /// First instant.
    pub from: Instant,
    /// End (excluded).
    pub to: Instant,
}

impl MeasureWindow {
    /// Whether `at` lies in it.
    #[inline]
    #[must_use]
    pub fn contains(&self, at: Instant) -> bool {
        self.from <= at && at < self.to
    }
}

/// How the flow of each packet is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DrawMode {
    /// At random by the shares, as in the paper.
    Random,
    /// In a fixed pattern that follows the shares (stride scheduling).
    Stride,
}

/// Flows for a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Install {
    /// The session.
    pub key: SessionKey,
    /// Which start of the planner decided.
    pub planner: Incarnation,
    /// That planner's count of decisions for the session.
    pub version: u32,
    /// The flows: route and share (not negative, positive sum).
    pub flows: Vec<(Route, f64)>,
}
