//! Conferences and sessions that are generated from the seed.

use super::Network;
use super::coding::added_bytes;
use super::content::period;
use super::policies::Policies;
use super::reach::Reach;
use super::sessions::{Common, Draft};
use super::values::{as_time, integer_or};
use crate::model::{Assignment, Conference, Routing, Session};
use crate::parse::sink::Sink;
use crate::parse::tree::Tree;
use bellini_core::content::spec::Period;
use bellini_core::ids::{ConferenceId, NodeId, SessionId};
use bellini_core::rng::{Seed, Stream};
use bellini_core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// Most sessions that all populations of a scenario may generate together.
const SESSIONS_MAX: u64 = 1_000_000;

/// How long a generated conference outlives its sessions.
const LINGER: Duration = Duration::from_secs(1);

/// When generated conferences start.
#[derive(Clone, Copy)]
enum Start {
    At(Duration),
    Uniform(Duration, Duration),
    Every(Duration),
}

/// Adds the conferences of all populations.
pub(crate) fn expand(
    root: &Tree,
    network: &Network<'_>,
    policies: &Policies,
    seed: u64,
    (reach, conferences): (&mut Reach, &mut Vec<Conference>),
    sink: &mut Sink,
) {
    let mut sessions = 0_u64;
    for (i, tree) in root.get("populations").map_or(&[][..], Tree::items).iter().enumerate() {
        let before = sink.count();
        let size = integer_or(tree, "conferences", 0).saturating_mul(integer_or(tree, "sessions", 0));
        sessions = sessions.saturating_add(size);
        if sessions > SESSIONS_MAX {
            let message = format!("populations generate {sessions} sessions, {SESSIONS_MAX} are the most");
            sink.error("E0206", tree.span, message, "");
            return;
        }
        let Some(population) = Population::read(tree, network, policies, conferences, sink) else { continue };
        let taken: BTreeSet<ConferenceId> = conferences.iter().map(|conference| conference.id).collect();
        let mut stream = Seed(seed).stream(&format!("population:{i}"));
        for position in 0..population.conferences {
            let Some(conference) = population.conference(position, &mut stream, network.duration) else {
                continue;
            };
            if taken.contains(&conference.id) {
                let message = format!("this population generates a second conference {}", conference.id);
                let place = tree.get("first_conference_id").map_or(tree.span, |tree| tree.span);
                sink.error("E0306", place, message, "");
                break;
            }
            for session in &conference.sessions {
                let place = tree.get("routing").map_or(tree.span, |tree| tree.span);
                let added = added_bytes(session.coding.as_ref(), session.sealed);
                let wanted = (session.source, &session.destinations[..], (session.symbol_bytes, added));
                reach.check(&population.common.routing, wanted, place, network, sink);
                population.common.check_rate(tree, session.source, network, sink);
            }
            conferences.push(conference);
            if sink.count() > before {
                // One conference's errors tell enough about all of them.
                break;
            }
        }
    }
}

struct Population {
    conferences: u64,
    sessions: u32,
    first_id: u32,
    candidates: Vec<NodeId>,
    destinations: usize,
    start: Start,
    lifetime: Option<Period>,
    common: Common,
    weight: u32,
    priority: u8,
}

impl Population {
    fn read(
        tree: &Tree,
        network: &Network<'_>,
        policies: &Policies,
        conferences: &[Conference],
        sink: &mut Sink,
    ) -> Option<Self> {
        let common = Draft::read(tree, policies, sink).complete();
        let candidates = candidates(tree, network, sink)?;
        let destinations = usize::try_from(tree.get("destinations")?.integer()?).ok()?;
        if destinations >= candidates.len() {
            let message = format!(
                "{destinations} destinations and a source need {} nodes, there are {}",
                destinations + 1,
                candidates.len()
            );
            sink.error("E0206", tree.get("destinations")?.span, message, "too many");
            return None;
        }
        let common = common?;
        if common.routing.policy == "static" {
            let place = tree.get("routing")?.span;
            sink.error("E0305", place, "a population cannot have routes written out", "")
                .help("its sources and destinations are drawn: use a policy such as \"shortest-delay\"");
            return None;
        }
        let above = conferences.iter().map(|conference| conference.id.0).max();
        let next_id = above.map_or(1, |id| u64::from(id) + 1);
        let first_id = integer_or(tree, "first_conference_id", next_id);
        let count = tree.get("conferences")?.integer()?;
        if first_id + count > u64::from(u32::MAX) {
            let message = format!("conference ids from {first_id} on do not fit into 32 bits");
            sink.error("E0308", tree.span, message, "");
            return None;
        }
        let start = match tree.get("start") {
            None => Start::At(Duration::ZERO),
            Some(written) => start(written, network.duration, sink)?,
        };
        let lifetime = match tree.get("lifetime") {
            None => None,
            Some(written) => Some(period(written)?),
        };
        Some(Self {
            conferences: count,
            sessions: u32::try_from(tree.get("sessions")?.integer()?).ok()?,
            first_id: u32::try_from(first_id).ok()?,
            candidates,
            destinations,
            start,
            lifetime,
            common,
            weight: u32::try_from(integer_or(tree, "weight", 1)).ok()?,
            priority: u8::try_from(integer_or(tree, "priority", 0)).ok()?,
        })
    }

