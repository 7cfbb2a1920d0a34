//! The hosts of a file, and what is done on all of them: push, start, collect, stop, remove.
//!
//! A host keeps one state directory: a mark, binaries under their checksums, and a directory for each node. Everything
//! here may be repeated at any time, also after it was interrupted at any point: what is there already is used, what is
//! half there is made anew. Processes are found by the binary that they run, so that no record of them can be stale.

mod doctor;
#[cfg(test)]
mod tests;

pub use doctor::{Finding, Level, examine_here};

use super::error::{HostsError, here};
use super::file::Hosts;
use super::place::{self, Place};
use super::plan::{KEYS_LIVE, LOGS, SETTINGS};
use super::remote::{Feed, Remote};
use crate::console::NodeSettings;
use crate::lab::process::write_settings;
use crate::lab::workshop::Workshop;
use crate::seal::SealSettings;
use crate::seal::keys::{Issued, issue_all};
use bellini_scenarios::model::Scenario;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The binary's name on its way to a host.
const BINARY: &str = "bellini";

/// Hosts that this process is connected to.
#[derive(Debug)]
pub struct Deployment {
    hosts: Hosts,
    /// Connections, by the order of `machines`' first use.
    remotes: Vec<Remote>,
    machines: Vec<Machine>,
    /// The machine of each node of the file.
    of: BTreeMap<String, usize>,
    program: PathBuf,
    sum: String,
    /// What is written for hosts lies here; it outlives the connections, whose sockets lie there, too.
    workshop: Workshop,
}

/// A state directory on a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Machine {
    remote: usize,
    directory: String,
}

/// What was found in the state directory of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostState {
    /// The host, for people.
    pub host: String,
    /// Whether the binary that would be pushed is there.
    pub has_binary: bool,
    /// Other binaries there.
    pub other_binaries: usize,
    /// Directories of nodes, with whether their process runs.
    pub nodes: Vec<(String, bool)>,
}

impl Deployment {
    /// Connects to the hosts of a file: to those of `scenario`'s nodes, or to all. `program`: the binary to push; `None`:
    /// the one that runs now.
    ///
    /// # Errors
    /// [`HostsError::File`] when a node has no host, [`HostsError::Environment`] with every host that cannot be reached.
    pub fn open(
        hosts: Hosts,
        scenario: Option<&Scenario>,
        program: Option<&Path>,
    ) -> Result<Self, HostsError> {
        let keys = match scenario {
            Some(scenario) => place::keys(&hosts, scenario)?,
            None => hosts.nodes.keys().cloned().collect(),
        };
        let program = match program {
            Some(program) => program.to_owned(),
            None => std::env::current_exe().map_err(|error| here("which program runs now", error))?,
        };
        let sum = checksum(&program).map_err(|error| here(program.display(), error))?;
        let temporary = std::env::temp_dir();
        let workshop = Workshop::open(&temporary).map_err(|error| here(temporary.display(), error))?;
        let mut destinations: Vec<Option<String>> = Vec::new();
        let (mut machines, mut of) = (Vec::new(), BTreeMap::new());
        for key in keys {
            let host = &hosts.nodes[&key];
            let remote = position(&mut destinations, host.ssh.clone());
            let machine = position(&mut machines, Machine { remote, directory: host.directory().to_owned() });
            of.insert(key, machine);
        }
        let connect = |(number, destination): (usize, &Option<String>)| match destination {
            Some(destination) => {
                Remote::connect(destination, hosts.ssh_config.as_deref(), workshop.path(), number)
            }
            None => Ok(Remote::here()),
        };
        let numbered: Vec<_> = destinations.iter().enumerate().collect();
        let remotes = all(together(&numbered, |of| connect(*of)))?;
        Ok(Self { hosts, remotes, machines, of, program, sum, workshop })
    }

    /// Returns the SHA-256 of the binary, in hexadecimal digits.
    #[must_use]
    pub fn checksum(&self) -> &str {
        &self.sum
    }

