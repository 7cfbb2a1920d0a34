//! The answers of policies, and how they reach the nodes that asked.

use super::conductor::Conductor;
use super::error::ConductError;
use super::observer::Observer;
use super::testbed::Testbed;
use super::view::{oracle_view, view_session};
use crate::graph::Graph;
use crate::model::View;
use crate::policy::{NetworkView, PolicyError};
use crate::record::kind;
use bellini_core::ids::NodeId;
use bellini_core::io::{Command, Install};
use bellini_core::route::Route;
use bellini_core::wire::control::{ControlBody, InstallFlow};
use bellini_core::wire::routing;
use std::sync::Arc;

impl Conductor<'_> {
    /// Returns the network as policies see it now.
    pub(super) fn current_view(&mut self, bed: &dyn Testbed) -> Arc<NetworkView> {
        let scenario = self.roster.scenario;
        if scenario.view == View::Measured {
            return self.measured.now(scenario, bed);
        }
        Arc::clone(self.view.get_or_insert_with(|| Arc::new(oracle_view(scenario, bed))))
    }

    /// Returns the same with the sessions that are announced and not over.
    fn planning_view(&mut self, bed: &dyn Testbed) -> Arc<NetworkView> {
        let base = self.current_view(bed);
        let changes = self.roster.changes;
        if let Some((of, at, view)) = &self.full_view
            && Arc::ptr_eq(of, &base)
            && *at == changes
        {
            return Arc::clone(view);
        }
        let known = self.roster.sessions.iter().filter(|session| session.tally.is_known);
        let sessions = known
            .map(|session| {
                view_session(session.key(), session.spec, session.tally.members.keys().copied().collect())
            })
            .collect();
        let view = Arc::new(NetworkView { sessions, ..NetworkView::clone(&base) });
        self.full_view = Some((base, changes, Arc::clone(&view)));
        view
    }

    /// Answers the first question that is due, if any.
    pub(super) fn answer(
        &mut self,
        bed: &mut dyn Testbed,
        observer: &mut dyn Observer,
    ) -> Result<(), ConductError> {
        let Some(question) = self.planner.poll(bed.now()) else { return Ok(()) };
        let decider = self.roster.scenario.planner.node.map(|node| self.roster.node_index(node));
        if decider.is_some_and(|node| !bed.node_is_up(node)) {
            self.planner.miss(question);
            return Ok(());
        }
        let view = self.planning_view(bed);
        match self.planner.decide(&question, &view) {
            Ok(install) => self.deliver_decision(bed, install),
            // To go on would make the run depend on how fast the machine is.
            Err(PolicyError::Late(problem)) if bed.stands_still() => {
                return Err(ConductError::Late { session: question.key, problem });
            }
            Err(error) => {
                let key = question.key;
                let Some(session) = self.roster.find(key) else { return Ok(()) };
                let source = self.roster.sessions[session].spec.source;
                let text = format!("No routes for session {key}: {error}. It keeps what it has.");
                self.refusals.entry(key).or_insert_with(|| text.clone());
                self.record_session(bed, observer, kind::POLICY, key, source, text)?;
            }
        }
        Ok(())
    }

    /// Hands a decision to the session's source: at once when it was made there, else as a control message.
    fn deliver_decision(&mut self, bed: &mut dyn Testbed, install: Install) {
        let Some(session) = self.roster.find(install.key) else { return };
        let session = &self.roster.sessions[session];
        match self.roster.scenario.planner.node {
            Some(planner) if planner != session.spec.source => {
                let source = session.spec.source;
                let Install { key, planner: incarnation, version, flows } = install;
                let encoded: Result<Vec<_>, _> = flows
                    .iter()
                    .map(|(route, share)| {
                        Ok(InstallFlow { share: *share, routing_info: routing::encode(route)? })
                    })
                    .collect();
                if let Ok::<_, bellini_core::wire::RouteFault>(flows) = encoded {
                    let body = ControlBody::Install { key, planner_incarnation: incarnation, version, flows };
                    self.send_control(bed, planner, source, body);
                }
            }
            // A source that has gone meanwhile, or has a later decision, takes no notice.
            _ => {
                let _ = bed.command(session.source, Command::Install(install));
            }
        }
    }

    /// Sends a control message over the shortest path; where there is none, nothing is sent.
    pub(super) fn send_control(
        &mut self,
        bed: &mut dyn Testbed,
        from: NodeId,
        to: NodeId,
        body: ControlBody,
    ) {
        let view = self.current_view(bed);
        let Some(path) = Graph::new(&view).shortest_path(from, to, None) else { return };
        let route = Route::path(path.nodes.get(1..).unwrap_or_default());
        let _ = bed.command(self.roster.node_index(from), Command::SendControl { route, body });
    }
}
