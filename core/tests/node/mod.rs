//! Whole nodes over ideal links: what a session, a hop and a conference do from end to end.

mod application;
mod clocks;
mod coded;
mod coded_reliable;
mod coded_repair;
mod conference;
mod control;
mod failover;
mod harness;
mod hostile;
mod listing;
mod overflow;
mod paced;
mod probing;
mod recoding;
mod reliable;
mod restart;
mod sealed;
mod sessions;
mod stopwatch;
mod streams;
