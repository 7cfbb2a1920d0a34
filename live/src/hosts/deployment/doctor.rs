//! What stands in the way of a run: each finding with what would help.

use super::super::place::{Spot, spots};
use super::super::probe::{Answer, Order};
use super::{Deployment, Feed, HostsError, Machine, all, together};
use crate::node::{ClockId, read_ns};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

/// UDP payload that fills an Ethernet frame of 1,500 bytes over IPv4 and IPv6.
const FULL_V4: usize = 1_472;
const FULL_V6: usize = 1_452;
/// UDP payload that passes everywhere.
const SMALL: usize = 64;
/// Distance of clocks, in milliseconds, that is named, and that is a problem.
const CLOCK_NAMED_MS: f64 = 20.0;
const CLOCK_PROBLEM_MS: f64 = 500.0;
/// Questions by which a clock is read; the quickest answer counts.
const CLOCK_QUESTIONS: usize = 5;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Fine,
    /// A run works, but worse than it could.
    Warning,
    /// A run fails, or its figures cannot be believed.
    Problem,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// Which node or machine.
    pub at: String,
    /// What was seen.
    pub what: String,
    /// What would help; empty when nothing need be done.
    pub fix: String,
}

impl Finding {
    fn new(level: Level, at: &str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level, at: at.to_owned(), what: what.into(), fix: fix.into() }
    }
}

/// Looks at this machine alone: the ports and buffers of a node, and what a lab needs.
#[must_use]
pub fn examine_here(bind: IpAddr, port: u16) -> Vec<Finding> {
    use crate::net::{UdpOptions, UdpPort};
    const AT: &str = "this machine";
    let mut findings = Vec::new();
    for port in [port, port.saturating_add(1)] {
        match UdpPort::bind((bind, port).into(), UdpOptions::default()) {
            Ok(udp) => {
                findings.push(Finding::new(Level::Fine, AT, format!("UDP {port} is free"), ""));
                let buffers = udp.buffers();
                for (name, granted) in [("rmem_max", buffers.receive), ("wmem_max", buffers.send)] {
                    if granted.is_short() {
                        findings.push(short(AT, name, granted.asked, granted.given));
                    }
                }
            }
            Err(error) => findings.push(taken(AT, &format!("UDP {port}: {error}"))),
        }
    }
    match crate::lab::tun::Tun::check() {
        Ok(()) => findings.push(Finding::new(
            Level::Fine,
            AT,
            "/dev/net/tun can be opened: `bellini lab` works",
            "",
        )),
        Err(error) => {
            findings.push(Finding::new(Level::Warning, AT, error.to_string(), "only `bellini lab` needs it"))
        }
    }
    findings
}

fn short(at: &str, name: &str, asked: usize, given: usize) -> Finding {
    let what = format!(
        "UDP buffers of {} KiB instead of {} KiB: bursts may be dropped",
        given / 1_024,
        asked / 1_024
    );
    Finding::new(Level::Warning, at, what, format!("sudo sysctl -w net.core.{name}={asked}"))
}

fn taken(at: &str, line: &str) -> Finding {
    let fix =
        "end what uses it (`ss -lunp`, `bellini deploy down`), or give another \"port\" in the hosts file";
    Finding::new(Level::Problem, at, line, fix)
}

/// A probe that runs on a host.
struct Running {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Running {
    fn ask(&mut self, order: &Order) -> Result<Answer, String> {
        let line = serde_json::to_string(order).map_err(|error| error.to_string())? + "\n";
        self.orders.write_all(line.as_bytes()).map_err(|error| error.to_string())?;
        self.hear()
    }

