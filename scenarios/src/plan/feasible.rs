//! Demands of sessions whose policies refuse what cannot be met, asked before anything starts.

use super::demands::{demands, unpriced};
use super::network::Network;
use super::{Finding, decide};
use crate::model::{Scenario, View};
use crate::registry::Registry;
use bellini_core::ids::SessionKey;

/// Policies that promise what a session wants, or refuse it: to carry its rate within its bound, or to know every price.
const REFUSE: [&str; 3] = ["airlift", "jetway", "steiner-price"];

/// What stands against a scenario's demands before anything runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Infeasible {
    /// Sessions whose own policy refuses them, with what binds: they would carry nothing.
    pub refused: Vec<Finding>,
    /// What no routes can give sessions of other policies, which run all the same.
    pub short: Vec<Finding>,
    /// Whether what is refused may be possible later: faults change the network, or policies will see measured figures.
    pub may_change: bool,
}

/// Asks what stands against a scenario's demands, by its own figures, with everything up and everybody who is there when a
/// session starts. Of its policies only built-in ones that refuse are asked: neither programs nor a user's own.
#[must_use]
pub fn infeasible(scenario: &Scenario) -> Infeasible {
    let network = Network::new(scenario);
    let short = demands(&network);
    let mut refused = refusals(&network, &short);
    let of = |finding: &Finding| (finding.conference, finding.session);
    refused.sort_by_key(of);
    Infeasible {
        short: short.into_iter().filter(|it| !refused.iter().any(|other| of(other) == of(it))).collect(),
        refused,
        may_change: !scenario.faults.is_empty() || scenario.view == View::Measured,
    }
}

fn refusals(network: &Network<'_>, short: &[Finding]) -> Vec<Finding> {
    let scenario = network.scenario;
    let all =
        || scenario.conferences.iter().flat_map(|it| it.sessions.iter().map(move |session| (it, session)));
    let mut asked: Vec<_> = all()
        .filter(|(_, session)| REFUSE.contains(&&*session.routing.policy) && !session.destinations.is_empty())
        .collect();
    if asked.is_empty() {
        return Vec::new();
    }
    // As in a run: in order of their starts, by objects that remember what they said before.
    asked.sort_by_key(|(conference, session)| (session.start, conference.id, session.id));
    let registry = Registry::builtin();
    let mut policies = registry.run();
    let view = crate::conduct::planning_view(scenario);
    let mut findings = Vec::new();
    for (conference, session) in asked {
        let key = SessionKey::new(conference.id.0, session.id.0);
        let mut view = view.clone();
        view.sessions.retain(|it| it.start <= session.start && session.start < it.stop || it.key == key);
        let Err(problem) = decide::ask_own(&mut policies, key, session, &view, network) else { continue };
        let policy = &session.routing.policy;
        let mut text = format!("`{policy}` refuses: {problem}");
        let own = |it: &&Finding| (it.conference, it.session) == (Some(conference.id.0), Some(session.id.0));
        let kind = short.iter().find(own).map_or("routes", |it| it.kind);
        // Airlift names what binds, but for light; the others know less of the network.
        let says_more = |it: &&Finding| policy != "airlift" || it.text.contains("light");
        short.iter().filter(own).filter(says_more).for_each(|it| text += &format!("; {}", it.text));
        if matches!(&**policy, "jetway" | "steiner-price")
            && let Some(links) = unpriced(network)
        {
            text += &format!("; no price is known of {links}");
        }
        findings.push(Finding {
            kind,
            conference: Some(conference.id.0),
            session: Some(session.id.0),
            destination: None,
            text,
        });
    }
    findings
}
