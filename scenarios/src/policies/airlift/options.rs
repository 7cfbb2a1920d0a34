//! The parameters of `airlift`.

use super::demand::{Demand, Packet};
use super::plan::Objective;
use crate::graph::MAX_HOPS;
use crate::graph::{FAR, Multicast, Network};
use crate::policies::Parameters;
use crate::policy::{PolicyError, Reason, Request, ViewSession};
use bellini_core::coding::Scheme;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_core::wire::DATA_FIXED_BYTES;
use bellini_core::wire::frame::UDP_IP_BYTES;
use std::collections::BTreeSet;

const KNOWN: [&str; 7] = ["objective", "bound", "reserve", "max_relays", "overload", "hysteresis", "assume"];
const RELAYS_DEFAULT: usize = 2;
const RESERVE_DEFAULT: f64 = 0.1;
const HYSTERESIS_DEFAULT: f64 = 0.1;

/// The parameters of one session.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What the plan makes as large as it can; common to all sessions.
    pub objective: Objective,
    /// Whether a session is carried at a lower rate when it wants more than there is; common to all sessions.
    pub carry: bool,
    /// Rate of links of which none is known; common to all sessions.
    pub assume: Option<BitRate>,
    /// Least change of a rate or delay, as a part of itself, for which sessions are planned anew.
    pub hysteresis: f64,
    /// Most delay of a path, without queues: what the content allows, less the reserve.
    pub bound: Option<Duration>,
    /// Most relays between source and destination.
    pub relays: usize,
}

impl Options {
    /// Reads the parameters of a session.
    ///
    /// # Errors
    /// When one is unknown or has a wrong value.
    pub fn of(session: &ViewSession) -> Result<Self, PolicyError> {
        let view = crate::policy::NetworkView::default();
        Self::read(&Request {
            session: session.key,
            source: session.source,
            destinations: &session.destinations,
            rate: session.rate,
            reason: Reason::Start,
            view: &view,
            parameters: &session.parameters,
        })
        .map(|options| options.within(session.delay_bound))
    }

    fn read(request: &Request<'_>) -> Result<Self, PolicyError> {
        let parameters = Parameters::of(request, &KNOWN)?;
        let objective = match parameters.word("objective", &["total", "max-min", "proportional"])? {
            Some("max-min") => Objective::MaxMin,
            Some("proportional") => Objective::Proportional,
            _ => Objective::Total,
        };
        let carry = parameters.word("overload", &["refuse", "carry"])? == Some("carry");
        let reserve = parameters.number("reserve", 0.0, 0.9)?.unwrap_or(RESERVE_DEFAULT);
        let bound = parameters.time("bound")?;
        let hysteresis = parameters.number("hysteresis", 0.0, 1.0)?.unwrap_or(HYSTERESIS_DEFAULT);
        let relays = parameters.whole("max_relays", 0, MAX_HOPS - 1)?.unwrap_or(RELAYS_DEFAULT);
        let assume = parameters.rate("assume")?;
        let bound = bound.map(|bound| less(bound, reserve));
        Ok(Self { objective, carry, assume, hysteresis, bound, relays })
    }

    /// Takes the bound that comes with the content, where none was given.
    fn within(self, delay_bound: Option<Duration>) -> Self {
        Self { bound: self.bound.or(delay_bound.map(|bound| less(bound, RESERVE_DEFAULT))), ..self }
    }

    /// Returns what a session asks for; `None`: nothing, for it has no destination, or its source is down.
    pub(super) fn demand(&self, network: &Network, session: &ViewSession) -> Option<Demand> {
        let destinations: Vec<usize> =
            session.destinations.iter().filter_map(|node| network.index(*node)).collect();
        if destinations.is_empty() {
            return None;
        }
        let is_generation = |scheme| matches!(scheme, Scheme::Generation { .. });
        Some(Demand {
            key: session.key,
            cast: Multicast {
                source: network.index(session.source)?,
                destinations,
                bound: self.bound.map_or(FAR, Duration::as_nanos),
                hops: self.relays + 1,
            },
            wanted: session.rate.map(|rate| rate.as_bps() as f64),
            is_coded: session.coding.is_some_and(|coding| coding.recode && is_generation(coding.scheme)),
            packet: Packet::of(session),
        })
    }
}

fn less(bound: Duration, reserve: f64) -> Duration {
    Duration::from_nanos((bound.as_nanos() as f64 * (1.0 - reserve)) as u64)
}

/// Checks the parameters of a request.
pub(super) fn check(request: &Request<'_>) -> Result<(), PolicyError> {
    Options::read(request).map(drop)
}

/// Returns the options that are common to all sessions.
pub(super) fn common(sessions: &[ViewSession]) -> Result<Options, PolicyError> {
    let mut first: Option<Options> = None;
    for session in sessions {
        let own = Options::of(session)?;
        let first = first.get_or_insert_with(|| own.clone());
        for (name, differs) in [
            ("objective", first.objective != own.objective),
            ("overload", first.carry != own.carry),
            ("assume", first.assume != own.assume),
        ] {
            if differs {
                let problem = format!("session {} has another one than the first", session.key);
                return Err(PolicyError::Parameter { name: name.to_owned(), problem });
            }
        }
    }
    first.ok_or_else(|| PolicyError::Other("no session to plan for".to_owned()))
}

/// Returns the session of a request, as like that of the view as may be.
pub(super) fn session_of(request: &Request<'_>, known: Option<&ViewSession>) -> ViewSession {
    let destinations: BTreeSet<_> = request.destinations.iter().copied().collect();
    ViewSession {
        key: request.session,
        source: request.source,
        destinations: destinations.into_iter().collect(),
        rate: request.rate,
        start: known.map_or(Duration::ZERO, |session| session.start),
        stop: known.map_or(Duration::ZERO, |session| session.stop),
        delay_bound: known.and_then(|session| session.delay_bound),
        coding: known.and_then(|session| session.coding),
        symbol_bytes: known.map_or(SYMBOL_BYTES, |session| session.symbol_bytes),
        header_bytes: known.map_or((UDP_IP_BYTES + DATA_FIXED_BYTES) as u32, |session| session.header_bytes),
        policy: super::NAME.to_owned(),
        parameters: request.parameters.clone(),
    }
}

/// Payload of a packet of a session that the view does not know.
const SYMBOL_BYTES: u32 = 1_200;

impl Objective {
    /// Returns its word in scenarios.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::MaxMin => "max-min",
            Self::Proportional => "proportional",
        }
    }
}
