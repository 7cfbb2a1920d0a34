//! Theorems on random instances, answers by hand, and errors that name what binds.

use super::demand::{Demand, Packet};
use super::plan::{Objective, Planner};
use super::*;
use crate::graph::tests::{node, view};
use crate::graph::{FAR, Link, Multicast, Network, Resource, cheapest_tree};
use crate::lp::{Problem, Relation};
use crate::policy::Reason;
use bellini_core::rng::{Seed, Stream};
use std::collections::{BTreeSet, VecDeque};

const MBIT: f64 = 1e6;
const CASES: usize = 100;
/// Relative difference within which two optima of linear programs are equal.
const EQUAL: f64 = 1e-6;

/// A directed graph with whole capacities, in Mbit/s.
struct Case {
    network: Network,
    capacity: Vec<u64>,
    source: usize,
    destinations: Vec<usize>,
}

/// Draws a graph of 4 to `most` nodes whose first one reaches all the destinations; `all`: every other node is one.
fn draw(stream: &mut Stream, most: u64, all: bool) -> Case {
    // Coding gains where there are few links only.
    let density = if stream.chance(0.5) { 0.5 } else { 0.33 };
    // Every fourth time three relays between the source and three destinations, with links from two to each.
    let is_layered = !all && stream.chance(0.25);
    loop {
        let nodes = if is_layered { 7 } else { 4 + stream.below(most - 3) as usize };
        let layered = |from: usize, to: usize| match (from, to) {
            (0, 1..=3) => true,
            (1..=3, 4..=6) => to - from != 3,
            _ => false,
        };
        let (mut arcs, mut capacity, mut resources) = (Vec::new(), Vec::new(), Vec::new());
        for (from, to) in (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))) {
            let is_there = if is_layered { layered(from, to) } else { from != to && stream.chance(density) };
            if is_there {
                let rate = 1 + stream.below(if is_layered { 2 } else { 6 });
                resources.push(Resource { name: format!("{from} > {to}"), bps: rate as f64 * MBIT });
                let delay = (1 + stream.below(20)) * 1_000_000;
                arcs.push(Link { from, to, delay, uses: vec![resources.len() - 1] });
                capacity.push(rate);
            }
        }
        let mut destinations: Vec<usize> = (1..nodes).collect();
        while !all && destinations.len() > 3 {
            let first = if is_layered { 0 } else { stream.below(destinations.len() as u64) };
            destinations.remove(first as usize);
        }
        let mut out = vec![Vec::new(); nodes];
        arcs.iter().enumerate().for_each(|(at, arc)| out[arc.from].push(at));
        let ids = (1..=nodes as u32).map(node).collect();
        let names = (1..=nodes).map(|n| format!("n{n}")).collect();
        let network = Network { ids, names, arcs, out, resources };
        let reached = network.delays(0, nodes);
        if destinations.iter().all(|to| reached[*to] != FAR) {
            return Case { network, capacity, source: 0, destinations };
        }
    }
}

impl Case {
    fn demand(&self, source: usize, destinations: &[usize], is_coded: bool) -> Demand {
        Demand {
            key: SessionKey::new(1, source as u32 + 1),
            cast: Multicast {
                source,
                destinations: destinations.to_vec(),
                bound: FAR,
                hops: self.network.ids.len() - 1,
            },
            wanted: None,
            is_coded,
            packet: Packet { payload: 1.0, header: 0.0, pathlet: 0.0, repeat: 1.0 },
        }
    }

    fn own(&self, is_coded: bool) -> Demand {
        self.demand(self.source, &self.destinations, is_coded)
    }

    /// Returns the best total in Mbit/s, and checks that it is proved.
    fn best(&self, demands: &[Demand]) -> f64 {
        let Ok(mut planner) = Planner::new(&self.network, demands, true) else { return 0.0 };
        let answer = planner.solve(Objective::Total, &vec![0.0; demands.len()]).expect("a checked answer");
        // Weak duality by arithmetic: no total is above what the resources cost, when nothing sells below its value.
        let paid: f64 =
            answer.prices.iter().zip(&self.network.resources).map(|(price, it)| price * it.bps).sum();
        assert!((paid - answer.objective).abs() <= EQUAL * paid, "{paid} {}", answer.objective);
        assert!((answer.bound - answer.objective).abs() <= EQUAL * paid);
        for (demand, value) in demands.iter().zip(&answer.values) {
            let costs: Vec<f64> =
                self.network.arcs.iter().map(|arc| answer.prices[arc.uses[0]] + 1e-12).collect();
            let tree =
                cheapest_tree(&self.network, &demand.cast, &costs, f64::INFINITY).expect("there is one");
            let arcs: BTreeSet<usize> = tree.into_iter().flatten().collect();
            let cost: f64 = arcs.iter().map(|arc| costs[*arc]).sum();
            assert!(
                *value >= 1.0 - EQUAL && cost >= value * (1.0 - EQUAL),
                "a tree for {cost}, worth {value}"
            );
        }
        answer.objective / MBIT
    }