    /// Brings the binary to every host that does not have it. Returns how many it was pushed to, and how many hosts
    /// there are.
    ///
    /// # Errors
    /// [`HostsError::Environment`] with every host where that failed, or where it cannot run.
    pub fn up(&self) -> Result<(usize, usize), HostsError> {
        let stage = self.workshop.path().join("binary");
        std::fs::create_dir_all(&stage).map_err(|error| here(stage.display(), error))?;
        let link = stage.join(BINARY);
        if !link.exists() {
            let program = std::path::absolute(&self.program).unwrap_or_else(|_| self.program.clone());
            std::os::unix::fs::symlink(program, &link).map_err(|error| here(link.display(), error))?;
        }
        let pushed = all(together(&self.machines, |machine| self.push(machine, &stage)))?;
        Ok((pushed.iter().filter(|pushed| **pushed).count(), pushed.len()))
    }

    fn push(&self, machine: &Machine, stage: &Path) -> Result<bool, HostsError> {
        let remote = &self.remotes[machine.remote];
        let arguments = [machine.directory.as_str(), &self.sum];
        let found = remote.run(include_str!("scripts/prepare.sh"), &arguments, Feed::Nothing)?;
        if found.trim_end().ends_with("have") {
            return Ok(false);
        }
        remote.run(include_str!("scripts/receive.sh"), &arguments, Feed::Directory(stage.to_owned()))?;
        let tried = remote.run("cd -P \"$state\"\n\"./bin/$2\" --version\n", &arguments, Feed::Nothing);
        tried.map(|_| true).map_err(|error| {
            HostsError::Environment(format!(
                "{error}\nhelp: the binary does not run there; build it static for that machine \
                 (cargo build --release --target x86_64-unknown-linux-musl) and give it with --program"
            ))
        })
    }

    /// Returns where the nodes of a scenario are, in its order.
    ///
    /// # Errors
    /// [`HostsError`] when an address is not known, or two nodes are at one place.
    pub(super) fn places(&self, scenario: &Scenario) -> Result<Vec<Place>, HostsError> {
        let keys = place::keys(&self.hosts, scenario)?;
        place::places(&self.hosts, scenario, &keys, |key, _| self.remote(key).address())
    }

    /// Returns the names in the file that a scenario does not use.
    pub(super) fn unused(&self, scenario: &Scenario) -> Vec<&str> {
        place::keys(&self.hosts, scenario)
            .map_or_else(|_| Vec::new(), |keys| place::unused(&self.hosts, &keys))
    }

    /// Whether all hosts are this machine.
    pub(super) fn is_all_here(&self) -> bool {
        self.remotes.iter().all(Remote::is_here)
    }

    /// Returns what a node's host is called.
    pub(super) fn host_name(&self, place: &Place) -> &str {
        self.remote(&place.key).name()
    }

    fn machine(&self, key: &str) -> &Machine {
        &self.machines[self.of[key]]
    }

    fn remote(&self, key: &str) -> &Remote {
        &self.remotes[self.machine(key).remote]
    }

    fn run(&self, place: &Place, script: &str, arguments: &[&str], feed: Feed) -> Result<String, HostsError> {
        let machine = self.machine(&place.key);
        let all: Vec<&str> =
            [machine.directory.as_str()].into_iter().chain(arguments.iter().copied()).collect();
        self.remote(&place.key).run(script, &all, feed)
    }

    /// Makes keys for the nodes of one run, which know no others.
    ///
    /// # Errors
    /// [`HostsError::Environment`] when they cannot be made.
    pub(super) fn issue_keys(&self, places: &[Place]) -> Result<Issued, HostsError> {
        let directory = self.workshop.path().join("keys");
        // Those of an earlier run are over.
        let _ = std::fs::remove_dir_all(&directory);
        let nodes: Vec<_> = places.iter().map(|place| place.id).collect();
        issue_all(&directory, &nodes, KEYS_LIVE).map_err(|error| here("keys of nodes", error))
    }

