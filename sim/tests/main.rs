//! Whole runs of the simulator against closed forms: real nodes, real headers, modelled links.
//!
//! `docs/simulator-model.md` lists every claim with its closed form and its figure.

mod common;
mod watch;

mod ablations;
mod adaptive;
mod airlift;
mod clocks;
mod coding;
mod coding_graphs;
mod cross;
mod delay;
mod failover;
mod faults;
mod fidelity;
mod flows;
mod hooks;
mod listing;
mod loss;
mod overflow;
mod probing;
mod queueing;
mod reliable;
mod reliable_swarm;
mod repeat;
mod schedulers;
mod sealed;
mod streams;
mod swarm;