    /// Returns the maximal flow to `to` (Edmonds and Karp 1972).
    fn max_flow(&self, to: usize) -> u64 {
        let mut room = self.capacity.clone();
        let mut back = vec![0; room.len()];
        let mut flow = 0;
        loop {
            let mut before: Vec<Option<(usize, bool)>> = vec![None; self.network.ids.len()];
            let mut next = VecDeque::from([self.source]);
            while let Some(at) = next.pop_front() {
                for (number, arc) in self.network.arcs.iter().enumerate() {
                    let ways =
                        [(arc.from, arc.to, room[number], true), (arc.to, arc.from, back[number], false)];
                    for (from, to, left, ahead) in ways {
                        if from == at && left > 0 && to != self.source && before[to].is_none() {
                            before[to] = Some((number, ahead));
                            next.push_back(to);
                        }
                    }
                }
            }
            let mut path = Vec::new();
            let mut at = to;
            while at != self.source {
                let Some((number, ahead)) = before[at] else { return flow };
                path.push((number, ahead));
                at = if ahead { self.network.arcs[number].from } else { self.network.arcs[number].to };
            }
            let left = |(number, ahead): &(usize, bool)| if *ahead { room[*number] } else { back[*number] };
            let most = path.iter().map(left).min().unwrap_or(0);
            for (number, ahead) in path {
                let (less, more) = if ahead { (&mut room, &mut back) } else { (&mut back, &mut room) };
                less[number] -= most;
                more[number] += most;
            }
            flow += most;
        }
    }

    /// Returns the best total in Mbit/s by flows on arcs, without paths.
    fn by_arcs(&self, demands: &[Demand]) -> f64 {
        let mut problem = Problem::maximize();
        let mut loads = vec![Vec::new(); self.network.arcs.len()];
        for demand in demands {
            let rate = problem.column("rate", 1.0, 0.0, f64::INFINITY);
            let real: Vec<_> =
                self.network.arcs.iter().map(|_| problem.column("x", 0.0, 0.0, f64::INFINITY)).collect();
            for (at, column) in real.iter().enumerate() {
                loads[at].push((*column, 1.0));
            }
            for to in &demand.cast.destinations {
                let flow: Vec<_> =
                    real.iter().map(|_| problem.column("f", 0.0, 0.0, f64::INFINITY)).collect();
                for (f, x) in flow.iter().zip(&real) {
                    problem.row("share", &[(*f, 1.0), (*x, -1.0)], Relation::AtMost, 0.0);
                }
                for node in (0..self.network.ids.len()).filter(|node| *node != demand.cast.source) {
                    let mut terms = Vec::new();
                    for (arc, f) in self.network.arcs.iter().zip(&flow) {
                        if arc.to == node {
                            terms.push((*f, 1.0));
                        }
                        if arc.from == node {
                            terms.push((*f, -1.0));
                        }
                    }
                    if node == *to {
                        terms.push((rate, -1.0));
                    }
                    problem.row("kept", &terms, Relation::Equal, 0.0);
                }
            }
        }
        for (terms, capacity) in loads.iter().zip(&self.capacity) {
            problem.row("capacity", terms, Relation::AtMost, *capacity as f64);
        }
        problem.solve().expect("a checked answer").objective()
    }
}

fn equal(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() <= EQUAL * a.max(b), "{what}: {a} and {b}");
}

/// Aim: one coded session without delay bound gets the least of its destinations' maximal flows (Ahlswede, Cai, Li and
/// Yeung 2000), and trees never get more.
#[test]
fn coded_rate_is_the_least_maximal_flow() {
    let mut stream = Seed(1).stream("least maximal flow");
    let mut gains = 0;
    for number in 0..CASES {
        let case = draw(&mut stream, 7, false);
        let least = case.destinations.iter().map(|to| case.max_flow(*to)).min().expect("destinations");
        let coded = case.best(&[case.own(true)]);
        equal(coded, least as f64, &format!("case {number}"));
        let packed = case.best(&[case.own(false)]);
        assert!(packed <= coded * (1.0 + EQUAL), "case {number}: trees {packed}, coded {coded}");
        gains += usize::from(packed < coded * (1.0 - EQUAL));
    }
    println!("coding gained in {gains} of {CASES} cases");
    assert!(gains > 0, "trees and coding were never told apart");
}

