//! All policies by name: the built-in ones, and those that a user's own binary adds.

use crate::model;
use crate::policies::{
    Adaptive, Airlift, Direct, Equal, Exec, Jetway, KShortest, MulticastTree, NearestIngress, P2pMesh,
    RateProportional, Ron, ShortestDelay, Star, Static, StaticShares, SteinerPrice,
};
use crate::policy::{ConferenceHook, FlowAssignment, PolicyError, Request, RouteChoice, Routing};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

type Factory<T> = Arc<dyn Fn() -> Box<T> + Send + Sync>;

const STATIC: &str = "static";
/// The policy that is another program.
pub(crate) const EXEC: &str = "exec";

/// Makes a policy object of its own for each session that asks by name.
///
/// ```
/// use bellini_scenarios::policies::Direct;
/// use bellini_scenarios::registry::Registry;
///
/// let registry = Registry::builtin().routing("mine", || Box::new(Direct));
/// assert!(registry.check().is_ok());
/// assert!(registry.routing_names().contains(&"mine"));
/// ```
#[derive(Clone)]
pub struct Registry {
    routing: BTreeMap<String, Factory<dyn Routing>>,
    assignment: BTreeMap<String, Factory<dyn FlowAssignment>>,
    /// Names of routing policies of which one object answers for all sessions of a run.
    of_run: BTreeSet<String>,
    conference: Vec<Factory<dyn ConferenceHook>>,
    /// The first mistake made while building, which every look-up then reports.
    mistake: Option<RegistryError>,
}

