//! `bellini doctor`: what stands in the way of a run, and what would help.

use super::args::{DoctorOptions, HostOptions, ProbeOptions};
use super::exit::{self, Failure};
use super::live::{failure, open, read, sweep};
use bellini_live::hosts::{self, Finding, Level, PORT, examine_here};
use std::net::{IpAddr, Ipv4Addr};

pub(super) fn run(options: &DoctorOptions) -> Result<u8, Failure> {
    let findings = match &options.hosts {
        None => examine_here(IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT),
        Some(hosts) => {
            sweep();
            let asked = HostOptions {
                hosts: hosts.clone(),
                ssh_config: options.ssh_config.clone(),
                program: options.program.clone(),
                plaintext: false,
            };
            open(&asked, read(&asked)?, None)?.examine().map_err(failure)?
        }
    };
    let lines: String = findings.iter().map(line).collect();
    exit::print(&lines);
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
    exit::say(format_args!("{} checks: {problems} problems, {warnings} warnings.", findings.len()));
    Ok(if problems > 0 { exit::CHECK } else { exit::DONE })
}

fn line(finding: &Finding) -> String {
    let word = match finding.level {
        Level::Fine => "ok",
        Level::Warning => "warning",
        Level::Problem => "PROBLEM",
    };
    let fix = if finding.fix.is_empty() { String::new() } else { format!("\n         fix: {}", finding.fix) };
    format!("{word:<8} {}: {}{fix}\n", finding.at, finding.what)
}

/// Runs on a host, for `doctor`.
pub(super) fn probe(options: &ProbeOptions) -> Result<u8, Failure> {
    hosts::probe::run(options.bind, options.port, options.control_port)
        .map_err(|error| Failure::new(exit::ENVIRONMENT, error))?;
    Ok(exit::DONE)
}