/// Aim: the butterfly gives 2 with coding and 1.5 with trees, by flows that our source and relays can carry out.
#[test]
fn the_butterfly_by_hand() {
    let links = [(1, 2), (1, 3), (2, 6), (3, 7), (2, 4), (3, 4), (4, 5), (5, 6), (5, 7)];
    let mut view = view(&links.map(|(from, to)| (from, to, 5)));
    view.links.iter_mut().for_each(|link| link.rate = BitRate::from_bps(1_000_000));
    let network = Network::of(&view);
    for (is_coded, best) in [(true, 2.0), (false, 1.5)] {
        let case =
            Case { network: network.clone(), capacity: vec![1; 9], source: 0, destinations: vec![5, 6] };
        let demands = [case.own(is_coded)];
        equal(case.best(&demands), best, "in theory");
        let mut planner = Planner::new(&network, &demands, false).expect("a tree");
        let answer = planner.solve(Objective::Total, &[0.0]).expect("a checked answer");
        equal(answer.objective, best * MBIT, "as flows");
        assert_eq!(planner.flows(0, &answer.uses).len(), if is_coded { 2 } else { 3 });
    }
}

/// Aim: where every other node is a destination, trees do as well as coding (Edmonds 1973).
#[test]
fn broadcast_needs_no_coding() {
    let mut stream = Seed(2).stream("broadcast");
    for number in 0..CASES {
        let case = draw(&mut stream, 6, true);
        let (coded, packed) = (case.best(&[case.own(true)]), case.best(&[case.own(false)]));
        equal(packed, coded, &format!("case {number}"));
    }
}

/// Aim: the program over paths and the one over arcs agree, for one session and for three at once.
#[test]
fn paths_and_arcs_agree() {
    let mut stream = Seed(3).stream("paths and arcs");
    for number in 0..CASES {
        let case = draw(&mut stream, 6, false);
        let nodes = case.network.ids.len();
        let mut demands = vec![case.own(true)];
        let wanted = if number % 2 == 0 { 1 } else { 3 };
        while demands.len() < wanted {
            let source = stream.below(nodes as u64) as usize;
            let reached = case.network.delays(source, nodes);
            let near =
                (0..nodes).filter(|to| *to != source && reached[*to] != FAR).take(2).collect::<Vec<_>>();
            if near.is_empty() {
                break;
            }
            demands.push(case.demand(source, &near, true));
        }
        equal(case.best(&demands), case.by_arcs(&demands), &format!("case {number}"));
    }
}

/// Aim: under delay bounds and few relays, too, trees never beat coding, and neither beats the same without bounds; no
/// path is longer than allowed.
#[test]
fn bounds_cost_rate_and_are_kept() {
    let mut stream = Seed(4).stream("bounds");
    let mut tight = 0;
    for number in 0..CASES {
        let case = draw(&mut stream, 7, false);
        let fastest = case.network.delays(case.source, 3);
        let farthest = case.destinations.iter().map(|to| fastest[*to]).max().expect("destinations");
        if farthest == FAR {
            continue;
        }
        let bound = farthest + stream.below(10) * 1_000_000;
        let within = |is_coded| {
            let own = case.own(is_coded);
            Demand { cast: Multicast { bound, hops: 3, ..own.cast }, ..own }
        };
        let (coded, packed) = (case.best(&[within(true)]), case.best(&[within(false)]));
        let free = case.best(&[case.own(true)]);
        assert!(packed <= coded * (1.0 + EQUAL), "case {number}: trees {packed}, coded {coded}");
        assert!(coded <= free * (1.0 + EQUAL), "case {number}: {coded} within bounds, {free} without");
        tight += usize::from(coded < free * (1.0 - EQUAL));
        for is_coded in [true, false] {
            let demands = [within(is_coded)];
            let mut planner = Planner::new(&case.network, &demands, false).expect("a tree");
            let answer = planner.solve(Objective::Total, &[0.0]).expect("a checked answer");
            assert!(answer.objective <= if is_coded { coded } else { packed } * MBIT * (1.0 + EQUAL));
            for (.., delay) in planner.flows(0, &answer.uses) {
                assert!(delay <= bound);
            }
        }
    }
    assert!(tight > CASES / 10, "bounds bind in {tight} cases only");
}

