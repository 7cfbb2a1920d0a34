//! What nodes say: questions for policies, and what hooks and the event log hear.

use super::conductor::{Conductor, record};
use super::error::ConductError;
use super::observer::Observer;
use super::planner::Question;
use super::report::{node_report, report_row};
use super::testbed::Testbed;
use crate::policy::{DeliveryNotice, OverflowNotice};
use crate::record::{EventRow, kind};
use bellini_core::hop::HopFault;
use bellini_core::ids::NodeId;
use bellini_core::io::{Event, HopKind, PolicyReason};
use bellini_core::time::Instant;

impl Conductor<'_> {
    /// Takes in what node `node` (by index) said at true time `said_at`. To be called in the order in which each
    /// node spoke.
    ///
    /// # Errors
    /// When the observer fails.
    pub fn handle_event(
        &mut self,
        bed: &mut dyn Testbed,
        node: u32,
        said_at: Instant,
        event: Event,
        observer: &mut dyn Observer,
    ) -> Result<(), ConductError> {
        let id = self.roster.scenario.nodes[node as usize].id;
        let at = said_at.saturating_since(self.roster.zero);
        match event {
            Event::PolicyWanted { key, destinations, reason } => {
                let time = self.roster.scenario.planner.time;
                self.planner.ask(bed.now() + time, Question { key, destinations, reason });
                // A session that starts has no routes yet: an answer that takes no time is given at once.
                while reason == PolicyReason::Start
                    && time.is_zero()
                    && self.planner.next_event().is_some_and(|due| due <= bed.now())
                {
                    self.answer(bed, observer)?;
                }
                Ok(())
            }
            Event::Installed { key, version } => {
                let text = format!("Routes of session {key} installed (version {version}).");
                let mut row = EventRow::new(self.t_s(bed), kind::POLICY, text);
                row.node = Some(id.get());
                row.conference = Some(key.conference.0);
                row.session = Some(key.session.0);
                if let Some((decision, is_other)) = self.planner.installed(key, version) {
                    row.data.insert("reason".into(), decision.reason.word().into());
                    // Most of the periodic answers are the same again.
                    if is_other {
                        let sum: f64 = decision.flows.iter().map(|(_, share)| share).sum();
                        let flows = decision.flows.iter().map(|(route, share)| {
                            let share = (share / sum * 1e6).round() / 1e6;
                            serde_json::json!({ "route": format!("{id}>{route}"), "share": share })
                        });
                        row.data.insert("flows".into(), flows.collect());
                    }
                }
                record(observer, row)
            }
            Event::Overflow { key, flow, at: where_, dropped_packets, dropped_bytes } => {
                let notice = OverflowNotice {
                    at,
                    node: where_,
                    session: key,
                    dropped_packets,
                    dropped_bytes,
                    heard_at: id,
                };
                self.hooks.iter_mut().for_each(|hook| hook.overflow(&notice));
                let place = if where_ == id { "here".to_owned() } else { format!("at node {where_}") };
                let text = format!(
                    "Node {id} hears: {dropped_packets} packets of session {key} (flow {flow}) overflowed {place}."
                );
                let mut row = EventRow::new(self.t_s(bed), kind::OVERFLOW, text);
                row.node = Some(id.get());
                row.conference = Some(key.conference.0);
                row.session = Some(key.session.0);
                row.data.insert("at".into(), where_.get().into());
                row.data.insert("dropped_packets".into(), dropped_packets.into());
                row.data.insert("dropped_bytes".into(), dropped_bytes.into());
                record(observer, row)
            }
            Event::Joined { key, node } => {
                self.hooks.iter_mut().for_each(|hook| hook.joined(at, key, node));
                Ok(())
            }
            Event::Left { key, node } => {
                self.hooks.iter_mut().for_each(|hook| hook.left(at, key, node));
                Ok(())
            }
            Event::ConferenceEnded { conference, dropped_packets } => {
                let text = format!(
                    "Conference {conference} ended at node {id}: {dropped_packets} queued packets dropped."
                );
                let mut row = EventRow::new(self.t_s(bed), kind::CONFERENCE_ENDED, text);
                row.node = Some(id.get());
                row.conference = Some(conference.0);
                record(observer, row)
            }
            Event::HopOpened { peer, kind: hop, rtt } => {
                let rtt = rtt.map_or(String::new(), |rtt| format!(", RTT {:.3} ms", rtt.as_millis_f64()));
                let text = format!("Node {id} opened its {} hop to node {peer}{rtt}.", hop_word(hop));
                let mut row = EventRow::new(self.t_s(bed), kind::HOP_OPENED, text);
                row.node = Some(id.get());
                record(observer, row)
            }
            Event::HopClosed { peer, kind: hop } => {
                let text =
                    format!("Node {id} lost its {} hop to node {peer}: it started anew.", hop_word(hop));
                let mut row = EventRow::new(self.t_s(bed), kind::HOP_CLOSED, text);
                row.node = Some(id.get());
                record(observer, row)
            }
            Event::HopDown { peer, fault } => {
                self.measured.hear(id, peer, true);
                let why = match fault {
                    HopFault::Silent => "nothing comes from it",
                    HopFault::Unanswered => "its probes go unanswered",
                    HopFault::Unheard => "it does not hear this node as it should",
                };
                let text = match fault {
                    // Nobody but policies acts on that.
                    HopFault::Unanswered => format!("Node {id} takes node {peer} for dead: {why}."),
                    _ => format!("Node {id} does not send to node {peer} any more: {why}."),
                };
                self.record_hop(bed, observer, kind::HOP_DOWN, id, peer, text)
            }
            Event::HopUp { peer } => {
                self.measured.hear(id, peer, false);
                let text = format!("Node {id} may send to node {peer} again.");
                self.record_hop(bed, observer, kind::HOP_UP, id, peer, text)
            }
            Event::Rerouted { key, flows, is_backup } => {
                let flows: Vec<String> =
                    flows.iter().map(|(route, share)| format!("{:.1} % by {route}", share * 100.0)).collect();
                let which = if is_backup { "backups among them" } else { "no backup" };
                let text = format!("Session {key} goes {} ({which}).", flows.join(", "));
                self.record_session(bed, observer, kind::REROUTED, key, id, text)
            }
            Event::Report(report) => {
                let report = node_report(id, at, &report);
                self.hooks.iter_mut().for_each(|hook| hook.report(&report));
                let row = report_row(self.t_s(bed), &report);
                record(observer, row)
            }
            Event::Delivered { key, symbol, timestamp, payload } => {
                let Some(session) = self.roster.find(key) else { return Ok(()) };
                // On the source's clock, which is true enough for as long as a packet is on its way.
                let now = bed.local(self.roster.sessions[session].source, said_at);
                let notice = DeliveryNotice {
                    at,
                    session: key,
                    node: id,
                    symbol,
                    bytes: payload.len() as u32,
                    delay: now.saturating_since(timestamp),
                };
                self.hooks.iter_mut().for_each(|hook| hook.delivery(&notice));
                Ok(())
            }
            Event::Listed { revision, change } => self.take_listed(bed, (revision, *change), observer),
            Event::SessionFinished { .. } => Ok(()),
            Event::SessionCompleted { key } => {
                let text = format!("Every destination of session {key} has everything.");
                self.record_session(bed, observer, kind::SESSION_COMPLETED, key, id, text)
            }
        }
    }
}

impl Conductor<'_> {
    fn record_hop(
        &self,
        bed: &dyn Testbed,
        observer: &mut dyn Observer,
        kind: &str,
        node: NodeId,
        peer: NodeId,
        text: String,
    ) -> Result<(), ConductError> {
        let mut row = EventRow::new(self.t_s(bed), kind, text);
        row.node = Some(node.get());
        row.data.insert("peer".into(), peer.get().into());
        record(observer, row)
    }
}

fn hop_word(kind: HopKind) -> &'static str {
    match kind {
        HopKind::Datagram => "datagram",
        HopKind::Stream => "stream",
        HopKind::Control => "control",
        HopKind::Paced => "paced",
    }
}
