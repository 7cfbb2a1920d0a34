//! One machine: how something is done there, through the user's own ssh or on this machine itself.

use super::error::{HostsError, here};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Functions that every script has.
const COMMON: &str = include_str!("scripts/common.sh");
/// The exit code of ssh itself, when it is not that of what it ran.
const SSH_FAILED: i32 = 255;
/// How long it may take from connecting to the first command: more than connecting by itself may.
const LOGIN_WITHIN: Duration = Duration::from_secs(40);
/// Bytes that a login shell may print before that.
const GREETING_BYTES: u64 = 1 << 20;
/// How long the connection may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(1);

/// Options of every ssh: nothing is ever asked, and a host that is gone is noticed within 20 s.
const OPTIONS: [&str; 5] =
    ["BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=5", "ServerAliveCountMax=3", "ForwardX11=no"];

/// What a script reads on its standard input.
pub(super) enum Feed {
    /// Nothing.
    Nothing,
    /// The files of a directory here, links followed, as a tar stream.
    Directory(PathBuf),
}

/// A machine that nodes run on.
#[derive(Debug)]
pub(super) struct Remote {
    /// Its name for messages.
    name: String,
    way: Way,
    /// The connection that others share; ends with this process, however that ends: its other side waits for the end
    /// of its input.
    anchor: Option<Anchor>,
}

#[derive(Debug)]
enum Way {
    /// This machine.
    Here,
    /// By ssh.
    Ssh {
        /// As the user's ssh knows it.
        destination: String,
        /// The user's configuration, if not the usual one.
        config: Option<PathBuf>,
        /// The socket of the shared connection.
        control: PathBuf,
    },
}

#[derive(Debug)]
struct Anchor {
    child: Child,
    input: Option<ChildStdin>,
}

impl Remote {
    /// Returns this machine.
    pub(super) fn here() -> Self {
        Self { name: "this machine".to_owned(), way: Way::Here, anchor: None }
    }

