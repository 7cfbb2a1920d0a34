//! The working directory of a lab, and what a lab that was killed has left.
//!
//! Namespaces, devices and sockets of a lab are held by its processes only, and its node processes end when it ends:
//! a lab that is killed with -9 leaves nothing in the kernel. What it may leave is its working directory, and, if the
//! kernel was slow, a process that is still ending. The next lab, or `bellini lab --clean`, removes both.

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getuid};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const PREFIX: &str = "bellini-lab-";
const OWNER: &str = "owner";
const PROCESSES: &str = "processes";

/// The working directory of a lab that runs; removed when dropped.
#[derive(Debug)]
pub(super) struct Workshop {
    path: PathBuf,
}

impl Workshop {
    /// Makes one below `parent`, the directory for temporary files.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn open(parent: &Path) -> io::Result<Self> {
        let own = std::process::id();
        let path = parent.join(format!("{PREFIX}{}-{own}", getuid()));
        fs::create_dir_all(&path)?;
        fs::write(path.join(OWNER), Identity::of(own).unwrap_or(Identity { pid: own, start: 0 }).to_line())?;
        Ok(Self { path })
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes a process that belongs to the lab.
    pub(super) fn note_process(&self, pid: u32) {
        let file = fs::OpenOptions::new().append(true).create(true).open(self.path.join(PROCESSES));
        if let (Ok(mut file), Some(identity)) = (file, Identity::of(pid)) {
            // Without the note the process still ends with the lab; only the second line of defence is missing.
            let _ = file.write_all(identity.to_line().as_bytes());
        }
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Something that a killed lab has left, and that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// A process, killed.
    Process(u32),
    /// A working directory, removed.
    Directory(PathBuf),
}

/// Removes what labs of this user that are dead have left below `parent`, the directory for temporary files; running
/// labs are left alone.
///
/// # Errors
/// When `parent` cannot be read.
pub fn clean(parent: &Path) -> io::Result<Vec<Leftover>> {
    let prefix = format!("{PREFIX}{}-", getuid());
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = fs::read_dir(parent)?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with(&prefix) || !path.is_dir() || path.is_symlink() {
            continue;
        }
        let identities = |file: &str| -> Vec<Identity> {
            let text = fs::read_to_string(path.join(file)).unwrap_or_default();
            text.lines().filter_map(Identity::from_line).collect()
        };
        if identities(OWNER).iter().any(Identity::is_alive) {
            continue;
        }
        for process in identities(PROCESSES).iter().filter(|process| process.is_alive()) {
            if kill(Pid::from_raw(process.pid as i32), Signal::SIGKILL).is_ok() {
                found.push(Leftover::Process(process.pid));
            }
        }
        if fs::remove_dir_all(&path).is_ok() {
            found.push(Leftover::Directory(path));
        }
    }
    Ok(found)
}

/// A process, told from later ones with the same number by its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    pid: u32,
    /// Clock ticks after the machine's start.
    start: u64,
}

impl Identity {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in parentheses and may hold anything; the 22nd is the start.
        let rest = stat.rsplit_once(')')?.1;
        let start = rest.split_whitespace().nth(19)?.parse().ok()?;
        Some(Self { pid, start })
    }

    fn is_alive(&self) -> bool {
        Self::of(self.pid).is_some_and(|now| now == *self)
    }

    fn to_line(self) -> String {
        format!("{} {}\n", self.pid, self.start)
    }

    fn from_line(line: &str) -> Option<Self> {
        let (pid, start) = line.split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, start: start.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn place(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("bellini-workshop-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("temporary files can be made");
        path
    }

    /// What a dead lab left is removed, its processes included; a lab that runs is left alone.
    #[test]
    fn only_what_the_dead_left_is_removed() {
        let parent = place("clean");
        let running = Workshop::open(&parent).expect("opens");
        let mut orphan =
            Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().expect("sleep is there");
        let dead = parent.join(format!("{PREFIX}{}-1", getuid()));
        fs::create_dir_all(&dead).expect("made");
        // Process 1 lives, but began at another time than the one that is noted.
        fs::write(dead.join(OWNER), "1 999999999999\n").expect("written");
        let identity = Identity::of(orphan.id()).expect("it runs");
        fs::write(dead.join(PROCESSES), identity.to_line()).expect("written");
        let found = clean(&parent).expect("readable");
        assert_eq!(found, [Leftover::Process(orphan.id()), Leftover::Directory(dead.clone())]);
        assert!(!dead.exists() && running.path().exists());
        assert!(!orphan.wait().expect("it was ours").success());
        drop(running);
        assert_eq!(fs::read_dir(&parent).expect("readable").count(), 0);
        fs::remove_dir_all(parent).expect("removable");
    }
}
