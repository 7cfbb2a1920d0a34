//! One node, and what stands beside nodes: `node`, `keys`, `listing`, `calibrate`.

use crate::cli::keys::node_range;
use crate::cli::listing::lease;
use crate::cli::node::{console, node_id, peer};
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use bellini_live::console::{Addresses, ConsolePlace};
use bellini_scenarios::units::{Quantity, parse_signed};
use clap::{Args as ClapArgs, Subcommand};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Options of `node`. What is typed changes what the settings file says.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct NodeOptions {
    /// A JSON file with everything that the other flags say, and the core's configuration.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) settings: Option<PathBuf>,
    /// Which node this is.
    #[arg(long, value_name = "N", value_parser = node_id)]
    pub(in crate::cli) id: Option<NodeId>,
    /// The address that its sockets are bound to [default: 127.0.0.1].
    #[arg(long, value_name = "ADDR")]
    pub(in crate::cli) bind: Option<IpAddr>,
    /// UDP port of datagram hops and TCP port of stream hops [default: any].
    #[arg(long, value_name = "PORT")]
    pub(in crate::cli) port: Option<u16>,
    /// UDP port of control hops [default: any].
    #[arg(long, value_name = "PORT")]
    pub(in crate::cli) control_port: Option<u16>,
    /// The address that it says it is at, where that is not the bound one (address translation).
    #[arg(long, value_name = "ADDR")]
    pub(in crate::cli) advertise: Option<IpAddr>,
    /// Where another node is; may be given several times. Without a control port it is the next one.
    #[arg(long, value_name = "ID=ADDR:PORT[/CONTROLPORT]", value_parser = peer)]
    pub(in crate::cli) peer: Vec<(NodeId, Addresses)>,
    /// Root seed of all random streams [default: 1].
    #[arg(long, value_name = "N")]
    pub(in crate::cli) seed: Option<u64>,
    /// Which start of this node it is; higher at each start [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) incarnation: Option<u32>,
    /// Where orders come from: `stdio`, or the path of a Unix socket.
    #[arg(long, value_name = "stdio|PATH", value_parser = console)]
    pub(in crate::cli) console: Option<ConsolePlace>,
    /// Record all inputs of the core to this file.
    #[arg(long, value_name = "LOG")]
    pub(in crate::cli) record: Option<PathBuf>,
    /// Plant an error: the clock is ahead by so much, such as `40 ms` or `-40 ms`.
    #[arg(long, value_name = "SPAN", value_parser = span, allow_hyphen_values = true)]
    pub(in crate::cli) clock_offset: Option<i64>,
    /// Plant an error: the clock gains so much, such as `50 ppm` or `-50 ppm`.
    #[arg(long, value_name = "DRIFT", value_parser = drift, allow_hyphen_values = true)]
    pub(in crate::cli) clock_drift: Option<i64>,
    /// Congestion control of the kernel's TCP for stream hops, such as `cubic` [default: the system's].
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) tcp_congestion: Option<String>,
    /// Seal hops with the keys of this directory, made by `bellini keys issue`.
    #[arg(long, value_name = "DIR", conflicts_with = "plaintext")]
    pub(in crate::cli) keys: Option<PathBuf>,
    /// Leave hops outside loopback plain: anyone on the way can read and forge what they carry.
    #[arg(long)]
    pub(in crate::cli) plaintext: bool,
    /// End when whoever started it ends (Linux).
    #[arg(long)]
    pub(in crate::cli) die_with_parent: bool,
}

fn span(text: &str) -> Result<i64, String> {
    parse_signed(Quantity::Time, text).map_err(|error| format!("it {error}; write it as `40 ms`"))
}

fn drift(text: &str) -> Result<i64, String> {
    parse_signed(Quantity::Drift, text).map_err(|error| format!("it {error}; write it as `50 ppm`"))
}

/// Options of `keys`.
#[derive(Clone, Debug, ClapArgs)]
#[command(arg_required_else_help = true)]
pub(in crate::cli) struct KeysOptions {
    #[command(subcommand)]
    pub(in crate::cli) verb: KeysVerb,
}

/// What is to be done with keys.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum KeysVerb {
    /// Make a directory of keys, with a trust.json that trusts nobody yet.
    Init {
        /// The directory.
        dir: PathBuf,
    },
    /// Make keys for nodes and pin them in trust.json. Earlier keys of a node count until they are over.
    Issue {
        /// The directory; it is made unless it is there.
        dir: PathBuf,
        /// Nodes, such as `1`, `1,2,5` or `1-12`; may be given several times.
        #[arg(long, value_name = "N[-M]", value_delimiter = ',', value_parser = node_range, required = true)]
        node: Vec<(NodeId, NodeId)>,
        /// How long the keys count.
        #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=397))]
        days: u64,
    },
    /// Show whose keys count, and until when.
    Show {
        /// The directory.
        dir: PathBuf,
    },
    /// Take back all keys of nodes: whoever reads the new trust.json lets them in no more.
    Revoke {
        /// The directory.
        dir: PathBuf,
        /// Nodes, as in `issue`.
        #[arg(long, value_name = "N[-M]", value_delimiter = ',', value_parser = node_range, required = true)]
        node: Vec<(NodeId, NodeId)>,
    },
}

/// Options of `listing`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ListingOptions {
    /// Where it listens; port 0: any. What it really listens on is printed.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(in crate::cli) listen: SocketAddr,
    /// The file that holds what is listed; made if it is not there.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) store: PathBuf,
    /// How long a member stays without a heartbeat, 1 s to 1 h.
    #[arg(long, value_name = "SPAN", default_value = "15 s", value_parser = lease_of)]
    pub(in crate::cli) lease: Duration,
}

fn lease_of(text: &str) -> Result<Duration, String> {
    lease(parse_signed(Quantity::Time, text).map_err(|error| format!("it {error}; write it as `15 s`"))?)
}

/// Options of `calibrate`.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct CalibrateOptions {
    /// A node and the Unix socket of its console; at least two.
    #[arg(long, value_name = "ID=SOCKET", value_parser = console_of)]
    pub(in crate::cli) node: Vec<(NodeId, PathBuf)>,
    /// Where the topology goes [default: stdout].
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Length of each of the two measuring sessions of a pair.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(in crate::cli) seconds: u64,
    /// Rate in Mbit/s that is offered to find a link's rate; faster links are taken as unlimited.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(in crate::cli) max_rate: u64,
    /// Give both directions of a pair half of their round trip, whatever the clocks say.
    #[arg(long)]
    pub(in crate::cli) symmetric: bool,
}

fn console_of(text: &str) -> Result<(NodeId, PathBuf), String> {
    let (id, path) =
        text.split_once('=').ok_or("it must have the form ID=SOCKET, such as `1=/run/a.sock`")?;
    Ok((node_id(id.trim())?, PathBuf::from(path)))
}
