//! What nodes say and ask: their events, the policies' answers, the control messages of planners.

use super::*;

impl Simulation<'_> {
    pub(super) fn current_view(&mut self) -> NetworkView {
        if self.view.is_none() {
            let world = &self.world;
            let node_up = |id: NodeId| world.nodes[world.index_of(id) as usize].process.is_some();
            let link_up = |i: usize| world.network.links[i].model.is_up();
            self.view = Some(oracle_view(self.scenario, node_up, link_up));
        }
        self.view.clone().unwrap_or_default()
    }

    /// Answers the questions that are due.
    pub(super) fn answer(&mut self, observer: &mut dyn Observer) -> Result<(), SimError> {
        while let Some(question) = self.planner.poll(self.world.now) {
            let view = self.current_view();
            match self.planner.decide(&question, &view) {
                Ok(install) => self.deliver_decision(install),
                Err(error) => {
                    let key = question.key;
                    let (_, c, s) = self.index[&key];
                    let source = self.session(c, s).0.source;
                    let text = format!("No routes for session {key}: {error}. It keeps what it has.");
                    self.refusals.entry(key).or_insert_with(|| text.clone());
                    self.record_session(observer, kind::POLICY, key, source, text)?;
                }
            }
            self.act_on_events(observer)?;
        }
        self.schedule_own();
        Ok(())
    }

    /// Hands a decision to the session's source: at once when it was made there, else as a control message.
    pub(super) fn deliver_decision(&mut self, install: Install) {
        let (_, c, s) = self.index[&install.key];
        let source = self.session(c, s).0.source;
        match self.scenario.planner.node {
            Some(planner) if planner != source => {
                let Install { key, planner: incarnation, version, flows } = install;
                let encoded: Result<Vec<_>, _> = flows
                    .iter()
                    .map(|(route, share)| {
                        Ok(InstallFlow { share: *share, routing_info: routing::encode(route)? })
                    })
                    .collect();
                if let Ok::<_, bellini_core::wire::RouteFault>(flows) = encoded {
                    let body = ControlBody::Install { key, planner_incarnation: incarnation, version, flows };
                    self.send_control(planner, source, body);
                }
            }
            _ => {
                let source = self.world.index_of(source);
                // A source that has gone meanwhile, or has a later decision, takes no notice.
                let _ = self.world.command(source, Command::Install(install));
            }
        }
    }

    /// Sends a control message over the shortest path.
    pub(super) fn send_control(&mut self, from: NodeId, to: NodeId, body: ControlBody) -> bool {
        let view = self.current_view();
        let Some(path) = Graph::new(&view).shortest_path(from, to, None) else { return false };
        let mut branches = Vec::new();
        for (i, node) in path.nodes.iter().enumerate().skip(1).rev() {
            branches = vec![Branch { node: *node, deliver: i + 1 == path.nodes.len(), next: branches }];
        }
        let index = self.world.index_of(from);
        self.world.command(index, Command::SendControl { route: Route { branches }, body }).is_ok()
    }

    pub(super) fn act_on_events(&mut self, observer: &mut dyn Observer) -> Result<(), SimError> {
        while let Some((node, event)) = self.world.events.pop_front() {
            self.act_on(node, event, observer)?;
        }
        Ok(())
    }

    pub(super) fn act_on(
        &mut self,
        node: u32,
        event: Event,
        observer: &mut dyn Observer,
    ) -> Result<(), SimError> {
        let id = self.world.nodes[node as usize].id;
        let at = self.world.now.saturating_since(self.zero);
        match event {
            Event::PolicyWanted { key, destinations, reason } => {
                let due = self.world.now + self.scenario.planner.time;
                self.planner.ask(due, Question { key, destinations, reason });
                self.world.network.schedule(Entity::Planner, self.planner.next_event());
                if reason == PolicyReason::Start && self.scenario.planner.time.is_zero() {
                    return self.answer(observer);
                }
                Ok(())
            }
            Event::Installed { key, version } => {
                let text = format!("Routes of session {key} installed (version {version}).");
                self.record_session(observer, kind::POLICY, key, id, text)
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
                let mut row = EventRow::new(self.t_s(), kind::OVERFLOW, text);
                row.node = Some(id.get());
                row.conference = Some(key.conference.0);
                row.session = Some(key.session.0);
                row.data.insert("at".into(), where_.get().into());
                row.data.insert("dropped_packets".into(), dropped_packets.into());
                row.data.insert("dropped_bytes".into(), dropped_bytes.into());
                self.record(observer, row)
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
                let mut row = EventRow::new(self.t_s(), kind::CONFERENCE_ENDED, text);
                row.node = Some(id.get());
                row.conference = Some(conference.0);
                self.record(observer, row)
            }
            Event::HopOpened { peer, kind: hop, rtt } => {
                let rtt = rtt.map_or(String::new(), |rtt| format!(", RTT {:.3} ms", rtt.as_millis_f64()));
                let text = format!("Node {id} opened its {} hop to node {peer}{rtt}.", hop_word(hop));
                let mut row = EventRow::new(self.t_s(), kind::HOP_OPENED, text);
                row.node = Some(id.get());
                self.record(observer, row)
            }
            Event::HopClosed { peer, kind: hop } => {
                let text =
                    format!("Node {id} lost its {} hop to node {peer}: it started anew.", hop_word(hop));
                let mut row = EventRow::new(self.t_s(), kind::HOP_CLOSED, text);
                row.node = Some(id.get());
                self.record(observer, row)
            }
            Event::Report(report) => {
                let report = crate::report::node_report(id, at, &report);
                self.hooks.iter_mut().for_each(|hook| hook.report(&report));
                let row = crate::report::report_row(self.t_s(), &report);
                self.record(observer, row)
            }
            Event::Delivered { key, symbol, timestamp, payload } => {
                let (_, c, s) = self.index[&key];
                let source = self.world.index_of(self.session(c, s).0.source);
                let offered = self.world.nodes[source as usize].clock.true_time(timestamp);
                let notice = DeliveryNotice {
                    at,
                    session: key,
                    node: id,
                    symbol,
                    bytes: payload.len() as u32,
                    delay: self.world.now.saturating_since(offered),
                };
                self.hooks.iter_mut().for_each(|hook| hook.delivery(&notice));
                Ok(())
            }
            Event::SessionFinished { .. } => Ok(()),
        }
    }
}

fn hop_word(kind: HopKind) -> &'static str {
    match kind {
        HopKind::Datagram => "datagram",
        HopKind::Stream => "stream",
        HopKind::Control => "control",
    }
}