/// What is wrong with a registry or a look-up.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two policies cannot have the same name, and built-in ones cannot be replaced: scenarios would change
    /// their meaning.
    #[error("the {kind} policy `{name}` exists already; choose another name")]
    Taken {
        /// `routing` or `assignment`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A name that scenarios could not tell apart from a typing error.
    #[error("`{name}` is no name for a {kind} policy: use letters, digits, `-` and `_`")]
    BadName {
        /// `routing` or `assignment`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// No policy has this name.
    #[error("no {kind} policy is called `{name}`; there are: {known}")]
    Unknown {
        /// `routing` or `assignment`.
        kind: &'static str,
        /// The name.
        name: String,
        /// All names, sorted, with commas.
        known: String,
    },
}

impl Registry {
    /// Returns the registry of the built-in policies.
    #[must_use]
    pub fn builtin() -> Self {
        let empty = Self {
            routing: BTreeMap::new(),
            assignment: BTreeMap::new(),
            of_run: BTreeSet::new(),
            conference: Vec::new(),
            mistake: None,
        };
        // Their objects plan for all sessions, and share the plan.
        let airlift = Airlift::default();
        let mesh = P2pMesh::default();
        empty
            // Flows come with the scenario: see `routing_for`.
            .routing(STATIC, || Box::new(Static::new(Vec::new())))
            .routing(EXEC, || Box::new(Exec::default()))
            .routing("direct", || Box::new(Direct))
            .routing("shortest-delay", || Box::new(ShortestDelay))
            .routing("k-shortest", || Box::new(KShortest))
            .routing("multicast-tree", || Box::new(MulticastTree))
            .routing("nearest-ingress", || Box::new(NearestIngress))
            .routing("p2p-mesh", move || Box::new(mesh.clone()))
            .routing("ron", || Box::new(Ron::default()))
            .routing("star", || Box::new(Star))
            .routing("steiner-price", || Box::new(SteinerPrice))
            .routing("airlift", move || Box::new(airlift.clone()))
            .routing_of_run("jetway", || Box::new(Jetway::default()))
            .assignment(STATIC, || Box::new(StaticShares))
            .assignment(EXEC, || Box::new(Exec::default()))
            .assignment("adaptive", || Box::new(Adaptive::default()))
            .assignment("equal", || Box::new(Equal))
            .assignment("rate-proportional", || Box::new(RateProportional))
    }

    /// Adds a routing policy; `factory` is called once for each session that uses it.
    ///
    /// A name that is taken or unfit adds nothing: [`Registry::check`] and every look-up report it.
    #[must_use]
    pub fn routing(
        mut self,
        name: &str,
        factory: impl Fn() -> Box<dyn Routing> + Send + Sync + 'static,
    ) -> Self {
        let added = add(&mut self.routing, "routing", name, Arc::new(factory));
        self.mistake = self.mistake.or(added.err());
        self
    }

    /// Adds a routing policy that plans for all sessions together; `factory` is called once for each run, and the object
    /// answers for every session that uses it. See [`Registry::routing`].
    #[must_use]
    pub fn routing_of_run(
        mut self,
        name: &str,
        factory: impl Fn() -> Box<dyn Routing> + Send + Sync + 'static,
    ) -> Self {
        // A name that is taken keeps what it means.
        if !self.routing.contains_key(name) {
            self.of_run.insert(name.to_owned());
        }
        self.routing(name, factory)
    }

    /// Adds a flow assignment; `factory` is called once for each session that uses it. See [`Registry::routing`].
    #[must_use]
    pub fn assignment(
        mut self,
        name: &str,
        factory: impl Fn() -> Box<dyn FlowAssignment> + Send + Sync + 'static,
    ) -> Self {
        let added = add(&mut self.assignment, "assignment", name, Arc::new(factory));
        self.mistake = self.mistake.or(added.err());
        self
    }

    /// Adds a conference hook; `hook` is called once for each run, and the object hears of all conferences.
    #[must_use]
    pub fn conference(mut self, hook: impl Fn() -> Box<dyn ConferenceHook> + Send + Sync + 'static) -> Self {
        self.conference.push(Arc::new(hook));
        self
    }

    /// Says whether everything that was added could be.
    ///
    /// # Errors
    /// The first mistake made while building.
    pub fn check(&self) -> Result<(), RegistryError> {
        self.mistake.clone().map_or(Ok(()), Err)
    }

    /// Returns a new policy object for a session that is routed so; `static` gets the session's flows.
    ///
    /// # Errors
    /// When no policy has that name, or the registry was built with a mistake.
    pub fn routing_for(&self, spec: &model::Routing) -> Result<Box<dyn Routing>, RegistryError> {
        self.check()?;
        if spec.policy == STATIC {
            return Ok(Box::new(Static::new(spec.flows.clone())));
        }
        find(&self.routing, "routing", &spec.policy)
    }

    /// Returns the policy objects of a run, to be asked for each of its sessions.
    #[must_use]
    pub fn run(&self) -> RunPolicies<'_> {
        RunPolicies { registry: self, shared: BTreeMap::new() }
    }

    /// Returns a new policy object for a session whose flows are assigned so.
    ///
    /// # Errors
    /// As [`Registry::routing_for`].
    pub fn assignment_for(&self, spec: &model::Assignment) -> Result<Box<dyn FlowAssignment>, RegistryError> {
        self.check()?;
        find(&self.assignment, "assignment", &spec.policy)
    }

    /// Returns new objects of all conference hooks, in the order in which they were added.
    #[must_use]
    pub fn conference_hooks(&self) -> Vec<Box<dyn ConferenceHook>> {
        self.conference.iter().map(|factory| factory()).collect()
    }

    /// Returns the names of all routing policies, sorted.
    #[must_use]
    pub fn routing_names(&self) -> Vec<&str> {
        self.routing.keys().map(String::as_str).collect()
    }

    /// Returns the names of all flow assignments, sorted.
    #[must_use]
    pub fn assignment_names(&self) -> Vec<&str> {
        self.assignment.keys().map(String::as_str).collect()
    }
}

/// Hands out the routing policies of one run: see [`Registry::routing_of_run`].
pub struct RunPolicies<'r> {
    registry: &'r Registry,
    shared: BTreeMap<String, Shared>,
}

impl RunPolicies<'_> {
    /// As [`Registry::routing_for`], but that sessions share the policies that plan for all of them.
    ///
    /// # Errors
    /// As [`Registry::routing_for`].
    pub fn routing_for(&mut self, spec: &model::Routing) -> Result<Box<dyn Routing>, RegistryError> {
        if !self.registry.of_run.contains(&spec.policy) {
            return self.registry.routing_for(spec);
        }
        if let Some(shared) = self.shared.get(&spec.policy) {
            return Ok(Box::new(shared.clone()));
        }
        let shared = Shared(Arc::new(Mutex::new(self.registry.routing_for(spec)?)));
        self.shared.insert(spec.policy.clone(), shared.clone());
        Ok(Box::new(shared))
    }
}

/// A policy that answers for several sessions, each of which holds it.
#[derive(Clone)]
struct Shared(Arc<Mutex<Box<dyn Routing>>>);

impl Routing for Shared {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).routes(request)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::builtin()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("routing", &self.routing_names())
            .field("assignment", &self.assignment_names())
            .field("conference", &self.conference.len())
            .field("mistake", &self.mistake)
            .finish()
    }
}