    /// Starts a node's process with `settings`, and its key files beside them; one that runs is ended first. `keep`: its
    /// logs stay.
    ///
    /// # Errors
    /// [`HostsError::Environment`].
    pub(super) fn start(
        &self,
        place: &Place,
        settings: &NodeSettings,
        keys: Option<&SealSettings>,
        keep: bool,
    ) -> Result<(), HostsError> {
        let directory = place.directory();
        let stage = self.workshop.path().join(&directory);
        // What an earlier run had here, above all its keys, is none of this one's.
        let _ = std::fs::remove_dir_all(&stage);
        let logs = stage.join(LOGS);
        std::fs::create_dir_all(&logs).map_err(|error| here(logs.display(), error))?;
        for file in keys.iter().flat_map(|keys| [&keys.key, &keys.certificate, &keys.trust]) {
            let to = stage.join(file.file_name().unwrap_or_default());
            // The mode is copied with it.
            std::fs::copy(file, &to).map_err(|error| here(to.display(), error))?;
        }
        let path = stage.join(SETTINGS);
        write_settings(&path, settings).map_err(|error| here(path.display(), error))?;
        let keep = if keep { "keep" } else { "new" };
        self.run(place, include_str!("scripts/configure.sh"), &[&directory, keep], Feed::Directory(stage))?;
        self.run(place, include_str!("scripts/start.sh"), &[&directory, &self.sum], Feed::Nothing)?;
        Ok(())
    }

    /// Returns the command whose standard streams are the console of a node.
    pub(super) fn console(&self, place: &Place) -> Command {
        let (machine, directory) = (self.machine(&place.key), place.directory());
        let arguments = [machine.directory.as_str(), &directory, &self.sum];
        self.remote(&place.key).command(include_str!("scripts/attach.sh"), &arguments)
    }

    /// Kills a node's process with SIGKILL.
    ///
    /// # Errors
    /// [`HostsError::Environment`].
    pub(super) fn kill(&self, place: &Place) -> Result<(), HostsError> {
        self.run(place, include_str!("scripts/kill.sh"), &[&place.directory()], Feed::Nothing).map(|_| ())
    }

    /// Ends the processes of nodes.
    ///
    /// # Errors
    /// [`HostsError::Environment`] with every host where that failed.
    pub(super) fn stop(&self, places: &[Place]) -> Result<(), HostsError> {
        let stop = |place: &Place| {
            self.run(place, include_str!("scripts/stop.sh"), &[&place.directory()], Feed::Nothing)
        };
        all(together(places, stop)).map(|_| ())
    }

    /// Brings home what nodes wrote: each node's directory as `to/<name>`. Returns what could not be had.
    pub(super) fn collect(&self, places: &[Place], to: &Path) -> Vec<HostsError> {
        let names = file_names(places.iter().map(|place| place.name.as_str()));
        let named: Vec<_> = places.iter().zip(names).collect();
        let fetch = |(place, name): &(&Place, String)| {
            let (machine, directory) = (self.machine(&place.key), place.directory());
            let arguments = [machine.directory.as_str(), &directory];
            self.remote(&place.key).fetch(include_str!("scripts/collect.sh"), &arguments, &to.join(name))
        };
        together(&named, fetch).into_iter().filter_map(Result::err).collect()
    }

    /// Brings home what lies in the directories of all nodes of all hosts, as `to/<host>/<node directory>`, whether
    /// their processes run or not; a second state directory of a host is `to/<host>-2`. Returns how many there were, and
    /// what could not be had.
    pub fn collect_all(&self, to: &Path) -> (usize, Vec<HostsError>) {
        let names = file_names(self.machines.iter().map(|machine| self.remotes[machine.remote].name()));
        let named: Vec<_> = self.machines.iter().zip(names).collect();
        let fetch = |(machine, name): &(&Machine, String)| -> Result<usize, HostsError> {
            let remote = &self.remotes[machine.remote];
            let nodes = self.state_of(machine)?.nodes;
            for (node, _) in &nodes {
                let place = to.join(name).join(node);
                let arguments = [machine.directory.as_str(), node];
                remote.fetch(include_str!("scripts/collect.sh"), &arguments, &place)?;
            }
            Ok(nodes.len())
        };
        let (mut count, mut problems) = (0, Vec::new());
        for result in together(&named, fetch) {
            match result {
                Ok(nodes) => count += nodes,
                Err(problem) => problems.push(problem),
            }
        }
        (count, problems)
    }

