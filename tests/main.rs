//! Tests of the `bellini` command as users meet it: the real binary, in processes and directories of its own.

mod api;
mod arguments;
mod calibrate;
mod compare;
mod deploy_files;
#[cfg(target_os = "linux")]
mod deployment;
#[cfg(target_os = "linux")]
mod edges;
mod exec_policy;
mod golden;
mod harness;
mod idle;
mod infeasible;
mod interrupt;
mod jetway;
#[cfg(target_os = "linux")]
mod lab;
mod listing;
mod node;
mod own_policy;
mod places;
mod plan;
mod records;
mod refused;
mod replay;
mod report;
mod reproduce;
mod schema;
#[cfg(target_os = "linux")]
mod sealed;
mod seeds;
mod shipped;
mod terminal;
mod with_room;