    fn hear(&mut self) -> Result<Answer, String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|_| format!("the probe said {:?}", line.trim_end()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Deployment {
    /// Looks at every host, from it and from the others; hosts that had nothing of ours have nothing afterwards.
    ///
    /// # Errors
    /// [`HostsError`] when a host cannot be used at all.
    pub fn examine(&self) -> Result<Vec<Finding>, HostsError> {
        let before = self.state()?;
        self.up()?;
        let mut findings = Vec::new();
        for state in &before {
            if state.other_binaries > 0 {
                let what = format!("{} binaries of other versions are there", state.other_binaries);
                findings.push(Finding::new(
                    Level::Warning,
                    &state.host,
                    what,
                    "bellini deploy down, then up",
                ));
            }
            for (node, _) in state.nodes.iter().filter(|(_, runs)| *runs) {
                let what = format!("{node} of an earlier run is still there");
                findings.push(Finding::new(Level::Warning, &state.host, what, "bellini deploy down"));
            }
        }
        let result = self.probe(&mut findings);
        let was_empty: Vec<&Machine> = (self.machines.iter().zip(&before))
            .filter(|(_, state)| !state.has_binary && state.other_binaries == 0 && state.nodes.is_empty())
            .map(|(machine, _)| machine)
            .collect();
        let clean = |machine: &&Machine| {
            let script = include_str!("../scripts/down.sh");
            self.remotes[machine.remote].run(script, &[&machine.directory], Feed::Nothing)
        };
        all(together(&was_empty, clean))?;
        result.map(|()| findings)
    }

    fn probe(&self, findings: &mut Vec<Finding>) -> Result<(), HostsError> {
        let keys: Vec<String> = self.of.keys().cloned().collect();
        let spots = spots(&self.hosts, &keys, |key, _| self.remote(key).address())?;
        let mut probes = BTreeMap::new();
        for spot in &spots {
            let mut probe = self.start_probe(spot)?;
            match probe.hear() {
                Ok(Answer::Ready { taken: lines, short: buffers }) => {
                    if lines.is_empty() {
                        let port = spot.addresses.data.port();
                        let what = format!("ports {port} and {} are free", spot.addresses.control.port());
                        findings.push(Finding::new(Level::Fine, &spot.key, what, ""));
                    }
                    findings.extend(lines.iter().map(|line| taken(&spot.key, line)));
                    findings.extend(
                        buffers.iter().map(|(name, asked, given)| short(&spot.key, name, *asked, *given)),
                    );
                    findings.push(clock(&spot.key, &mut probe));
                    probes.insert(spot.key.clone(), probe);
                }
                other => {
                    let what = format!("the probe does not run: {other:?}");
                    findings.push(Finding::new(Level::Problem, &spot.key, what, "try `bellini deploy up`"));
                }
            }
        }
        for (key, probe) in &mut probes {
            for other in spots.iter().filter(|other| other.key != *key) {
                findings.push(way(key, probe, other));
            }
        }
        Ok(())
    }

    fn start_probe(&self, spot: &Spot) -> Result<Running, HostsError> {
        let (machine, script) =
            (self.machine(&spot.key), "cd -P \"$state\"\nexec \"./bin/$2\" probe \"$3\" \"$4\" \"$5\"\n");
        let bind = spot.bind.to_string();
        let ports = [spot.addresses.data.port(), spot.addresses.control.port()].map(|port| port.to_string());
        let arguments = [machine.directory.as_str(), &self.sum, &bind, &ports[0], &ports[1]];
        let mut command = self.remote(&spot.key).command(script, &arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| HostsError::Environment(error.to_string()))?;
        let orders = child.stdin.take().expect("standard input is piped");
        let answers = BufReader::new(child.stdout.take().expect("standard output is piped"));
        Ok(Running { child, orders, answers })
    }
}

/// Sets a host's clock against ours.
fn clock(key: &str, probe: &mut Running) -> Finding {
    let mut best: Option<(u128, f64)> = None;
    for _ in 0..CLOCK_QUESTIONS {
        let (begun, before_ns) = (Instant::now(), read_ns(ClockId::CLOCK_REALTIME));
        let Ok(Answer::Time(shown)) = probe.ask(&Order::Time) else { continue };
        let trip = begun.elapsed().as_nanos();
        if best.is_none_or(|(least, _)| trip < least) {
            best = Some((trip, (shown - before_ns - (trip / 2) as i64) as f64 * 1e-6));
        }
    }
    let Some((trip, ahead)) = best else {
        return Finding::new(Level::Problem, key, "its clock could not be read", "try `bellini deploy up`");
    };
    let what = format!("its clock is {ahead:+.1} ms from ours (to within {:.1} ms)", trip as f64 * 5e-7);
    let level = match ahead.abs() {
        off if off > CLOCK_PROBLEM_MS => Level::Problem,
        off if off > CLOCK_NAMED_MS => Level::Warning,
        _ => Level::Fine,
    };
    let fix =
        if level == Level::Fine { "" } else { "have it kept there: chrony, or `timedatectl set-ntp true`" };
    Finding::new(level, key, what, fix)
}

/// Tries the way from a probe to where another one is.
fn way(key: &str, probe: &mut Running, to: &Spot) -> Finding {
    let at = format!("{key} > {}", to.key);
    let (data, control) = (to.addresses.data, to.addresses.control);
    let full = if data.is_ipv4() { FULL_V4 } else { FULL_V6 };
    let udp = |control, to, bytes| Order::Udp { control, to, bytes };
    let open = "open these ports to the other hosts: UDP and TCP of \"port\", UDP of \"control_port\" (security group, \
                firewall), and check \"address\" in the hosts file";
    let mut least = None;
    for (what, order, fix) in [
        (format!("UDP {}", data.port()), udp(false, data, SMALL), open),
        (format!("UDP {}", control.port()), udp(true, control, SMALL), open),
        (format!("TCP {}", data.port()), Order::Tcp { to: data }, open),
        (
            "packets of 1,500 bytes".to_owned(),
            udp(false, data, full),
            "give the scenario's links a smaller \"mtu\", or raise that of the interface (`ip link set DEV mtu 1500`)",
        ),
    ] {
        match probe.ask(&order) {
            Ok(Answer::Done(us)) => least = Some(least.unwrap_or(us).min(us)),
            Ok(Answer::Problem(problem)) => {
                return Finding::new(
                    Level::Problem,
                    &at,
                    format!("{what} do not get through: {problem}"),
                    fix,
                );
            }
            Ok(other) => return Finding::new(Level::Problem, &at, format!("{what}: {other:?}"), fix),
            Err(problem) => return Finding::new(Level::Problem, &at, problem, fix),
        }
    }
    let ms = least.unwrap_or(0) as f64 * 1e-3;
    Finding::new(
        Level::Fine,
        &at,
        format!("reached by UDP and TCP, 1,500 bytes pass, round trip {ms:.1} ms"),
        "",
    )
}