    /// Returns what is on the hosts.
    ///
    /// # Errors
    /// [`HostsError::Environment`] with every host that does not say.
    pub fn state(&self) -> Result<Vec<HostState>, HostsError> {
        all(together(&self.machines, |machine| self.state_of(machine)))
    }

    fn state_of(&self, machine: &Machine) -> Result<HostState, HostsError> {
        let remote = &self.remotes[machine.remote];
        let text = remote.run(include_str!("scripts/state.sh"), &[&machine.directory], Feed::Nothing)?;
        let mut state = HostState { host: remote.name().to_owned(), ..HostState::default() };
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("binary", sum)) if sum == self.sum => state.has_binary = true,
                Some(("binary", _)) => state.other_binaries += 1,
                Some((word @ ("runs" | "ended"), node)) if is_node(node) => {
                    state.nodes.push((node.to_owned(), word == "runs"));
                }
                _ => {}
            }
        }
        Ok(state)
    }

    /// Ends everything on all hosts and removes their state directories.
    ///
    /// # Errors
    /// [`HostsError::Environment`] with every host where that failed; the others are clean.
    pub fn down(&self) -> Result<(), HostsError> {
        let on_all = |script: &str| {
            together(&self.machines, |machine| {
                self.remotes[machine.remote].run(script, &[&machine.directory], Feed::Nothing)
            })
        };
        // Hosts may share a home: everything has ended everywhere before anything is removed. What fails now fails
        // again below.
        drop(on_all(include_str!("scripts/end.sh")));
        all(on_all(include_str!("scripts/down.sh"))).map(|_| ())
    }
}

/// Whether a host's word for a node's directory is one: it becomes part of a path here.
fn is_node(name: &str) -> bool {
    name.strip_prefix("node-").is_some_and(|id| id.parse::<u32>().is_ok())
}

/// Returns a name as the name of a file.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
    name.chars().map(plain).collect::<String>().trim_start_matches('.').to_owned()
}

/// Returns names as the names of files, no two of them the same, also where case does not count: the second of a name
/// ends in `-2`.
fn file_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut unique = |name: &str| {
        let plain = file_name(name);
        let mut found = plain.clone();
        let mut number = 1;
        while !taken.insert(found.to_lowercase()) {
            number += 1;
            found = format!("{plain}-{number}");
        }
        found
    };
    names.map(&mut unique).collect()
}

/// Returns the place of `value` in `list`, where it is put if it is not there.
fn position<T: PartialEq>(list: &mut Vec<T>, value: T) -> usize {
    list.iter().position(|known| *known == value).unwrap_or_else(|| {
        list.push(value);
        list.len() - 1
    })
}

/// Does something for all items at once, and returns the results in their order.
pub(super) fn together<T: Sync, R: Send>(items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.iter().map(|item| scope.spawn(|| each(item))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Returns all results, or all that went wrong as one error.
pub(super) fn all<T>(results: Vec<Result<T, HostsError>>) -> Result<Vec<T>, HostsError> {
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(error) => wrong.push(error),
        }
    }
    match wrong.len() {
        0 => Ok(good),
        1 => Err(wrong.remove(0)),
        _ => {
            let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            Err(HostsError::Environment(lines.join("\n")))
        }
    }
}

fn checksum(program: &Path) -> std::io::Result<String> {
    let mut file = File::open(program)?;
    let (mut hash, mut block) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hash.update(&block[..read]);
    }
}
