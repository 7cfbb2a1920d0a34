//! What node processes say: answers that are waited for, what is noted on the way, and nodes that fall silent.

use super::super::HostsError;
use super::{ANSWER_WITHIN, HostsBed, READY_WITHIN, WARNINGS_MAX};
use crate::console::Answer;
use crate::lab::process::{Heard, NodeProcess, Saying};
use crate::play::Said;
use bellini_core::io::HopKind;
use bellini_core::wire::frame::UDP_IP_BYTES;
use bellini_scenarios::conduct::{LinkFigures, Testbed};
use bellini_scenarios::record::{EventRow, kind};
use std::time::Instant as HostInstant;

impl HostsBed<'_> {
    /// Waits until a node listens; others may say so meanwhile.
    pub(super) fn until_ready(&mut self, node: u32) -> Result<(), HostsError> {
        let deadline = HostInstant::now() + READY_WITHIN;
        while !self.nodes[node as usize].listens {
            let why = match &self.nodes[node as usize].failed {
                Some(why) => why.clone(),
                None => {
                    let left = deadline.saturating_duration_since(HostInstant::now());
                    match self.heard.recv_timeout(left) {
                        Ok(heard) => {
                            self.take_in(heard);
                            continue;
                        }
                        Err(_) => "it does not answer".to_owned(),
                    }
                }
            };
            let host = self.deployment.host_name(&self.places[node as usize]);
            return Err(HostsError::Environment(format!(
                "{} ({host}) did not start: {why}",
                self.name(node)
            )));
        }
        Ok(())
    }

    /// Waits for an answer of one node; events of all nodes are kept meanwhile. `None`: the node is lost.
    pub(super) fn wait(&mut self, node: u32, wanted: impl Fn(&Answer) -> bool) -> Option<Answer> {
        let deadline = HostInstant::now() + ANSWER_WITHIN;
        while self.node_is_up(node) {
            let left = deadline.saturating_duration_since(HostInstant::now());
            let Ok(heard) = self.heard.recv_timeout(left) else {
                self.lose(node, "it does not answer".to_owned());
                break;
            };
            if let Some((who, answer)) = self.take_in(heard)
                && who == node
                && wanted(&answer)
            {
                return Some(answer);
            }
        }
        None
    }

    /// Takes in what was heard: events and warnings are kept, answers are given back.
    pub(super) fn take_in(&mut self, heard: Heard) -> Option<(u32, Answer)> {
        let Heard { node, incarnation, what } = heard;
        let state = &self.nodes[node as usize];
        if state.incarnation != incarnation || state.console.is_none() {
            return None;
        }
        match what {
            Saying::Answer(answer) => match *answer {
                Answer::Event { at, event } => {
                    let at = self.true_time(node, at);
                    self.events.push_back(Said { node, at, event });
                }
                Answer::Refused { problem, .. } => self.warn(node, &problem),
                Answer::Warning(text) => self.warn(node, &text),
                Answer::Ready { .. } => self.nodes[node as usize].listens = true,
                Answer::Bye => {}
                answer => return Some((node, answer)),
            },
            Saying::Garbled(line) => self.warn(node, &format!("said what is no answer: {line}")),
            Saying::Ended if self.is_ending => {}
            Saying::Ended => {
                let words = self.nodes[node as usize].console.as_ref().map(NodeProcess::last_words);
                let words = words.filter(|words| !words.is_empty());
                self.lose(
                    node,
                    words.map_or_else(|| "its process died".to_owned(), |words| words.replace('\n', "; ")),
                );
            }
        }
        None
    }

    /// Gives up a node; what it had counted at the last look stays.
    pub(super) fn lose(&mut self, node: u32, why: String) {
        let now = self.now();
        let state = &mut self.nodes[node as usize];
        let Some(console) = state.console.take() else { return };
        console.kill();
        state.failed = Some(why.clone());
        self.fold(node);
        let t_s = now.as_secs_f64() - self.scenario.settle.as_secs_f64();
        let mut row = EventRow::new(t_s, kind::NODE_FAILED, format!("Lost {}: {why}.", self.name(node)));
        row.node = Some(self.places[node as usize].id.get());
        row.data.insert("fault".to_owned(), format!("lost {}", self.places[node as usize].name).into());
        self.news.push(row);
    }

    /// Adds what the last look saw of a process that is gone to what earlier ones counted.
    pub(super) fn fold(&mut self, node: u32) {
        let state = &mut self.nodes[node as usize];
        let figures = core::mem::take(&mut state.figures);
        state.past.take(&figures);
        for hop in &figures.node.hops {
            add_hop(state.past_hops.entry(hop.peer).or_default(), hop);
            *state.past_missing.entry(hop.peer).or_default() += hop.stats.missing_frames;
        }
    }

    pub(super) fn warn(&mut self, node: u32, text: &str) {
        let line = format!("{}: {text}", self.name(node));
        if self.warnings.len() < WARNINGS_MAX && !self.warnings.contains(&line) {
            self.warnings.push(line);
        }
    }
}

/// Adds what a hop sent to the figures of its link.
pub(super) fn add_hop(link: &mut LinkFigures, hop: &bellini_scenarios::conduct::HopFigures) {
    // What the kernel makes of a stream is not seen.
    let below = if hop.kind == HopKind::Stream { 0 } else { UDP_IP_BYTES as u64 };
    link.sent_packets += hop.stats.sent_frames;
    link.sent_bytes += hop.stats.sent_bytes + below * hop.stats.sent_frames;
    link.kinds |= 1 << hop.kind as u8;
}