    /// Draws one conference; `None` when it would start after the run.
    fn conference(&self, position: u64, stream: &mut Stream, duration: Duration) -> Option<Conference> {
        let start = match self.start {
            Start::At(at) => at,
            Start::Every(span) => span.saturating_mul(position),
            Start::Uniform(from, to) => {
                from + Duration::from_nanos(stream.below((to - from).as_nanos().max(1)))
            }
        };
        if start >= duration {
            return None;
        }
        let lifetime = self.lifetime.map(|lifetime| match lifetime {
            Period::Fixed(span) => span,
            Period::Exponential(mean) => stream.exponential_span(mean).max(Duration::from_nanos(1)),
        });
        let stop = lifetime.map(|span| start + span).filter(|stop| *stop < duration);
        // The conference outlives its content, so that its end does not drop what is on its way.
        let end = stop.map(|stop| stop + LINGER).filter(|end| *end < duration);
        let session = |id| self.session(id, stream, (start, stop.unwrap_or(duration)));
        let sessions = (1..=self.sessions).map(session).collect();
        let id = self.first_id + u32::try_from(position).ok()?;
        Some(Conference {
            id: ConferenceId(id),
            name: format!("c{id}"),
            weight: self.weight,
            priority: self.priority,
            start,
            end,
            churn: Vec::new(),
            sessions,
        })
    }

    fn session(&self, id: u32, stream: &mut Stream, (start, stop): (Duration, Duration)) -> Session {
        // The first steps of a Fisher-Yates shuffle: distinct nodes, each set equally likely.
        let mut pool = self.candidates.clone();
        for i in 0..=self.destinations {
            let other = i + stream.below((pool.len() - i) as u64) as usize;
            pool.swap(i, other);
        }
        let mut destinations = pool[1..=self.destinations].to_vec();
        destinations.sort_unstable();
        let common = self.common.clone();
        let assignment = common.assignment.map_or_else(
            || {
                let policy = if common.routing.gives_shares() { "static" } else { "equal" };
                Assignment { policy: policy.to_owned(), parameters: BTreeMap::new() }
            },
            |written| Assignment { policy: written.policy, parameters: written.parameters },
        );
        Session {
            id: SessionId(id),
            name: format!("s{id}"),
            source: pool[0],
            destinations,
            transport: common.transport,
            delivery: common.delivery,
            coding: common.coding,
            sealed: common.sealed,
            content: common.content,
            symbol_bytes: common.symbol_bytes,
            start,
            stop,
            routing: Routing {
                policy: common.routing.policy,
                flows: Vec::new(),
                parameters: common.routing.parameters,
            },
            assignment,
            draw: common.draw,
        }
    }
}

fn candidates(tree: &Tree, network: &Network<'_>, sink: &mut Sink) -> Option<Vec<NodeId>> {
    let Some(written) = tree.get("nodes") else { return Some(network.names.ids().collect()) };
    let found: Vec<Option<NodeId>> =
        written.items().iter().map(|item| network.names.find(item, sink)).collect();
    let mut found: Vec<NodeId> = found.into_iter().collect::<Option<_>>()?;
    found.sort_unstable();
    found.dedup();
    Some(found)
}

fn start(tree: &Tree, duration: Duration, sink: &mut Sink) -> Option<Start> {
    if tree.text().is_some() {
        let at = as_time(tree)?;
        if at >= duration {
            sink.error("E0502", tree.span, "this population starts when the run is over", "starts too late");
            return None;
        }
        return Some(Start::At(at));
    }
    if let Some(every) = tree.get("every") {
        return as_time(every).map(Start::Every);
    }
    let [from, to] = tree.get("uniform")?.items() else { return None };
    let (earliest, latest) = (as_time(from)?, as_time(to)?);
    if latest < earliest {
        sink.error("E0501", to.span, "this span of starts ends before it begins", "ends here")
            .also(from.span, "begins here");
        return None;
    }
    if earliest >= duration {
        sink.error("E0502", from.span, "this population starts when the run is over", "starts too late");
        return None;
    }
    Some(Start::Uniform(earliest, latest))
}
