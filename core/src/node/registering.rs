//! Registrations with a listing: a member says again and again that it is there.

use crate::ids::ConferenceId;
use crate::io::{CommandError, Registration};
use crate::node::Node;
use crate::node::timers::Timer;
use crate::route::Route;
use crate::time::{Duration, Instant};
use crate::timer::TimerId;
use crate::wire::RouteFault;
use crate::wire::control::{CONTROL_ROUTE_LIMITS, ControlBody};
use crate::wire::routing::{self, validate_pathlet};

/// A registration that goes on.
#[derive(Debug)]
pub(super) struct Registered {
    /// Pathlets there and back; `None`: this node holds the listing.
    way: Option<(Vec<u8>, Vec<u8>)>,
    every: Duration,
    timer: TimerId,
}

impl Node {
    /// Registers with the listing, now and then as often as is asked for.
    pub(super) fn register(&mut self, now: Instant, registration: &Registration) -> Result<(), CommandError> {
        let Registration { conference, way, every } = registration;
        if every.is_zero() {
            return Err(CommandError::NoHeartbeat);
        }
        if self.ended.contains(*conference) {
            return Err(CommandError::ConferenceEnded(*conference));
        }
        let max = self.config.limits.sessions_max;
        if self.registered.len() >= max && !self.registered.contains_key(conference) {
            return Err(CommandError::TooManySessions(max));
        }
        let way = match way {
            Some((there, back)) => Some((pathlet(there)?, pathlet(back)?)),
            None => None,
        };
        self.unregister(*conference);
        // The first one is sent at once.
        let timer = self.timers.set(now, Timer::Heartbeat(*conference));
        self.registered.insert(*conference, Registered { way, every: *every, timer });
        self.on_heartbeat(now, *conference);
        Ok(())
    }

    /// Ends a registration without a word: the lease ends by itself.
    pub(super) fn unregister(&mut self, conference: ConferenceId) {
        if let Some(before) = self.registered.remove(&conference) {
            self.timers.cancel(before.timer);
        }
    }

    /// Sends a heartbeat, and sets the timer for the next.
    pub(super) fn on_heartbeat(&mut self, now: Instant, conference: ConferenceId) {
        let Some(registered) = self.registered.get_mut(&conference) else { return };
        self.timers.cancel(registered.timer);
        registered.timer = self.timers.set(now + registered.every, Timer::Heartbeat(conference));
        let incarnation = self.config.incarnation;
        match &registered.way {
            None => self.take_registration(now, self.config.id, (conference, incarnation), None),
            Some((there, back)) => {
                let body = ControlBody::Register { conference, incarnation, back: back.clone() };
                let there = there.clone();
                // What cannot be sent is counted; the next one is sent all the same.
                let _ = self.send_along(now, &there, &body);
            }
        }
    }
}

/// Returns a route of one branch as the Pathlet that control messages carry.
fn pathlet(route: &Route) -> Result<Vec<u8>, CommandError> {
    let bytes = routing::encode(route).map_err(CommandError::BadRoute)?;
    let length = validate_pathlet(&bytes, CONTROL_ROUTE_LIMITS).map_err(CommandError::BadRoute)?;
    if length == bytes.len() { Ok(bytes) } else { Err(CommandError::BadRoute(RouteFault::BeyondEnd)) }
}