    /// Connects to a machine. `private`: a directory that only this user can enter; `number`: of the connection.
    ///
    /// # Errors
    /// [`HostsError::Environment`] with what ssh said.
    pub(super) fn connect(
        destination: &str,
        config: Option<&Path>,
        private: &Path,
        number: usize,
    ) -> Result<Self, HostsError> {
        let mut remote = Self {
            name: destination.to_owned(),
            way: Way::Ssh {
                destination: destination.to_owned(),
                config: config.map(Path::to_owned),
                control: private.join(format!("m{number}")),
            },
            anchor: None,
        };
        let mut command = remote.ssh(["ControlMaster=yes", "ControlPersist=no"]);
        command.arg("exec sh -c 'echo here; exec cat > /dev/null'");
        let errors = private.join(format!("e{number}"));
        let file = std::fs::File::create(&errors).map_err(|error| here(errors.display(), error))?;
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file).spawn();
        let mut child = child.map_err(|error| here("ssh", error))?;
        let input = child.stdin.take();
        let greeting = greeting(&mut child, LOGIN_WITHIN);
        if greeting != Greeting::Here {
            drop(input);
            let _ = child.kill();
            let _ = child.wait();
            let said = std::fs::read_to_string(&errors).unwrap_or_default();
            let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
            let tried = config.map_or(String::new(), |config| format!("-F {} ", config.display()));
            let problem = match greeting {
                Greeting::Silence => format!(
                    "no command ran within {} s: the connection, or what the login shell does at its start, hangs",
                    LOGIN_WITHIN.as_secs()
                ),
                _ => format!("ssh cannot connect: {said}"),
            };
            return Err(HostsError::Environment(format!(
                "{destination}: {problem}\nhelp: this must work without a question: \
                 ssh {tried}-o BatchMode=yes {destination} true"
            )));
        }
        remote.anchor = Some(Anchor { child, input });
        Ok(remote)
    }

    /// Whether it is this machine.
    pub(super) fn is_here(&self) -> bool {
        matches!(self.way, Way::Here)
    }

    /// Returns its name, for messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the command that runs `script` (with the common functions) there.
    pub(super) fn command(&self, script: &str, arguments: &[&str]) -> Command {
        let text = format!("{COMMON}{script}");
        match &self.way {
            Way::Here => {
                let mut command = Command::new("sh");
                command.args(["-c", &text, "bellini"]).args(arguments).process_group(0);
                command
            }
            Way::Ssh { .. } => {
                let mut command = self.ssh(["ControlMaster=no"]);
                let words = [text.as_str(), "bellini"].into_iter().chain(arguments.iter().copied());
                // The user's shell there, whichever it is, is left at once.
                let line: Vec<String> = words.map(quoted).collect();
                command.arg(format!("exec sh -c {}", line.join(" ")));
                command
            }
        }
    }

    /// Runs a script there to its end, and returns what it printed.
    ///
    /// # Errors
    /// [`HostsError::Environment`] with what it said, or why there is no way to it.
    pub(super) fn run(&self, script: &str, arguments: &[&str], feed: Feed) -> Result<String, HostsError> {
        let mut command = self.command(script, arguments);
        let mut packer = match feed {
            Feed::Nothing => {
                command.stdin(Stdio::null());
                None
            }
            Feed::Directory(path) => {
                let mut tar = Command::new("tar");
                tar.args(["-chf", "-", "-C"]).arg(path).arg(".").process_group(0);
                let tar = tar.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
                let mut tar = tar.map_err(|error| here("tar", error))?;
                command.stdin(tar.stdout.take().expect("standard output is piped"));
                Some(tar)
            }
        };
        let output = command.output();
        // It holds the other end of the pipe, without which tar would wait for ever.
        drop(command);
        if let Some(packer) = &mut packer {
            let _ = packer.wait();
        }
        let output = output.map_err(|error| here(&self.name, error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(self.failed(output.status, &String::from_utf8_lossy(&output.stderr)))
    }

    /// Runs a script there whose output is a tar stream, and unpacks it into the directory `to`.
    ///
    /// # Errors
    /// [`HostsError::Environment`]; what had arrived stays.
    pub(super) fn fetch(&self, script: &str, arguments: &[&str], to: &Path) -> Result<(), HostsError> {
        std::fs::create_dir_all(to).map_err(|error| here(to.display(), error))?;
        let mut command = self.command(script, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut there = command.spawn().map_err(|error| here(&self.name, error))?;
        let mut tar = Command::new("tar");
        tar.args(["-xf", "-", "--no-same-owner", "-C"]).arg(to).process_group(0);
        tar.stdin(there.stdout.take().expect("standard output is piped"));
        let unpacked = tar.stdout(Stdio::null()).stderr(Stdio::null()).status();
        drop(tar);
        let output = there.wait_with_output().map_err(|error| here(&self.name, error))?;
        if !output.status.success() {
            return Err(self.failed(output.status, &String::from_utf8_lossy(&output.stderr)));
        }
        match unpacked {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(here(&self.name, "what came from there could not be unpacked")),
            Err(error) => Err(here("tar", error)),
        }
    }

    /// Returns the address that the user's ssh connects to, as far as its configuration says.
    ///
    /// # Errors
    /// When ssh does not say, or nobody knows the name.
    pub(super) fn address(&self) -> Result<std::net::IpAddr, HostsError> {
        use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
        let Way::Ssh { destination, .. } = &self.way else { return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)) };
        let mut command = self.ssh([]);
        let output =
            command.arg("-G").stdin(Stdio::null()).output().map_err(|error| here("ssh -G", error))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let name = text.lines().find_map(|line| line.strip_prefix("hostname "));
        let name = name.unwrap_or(destination);
        if let Ok(address) = name.parse() {
            return Ok(address);
        }
        let found = (name, 0).to_socket_addrs().ok().and_then(|mut found| found.next());
        found.map(|found| found.ip()).ok_or_else(|| {
            HostsError::Environment(format!(
                "{destination}: nobody here knows the address of {name}; give \"address\" in the hosts file"
            ))
        })
    }

    /// Returns an ssh to the machine; the command to run there is still to be added. `extra`: further options.
    fn ssh<const N: usize>(&self, extra: [&str; N]) -> Command {
        let Way::Ssh { destination, config, control } = &self.way else { return Command::new("false") };
        let mut command = Command::new("ssh");
        // A person's Ctrl-C is for this process, which then ends the others in good order.
        command.process_group(0).arg("-T");
        if let Some(config) = config {
            command.arg("-F").arg(config);
        }
        for option in OPTIONS.into_iter().chain(extra) {
            command.args(["-o", option]);
        }
        let mut path = OsString::from("ControlPath=");
        path.push(control);
        command.arg("-o").arg(path).arg(destination);
        command
    }

    fn failed(&self, status: ExitStatus, said: &str) -> HostsError {
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(3)..].join("; ");
        let why = match (status.code(), last.is_empty()) {
            (Some(SSH_FAILED), _) if !self.is_here() => format!("the connection failed: {last}"),
            (_, false) => last,
            (Some(code), true) => format!("it ended with code {code}"),
            (None, true) => "it was killed".to_owned(),
        };
        HostsError::Environment(format!("{}: {why}", self.name))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let Some(mut anchor) = self.anchor.take() else { return };
        drop(anchor.input.take());
        let deadline = Instant::now() + FAREWELL;
        while Instant::now() < deadline && matches!(anchor.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = anchor.child.kill();
        let _ = anchor.child.wait();
    }
}

