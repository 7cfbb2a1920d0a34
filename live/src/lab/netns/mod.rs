//! Network namespaces that last as long as the process that made them, and no longer.
//!
//! A namespace here has no name in the file system. It is held by a thread that lives in it, by the processes that the
//! thread started and by open files (sockets, TUN devices); when the last of them is gone, however it went, the kernel
//! takes the namespace and its interfaces away. Nothing is left to clean up, not even after `kill -9`.

pub(super) mod interface;
mod privilege;

pub use privilege::Privilege;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, gettid};
use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::JoinHandle;
use thiserror::Error;

/// Why there is no namespace, or nothing can be done in it.
#[derive(Debug, Error)]
pub enum NetnsError {
    /// The kernel gives nobody a user namespace.
    #[error(
        "network namespaces need root or user namespaces, and those are switched off here ({file} is {value}): run \
         as root, or have an administrator raise it (sysctl -w {sysctl})"
    )]
    SwitchedOff {
        /// The file that says so.
        file: &'static str,
        /// What it holds.
        value: String,
        /// What would switch them on.
        sysctl: &'static str,
    },
    /// A user namespace was refused for no visible reason.
    #[error(
        "the kernel refused a user namespace ({source}): run as root; inside a container, the container has to allow \
         user namespaces"
    )]
    UserNamespace {
        /// What the kernel said.
        source: io::Error,
    },
    /// A user namespace came without its rights.
    #[error(
        "a user namespace was made, but without the right to administer networks: the system restricts them \
         (AppArmor: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or a profile for this program), or run \
         as root"
    )]
    Restricted,
    /// Too late for a user namespace.
    #[error("a user namespace can only be entered while the process has one thread, and it has {0}")]
    Threads(usize),
    /// A file of the process could not be read or written.
    #[error("{file}: {source}")]
    File {
        /// Which file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// No network namespace, in spite of the rights for one.
    #[error("cannot make the network namespace of {name}: {source}")]
    Network {
        /// Whose it would have been.
        name: String,
        /// What the kernel said; `ENOSPC`: `user.max_net_namespaces` is reached.
        source: io::Error,
    },
    /// An interface could not be set up.
    #[error("interface {interface}: cannot {action}: {source}")]
    Interface {
        /// Its name.
        interface: String,
        /// What was to be done.
        action: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// No thread for it, or no process in it.
    #[error("cannot start {what}: {source}")]
    Start {
        /// What was to be started.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The thread that held it has ended by a panic.
    #[error("the thread that held the network namespace of {0} is gone")]
    Gone(String),
}

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace with its loopback interface up.
///
/// Dropping it ends the thread that holds it; the namespace itself ends with the last process and the last open file
/// in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    thread: Pid,
    jobs: Option<Sender<Job>>,
    holder: Option<JoinHandle<()>>,
}

impl Namespace {
    /// Makes a namespace; `name` is for messages only. The process needs the [`Privilege`] for it.
    ///
    /// # Errors
    /// When the kernel refuses, or there is no thread to be had.
    pub fn new(name: &str) -> Result<Self, NetnsError> {
        let (jobs, todo) = channel::<Job>();
        let (ready, made) = sync_channel(1);
        let label = name.to_owned();
        let hold = move || {
            let enter = || {
                unshare(CloneFlags::CLONE_NEWNET)
                    .map_err(|errno| NetnsError::Network { name: label, source: errno.into() })?;
                interface::up("lo")?;
                Ok(gettid())
            };
            let entered = enter();
            let is_in = entered.is_ok();
            // The other side waits for it; should it be gone, there is nothing to hold either.
            if ready.send(entered).is_ok() && is_in {
                todo.into_iter().for_each(|job| job());
            }
        };
        let holder = std::thread::Builder::new()
            .name("netns".to_owned())
            .stack_size(256 << 10)
            .spawn(hold)
            .map_err(|source| NetnsError::Start { what: format!("a thread for {name}"), source })?;
        let thread = made.recv().map_err(|_| NetnsError::Gone(name.to_owned()))??;
        Ok(Self { name: name.to_owned(), thread, jobs: Some(jobs), holder: Some(holder) })
    }

    /// Returns the name that it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the id of the thread that holds it, by which other programs can name the namespace
    /// (`/proc/ID/ns/net`).
    #[must_use]
    pub fn thread(&self) -> u32 {
        self.thread.as_raw().unsigned_abs()
    }

    /// Runs `work` inside and returns what it returns. Sockets and devices that it opens stay inside, wherever they are
    /// used; so do processes that it starts.
    ///
    /// # Errors
    /// When `work` panics: that ends the namespace's thread, and all later calls fail too.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, NetnsError> {
        let gone = || NetnsError::Gone(self.name.clone());
        let (answer, result) = sync_channel(1);
        let job = Box::new(move || {
            // The caller waits below for as long as the thread lives.
            let _ = answer.send(work());
        });
        self.jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
        result.recv().map_err(|_| gone())
    }

    /// Starts a process inside. To the kernel its parent is the thread that holds the namespace: a process that asks
    /// to be killed with its parent (`PR_SET_PDEATHSIG`) is killed when the namespace is dropped.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn spawn(&self, mut command: Command) -> Result<Child, NetnsError> {
        let what = format!("{} in {}", command.get_program().to_string_lossy(), self.name);
        self.run(move || command.spawn())?.map_err(|source| NetnsError::Start { what, source })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(holder) = self.holder.take() {
            // A panic of a job was answered where the job was given.
            let _ = holder.join();
        }
    }
}
