//! Names of policies, and their parameters.

use super::names::Names;
use crate::model::{Assignment, Routing};
use crate::parse::sink::{Sink, listed, nearest};
use crate::parse::tree::Tree;
use crate::policies::exec;
use crate::policy::{NetworkView, PolicyError, Reason, Request, RouteChoice, ViewLink, ViewNode};
use crate::registry::{EXEC, Registry};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A policy as written: its name and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PolicyText {
    pub(crate) policy: String,
    pub(crate) parameters: BTreeMap<String, Value>,
    /// Whether the program brings it, and Bellini does not.
    is_own: bool,
}

impl PolicyText {
    /// Whether this routing policy gives shares with its routes, or may, so that the assignment is `static` unless
    /// written otherwise.
    pub(crate) fn gives_shares(&self) -> bool {
        self.is_own || matches!(&*self.policy, "airlift" | "jetway" | EXEC)
    }
}

/// The policies that a scenario may name.
pub(crate) struct Policies {
    builtin: Registry,
    own: Vec<String>,
    /// Two nodes and a link, on which parameters are tried.
    probe: NetworkView,
    /// The scenario's nodes and a link, for parameters that may name nodes; `None` where names are wrong already.
    nodes: Option<NetworkView>,
}

impl Policies {
    /// `own`: names that the program has besides the built-in ones.
    pub(crate) fn new(own: &[String], names: &Names) -> Self {
        let two = [1, 2].map(|n| NodeId::new(n).expect("small numbers are node ids"));
        let probe = probe(two.map(|id| (id, format!("n{id}"))).to_vec());
        let nodes: Vec<_> = names.ids().map(|id| (id, names.name(id).to_owned())).collect();
        let nodes = (names.is_complete() && nodes.len() > 1).then(|| self::probe(nodes));
        Self { builtin: Registry::builtin(), own: own.to_vec(), probe, nodes }
    }

    /// Reads a routing policy; unknown names and bad parameters are noted.
    pub(crate) fn routing(&self, tree: &Tree, sink: &mut Sink) -> Option<PolicyText> {
        let known = self.builtin.routing_names();
        let read = self.read(tree, "routing policy", &known, sink)?;
        if read.policy == "static" {
            if tree.text().is_some() {
                sink.error("E0202", tree.span, "routing `static` needs its flows", "")
                    .help("write {\"policy\": \"static\", \"flows\": [{\"route\": \"1>2\"}]}");
                return None;
            }
            return Some(PolicyText { parameters: BTreeMap::new(), ..read });
        }
        if read.policy == EXEC {
            return judge_exec(&read, tree, sink).then_some(read);
        }
        let spec = Routing { policy: read.policy.clone(), flows: Vec::new(), parameters: BTreeMap::new() };
        if let Ok(mut policy) = self.builtin.routing_for(&spec) {
            let answer = self.probe(&read.parameters, |request| policy.routes(request).map(drop));
            self.judge(answer, tree, sink)?;
        }
        Some(read)
    }

    /// Reads a flow assignment; unknown names and bad parameters are noted.
    pub(crate) fn assignment(&self, tree: &Tree, sink: &mut Sink) -> Option<PolicyText> {
        let known = self.builtin.assignment_names();
        let read = self.read(tree, "flow assignment", &known, sink)?;
        if read.policy == EXEC {
            return judge_exec(&read, tree, sink).then_some(read);
        }
        let spec = Assignment { policy: read.policy.clone(), parameters: BTreeMap::new() };
        if let Ok(mut policy) = self.builtin.assignment_for(&spec) {
            let answer = self.probe(&read.parameters, |request| {
                let choices = [RouteChoice::from(Route::path(request.destinations))];
                policy.shares(request, &choices).map(drop)
            });
            self.judge(answer, tree, sink)?;
        }
        Some(read)
    }

    fn read(&self, tree: &Tree, what: &str, builtin: &[&str], sink: &mut Sink) -> Option<PolicyText> {
        let named = tree.get("policy").unwrap_or(tree);
        let policy = if tree.get("exec").is_some() { EXEC } else { named.text()? };
        let known = || builtin.iter().copied().chain(self.own.iter().map(String::as_str));
        if !known().any(|name| name == policy) {
            let error = sink.error("E0305", named.span, format!("there is no {what} \"{policy}\""), "");
            if let Some(meant) = nearest(policy, known()) {
                error.help(format!("did you mean \"{meant}\"?"));
            }
            error.help(format!("known: {}", listed(known())));
            return None;
        }
        let parameters = tree.members().iter().filter(|member| !matches!(&*member.key, "policy" | "flows"));
        let parameters = parameters.map(|member| (member.key.clone(), member.value.to_value())).collect();
        Some(PolicyText { policy: policy.to_owned(), parameters, is_own: !builtin.contains(&policy) })
    }

