//! Cross traffic: connections that always have something to send.

use super::connection::Purpose;
use super::{Connections, Options};
use crate::network::Network;
use crate::tcp::{Controller, Recovery};
use bellini_core::time::Instant;
use bellini_scenarios::conduct::CrossFlowFigures;
use bellini_scenarios::model::{Scenario, TcpController, TcpRecovery};

/// Bytes that are written ahead of what was sent.
const AHEAD: u64 = 128 * 1_024;

impl Connections {
    /// Adds the connections of the scenario's cross traffic; scenario time zero is the instant `zero`.
    pub fn add_cross(&mut self, scenario: &Scenario, network: &mut Network, zero: Instant) {
        for flow in scenario.cross_flows() {
            let link = &scenario.links[flow.link];
            let back = scenario.links.iter().position(|other| (other.from, other.to) == (link.to, link.from));
            let Some(back) = back else { continue };
            let options = Options {
                controller: match flow.controller {
                    TcpController::Cubic => Controller::Cubic,
                    TcpController::Reno => Controller::Reno,
                },
                delayed_acks: flow.delayed_acks,
                recovery: match flow.recovery {
                    TcpRecovery::Rack => Recovery::Rack,
                    TcpRecovery::DupAck => Recovery::DupAck,
                },
                ..Options::default()
            };
            let options = options.for_mtu(link.mtu.min(scenario.links[back].mtu));
            let state = &network.links[flow.link];
            let ends = [(state.from, flow.link as u32), (state.to, back as u32)];
            let purpose = Purpose::Cross { stop: zero + flow.stop };
            let place = self.add(network, options, purpose, ends, zero + flow.start);
            self.cross.push(place);
        }
    }

    /// Returns what each connection of the cross traffic did so far, in order of the scenario's.
    #[must_use]
    pub fn cross_figures(&self) -> Vec<CrossFlowFigures> {
        let figures = self.cross.iter().map(|place| self.list[*place as usize].figures());
        figures.collect()
    }

    /// Has the sending end of cross traffic write more.
    pub(super) fn feed_cross(&mut self, now: Instant, place: u32, index: usize) {
        let connection = &mut self.list[place as usize];
        if index == 1 || connection.purpose == Purpose::Hop {
            return;
        }
        if let Some(tcp) = &mut connection.ends[0].tcp
            && tcp.sender().unsent() < AHEAD / 2
        {
            tcp.write(now, AHEAD);
        }
    }
}

impl super::connection::Connection {
    fn figures(&self) -> CrossFlowFigures {
        self.last.unwrap_or_else(|| {
            let [from, to] = [0, 1].map(|end| self.ends[end].tcp.as_ref());
            CrossFlowFigures {
                delivered_bytes: to.map_or(0, |tcp| tcp.receiver().next()),
                retransmitted_segments: Some(from.map_or(0, |tcp| tcp.sender().stats().resent)),
            }
        })
    }

    /// Keeps the figures of cross traffic that is about to end.
    pub(super) fn keep_figures(&mut self) {
        if self.purpose != Purpose::Hop && self.last.is_none() {
            self.last = Some(self.figures());
        }
    }
}