/// Sessions without coding, each from one node to others, with the wire and payload of 1,000 and 900 bytes.
fn session(number: u32, source: u32, destinations: &[u32], mbps: Option<u64>) -> ViewSession {
    ViewSession {
        key: SessionKey::new(1, number),
        source: node(source),
        destinations: destinations.iter().map(|to| node(*to)).collect(),
        rate: mbps.and_then(|rate| BitRate::from_bps(rate * 1_000_000)),
        start: Duration::ZERO,
        stop: Duration::from_secs(1),
        delay_bound: None,
        coding: None,
        symbol_bytes: 900,
        header_bytes: 94,
        policy: NAME.to_owned(),
        parameters: BTreeMap::new(),
    }
}

/// A ring of three with 10 Mbit/s on every link and 10 ms of delay, and the sessions.
fn ring(sessions: Vec<ViewSession>) -> NetworkView {
    let mut view = view(&[(1, 2, 10), (2, 3, 10), (3, 1, 10), (2, 1, 10), (3, 2, 10), (1, 3, 10)]);
    view.links.iter_mut().for_each(|link| link.rate = BitRate::from_bps(10_000_000));
    view.sessions = sessions;
    view
}

fn with(mut session: ViewSession, parameters: &[(&str, serde_json::Value)]) -> ViewSession {
    session.parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    session
}

fn rates(plan: &Plan) -> Vec<f64> {
    plan.sessions.values().map(|session| session.as_ref().map_or(0.0, |it| it.rate_bps * 1e-6)).collect()
}

/// Aim: capacities are net of headers, Pathlets included: 10 Mbit/s direct carry 9 of payload (1,000 bytes with one
/// Pathlet), and the way round, with two Pathlets on its first link, 900/1006 of 10.
#[test]
fn rates_are_net_of_headers() {
    let found = plan(&ring(vec![session(1, 1, &[2], None)])).unwrap();
    equal(rates(&found)[0], 9.0 + 10.0 * 900.0 / 1006.0, "two ways");
    let near = with(session(1, 1, &[2], None), &[("bound", "15 ms".into()), ("reserve", 0.0.into())]);
    equal(rates(&plan(&ring(vec![near])).unwrap())[0], 9.0, "one way within 15 ms");
}

/// Aim: links of which no rate is known have none, or the one to be assumed.
#[test]
fn unknown_rates_are_assumed() {
    let unknown = |parameters: &[(&str, serde_json::Value)]| {
        let mut view = ring(vec![with(session(1, 1, &[2], None), parameters)]);
        view.links.iter_mut().for_each(|link| link.rate = None);
        plan(&view).unwrap().sessions.into_values().next().unwrap().unwrap()
    };
    assert!(unknown(&[]).is_unlimited);
    let assumed = unknown(&[("assume", "10 Mbit/s".into())]);
    equal(assumed.rate_bps * 1e-6, 9.0 + 10.0 * 900.0 / 1006.0, "two ways");
}

/// Aim: the cap on all that a node sends binds, and is named.
#[test]
fn a_nodes_cap_binds_and_is_named() {
    let mut view = ring(vec![session(1, 1, &[2], None)]);
    view.nodes[0].egress = BitRate::from_bps(5_000_000);
    let found = plan(&view).unwrap();
    equal(rates(&found)[0], 4.5, "the cap, net of headers");
    assert_eq!(found.binding[0].name, "all that n1 sends");
}

/// Aim: what cannot be is refused with the constraint that binds: a rate above capacity, a bound below light, too few
/// relays; other sessions are planned all the same. With `carry` the session gets what there is.
#[test]
fn infeasible_demands_name_what_binds() {
    let bound = [("bound", "5 ms".into()), ("reserve", 0.0.into())];
    let far = with(session(2, 1, &[2], Some(1)), &bound);
    let relays = with(session(3, 1, &[3], Some(1)), &[("max_relays", 0.into())]);
    let mut view = ring(vec![session(1, 2, &[1], Some(40)), far, relays]);
    view.links.retain(|link| (link.from, link.to) != (node(1), node(3)));
    let found = plan(&view).unwrap();
    let why = |number: u32| found.sessions[&SessionKey::new(1, number)].clone().unwrap_err();
    let text = why(1);
    assert!(text.starts_with("40.000 Mbit/s are wanted, 17.946 can be carried: "), "{text}");
    assert!(text.contains("link n2 > n1 is full (10.000 Mbit/s)"), "{text}");
    assert!(text.contains("link n2 > n3 is full (10.000 Mbit/s)"), "{text}");
    assert_eq!(why(2), "the fastest path from n1 to n2 takes 10.0 ms (n1 > n2), 5.0 ms are allowed");
    assert_eq!(why(3), "no path from n1 to n3 has 0 relays or fewer");
    let carried = with(session(1, 2, &[1], Some(40)), &[("overload", "carry".into())]);
    equal(rates(&plan(&ring(vec![carried])).unwrap())[0], 9.0 + 10.0 * 900.0 / 1006.0, "what there is");
}