    fn probe(
        &self,
        parameters: &BTreeMap<String, Value>,
        ask: impl FnOnce(&Request<'_>) -> Result<(), PolicyError>,
    ) -> Result<(), PolicyError> {
        let names_nodes = parameters.values().any(Value::is_array);
        let Some(view) = (if names_nodes { self.nodes.as_ref() } else { Some(&self.probe) }) else {
            return Ok(());
        };
        let [source, target] = [view.nodes[0].id, view.nodes[1].id];
        ask(&Request {
            session: SessionKey::new(1, 1),
            source,
            destinations: &[target],
            rate: BitRate::from_bps(1_000_000),
            reason: Reason::Start,
            view,
            parameters,
        })
    }

    /// Only what a policy says about its parameters counts; the probe's network is not the scenario's.
    fn judge(&self, answer: Result<(), PolicyError>, tree: &Tree, sink: &mut Sink) -> Option<()> {
        let Err(PolicyError::Parameter { name, problem }) = answer else { return Some(()) };
        let span = tree.member(&name).map_or(tree.span, |member| member.key_span);
        sink.error("E0309", span, format!("parameter `{name}`: {problem}"), "");
        None
    }
}

/// Returns a network of these nodes, with a link from the first to the second.
fn probe(nodes: Vec<(NodeId, String)>) -> NetworkView {
    let view_node = |(id, name)| ViewNode { id, name, region: None, egress: None, ingress: None };
    let link = ViewLink {
        from: nodes[0].0,
        to: nodes[1].0,
        delay: Duration::from_millis(1),
        rate: BitRate::from_bps(1_000_000),
        loss: 0.0,
        usd_per_gb: None,
        measured: None,
    };
    NetworkView { nodes: nodes.into_iter().map(view_node).collect(), links: vec![link], sessions: Vec::new() }
}

/// Looks at what is written of a policy program without running it; notes what is wrong.
fn judge_exec(read: &PolicyText, tree: &Tree, sink: &mut Sink) -> bool {
    let (command, limit) = (exec::command(&read.parameters), exec::time_limit(&read.parameters));
    if let Err(PolicyError::Parameter { name, problem }) = limit.map(drop).and(command.clone().map(drop)) {
        let span = tree.member(&name).map_or(tree.span, |member| member.key_span);
        sink.error("E0309", span, format!("parameter `{name}`: {problem}"), "");
        return false;
    }
    let program = command.unwrap_or_default().into_iter().next().unwrap_or_default();
    if !is_there(&program) {
        let span = tree.get("exec").map_or(tree.span, |tree| tree.span);
        let error = sink.error("E0309", span, format!("there is no program `{program}` here"), "");
        error.help("a name is looked for in PATH, a path from the working directory");
        return false;
    }
    true
}

/// Whether a program can be found, by its path or in PATH.
fn is_there(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use crate::parse::{LoadOptions, parse_str};

    /// Returns what a check says of a routing, by code and with the text.
    fn said(routing: &str, nodes: &str) -> (Vec<&'static str>, String) {
        let text = format!(
            r#"{{"bellini": 1, "duration": "1 s", "nodes": [{nodes}],
                "links": [{{"between": ["ana", "ben"], "delay": "1 ms"}}],
                "conferences": [{{"id": 1, "sessions": [{{"id": 1, "source": "ana", "destinations": ["ben"],
                    "content": {{"kind": "constant", "rate": "1 Mbit/s"}}, "routing": {routing}}}]}}]}}"#
        );
        match parse_str("policy.json", &text, &LoadOptions::default()) {
            Ok(_) => (Vec::new(), String::new()),
            Err(found) => (found.diagnostics.iter().map(|found| found.code).collect(), found.to_string()),
        }
    }

    const NODES: &str = r#"{"id": 11, "name": "ana"}, {"id": 12, "name": "ben"}, {"id": 13, "name": "tokyo", "region": "aws:ap-northeast-1"}"#;

    /// Aim: nodes in parameters are those of the scenario; others, and lists without any, are errors before anything starts.
    #[test]
    fn nodes_in_parameters_exist() {
        for right in [
            r#"{"policy": "ron", "relays": ["tokyo", 11]}"#,
            r#"{"policy": "star", "datacenters": ["tokyo"]}"#,
            r#"{"policy": "nearest-ingress", "datacenters": [13]}"#,
        ] {
            assert_eq!(said(right, NODES), (Vec::new(), String::new()), "{right}");
        }
        for (wrong, piece) in [
            (
                r#"{"policy": "ron", "relays": ["nowhere"]}"#,
                "parameter `relays`: there is no node \"nowhere\"; nodes: ana, ben, tokyo",
            ),
            (
                r#"{"policy": "ron", "relays": ["tokio"]}"#,
                "there is no node \"tokio\"; did you mean \"tokyo\"?",
            ),
            (r#"{"policy": "ron", "relays": [1]}"#, "there is no node 1; nodes: "),
            (r#"{"policy": "ron", "relays": []}"#, "parameter `relays`: expected a list of nodes"),
            (r#"{"policy": "star", "datacenters": []}"#, "parameter `datacenters`: expected a list of nodes"),
            (r#"{"policy": "star", "datacenters": ["nowhere"]}"#, "there is no node"),
            (r#"{"policy": "nearest-ingress", "datacenters": []}"#, "expected a list of nodes"),
            (r#"{"policy": "ron", "hysteresis": [1]}"#, "expected a number"),
        ] {
            let (codes, text) = said(wrong, NODES);
            assert_eq!(codes, ["E0309"], "{wrong}: {text}");
            assert!(text.contains(piece), "no {piece} in {text}");
        }
    }

    /// Aim: a node that is wrong itself is not said to be missing as well.
    #[test]
    fn a_wrong_node_is_one_error() {
        let nodes = NODES.replace("13", "0");
        let (codes, text) = said(r#"{"policy": "ron", "relays": ["tokyo"]}"#, &nodes);
        assert_eq!(codes, ["E0308"], "{text}");
    }
}
