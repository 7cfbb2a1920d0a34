//! Names of policies, and their parameters.

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
}

impl Policies {
    /// `own`: names that the program has besides the built-in ones.
    pub(crate) fn new(own: &[String]) -> Self {
        let node = |n: u32| NodeId::new(n).expect("small numbers are node ids");
        let view_node =
            |n| ViewNode { id: node(n), name: format!("n{n}"), region: None, egress: None, ingress: None };
        let rate = BitRate::from_bps(1_000_000);
        let link = ViewLink {
            from: node(1),
            to: node(2),
            delay: Duration::from_millis(1),
            rate,
            loss: 0.0,
            usd_per_gb: None,
            measured: None,
        };
        let nodes = vec![view_node(1), view_node(2)];
        let probe = NetworkView { nodes, links: vec![link], sessions: Vec::new() };
        Self { builtin: Registry::builtin(), own: own.to_vec(), probe }
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
            let target = NodeId::new(2).expect("2 is a node id");
            let choices = [RouteChoice::from(Route::path(&[target]))];
            let answer = self.probe(&read.parameters, |request| policy.shares(request, &choices).map(drop));
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
        let [source, target] = [self.probe.nodes[0].id, self.probe.nodes[1].id];
        ask(&Request {
            session: SessionKey::new(1, 1),
            source,
            destinations: &[target],
            rate: BitRate::from_bps(1_000_000),
            reason: Reason::Start,
            view: &self.probe,
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
