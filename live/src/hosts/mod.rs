//! Real hosts: a scenario's nodes as processes on machines that the user's own ssh reaches.
//!
//! - [`Hosts`] says which node runs where: a file of ours, an Ansible inventory, or Terraform's outputs.
//! - [`Deployment`] brings binary and configuration there, starts, collects, stops and removes.
//! - [`LiveRun`] is one run of a scenario on a deployment: the same conductor as in simulator and lab, over the nodes'
//!   consoles.
//!
//! - [`probe`] is what `bellini doctor` runs on each host to see what stands in the way.
//!
//! Nodes are started so that they outlive the connection; their console is a Unix socket, to which `bellini attach`
//! joins the standard streams of an ssh session.

mod bed;
mod deployment;
mod director;
mod error;
mod file;
mod inventory;
mod place;
mod plan;
pub mod probe;
mod remote;
mod terraform;

pub use deployment::{Deployment, Finding, HostState, Level, examine_here};
pub use director::{LiveRun, start_nodes};
pub use error::HostsError;
pub use file::{DIRECTORY, Host, Hosts};
pub use place::PORT;
pub use plan::RunOptions;
