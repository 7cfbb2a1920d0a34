//! The working directory of a lab, and what a lab that was killed has left.
//!
//! Namespaces, devices and sockets of a lab are held by its processes only, and its node processes end when it ends:
//! a lab that is killed with -9 leaves nothing in the kernel. What it may leave is its working directory, and, if the
//! kernel was slow, a process that is still ending. The next lab, or `bellini lab --clean`, removes both.

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getuid};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

const PREFIX: &str = "bellini-lab-";
/// Names that are tried before a lab gives up.
const NAMES_MAX: u32 = 100;
const OWNER: &str = "owner";
const PROCESSES: &str = "processes";

/// The working directory of a lab that runs; removed when dropped.
#[derive(Debug)]
pub(crate) struct Workshop {
    path: PathBuf,
}

impl Workshop {
    /// Makes one below `parent`, the directory for temporary files.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn open(parent: &Path) -> io::Result<Self> {
        let own = std::process::id();
        let path = make(parent, own)?;
        fs::write(path.join(OWNER), Identity::of(own).unwrap_or(Identity { pid: own, start: 0 }).to_line())?;
        Ok(Self { path })
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
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

/// Makes the directory of process `own`, which only this user can enter. Where one of that name is there already,
/// maybe somebody else's, it gets another name: nothing that others can write is ever used.
fn make(parent: &Path, own: u32) -> io::Result<PathBuf> {
    let names = std::iter::once(format!("{PREFIX}{own}"));
    let mut taken = None;
    for name in names.chain((1..NAMES_MAX).map(|number| format!("{PREFIX}{own}-{number}"))) {
        let path = parent.join(name);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(taken.unwrap_or_else(|| io::ErrorKind::AlreadyExists.into()))
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
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = fs::read_dir(parent)?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // Names prove nothing: what another user has put there may name any process. Users are told by the owner, which
        // is the same inside and outside of a user namespace.
        let is_ours =
            path.symlink_metadata().is_ok_and(|facts| facts.is_dir() && facts.uid() == getuid().as_raw());
        if !name.starts_with(PREFIX) || !is_ours {
            continue;
        }
        let identities = |file: &str| -> Vec<Identity> {
            let text = fs::read_to_string(path.join(file)).unwrap_or_default();
            text.lines().filter_map(Identity::from_line).collect()
        };
        let owners = identities(OWNER);
        // A lab that has made its directory this very moment has not noted itself yet.
        let begins = owners.is_empty() && maker(name).is_some_and(|pid| Identity::of(pid).is_some());
        if begins || owners.iter().any(Identity::is_alive) {
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

/// Returns the process that a directory's name speaks of.
fn maker(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
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
        let dead = parent.join(format!("{PREFIX}1"));
        fs::create_dir_all(&dead).expect("made");
        // Process 1 lives, but began at another time than the one that is noted.
        fs::write(dead.join(OWNER), "1 999999999999\n").expect("written");
        let identity = Identity::of(orphan.id()).expect("it runs");
        fs::write(dead.join(PROCESSES), identity.to_line()).expect("written");
        // One that begins, and what somebody else has put there to have a process killed (only root can try that).
        let begins = parent.join(format!("{PREFIX}{}-7", std::process::id()));
        fs::create_dir(&begins).expect("made");
        let foreign = parent.join(format!("{PREFIX}2"));
        fs::create_dir(&foreign).expect("made");
        let is_foreign = std::os::unix::fs::chown(&foreign, Some(65_534), None).is_ok();
        if !is_foreign {
            fs::remove_dir(&foreign).expect("removable");
        }
        let found = clean(&parent).expect("readable");
        assert_eq!(found, [Leftover::Process(orphan.id()), Leftover::Directory(dead.clone())]);
        assert!(!dead.exists() && running.path().exists());
        assert!(!orphan.wait().expect("it was ours").success());
        assert!(begins.exists() && foreign.exists() == is_foreign);
        fs::remove_dir(&begins).expect("removable");
        let _ = fs::remove_dir(&foreign);
        drop(running);
        assert_eq!(fs::read_dir(&parent).expect("readable").count(), 0);
        fs::remove_dir_all(parent).expect("removable");
    }

    /// A directory that is there already, whoever made it, is not used.
    #[test]
    fn a_directory_that_is_there_is_not_used() {
        let parent = place("taken");
        let taken = parent.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&taken).expect("made");
        let workshop = Workshop::open(&parent).expect("opens");
        assert!(workshop.path() != taken && fs::read_dir(&taken).expect("readable").count() == 0);
        let mode = fs::metadata(workshop.path()).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(workshop);
        fs::remove_dir_all(parent).expect("removable");
    }
}