/// How a connection began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Greeting {
    /// The word came.
    Here,
    /// It ended without.
    End,
    /// Nothing came in time.
    Silence,
}

/// Waits until a process says that it is there; what a shell prints at its start may come first.
fn greeting(child: &mut Child, within: Duration) -> Greeting {
    let Some(output) = child.stdout.take() else { return Greeting::End };
    let (speak, heard) = channel();
    // It ends with the output; where that does not end in time, with the process that is then killed.
    std::thread::spawn(move || {
        let mut lines = BufReader::new(output.take(GREETING_BYTES)).lines();
        let is_here = lines.any(|line| line.is_ok_and(|line| line.trim_end() == "here"));
        let _ = speak.send(is_here);
    });
    match heard.recv_timeout(within) {
        Ok(true) => Greeting::Here,
        Ok(false) | Err(RecvTimeoutError::Disconnected) => Greeting::End,
        Err(RecvTimeoutError::Timeout) => Greeting::Silence,
    }
}

/// Quotes a word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: words reach a script as they are, whatever they hold, also behind a second shell as with ssh.
    #[test]
    fn words_are_not_interpreted() {
        for word in ["a b", "it's", "$(false)", "`x`", "\\", "\"", "a;b", "*"] {
            let line = format!("exec sh -c {} x {}", quoted("printf %s \"$1\""), quoted(word));
            let output = Command::new("sh").args(["-c", &line]).output().expect("there is a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }

    /// Aim: a login shell may talk before the first command runs, and one that hangs holds nobody up for ever.
    #[test]
    fn a_login_shell_may_talk_but_not_hang() {
        for (line, within, expected) in [
            ("echo welcome; echo here; exec sleep 60", Duration::from_secs(20), Greeting::Here),
            ("echo welcome", Duration::from_secs(20), Greeting::End),
            ("echo welcome; exec sleep 60", Duration::from_millis(100), Greeting::Silence),
        ] {
            let child = Command::new("sh").args(["-c", line]).stdout(Stdio::piped()).spawn();
            let mut child = child.expect("there is a shell");
            assert_eq!(greeting(&mut child, within), expected, "{line}");
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