fn add<T: ?Sized>(
    policies: &mut BTreeMap<String, Factory<T>>,
    kind: &'static str,
    name: &str,
    factory: Factory<T>,
) -> Result<(), RegistryError> {
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || !name.bytes().all(fit) {
        return Err(RegistryError::BadName { kind, name: name.to_owned() });
    }
    if policies.contains_key(name) {
        return Err(RegistryError::Taken { kind, name: name.to_owned() });
    }
    policies.insert(name.to_owned(), factory);
    Ok(())
}

fn find<T: ?Sized>(
    policies: &BTreeMap<String, Factory<T>>,
    kind: &'static str,
    name: &str,
) -> Result<Box<T>, RegistryError> {
    policies.get(name).map(|factory| factory()).ok_or_else(|| RegistryError::Unknown {
        kind,
        name: name.to_owned(),
        known: policies.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::{node, view};
    use crate::model::StaticFlow;
    use crate::policy::{PolicyError, Reason, Request, RouteChoice};
    use bellini_core::ids::SessionKey;
    use bellini_core::route::Route;

    /// Answers with as many copies of a route as it was asked before: its state shows.
    struct Counting(usize);

    impl Routing for Counting {
        fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
            self.0 += 1;
            Ok(vec![Route::path(request.destinations).into(); self.0])
        }
    }

    fn spec(policy: &str) -> model::Routing {
        model::Routing { policy: policy.to_owned(), flows: Vec::new(), parameters: BTreeMap::new() }
    }

    fn flows(policy: &mut dyn Routing) -> usize {
        let request = Request {
            session: SessionKey::new(1, 1),
            source: node(1),
            destinations: &[node(2)],
            rate: None,
            reason: Reason::Start,
            view: &view(&[(1, 2, 10)]),
            parameters: &BTreeMap::new(),
        };
        policy.routes(&request).unwrap().len()
    }

    #[test]
    fn every_builtin_name_makes_a_policy() {
        let registry = Registry::builtin();
        assert_eq!(registry.check(), Ok(()));
        let routing =
            ["airlift", "direct", "exec", "k-shortest", "multicast-tree", "shortest-delay", "static"];
        assert!(routing.iter().all(|name| registry.routing_names().contains(name)));
        let names = registry.routing_names();
        for name in &names {
            assert!(registry.routing_for(&spec(name)).is_ok(), "{name}");
        }
        let error = registry.routing_for(&spec("shortest")).err().unwrap().to_string();
        let known = names.join(", ");
        assert_eq!(error, format!("no routing policy is called `shortest`; there are: {known}"));
    }

    #[test]
    fn each_session_gets_its_own_object() {
        let registry = Registry::builtin().routing("counting", || Box::new(Counting(0)));
        let mut first = registry.routing_for(&spec("counting")).unwrap();
        assert_eq!((flows(&mut *first), flows(&mut *first)), (1, 2));
        let mut second = registry.routing_for(&spec("counting")).unwrap();
        assert_eq!(flows(&mut *second), 1);
    }

    #[test]
    fn static_gets_the_flows_of_its_session() {
        let flow = StaticFlow { route: Route::path(&[node(2)]), share: Some(0.5), rate: None };
        let spec = model::Routing { flows: vec![flow.clone(), flow], ..spec("static") };
        assert_eq!(flows(&mut *Registry::builtin().routing_for(&spec).unwrap()), 2);
    }

    #[test]
    fn builtin_names_cannot_be_replaced() {
        let registry = Registry::builtin().routing("direct", || Box::new(Counting(0)));
        let taken = RegistryError::Taken { kind: "routing", name: "direct".to_owned() };
        assert_eq!(registry.check(), Err(taken.clone()));
        assert_eq!(registry.routing_for(&spec("direct")).err(), Some(taken));
        let equal = Registry::builtin().assignment("equal", || Box::new(Equal));
        assert!(matches!(equal.check(), Err(RegistryError::Taken { kind: "assignment", .. })));
        let unfit = Registry::builtin().routing("my policy", || Box::new(Counting(0)));
        assert!(matches!(unfit.check(), Err(RegistryError::BadName { .. })));
    }

    #[test]
    fn hooks_are_made_anew_for_each_run() {
        struct Silent;
        impl ConferenceHook for Silent {}
        let registry = Registry::builtin().conference(|| Box::new(Silent));
        assert_eq!(registry.conference_hooks().len(), 1);
        assert!(Registry::builtin().conference_hooks().is_empty());
    }
}