/// Aim: two sessions share one link, one of them alone crosses another one twice as narrow: the largest total starves the
/// long one, max-min gives both the same, proportional fairness is between (2/3 and 1/3 of a common link by theory).
#[test]
fn objectives_differ_as_theory_says() {
    // A line of three nodes; one session crosses both links, two cross one each.
    let line = |objective: &str| {
        let sessions = [session(1, 1, &[3], None), session(2, 1, &[2], None), session(3, 2, &[3], None)];
        let mut line = view(&[(1, 2, 10), (2, 3, 10)]);
        line.links.iter_mut().for_each(|link| link.rate = BitRate::from_bps(10_000_000));
        line.sessions = sessions.map(|it| with(it, &[("objective", objective.into())])).to_vec();
        rates(&plan(&line).unwrap())
    };
    let all = 9.0;
    let about = |found: Vec<f64>, right: [f64; 3], by: f64| {
        let near = found.iter().zip(right).all(|(found, right)| (found - right * all).abs() <= by * all);
        assert!(near, "{found:?}, {right:?} times {all} expected");
    };
    about(line("total"), [0.0, 1.0, 1.0], 1e-6);
    about(line("max-min"), [0.5, 0.5, 0.5], 0.01);
    about(line("proportional"), [1.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0], 0.01);
}

/// Aim: sessions are planned once for all, anew when the network has changed by more than the hysteresis, and the answer
/// carries shares that add up to 1 and rates.
#[test]
fn one_plan_answers_all_sessions() {
    let mut view = ring(vec![session(1, 1, &[2, 3], Some(4)), session(2, 2, &[1], Some(4))]);
    let mut airlift = Airlift::default();
    let mut other = airlift.clone();
    let ask = |policy: &mut Airlift, view: &NetworkView, at: usize| {
        let session = view.sessions[at].clone();
        let request = Request {
            session: session.key,
            source: session.source,
            destinations: &session.destinations,
            rate: session.rate,
            reason: Reason::Start,
            view,
            parameters: &session.parameters,
        };
        let routes = policy.routes(&request).unwrap();
        let sum: f64 = routes.iter().filter_map(|choice| choice.share).sum();
        equal(sum, 1.0, "shares");
        assert!(routes.iter().all(|choice| choice.rate.is_some()));
        let last = policy.last.lock().unwrap();
        Arc::clone(&last.as_ref().unwrap().plan)
    };
    let first = ask(&mut airlift, &view, 0);
    assert!(Arc::ptr_eq(&first, &ask(&mut other, &view, 1)));
    view.links[0].rate = BitRate::from_bps(9_500_000);
    assert!(Arc::ptr_eq(&first, &ask(&mut airlift, &view, 0)), "5 % is within the hysteresis");
    view.links[0].rate = BitRate::from_bps(8_000_000);
    assert!(!Arc::ptr_eq(&first, &ask(&mut airlift, &view, 0)));
}

/// Aim: the greedy plan, for when no linear program is solved, fits every resource and serves every session.
#[test]
fn the_greedy_plan_fits() {
    let mut stream = Seed(9).stream("greedy");
    for number in 0..CASES {
        let case = draw(&mut stream, 7, false);
        let demands = [case.own(false), case.own(false)];
        let plans = greedy::plan(&case.network, &demands);
        assert_eq!(plans.len(), 2);
        let mut used = vec![0.0; case.network.arcs.len()];
        for (route, rate) in plans.iter().flat_map(|(_, plan)| &plan.flows) {
            route.for_each_edge(node(1), &mut |from, to| {
                let arc = case
                    .network
                    .arcs
                    .iter()
                    .position(|arc| (case.network.ids[arc.from], case.network.ids[arc.to]) == (from, to));
                used[arc.expect("it is a link")] += rate;
            });
        }
        let fits =
            used.iter().zip(&case.capacity).all(|(used, most)| *used <= *most as f64 * MBIT * (1.0 + EQUAL));
        assert!(fits, "case {number}: {used:?} of {:?}", case.capacity);
    }
}
